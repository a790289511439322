"""`consortium`: organisations that come together, by one address to paste and a telephone.

In: what people type and confirm. Out: invitations, signatures, and who waits for what. Every
command reads the mailboxes first and answers in them last, so each can be typed again at any time.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli import desk, pairing as people, place
from gateway.cli.desk import Desk
from gateway.cli.inviting import Days, Qr, Withdraw, offered, tell_address, withdrawn
from gateway.cli.pairing import AsJson, PassphraseFile, Refuse, Wait, Where, Who, Yes
from gateway.cli.setting_up import fingerprint
from gateway.cli.signer import RequestFile, SignedFile, Signer
from gateway.cli.standing import applicants, chosen, show
from gateway.cli.witness import tell_witness, witness_key
from gateway.cli.words import say
from gateway.errors import (
    AlreadyMember,
    ApplicationOld,
    ChangePending,
    MalformedRequest,
    NobodyWaits,
    UnknownMember,
)
from gateway.groups import admission, pairing
from gateway.groups.admission import Standing
from gateway.groups.pairing import Answer, Applicant, Invited, Motion
from gateway.records import roster, succession
from gateway.records.request import RosterRequest
from gateway.records.roster import Organisation, Roster
from gateway.store import pairing as kept_pairing, signing, state
from gateway.store.pairing import Invitation, Joining, Stage
from gateway.store.state import State

Which = Annotated[
    str | None, typer.Option("--consortium", metavar="NAME", help="which, where there are several")
]
Instead = Annotated[
    bool, typer.Option("--instead", help="although another change is not decided yet")
]
commands = typer.Typer(no_args_is_help=True, help="Organisations that share.")


def signed_by_root(signer: Signer, path: Path, standing: Standing, proposal: bytes) -> bytes | None:
    """Give the proposal with the root's signature; None where it was only asked for."""
    payload, _ = roster.take_apart(proposal)
    attempt = roster.read_next(payload, standing.newest).attempt
    shown = tuple(standing.shown(attempt - 1)) if attempt else ()
    chain = tuple(each.encoded for each in standing.chain)
    answer = signer.sign(path, RosterRequest(chain, proposal, shown))
    if answer is None:
        return None
    if roster.take_apart(answer.signed[0])[0] != payload:
        raise MalformedRequest(reason="the file answers another request")
    return answer.signed[0]


def register(app: typer.Typer) -> None:
    """Add these commands."""
    commands.command("show")(show)
    app.add_typer(commands, name="consortium")


