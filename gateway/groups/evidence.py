"""Evidence: what shows, without any trust in who shows it, that somebody broke a rule.

In: signed bytes that contradict each other, or bytes from anywhere and the rosters that are known.
Out: evidence; or who did what, with which feed ends where. It trusts certificates of a roster and
signatures alone, reads no store, and freezes nothing. Protocol: docs/protocol/evidence.md.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256
from typing import Final

from gateway.errors import (
    AuthorError,
    BadBody,
    BadSignature,
    EvidenceFails,
    MalformedCbor,
    MalformedEvidence,
    UnknownOrganisation,
    UnknownRoster,
    WrongIssuer,
)
from gateway.groups import journals, shown
from gateway.groups.shown import Author as Author
from gateway.records import cbor, cose, identity, record, roster
from gateway.records.feed import Rosters, feed_id
from gateway.records.identity import Certificate
from gateway.records.journal import Entry
from gateway.records.record import Record
from gateway.records.roster import Organisation, Roster
from gateway.records.sealing import KEY_BYTES

# With what a record, its seal and a message add, it travels as any body that is not apart.
EVIDENCE_BYTES_MAX: Final = 48_000
BODY_BYTES_MAX: Final = 40 * 1024
FILE_BYTES_MAX: Final = 16 * 1024 * 1024
_FILE_ITEMS_MAX: Final = 1024
_FILE_TYPE: Final = "hulian/1/evidence"
_ROSTERS_MAX: Final = 256


class Kind(IntEnum):
    """What rule was broken, in the order of chapter 10."""

    RECORD_FORK = 0
    JOURNAL_FORK = 1
    REWRITE = 2
    WITNESS_FORK = 3
    ROSTER_TWICE = 4
    BAD_BODY = 5


@dataclass(frozen=True, slots=True)
class RecordFork:
    """Two records of one run that cannot be in one feed, the earlier one first."""

    author: Author
    first: bytes
    second: bytes


@dataclass(frozen=True, slots=True)
class JournalFork:
    """Two checkpoints of one run's journal, of one size, with two roots."""

    author: Author
    first: bytes
    second: bytes


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Two checkpoints of one run's journal, and under both the leaf of one number: two heads."""

    author: Author
    first: bytes
    second: bytes
    leaves: tuple[Entry, Entry]


@dataclass(frozen=True, slots=True)
class WitnessFork:
    """Two checkpoints of one journal, of one size, that an organisation's witness cosigned."""

    organisation: bytes
    first: bytes
    second: bytes


@dataclass(frozen=True, slots=True)
class RosterTwice:
    """Two rosters of one number and attempt, each with the signature of one root."""

    organisation: bytes
    first: tuple[bytes, bytes]
    second: tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class WrongBody:
    """A record, the body that it names, and the record's key where that is sealed."""

    author: Author
    record: bytes
    body: bytes
    key: bytes | None


Evidence = RecordFork | JournalFork | Rewrite | WitnessFork | RosterTwice | WrongBody


@dataclass(frozen=True, slots=True)
class Finding:
    """What evidence shows: who broke which rule, with what, and from where on.

    `thing` is a feed, a consortium, or the run of a journal; of it `seq` is the first record that
    does not count, the number of a roster, or the size (of a rewrite, the leaf) that differs. Of
    what has no node or group, they are None.
    """

    kind: Kind
    organisation: bytes
    name: str
    node: bytes | None
    group: bytes | None
    thing: bytes
    seq: int

    @property
    def feed(self) -> bytes | None:
        """Name the feed that ends at `seq`; None where it is not about one."""
        return self.thing if self.group is not None else None


def evidence_id(encoded: bytes) -> bytes:
    """Name evidence by its bytes."""
    return sha256(encoded).digest()


def record_fork(author: Author, one: Record, other: Record) -> RecordFork:
    """Put two records in order; `verify` says whether they are evidence."""
    first, second = sorted((one, other), key=lambda each: (each.seq, each.encoded))
    return RecordFork(author, first.encoded, second.encoded)


def roster_twice(
    organisation: bytes, one: tuple[bytes, bytes], other: tuple[bytes, bytes]
) -> RosterTwice:
    """Put two rosters' payloads, each with its signature, in order."""
    return RosterTwice(organisation, *sorted((one, other)))


def encode(said: Evidence) -> bytes:
    """Write evidence."""
    match said:
        case RecordFork(author, first, second):
            fields = [Kind.RECORD_FORK, [author.node, author.run], first, second]
        case JournalFork(author, first, second):
            fields = [Kind.JOURNAL_FORK, [author.node, author.run], first, second]
        case Rewrite(author, first, second, leaves):
            rows = [shown.leaf_row(each) for each in leaves]
            fields = [Kind.REWRITE, [author.node, author.run], first, second, *rows]
        case WitnessFork(organisation, first, second):
            fields = [Kind.WITNESS_FORK, organisation, first, second]
        case RosterTwice(organisation, first_roster, second_roster):
            fields = [Kind.ROSTER_TWICE, organisation, [*first_roster], [*second_roster]]
        case WrongBody(author, signed, body, key):
            fields = [Kind.BAD_BODY, [author.node, author.run], signed, body, key]
    return cbor.encode([int(fields[0]), *fields[1:]])  # type: ignore[call-overload]


