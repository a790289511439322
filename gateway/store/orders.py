"""Orders to machines, what was said about them, and what became of them, found by their hashes.

In: records as they are stored, of this run or of anybody, in any order. Out: an order with all that
is held about it; which of those to this node are open. What is kept is only what a record's author
may say: an order whose signature is good under the certificate beside it, a start or an end of
whoever is asked. Whether a person may order is judged by who reads.
Protocol: docs/protocol/order.md.
"""

from dataclasses import dataclass
from typing import Any, Final

import apsw

from gateway.activities import approval, execution, order, stated
from gateway.activities.approval import SignedApproval
from gateway.activities.execution import Outcome
from gateway.activities.order import SignedOrder
from gateway.errors import MalformedOrder, UnknownOrder
from gateway.readings.reading import Value
from gateway.records import cbor, identity, record
from gateway.records.identity import Certificate
from gateway.records.record import Kind, Record
from gateway.store import feeds

KINDS: Final = frozenset({Kind.ORDER, Kind.APPROVAL, Kind.EXECUTION_START, Kind.EXECUTION_END})
_VALUE_BYTES_MAX: Final = 1024
_PREFIX_MIN: Final = 4
# Of what one node repeats of one order: far above what anybody needs, so that none costs much.
COPIES_MAX: Final = 4
WORDS_MAX: Final = 32


@dataclass(frozen=True, slots=True)
class By:
    """A record in which something stands, and whose it is."""

    place: int
    record: Record
    node: bytes
    organisation: bytes


@dataclass(frozen=True, slots=True)
class Sighting:
    """A record in which an order stands; `person` is None where the author's own run signed it."""

    by: By
    person: Certificate | None

    @property
    def signer(self) -> tuple[bytes, bytes]:
        """Name who signed: the organisation, and the person or node."""
        if self.person is None:
            return self.by.organisation, self.by.node
        return self.person.issuer, self.person.subject


@dataclass(frozen=True, slots=True)
class Word:
    """What a person said about an order, a mandate or a record: for it, against it, or enough."""

    by: By
    person: Certificate
    said: SignedApproval


@dataclass(frozen=True, slots=True)
class Start:
    """A start, with what was to be written."""

    by: By
    value: Value


@dataclass(frozen=True, slots=True)
class End:
    """What became of an order: the start that it ends, if there was one, is among its deps."""

    by: By
    outcome: Outcome
    value: Value | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Held:
    """An order with all that is held about it, in the order in which it came."""

    said: SignedOrder
    sightings: tuple[Sighting, ...]
    words: tuple[Word, ...]
    starts: tuple[Start, ...]
    ends: tuple[End, ...]
    waits: str | None

    @property
    def end(self) -> End | None:
        """Give what became of it. What its start tells goes before what was said without one."""
        begun = {each.by.record.id for each in self.starts}
        told = [each for each in self.ends if not begun or begun.intersection(each.by.record.deps)]
        return told[0] if told else None


def keep(db: apsw.Connection, place: int, said: Record, content: bytes) -> None:
    """Keep what a record of these kinds says; raise an AuthorError where its author may not."""
    match said.kind:
        case Kind.ORDER:
            _keep_order(db, place, said, content)
        case Kind.APPROVAL:
            _keep_word(db, place, content)
        case Kind.EXECUTION_START:
            start = execution.decode_start(content)
            _keep_start(db, place, said, start)
        case Kind.EXECUTION_END:
            _keep_end(db, place, execution.decode_end(content))


def hash_of(db: apsw.Connection, named: str) -> bytes:
    """Find an order by its hash in hex, or the beginning of it; raise UnknownOrder."""
    found = begins(db, "orders", "hash", named)
    if len(found) != 1:
        raise UnknownOrder(order=named[:80], count="more than one" if found else "no")
    return found[0]


def begins(db: apsw.Connection, table: str, column: str, named: str) -> list[bytes]:
    """Give up to two hashes in a column of ours that begin with these hex digits."""
    try:
        between = bytes.fromhex(named.ljust(64, "0")), bytes.fromhex(named.ljust(64, "f"))
    except ValueError:
        return []
    if not _PREFIX_MIN <= len(named) <= 64:
        return []
    rows = db.execute(
        f"SELECT DISTINCT {column} FROM {table} WHERE {column} BETWEEN ? AND ? LIMIT 2", between
    )
    return [bytes(each) for (each,) in rows]


