"""What the organisation's root answers to a request, on the machine where it is.

In: the opened root, its folder and a request. Out: the answer, which is verified before it leaves.
It asks nobody: the command line tells a person what is signed, and asks first.
Protocol: docs/protocol/identity.md.
"""

from pathlib import Path

from gateway.errors import RosterSigned, UnknownOrganisation
from gateway.records import identity, roster, succession
from gateway.records.cose import SigningKey
from gateway.records.identity import Named, Validity
from gateway.records.request import (
    Answer,
    NodeRequest,
    PersonRequest,
    Request,
    RevocationRequest,
    RosterRequest,
)
from gateway.records.roster import Organisation, Roster
from gateway.store import consortium

FIRST_COUNTER = 1


def own(state_dir: Path) -> Organisation:
    """Give the organisation whose folder it is, as its own newest roster has it."""
    first = consortium.own_roster(state_dir)
    # `init` and `org create` make a roster 0 of one.
    newest = consortium.newest(consortium.load_rosters(state_dir), first.consortium)
    try:
        return newest.organisation(first.organisations[0].id)
    except UnknownOrganisation:  # it left the consortium that it founded
        return first.organisations[0]


def answer(state_dir: Path, root: SigningKey, wanted: Request, issued_s: int | None) -> Answer:
    """Sign what is asked for; raise RosterSigned, or an AuthorError where it cannot be."""
    by, valid = own(state_dir).id, Validity(issued_s)
    match wanted:
        case NodeRequest(name=name, public=public):
            ids, named = (by, wanted.node), Named(name, valid)
            signed = identity.issue_node(root, ids, public, FIRST_COUNTER, named)
            rosters = consortium.load_rosters(state_dir)
            first = consortium.own_roster(state_dir).consortium
            chain = consortium.chain(rosters, first)
            return Answer("node", (signed, *(each.encoded for each in chain)))
        case PersonRequest(person, counter, name, public):
            named = Named(name, valid)
            signed = identity.issue_person(root, (by, person), public, counter, named)
            return Answer("person", (signed,))
        case RevocationRequest(subject, counter):
            signed = identity.issue_revocation(root, (by, subject), counter, issued_s)
            return Answer("revocation", (signed,))
        case RosterRequest():
            return Answer("roster", (_roster(state_dir, root, wanted),))


def proposed(wanted: RosterRequest) -> tuple[Roster, Roster | None, bytes]:
    """Verify a request and give the roster proposed, the one before it, and the payload."""
    chain = roster.decode_chain(wanted.before)
    payload, signatures = roster.take_apart(wanted.proposal)
    if chain:
        return succession.decode(wanted.proposal, chain[-1]).roster, chain[-1], payload
    found = roster.read_first(payload)
    roster.verify(payload, signatures, [each.root for each in found.organisations])
    return found, None, payload


def _roster(state_dir: Path, root: SigningKey, wanted: RosterRequest) -> bytes:
    found, before, payload = proposed(wanted)
    rows = (*found.organisations, *(before.organisations if before else ()))
    if root.public not in {row.root for row in rows if row.id == own(state_dir).id}:
        reason = "the organisation has no part in it under this key"
        raise RosterSigned(number=found.number, reason=reason)
    _, signatures = roster.take_apart(wanted.proposal)
    signature = consortium.sign_roster(state_dir, root, payload, before, wanted.shown)
    signed = roster.assemble(payload, [*signatures, signature])
    if before is not None:
        succession.decode(signed, before)  # Never sign what nobody would accept.
    return signed
