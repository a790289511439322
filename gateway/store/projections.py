"""What a record says, projected by its kind: the one place that knows which table learns of what.

In: a record that was just stored, of this run or of anybody, with its body. Out: rows by which it
is found. What is sealed under a key not held waits in the table `unread` for that key; what cannot
be understood stays stored as its author signed it, and is counted by who calls. Nothing in these
rows is a source: they are made again from the records at any time.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import apsw

from gateway.errors import AuthorError
from gateway.readings.spans import Span
from gateway.records import record
from gateway.records.record import Kind, Record, Said
from gateway.store import activities, keyring, mandates, observations, orders

Keep = Callable[[apsw.Connection, int, Record, bytes], None]


def _keep_word(db: apsw.Connection, place: int, said: Record, content: bytes) -> None:
    """Keep what a person said: of an order, or of a record of an activity, which is folded."""
    activities.keep(db, place, said, content)
    orders.keep(db, place, said, content)


# What learns of a record's content, by kind; observations apart, which are indexed many at once.
_KEPT: Final[Mapping[Kind, Keep]] = {
    **dict.fromkeys(orders.KINDS, orders.keep),
    **dict.fromkeys(activities.KINDS, activities.keep),
    Kind.APPROVAL: _keep_word,
    Kind.MANDATE: mandates.keep,
}
KINDS: Final = observations.INDEXED | _KEPT.keys()


def reads(said: Record) -> bool:
    """Say whether what a record says is looked into, here and now, also where it is long."""
    return said.kind in KINDS and (said.kind is not Kind.ATTACHMENT or activities.is_piece(said))


def index(db: apsw.Connection, place: int, said: Record, body: bytes | None) -> None:
    """Project what somebody else wrote, as `find` does, with the devices it speaks of."""
    observations.keep(db, place, find(db, place, said, body))


def index_own(db: apsw.Connection, place: int, said: Said, encoded: bytes) -> None:
    """Project what this run just wrote; whoever wrote an observation knows its spans."""
    keep = _KEPT.get(said.kind)
    if keep is None and said.activity is None:
        return
    signed = record.parse(encoded)
    activities.note(db, place, signed)
    if keep is not None:
        keep(db, place, signed, said.content)


def find(db: apsw.Connection, place: int, said: Record, body: bytes | None) -> Sequence[Span]:
    """Project what somebody else wrote; of an observation or gap give what is to be indexed.

    What is sealed under a key not held waits for that key. Raise BadBody, MalformedPack,
    MalformedGap or another AuthorError where its content is not what it must be.
    """
    if body is None or not reads(said):
        return ()
    activities.note(db, place, said)
    content = keyring.content(db, said, body)
    if content is None:
        waits = "INSERT INTO unread VALUES (?, ?) ON CONFLICT DO NOTHING"
        db.execute(waits, (place, int(said.kind)))
        return ()
    keep = _KEPT.get(said.kind)
    if keep is None:
        return observations.spans_of(said.kind, content)
    keep(db, place, said, content)
    return ()


def index_opened(db: apsw.Connection, places: Iterable[int]) -> int:
    """Project stored records whose key came after them; count those that could be understood."""
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


def catch_up(db: apsw.Connection) -> int:
    """Project what an earlier version stored and did not understand; give how many it could be."""
    known = ", ".join(str(int(kind)) for kind in sorted(_KEPT))
    rows = db.execute(f"SELECT place FROM unread WHERE kind IN ({known}) ORDER BY place")
    return index_opened(db, [place for (place,) in list(rows)])


def unread(db: apsw.Connection, group: bytes) -> dict[bytes, int]:
    """Count, by author, a group's records that are sealed under keys not held."""
    rows = db.execute(
        "SELECT f.node, count(*) FROM unread u JOIN feeds f ON f.number = u.place >> 32"
        " JOIN groups g ON g.number = f.in_group WHERE g.id = ? GROUP BY f.node ORDER BY f.node",
        (group,),
    )
    return {bytes(node): int(count) for node, count in rows}
