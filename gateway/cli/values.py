"""Values of fields as people type them, and as they are shown them.

In: a field of a template, and a text or a value. Out: the other; or BadValue, with what the field
takes. A choice may be typed by its title, a time without a zone is this computer's, and the hash of
a file is @FILE.
"""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

from gateway.activities.activity import Value
from gateway.activities.template import Template
from gateway.activities.terms import Field, Type, check_value
from gateway.cli.pairing import read_file
from gateway.cli.templates import shown_value, title
from gateway.cli.words import plain
from gateway.errors import UnknownField, WrongValue
from gateway.query import show_time

_YES: Final = ("yes", "true", "1", "是")
_NO: Final = ("no", "false", "0", "否")


def read(by: Template, said: Sequence[str] | None) -> dict[str, int | float | str | bool]:
    """Read each FIELD=VALUE by a template, as the agent takes them; raise why not."""
    values: dict[str, int | float | str | bool] = {}
    for each in said or ():
        name, equals, value = each.partition("=")
        if not equals:
            raise WrongValue(command="hulian activity", option="--set", reason="write FIELD=VALUE")
        if name not in by.fields:
            raise UnknownField(field=name)
        found = typed(by.fields[name], value)
        values[name] = found.hex() if isinstance(found, bytes) else found
    return values


def typed(field: Field, said: str) -> Value:
    """Read a value as people type it for a field of this type; raise BadValue."""
    match field.type:
        case Type.NUMBER:
            return check_value(field, _parsed(said))
        case Type.BOOL if said.lower() in (*_YES, *_NO):
            return said.lower() in _YES
        case Type.TIME:
            return check_value(field, _time_ms(said))
        case Type.CHOICE:
            named = (each.name for each in field.choices if said in (each.title.en, each.title.zh))
            return check_value(field, next(named, said))
        case Type.HASH:
            return check_value(field, _hash(said))
    return check_value(field, said)


def told(field: Field, value: int | float | str | bool) -> str:
    """Show a value as a person reads it: with its unit, or the title of the choice."""
    match field.type:
        case Type.TIME if isinstance(value, int):
            return show_time(value)
        case Type.CHOICE:
            found = [title(each.title) for each in field.choices if each.name == value]
            return f"{plain(str(value))} ({found[0]})" if found else plain(str(value))
        case Type.NUMBER if not isinstance(value, bool | str):
            return number(field, value)
    return shown_value(value).replace("\n", " / ")


def number(field: Field, value: int | float) -> str:
    """Show a number with its unit; a count needs none."""
    return f"{value}" if field.unit == "count" else f"{value} {plain(field.unit)}".rstrip()


def _parsed(said: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(said)
        except ValueError:
            continue
    return said


def _time_ms(said: str) -> int | str:
    """Read a time; one without a zone is of this computer's."""
    try:
        return round(datetime.fromisoformat(said).astimezone().timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        return said


def _hash(said: str) -> bytes | str:
    """Read 64 hex digits, or @FILE: the hash of that file."""
    if said.startswith("@"):
        return sha256(read_file(Path(said[1:]))).digest()
    try:
        return bytes.fromhex(said)
    except ValueError:
        return said
