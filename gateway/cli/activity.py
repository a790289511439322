"""`activity`: what is going on between the parties. What is done is the running agent's to do.

In: an activity by the beginning of its id, and values as people type them. Out: what was done, or
all there is to say of one activity. Values are typed by the activity's template.
"""

import base64
import mimetypes
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from gateway.activities import template
from gateway.activities.activity import PIECE_BYTES_MAX
from gateway.cli import activity_told, place, templates, values
from gateway.cli.activity_told import Scene
from gateway.cli.pairing import AsJson, read_file, tell
from gateway.cli.words import pad, say
from gateway.errors import FileUnusable, UnknownRecord, WrongValue
from gateway.groups.group import Role
from gateway.store import activities, contacts, council, questions
from gateway.store.activities import Opened
from gateway.store.database import Connection
from gateway.store.folding import Folds
from gateway.store.state import State

# A piece as the agent takes it: it and its record travel in one message each.
_PIECE_BYTES: Final = min(PIECE_BYTES_MAX, 1 << 19)
Which = Annotated[str, typer.Argument(metavar="ACTIVITY", help="the start of its id")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="a value to write; may be repeated"),
]
Readings = Annotated[
    list[str] | None,
    typer.Option(
        "--reading", metavar="DEVICE/METRIC", help="a newest reading it rests on; may be repeated"
    ),
]
commands = typer.Typer(no_args_is_help=True, help="What is going on between the parties.")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(commands, name="activity")


@commands.command("list")
def list_activities(
    only_open: Annotated[bool, typer.Option("--open", help="only those not closed")] = False,
    as_json: AsJson = False,
) -> None:
    """List the activities of this gateway's groups, the newest first."""
    held, db = place.opened()
    with closing(db):
        folds = Folds()
        known = [_summary(db, held, each, folds) for each in activities.listed(db)]
    rows = [each for each in known if each["state"] == "open" or not only_open]
    lines = [
        f"{each['activity'][:16]}  {pad(say(each['state']), 8)}"
        f"{pad(each['template']['name'], 20)} {each['purpose']}"
        for each in rows
    ]
    lines.append(say("{count} activities", count=len(rows)))
    tell({"activities": rows}, lines, as_json)


@commands.command()
def show(which: Which, as_json: AsJson = False) -> None:
    """Show an activity: its values, of whom and how far agreed; what was rejected, what waits."""
    held, db = place.opened()
    with closing(db):
        found = activities.find(db, which)
        read = template.parse(found.said.template)
        folds = Folds()
        state = folds.state(db, found.id)
        told = activity_told.facts(_scene(db, held, found, folds), state, read)
    tell(told, list(activity_told.lines(told, read)), as_json)


