"""The quarantine: what could not be read, with its bytes and the reason, for a person to look at.

In: what sources could not read, in the commit that lets it be acknowledged. Out: the newest of it.
It is bounded by count and by bytes: the oldest is let go of, counted by the bound that was reached.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import apsw

from gateway.readings.reading import Unreadable

_LOG = logging.getLogger(__name__)
# A faulty machine says the same wrong thing for ever; days of one a minute are enough to see it.
ENTRIES_MAX = 10_000
# Some hundred of the largest payloads that a source takes by default, on any disk a small part.
BYTES_MAX = 64 << 20
# A flood is told of once for so many, not once a commit.
_TOLD_EVERY = 1000
REASONS = {
    "quarantine_dropped_for_count": f"more than {ENTRIES_MAX} entries",
    "quarantine_dropped_for_bytes": f"more than {BYTES_MAX} bytes",
}
_BYTES_OF = (
    "length(payload) + length(CAST(origin AS BLOB)) + length(CAST(reason AS BLOB))"
    " + length(CAST(source AS BLOB))"
)


@dataclass(frozen=True, slots=True)
class Quarantined:
    """An entry of the quarantine."""

    number: int
    source: str
    heard_ms: int
    what: Unreadable


def keep(db: apsw.Connection, source: str, heard_ms: int, unreadable: Sequence[Unreadable]) -> None:
    """Keep what could not be read, and let go of the oldest that the bounds leave no room for."""
    (newest,) = db.execute("SELECT coalesce(max(number), 0) FROM quarantine").fetchone() or (0,)
    db.executemany(
        "INSERT INTO quarantine (source, origin, heard_ms, code, reason, payload)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        [
            (source, each.origin, heard_ms, each.code, each.reason, each.payload)
            for each in unreadable
        ],
    )
    count, size = db.execute(
        f"SELECT count(*), coalesce(sum({_BYTES_OF}), 0) FROM quarantine WHERE number > ?",
        (newest,),
    ).fetchone() or (0, 0)
    _add(db, {"quarantined": count, "quarantined_bytes": size})
    _let_go(db)


def newest(db: apsw.Connection, limit: int) -> list[Quarantined]:
    """Give the newest entries."""
    return _entries(db, "ORDER BY number DESC LIMIT ?", limit)


def find(db: apsw.Connection, number: int | None) -> Quarantined | None:
    """Give an entry by its number, or the newest; None if there is none."""
    found = newest(db, 1) if number is None else _entries(db, "WHERE number = ?", number)
    return found[0] if found else None


def held(db: apsw.Connection) -> tuple[int, int]:
    """Count the entries and their bytes one by one; the running totals must say the same."""
    (row,) = db.execute(f"SELECT count(*), coalesce(sum({_BYTES_OF}), 0) FROM quarantine")
    return int(row[0]), int(row[1])


def _entries(db: apsw.Connection, clause: str, value: int) -> list[Quarantined]:
    rows = db.execute(
        "SELECT number, source, heard_ms, origin, payload, code, reason FROM quarantine " + clause,
        (value,),
    )
    return [
        Quarantined(number, source, heard_ms, Unreadable(*what))
        for number, source, heard_ms, *what in rows
    ]


def _let_go(db: apsw.Connection) -> None:
    totals = _totals(db)
    count, size = totals["quarantined"], totals["quarantined_bytes"]
    gone: Counter[str] = Counter()
    last = 0
    for number, entry_bytes in db.execute(
        f"SELECT number, {_BYTES_OF} FROM quarantine ORDER BY number"
    ):
        if count <= ENTRIES_MAX and size <= BYTES_MAX:
            break
        gone["count" if count > ENTRIES_MAX else "bytes"] += 1
        count, size, last = count - 1, size - entry_bytes, number
    if not gone:
        return
    db.execute("DELETE FROM quarantine WHERE number <= ?", (last,))
    changes = {f"quarantine_dropped_for_{bound}": times for bound, times in gone.items()}
    changes["quarantined"] = count - totals["quarantined"]
    changes["quarantined_bytes"] = size - totals["quarantined_bytes"]
    _add(db, changes)
    _tell(sum(totals[name] for name in REASONS), gone)


def _tell(before: int, gone: Counter[str]) -> None:
    """Log the first that is let go of, and then each so many."""
    after = before + gone.total()
    if not before or before // _TOLD_EVERY != after // _TOLD_EVERY:
        _LOG.warning(
            "the quarantine is full (%d entries or %d bytes): %d of the oldest were let go of",
            *(ENTRIES_MAX, BYTES_MAX, after),
        )


def _totals(db: apsw.Connection) -> dict[str, int]:
    rows = db.execute("SELECT name, value FROM totals WHERE name LIKE 'quarantine%'")
    return {str(name): int(value) for name, value in rows}


def _add(db: apsw.Connection, changes: dict[str, int]) -> None:
    db.executemany(
        "UPDATE totals SET value = value + ? WHERE name = ?",
        [(change, name) for name, change in changes.items()],
    )
