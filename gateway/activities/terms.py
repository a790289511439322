"""What a template is made of: fields, guards, and who may write. docs/protocol/template.md.

In: a value that somebody wants to write. Out: the value, or why the field cannot have it; whether
a guard's relation holds. It knows no record and no state: that is for the fold.
"""

from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Final

from gateway.activities.activity import INTEGER_MAX, TEXT_BYTES_MAX, UNSAFE, Value
from gateway.errors import BadValue
from gateway.groups.group import Role

HASH_BYTES: Final = 32


class Merge(Enum):
    """What becomes of several values of one field."""

    APPEND = "append"
    REGISTER = "register"
    COUNTER = "counter"
    VALUES = "values"
    SLOT = "slot"


class Type(Enum):
    """What a value is."""

    NUMBER = "number"
    TEXT = "text"
    BOOL = "bool"
    TIME = "time"
    CHOICE = "choice"
    HASH = "hash"


class Needs(IntEnum):
    """What a record must be before anybody acts on what it says."""

    NOTHING = 0
    AGREED = 1
    FINAL = 2


class Relation(Enum):
    """How a guard compares what there is with what it asks for."""

    AT_MOST = "<="
    LESS = "<"
    AT_LEAST = ">="
    MORE = ">"
    EQUAL = "=="
    OTHER = "!="
    SET = "set"


ORDERED: Final = (Relation.AT_MOST, Relation.LESS, Relation.AT_LEAST, Relation.MORE)


@dataclass(frozen=True, slots=True)
class Title:
    """A sentence or name for people, in English, Chinese or both."""

    en: str
    zh: str

    def of(self, language: str) -> str:
        """Give it in a language, else in the other."""
        return (self.zh or self.en) if language == "zh" else (self.en or self.zh)


@dataclass(frozen=True, slots=True)
class Choice:
    """One word that a field may have."""

    name: str
    title: Title


@dataclass(frozen=True, slots=True)
class Approving:
    """How many persons must approve, and of how many organisations."""

    persons: int = 0
    organisations: int = 0


@dataclass(frozen=True, slots=True)
class Field:
    """What may be written under one name, by whom, and what becomes of several values."""

    name: str
    title: Title
    type: Type
    merge: Merge
    write: tuple[Role, ...]  # of a slot: its decider alone
    needs: Needs  # as the template says it; `Template.needs` knows the mode
    approving: Approving = Approving()
    unit: str = ""
    min: int | float | None = None
    max: int | float | None = None
    choices: tuple[Choice, ...] = ()


@dataclass(frozen=True, slots=True)
class Sought:
    """Which of the readings that an update links a guard is about; None: any.

    `device_of` and `metric_of` name text fields whose value is the device or the metric.
    """

    device: str | None = None
    metric: str | None = None
    device_of: str | None = None
    metric_of: str | None = None


@dataclass(frozen=True, slots=True)
class Guard:
    """What must hold for a field to be written, or the activity to be closed."""

    on: str  # a field, or "close"
    subject: str | Sought  # a field, or linked readings
    relation: Relation
    value: Value | None
    than: str | None  # another field instead of a value
    why: Title


@dataclass(frozen=True, slots=True)
class Step:
    """Who may do something, and what must be so before it is acted on."""

    write: tuple[Role, ...]
    needs: Needs
    approving: Approving = Approving()


def check_value(field: Field, value: object) -> Value:
    """Give a value that this field can have, or raise BadValue."""
    match field.type, value:
        case Type.BOOL, bool():
            return value
        case Type.NUMBER, int() | float() if not isinstance(value, bool):
            _check_number(field, value)
            return value
        case Type.TIME, int() if not isinstance(value, bool) and 0 <= value <= INTEGER_MAX:
            return value
        case Type.TEXT, str() if is_text(value, TEXT_BYTES_MAX):
            return value
        case Type.CHOICE, str() if value in {each.name for each in field.choices}:
            return value
        case Type.HASH, bytes() if len(value) == HASH_BYTES:
            return value
    raise BadValue(field=field.name, reason=_expected(field))


def is_text(said: str, bytes_max: int) -> bool:
    """Say whether it is text of so many bytes, that moves nothing on a terminal."""
    length = len(said.encode(errors="replace"))
    return 0 < length <= bytes_max and not UNSAFE.search(said)


def is_number(value: int | float) -> bool:
    """Say whether it is a number that every implementation can hold as it is."""
    if isinstance(value, bool):
        return False
    return abs(value) <= INTEGER_MAX  # neither NaN nor infinity is


def relates(relation: Relation, found: object, other: object) -> bool:
    """Say whether a relation holds; never between values of different types, or without one."""
    if relation is Relation.SET:
        return found is not None
    if found is None or other is None or sort_of(found) is not sort_of(other):
        return False
    if relation is Relation.EQUAL or relation is Relation.OTHER:
        return (found == other) is (relation is Relation.EQUAL)
    if isinstance(found, int | float) and isinstance(other, int | float):
        return sort_of(found) is float and _ordered(relation, found, other)
    return False


def _ordered(relation: Relation, found: int | float, other: int | float) -> bool:
    match relation:
        case Relation.AT_MOST:
            return found <= other
        case Relation.LESS:
            return found < other
        case Relation.AT_LEAST:
            return found >= other
        case _:
            return found > other


def sort_of(value: object) -> type:
    """Tell numbers, truths, texts and bytes apart: true is no number, and 1 is 1.0."""
    if isinstance(value, bool):
        return bool
    return float if isinstance(value, int | float) else type(value)


def _check_number(field: Field, value: int | float) -> None:
    reason = ""
    if not is_number(value):
        reason = "it must be within 2^53 of zero"
    elif field.merge is Merge.COUNTER and value < 0:
        reason = "a count is never below zero"
    elif field.min is not None and value < field.min:
        reason = f"it must be at least {field.min}"
    elif field.max is not None and value > field.max:
        reason = f"it must be at most {field.max}"
    if reason:
        raise BadValue(field=field.name, reason=reason)


def _expected(field: Field) -> str:
    match field.type:
        case Type.CHOICE:
            reason = f"it must be one of: {', '.join(each.name for each in field.choices)}"
        case Type.NUMBER:
            reason = "it must be a number"
        case Type.TEXT:
            reason = "it must be text of 1 to 2048 bytes without control characters"
        case Type.BOOL:
            reason = "it must be true or false"
        case Type.TIME:
            reason = "it must be a time, in milliseconds since 1970"
        case Type.HASH:
            reason = "it must be a SHA-256, of 32 bytes"
    return reason
