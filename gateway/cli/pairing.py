"""What both sides of a pairing are shown and asked, and a joining from its first step to its last.

In: an address, a person's word, a passphrase. Out: what became of it; all that was learnt is kept.
Each step is kept before the next, so the same command typed again goes on where it was.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Protocol

import typer

from gateway.cli import desk
from gateway.cli.setting_up import fingerprint, shown as shown
from gateway.cli.words import say
from gateway.clock import random_bytes
from gateway.errors import (
    FileUnusable,
    InvitationUsed,
    MalformedDocument,
    NoInvitation,
    NothingToResume,
    NotTheSame,
    OtherInvitation,
)
from gateway.groups import admission, pairing
from gateway.groups.admission import Standing
from gateway.groups.pairing import (
    INVITER,
    JOINER,
    NONCE_BYTES,
    Answer,
    Invited,
    Outcome,
    Paper,
)
from gateway.peers.mailbox import Mailboxes, Place
from gateway.records.roster import Organisation, Roster
from gateway.store import pairing as kept_pairing, state
from gateway.store.pairing import Joining, Shared, Stage

Yes = Annotated[bool, typer.Option("--yes", help="the fingerprint is the same: for scripts")]
PassphraseFile = Annotated[
    Path | None,
    typer.Option("--passphrase-file", metavar="FILE", help="the passphrase of init: for scripts"),
]
AsJson = Annotated[bool, typer.Option("--json", help="facts for programs")]
Wait = Annotated[float, typer.Option(min=0, metavar="SECONDS", help="for the answer")]
Where = Annotated[str | None, typer.Argument(metavar="ADDRESS", help="absent: go on where it was")]
Who = Annotated[str, typer.Argument(metavar="NAME", help="who waits, or its id")]
Refuse = Annotated[bool, typer.Option("--refuse", help="say no")]
_COMMANDS = {Invited.ORGANISATION: "hulian consortium join", Invited.NODE: "hulian node join"}
_ADMITTING = {Invited.ORGANISATION: "hulian consortium approve", Invited.NODE: "hulian node admit"}


@dataclass(frozen=True, slots=True)
class Told:
    """How far a joining is: `waiting` for whom, or `admitted`."""

    state: str
    names: tuple[str, ...] = ()


class Joiner(Protocol):
    """Who joins: an organisation, or a gateway."""

    @property
    def path(self) -> Path:
        """Give the state directory."""

    @property
    def key(self) -> bytes:
        """Give the node's key, under which its documents are known."""

    def asked(self, joining: Joining, standing: Standing) -> Joining:
        """Write what is asked for, and sign it; unchanged where that was done."""

    def admitted(self, joining: Joining, answer: Answer, chains: list[tuple[Roster, ...]]) -> None:
        """Keep what makes it a member."""


def confirm(lines: Sequence[str], identity: bytes, yes: bool) -> None:
    """Show a fingerprint and have the person compare it; raise NotTheSame."""
    for line in (*lines, *shown(identity)):
        typer.echo(line, err=True)
    if not yes and not typer.confirm(say("Does the other side read out the same?"), err=True):
        raise NotTheSame


def passphrase(file: Path | None) -> str:
    """Ask for the passphrase of the organisation's keys, or read it from a file."""
    if file is None:
        asked = say("The passphrase of the organisation's keys")
        return str(typer.prompt(asked, hide_input=True, err=True))
    return read_file(file).decode("utf-8", "replace").strip()


def read_file(path: Path) -> bytes:
    """Read a file that was named on the command line; raise FileUnusable."""
    try:
        return path.read_bytes()
    except OSError as fault:
        raise FileUnusable(path=path, reason=fault.strerror) from fault


def write_file(path: Path, content: bytes) -> None:
    """Write a file that was named on the command line; raise FileUnusable."""
    try:
        path.write_bytes(content)
    except OSError as fault:
        raise FileUnusable(path=path, reason=fault.strerror) from fault


def tell(facts: Mapping[str, object], lines: Sequence[str], as_json: bool) -> None:
    """Print what a command did."""
    print(json.dumps(facts, ensure_ascii=False) if as_json else "\n".join(lines))


def named(chosen: str, organisations: Sequence[Organisation]) -> Organisation | None:
    """Find an organisation by its name, or by the beginning of its id as it is shown."""
    wanted = chosen.replace("-", "").lower()
    for each in organisations:
        known = fingerprint(each.id)["id"].replace("-", "").lower()
        if chosen == each.name or (len(wanted) >= 8 and known.startswith(wanted)):
            return each
    return None


def begun(address: str | None, invited: Invited, path: Path) -> Joining:
    """Give the joining that an address, or what was interrupted here, is about."""
    kept = kept_pairing.load(path).joinings
    if address is None:
        going = [each for each in kept if each.invited is invited and each.stage is Stage.OPEN]
        going = going or [each for each in kept if each.invited is invited]
        if not going:
            raise NothingToResume(command=_COMMANDS[invited])
        return going[-1]
    read = pairing.decode_address(address)
    if read.invited is not invited:
        who = say("an organisation" if read.invited is Invited.ORGANISATION else "a gateway")
        instead = f"{_COMMANDS[read.invited]} ADDRESS"
        raise OtherInvitation(invited=who, command=_COMMANDS[invited], instead=instead)
    found = [each for each in kept if each.secret == read.secret]
    return found[0] if found else Joining(read.secret, invited, read.roster)


