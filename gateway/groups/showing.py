"""What each statement of a proof judges: one function a step. Protocol: docs/protocol/proof.md.

In: a part of a proof, and what the steps before it gave. Out: what the part shows, or the error of
what does not hold in it; AdditionUnproven, NotAgreed and TooFewWitnesses say that something is not
shown, which is no fault. It never believes a part by itself, nor says what steps there are.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from gateway.errors import (
    AdditionUnproven,
    AuthorError,
    BadAck,
    BadBody,
    BadNote,
    MalformedPack,
    NotAgreed,
    ProofFails,
    TooFewWitnesses,
    UnknownRoster,
    WrongFeed,
)
from gateway.groups import agreement, announcement, finality, group, status
from gateway.groups.agreement import Entry
from gateway.groups.finality import Witnesses
from gateway.groups.group import Group, Member
from gateway.groups.heard import Author, Heard, Reading, Row
from gateway.groups.membership import Add, Membership
from gateway.groups.status import Requirements, Span
from gateway.readings import senml
from gateway.records import attestation, checkpoint, feed, journal, merkle, note, record, roster
from gateway.records.checkpoint import Checkpoint
from gateway.records.feed import Credentials
from gateway.records.proof import Certificates, Founded, Journaled, Opening, Pair, Receipt
from gateway.records.record import Kind, Record
from gateway.records.roster import Roster

OF_MEMBERS: Final = frozenset({Kind.GENESIS, Kind.ANNOUNCEMENT, Kind.MEMBERSHIP, Kind.RECEIPT})


@dataclass(frozen=True, slots=True)
class Party:
    """A node, and the organisation that vouches for it, with what the roster calls it."""

    node: bytes
    organisation: bytes
    name: str


@dataclass(frozen=True, slots=True)
class Voice:
    """An organisation that was to say something of a record, and whether it was shown to have."""

    organisation: bytes
    name: str
    given: bool


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has signed that it holds a record; by a receipt record it agrees, by an ACK not yet."""

    party: Party
    agrees: bool


@dataclass(frozen=True, slots=True)
class View:
    """The view that a record of the author's feed states, and of which of its keys it is."""

    seq: int
    names: tuple[bytes, ...]
    key_number: int  # 0 where it is of no key of this feed


@dataclass(frozen=True, slots=True)
class Among:
    """The group of a record as it is shown: its founding, its members, and the author's views."""

    group: Group
    heard: Heard
    members: Membership
    views: tuple[View, ...] = ()

    def check(self, by: Credentials, feed: bytes, seq: int) -> Credentials:
        """See that a node's record at a place counts; raise AdditionUnproven where it may not."""
        node = by.node.subject
        known = {each.organisation for each in self._known() if each.node == node}
        if by.node.issuer not in known or not self.members.counts(feed, seq, node):
            raise AdditionUnproven(node=node.hex(), group=self.group.id.hex()[:16])
        return by

    def _known(self) -> Iterable[Member]:
        acts = (change.act for change in self.heard.changes)
        added = (act.member for act in acts if isinstance(act, Add))
        cut = [each for each in added if each.node in self.members.cuts]
        return (*self.members.members, *self.group.founding.members, *cut)


@dataclass(slots=True)
class _Shown:
    """One feed of the group among the records of members."""

    author: Author
    run_key: bytes
    rows: list[Row] = field(default_factory=list)


def chain(encoded: Sequence[bytes], trusted: Collection[bytes]) -> tuple[Roster, ...]:
    """Verify the rosters from number 0 on; one that is trusted vouches for those linked to it."""
    found = roster.decode_chain(encoded)
    if not any(each.hash in trusted for each in found):
        raise UnknownRoster(roster=found[-1].hash.hex())
    return found


def credentials(certificates: Certificates, within: Sequence[Roster]) -> Credentials:
    """Verify certificates by the newest of the rosters that does."""
    found = feed.decode_credentials(*certificates)
    for each in reversed(within[1:]):
        with suppress(AuthorError):
            found.verify(each)
            return found
    found.verify(within[0])
    return found


def record_of(encoded: bytes, by: Credentials) -> Record:
    """Verify a record of a run, in its own feed."""
    shown = record.decode(encoded, by.run.key)
    if shown.feed != feed.feed_id(by.run.key, shown.group):
        raise WrongFeed(part="feed")
    return shown


