"""`org create, show, sign, join`: the organisation's own keys, on whatever machine they are.

In: names, request files, a passphrase. Out: keys, facts, and signed answers as files. What will be
signed is told in words and asked for first, always.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from mnemonic import Mnemonic

from gateway.cli import place
from gateway.cli.pairing import (
    AsJson,
    PassphraseFile,
    passphrase,
    read_file,
    shown,
    tell,
    write_file,
)
from gateway.cli.setting_up import fingerprint
from gateway.cli.words import say
from gateway.clock import KernelClock, random_bytes
from gateway.errors import (
    MalformedRequest,
    NotSigned,
    RootElsewhere,
    StateMissing,
    ValueMissing,
    WrongValue,
)
from gateway.readings.names import is_name
from gateway.records import identity, request
from gateway.records.identity import NAME_CHARS_MAX
from gateway.records.request import (
    NodeRequest,
    PersonRequest,
    Request,
    RevocationRequest,
    RosterRequest,
)
from gateway.records.roster import Organisation, Roster
from gateway.store import consortium, keyfile, signing, state

Keys = Annotated[
    Path | None,
    typer.Option("--keys", metavar="FOLDER", help="where 'org create' made them; absent: here"),
]
Yes = Annotated[bool, typer.Option("--yes", help="do not ask: for scripts")]
_PASSPHRASE_BYTES = 16


def register(app: typer.Typer) -> None:
    """Add these commands."""
    commands = typer.Typer(no_args_is_help=True, help="This organisation's own keys.")
    commands.command()(create)
    commands.command()(show)
    commands.command()(sign)
    commands.command()(join)
    app.add_typer(commands, name="org")


def create(
    org: Annotated[str, typer.Option(prompt="The organisation's name", help="e.g. Alpha Ltd")],
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="a new folder for them")],
    as_json: AsJson = False,
) -> None:
    """Make root and archive key on a machine that is no gateway, and print the fingerprint."""
    check_name(org, "hulian org create", "--org")
    drawn = new_passphrase()
    made = state.create_organisation(out, org, random_bytes, drawn)
    own = made.organisations[0]
    facts: dict[str, object] = {
        "organisation": org,
        "org": own.id.hex(),
        "roster": made.hash.hex(),
        "keys": str(out),
        "fingerprint": fingerprint(own.id),
        "passphrase": drawn,
    }
    lines = [
        say("The keys of {organisation} are in {keys}", organisation=org, keys=out),
        "",
        say("The organisation's fingerprint, to compare by telephone:"),
        *shown(own.id),
        "",
        say("The passphrase of the organisation's keys, shown once; write it on paper:"),
        f"  {drawn}",
        "",
        say("Next: keep a copy of the folder elsewhere; 'hulian org sign' signs what gateways ask"),
    ]
    tell(facts, lines, as_json)


def show(keys: Keys = None, as_json: AsJson = False) -> None:
    """Show who this organisation is, its rosters, and where its root key is."""
    path = folder(keys)
    own, first = signing.own(path), consortium.own_roster(path)
    rosters = consortium.load_rosters(path)
    known = sorted({each.consortium for each in rosters.values()} - {first.consortium})
    joined = [consortium.newest(rosters, each) for each in known]
    alone = consortium.newest(rosters, first.consortium)
    is_here = keyfile.has_root(path)
    facts: dict[str, object] = {
        "org": own.id.hex(),
        "name": own.name,
        "fingerprint": fingerprint(own.id),
        "roster": _facts(alone),
        "consortia": [_facts(each) for each in joined],
        "root": "here" if is_here else "elsewhere",
        "folder": str(path),
    }
    where = say(
        "The root key is here, in {folder}" if is_here else "The root key is on another machine",
        folder=path,
    )
    lines = [own.name, *shown(own.id), "", where, _line(alone)]
    for each in joined:
        lines += ["", _line(each), *(f"  {_called(row)}" for row in each.organisations)]
    tell(facts, lines, as_json)


def sign(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="what is asked for")],
    output: Annotated[Path, typer.Option("-o", metavar="FILE", help="where the answer goes")],
    keys: Keys = None,
    yes: Yes = False,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Sign what a request asks for, carried here and back as a file."""
    path, wanted = folder(keys), request.decode(read_file(file))
    if not keyfile.has_root(path):
        raise RootElsewhere(path=path)
    for line in (say("With the root key of {name}:", name=signing.own(path).name), *_told(wanted)):
        typer.echo(line, err=True)
    if not yes and not typer.confirm(say("Sign this?"), err=True):
        raise NotSigned
    root = state.root_key(path, passphrase(passphrase_file))
    answer = signing.answer(path, root, wanted, now_s())
    write_file(output, request.encode_answer(answer))
    typer.echo(say("signed: carry {path} back to where it was asked for", path=output), err=True)


