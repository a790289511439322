"""`export bundle` and `import bundle`: what sites without a network carry to each other by hand."""

import json
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway import query
from gateway.cli import courier, place
from gateway.cli.words import say
from gateway.errors import WrongValue
from gateway.peers import bundle
from gateway.peers.examining import GAP, Found
from gateway.store import council, state
from gateway.store.carried import Wanted
from gateway.sync.bundle import Survey

# What a member of another group wrote, and what is refused while an invitation waits.
_ELSEWHERE, _STRANGER = "message.envelope", "group.not-a-member"
exports = typer.Typer(no_args_is_help=True, help="For somebody outside.")
Json = Annotated[bool, typer.Option("--json", help="facts for programs")]


def register(app: typer.Typer) -> None:
    """Add `import`; `export` is where proofs are exported too."""
    brought = typer.Typer(no_args_is_help=True, help="What somebody carried by hand.")
    brought.command("bundle")(import_bundle)
    brought.callback()(_import)  # One command alone would be taken for the whole of `import`.
    app.add_typer(brought, name="import")


def _import() -> None:
    """What somebody carried by hand."""


@exports.command("bundle")
def export_bundle(
    out: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="the file to write")],
    whom: Annotated[
        list[str] | None, typer.Option("--for", metavar="WHO", help="an organisation or a gateway")
    ] = None,
    group: Annotated[
        list[str] | None, typer.Option(metavar="GROUP", help="this group alone; may be repeated")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="also what was signed for")] = False,
    since: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="what was written from it on")
    ] = None,
    max_bytes: Annotated[
        int | None, typer.Option(metavar="BYTES", help="of one file; more are made if need be")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write what members have not signed for into a file that somebody carries to them."""
    if max_bytes is not None and max_bytes < bundle.BYTES_MIN:
        reason = f"at least {bundle.BYTES_MIN} bytes"
        raise WrongValue(command="hulian export bundle", option="--max-bytes", reason=reason)
    asked = query.understand({"from": since} if since else {})
    with courier.acting() as act:
        held, db = place.opened()
        with closing(db):
            load = courier.load(db, held, whom or [], group or [])
            wanted = Wanted(everything, asked.from_ms)
            load = replace(load, wanted=wanted, bytes_max=max_bytes)
            facts = courier.export(act, db, held, load, out)
    facts |= {"for": [node.hex() for node in load.nodes]}
    if as_json:
        print(json.dumps(facts, ensure_ascii=False))
        return
    for name in facts["files"]:
        print(say("{file} is written", file=name))
    told = "{bytes} bytes, {records} records for {count} gateway(s)"
    print(say(told, **facts, count=len(load.nodes)))


def import_bundle(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="what was carried here")],
    as_json: Json = False,
) -> None:
    """Check a whole file that somebody carried here, then store what is in it for this gateway."""
    with bundle.opened(file) as opened:
        held, db = place.opened()
        with closing(db):
            whole, found = courier.examine(opened, db, held)
        with courier.acting() as act:
            done = courier.store(act, opened, held.node_id, _tell, whole.bytes)
    facts = _facts(whole, found, held)
    waits = bool(facts["invitations"])
    ignored = {_ELSEWHERE, *([_STRANGER] if waits else [])}
    left = {code: count for code, count in done[1].items() if code not in ignored}
    left |= {GAP: found.left[GAP]} if found.left[GAP] else {}
    facts |= {"records": done[0], "left": left, "owed": courier.owed()}
    if as_json:
        print(json.dumps(facts, ensure_ascii=False))
    else:
        _say(facts)
    raise typer.Exit(1 if left else 0)


def _facts(whole: Survey, found: Found, before: state.State) -> dict[str, Any]:
    held = state.load(before.path)
    waiting = council.waiting(held.path)
    return {
        "from": whole.head.sender.hex(),
        "bundle": whole.head.name.hex(),
        "part": whole.head.part,
        "more": whole.trailer.has_more,
        "held": found.known,
        "acks": found.acks,
        "bodies": found.bodies,
        "elsewhere": found.elsewhere,
        "groups": sorted(held.groups.keys() - before.groups.keys()),
        "invitations": [each.name for each in waiting if each.name in found.invitations],
    }


def _say(facts: dict[str, Any]) -> None:
    print(say("gateway {from}: {records} records stored, {held} were held already", **facts))
    if facts["bodies"] or facts["owed"]:
        print(say("{bodies} long bodies came with it, {owed} are still lacking", **facts))
    for name in facts["groups"]:
        print(say("this gateway is in the group {name} now", name=name))
    for name in facts["invitations"]:
        told = "an invitation to {name} waits: 'hulian group accept {name}', then import this again"
        print(say(told, name=name))
    if facts["elsewhere"]:
        print(say("{elsewhere} part(s) of it are for others", **facts))
    for code, count in facts["left"].items():
        if code == GAP:
            told = (
                "{count} record(s) follow others that are not here: import an earlier bundle first"
            )
            print(say(told, count=count) + f"  [{code}]")
        else:
            print(say("{count} part(s) of it were refused", count=count) + f"  [{code}]")
    if facts["more"]:
        print(say("part {part}: another one follows", **facts))


def _tell(done: int, whole: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{min(100, 100 * done // max(whole, 1))} %", end="\r", file=sys.stderr, flush=True)
