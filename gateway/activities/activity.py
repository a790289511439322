"""What an activity's records say: open, update, close, correction, a piece of an attachment.

In: such a noun, or the content of a record's body from anywhere. Out: the one as the other. It
never judges: whether an update counts is for `fold`. Protocol: docs/protocol/activity.md.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from gateway.errors import MalformedActivity, MalformedCbor
from gateway.groups.group import ActivityKind, Role
from gateway.records import cbor
from gateway.records.record import CARRIED_BODY_BYTES_MAX, DEPS_MAX, Kind

CONTENT_TYPE: Final = "application/cbor"
TEMPLATE_BYTES_MAX: Final = 16 * 1024
PARTIES_MAX: Final = 64
FIELDS_MAX: Final = 64
LINKED_MAX: Final = 64
DEVICES_MAX: Final = 64
PURPOSE_BYTES_MAX: Final = 1024
TEXT_BYTES_MAX: Final = 2048
NAME_BYTES_MAX: Final = 128
INTEGER_MAX: Final = (1 << 53) - 1
PIECE_BYTES_MAX: Final = 1 << 20
WHOLE_BYTES_MAX: Final = 1 << 32
_ID_BYTES: Final = 16
_HASH_BYTES: Final = 32
_FIELD: Final = re.compile(r"[a-z][a-z0-9_-]{0,63}")
# What moves something on a terminal, or turns the order in which letters are read. A fixed list:
# what Unicode's own tables say changes with their version, and all members must read alike.
UNSAFE: Final = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")

Value = bool | int | float | str | bytes


class Mode(IntEnum):
    """What the activity is for: to tell one another, or something that others rely on."""

    INFORMATION = 0
    TRUST = 1


@dataclass(frozen=True, slots=True)
class Party:
    """An organisation that takes part, and as what."""

    organisation: bytes
    roles: tuple[Role, ...]


@dataclass(frozen=True, slots=True)
class Linked:
    """A reading that an update rests on: the newest of this metric in an observation record."""

    record: bytes
    device: str
    metric: str


@dataclass(frozen=True, slots=True)
class Open:
    """A request for an activity; the id of its record is the activity's id."""

    kind: ActivityKind
    mode: Mode
    purpose: str
    parties: tuple[Party, ...]
    template: str
    fields: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Update:
    """What is new in an activity; `bound` and `unbound` are devices of the author's own node."""

    fields: Mapping[str, Value] = field(default_factory=dict)
    readings: tuple[Linked, ...] = ()
    bound: tuple[str, ...] = ()
    unbound: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Close:
    """The end of an activity; what it says beside is as in an update."""

    said: Update = Update()


@dataclass(frozen=True, slots=True)
class Correction:
    """Other values of fields that an earlier record of the same organisation wrote."""

    record: bytes
    fields: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a file: `whole` is the hash of all of it, `size` its length."""

    whole: bytes
    name: str
    content_type: str
    size: int
    offset: int
    piece: bytes


Act = Open | Update | Close | Correction | Chunk


def encode(said: Act) -> bytes:
    """Write the content of the record's body."""
    return cbor.encode(_fields(said))


def decode(kind: Kind, content: bytes) -> Act:
    """Read the content of a record of that kind; raise MalformedActivity."""
    carried = kind is not Kind.ATTACHMENT
    try:
        said = cbor.decode(content, CARRIED_BODY_BYTES_MAX if carried else PIECE_BYTES_MAX + 4096)
    except MalformedCbor as fault:
        raise MalformedActivity(reason=fault) from None
    if not isinstance(said, dict) or not {type(key) for key in said} <= {int}:
        raise MalformedActivity(reason="not a map with integers as keys")
    match kind:
        case Kind.ACTIVITY_OPEN:
            return _open(said)
        case Kind.ACTIVITY_UPDATE:
            return _update(said)
        case Kind.ACTIVITY_CLOSE:
            return Close(_update(said))
        case Kind.CORRECTION:
            return _correction(said)
        case Kind.ATTACHMENT:
            return _chunk(said)
    raise MalformedActivity(reason="no kind of record that says something of an activity")


def _fields(said: Act) -> dict[int, object]:
    match said:
        case Open():
            return {
                0: 1,
                1: int(said.kind),
                2: int(said.mode),
                3: said.purpose,
                4: [[each.organisation, list(map(int, each.roles))] for each in said.parties],
                5: said.template,
                6: dict(said.fields),
            }
        case Update():
            linked = [[each.record, each.device, each.metric] for each in said.readings]
            all_of_it = (dict(said.fields), linked, list(said.bound), list(said.unbound))
            return {key: each for key, each in enumerate(all_of_it) if each}
        case Close():
            return _fields(said.said)
        case Correction():
            return {0: said.record, 1: dict(said.fields)}
        case Chunk():
            return {
                0: said.whole,
                1: said.name,
                2: said.content_type,
                3: said.size,
                4: said.offset,
                5: said.piece,
            }


