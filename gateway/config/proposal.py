"""A proposal: what a scan found, as the TOML of a source to paste into the config.

In: where something is, and what it is called there. Out: text that `load` accepts below the rest
of a config. Every key in it was seen, or is the least that a source needs; all else is left to its
default. It looks at nothing. Reference: docs/config.md.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

_NAME_LETTERS_MAX: Final = 40
_OTHER: Final = re.compile(r"[^A-Za-z0-9._-]+")
_GROUP: Final = re.compile(r"[^+#/\x00-\x1f\x7f]{1,63}")
Said = dict[str, object]


def written(source: Said) -> str:
    """Write a source as it stands in a config; what is None is left out."""
    lines = ["[[source]]"]
    tables: list[str] = []
    for key, value in source.items():
        match value:
            case None:
                pass
            case [dict(), *_] as many:
                for table in many:
                    assert isinstance(table, dict)
                    tables += ["", f"[[source.{key}]]", *_pairs(table)]
            case _:
                lines += _pairs({key: value})
    return "\n".join([*lines, *tables, ""])


def named(wish: str, taken: Collection[str]) -> str:
    """Make a name of any text, and one that nobody has."""
    plain = _OTHER.sub("-", wish).strip("-._")[:_NAME_LETTERS_MAX] or "source"
    number, name = 2, plain
    while name in taken:
        name, number = f"{plain}-{number}", number + 1
    return name


def framed(path: str, product: str, taken: Collection[str]) -> Said:
    """Propose a device on a serial line that speaks firmware_bridge's protocol."""
    name = named(product.lower() or path.rpartition("/")[2], taken)
    return {"name": name, "type": "framed", "url": f"serial://{path}?baud=115200"}


def modbus(
    url: str, unit: int, registers: Sequence[tuple[str, int]], taken: Collection[str]
) -> Said:
    """Propose a unit with the registers that it answered for, or else with its first one."""
    rows = [
        {"name": f"{bank}-{address}", "register": f"{bank}:{address}"}
        for bank, address in registers or (("holding", 0),)
    ]
    name = named(f"unit-{unit}", taken)
    return {"name": name, "type": "modbus", "url": url, "unit_id": unit, "metric": rows}


def sparkplug(url: str, groups: Sequence[str], login: Said, taken: Collection[str]) -> Said:
    """Propose to hear these groups; all, where one has a name that no config takes."""
    if not all(map(_GROUP.fullmatch, groups)):
        groups = ("+",)
    name = named(groups[0] if len(groups) == 1 and groups[0] != "+" else "sparkplug", taken)
    return {"name": name, "type": "sparkplug", "url": url, **login, "groups": tuple(groups)}


def _pairs(table: Mapping[str, object]) -> Iterator[str]:
    return (f"{key} = {_value(value)}" for key, value in table.items() if value is not None)


def _value(said: object) -> str:
    """Write a text, a number or a list of texts; JSON's texts are TOML's, but for one letter."""
    if isinstance(said, tuple):
        return f"[{', '.join(map(_value, said))}]"
    return json.dumps(said, ensure_ascii=False).replace("\x7f", "\\u007f")
