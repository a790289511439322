"""Who comes in and who must go: proposals of next rosters, joined from many members' words.

In: the rosters held, and papers that lay in mailboxes. Out: what a member knows of its consortium,
the same for any order of papers; whom an offer or an answer lets in. Papers of strangers, and those
that do not verify, count nothing and stop nobody. Protocol: docs/protocol/pairing.md.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gateway.errors import (
    AuthorError,
    InvitationExpired,
    InvitationUsed,
    JoiningRefused,
    MalformedDocument,
)
from gateway.groups.pairing import (
    Address,
    Answer,
    Applicant,
    Motion,
    Notice,
    Offer,
    Outcome,
    Paper,
)
from gateway.records import cose, identity, roster, succession
from gateway.records.identity import Certificate
from gateway.records.roster import Missing, Organisation, Roster

Contact = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Change:
    """What a proposal does to the roster before it."""

    joining: tuple[Organisation, ...]
    leaving: tuple[Organisation, ...]
    changing: tuple[Organisation, ...] = ()  # as they are to be: of keys or name

    @property
    def names(self) -> tuple[str, ...]:
        """Name those it is about."""
        return tuple(each.name for each in self.organisations)

    @property
    def organisations(self) -> tuple[Organisation, ...]:
        """Give those it is about."""
        return (*self.joining, *self.leaving, *self.changing)


@dataclass(frozen=True, slots=True)
class Open:
    """A motion that lacks signatures still, and what it comes to."""

    motion: Motion
    roster: Roster
    change: Change
    missing: Missing


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a consortium: its rosters, what is moved, its gateways, who is revoked."""

    chain: tuple[Roster, ...]
    motions: Mapping[bytes, Motion] = field(default_factory=dict)  # by the roster they propose
    contacts: Mapping[bytes, Contact] = field(default_factory=dict)  # by node
    revocations: tuple[bytes, ...] = ()

    @property
    def newest(self) -> Roster:
        """Give the roster that counts now."""
        return self.chain[-1]

    @property
    def attempt(self) -> int:
        """Give the first attempt at the next roster that can still reach the quorum."""
        attempt = 0
        while succession.is_stuck(self.newest, attempt, self.shown(attempt)):
            attempt += 1
        return attempt

    def shown(self, attempt: int) -> list[bytes]:
        """Give the proposals of an attempt."""
        read = [(each, roster.take_apart(each.proposal)[0]) for each in self.motions.values()]
        return [
            each.proposal
            for each, payload in read
            if roster.read_next(payload, self.newest).attempt == attempt
        ]

    def open_motions(self) -> list[Open]:
        """Give what waits for signatures, each with who is missing."""
        found = []
        for motion in self.motions.values():
            proposal = succession.decode(motion.proposal, self.newest)
            what = change(proposal.roster, self.newest)
            found.append(Open(motion, proposal.roster, what, proposal.missing))
        return sorted(found, key=lambda each: (each.roster.attempt, each.roster.hash))


def change(proposed: Roster, before: Roster) -> Change:
    """Say who joins, who leaves, and of whom a key or the name changes."""
    old, new = ({each.id: each for each in one.organisations} for one in (before, proposed))
    return Change(
        tuple(each for key, each in new.items() if key not in old),
        tuple(each for key, each in old.items() if key not in new),
        tuple(each for key, each in new.items() if key in old and each != old[key]),
    )


def admitting(before: Roster, organisation: Organisation, attempt: int) -> bytes:
    """Write the payload of the next roster with one organisation more; raise MalformedRoster."""
    return roster.compose_next(before, (*before.organisations, organisation), attempt)


def expelling(before: Roster, organisation: bytes, attempt: int) -> bytes:
    """Write the payload of the next roster with one organisation less; raise MalformedRoster."""
    rest = [each for each in before.organisations if each.id != organisation]
    return roster.compose_next(before, rest, attempt)


def naming_witness(
    before: Roster, organisation: bytes, witness: bytes | None, attempt: int
) -> bytes:
    """Write the payload of the next roster with an organisation's witness; raise as `admitting`."""
    rows = [
        replace(each, witness=witness) if each.id == organisation else each
        for each in before.organisations
    ]
    return roster.compose_next(before, rows, attempt)


def believe(paper: Paper, within: Roster) -> Certificate:
    """Give the author's certificate if a member vouches for it; raise MalformedDocument."""
    node = paper.author.node
    if node is None:
        raise MalformedDocument(reason="its author has no certificate")
    try:
        node.verify(node.issuer, within.organisation(node.issuer).root)
    except AuthorError as fault:
        raise MalformedDocument(reason=fault) from None
    return node


def check_applicant(paper: Paper, before: Roster, attempt: int) -> Applicant | None:
    """Give who asks to be admitted; None where it signed for an earlier roster or attempt.

    Raises MalformedDocument where its gateway is not its own, or its signature does not verify.
    """
    said, node = paper.said, paper.author.node
    if not isinstance(said, Applicant) or node is None:
        raise MalformedDocument(reason="it is not from an organisation that asks to be admitted")
    row = said.organisation
    try:
        node.verify(row.id, row.root)
        cose.decode(said.signature, "roster", said.payload).verify(row.root)
        wanted = admitting(before, row, attempt)
    except AuthorError as fault:
        raise MalformedDocument(reason=fault) from None
    return said if said.payload == wanted else None


