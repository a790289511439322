"""Deterministic CBOR: one value, one encoding, and nothing else is accepted (I1)."""

import math
from typing import Any

import pytest
from hypothesis import given, settings, strategies as some

from gateway.errors import MalformedCbor
from gateway.records import cbor
from tests.damage import never_escapes, refusal
from tests.mutate import known, mutations
from tests.vectors import load
from tests.vectors.build_cbor import SIZE_MAX, diagnostic

VECTORS: dict[str, Any] = load("cbor")

plain = some.recursive(
    some.none()
    | some.booleans()
    | some.integers(-(1 << 64), (1 << 64) - 1)
    | some.floats(allow_nan=False)
    | some.binary(max_size=40)
    | some.text(some.characters(codec="utf-8"), max_size=40),
    lambda inner: (
        some.lists(inner, max_size=5)
        | some.dictionaries(some.integers(-24, 23) | some.text("abc", max_size=3), inner)
    ),
    max_leaves=15,
)


def _decode(encoded: bytes) -> object:
    return cbor.decode(encoded, SIZE_MAX)


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda vector: vector["name"])
def test_a_good_vector_is_read_and_written(vector: dict[str, str]) -> None:
    """A value has one encoding, both ways."""
    value = _decode(bytes.fromhex(vector["hex"]))
    assert diagnostic(value) == vector["expect"]
    assert cbor.encode(value).hex() == vector["hex"]


@pytest.mark.parametrize("vector", VECTORS["bad"], ids=lambda vector: vector["name"])
def test_a_bad_vector_is_refused(vector: dict[str, str]) -> None:
    """A second encoding, a tag, NaN, a repeated key or a cut is refused."""
    wire = bytes.fromhex(vector["hex"])
    assert refusal(lambda: _decode(wire), MalformedCbor) == vector["error"]


@given(plain)
@settings(max_examples=200)
def test_what_is_encoded_is_decoded_and_every_cut_refused(value: object) -> None:
    """Encoding and decoding are inverse; no beginning of it is a value; nothing may follow."""
    encoded = cbor.encode(value)
    assert cbor.encode(cbor.decode(encoded, len(encoded))) == encoded
    for wrong in (encoded[:-1], encoded + b"\x00"):
        refusal(lambda wrong=wrong: cbor.decode(wrong, 10_000), MalformedCbor)  # type: ignore[misc]
    refusal(lambda: cbor.decode(encoded, len(encoded) - 1), MalformedCbor)


@given(some.binary(max_size=30))
@settings(max_examples=500)
def test_what_is_accepted_is_the_one_encoding(encoded: bytes) -> None:
    """Whatever is accepted encodes to the very bytes it came from, and has no NaN."""
    try:
        value = cbor.decode(encoded, 30)
    except MalformedCbor:
        return
    assert cbor.encode(value) == encoded
    assert not (isinstance(value, float) and math.isnan(value))


def test_any_tag_around_anything_is_refused() -> None:
    """No tag builds an object or raises what its builder raises."""
    heads = [bytes([0xC0 + tag]) for tag in range(24)]
    heads += [bytes([0xD8, tag]) for tag in range(24, 256)]
    heads += [b"\xd9" + tag.to_bytes(2, "big") for tag in range(256, 300)]
    inner = [bytes.fromhex(vector["hex"]) for vector in VECTORS["good"]]
    tagged = [head + value for head in heads for value in inner]
    assert never_escapes(_decode, tagged, MalformedCbor) == len(tagged)


def test_mutated_values_raise_only_malformed_cbor() -> None:
    """Fed anything, the decoder gives a plain value or its one error."""
    assert never_escapes(_decode, mutations(known("cbor"), 5000, seed=2), MalformedCbor)


def _count(value: object) -> int:
    match value:
        case list():
            return 1 + sum(map(_count, value))
        case dict():
            return 1 + sum(_count(key) + _count(one) for key, one in value.items())
    return 1


@given(plain, some.integers(1, 20))
def test_no_more_items_are_read_than_allowed(value: object, most: int) -> None:
    """Whatever is nested in what: one item more is refused, before any is built."""
    encoded, count = cbor.encode(value), _count(value)
    if count <= most:
        assert cbor.decode(encoded, SIZE_MAX, most) == value
    else:
        with pytest.raises(MalformedCbor, match=f"more than {most} items"):
            cbor.decode(encoded, SIZE_MAX, most)


@given(some.binary(max_size=60))
def test_counting_what_is_malformed_ends_and_accepts_nothing(encoded: bytes) -> None:
    """Any bytes: with a bound of items they are read as without it, or refused."""
    never_escapes(lambda said: cbor.decode(said, SIZE_MAX, 4), [encoded], MalformedCbor)