def load(db: apsw.Connection, named: bytes) -> Held:
    """Give an order with all that is held about it; raise UnknownOrder."""
    row = db.execute("SELECT encoded, waits FROM orders WHERE hash = ?", (named,)).fetchone()
    if row is None:
        raise UnknownOrder(order=named.hex(), count="no")
    said = order.decode(row[0])
    rows = db.execute(
        "SELECT place, certificate FROM sightings WHERE hash = ? ORDER BY place", (named,)
    )
    sightings = tuple(Sighting(by_of(db, place), _person(person)) for place, person in list(rows))
    starts, ends = _executions(db, named, said.order.target)
    return Held(said, sightings, words(db, named), starts, ends, row[1])


def listed(db: apsw.Connection, limit: int) -> list[bytes]:
    """Give the hashes of the newest orders, the newest first."""
    rows = db.execute("SELECT hash FROM orders ORDER BY number DESC LIMIT ?", (limit,))
    return [bytes(each) for (each,) in rows]


def open_for(db: apsw.Connection, node: bytes) -> list[bytes]:
    """Give the hashes of the orders to a node that it has not ended, as they came."""
    rows = db.execute(
        "SELECT hash FROM orders WHERE target = ? AND ended = 0 ORDER BY number", (node,)
    )
    return [bytes(each) for (each,) in rows]


def unended(db: apsw.Connection, node: bytes) -> list[tuple[bytes, Start]]:
    """Give what a node started, in any run, without saying how it ended."""
    rows = db.execute(
        "SELECT e.place, e.hash, e.value FROM executions e JOIN feeds f ON f.number = e.place >> 32"
        " WHERE e.ended = 0 AND f.node = ? ORDER BY e.place",
        (node,),
    )
    return [(bytes(named), start_at(db, place, value)) for place, named, value in list(rows)]


def is_repeated(db: apsw.Connection, held: Held, signer: tuple[bytes, bytes]) -> bool:
    """Say whether its target started another order with the same id of the same signer."""
    rows = db.execute(
        "SELECT DISTINCT o.hash FROM orders o JOIN executions e ON e.hash = o.hash"
        " JOIN feeds f ON f.number = e.place >> 32"
        " WHERE o.name = ? AND o.hash <> ? AND e.outcome IS NULL AND f.node = ?",
        (held.said.order.id, held.said.hash, held.said.order.target),
    )
    others = [load(db, bytes(each)) for (each,) in list(rows)]
    return any(signer == each.signer for other in others for each in other.sightings)


def wait(db: apsw.Connection, named: bytes, reason: str) -> None:
    """Remember why an order is not decided yet."""
    db.execute("UPDATE orders SET waits = ? WHERE hash = ?", (reason, named))


def words(db: apsw.Connection, about: bytes) -> tuple[Word, ...]:
    """Give what people said about an order, a mandate or a record; their signatures are good."""
    rows = db.execute(
        "SELECT place, encoded, certificate FROM words WHERE about = ? ORDER BY place", (about,)
    )
    return tuple(
        Word(by_of(db, place), identity.decode(person, "person"), approval.decode(encoded))
        for place, encoded, person in list(rows)
    )


def by_of(db: apsw.Connection, place: int) -> By:
    """Give the record at a place, and whose it is."""
    row: tuple[Any, ...] | None = db.execute(
        "SELECT r.encoded, f.node, f.organisation FROM records r"
        " JOIN feeds f ON f.number = r.place >> 32 WHERE r.place = ?",
        (place,),
    ).fetchone()
    assert row is not None, "what is projected is of a stored record"
    return By(place, record.parse(row[0]), bytes(row[1]), bytes(row[2]))


def _keep_order(db: apsw.Connection, place: int, said: Record, content: bytes) -> None:
    told = stated.decode(Kind.ORDER, content)
    asked = order.decode(told.signed)
    if asked.order.activity != said.activity:
        raise MalformedOrder(reason="it is of another activity than its record")
    if (told.certificate is None) != (asked.order.mandate is not None):
        raise MalformedOrder(reason="a person signs it, or a run under a mandate")
    if told.certificate is not None:
        asked.verify(identity.decode(told.certificate, "person").key)
    else:
        run_key = db.execute("SELECT run_key FROM feeds WHERE id = ?", (said.feed,)).get
        asked.verify(bytes(run_key))
    what = asked.order
    db.execute(
        "INSERT INTO orders (hash, encoded, name, activity, target, mandate, ended)"
        " SELECT ?1, ?2, ?3, ?4, ?5, ?6, EXISTS (SELECT 1 FROM executions e"
        " JOIN feeds f ON f.number = e.place >> 32"
        " WHERE e.hash = ?1 AND f.node = ?5 AND e.outcome IS NOT NULL)"
        " ON CONFLICT DO NOTHING",
        (asked.hash, told.signed, what.id, what.activity, what.target, what.mandate),
    )
    row = (asked.hash, place, told.certificate)
    if is_room(db, place, ("sightings", "hash", asked.hash), COPIES_MAX):
        db.execute("INSERT INTO sightings VALUES (?, ?, ?) ON CONFLICT DO NOTHING", row)


