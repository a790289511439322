"""JSON, CBOR and text of a machine, strictly and within bounds. Protocol: mapping.md.

In: a payload's bytes. Out: plain values, or a PayloadError. It never guesses an encoding, and
never takes one of two members of one name for the other.
"""

import contextlib
import io
import json
import math
import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Final

import cbor2
import msgspec

from gateway.errors import (
    BadNumber,
    BadText,
    BadType,
    DuplicateName,
    PayloadNotCbor,
    PayloadNotJson,
    PayloadNotUtf8,
    PayloadTooDeep,
)
from gateway.readings.reading import Value

DEPTH_MAX: Final = 32
TEXT_BYTES_MAX: Final = 4096
INT_MIN, INT_MAX = -(2**63), 2**63 - 1

_DECODE: Final = msgspec.json.Decoder().decode
_STRING: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(\.[0-9]*)?|(\.)[0-9]+)([eE][+-]?[0-9]+)?")
_NUMBER_LETTERS_MAX: Final = 400
_NO_NUMBERS: Final = frozenset({"nan", "inf", "infinity"})


def from_json(payload: bytes) -> object:
    """Read JSON: UTF-8, at most 32 deep, each name once in its object."""
    try:
        value: object = _DECODE(payload)
    except UnicodeDecodeError as fault:
        raise PayloadNotUtf8(reason=fault.reason) from None
    except RecursionError:
        raise PayloadTooDeep(depth_max=DEPTH_MAX) from None
    except msgspec.ValidationError as fault:
        raise BadNumber(name="a number", reason=str(fault)) from None
    except msgspec.DecodeError as fault:
        raise PayloadNotJson(reason=str(fault)) from None
    members = _members(value, 1)
    # A member has one colon. Where there are more colons than members, and they are not in texts,
    # the decoder has dropped the first of two members of one name.
    if payload.count(b":") != members and _STRING.sub(b"", payload).count(b":") != members:
        raise DuplicateName(name=_duplicate(payload))
    return value


def _members(value: object, depth: int) -> int:
    """Count the members of all objects, and refuse what is nested too deep."""
    count = 0
    within: Iterable[object] = ()
    if type(value) is dict:
        count, within = len(value), value.values()
    elif type(value) is list:
        within = value
    if depth > DEPTH_MAX:
        raise PayloadTooDeep(depth_max=DEPTH_MAX)
    for item in within:
        if type(item) is dict or type(item) is list:
            count += _members(item, depth + 1)
    return count


def _duplicate(payload: bytes) -> str:
    """Find a name that is twice in one object, for the person who mends the machine."""
    twice: list[str] = []

    def see(pairs: list[tuple[str, object]]) -> None:
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                twice.append(name)
            seen.add(name)

    with contextlib.suppress(ValueError, RecursionError):
        json.loads(payload, object_pairs_hook=see)
    return ascii(twice[0][:40]) if twice else "a name"


class _Odd:
    """What CBOR can say and no reading can hold: a tag or simple value that we do not know."""


_ODD: Final = _Odd()
_TRANSPARENT: Final = frozenset({0, 1, 55799})  # times as text and number; "this is CBOR"
_DECIMAL: Final = 4
_EXPONENT_MAX: Final = 400


class _Tags(dict[int, Callable[[object, object], object]]):
    """Read few tags and take every other for odd, so that no bytes make cbor2 build an object."""

    def __getitem__(self, tag: int) -> Callable[[object, object], object]:
        if tag in _TRANSPARENT:
            return lambda said, _immutable: said
        return _decimal if tag == _DECIMAL else _odd


_TAGS: Final = _Tags()


def _odd(_said: object, _immutable: object) -> object:
    return _ODD


def _decimal(said: object, _immutable: object) -> object:
    """Read a decimal fraction [exponent, mantissa] as the nearest number (RFC 8949, 3.4.4)."""
    match said:
        case [int() as exponent, int() as mantissa] if (
            type(exponent) is type(mantissa) is int and abs(exponent) <= _EXPONENT_MAX
        ):
            return float(f"{mantissa}e{exponent}")
    return _ODD