def join(
    request_file: Annotated[
        Path | None,
        typer.Option("--request", metavar="FILE", help="write what the root must sign"),
    ] = None,
    signed: Annotated[
        Path | None, typer.Option("--signed", metavar="FILE", help="what 'hulian org sign' wrote")
    ] = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Have this gateway belong to an organisation whose root is elsewhere, by files alone."""
    config = place.config()
    path = Path(config.gateway.state_dir)
    if request_file is not None:
        asked = state.prepare_node(path, config.gateway.name, random_bytes)
        write_file(request_file, asked)
        _tell_asked(asked, as_json)
        return
    if signed is None:
        raise ValueMissing(command="hulian org join", option="--request FILE / --signed FILE")
    answer = request.decode_answer(read_file(signed))
    if answer.what != "node":
        raise MalformedRequest(reason="it is no answer to a gateway")
    issuer = identity.decode(answer.signed[0], "node").issuer
    for line in (say("This gateway is to belong to the organisation:"), *shown(issuer)):
        typer.echo(line, err=True)
    if not yes and not typer.confirm(say("Is this your organisation?"), err=True):
        raise NotSigned
    made = state.complete_node(path, answer.signed[0], answer.signed[1:])
    facts: dict[str, object] = {"node": made.node_id.hex(), "org": made.organisation.hex()}
    name = config.gateway.name
    lines = [say("{gateway} is ready; next: 'hulian check' and 'hulian run'", gateway=name)]
    tell(facts | {"state": "certified"}, lines, as_json)


def _tell_asked(asked: bytes, as_json: bool) -> None:
    wanted = request.decode(asked)
    assert isinstance(wanted, NodeRequest), "it was just written"
    facts: dict[str, object] = {"node": wanted.node.hex(), "state": "asked"}
    lines = [
        say("This gateway's fingerprint:"),
        *shown(wanted.node),
        "",
        say("Next: 'hulian org sign' where the root is, then 'hulian org join --signed FILE' here"),
    ]
    tell(facts | {"fingerprint": fingerprint(wanted.node)}, lines, as_json)


def folder(keys: Path | None) -> Path:
    """Give the folder of the organisation's keys, else of this gateway; raise StateMissing."""
    path = place.state_dir() if keys is None else keys
    if not (path / consortium.OWN_ROSTER).is_file():
        raise StateMissing(path=path)
    return path


def now_s() -> int | None:
    """Give the wall clock in seconds, None while it is not set."""
    return KernelClock().now().unix_ms // 1000 or None


def new_passphrase() -> str:
    """Draw a passphrase of twelve words."""
    return Mnemonic("english").to_mnemonic(random_bytes(_PASSPHRASE_BYTES))


def check_name(name: str, command: str, option: str) -> None:
    """Refuse a name that a certificate cannot hold; raise WrongValue."""
    if not is_name(name) or len(name) > NAME_CHARS_MAX:
        reason = "1 to 64 letters without control characters"
        raise WrongValue(command=command, option=option, reason=reason)


def _facts(held: Roster) -> dict[str, object]:
    return {
        "consortium": held.consortium.hex(),
        "name": held.name,
        "number": held.number,
        "hash": held.hash.hex(),
        "organisations": [{"org": row.id.hex(), "name": row.name} for row in held.organisations],
    }


def _line(held: Roster) -> str:
    return say(
        "Roster {number} of '{name}': {hash}",
        number=held.number,
        name=held.name,
        hash=held.hash.hex(),
    )


def _called(row: Organisation) -> str:
    return f"{row.name}  {identity.show_id(row.id)}"


def _told(wanted: Request) -> list[str]:
    """Say in words exactly what will be signed."""
    match wanted:
        case NodeRequest(name=name) as found:
            line = say("certify the gateway '{name}' as one of this organisation", name=name)
            compared = say("Its fingerprint, which its own screen must show:")
            return [line, compared, *shown(found.node)]
        case PersonRequest(person, counter, name):
            line = say("certify {name}, certificate {number}", name=name, number=counter)
            return [line, say("The person's fingerprint:"), *shown(person)]
        case RevocationRequest(subject, counter, name):
            line = say(
                "revoke all certificates of '{name}' up to {number}", name=name, number=counter
            )
            return [line, say("What is revoked has this fingerprint:"), *shown(subject)]
        case RosterRequest():
            return _told_roster(wanted)


def _told_roster(wanted: RosterRequest) -> list[str]:
    found, before, _ = signing.proposed(wanted)
    named = {"number": found.number, "name": found.name}
    if before is None:
        rows = [say("admit {row}", row=_called(row)) for row in found.organisations]
        return [say("found the consortium '{name}'", **named), *rows]
    line = say("roster {number} of the consortium '{name}'", **named)
    attempt = (
        [say("in a new attempt, number {count}", count=found.attempt)] if found.attempt else []
    )
    changes = [say("nothing changes")] if found.organisations == before.organisations else []
    return [line, *attempt, *_changes(found, before), *changes]


def _changes(found: Roster, before: Roster) -> list[str]:
    """Say row by row what a roster changes."""
    old = {row.id: row for row in before.organisations}
    new = {row.id: row for row in found.organisations}
    lines = [say("admit {row}", row=_called(new[each])) for each in new if each not in old]
    lines += [say("expel {row}", row=_called(old[each])) for each in old if each not in new]
    fields: tuple[tuple[str, Callable[[Organisation], object]], ...] = (
        ("change the name of {row} from '{was}'", lambda row: row.name),
        ("renew the root key of {row}", lambda row: row.root),
        ("renew the archive key of {row}", lambda row: row.archive),
        ("change the witness of {row}", lambda row: row.witness),
    )
    for each in (row for row in new.values() if row.id in old):
        for sentence, part in fields:
            if part(each) != part(old[each.id]):
                lines.append(say(sentence, row=_called(each), was=old[each.id].name))
    return lines
