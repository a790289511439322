"""Deterministic CBOR: one value, one encoding. Protocol: docs/protocol/encoding.md.

In: values of the plain types below, or bytes from anywhere. Out: bytes, or such values.
It never builds an object from a tag, and never accepts two encodings of one value (I1).
"""

import math
from collections.abc import Iterable
from types import NoneType
from typing import Final

import cbor2

from gateway.errors import MalformedCbor

DEPTH_MAX: Final = 16
UINT_MAX: Final = 2**64 - 1
_STRINGS: Final = (2, 3)  # major types of which as many bytes follow as the number says
_SCALARS: Final = frozenset({bytes, str, bool, NoneType})
_KEYS: Final = frozenset({int, str})


def encode(value: object) -> bytes:
    """Encode plain values as deterministic CBOR (RFC 8949, 4.2, length-first map keys)."""
    return cbor2.dumps(value, canonical=True)


def decode(encoded: bytes, size_max: int, items_max: int | None = None) -> object:
    """Decode bytes that `encode` could have made; raise MalformedCbor for all others.

    `items_max` is for what may be long: the smallest items take most time, and nothing needs many.
    """
    if len(encoded) > size_max:
        raise MalformedCbor(reason=f"{len(encoded)} bytes where at most {size_max} are allowed")
    if items_max is not None and len(encoded) > items_max:
        _check_count(encoded, items_max)
    try:
        value: object = cbor2.loads(
            encoded, max_depth=DEPTH_MAX, allow_indefinite=False, allow_duplicate_keys=False
        )
        _check_plain((value,))
        again = cbor2.dumps(value, canonical=True)
    except MalformedCbor:
        raise
    except (cbor2.CBORError, ValueError, TypeError, OverflowError, RecursionError) as fault:
        # cbor2's tag decoders raise whatever the types they build raise.
        raise MalformedCbor(reason=_first_line(fault)) from None
    if again != encoded:
        raise MalformedCbor(reason="the encoding is not the deterministic one, or bytes trail it")
    return value


def _check_count(encoded: bytes, items_max: int) -> None:
    """Refuse what has more items than allowed, before any is built; what is malformed is left."""
    at = count = 0
    while at < len(encoded):
        count += 1
        if count > items_max:
            raise MalformedCbor(reason=f"more than {items_max} items")
        major, low = encoded[at] >> 5, encoded[at] & 31
        if low > 27:
            return  # Nothing of that is deterministic.
        width = 0 if low < 24 else 1 << low - 24
        number = low if low < 24 else int.from_bytes(encoded[at + 1 : at + 1 + width], "big")
        at += 1 + width + (number if major in _STRINGS else 0)


def _first_line(fault: Exception) -> str:
    return (str(fault).splitlines() or [type(fault).__name__])[0][:120]


def _check_plain(values: Iterable[object]) -> None:
    """Refuse what tags and simple values can build, NaN, and keys that are neither int nor text.

    Every record and message passes here: what is most frequent is seen at a glance.
    """
    for value in values:
        kind = type(value)
        if kind is int:
            if not -UINT_MAX - 1 <= value <= UINT_MAX:  # type: ignore[operator]
                raise MalformedCbor(reason="an integer beyond 64 bits")
        elif kind not in _SCALARS:
            _check_one(value)


def _check_one(value: object) -> None:
    match value:
        case list():
            _check_plain(value)
        case dict():
            if not {type(key) for key in value} <= _KEYS:
                raise MalformedCbor(reason="a map key that is neither integer nor text")
            _check_plain(value)
            _check_plain(value.values())
        case float():
            if math.isnan(value):
                raise MalformedCbor(reason="NaN")
        case _:
            raise MalformedCbor(reason=f"a tag or simple value ({type(value).__name__})")