def from_cbor(payload: bytes) -> object:
    """Read CBOR in any valid encoding: at most 32 deep, each key once, nothing behind it."""
    file = io.BytesIO(payload)
    try:
        said = cbor2.CBORDecoder(
            file, semantic_decoders=_TAGS, max_depth=DEPTH_MAX, allow_duplicate_keys=False
        ).decode()
    except cbor2.CBORError as fault:
        raise _cbor_fault(fault) from None
    except (RecursionError, ValueError, TypeError, OverflowError) as fault:
        raise PayloadNotCbor(reason=type(fault).__name__) from None
    if file.tell() != len(payload):
        raise PayloadNotCbor(reason="bytes trail it")
    return _plain(said)


def _cbor_fault(fault: Exception) -> Exception:
    said = (str(fault).splitlines() or [""])[0]
    if "nesting depth" in said:
        return PayloadTooDeep(depth_max=DEPTH_MAX)
    if "Duplicate map key" in said:
        return DuplicateName(name=ascii(said.partition("key: ")[2][:40]))
    if isinstance(fault.__cause__, UnicodeDecodeError):
        return PayloadNotUtf8(reason=fault.__cause__.reason)
    return PayloadNotCbor(reason=said[:120])


def _plain(said: object) -> object:
    """Give CBOR as JSON would be: keys as text, undefined as null; bytes stay bytes."""
    match said:
        case dict():
            plain: dict[str, object] = {}
            for key, item in said.items():
                if type(key) is not str and type(key) is not int:
                    raise PayloadNotCbor(reason="a key is neither a text nor an integer")
                if str(key) in plain:
                    raise DuplicateName(name=ascii(str(key)[:40]))
                plain[str(key)] = _plain(item)
            return plain
        case list():
            return [_plain(item) for item in said]
        case str() | int() | float() | bytes():
            return said
    return None if said is None or said is cbor2.undefined else _ODD


def from_text(payload: bytes) -> Value:
    """Read a text: a number where it is written as one, otherwise the text itself."""
    try:
        text = payload.decode().strip()
    except UnicodeDecodeError as fault:
        raise PayloadNotUtf8(reason=fault.reason) from None
    if len(text) > _NUMBER_LETTERS_MAX or not (number := _NUMBER.fullmatch(text)):
        if text.lstrip("+-").lower() in _NO_NUMBERS:
            raise BadNumber(name="the payload", reason="it is not finite")
        return text
    return float(text) if any(number.groups()) else int(text)


def checked(found: object, name: str, scale: int | float | None) -> Value:
    """Give a value that a reading can hold, scaled; raise a PayloadError for others."""
    match found:
        case bool() if scale is None:
            return found
        case str() if scale is None:
            return _text(found, name)
        case int() | float() if type(found) is not bool:
            if type(found) is int and not INT_MIN <= found <= INT_MAX:
                raise BadNumber(name=name, reason="an integer beyond 64 bits")
            number = found if scale is None else product(found, scale)
            if type(number) is int and not INT_MIN <= number <= INT_MAX:
                raise BadNumber(name=name, reason="an integer beyond 64 bits once scaled")
            if not math.isfinite(number):
                raise BadNumber(name=name, reason="it is not finite")
            return number
        case _:
            raise BadType(name=name, found=_kind(found, scale))


def product(number: int | float, scale: int | float) -> int | float:
    """Multiply as people do: 1237 times 0.01 is 12.37, and whole numbers stay whole."""
    if not (isinstance(number, float) or isinstance(scale, float)):
        return number * scale
    if not math.isfinite(number):
        return number
    return float(Decimal(repr(number)) * Decimal(repr(scale)))


def _text(found: str, name: str) -> str:
    if not found:
        raise BadText(name=name, reason="it is empty")
    if len(found) > TEXT_BYTES_MAX or len(found.encode(errors="replace")) > TEXT_BYTES_MAX:
        raise BadText(name=name, reason=f"it is longer than {TEXT_BYTES_MAX} bytes")
    if not found.isprintable():
        raise BadText(name=name, reason="it has letters that cannot be printed")
    return found


def _kind(found: object, scale: object) -> str:
    kinds = {"dict": "an object", "list": "a list", "str": "a text", "bool": "true or false"}
    kinds |= {"bytes": "bytes", "_Odd": "a tag or simple value that has no meaning here"}
    beside = " beside a 'scale'" if scale is not None else ""
    return kinds.get(type(found).__name__, "an expression") + beside