def _keep_word(db: apsw.Connection, place: int, content: bytes) -> None:
    told = stated.decode(Kind.APPROVAL, content)
    word, person = approval.decode(told.signed), told.certificate or b""
    word.verify(identity.decode(person, "person").key)
    row = (place, word.approval.about, told.signed, person)
    if is_room(db, place, ("words", "about", word.approval.about), WORDS_MAX):
        db.execute("INSERT INTO words VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", row)


def is_room(db: apsw.Connection, place: int, among: tuple[str, str, bytes], most: int) -> bool:
    """Say whether the node that wrote a record has fewer rows than these in a table of ours that
    are about the same."""
    table, column, about = among
    wanted = (
        f"SELECT count(*) FROM {table} t JOIN feeds f ON f.number = t.place >> 32"
        f" WHERE t.{column} = ? AND f.node = (SELECT node FROM feeds WHERE number = ?)"
    )
    return int(db.execute(wanted, (about, feeds.parted(place)[0])).get) < most


def _keep_start(db: apsw.Connection, place: int, said: Record, start: execution.Start) -> None:
    """Keep a start; ended is what an end of the same node answers, whichever came first."""
    db.execute(
        "INSERT INTO executions SELECT ?1, ?2, NULL, ?3, NULL, EXISTS (SELECT 1 FROM answers a"
        " JOIN executions e ON e.place = a.place JOIN feeds f ON f.number = e.place >> 32"
        " JOIN feeds o ON o.number = ?1 >> 32 WHERE a.dep = ?4 AND e.hash = ?2"
        " AND e.outcome IS NOT NULL AND f.node = o.node) ON CONFLICT DO NOTHING",
        (place, start.order, cbor.encode(start.value), said.id),
    )


def _keep_end(db: apsw.Connection, place: int, end: execution.End) -> None:
    """Keep an end; only that of who is asked ends an order, and what it started."""
    value = None if end.value is None else cbor.encode(end.value)
    db.execute(
        "INSERT INTO executions VALUES (?, ?, ?, ?, ?, 1) ON CONFLICT DO NOTHING",
        (place, end.order, int(end.outcome), value, end.reason),
    )
    node = db.execute("SELECT node FROM feeds WHERE number = ?", (feeds.parted(place)[0],)).get
    db.execute(
        "UPDATE orders SET ended = 1, waits = NULL WHERE hash = ? AND target = ?",
        (end.order, node),
    )
    db.execute(
        "UPDATE executions SET ended = 1 WHERE hash = ? AND outcome IS NULL AND EXISTS"
        " (SELECT 1 FROM answers a JOIN records r ON r.id = a.dep JOIN feeds f"
        "  ON f.number = r.place >> 32 WHERE a.place = ? AND r.place = executions.place"
        "  AND f.node = ?)",
        (end.order, place, node),
    )


def _executions(
    db: apsw.Connection, named: bytes, target: bytes
) -> tuple[tuple[Start, ...], tuple[End, ...]]:
    """Give the starts and ends of an order that its target wrote, in the order of its feeds."""
    starts, ends = [], []
    rows = db.execute(
        "SELECT e.place, e.outcome, e.value, e.reason FROM executions e JOIN feeds f"
        " ON f.number = e.place >> 32 WHERE e.hash = ? AND f.node = ? ORDER BY e.place",
        (named, target),
    )
    for place, outcome, value, reason in list(rows):
        if outcome is None:
            starts.append(start_at(db, place, value))
        else:
            ends.append(End(by_of(db, place), Outcome(outcome), _value(value), reason))
    return tuple(starts), tuple(ends)


def start_at(db: apsw.Connection, place: int, value: bytes) -> Start:
    """Give the start at a place, with what was to be written as it was kept."""
    written = _value(value)
    assert written is not None, "a start says what is to be written"
    return Start(by_of(db, place), written)


def _value(encoded: bytes | None) -> Value | None:
    """Read a value that was kept here."""
    match None if encoded is None else cbor.decode(encoded, _VALUE_BYTES_MAX):
        case bool() | int() | float() | str() as value:
            return value
    return None


def _person(encoded: bytes | None) -> Certificate | None:
    return None if encoded is None else identity.decode(encoded, "person")
