"""`verify`, `export proof` and `fsck`: what is stored or carried, checked to the last signature."""

import json
import sys
from collections.abc import Collection, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli import accused, place
from gateway.cli.carrying import exports
from gateway.cli.words import pad, retell, say
from gateway.errors import FileUnusable, StoreDamaged, WrongValue
from gateway.groups import verdict
from gateway.groups.showing import Party, Voice
from gateway.records import proof, roster as rosters
from gateway.records.proof import Proof
from gateway.store import checking, journal_checks, proofs, questions, state

_HASH_BYTES = 32


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(verify)
    app.command()(fsck)
    exports.command("proof")(export_proof)
    app.add_typer(exports, name="export")


def verify(
    file: Annotated[Path | None, typer.Argument(help="a proof, or evidence")] = None,
    roster: Annotated[
        str | None, typer.Option(metavar="HASH", help="the roster you trust; absent: your own ones")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="every record stored here")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="facts for programs")] = False,
) -> None:
    """Check every signature, chain, root and membership; nothing checked is a failure."""
    if (file is None) != everything:
        reason = "it takes either a FILE or --all"
        raise WrongValue(command="hulian verify", option="FILE", reason=reason)
    if file is not None and accused.is_evidence(file):
        raise typer.Exit(0 if accused.verify(file, _trusted(roster), as_json) else 1)
    facts = _verified_store() if file is None else _verified_proof(file, _trusted(roster))
    if as_json:
        print(json.dumps(facts, ensure_ascii=False))
    else:
        for line in _told(facts) if file else map(retell, facts["faults"]):
            print(f"  {line}")
        for device in facts["devices"]:
            print("  " + say("device-signed by key {key}: {samples} samples", **device))
        counted = "{checked} checked: {valid} valid, {invalid} invalid, {unknown} unknown"
        print(say(counted, **facts))
        if facts.get("sealed"):
            told = "{sealed} of the unknown are sealed: their keys were not given to this gateway"
            print(say(told, **facts))
        if facts.get("bodies_missing"):
            told = "{bodies_missing} of the unknown are held without their body, which is asked for"
            print(say(told, **facts))
    raise typer.Exit(0 if facts["ok"] else 1)


def export_proof(
    identity: Annotated[str, typer.Argument(metavar="ID", help="the record's id")],
    out: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="the file to write")],
    as_json: Annotated[bool, typer.Option("--json", help="facts for programs")] = False,
) -> None:
    """Write the proof of one record, which verifies offline under one roster's hash."""
    _, db = place.opened()
    with closing(db):
        story = questions.find(db, identity)
        gathered = proofs.of(db, story)
        encoded = proof.encode(gathered)
    try:
        out.write_bytes(encoded)
    except OSError as fault:
        raise FileUnusable(path=out, reason=fault.strerror) from fault
    facts = {"record": story.record.id.hex(), "file": str(out), "bytes": len(encoded)}
    facts |= {"roster": _roster(gathered).hex(), "receipts": len(gathered.receipts)}
    facts |= {"bodies_missing": int(story.record.body is not None and story.body is None)}
    if as_json:
        print(json.dumps(facts))
    else:
        print(say("{file}: {bytes} bytes, {receipts} receipts", **facts))
        if facts["bodies_missing"]:
            print(say("its body is not held here: what it says is not shown"))
        print(say("to check it: hulian verify {file} --roster {roster}", **facts))


def fsck(
    deep: Annotated[bool, typer.Option("--deep", help="and every signature and body")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="facts for programs")] = False,
) -> None:
    """Check the store against itself; nothing is changed."""
    try:
        found, notes = _examined(deep, as_json)
    except StoreDamaged as damage:  # it cannot even be opened: that is what this command is for
        found, notes = {"integrity": [str(damage)]}, []
    ok = not any(found.values())
    if as_json:
        print(json.dumps({"ok": ok, "checks": found, "notes": notes}, ensure_ascii=False))
    else:
        for name, faults in found.items():
            print(f"{pad(say(name), 12)} {say('good') if not faults else say('damaged')}")
            for fault in faults:
                print(f"  {retell(fault)}")
        for note in notes:
            print(retell(note))
        if not ok:
            print(say("next: stop the agent, keep a copy of the state directory, and restore"))
    raise typer.Exit(0 if ok else 1)


def _examined(deep: bool, as_json: bool) -> tuple[dict[str, list[str]], list[str]]:
    """Do each check in one snapshot, so that a running agent may go on; give faults and notes."""
    _, db = place.opened()
    steps = [checking.integrity, checking.heads, checking.tiles, checking.totals]
    steps += [checking.members, checking.rings, journal_checks.journals]
    steps += [checking.records, checking.keys, checking.indexes] if deep else []
    found: dict[str, list[str]] = {}
    with closing(db):
        checking.examine(db, checking.snapshot)
        for step in steps:
            _progress(step.__name__, as_json)
            found[step.__name__] = checking.examine(db, step)
        return found, checking.examine(db, checking.notes)