def read_offer(paper: Paper, address: Address, now_s: int | None) -> tuple[Offer, Standing]:
    """Verify an offer against the address that led to it; raise MalformedDocument or expired."""
    offer = paper.said
    if not isinstance(offer, Offer):
        raise MalformedDocument(reason="it is no offer")
    try:
        chain = roster.decode_chain(offer.rosters)
    except AuthorError as fault:
        raise MalformedDocument(reason=fault) from None
    if not any(each.hash.startswith(address.roster) for each in chain):
        raise MalformedDocument(reason="it offers another roster than the address")
    if offer.invited is not address.invited:
        raise MalformedDocument(reason="it invites somebody else than the address")
    believe(paper, chain[-1])
    if now_s is not None and offer.expires_s is not None and now_s >= offer.expires_s:
        raise InvitationExpired
    return offer, standing_of(chain, [Motion(each) for each in offer.shown])


def check_answer(answer: Answer) -> None:
    """Raise what an answer that lets nobody in means."""
    match answer.outcome:
        case Outcome.USED:
            raise InvitationUsed
        case Outcome.EXPIRED:
            raise InvitationExpired
        case Outcome.REFUSED:
            raise JoiningRefused


def read_chains(answer: Answer) -> list[tuple[Roster, ...]]:
    """Verify the rosters of an answer, a consortium after another; raise MalformedDocument."""
    try:
        return [roster.decode_chain(each) for each in answer.rosters]
    except AuthorError as fault:
        raise MalformedDocument(reason=fault) from None


def merge(standing: Standing, papers: Iterable[Paper]) -> Standing:
    """Add what members say; a roster whose signatures are complete becomes the newest."""
    said = [each for each in papers if isinstance(each.said, Notice)]
    chain = standing.chain
    for paper in said:
        chain = _longer(chain, paper)
    moved: list[Iterable[Motion]] = [standing.motions.values()]
    contacts, revoked = dict(standing.contacts), set(standing.revocations)
    for paper in said:
        try:
            node = believe(paper, chain[-1])
        except MalformedDocument:
            continue
        notice = paper.said
        assert isinstance(notice, Notice)
        contacts[node.subject] = (node.encoded, paper.author.encryption.encoded)
        moved.append(notice.motions)
        revoked |= {each for each in notice.revocations if _is_revoked_by(each, chain[-1])}
    known = replace(standing, chain=chain, contacts=contacts, revocations=tuple(sorted(revoked)))
    return _completed(replace(known, motions=_joined(chain[-1], moved)))


def standing_of(chain: tuple[Roster, ...], motions: Iterable[Motion]) -> Standing:
    """Say how a consortium stands by its rosters and what is moved."""
    return _completed(Standing(chain, _joined(chain[-1], [motions])))


def add_motion(standing: Standing, motion: Motion) -> Standing:
    """Move something, or add signatures to it; a complete roster becomes the newest."""
    moved = _joined(standing.newest, [standing.motions.values(), [motion]])
    return _completed(replace(standing, motions=moved))


def _longer(chain: tuple[Roster, ...], paper: Paper) -> tuple[Roster, ...]:
    """Take a longer chain of the same consortium that begins as ours; nobody goes back."""
    notice = paper.said
    assert isinstance(notice, Notice)
    ours = [each.hash for each in chain]
    if len(notice.rosters) <= len(ours):
        return chain
    try:
        theirs = roster.decode_chain(notice.rosters)
    except AuthorError:
        return chain
    return theirs if [each.hash for each in theirs[: len(ours)]] == ours else chain


def _joined(before: Roster, moved: Sequence[Iterable[Motion]]) -> dict[bytes, Motion]:
    """Join motions of one roster each; those of another number, or unsound, are left out."""
    found: dict[bytes, Motion] = {}
    for motion in (each for motions in moved for each in motions):
        try:
            hash_ = succession.decode(motion.proposal, before).roster.hash
        except AuthorError:
            continue
        earlier = found.get(hash_, motion)
        times = [each.since_s for each in (earlier, motion) if each.since_s is not None]
        found[hash_] = Motion(
            succession.join([earlier.proposal, motion.proposal]),
            max((each.secret for each in (earlier, motion) if each.secret), default=None),
            min(times, default=None),
        )
    return found


def _completed(standing: Standing) -> Standing:
    for hash_, motion in sorted(standing.motions.items()):
        if not succession.decode(motion.proposal, standing.newest).missing:
            grown = roster.decode_next(motion.proposal, standing.newest)
            assert grown.hash == hash_
            return replace(standing, chain=(*standing.chain, grown), motions={})
    return standing


def _is_revoked_by(encoded: bytes, within: Roster) -> bool:
    try:
        said = identity.decode(encoded, "revocation")
        said.verify(said.issuer, within.organisation(said.issuer).root)
    except AuthorError:
        return False
    return True
