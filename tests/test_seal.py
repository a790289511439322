"""Sealing to a node: libsodium opens what we seal, and nobody else does."""

from nacl.public import PrivateKey, SealedBox

from gateway.errors import BadEnvelope
from gateway.groups import seal
from tests.damage import all_refused, flips, truncations
from tests.people import party, seed

MAKER, BUYER = party("maker"), party("buyer")
SEALED = seal.seal(MAKER.encryption.public, b"hello", seed("ephemeral"))


def test_libsodium_opens_what_is_sealed() -> None:
    """The sealed bytes are those of crypto_box_seal, both ways."""
    key = PrivateKey(MAKER.encryption.secret)
    assert SealedBox(key).decrypt(SEALED) == b"hello"
    theirs = SealedBox(key.public_key).encrypt(b"hello")
    assert seal.open_sealed(MAKER.encryption, theirs) == b"hello"
    assert len(SEALED) == len(b"hello") + seal.SEAL_BYTES


def test_nobody_else_opens_it_and_no_damage_passes() -> None:
    """Another key, a flipped bit or a cut is one error; bit 255 of an X25519 key has no meaning."""
    ignored = SEALED[:31] + bytes([SEALED[31] ^ 0x80]) + SEALED[32:]
    damaged = [each for each in flips(SEALED) if each != ignored]
    damaged += truncations(SEALED)
    all_refused(lambda each: seal.open_sealed(MAKER.encryption, each), damaged, BadEnvelope)
    all_refused(lambda each: seal.open_sealed(BUYER.encryption, each), [SEALED], BadEnvelope)