def decode(encoded: bytes) -> Evidence:
    """Read evidence, none of it verified; raise MalformedEvidence."""
    try:
        said = cbor.decode(encoded, EVIDENCE_BYTES_MAX)
    except MalformedCbor as fault:
        raise MalformedEvidence(reason=fault) from None
    if not isinstance(said, list) or not said or type(said[0]) is not int:
        raise MalformedEvidence(reason="not a list that begins with a kind")
    match said:
        case [Kind.RECORD_FORK, author, bytes() as first, bytes() as second]:
            return RecordFork(shown.author(author), shown.record(first), shown.record(second))
        case [Kind.JOURNAL_FORK, author, bytes() as first, bytes() as second]:
            return JournalFork(
                shown.author(author), shown.journal_note(first), shown.journal_note(second)
            )
        case [Kind.REWRITE, author, bytes() as first, bytes() as second, one, other]:
            leaves = (shown.leaf(one), shown.leaf(other))
            return Rewrite(
                shown.author(author), shown.journal_note(first), shown.journal_note(second), leaves
            )
        case [Kind.WITNESS_FORK, bytes() as organisation, bytes() as first, bytes() as second]:
            return WitnessFork(organisation, shown.journal_note(first), shown.journal_note(second))
        case [Kind.ROSTER_TWICE, bytes() as organisation, first, second]:
            return RosterTwice(
                organisation, shown.signed_roster(first), shown.signed_roster(second)
            )
        case [Kind.BAD_BODY, author, bytes() as signed, bytes() as body, None | bytes() as key]:
            if len(body) > BODY_BYTES_MAX or (key is not None and len(key) != KEY_BYTES):
                raise MalformedEvidence(reason="the body is too long, or the key is none")
            return WrongBody(shown.author(author), shown.record(signed), body, key)
    raise MalformedEvidence(reason="not a kind that is known with its fields")


def verify(said: Evidence, rosters: Rosters) -> Finding:
    """Say what evidence shows; raise EvidenceFails, UnknownOrganisation or UnknownRoster.

    The last two where no roster given vouches for the accused: another one may.
    """
    match said:
        case RecordFork():
            return _forked(said, rosters)
        case JournalFork() | Rewrite():
            return _rewritten(said, rosters)
        case WitnessFork():
            return _witnessed(said, rosters)
        case RosterTwice():
            return _signed_twice(said, rosters)
        case WrongBody():
            return _wrong_body(said, rosters)


def encode_file(rosters: Sequence[bytes], encoded: bytes) -> bytes:
    """Write evidence with the rosters, from number 0 on, by which anybody verifies it."""
    return cbor.encode([_FILE_TYPE, list(rosters), encoded])


def decode_file(encoded: bytes) -> tuple[tuple[bytes, ...], bytes]:
    """Give the rosters and the evidence of a file, neither verified; raise MalformedEvidence."""
    try:
        said = cbor.decode(encoded, FILE_BYTES_MAX, _FILE_ITEMS_MAX)
    except MalformedCbor as fault:
        raise MalformedEvidence(reason=fault) from None
    match said:
        case [str() as kind, list() as rosters, bytes() as content] if (
            kind == _FILE_TYPE and 0 < len(rosters) <= _ROSTERS_MAX
        ):
            shown = tuple(each for each in rosters if isinstance(each, bytes))
            if len(shown) == len(rosters):
                return shown, content
    raise MalformedEvidence(reason="not a file of rosters and evidence")


def is_file(encoded: bytes) -> bool:
    """Say whether bytes begin as an evidence file does."""
    return encoded.startswith(cbor.encode([_FILE_TYPE, [], b""])[: 2 + len(_FILE_TYPE)])


def _forked(said: RecordFork, rosters: Rosters) -> Finding:
    node, run, by = _vouched(said.author, rosters)
    first, second = (_of_run(each, run.key) for each in (said.first, said.second))
    if first.feed != second.feed:
        raise EvidenceFails(reason="the records are of different feeds")
    if (first.seq, first.encoded) >= (second.seq, second.encoded):
        raise EvidenceFails(reason="one record twice, or not the earlier one first")
    follows = second.seq == first.seq + 1 and second.previous != first.id
    if second.seq != first.seq and not follows:
        raise EvidenceFails(reason="both records may be in one feed")
    return Finding(
        Kind.RECORD_FORK, by.id, by.name, node.subject, first.group, first.feed, first.seq
    )


def _rewritten(said: JournalFork | Rewrite, rosters: Rosters) -> Finding:
    node, run, by = _vouched(said.author, rosters)
    if isinstance(said, Rewrite):
        kind = Kind.REWRITE
        size = journals.rewritten(said.first, said.second, run.key, said.leaves)
    else:
        kind, size = Kind.JOURNAL_FORK, journals.forked(said.first, said.second, run.key)
    return Finding(kind, by.id, by.name, node.subject, None, run.subject, size)


