"""Sealing a body: one key a record, derived from a sender key. Protocol: docs/protocol/sealing.md.

In: a sender key, where a record stands, salt and content, a nonce; or a sealed body. Out: sealed
bytes; or salt and content. Which record a body belongs to is bound into its seal: moved to another
place it does not open. It keeps no key, draws no nonce, and checks no commitment.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_decrypt,
    crypto_aead_xchacha20poly1305_ietf_encrypt,
)
from nacl.exceptions import CryptoError

from gateway.errors import BadBody
from gateway.records import cbor

KEY_BYTES = 32
NONCE_BYTES = 24
SEAL_BYTES = NONCE_BYTES + 16  # what sealing adds: the nonce and the authenticator
_HASH_BYTES = 32


@dataclass(frozen=True, slots=True)
class Sealing:
    """Under which of its feed's sender keys a record's body is sealed, and with which nonce."""

    number: int
    key: bytes = field(repr=False)
    nonce: bytes


def derive(secret: bytes, purpose: bytes, length: int = KEY_BYTES, salt: bytes = b"") -> bytes:
    """Derive a key by HKDF-SHA256 (RFC 5869), of at most 255 * 32 bytes; no salt is 32 zeros."""
    extracted = hmac.digest(salt or bytes(_HASH_BYTES), secret, "sha256")
    block, derived = b"", b""
    for number in range(1, -(-length // _HASH_BYTES) + 1):
        block = hmac.digest(extracted, block + purpose + bytes([number]), "sha256")
        derived += block
    return derived[:length]


def record_key(sender_key: bytes, group: bytes, feed: bytes, number: int, seq: int) -> bytes:
    """Derive the key of one record, which opens that record and no other."""
    return derive(sender_key, cbor.encode(["hulian/1/body", group, feed, number, seq]))


def key_hash(sender_key: bytes) -> bytes:
    """Commit to a sender key: what an announcement says of it to everybody."""
    return sha256(b"hulian/1/key" + sender_key).digest()


def seal(key: bytes, nonce: bytes, plain: bytes, bound: Sequence[object]) -> bytes:
    """Seal under a record's key; `bound` are the fields of its record that must not change."""
    sealed = crypto_aead_xchacha20poly1305_ietf_encrypt(plain, cbor.encode(bound), nonce, key)
    return nonce + sealed


def open_sealed(key: bytes, body: bytes, bound: Sequence[object]) -> bytes:
    """Open under a record's key; raise BadBody where it is of another key, or was changed."""
    nonce, sealed = body[:NONCE_BYTES], body[NONCE_BYTES:]
    try:
        return crypto_aead_xchacha20poly1305_ietf_decrypt(sealed, cbor.encode(bound), nonce, key)
    except (CryptoError, TypeError, ValueError):
        raise BadBody(reason="it does not open under the key of its record") from None
