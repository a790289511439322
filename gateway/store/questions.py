"""Questions put to the store: which records may answer, and what one record's story is.

In: a connection for reading and what is asked. Out: records with their readings, newest first; or
one record with where it stands. Bodies are decoded here and only where they are needed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import apsw

from gateway.errors import AuthorError, BadBody, UnknownRecord, UnprovenPack
from gateway.groups.agreement import Cover
from gateway.query import Question, Status, Told
from gateway.readings import senml
from gateway.readings.reading import Gap, Provenance, Reading
from gateway.records import attestation, gap, record
from gateway.records.proof import Opening
from gateway.records.record import Kind, Record
from gateway.store import keyring, membership, outbox, standing
from gateway.store.marking import Marks
from gateway.store.standing import Standing

UNPROVEN: Final = "unproven"  # it says that its device signed it, and does not show it
_RECORDS = (
    "SELECT r.encoded, r.body, g.name, f.node, f.organisation, f.run_key FROM records r"
    " JOIN feeds f ON f.number = r.place >> 32 JOIN groups g ON g.number = f.in_group"
)


@dataclass(frozen=True, slots=True)
class Story:
    """One record: its bytes, where it stands, and who has signed that they hold it.

    `opening` is None where the body is not held, is sealed here, or is not what the record says.
    """

    record: Record
    body: bytes | None
    group: str
    node: bytes
    organisation: bytes
    run_key: bytes
    holders: tuple[bytes, ...]
    opening: Opening | None
    is_sealed: bool  # under a key that is not held
    counts: bool  # by the group's members as they are now
    standing: Standing
    marks: tuple[str, ...]

    @property
    def content(self) -> bytes | None:
        """Give what the body says, where it can be read."""
        return None if self.opening is None else self.opening.content

    def status(self, here: bytes) -> Status:
        """Say how far it is agreed, as seen by the node that holds this store."""
        if not self.counts:
            return Status.REJECTED
        if self.record.seq < self.standing.agreed:
            is_final = self.record.seq < self.standing.final
            return Status.FINAL if is_final else Status.AGREED
        holders = {here, self.node, *self.holders}
        return Status.REPLICATED if len(holders) > 1 else Status.LOCAL


def select(db: apsw.Connection, question: Question, here: bytes) -> Iterator[Told]:
    """Give the observations that may answer: with a limit newest first, without oldest first."""
    signed: dict[bytes, list[tuple[bytes, Cover]]] = {}
    counted: dict[bytes, tuple[int, Standing]] = {}
    marks = Marks(db)
    for place, oldest, newest in _places(db, question):
        (row,) = db.execute(_RECORDS + " WHERE r.place = ?", (place,))
        encoded, body, name, node, organisation, run_key = row
        said = record.parse(encoded)
        if said.feed not in signed:
            signed[said.feed] = outbox.holders(db, said.feed)
            until = membership.counted(db, said.feed, here)
            counted[said.feed] = until, standing.of(db, said.feed)
        holders = tuple(who for who, each in signed[said.feed] if each.covers(said.seq))
        opened = _opened(db, said, body)
        until, stands = counted[said.feed]
        where = name, node, organisation, run_key, holders
        story = Story(said, body, *where, *opened, said.seq < until, stands, marks.of(said))
        missed = gap_of(said, story.content)
        attested = attested_of(said, story.content) if missed is None else ((), ())
        readings, stood_for = attested or (None, ())
        told = story.status(here), oldest, newest, readings, missed, stood_for, story.marks
        yield Told(said, name, node, organisation, *told)


def _places(
    db: apsw.Connection, question: Question
) -> Iterator[tuple[int, int | None, int | None]]:
    """Give where to look, in order: places alone, so that sorting them moves no bodies."""
    clauses, values = _clauses(question)
    order = "oldest ASC NULLS FIRST, o.place"
    if question.limit is not None:
        order = "newest DESC NULLS LAST, o.place DESC"
    yield from db.execute(
        "SELECT o.place, min(o.first_ms) AS oldest, max(o.last_ms) AS newest FROM observations o"
        " JOIN feeds f ON f.number = o.place >> 32 JOIN groups g ON g.number = f.in_group"
        " LEFT JOIN standing s ON s.feed = f.number"
        f" WHERE {' AND '.join(clauses) or 'true'}"
        " AND (:group_name IS NULL OR g.name = :group_name)"
        " AND (:organisation IS NULL OR f.organisation = :organisation)"
        f" GROUP BY o.place ORDER BY {order}",
        {**values, "group_name": question.group, "organisation": question.organisation},
    )


def find(db: apsw.Connection, name: str, here: bytes = b"") -> Story:
    """Find one record by its id in hex, or by the beginning of one; raise UnknownRecord."""
    between = _bounds(name)
    rows = list(db.execute(_RECORDS + " WHERE r.id >= ? AND r.id <= ? LIMIT 2", between))
    if len(rows) != 1:
        raise UnknownRecord(record=name[:80], count="more than one" if rows else "no")
    (row,) = rows
    return _story(db, row, here)


def _story(db: apsw.Connection, row: tuple[Any, ...], here: bytes) -> Story:
    encoded, body, group, node, organisation, run_key = row
    said = record.parse(encoded)
    signed = outbox.holders(db, said.feed)
    holders = tuple(who for who, each in signed if each.covers(said.seq))
    opened = _opened(db, said, body)
    counts = said.seq < membership.counted(db, said.feed, here)
    where = group, node, organisation, run_key, holders
    marks = Marks(db).of(said)
    return Story(said, body, *where, *opened, counts, standing.of(db, said.feed), marks)


def _opened(db: apsw.Connection, said: Record, body: bytes | None) -> tuple[Opening | None, bool]:
    """Open a stored body; say besides whether it is sealed under a key that is not held."""
    if body is None:
        return None, False
    try:
        opened = keyring.opening(db, said, body)
    except BadBody:
        return None, False
    return opened, opened is None


def sealed(db: apsw.Connection, question: Question) -> int:
    """Count observations and gaps, of the group and organisation asked for, sealed here."""
    count = db.execute(
        "SELECT count(*) FROM unread u JOIN feeds f ON f.number = u.place >> 32"
        " JOIN groups g ON g.number = f.in_group WHERE u.kind IN (4, 21)"
        " AND (?1 IS NULL OR g.name = ?1) AND (?2 IS NULL OR f.organisation = ?2)",
        (question.group, question.organisation),
    ).get
    return int(count)


def readings_of(said: Record, content: bytes | None) -> tuple[Reading, ...] | None:
    """Decode an observation's readings; None where its content is not had or not what it says."""
    attested = attested_of(said, content)
    return None if attested is None else attested[0]