@commands.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="what its members call it")],
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Found a consortium under a name of its own; the first member is this organisation."""
    held = state.load(place.state_dir())
    if name in [each.name for each in held.rosters.values()]:
        raise AlreadyMember(name=name)
    unsigned = roster.assemble(roster.compose(name, [signing.own(held.path)]), [])
    answer = Signer(passphrase_file, None, None).sign(held.path, RosterRequest((), unsigned))
    assert answer is not None, "no request file was named"
    founded = roster.decode(answer.signed[0])
    state.keep_roster(held.path, founded)
    lines = [
        say("The consortium '{name}' is founded", name=name),
        say("Next: type 'hulian consortium invite'"),
    ]
    people.tell({"consortium": founded.hash.hex(), "name": name}, lines, as_json)


@commands.command()
def invite(
    valid: Days = 7,
    qr: Qr = False,
    withdraw: Withdraw = False,
    consortium: Which = None,
    as_json: AsJson = False,
) -> None:
    """Print one address to paste, by which one organisation may ask to be admitted."""
    if withdraw:
        withdrawn(Invited.ORGANISATION, as_json)
        return
    held = state.load(place.state_dir())
    within = chosen(held, consortium)
    invitation = offered(held, Invited.ORGANISATION, within, valid)
    with desk.attended():
        pass
    tell_address(invitation, within, qr, as_json)


@commands.command()
def join(
    address: Where = None,
    yes: Yes = False,
    passphrase_file: PassphraseFile = None,
    request_file: RequestFile = None,
    signed_file: SignedFile = None,
    wait: Wait = 0,
    as_json: AsJson = False,
) -> None:
    """Ask to be admitted at an address; typed again, go on where it was."""
    held = state.load(place.state_dir())
    joining = people.begun(address, Invited.ORGANISATION, held.path)
    signer = Signer(passphrase_file, request_file, signed_file)
    joiner = OrganisationJoins(held, signer)
    told = people.join(joiner, joining, yes, wait)
    own = signing.own(held.path)
    facts = {"state": told.state, "waiting": list(told.names), "fingerprint": fingerprint(own.id)}
    if told.state == "admitted":
        lines = [say("Admitted. Next: 'hulian run', and a group with 'hulian group create'")]
    elif request_file is not None:
        lines = signer.carried()
    else:
        lines = people.waiting(told, Invited.ORGANISATION, own.name, own.id)
    people.tell(facts, lines, as_json)


@commands.command()
def approve(
    name: Who,
    refuse: Refuse = False,
    instead: Instead = False,
    yes: Yes = False,
    passphrase_file: PassphraseFile = None,
    request_file: RequestFile = None,
    signed_file: SignedFile = None,
    consortium: Which = None,
    as_json: AsJson = False,
) -> None:
    """Compare the fingerprint of who waits, and sign the next roster."""
    with desk.attended() as at:
        within = chosen(at.held, consortium)
        standing = at.standings[within.consortium]
        invitation, who = _waiting(at, within, name)
        if refuse and invitation is not None:
            at.update(replace(invitation, stage=Stage.REFUSED))
            people.tell({"refused": who.name}, [say("{name} is refused", name=who.name)], as_json)
            return
        motion = _motion(at, standing, who, invitation)
        _check_alone(standing, motion, instead)
        people.confirm([_about(standing, motion, who)], who.id, yes)
        signer = Signer(passphrase_file, request_file, signed_file)
        _sign(at, within.consortium, signer, motion, as_json)


@commands.command()
def expel(
    name: Annotated[str, typer.Argument(metavar="NAME", help="a member, or its id")],
    instead: Instead = False,
    yes: Yes = False,
    passphrase_file: PassphraseFile = None,
    request_file: RequestFile = None,
    signed_file: SignedFile = None,
    consortium: Which = None,
    as_json: AsJson = False,
) -> None:
    """Propose the next roster without a member; the quorum of all members decides."""
    with desk.attended() as at:
        within = chosen(at.held, consortium)
        standing = at.standings[within.consortium]
        who = people.named(name, standing.newest.organisations)
        if who is None:
            names = ", ".join(each.name for each in standing.newest.organisations)
            raise UnknownMember(name=name, names=names)
        payload = admission.expelling(standing.newest, who.id, standing.attempt)
        motion = Motion(roster.assemble(payload, []), None, at.now_s)
        _check_alone(standing, motion, instead)
        people.confirm([_about(standing, motion, who)], who.id, yes)
        signer = Signer(passphrase_file, request_file, signed_file)
        _sign(at, within.consortium, signer, motion, as_json)


@commands.command()
def witness(
    key: Annotated[
        str | None, typer.Argument(metavar="KEY", help="what 'hulian witness init' printed")
    ] = None,
    none: Annotated[bool, typer.Option("--none", help="name no witness any more")] = False,
    instead: Instead = False,
    passphrase_file: PassphraseFile = None,
    request_file: RequestFile = None,
    signed_file: SignedFile = None,
    consortium: Which = None,
    as_json: AsJson = False,
) -> None:
    """Name this organisation's witness in the next roster; without a key, say how to make one."""
    with desk.attended() as at:
        within = chosen(at.held, consortium)
        own = within.organisation(at.held.organisation)
        if key is None and not none:
            tell_witness(own, within, as_json)
            return
        named = None if key is None else witness_key(key)
        standing = at.standings[within.consortium]
        payload = admission.naming_witness(standing.newest, own.id, named, standing.attempt)
        motion = Motion(roster.assemble(payload, []), None, at.now_s)
        _check_alone(standing, motion, instead)
        signer = Signer(passphrase_file, request_file, signed_file)
        _sign(at, within.consortium, signer, motion, as_json)


@dataclass(frozen=True, slots=True)
class OrganisationJoins:
    """This organisation, as it joins a consortium."""

    held: State
    signer: Signer

    @property
    def path(self) -> Path:
        """Give the state directory."""
        return self.held.path

    @property
    def key(self) -> bytes:
        """Give the node's key."""
        return self.held.node_key.public

    def asked(self, joining: Joining, standing: Standing) -> Joining:
        """Sign the roster in which this organisation is a member."""
        own = signing.own(self.held.path)
        if own.id in [each.id for each in standing.newest.organisations]:
            raise AlreadyMember(name=own.name)
        payload = admission.admitting(standing.newest, own, standing.attempt)
        if joining.payload == payload and joining.paper is not None:
            return joining
        kept_pairing.keep(self.path, joining)  # whose fingerprint was the same
        proposal = roster.assemble(payload, [])
        signed = signed_by_root(self.signer, self.path, standing, proposal)
        if signed is None:
            return joining
        signature = roster.take_apart(signed)[1][0]  # the only one: nobody else has signed yet
        said = Applicant(own, payload, signature)
        certificates = (self.held.node, self.held.encryption)
        paper = pairing.encode(said, self.held.node_key, certificates)
        return replace(joining, payload=payload, paper=paper)

    def admitted(self, joining: Joining, answer: Answer, chains: list[tuple[Roster, ...]]) -> None:
        """Keep the consortium's rosters, its mailbox's secret and its gateways."""
        people.keep_answer(self.path, answer, chains)


