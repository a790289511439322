"""SenML packs of machines, resolved as RFC 8428 says. Protocol: mapping.md.

In: a payload's bytes, JSON or CBOR. Out: its entries, each with its whole name, unit, value, sum
and time, or with what is wrong with it; a PayloadError where it is no pack. Unlike `senml`, which
reads what gateways have signed, it takes every valid encoding, and it knows no device: that is for
`mapping` to say.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeVar

from gateway.errors import (
    BadMetricName,
    BadText,
    BadType,
    DuplicateName,
    NoMetric,
    PayloadError,
    PayloadNotSenml,
)
from gateway.readings import payloads
from gateway.readings.reading import Value

# The labels of RFC 8428 in CBOR, by the text that JSON has for them.
LABELS: Final = {
    **{"-1": "bver", "-2": "bn", "-3": "bt", "-4": "bu", "-5": "bv", "-6": "bs"},
    **{"0": "n", "1": "u", "2": "v", "3": "vs", "4": "vb", "5": "s", "6": "t", "7": "ut"},
    "8": "vd",
}
# Up to 10 is RFC 8428, whose own example says 5; 26 adds the units of RFC 8798 (RFC 9100).
VERSIONS: Final = frozenset((*range(1, 11), 26))
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-:./_]*")
_SEPARATORS: Final = ":/._-"
_URL_SAFE: Final = re.compile(r"[A-Za-z0-9_-]*")
_VALUES: Final = ("v", "vs", "vb", "vd")
# What a unit is called once it is summed up over seconds; of others UCUM's own spelling.
_SUMMED: Final = {
    **{"W": "J", "A": "C", "VA": "VAs", "var": "vars", "m/s": "m", "m3/s": "m3", "l/s": "l"},
    **{"Hz": "", "1/s": "", "": ""},
}
Kind = TypeVar("Kind")


class Entry(NamedTuple):
    """One resolved record of a pack."""

    name: str  # base name and name together
    stem: str  # the base name, without the separators at its end
    own: str  # the name in the entry itself
    unit: str
    value: Value | None
    sum: int | float | None  # of the values over time, in unit times seconds
    seconds: int | float | None  # None: nothing was said, which means now
    labels: dict[str, object]  # all of the entry, the labels above as they are resolved


Entries = list[Entry | PayloadError]


def from_json(payload: bytes) -> Entries:
    """Read a pack in JSON."""
    return resolved(payloads.from_json(payload))


def from_cbor(payload: bytes) -> Entries:
    """Read a pack in CBOR; its labels may be the integers of RFC 8428 or their texts."""
    return resolved(_named(payloads.from_cbor(payload)))


def summed(unit: str) -> str:
    """Give the unit of a sum over time."""
    return _SUMMED.get(unit, f"{unit}.s")


def _named(said: object) -> object:
    if not isinstance(said, list):
        return said
    return [_texts(one) if isinstance(one, dict) else one for one in said]


def _texts(said: Mapping[str, object]) -> dict[str, object]:
    """Write the labels of an entry as JSON has them; bytes as its text."""
    labels: dict[str, object] = {}
    for key, item in said.items():
        label = LABELS.get(key, key)
        if label.lstrip("-").isdigit():
            raise _not_understood(label)
        if label in labels:
            raise DuplicateName(name=ascii(label[:40]))
        if label == "vd" and isinstance(item, bytes):
            item = base64.urlsafe_b64encode(item).rstrip(b"=").decode()
        labels[label] = item
    return labels


@dataclass(slots=True)
class _Sticking:
    """What base labels said so far, and still holds."""

    name: str = ""
    unit: str = ""
    time: int | float | None = None
    value: int | float | None = None
    sum: int | float | None = None


def resolved(pack: object) -> Entries:
    """Resolve a pack's entries in order (RFC 8428, 4.6); an entry without a value gives none."""
    if not isinstance(pack, list) or not all(isinstance(one, dict) for one in pack):
        raise PayloadNotSenml(reason="it is not a list of objects")
    sticking = _Sticking()
    entries: Entries = []
    for said in pack:
        _stick(sticking, said)
        try:
            if (entry := _entry(sticking, said)) is not None:
                entries.append(entry)
        except PayloadError as fault:
            entries.append(fault)
    return entries