def _witnessed(said: WitnessFork, rosters: Rosters) -> Finding:
    newest = sorted(rosters.values(), key=lambda each: each.number, reverse=True)
    rows = [row for each in newest for row in each.organisations if row.id == said.organisation]
    if not rows:
        raise UnknownOrganisation(organisation=said.organisation.hex(), roster="-")
    fault = EvidenceFails(reason="its organisation has no witness in a roster that is known")
    for row in rows:
        if row.witness is None:
            continue
        try:
            run, size = journals.witnessed(said.first, said.second, row.id, row.witness)
            return Finding(Kind.WITNESS_FORK, row.id, row.name, None, None, run, size)
        except EvidenceFails as found:
            fault = found  # It may have had another key by another roster.
    raise fault


def _wrong_body(said: WrongBody, rosters: Rosters) -> Finding:
    node, run, by = _vouched(said.author, rosters)
    signed = _of_run(said.record, run.key)
    try:
        record.check_stored(signed, said.body)
        if signed.key_number == 0 and said.key is None:
            is_bad = not _holds(signed, said.body)
        elif signed.key_number and said.key is not None:
            is_bad = not _opens(signed, said.body, said.key)
        else:
            raise EvidenceFails(reason="a sealed body is shown with its key, a clear one without")
    except BadBody as fault:
        raise EvidenceFails(reason=fault) from None
    if not is_bad:
        raise EvidenceFails(reason="the body is the one that the record commits to")
    return Finding(
        Kind.BAD_BODY, by.id, by.name, node.subject, signed.group, signed.feed, signed.seq
    )


def _holds(signed: Record, body: bytes) -> bool:
    try:
        record.check_body(signed, body)
    except BadBody:
        return False
    return True


def _opens(signed: Record, body: bytes, key: bytes) -> bool:
    """Say whether what opens is what was committed to; raise BadBody where nothing opens."""
    plain = record.unsealed(signed, body, key)
    return signed.body is not None and record.commitment_of((plain,)) == signed.body.commitment


def _signed_twice(said: RosterTwice, rosters: Rosters) -> Finding:
    if said.first[0] >= said.second[0]:
        raise EvidenceFails(reason="one roster twice, or not in order")
    (before, found, by), (other_before, other, other_by) = (
        _signed_by(said.organisation, each, rosters) for each in (said.first, said.second)
    )
    places = [
        (each.consortium, one.number, one.attempt)
        for each, one in ((before, found), (other_before, other))
    ]
    if places[0] != places[1] or by.root != other_by.root:
        raise EvidenceFails(reason="the rosters differ in number or attempt, or in whose root")
    return Finding(Kind.ROSTER_TWICE, by.id, by.name, None, None, before.consortium, found.number)


def _signed_by(
    organisation: bytes, said: tuple[bytes, bytes], rosters: Rosters
) -> tuple[Roster, Roster, Organisation]:
    """Give a roster that an organisation's root signed, after the one before it."""
    payload, signature = said
    try:
        _, previous = roster.place(roster.assemble(payload, [signature]))
        if previous is None:
            raise EvidenceFails(reason="a first roster may be signed any number of times")
        before = rosters.get(previous)
        if before is None:
            raise UnknownRoster(roster=previous.hex())
        by = before.organisation(organisation)
        cose.decode(signature, "roster", payload).verify(by.root)
        return before, roster.read_next(payload, before), by
    except (UnknownRoster, UnknownOrganisation, EvidenceFails):
        raise
    except AuthorError as fault:
        raise EvidenceFails(reason=fault) from None


def _vouched(author: Author, rosters: Rosters) -> tuple[Certificate, Certificate, Organisation]:
    """Give the certificates of a run, verified, and the organisation that vouches for its node."""
    try:
        node = identity.decode(author.node, "node")
        run = identity.decode(author.run, "run")
        by = _voucher(node, rosters.values())
        run.verify(node.subject, node.key)
    except UnknownOrganisation:
        raise
    except AuthorError as fault:
        raise EvidenceFails(reason=fault) from None
    return node, run, by


def _voucher(node: Certificate, rosters: Iterable[Roster]) -> Organisation:
    """Give the organisation whose root, in one of the rosters, signed a node certificate."""
    newest = sorted(rosters, key=lambda each: each.number, reverse=True)
    rows = [row for each in newest for row in each.organisations if row.id == node.issuer]
    for row in rows:
        try:
            node.verify(row.id, row.root)
            return row
        except (BadSignature, WrongIssuer):
            continue  # Its root may have been another one when this was certified.
    if rows:
        raise BadSignature(what_is_it="node")
    raise UnknownOrganisation(organisation=node.issuer.hex(), roster="-")


def _of_run(encoded: bytes, run_key: bytes) -> Record:
    try:
        found = record.decode(encoded, run_key)
    except AuthorError as fault:
        raise EvidenceFails(reason=fault) from None
    if found.feed != feed_id(run_key, found.group):
        raise EvidenceFails(reason="a record is not of the feed of its run and group")
    return found
