"""The projection that answers questions: which records speak of which device, and of when.

One row for a device in a record, not for a reading: a question decodes the bodies it needs.
"""

from collections.abc import Sequence

import apsw

from gateway.readings import senml
from gateway.readings.reading import Gap
from gateway.readings.senml import Span
from gateway.records import gap
from gateway.records.record import Kind

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