def attested_of(
    said: Record, content: bytes | None
) -> tuple[tuple[Reading, ...], tuple[str, ...]] | None:
    """Decode readings, and who stands for each; a device's signature counts where it is proved."""
    if content is None or said.body is None or said.body.content_type != senml.CONTENT_TYPE:
        return None
    try:
        entries = senml.decode_attested(content)
    except AuthorError:
        return None
    named = {each: each.value for each in Provenance}
    if any(one.provenance is Provenance.DEVICE_SIGNED for one in entries):
        try:
            attestation.check(content)
        except UnprovenPack:
            named[Provenance.DEVICE_SIGNED] = UNPROVEN
    readings = tuple(one.reading for one in entries)
    return readings, tuple(named[one.provenance] for one in entries)


def gap_of(said: Record, content: bytes | None) -> Gap | None:
    """Decode what a gap record says is missing; None for every other record."""
    if content is None or said.kind is not Kind.GAP:
        return None
    try:
        return gap.decode(content)
    except AuthorError:
        return None


def totals(db: apsw.Connection) -> Mapping[str, int]:
    """Give the running counts of records and readings."""
    return {str(name): int(value) for name, value in db.execute("SELECT name, value FROM totals")}


def devices(db: apsw.Connection) -> list[tuple[str, int | None, int]]:
    """Give each device with the time of its newest reading and how many readings it has."""
    rows = db.execute(
        "SELECT device, max(last_ms), sum(readings) FROM observations GROUP BY device"
    )
    return [(str(device), last, int(count)) for device, last, count in rows]


def _clauses(question: Question) -> tuple[list[str], dict[str, object]]:
    clauses: list[str] = []
    values: dict[str, object] = {}
    if question.device is not None and not any(sign in question.device for sign in "*?["):
        clauses.append("device = :device")
        values["device"] = question.device
    if question.status_min >= Status.AGREED:
        size = "min(s.agreed, s.cosigned)" if question.status_min is Status.FINAL else "s.agreed"
        clauses.append(f"o.place < (f.number << 32) + {size}")
    if question.activity is not None:
        clauses.append("o.place IN (SELECT place FROM bound_readings WHERE activity = :activity)")
        values["activity"] = question.activity
    if question.from_ms is not None:
        clauses.append("last_ms >= :from_ms")
        values["from_ms"] = question.from_ms
    if question.to_ms is not None:
        clauses.append("first_ms < :to_ms")
        values["to_ms"] = question.to_ms
    return clauses, values


def _bounds(name: str) -> tuple[bytes, bytes]:
    """Give the lowest and the highest id that begin with these hex digits."""
    try:
        if not 4 <= len(name) <= 64:
            raise ValueError
        return bytes.fromhex(name.ljust(64, "0")), bytes.fromhex(name.ljust(64, "f"))
    except ValueError:
        raise UnknownRecord(record=name[:80], count="no") from None