def _progress(name: str, as_json: bool) -> None:
    if sys.stderr.isatty() and not as_json:
        print(f"\r{say(name)} ...", end="\r", file=sys.stderr, flush=True)


def _verified_store() -> dict[str, Any]:
    _, db = place.opened()
    with closing(db):
        tally = checking.verify_all(db)
    return {
        "checked": tally.checked,
        "valid": tally.valid,
        "invalid": tally.invalid,
        "unknown": tally.unknown,
        "sealed": tally.sealed,
        "bodies_missing": tally.bodies_missing,
        "ok": tally.ok,
        "devices": [{"key": key.hex(), "samples": n} for key, n in sorted(tally.signed.items())],
        "faults": tally.faults,
    }


def _verified_proof(file: Path, trusted: Collection[bytes]) -> dict[str, Any]:
    try:
        with file.open("rb") as read:
            encoded = read.read(proof.PROOF_BYTES_MAX + 1)
    except OSError as fault:
        raise FileUnusable(path=file, reason=fault.strerror) from fault
    found = verdict.judge(encoded, trusted)
    held = [statement.held for statement in found.statements]
    return {
        "checked": len(held) - held.count(None),
        "valid": held.count(True),
        "invalid": held.count(False),
        "unknown": held.count(None),
        "ok": found.holds,
        "record": None if found.record is None else found.record.id.hex(),
        "author": None if found.author is None else _party(found.author),
        "held_by": [_party(holder) for holder in found.holders],
        "devices": [
            {"key": each.key.hex(), "samples": len(each.testimony.samples.samples)}
            for each in found.devices
        ],
        "statements": {statement.name: statement.held for statement in found.statements},
        "required": [_voice(each) for each in found.parties],
        "witnesses": [_voice(each) for each in found.witnesses],
        "quorum": found.quorum,
        "reasons": {
            each.name: [{"part": why.number, "reason": why.told} for why in each.reasons]
            for each in found.statements
            if each.reasons
        },
        "faults": [each.reason for each in found.statements if each.held is False],
        "unshown": [each.reason for each in found.statements if each.held is None and each.reason],
    }


def _party(party: Party) -> dict[str, str]:
    return {"node": party.node.hex(), "org": party.organisation.hex(), "name": party.name}


def _voice(voice: Voice) -> dict[str, object]:
    return {"org": voice.organisation.hex(), "name": voice.name, "given": voice.given}


def _told(facts: dict[str, Any]) -> Iterator[str]:
    """Say in words what a proof shows, and what it does not."""
    for name, held in facts["statements"].items():
        yield f"{pad(say(name), 14)} {_held(held)}"
        for why in facts["reasons"].get(name, ()):
            told, part = retell(why["reason"]), why["part"]
            yield "  " + (told if part is None else say("number {part}: {told}", **why, told=told))
    if facts["record"] is None:
        yield say("no record was shown to be anybody's")
        return
    yield say("record {record}", record=facts["record"])
    yield say("written by node {node} of {name} ({org})", **facts["author"])
    for party in facts["held_by"]:
        yield say("held by node {node} of {name} ({org}), under its signature", **party)
    if not facts["held_by"]:
        yield say("who else holds it was not shown")
    for voice in facts["required"]:
        told = "agreed to by {name} ({org})"
        yield say(
            told if voice["given"] else "not shown to be agreed to by {name} ({org})", **voice
        )
    if facts["witnesses"]:
        given = [voice for voice in facts["witnesses"] if voice["given"]]
        told = "cosigned by {count} of {total} witnesses, where {quorum} must: {names}"
        total, names = len(facts["witnesses"]), ", ".join(voice["name"] for voice in given)
        yield say(told, count=len(given), total=total, names=names or "-", quorum=facts["quorum"])
    yield say(
        "it is final: who signed cannot take it back"
        if facts["statements"]["final"]
        else "that it is final was not shown"
    )


def _trusted(said: str | None) -> frozenset[bytes]:
    """Give the roster that is trusted; else those of this gateway and of its groups."""
    if said is None:
        held = state.load(place.state_dir())
        known = (each.hash for group in held.groups.values() for each in group.chain)
        return frozenset({held.roster.hash, *held.rosters, *known})
    with suppress(ValueError):
        if len(trusted := bytes.fromhex(said)) == _HASH_BYTES:
            return frozenset({trusted})
    reason = "it takes the 64 hex digits that 'hulian init' printed"
    raise WrongValue(command="hulian verify", option="--roster", reason=reason)


def _roster(gathered: Proof) -> bytes:
    assert gathered.roster is not None, "the store's proofs have one"
    return rosters.decode_chain((*gathered.earlier, gathered.roster))[-1].hash


def _held(held: bool | None) -> str:
    return say("not shown") if held is None else say("held") if held else say("FAILED")
