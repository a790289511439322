"""The projection that answers questions: which records speak of which device, and of when.

One row for a device in a record, not for a reading: a question decodes the bodies it needs.
"""

from collections.abc import Sequence

import apsw

from gateway.readings import senml
from gateway.readings.senml import Span


def keep(db: apsw.Connection, place: int, spans: Sequence[Span]) -> None:
    """Index one observation record by the devices it speaks of."""
    db.executemany(
        "INSERT INTO observations VALUES (?, ?, ?, ?, ?)",
        [(place, span.device, span.first_ms, span.last_ms, span.count) for span in spans],
    )
    db.execute(
        "UPDATE totals SET value = value + ? WHERE name = 'readings'",
        (sum(span.count for span in spans),),
    )


def keep_content(db: apsw.Connection, place: int, content: bytes) -> None:
    """Index an observation that somebody else wrote, from its opened body; raise MalformedPack."""
    keep(db, place, senml.spans(senml.decode(content)))
