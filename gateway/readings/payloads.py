"""JSON and text of a machine, strictly and within bounds. Protocol: mapping.md.

In: a payload's bytes. Out: plain values, or a PayloadError. It never guesses an encoding, and
never takes one of two members of one name for the other.
"""

import contextlib
import json
import math
import re
from collections.abc import Iterable
from typing import Final

import msgspec

from gateway.errors import (
    BadNumber,
    BadText,
    BadType,
    DuplicateName,
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
            number = found if scale is None else found * scale
            if type(number) is int and not INT_MIN <= number <= INT_MAX:
                raise BadNumber(name=name, reason="an integer beyond 64 bits once scaled")
            if not math.isfinite(number):
                raise BadNumber(name=name, reason="it is not finite")
            return number
        case _:
            raise BadType(name=name, found=_kind(found, scale))


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
    beside = " beside a 'scale'" if scale is not None else ""
    return kinds.get(type(found).__name__, "an expression") + beside