@commands.command("open")
def open_activity(
    which: Annotated[
        str, typer.Option("--template", metavar="NAME", help="a template's name, or a file")
    ],
    purpose: Annotated[str, typer.Option(help="what it is for, in words")],
    partners: Annotated[
        list[str] | None,
        typer.Option(
            "--with", metavar="NAME", help="a party, NAME or NAME:ROLE,ROLE; may be repeated"
        ),
    ] = None,
    said: Set = None,
    devices: Annotated[
        list[str] | None,
        typer.Option("--device", help="of this gateway; its readings belong to it; repeatable"),
    ] = None,
    group: Annotated[str | None, typer.Option(help="in which group; else one that fits")] = None,
    own: Annotated[
        list[str] | None, typer.Option("--role", help="what this side is: initiator if absent")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Open an activity with its parties; their group is found, or founded."""
    text = templates.text_of(which)
    read = template.parse(text)
    done = place.act(
        "activity.open",
        parties=[_party(each) for each in partners or ()],
        roles=own or ["initiator"],
        purpose=purpose,
        kind=read.kind.name.lower().replace("_", "-"),
        mode=read.mode.name.lower(),
        template=text,
        fields=values.read(read, said),
        devices=devices or [],
        **({"group": group} if group else {}),
    )
    told = say("open: {activity}, in the group {group}", **done)
    tell(done, [told, say("type 'hulian activity show {id}'", id=done["activity"][:16])], as_json)


@commands.command()
def update(
    which: Which,
    said: Set = None,
    readings: Readings = None,
    bind: Annotated[
        list[str] | None,
        typer.Option("--bind", metavar="DEVICE", help="its readings belong to it from now on"),
    ] = None,
    unbind: Annotated[
        list[str] | None, typer.Option("--unbind", metavar="DEVICE", help="no more")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write something in an activity; without a link too, its parties learn of it later."""
    found = _find(which)
    done = place.act(
        "activity.update",
        activity=found.id.hex(),
        fields=values.read(template.parse(found.said.template), said),
        readings=[_reading(each) for each in readings or ()],
        bind=bind or [],
        unbind=unbind or [],
    )
    tell(done, [_written(done)], as_json)


@commands.command("close")
def close_activity(
    which: Which, said: Set = None, readings: Readings = None, as_json: AsJson = False
) -> None:
    """Close an activity; corrections are still possible."""
    found = _find(which)
    done = place.act(
        "activity.close",
        activity=found.id.hex(),
        fields=values.read(template.parse(found.said.template), said),
        readings=[_reading(each) for each in readings or ()],
    )
    tell(done, [_written(done)], as_json)


@commands.command()
def correct(
    which: Which,
    record: Annotated[str, typer.Argument(metavar="RECORD", help="the start of its id")],
    said: Set = None,
    as_json: AsJson = False,
) -> None:
    """Correct what this organisation wrote; what it was before stays to be seen."""
    found = _find(which)
    done = place.act(
        "activity.correct",
        activity=found.id.hex(),
        record=_record(record),
        fields=values.read(template.parse(found.said.template), said),
    )
    tell(done, [_written(done)], as_json)


@commands.command()
def attach(
    which: Which,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="what to attach")],
    content_type: Annotated[
        str | None, typer.Option("--type", help="as text/plain; else by the file's name")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Attach a file, piece by piece; it is sealed as all else is."""
    found, content = _find(which), read_file(file)
    if not content:
        raise FileUnusable(path=file, reason="it is empty")
    whole, records = sha256(content).hexdigest(), []
    kind = content_type or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    for offset in range(0, len(content), _PIECE_BYTES):
        piece = content[offset : offset + _PIECE_BYTES]
        done = place.act(
            "activity.attach",
            activity=found.id.hex(),
            file=whole,
            name=file.name,
            type=kind,
            size=len(content),
            offset=offset,
            bytes=base64.b64encode(piece).decode(),
        )
        records.append(done["record"])
    facts = {"activity": found.id.hex(), "file": whole, "size": len(content), "records": records}
    told = say("attached {name}, {size} bytes: {file}", name=file.name, **facts)
    tell(facts, [told], as_json)


def _party(said: str) -> dict[str, object]:
    who, _, roles = said.rpartition(":")
    names = {each.name.lower() for each in Role}
    if who and set(roles.split(",")) <= names:
        return {"who": who, "roles": roles.split(",")}
    return {"who": said, "roles": ["receiver"]}


def _reading(said: str) -> list[str]:
    device, _, metric = said.partition("/")
    if not device or not metric:
        reason = "write DEVICE/METRIC"
        raise WrongValue(command="hulian activity", option="--reading", reason=reason)
    return [device, metric]


def _written(done: dict[str, Any]) -> str:
    return say("written: record {record}", **done)


def _find(which: str) -> Opened:
    _, db = place.opened()
    with closing(db):
        return activities.find(db, which)


def _record(named: str) -> str:
    held, db = place.opened()
    with closing(db):
        return questions.find(db, named, held.node_id).record.id.hex()


def _summary(db: Connection, held: State, found: Opened, folds: Folds) -> dict[str, Any]:
    read = template.parse(found.said.template)
    scene = _scene(db, held, found, folds)
    return activity_told.summary(scene, folds.state(db, found.id), read)


def _scene(db: Connection, held: State, found: Opened, folds: Folds) -> Scene:
    names = {
        each.id: each.name for one in council.newest_rosters(db, held) for each in one.organisations
    }
    near = contacts.of_group(db, found.group_id)
    names |= {node: contact.node.name for node, contact in near.items()}

    def status(record: bytes) -> str:
        try:
            return questions.find(db, record.hex(), held.node_id).status(held.node_id).name.lower()
        except UnknownRecord:
            return "local"

    attached = [
        {
            "file": each.whole.hex(),
            "name": each.name,
            "type": each.content_type,
            "size": each.size,
            "whole": each.held == each.size,
            "by": names.get(each.node, each.node.hex()),
        }
        for each in activities.attachments(db, found.id)
    ]
    return Scene(found.id, found.group, names, status, folds.waiting(db, found.id), attached)
