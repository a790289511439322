"""What is asked at the agent's door about activities, read from JSON.

In: a request. Out: texts, numbers, bytes and values of a template's fields; or AskedWrongly, and
what a template's fields cannot have. It does nothing.
"""

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import TypeVar

from gateway.activities.activity import Value
from gateway.activities.template import Template
from gateway.activities.terms import Field, Type, check_value
from gateway.errors import AskedWrongly, BadValue, UnknownField
from gateway.groups.group import Role

Asked = Mapping[str, object]
Word = TypeVar("Word", bound=IntEnum)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HASH_DIGITS = 64


def text(asked: Asked, key: str) -> str:
    """Give a text that must be there."""
    said = asked.get(key)
    if not isinstance(said, str) or not said:
        raise AskedWrongly(reason=f"{key} is missing")
    return said


def rows(asked: Asked, key: str) -> Sequence[object]:
    """Give a list; an empty one where nothing is said."""
    said = asked.get(key)
    if said is None:
        return ()
    if not isinstance(said, list):
        raise AskedWrongly(reason=f"{key} is no list")
    return said


def texts(asked: Asked, key: str) -> tuple[str, ...]:
    """Give several texts, each once, sorted."""
    found = rows(asked, key)
    named = {each for each in found if isinstance(each, str) and each}
    if len(named) != len(found):
        raise AskedWrongly(reason=f"{key} are no names, or one is there twice")
    return tuple(sorted(named))


def number(asked: Asked, key: str) -> int:
    """Give a whole number that must be there."""
    said = asked.get(key)
    if type(said) is not int:
        raise AskedWrongly(reason=f"{key} is no number")
    return said


def word(asked: Asked, key: str, otherwise: Word) -> Word:
    """Give one of several words; another one where nothing is said."""
    names = {each.name.lower().replace("_", "-"): each for each in type(otherwise)}
    said = asked.get(key)
    found = otherwise if said is None else names.get(str(said))
    if found is None:
        raise AskedWrongly(reason=f"{key} is none of {', '.join(names)}")
    return found


def piece(asked: Asked, key: str) -> bytes:
    """Give bytes, written in base64."""
    try:
        return b64decode(text(asked, key), validate=True)
    except Base64Error:
        raise AskedWrongly(reason=f"{key} is no base64") from None


def digest(asked: Asked, key: str) -> bytes:
    """Give a hash, written in hex digits."""
    return _hash(text(asked, key)) or _refuse(key)


def roles(said: object) -> tuple[Role, ...]:
    """Give roles by their names."""
    names = {role.name.lower(): role for role in Role}
    named = said if isinstance(said, list) else []
    if any(each not in names for each in named):
        raise AskedWrongly(reason=f"a role that is none of {', '.join(names)}")
    return tuple(sorted({names[each] for each in named}))


def party(row: object) -> tuple[str, tuple[Role, ...]]:
    """Give whom a row names as a party, and as what."""
    match row:
        case {"who": str() as who, "roles": list() as said}:
            return who, roles(said) or (Role.RECEIVER,)
    raise AskedWrongly(reason="a party without who or roles")


def values(asked: Asked, by: Template) -> dict[str, Value]:
    """Give values of fields: hashes come as hex digits, times as RFC 3339 or in milliseconds.

    Raise UnknownField or BadValue.
    """
    said = asked.get("fields")
    if said is None:
        return {}
    if not isinstance(said, dict):
        raise AskedWrongly(reason="fields is no object")
    found: dict[str, Value] = {}
    for name, value in said.items():
        field = by.fields.get(name)
        if field is None:
            raise UnknownField(field=str(name)[:64])
        found[name] = check_value(field, _meant(field, value))
    return found


def _meant(field: Field, said: object) -> object:
    match field.type, said:
        case Type.HASH, str():
            return _hash(said)
        case Type.TIME, str():
            return _time(field, said)
    return said


def _time(field: Field, said: str) -> int:
    try:
        moment = datetime.fromisoformat(said)
    except ValueError:
        raise BadValue(field=field.name, reason="it must be a time as RFC 3339 has it") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def _hash(said: str) -> bytes | None:
    if len(said) != _HASH_DIGITS:
        return None
    try:
        return bytes.fromhex(said)
    except ValueError:
        return None


def _refuse(key: str) -> bytes:
    raise AskedWrongly(reason=f"{key} is no SHA-256 of {_HASH_DIGITS} hex digits")