def join(joiner: Joiner, joining: Joining, yes: bool, wait_s: float) -> Told:
    """Take the next steps of a joining, waiting for so long for the other side's answer."""
    until = time.monotonic() + wait_s
    with desk.mailboxes([joining.secret]) as box:
        while True:
            joining, told = _step(joiner, joining, box, yes)
            if told.state == "admitted" or time.monotonic() >= until:
                break
            box.wait(1.0)
    if told.state == "admitted":
        with desk.attended():
            pass  # tell the members that this gateway is there
    return told


def waiting(told: Told, invited: Invited, name: str, identity: bytes) -> list[str]:
    """Say for whom a joining waits, what they type, and what is read out to them."""
    theirs = f'{_ADMITTING[invited]} "{name}"'
    return [
        say("It waits for: {names}", names=", ".join(told.names) or "-"),
        say("They type: {command}", command=theirs),
        say("Read out to them the fingerprint of {name}:", name=name),
        *shown(identity),
        say("Then type '{command}' again", command=_COMMANDS[invited]),
    ]


def keep_answer(path: Path, answer: Answer, chains: list[tuple[Roster, ...]]) -> None:
    """Keep the rosters, secrets and gateways that an answer tells of."""
    for chain in chains:
        for each in chain:
            state.keep_roster(path, each)
    known = kept_pairing.load(path).shared
    for consortium, secret in answer.secrets:
        if consortium not in known and any(each[0].hash == consortium for each in chains):
            kept_pairing.keep(path, Shared(consortium, secret))
    desk.take_contacts(state.load(path), answer.contacts)


def _step(joiner: Joiner, joining: Joining, box: Mailboxes, yes: bool) -> tuple[Joining, Told]:
    paper, other = _read(box, joining.secret, INVITER), _read(box, joining.secret, JOINER)
    if joining.stage is Stage.ADMITTED:
        return joining, Told("admitted")
    match paper:
        case None if joining.paper is None:
            raise NoInvitation(link=", ".join(str(each.url) for each in desk.links()))
        case None:  # The broker has forgotten it; the other side says it again.
            _post(box, joining)
            return joining, Told("waiting")
        case Paper(said=Answer() as answer):
            return _answered(joiner, joining, box, (paper, answer))
    if other is not None and other.author.key != joiner.key:
        raise InvitationUsed
    address = pairing.Address(joining.invited, joining.secret, joining.roster)
    _, standing = admission.read_offer(paper, address, desk.now_s())
    inviter = standing.newest.organisation(admission.believe(paper, standing.newest).issuer)
    if joining.inviter != inviter.id:
        confirm(_introduced(joining, standing, inviter), inviter.id, yes)
        joining = replace(joining, inviter=inviter.id)
    joining = joiner.asked(joining, standing)
    kept_pairing.keep(joiner.path, joining)
    _post(box, joining)
    return joining, Told("waiting", (inviter.name,))


def _introduced(joining: Joining, standing: Standing, inviter: Organisation) -> list[str]:
    if joining.invited is Invited.NODE:
        return [say("This gateway is to belong to {name}. Its fingerprint:", name=inviter.name)]
    members = ", ".join(each.name for each in standing.newest.organisations)
    name = standing.newest.name
    return [
        say(
            "{name} invites into the consortium '{consortium}'", name=inviter.name, consortium=name
        ),
        say("Its members: {names}", names=members),
        say("The fingerprint of {name}, which your colleague there reads out:", name=inviter.name),
    ]


def _answered(
    joiner: Joiner, joining: Joining, box: Mailboxes, said: tuple[Paper, Answer]
) -> tuple[Joining, Told]:
    paper, answer = said
    if answer.to is not None and answer.to != joiner.key:
        raise InvitationUsed
    if answer.outcome is Outcome.USED and answer.to == joiner.key:
        _post(box, joining)  # The broker forgot our wish, and the inviter thinks it is fulfilled.
        return joining, Told("waiting")
    if answer.outcome is Outcome.REFUSED and joining.paper is not None:
        kept_pairing.keep(joiner.path, replace(joining, stage=Stage.REFUSED))
    admission.check_answer(answer)
    if answer.outcome is Outcome.WAITING:
        _post(box, joining)
        return joining, Told("waiting", answer.waiting)
    chains = admission.read_chains(answer)
    if not chains or not any(each.hash.startswith(joining.roster) for each in chains[0]):
        raise MalformedDocument(reason="it answers with another roster than the address")
    admission.believe(paper, chains[0][-1])
    joiner.admitted(joining, answer, chains)
    joining = replace(joining, stage=Stage.ADMITTED)
    kept_pairing.keep(joiner.path, joining)
    box.post(Place(pairing.mailbox(joining.secret).tag, JOINER), b"")
    return joining, Told("admitted")


def _read(box: Mailboxes, secret: bytes, slot: str) -> Paper | None:
    """Read what lies in a slot; where brokers differ, what can be read."""
    closed = pairing.mailbox(secret)
    fault: MalformedDocument | None = None
    for content in box.read().get(Place(closed.tag, slot), ()):
        try:
            return pairing.decode(pairing.open_sealed(closed, slot, content))
        except MalformedDocument as raised:
            fault = raised
    if fault is not None and slot == INVITER:
        raise fault
    return None


def _post(box: Mailboxes, joining: Joining) -> None:
    """Post what was asked for, unless it lies there."""
    closed = pairing.mailbox(joining.secret)
    where = Place(closed.tag, JOINER)
    if joining.paper is None or any(
        desk.says(closed, where, each, joining.paper) for each in box.read().get(where, ())
    ):
        return
    box.post(where, pairing.seal(closed, JOINER, joining.paper, random_bytes(NONCE_BYTES)))
