"""The projection that answers questions: which records speak of which device, and of when.

One row for a device in a record, not for a reading: a question decodes the bodies it needs.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import apsw

from gateway.errors import AuthorError
from gateway.readings import senml
from gateway.readings.reading import Gap
from gateway.readings.senml import Span
from gateway.records import gap, record
from gateway.records.record import Kind, Record
from gateway.store import keyring

# The kinds that a question about readings looks into.
INDEXED = frozenset({Kind.OBSERVATION, Kind.GAP})


def keep(db: apsw.Connection, place: int, spans: Sequence[Span]) -> None:
    """Index one observation record by the devices it speaks of."""
    keep_all(db, [(place, span) for span in spans])


def keep_all(db: apsw.Connection, found: Sequence[tuple[int, Span]]) -> None:
    """Index several observation records, each by the devices it speaks of."""
    db.executemany(
        "INSERT INTO observations VALUES (?, ?, ?, ?, ?)",
        [(place, span.device, span.first_ms, span.last_ms, span.count) for place, span in found],
    )
    if found:
        db.execute(
            "UPDATE totals SET value = value + ? WHERE name = 'readings'",
            (sum(span.count for _, span in found),),
        )


def index(db: apsw.Connection, place: int, said: Record, body: bytes | None) -> None:
    """Index what somebody else wrote, as `find` finds it."""
    keep(db, place, find(db, place, said, body))


def find(db: apsw.Connection, place: int, said: Record, body: bytes | None) -> Sequence[Span]:
    """Find what somebody else wrote of; what is sealed under a key not held waits for that key.

    Raise BadBody, MalformedPack or MalformedGap where its content is not what it must be.
    """
    if said.kind not in INDEXED or body is None:
        return ()
    content = keyring.content(db, said, body)
    if content is None:
        db.execute("INSERT INTO unread VALUES (?) ON CONFLICT DO NOTHING", (place,))
        return ()
    return spans_of(said.kind, content)


def index_opened(db: apsw.Connection, places: Iterable[int]) -> int:
    """Index stored records whose key came after them; count those that could be understood."""
    count = 0
    for place in places:
        row: tuple[Any, ...] | None = db.execute(
            "SELECT r.encoded, r.body FROM unread u JOIN records r ON r.place = u.place"
            " WHERE u.place = ?",
            (place,),
        ).fetchone()
        if row is None:
            continue
        db.execute("DELETE FROM unread WHERE place = ?", (place,))
        try:
            index(db, place, record.parse(row[0]), row[1])
            count += 1
        except AuthorError:
            continue  # Its author signed it: it is kept, and `verify` says what is wrong.
    return count


def unread(db: apsw.Connection, group: bytes) -> dict[bytes, int]:
    """Count, by author, a group's observations and gaps that are sealed under keys not held."""
    rows = db.execute(
        "SELECT f.node, count(*) FROM unread u JOIN feeds f ON f.number = u.place >> 32"
        " JOIN groups g ON g.number = f.in_group WHERE g.id = ? GROUP BY f.node ORDER BY f.node",
        (group,),
    )
    return {bytes(node): int(count) for node, count in rows}


def spans_of(kind: Kind, content: bytes) -> Sequence[Span]:
    """Say of which devices a body speaks, and of when; raise MalformedPack or MalformedGap."""
    match kind:
        case Kind.OBSERVATION:
            return senml.spans(senml.decode(content))
        case Kind.GAP:
            return spans_of_gap(gap.decode(content))
    return ()


def spans_of_gap(missed: Gap) -> Sequence[Span]:
    """Index a gap as what it is: of one device, of a time, and without a reading."""
    known = [each for each in (missed.after_ms, missed.before_ms) if each is not None]
    return (Span(missed.device, min(known, default=None), missed.before_ms, 0),)