def _stick(sticking: _Sticking, said: dict[str, object]) -> None:
    """Keep what an entry says for itself and those after it; refuse a pack that nobody knows."""
    version = said.get("bver", 10)
    if type(version) is not int or version not in VERSIONS:
        raise PayloadNotSenml(reason="it is of a version that is not known")
    for label in said:
        if label.endswith("_"):
            raise _not_understood(label)
    sticking.name = _kept(said, "bn", sticking.name, _is_text)
    sticking.unit = _kept(said, "bu", sticking.unit, _is_text)
    sticking.time = _kept(said, "bt", sticking.time, _is_number)
    sticking.value = _kept(said, "bv", sticking.value, _is_number)
    sticking.sum = _kept(said, "bs", sticking.sum, _is_number)


def _not_understood(label: str) -> PayloadNotSenml:
    return PayloadNotSenml(reason=f"label {label[:20]!a} must be understood, and is not")


def _kept(
    said: dict[str, object], label: str, before: Kind, right: Callable[[object], bool]
) -> Kind:
    if label not in said:
        return before
    found = said[label]
    if not right(found):
        raise PayloadNotSenml(reason=f"label {label} has a value that it cannot have")
    return found  # type: ignore[return-value] # `right` has looked.


def _is_text(said: object) -> bool:
    return type(said) is str


def _is_number(said: object) -> bool:
    try:
        return type(payloads.checked(said, "a base", None)) in (int, float)
    except PayloadError:
        return False


def _entry(sticking: _Sticking, said: dict[str, object]) -> Entry | None:
    own, unit = _text(said, "n", ""), _text(said, "u", sticking.unit)
    name = sticking.name + own
    if not _NAME.fullmatch(name):
        raise BadMetricName(reason=ascii(name[:40]))
    value = _value(sticking.value, said, name)
    total = _sum(sticking.sum, said.get("s"), f"the sum of {name}")
    if value is None and total is None:
        return None
    seconds = _sum(sticking.time, said.get("t"), f"the time of {name}")
    stem = sticking.name.rstrip(_SEPARATORS)
    labels = said | {"name": name, "bn": stem, "n": own, "u": unit, "t": seconds}
    return Entry(name, stem, own, unit, value, total, seconds, labels)


def _text(said: dict[str, object], label: str, absent: str) -> str:
    found = said.get(label, absent)
    if not isinstance(found, str):
        raise BadType(name=label, found="not a text")
    return found


def _sum(zero: int | float | None, more: object, name: str) -> int | float | None:
    """Add a base to what an entry says; of two that are both absent there is no sum."""
    if more is None:
        return zero
    number = payloads.checked(more, name, None)
    if isinstance(number, bool | str):
        raise BadType(name=name, found="not a number")
    added = payloads.checked((zero or 0) + number, name, None)
    assert not isinstance(added, bool | str)
    return added


def _value(zero: int | float | None, said: dict[str, object], name: str) -> Value | None:
    there = [label for label in _VALUES if label in said]
    if len(there) > 1:
        raise DuplicateName(name=f"the value of {name[:40]}")
    match there:
        case ["vs"]:
            return _of_kind(said["vs"], name, str)
        case ["vb"]:
            return _of_kind(said["vb"], name, bool)
        case ["vd"]:
            return _binary(_of_kind(said["vd"], name, str), name)
        case ["v"] if said["v"] is None:
            raise NoMetric(reason=f"the value of {name[:40]} is null")
    return _sum(zero, said.get("v"), name)


def _of_kind(found: object, name: str, kind: type[str] | type[bool]) -> Value:
    if type(found) is not kind:
        raise BadType(name=name, found="of another type than its label says")
    return payloads.checked(found, name, None)


def _binary(found: Value, name: str) -> Value:
    """Keep binary data as the text that JSON has for it, which must be base64url."""
    text = str(found)
    try:
        base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raise BadText(name=name, reason="it is not base64url") from None
    if not _URL_SAFE.fullmatch(text):
        raise BadText(name=name, reason="it is not base64url")
    return text
