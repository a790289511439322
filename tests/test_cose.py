"""Signed objects: one layout, every bit counts, and weak keys are refused twice (I2)."""

from typing import Any

import pytest
from hypothesis import given, settings, strategies as some

from gateway.errors import AuthorError, BadSignature, MalformedSignature, WeakKey
from gateway.records import cose
from gateway.records.cose import SigningKey
from tests.damage import all_refused, flips, never_escapes, refusal, truncations
from tests.mutate import known, mutations
from tests.vectors import load
from tests.vectors.build_cose import KEY, KIND, NOT_CANONICAL, SMALL_ORDER, open_signed

VECTORS: dict[str, Any] = load("cose")
WEAK = [bytes.fromhex(each) for each in SMALL_ORDER + NOT_CANONICAL]


def _open(wire: bytes) -> bytes:
    return open_signed(wire, KEY.public)


def _parts(vector: dict[str, str]) -> tuple[bytes, bytes]:
    return bytes.fromhex(vector["hex"]), bytes.fromhex(vector["public"])


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda vector: vector["name"])
def test_a_good_vector_verifies(vector: dict[str, str]) -> None:
    """Every reader finds the payload."""
    assert open_signed(*_parts(vector)).hex() == vector["expect"]


@pytest.mark.parametrize("vector", VECTORS["bad"], ids=lambda vector: vector["name"])
def test_a_bad_vector_is_refused(vector: dict[str, str]) -> None:
    """Another layout, key or signature is refused with the code that the chapter names."""
    wire, public = _parts(vector)
    assert refusal(lambda: open_signed(wire, public), AuthorError) == vector["error"]


def test_every_flipped_bit_and_every_truncation_is_refused() -> None:
    """No bit of a signed object is without meaning."""
    wire = cose.sign(KEY, KIND, b"hello")
    codes = all_refused(_open, [*flips(wire), *truncations(wire)], AuthorError)
    assert codes == {"cose.malformed", "cose.signature"}


def test_mutated_objects_raise_only_their_own_errors() -> None:
    """Fed anything, the decoder gives the parts or an error of the author's branch."""
    assert never_escapes(_open, mutations(known("cose"), 5000, seed=3), AuthorError)


@pytest.mark.parametrize("public", WEAK, ids=bytes.hex)
def test_weak_keys_are_refused_at_enrolment(public: bytes) -> None:
    """Nobody enrols the identity point, another point of small order, or a second encoding."""
    with pytest.raises(WeakKey):
        cose.check_public(public)


@pytest.mark.parametrize("public", WEAK, ids=bytes.hex)
def test_weak_keys_are_refused_at_verification(public: bytes) -> None:
    """Under a weak key no signature verifies, even if it was never checked at enrolment."""
    for point in WEAK:
        with pytest.raises(BadSignature):
            cose.verify(KIND, public, b"anything", point + bytes(32))


def test_a_point_of_mixed_order_is_refused() -> None:
    """A good key plus a point of small order is off the prime-order group."""
    from nacl.bindings import crypto_core_ed25519_add

    mixed = crypto_core_ed25519_add(KEY.public, bytes.fromhex(SMALL_ORDER[1]))
    with pytest.raises(WeakKey):
        cose.check_public(mixed)


@given(some.binary(max_size=300), some.sampled_from(["record", "founding", "run", "roster"]))
@settings(max_examples=60)
def test_detached_and_attached_signatures_agree(payload: bytes, kind: str) -> None:
    """A detached payload is signed by the same bytes, and is bound to its type."""
    attached = cose.decode(cose.sign(KEY, kind, payload), kind)
    wire = cose.sign_detached(KEY, kind, payload)
    detached = cose.decode(wire, kind, payload)
    detached.verify(KEY.public)
    assert detached == attached
    with pytest.raises(BadSignature):
        cose.decode(wire, kind, payload + b"x").verify(KEY.public)
    with pytest.raises(MalformedSignature):
        cose.decode(wire, kind)


def test_a_key_never_shows_its_secret() -> None:
    """What is printed or logged of a key holds nothing of its seed."""
    seed = bytes(range(32))
    key = SigningKey(seed)
    assert seed.hex() not in repr(key)
    assert repr(seed) not in repr(key)