def body(said: Record, opening: Opening) -> Opening:
    """See that an opening is the one that a record committed to."""
    if said.body is None:
        raise BadBody(reason="the record has no body")
    if record.commitment(opening.salt, opening.content) != said.body.commitment:
        raise BadBody(reason="its content is not the one committed to")
    if said.key_number == 0:
        record.check_body(said, record.clear_body(opening.content, opening.salt))
    return opening


def claimed(said: Record, opening: Opening | None) -> bytes | None:
    """Give the pack in which something claims to be signed by a device, if there is one."""
    if opening is None or said.body is None or said.body.content_type != senml.CONTENT_TYPE:
        return None
    try:
        return opening.content if attestation.claims(opening.content) else None
    except MalformedPack:
        return None  # nobody can read it, so it claims nothing


def founded_group(said: Record, founded: Founded, within: Sequence[Roster]) -> Group:
    """Verify the founding of a record's group."""
    founder = feed.decode_credentials(*founded.certificates)
    found = group.verify_among(founded.founding, founder, within, secret=b"")
    if found.id != said.group:
        raise WrongFeed(part="group")
    return found


def members(said: Record, found: Group, pairs: Sequence[Pair], within: Sequence[Roster]) -> Among:
    """Verify the records of members of a group, each after its feed's genesis, and fold them."""
    feeds: dict[bytes, _Shown] = {}
    known, shown = {each.hash: each for each in within}, set[bytes]()
    for encoded, stored in pairs:
        read = _read(feeds, encoded, stored, known)
        if read.group != found.id:
            raise WrongFeed(part="group")
        shown.add(read.id)
    reading = Reading(known)
    for each in feeds.values():
        reading.read(each.author, each.rows)
    heard = reading.conclude(found.founding, lambda names: names & shown)
    own = feeds.get(said.feed)
    views = () if own is None else tuple(_views(own))
    return Among(found, heard, heard.fold(), views)


def holder(said: Record, receipt: Receipt, within: Sequence[Roster], among: Among | None) -> Holder:
    """See that a member has signed for a head above the record, and that it owes no body of it."""
    by = credentials(receipt.certificates, within)
    place, entries = _entries(said, receipt, by)
    for entry in entries:
        if entry.head.feed == said.feed:
            _check_entry(said, entry, receipt.path)
            if among is not None:
                among.check(by, *place)
            agrees = receipt.body is not None and said.seq < entry.cover.prefix
            return Holder(party(by, within), agrees)
    raise BadAck(reason="it says nothing of this record's feed")


def agreed(
    said: Record, by: Credentials, needed: frozenset[bytes], agreeing: Collection[bytes]
) -> frozenset[bytes]:
    """See that all organisations that a record needs have receipted it; raise NotAgreed."""
    covers = dict.fromkeys(agreeing, said.seq + 1)
    if status.agreed(by.node.issuer, [Span(said.seq, needed)], covers) > said.seq:
        return needed
    lacking = sorted(needed - {by.node.issuer, *agreeing})
    if not lacking:
        raise NotAgreed(reason="no other organisation has receipted it")
    names = ", ".join(each.hex() for each in lacking)
    raise NotAgreed(reason=f"no receipt of {names}")


def required(said: Record, among: Among) -> frozenset[bytes]:
    """Give the organisations that must receipt a record, by the view it was written in."""
    before = [each for each in among.views if each.seq <= said.seq]
    if not before or (
        said.key_number and all(each.key_number != said.key_number for each in before)
    ):
        raise NotAgreed(reason="the view that the record was written in was not shown")
    heard = among.heard
    requirements = Requirements(heard.founding, heard.changes, heard.vouchers, heard.beginnings)
    found = requirements.of(before[-1].names)
    if found is None:
        raise NotAgreed(reason="by its view nothing is agreed, or the view was not shown whole")
    return found


def journal_of(
    said: Record, by: Credentials, shown: Journaled, within: Sequence[Roster]
) -> Checkpoint:
    """See that a record is under a checkpoint of its node's journal."""
    head = shown.head
    if head.feed != said.feed:
        raise ProofFails(reason="the head in the journal is of another feed")
    if merkle.root_by_inclusion(said.id, said.seq, head.size, shown.path) != head.root:
        raise ProofFails(reason="the path does not lead to the head in the journal")
    run = credentials(shown.certificates, within)
    if (run.node.subject, run.node.issuer) != (by.node.subject, by.node.issuer):
        raise ProofFails(reason="the journal is of another node")
    found = checkpoint.verify(shown.checkpoint, run.run.key)
    if len(note.parse(shown.checkpoint).signatures) != 1:
        raise ProofFails(reason="the checkpoint has lines of others than its run")
    journal.Entry(shown.index, head, shown.way).check(found)
    return found


