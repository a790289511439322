"""`node`: the gateways of this organisation, and how one more comes to it.

In: what people type and confirm. Out: an invitation, a certificate, a revocation; and a list. The
root's signature is under the passphrase, or made where the root key is, by files.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli import desk, pairing as people, place
from gateway.cli.desk import Desk
from gateway.cli.inviting import Days, Qr, Withdraw, offered, tell_address, when, withdrawn
from gateway.cli.pairing import AsJson, PassphraseFile, Refuse, Wait, Where, Who, Yes
from gateway.cli.setting_up import fingerprint
from gateway.cli.signer import RequestFile, SignedFile, Signer
from gateway.cli.words import plain, say
from gateway.clock import random_bytes
from gateway.errors import (
    MalformedDocument,
    MalformedRequest,
    NobodyWaits,
    StateMissing,
    StateUnfinished,
    UnknownMember,
)
from gateway.groups.admission import Standing
from gateway.groups.pairing import Answer, Invited, Newcomer
from gateway.records import identity, request
from gateway.records.cose import key_id
from gateway.records.identity import Certificate
from gateway.records.request import NodeRequest, RevocationRequest
from gateway.records.roster import Organisation, Roster
from gateway.store import pairing as kept_pairing, signing, state
from gateway.store.pairing import Invitation, Joining, Stage

commands = typer.Typer(no_args_is_help=True, help="This organisation's gateways.")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(commands, name="node")


@commands.command()
def invite(
    valid: Days = 7, qr: Qr = False, withdraw: Withdraw = False, as_json: AsJson = False
) -> None:
    """Print one address to paste, by which one gateway may ask to belong to this organisation."""
    if withdraw:
        withdrawn(Invited.NODE, as_json)
        return
    held = state.load(place.state_dir())
    within = held.newest(held.roster.hash)
    tell_address(offered(held, Invited.NODE, within, valid), within, qr, as_json)


@commands.command()
def join(
    address: Where = None,
    yes: Yes = False,
    wait: Wait = 0,
    as_json: AsJson = False,
) -> None:
    """Ask one's organisation for a certificate; the config has the name, the folder and a link."""
    config = place.config()
    joiner = NodeJoins(Path(config.gateway.state_dir), config.gateway.name)
    joining = people.begun(address, Invited.NODE, joiner.path)
    told = people.join(joiner, joining, yes, wait)
    node = key_id(joiner.key)
    facts = {"state": told.state, "waiting": list(told.names), "fingerprint": fingerprint(node)}
    if told.state == "admitted":
        lines = [say("Admitted. Next: 'hulian check' and 'hulian run'")]
    else:
        lines = people.waiting(told, Invited.NODE, joiner.name, node)
    people.tell(facts, lines, as_json)


@commands.command()
def admit(
    name: Who,
    refuse: Refuse = False,
    yes: Yes = False,
    passphrase_file: PassphraseFile = None,
    request_file: RequestFile = None,
    signed_file: SignedFile = None,
    as_json: AsJson = False,
) -> None:
    """Compare the fingerprint of a gateway that waits, and certify it."""
    with desk.attended() as at:
        invitation, asked = _find(at, name)
        if refuse:
            at.update(replace(invitation, stage=Stage.REFUSED))
            people.tell({"refused": asked.name}, [say("{name} is refused", name=name)], as_json)
            return
        told = say("{name} asks to be a gateway of this organisation. Its fingerprint:", name=name)
        people.confirm([told], asked.node, yes)
        signer = Signer(passphrase_file, request_file, signed_file)
        answer = signer.sign(at.held.path, asked)
        if answer is None:
            people.tell({"state": "to sign"}, signer.carried(), as_json)
            return
        _check(answer.signed[0], signing.own(at.held.path), asked)
        at.update(replace(invitation, certificate=answer.signed[0]))
    lines = [
        say("{name} is admitted; there 'hulian node join' is typed once more", name=asked.name)
    ]
    people.tell({"state": "admitted", "node": asked.node.hex()}, lines, as_json)


@commands.command("list")
def list_nodes(as_json: AsJson = False) -> None:
    """List this organisation's gateways, and who waits to be one."""
    with desk.attended() as at:
        held = kept_pairing.load_revocations(at.held.path)
        revoked = [identity.decode(each, "revocation") for each in held]
        nodes = [_row(at, each, revoked) for each in _nodes(at)]
        waiting = [
            {"name": asked.name, "node": asked.node.hex(), "since": when(invitation.heard_s)}
            for invitation, asked in _newcomers(at)
        ]
    lines = []
    for row in nodes:
        marks = [say("this gateway")] * bool(row["own"]) + [say("revoked")] * bool(row["revoked"])
        lines.append(f"{plain(str(row['name']))}  {row['id']}  {', '.join(marks)}".rstrip())
    for each in waiting:
        lines += [
            say("{name} waits since {since}", name=each["name"], since=each["since"] or "-"),
            f'    {say("Next:")} hulian node admit "{each["name"]}"',
        ]
    people.tell({"nodes": nodes, "pending": waiting}, lines, as_json)


