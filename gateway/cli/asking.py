"""`query` and `record show`: what the store can answer."""

import csv
import json
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from gateway import query as asked
from gateway.cli import place
from gateway.cli.lacking import keep, told_of
from gateway.cli.words import pad, say, wide
from gateway.errors import UnknownGroup
from gateway.query import Missing, Row, show_time
from gateway.store import activities, claims, questions, state
from gateway.store.questions import Story

_TABLE_ROWS = 100
COLUMNS = ("time", "device", "metric", "value", "unit", "quality", "status", "group")


class Format(StrEnum):
    """How an answer is written."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"


commands = typer.Typer()


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(commands)
    record = typer.Typer(no_args_is_help=True, help="One record.")
    record.command("show")(record_show)
    app.add_typer(record, name="record")


@commands.command()
def query(
    group: Annotated[str | None, typer.Option(help="a group of this gateway")] = None,
    device: Annotated[str | None, typer.Option(help="a name; * and ? stand for others")] = None,
    metric: Annotated[str | None, typer.Option(help="a name; * and ? stand for others")] = None,
    equipment: Annotated[
        str | None, typer.Option(metavar="PATH", help="where it stands, and all that is in it")
    ] = None,
    activity: Annotated[
        str | None, typer.Option(metavar="HEX", help="the record that opened it")
    ] = None,
    org: Annotated[
        str | None, typer.Option(metavar="HEX", help="its author's organisation")
    ] = None,
    since: Annotated[str | None, typer.Option("--from", metavar="TIME", help="from it on")] = None,
    until: Annotated[str | None, typer.Option("--to", metavar="TIME", help="before it")] = None,
    min_status: Annotated[
        str, typer.Option(metavar="STATUS", help="rejected, local, replicated, agreed, final")
    ] = "rejected",
    limit: Annotated[int | None, typer.Option(min=0, help="the newest so many")] = None,
    form: Annotated[Format, typer.Option("--format", help="how it is written")] = Format.TABLE,
    as_json: Annotated[bool, typer.Option("--json", help="as --format json")] = False,
    known: Annotated[
        Path | None,
        typer.Option("--completeness", metavar="FILE", help="write there what is missing, as JSON"),
    ] = None,
) -> None:
    """Ask for readings; the oldest come first, and what is missing is said."""
    form = Format.JSON if as_json else form
    if limit is None and form is Format.TABLE:
        limit = _TABLE_ROWS
    said = {"group": group, "device": device, "metric": metric, "activity": activity, "org": org}
    said |= {"equipment": equipment, "from": since, "to": until, "min-status": min_status}
    said |= {"limit": None if limit is None else str(limit)}
    as_of = show_time(time.time_ns() // 1_000_000)
    held, db = place.opened()
    with closing(db), db:  # one snapshot: a running agent may go on
        if activity is not None and 0 < len(activity) < 64:
            said["activity"] = activities.find(db, activity).id.hex()
        question = asked.understand({name: each for name, each in said.items() if each is not None})
        if question.group is not None and question.group not in {state.OWN, *held.groups}:
            raise UnknownGroup(group=question.group)
        missing = Missing(claims.extents(db, question.group, held.node_id))
        told = questions.select(db, question, held.node_id)
        missing.sealed = questions.sealed(db, question)
        _write(asked.stream(question, told, missing), form, as_of, missing)
    if known is not None:
        keep(known, {"as_of": as_of, **missing.shown()})
    if form is not Format.JSON:
        for line in told_of(missing, held, time.time_ns() // 1_000_000):
            print(line, file=sys.stderr)


def record_show(
    identity: Annotated[str, typer.Argument(metavar="ID", help="its id, or the beginning of it")],
    as_json: Annotated[bool, typer.Option("--json", help="facts for programs")] = False,
) -> None:
    """Tell a record's story: who wrote what and when, and who holds it."""
    held, db = place.opened()
    with closing(db):
        facts = _story(questions.find(db, identity, held.node_id), held.node_id)
    if as_json:
        print(json.dumps(facts, ensure_ascii=False))
        return
    for name, fact in facts.items():
        print(f"{pad(say(name), 21)} {_shown(fact)}")


def _shown(fact: object) -> str:
    match fact:
        case bool():
            return say("yes") if fact else say("no")
        case None | []:
            return "-"
        case list():
            return ", ".join(map(str, fact))
    return str(fact)


def _story(story: Story, here: bytes) -> dict[str, object]:
    said, moment = story.record, story.record.moment
    readings = questions.readings_of(said, story.content)
    return {
        "record": said.id.hex(),
        "feed": said.feed.hex(),
        "seq": said.seq,
        "kind": said.kind.name.lower().replace("_", "-"),
        "group": story.group,
        "node": story.node.hex(),
        "org": story.organisation.hex(),
        "time": show_time(moment.unix_ms) if moment.source else None,
        "clock": moment.source.name.lower().replace("_", "-"),
        "clock_uncertainty_ms": moment.uncertainty_ms,
        "previous": said.previous.hex(),
        "activity": None if said.activity is None else said.activity.hex(),
        "answers": [dep.hex() for dep in said.deps],
        "body_held": story.body is not None,
        "bodies_missing": int(said.body is not None and story.body is None),
        "sealed": story.is_sealed,
        "readings": None if readings is None else len(readings),
        "devices": sorted({reading.device for reading in readings or ()}),
        "status": story.status(here).name.lower(),
        "marks": list(story.marks),
        "held_by": sorted({story.node.hex(), here.hex(), *(node.hex() for node in story.holders)}),
    }


def _write(rows: Iterator[Row], form: Format, as_of: str, missing: Missing) -> None:
    match form:
        case Format.JSON:
            _write_json(rows, as_of, missing)
        case Format.JSONL:
            for row in rows:
                print(json.dumps(row.shown(as_of), ensure_ascii=False))
        case Format.CSV:
            _write_csv(rows, as_of)
        case Format.TABLE:
            _write_table(rows, as_of)


def _write_json(rows: Iterator[Row], as_of: str, missing: Missing) -> None:
    """Write one object while the rows come; what is missing is known after the last of them."""
    print(json.dumps({"as_of": as_of})[:-1], end=', "rows": [')
    for at, row in enumerate(rows):
        print(", " if at else "", json.dumps(row.shown(as_of), ensure_ascii=False), sep="", end="")
    print("], ", json.dumps(missing.shown(), ensure_ascii=False)[1:], sep="")


def _write_csv(rows: Iterator[Row], as_of: str) -> None:
    writer: csv.DictWriter[str] | None = None
    for row in rows:
        shown = row.shown(as_of)
        if writer is None:
            writer = csv.DictWriter(sys.stdout, list(shown), lineterminator="\n")
            writer.writeheader()
        writer.writerow({name: _cell(fact) for name, fact in shown.items()})


def _write_table(rows: Iterator[Row], as_of: str) -> None:
    lines = [[_cell(row.shown(as_of)[name]) or "-" for name in COLUMNS] for row in rows]
    lines.insert(0, [say(name) for name in COLUMNS])
    widths = [max(wide(line[at]) for line in lines) for at in range(len(COLUMNS))]
    for line in lines:
        cells = (pad(cell, columns) for cell, columns in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())


def _cell(fact: object) -> str:
    """Write a fact in a table as JSON has it; nothing for null."""
    match fact:
        case bool():
            return "true" if fact else "false"
        case None:
            return ""
        case list():
            return " ".join(map(str, fact))
    return str(fact)