def witnesses(among: Among, within: Sequence[Roster]) -> Witnesses:
    """Give the witnesses that count in a group, by its members as they are shown."""
    named = among.group.founding.policies.witnesses
    members = {each.organisation for each in among.members.members}
    return finality.witnesses(named, members, within[-1])


def cosigner(text: str, line: str, within: Sequence[Roster]) -> bytes:
    """Give the organisation whose witness, by the newest roster, cosigned a checkpoint by a line.

    Whether it counts in a group is another question.
    """
    name = note.parse_line(line).name
    for each in within[-1].organisations:
        if each.witness is not None and checkpoint.witness_name(each.id) == name:
            note.check_cosignature(text, line, name, each.witness)
            return each.id
    raise BadNote(name=name, reason="no witness in the roster is called so")


def enough(given: Collection[bytes], of: Witnesses) -> Collection[bytes]:
    """See that enough witnesses cosigned; raise TooFewWitnesses."""
    if not of.suffice(given):
        raise TooFewWitnesses(count=len(given), total=len(of.keys), needed=of.quorum)
    return given


def party(by: Credentials, within: Sequence[Roster]) -> Party:
    """Name a node's organisation as the newest roster that has it does."""
    organisation = by.node.issuer
    return Party(by.node.subject, organisation, name_of(organisation, within))


def name_of(organisation: bytes, within: Sequence[Roster]) -> str:
    """Give what the newest roster that has an organisation calls it."""
    rows = [each for one in reversed(within) for each in one.organisations]
    return next((each.name for each in rows if each.id == organisation), "")


def _read(
    feeds: dict[bytes, _Shown], encoded: bytes, stored: bytes, known: Mapping[bytes, Roster]
) -> Record:
    """Verify one record of members, and put it with its feed's."""
    said = record.parse(encoded)
    if said.kind not in OF_MEMBERS:
        raise ProofFails(reason="a record among those of members says nothing of them")
    if said.kind is Kind.GENESIS:
        _, opened, _ = feed.open_feed(encoded, stored, known)
        author = Author(opened.id, opened.node, opened.organisation)
        feeds.setdefault(said.feed, _Shown(author, opened.run_key))
    shown = feeds.get(said.feed)
    if shown is None or (shown.rows and shown.rows[-1][0] >= said.seq):
        raise ProofFails(reason="records of members are not each after what they need")
    record.decode(encoded, shown.run_key)
    record.check_body(said, stored)
    shown.rows.append((said.seq, int(said.kind), encoded, stored))
    return said


def _views(own: _Shown) -> Iterable[View]:
    for seq, kind, _, stored in own.rows:
        content = (stored or b"")[record.SALT_BYTES :]
        match kind:
            case Kind.GENESIS:
                yield View(seq, feed.decode_genesis(content).view.membership, 0)
            case Kind.ANNOUNCEMENT:
                with suppress(AuthorError):  # what is none changes nothing
                    said = announcement.decode(content)
                    number = said.number if said.feed == own.author.feed else 0
                    yield View(seq, said.view.membership, number)


def _entries(
    said: Record, receipt: Receipt, by: Credentials
) -> tuple[tuple[bytes, int], tuple[Entry, ...]]:
    """Verify what a run signed that it holds; give where it says so, and what."""
    own = feed.feed_id(by.run.key, said.group)
    if receipt.body is None:
        ack = agreement.decode(receipt.signed).verify(by.run.key)
        if ack.group != said.group:
            raise BadAck(reason="it is of another group")
        return (own, 0), ack.entries
    signed = record_of(receipt.signed, by)
    if signed.group != said.group or signed.kind is not Kind.RECEIPT:
        raise BadAck(reason="it is no receipt, or of another group")
    content = record.check_body(signed, receipt.body)
    return (own, signed.seq), agreement.decode_receipt(content)


def _check_entry(said: Record, entry: Entry, path: Sequence[bytes]) -> None:
    if any(low <= said.seq < high for low, high in entry.ranges):
        raise BadAck(reason="its signer says that it does not hold this record's body")
    head = entry.head
    if merkle.root_by_inclusion(said.id, said.seq, head.size, path) != head.root:
        raise ProofFails(reason="the path does not lead to the head that was signed for")