def _open(said: dict[object, object]) -> Open:
    match said:
        case {
            0: 1,
            1: int() as kind,
            2: int() as mode,
            3: str() as purpose,
            4: list() as parties,
            5: str() as template,
            6: fields,
            **more,
        } if not more and not any(isinstance(said[key], bool) for key in (0, 1, 2)):
            if kind not in tuple(ActivityKind) or mode not in tuple(Mode):
                raise MalformedActivity(reason="an unknown kind or mode")
            if len(template.encode()) > TEMPLATE_BYTES_MAX:
                raise MalformedActivity(reason="the template is too long")
            return Open(
                ActivityKind(kind),
                Mode(mode),
                _text(purpose, PURPOSE_BYTES_MAX),
                _parties(parties),
                template,
                _values(fields),
            )
    raise MalformedActivity(reason="fields are missing, unknown, or of the wrong type")


def _parties(said: list[object]) -> tuple[Party, ...]:
    found = tuple(_party(each) for each in said)
    ids = [each.organisation for each in found]
    if not 0 < len(ids) <= PARTIES_MAX or ids != sorted(set(ids)):
        raise MalformedActivity(reason="parties are none, too many, repeated or not sorted")
    return found


def _party(said: object) -> Party:
    match said:
        case [bytes() as organisation, list() as roles] if len(organisation) == _ID_BYTES:
            found = [each for each in Role if each in roles]
            if found and found == roles and bool not in map(type, roles):
                return Party(organisation, tuple(found))
    raise MalformedActivity(reason="a party is no organisation with roles, sorted, not repeated")


def _update(said: dict[object, object]) -> Update:
    if not said.keys() <= {0, 1, 2, 3} or not all(said.values()):
        raise MalformedActivity(reason="unknown fields, or empty ones, which are left out")
    bound, unbound = _devices(said.get(2)), _devices(said.get(3))
    if set(bound) & set(unbound):
        raise MalformedActivity(reason="a device is bound and unbound at once")
    return Update(_values(said.get(0, {})), _readings(said.get(1, [])), bound, unbound)


def _readings(said: object) -> tuple[Linked, ...]:
    if not isinstance(said, list) or len(said) > LINKED_MAX:
        raise MalformedActivity(reason="linked readings are no list, or too many")
    found = tuple(_linked(each) for each in said)
    keys = [(each.record, each.device, each.metric) for each in found]
    if keys != sorted(set(keys)) or len({each.record for each in found}) > DEPS_MAX:
        raise MalformedActivity(reason="linked readings are repeated, not sorted, or of too many")
    return found


def _linked(said: object) -> Linked:
    match said:
        case [bytes() as record, str() as device, str() as metric] if len(record) == _HASH_BYTES:
            return Linked(record, _name(device), _name(metric))
    raise MalformedActivity(reason="a linked reading is not of a record, a device and a metric")


def _devices(said: object) -> tuple[str, ...]:
    if said is None:
        return ()
    if not isinstance(said, list) or len(said) > DEVICES_MAX:
        raise MalformedActivity(reason="devices are no list, or too many")
    names = [_name(each) for each in said if isinstance(each, str)]
    if names != said or names != sorted(set(names)):
        raise MalformedActivity(reason="devices are not named, repeated, or not sorted")
    return tuple(names)


def _correction(said: dict[object, object]) -> Correction:
    match said:
        case {0: bytes() as record, 1: dict() as fields, **more} if not more:
            if len(record) == _HASH_BYTES and fields:
                return Correction(record, _values(fields))
    raise MalformedActivity(reason="a correction does not say of what, or not what")


def _chunk(said: dict[object, object]) -> Chunk:
    match said:
        case {
            0: bytes() as whole,
            1: str() as name,
            2: str() as content_type,
            3: int() as size,
            4: int() as offset,
            5: bytes() as piece,
            **more,
        } if not more and len(whole) == _HASH_BYTES:
            if bool in (type(size), type(offset)) or not 0 < len(piece) <= PIECE_BYTES_MAX:
                raise MalformedActivity(reason="a piece without bytes or numbers, or too long")
            if not 0 <= offset <= size - len(piece) or size > WHOLE_BYTES_MAX:
                raise MalformedActivity(reason="a piece beyond the end of its file")
            if name in (".", "..") or "/" in name or "\\" in name:
                raise MalformedActivity(reason="a file's name that leads elsewhere")
            return Chunk(whole, _name(name), _name(content_type), size, offset, piece)
    raise MalformedActivity(reason="fields are missing, unknown, or of the wrong type")


def _values(said: object) -> dict[str, Value]:
    if not isinstance(said, dict) or len(said) > FIELDS_MAX:
        raise MalformedActivity(reason="fields are no map, or too many")
    return {_field(name): _value(value) for name, value in said.items()}


def _field(name: object) -> str:
    if isinstance(name, str) and _FIELD.fullmatch(name):
        return name
    raise MalformedActivity(reason="a field is not named by small letters, digits, - and _")


def _value(value: object) -> Value:
    match value:
        case bool():
            return value
        case int() | float() if math.isfinite(value) and abs(value) <= INTEGER_MAX:
            return value
        case str():
            return _text(value, TEXT_BYTES_MAX)
        case bytes() if len(value) == _HASH_BYTES:
            return value
    raise MalformedActivity(reason="a value is neither truth, number, text nor hash, or too large")


def _name(said: str) -> str:
    if "\n" in said:
        raise MalformedActivity(reason="a name of more than one line")
    return _text(said, NAME_BYTES_MAX)


def _text(said: str, bytes_max: int) -> str:
    if not 0 < len(said.encode()) <= bytes_max or UNSAFE.search(said):
        raise MalformedActivity(reason="a text is empty, too long, or has control characters")
    return said