@commands.command()
def revoke(
    name: Annotated[str, typer.Argument(metavar="NAME", help="a gateway, or its id")],
    yes: Yes = False,
    passphrase_file: PassphraseFile = None,
    request_file: RequestFile = None,
    signed_file: SignedFile = None,
    as_json: AsJson = False,
) -> None:
    """End a gateway that was stolen or given away: all that is new under its certificate."""
    with desk.attended() as at:
        ended = _named(at, name)
        told = say("{name} is to be revoked, for good. Its fingerprint:", name=ended.name)
        people.confirm([told], ended.subject, yes)
        wanted = RevocationRequest(ended.subject, ended.counter, ended.name)
        signer = Signer(passphrase_file, request_file, signed_file)
        answer = signer.sign(at.held.path, wanted)
        if answer is None:
            people.tell({"state": "to sign"}, signer.carried(), as_json)
            return
        revocation, organisation = answer.signed[0], signing.own(at.held.path)
        said = identity.decode(revocation, "revocation")
        said.verify(organisation.id, organisation.root)
        if said.subject != ended.subject:
            raise MalformedRequest(reason="the file answers another request")
        kept_pairing.keep_revocation(at.held.path, revocation)
    lines = [
        say("{name} is revoked; the members learn it with their next command", name=ended.name)
    ]
    people.tell({"state": "revoked", "node": ended.subject.hex()}, lines, as_json)


@dataclass(frozen=True, slots=True)
class NodeJoins:
    """This gateway, as it joins its organisation."""

    path: Path
    name: str

    @property
    def key(self) -> bytes:
        """Give the node's key, made when it is first asked for."""
        try:
            return state.load(self.path).node_key.public
        except (StateMissing, StateUnfinished):
            asked = request.decode(state.prepare_node(self.path, self.name, random_bytes))
            assert isinstance(asked, NodeRequest)
            return asked.public

    def asked(self, joining: Joining, standing: Standing) -> Joining:
        """Ask for a certificate."""
        return replace(joining, paper=state.prepare_node(self.path, self.name, random_bytes))

    def admitted(self, joining: Joining, answer: Answer, chains: list[tuple[Roster, ...]]) -> None:
        """Become the gateway that was certified, and learn what the others know."""
        if answer.certificate is None:
            raise MalformedDocument(reason="there is no certificate in it")
        if identity.decode(answer.certificate, "node").issuer != joining.inviter:
            raise MalformedDocument(reason="another organisation certified this gateway")
        try:
            state.load(self.path)
        except StateUnfinished:
            own = [each.encoded for each in chains[0]]
            state.complete_node(self.path, answer.certificate, own)
        people.keep_answer(self.path, answer, chains)


def _newcomers(at: Desk) -> Iterator[tuple[Invitation, NodeRequest]]:
    for invitation in at.kept.invitations:
        paper = at.paper(invitation)
        if invitation.stage is not Stage.OPEN or invitation.certificate is not None:
            continue
        if paper is not None and isinstance(paper.said, Newcomer):
            yield invitation, paper.said.request


def _find(at: Desk, name: str) -> tuple[Invitation, NodeRequest]:
    found = list(_newcomers(at))
    for invitation, asked in found:
        if name in (asked.name, asked.node.hex(), identity.show_id(asked.node)):
            return invitation, asked
    waiting = ", ".join(asked.name for _, asked in found) or "-"
    raise NobodyWaits(name=name, waiting=waiting, command="hulian node list")


def _nodes(at: Desk) -> list[Certificate]:
    """Give the certificates of this organisation's gateways, this one's first."""
    own = identity.decode(at.held.node, "node")
    others = [each.node for each in at.held.contacts.values() if each.node.issuer == own.issuer]
    return [own, *sorted(others, key=lambda each: (each.name, each.subject))]


def _named(at: Desk, name: str) -> Certificate:
    nodes = _nodes(at)
    for each in nodes:
        if name in (each.name, each.subject.hex(), identity.show_id(each.subject)):
            return each
    raise UnknownMember(name=name, names=", ".join(each.name for each in nodes))


def _row(at: Desk, node: Certificate, revoked: Sequence[Certificate]) -> dict[str, object]:
    return {
        "name": node.name,
        "node": node.subject.hex(),
        "id": identity.show_id(node.subject),
        "own": node.subject == at.held.node_id,
        "revoked": any(each.revokes(node) for each in revoked),
    }


def _check(certificate: bytes, organisation: Organisation, asked: NodeRequest) -> None:
    found = identity.decode(certificate, "node")
    found.verify(organisation.id, organisation.root)
    if found.key != asked.public:
        raise MalformedRequest(reason="the file answers another request")
