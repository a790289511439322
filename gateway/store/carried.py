"""What is to be carried by hand: of each feed, the records that some node has not signed for.

In: a group, the nodes a file is for, what else was asked. Out: spans of records, in the order in
which this node came to know their feeds, so that whoever admits an author comes before it. It
changes nothing: only a signed ACK moves a cursor (I10).
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import apsw

from gateway.groups.agreement import Cover
from gateway.records import record
from gateway.store import feeds, outbox


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for: all there is, or what is not signed for; from a moment on, or ever."""

    everything: bool = False
    from_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """Records [start, stop) of a feed."""

    feed: bytes
    start: int
    stop: int
    covers: tuple[Cover, ...] = ()  # what each of the nodes signed for; none where all is wanted

    def lacks(self, seq: int) -> bool:
        """Say whether the body of a record is wanted: some node did not sign for it."""
        return not self.covers or not all(each.covers(seq) for each in self.covers)


def spans(
    db: apsw.Connection, group: bytes, nodes: Collection[bytes], wanted: Wanted
) -> Iterator[Span]:
    """Give what is to be carried of a group to these nodes; what one lacks goes to all."""
    rows: list[tuple[Any, ...]] = db.execute(
        "SELECT f.number, f.id, f.node, h.size FROM feeds f JOIN groups g ON g.number = f.in_group"
        " JOIN heads h ON h.feed = f.number WHERE g.id = ? ORDER BY f.number",
        (group,),
    ).fetchall()
    for number, feed, author, size in rows:
        start, covers = 0, tuple[Cover, ...]()
        if not wanted.everything:
            covers = tuple(outbox.cover(db, node, feed) for node in nodes if node != author)
            start = min((each.prefix for each in covers), default=size)
        if wanted.from_ms is not None and start < size:
            start = _first_since(db, number, (start, size), wanted.from_ms)
        if start < size:
            yield Span(bytes(feed), start, size, covers)


def _first_since(db: apsw.Connection, number: int, within: tuple[int, int], from_ms: int) -> int:
    """Find by halving where a feed reaches a moment: its clock is taken to have gone forward."""
    low, high = within
    while low < high:
        middle = (low + high) // 2
        row = db.execute(
            "SELECT encoded FROM records WHERE place = ?", (feeds.place(number, middle),)
        ).fetchone()
        if row is not None and record.parse(row[0]).moment.unix_ms < from_ms:
            low = middle + 1
        else:
            high = middle
    return low
