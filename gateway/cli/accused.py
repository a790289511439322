"""`evidence list`, `evidence show`, and `verify` of an evidence file: who broke which rule."""

import json
from collections.abc import Collection, Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated

import apsw
import typer

from gateway.cli import place
from gateway.cli.words import say, tell
from gateway.errors import AuthorError, FileUnusable, UnknownEvidence, UnknownRoster
from gateway.groups import evidence as proofs
from gateway.groups.evidence import Finding, Kind
from gateway.query import show_time
from gateway.records import roster as rosters
from gateway.store import evidence, groups
from gateway.store.evidence import Held, Impossible

_SHOWN_CHARS = 12


def register(app: typer.Typer) -> None:
    """Add these commands."""
    commands = typer.Typer(no_args_is_help=True, help="Who broke a rule, as anybody can check.")
    commands.command("list")(list_evidence)
    commands.command("show")(show)
    app.add_typer(commands, name="evidence")


def list_evidence(
    as_json: Annotated[bool, typer.Option("--json", help="facts for programs")] = False,
) -> None:
    """List who broke which rule, and what peers said in their own name that cannot be."""
    with closing(place.opened()[1]) as db:
        held, said = evidence.held(db), evidence.impossible(db)
    if as_json:
        facts = {
            "evidence": [_facts(each.id, each.finding) for each in held],
            "impossible": [_remembered(each) for each in said],
        }
        print(json.dumps(facts, ensure_ascii=False))
        return
    for each in held:
        print(f"{each.id.hex()[:_SHOWN_CHARS]}  {in_words(each.finding)}")
    tell_impossible(said)
    if not held and not said:
        print(say("there is no evidence against anybody"))


def tell_impossible(said: Sequence[Impossible]) -> None:
    """Say what peers signed that no honest one does."""
    for one in said:
        print(say("{node} said {count} time(s) what cannot be: {code}", **_remembered(one)))


def show(
    identity: Annotated[str, typer.Argument(metavar="ID", help="its id, or how that begins")],
    out: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="the file to write")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="facts for programs")] = False,
) -> None:
    """Show who broke which rule; write a file that anybody verifies under a roster's hash."""
    with closing(place.opened()[1]) as db:
        held = _one(db, identity)
        chain = _chain(db, held.finding)
    facts = _facts(held.id, held.finding) | {"roster": rosters.decode_chain(chain)[-1].hash.hex()}
    if out is not None:
        try:
            out.write_bytes(proofs.encode_file(chain, held.encoded))
        except OSError as fault:
            raise FileUnusable(path=out, reason=fault.strerror) from fault
        facts |= {"file": str(out)}
    if as_json:
        print(json.dumps(facts, ensure_ascii=False))
        return
    print(in_words(held.finding))
    if held.finding.feed is not None:
        print(say("that feed ends there; the node's next run goes on in another", **facts))
    if out is not None:
        print(say("to check it: hulian verify {file} --roster {roster}", **facts))


def is_evidence(file: Path) -> bool:
    """Say whether a file holds evidence, and no proof."""
    try:
        with file.open("rb") as read:
            return proofs.is_file(read.read(64))
    except OSError as fault:
        raise FileUnusable(path=file, reason=fault.strerror) from fault


def verify(file: Path, trusted: Collection[bytes], as_json: bool) -> bool:
    """Say what an evidence file shows to who trusts these rosters, and whether it shows it."""
    try:
        with file.open("rb") as read:
            encoded = read.read(proofs.FILE_BYTES_MAX + 1)
    except OSError as fault:
        raise FileUnusable(path=file, reason=fault.strerror) from fault
    try:
        found, name = _judged(encoded, trusted)
    except AuthorError as fault:
        if as_json:
            print(json.dumps({"ok": False, "code": fault.code, "reason": str(fault)}))
        else:
            print(tell(fault))
        return False
    if as_json:
        print(json.dumps({"ok": True, **_facts(name, found)}, ensure_ascii=False))
    else:
        print(in_words(found))
        print(say("the signatures hold under the roster that is trusted"))
    return True


def in_words(found: Finding) -> str:
    """Say who did what."""
    facts = _facts(b"", found)
    match found.kind:
        case Kind.RECORD_FORK:
            return say(
                "node {node} of {name} ({organisation}) signed two histories of feed {thing}: "
                "they part at record {seq}",
                **facts,
            )
        case Kind.BAD_BODY:
            return say(
                "node {node} of {name} ({organisation}) signed record {seq} of feed {thing} "
                "for another content than its body's",
                **facts,
            )
        case Kind.ROSTER_TWICE:
            return say(
                "{name} ({organisation}) signed two rosters with number {seq} "
                "of consortium {thing}",
                **facts,
            )
        case Kind.JOURNAL_FORK:
            return say(
                "node {node} of {name} ({organisation}) signed two journals of one size, {seq}: "
                "run {thing}",
                **facts,
            )
        case Kind.REWRITE:
            return say(
                "node {node} of {name} ({organisation}) rewrote leaf {seq} of the journal "
                "of run {thing}",
                **facts,
            )
        case Kind.WITNESS_FORK:
            return say(
                "the witness of {name} ({organisation}) cosigned two journals of one size, {seq}: "
                "run {thing}",
                **facts,
            )


def _judged(encoded: bytes, trusted: Collection[bytes]) -> tuple[Finding, bytes]:
    shown, content = proofs.decode_file(encoded)
    chain = rosters.decode_chain(shown)
    if not any(each.hash in trusted for each in chain):
        raise UnknownRoster(roster=chain[-1].hash.hex())
    found = proofs.verify(proofs.decode(content), {each.hash: each for each in chain})
    return found, proofs.evidence_id(content)


def _one(db: apsw.Connection, identity: str) -> Held:
    found = evidence.find(db, identity)
    if len(found) != 1:
        raise UnknownEvidence(evidence=identity)
    return found[0]


def _chain(db: apsw.Connection, found: Finding) -> list[bytes]:
    """Give the rosters, from number 0 on, of a consortium in which the accused is."""
    known = sorted(groups.rosters(db).values(), key=lambda each: each.number)
    within = {
        each.consortium
        for each in known
        if any(one.id == found.organisation for one in each.organisations)
    }
    wanted = found.thing if found.thing in within else min(within)
    if found.group is not None:
        wanted = groups.load(db, found.group).founding.consortium
    return [each.encoded for each in known if each.consortium == wanted]


def _facts(name: bytes, found: Finding) -> dict[str, object]:
    return {
        "id": name.hex(),
        "kind": found.kind.name.lower().replace("_", "-"),
        "organisation": found.organisation.hex(),
        "name": found.name,
        "node": None if found.node is None else found.node.hex(),
        "group": None if found.group is None else found.group.hex(),
        "thing": found.thing.hex(),
        "seq": found.seq,
    }


def _remembered(said: Impossible) -> dict[str, object]:
    when = show_time(said.last_ms) if said.last_ms else None
    return {"node": said.node.hex(), "code": said.code, "count": said.count, "last": when}
