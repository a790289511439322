"""`quarantine list`, `quarantine show`: what could not be read, with its bytes and the reason."""

import json
from contextlib import closing
from typing import Annotated

import typer

from gateway.cli import place
from gateway.cli.words import pad, retell, say, wide
from gateway.errors import UnknownEntry
from gateway.query import show_time
from gateway.store import quarantine
from gateway.store.quarantine import Quarantined

_ROWS = 20
_LINE_BYTES = 16
_SHOWN_BYTES_MAX = 4096
_COLUMNS = ("number", "time", "source", "origin", "bytes", "code")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    commands = typer.Typer(no_args_is_help=True, help="What could not be read.")
    commands.command("list")(list_entries)
    commands.command("show")(show)
    app.add_typer(commands, name="quarantine")


def list_entries(
    limit: Annotated[int, typer.Option(min=1, help="the newest so many")] = _ROWS,
    as_json: Annotated[bool, typer.Option("--json", help="facts for programs")] = False,
) -> None:
    """List the newest entries, the newest first; 'quarantine show' has the bytes."""
    with closing(place.opened()[1]) as db:
        entries = quarantine.newest(db, limit)
        count, size = quarantine.held(db)
    if as_json:
        facts = {"entries": [_facts(each) for each in entries], "held": count, "bytes": size}
        print(json.dumps(facts, ensure_ascii=False))
        return
    if entries:
        _write_table(entries)
    print(say("{count} entries, {size} bytes are kept", count=count, size=size))


def show(
    number: Annotated[int | None, typer.Argument(metavar="NUMBER", help="an entry")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="facts for programs")] = False,
) -> None:
    """Show an entry, the newest without a number: where it came from, why it is here, its bytes."""
    with closing(place.opened()[1]) as db:
        entry = quarantine.find(db, number)
    if entry is None:
        raise UnknownEntry(entry="the newest" if number is None else number)
    facts = _facts(entry)
    if as_json:
        print(json.dumps(facts | {"payload": entry.what.payload.hex()}, ensure_ascii=False))
        return
    for name, fact in facts.items():
        print(f"{pad(say(name), 8)} {retell(str(fact)) if name == 'reason' else fact}")
    print("\n".join(_dump(entry.what.payload[:_SHOWN_BYTES_MAX])))
    if len(entry.what.payload) > _SHOWN_BYTES_MAX:
        print(say("only the first {count} bytes; --json has all", count=_SHOWN_BYTES_MAX))


def _facts(entry: Quarantined) -> dict[str, object]:
    return {
        "number": entry.number,
        "time": show_time(entry.heard_ms) if entry.heard_ms else None,
        "source": entry.source,
        "origin": entry.what.origin,
        "bytes": len(entry.what.payload),
        "code": entry.what.code,
        "reason": entry.what.reason,
    }


def _write_table(entries: list[Quarantined]) -> None:
    lines = [[say(name) for name in _COLUMNS]]
    lines += [[str(_facts(each)[name] or "-") for name in _COLUMNS] for each in entries]
    widths = [max(wide(line[at]) for line in lines) for at in range(len(_COLUMNS))]
    for line in lines:
        cells = (pad(cell, columns) for cell, columns in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())


def _dump(payload: bytes) -> list[str]:
    """Write bytes in hex beside their ASCII letters, so that nothing reaches the terminal raw."""
    lines = []
    for at in range(0, len(payload), _LINE_BYTES):
        part = payload[at : at + _LINE_BYTES]
        letters = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in part)
        lines.append(f"{at:06x}  {part.hex(' '):<{3 * _LINE_BYTES}} {letters}")
    return lines