def _waiting(at: Desk, within: Roster, name: str) -> tuple[Invitation | None, Organisation]:
    """Find who waits under a name; raise NobodyWaits."""
    known: list[tuple[Invitation | None, Organisation]] = []
    for invitation, said in applicants(at, within.consortium):
        known.append((invitation, said.organisation))
    for each in at.standings[within.consortium].open_motions():
        known += [(None, one) for one in each.change.organisations]
    who = people.named(name, [each for _, each in known])
    if who is None:
        waiting = ", ".join(sorted({each.name for _, each in known})) or "-"
        raise NobodyWaits(name=name, waiting=waiting, command="hulian consortium show")
    return next(each for each in known if each[1].id == who.id)


def _motion(
    at: Desk, standing: Standing, who: Organisation, invitation: Invitation | None
) -> Motion:
    """Give what is to be signed for somebody; raise ApplicationOld where they must ask anew."""
    for each in standing.open_motions():
        named = [one.id for one in each.change.organisations]
        if who.id in named and each.roster.attempt == standing.attempt:
            return each.motion
    paper = None if invitation is None else at.paper(invitation)
    if invitation is None or paper is None:
        raise ApplicationOld(name=who.name)
    said = admission.check_applicant(paper, standing.newest, standing.attempt)
    if said is None:
        raise ApplicationOld(name=who.name)
    proposal = roster.assemble(said.payload, [said.signature])
    return Motion(proposal, invitation.secret, invitation.heard_s)


def _check_alone(standing: Standing, motion: Motion, instead: bool) -> None:
    """Refuse to sign beside another change, which would keep both from the quorum."""
    proposed = succession.decode(motion.proposal, standing.newest).roster
    others = [
        name
        for each in standing.open_motions()
        if each.roster.attempt == proposed.attempt and each.roster.hash != proposed.hash
        for name in each.change.names
    ]
    if others and not instead:
        raise ChangePending(names=", ".join(others))


def _about(standing: Standing, motion: Motion, who: Organisation) -> str:
    change = admission.change(
        succession.decode(motion.proposal, standing.newest).roster, standing.newest
    )
    if who.id in [each.id for each in change.leaving]:
        return say("{name} is to leave the consortium. Its fingerprint:", name=who.name)
    if (row := next((each for each in change.changing if each.id == who.id), None)) is not None:
        key = row.witness.hex() if row.witness else "-"
        return say("The witness of {name} is to have the key {key}:", name=who.name, key=key)
    return say("{name} asks to be admitted. Its fingerprint, as they read it out:", name=who.name)


def _sign(at: Desk, consortium: bytes, signer: Signer, motion: Motion, as_json: bool) -> None:
    """Sign, and say what has become of it; who completes the quorum lets the joiner in."""
    before = at.standings[consortium]
    signed = signed_by_root(signer, at.held.path, before, motion.proposal)
    if signed is None:
        people.tell({"state": "to sign"}, signer.carried(), as_json)
        return
    grown = admission.add_motion(before, replace(motion, proposal=signed))
    at.adopt(consortium, grown)
    if len(grown.chain) > len(before.chain):
        at.let_in(motion, consortium)
        names = [each.name for each in grown.newest.organisations]
        facts = {"state": "decided", "roster": grown.newest.number, "members": names}
        lines = [
            say("Decided. The members are now: {names}", names=", ".join(names)),
            say("Whoever joins types 'hulian consortium join' once more"),
        ]
        people.tell(facts, lines, as_json)
        return
    missing = succession.decode(signed, before.newest).missing
    names = [each.name for each in (*missing.must, *missing.among)]
    facts = {"state": "waiting", "more": missing.more, "waiting": names}
    told = say("Signed. {count} more must: of {names}", count=missing.more, names=", ".join(names))
    lines = [told, say("They see it in 'hulian consortium show'")]
    people.tell(facts, lines, as_json)
