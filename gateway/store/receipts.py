"""Receipt records: read when they are stored, and what is due to be said in the next one.

In: a receipt record just stored; a feed that has grown; what this node holds of others. Out: feeds
covered, outboxes released, roots that are not ours; and the entries that this node owes. It writes
no record: `upkeep` does. Protocol: docs/protocol/agreement.md.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import apsw

from gateway.errors import BadAck
from gateway.groups.agreement import Entry, decode_receipt
from gateway.groups.heard import act_of
from gateway.groups.membership import Remove
from gateway.records.feed import Head
from gateway.store import feeds, membership, outbox, standing
from gateway.sync.decide import Forked


class Doubt(NamedTuple):
    """Two roots of one feed at one size, whose word the other is, and in which group."""

    fork: Forked
    node: bytes
    group: bytes


def take(db: apsw.Connection, place: int, content: bytes, *, is_own: bool = False) -> list[Doubt]:
    """Take in a receipt record just stored, of another as an ACK to all; what is none is idle."""
    try:
        entries = decode_receipt(content)
    except BadAck:
        return []
    db.executemany(
        "INSERT INTO receipted VALUES (?, ?, ?, ?, ?)",
        [
            (each.head.feed, place, each.head.size, each.cover.prefix, each.head.root)
            for each in entries
        ],
    )
    doubts: list[Doubt] = []
    for each in entries:
        doubts += _compare(db, each, place, is_own)
    return doubts


def grown(db: apsw.Connection, feed: bytes) -> list[Doubt]:
    """Compare what was receipted of a feed before it was held so far, now that it has grown."""
    rows = db.execute(
        "SELECT r.place, r.size, r.whole, r.root FROM receipted r JOIN feeds f ON f.id = r.about"
        " JOIN heads h ON h.feed = f.number WHERE r.about = ? AND r.root IS NOT NULL"
        " AND r.size <= h.size ORDER BY r.size",
        (feed,),
    )
    doubts: list[Doubt] = []
    for place, size, whole, root in list(rows):
        ranges = ((whole, size),) if whole < size else ()
        doubts += _compare(db, Entry(Head(feed, size, root), ranges), place, is_own=False)
    return doubts


def removed(db: apsw.Connection, group: bytes, place: int, content: bytes) -> list[Doubt]:
    """Compare the roots of a removal's cut with what is held of the feeds that it names."""
    act = act_of(content)
    heads = act.cut if isinstance(act, Remove) else ()
    doubts = [_doubt(db, head, place) for head in heads if _is_of(db, head.feed, group)]
    return [each for each in doubts if each is not None]


def due(db: apsw.Connection, group: bytes, node: bytes) -> Iterator[Entry]:
    """Give what a node holds and has not receipted of others, where more than receipts came.

    Only what is held with its bodies is said: where one is owed, the size is smaller.
    """
    rows = db.execute(
        "SELECT f.id, h.size, coalesce(c.size, 0) FROM feeds f"
        " JOIN groups g ON g.number = f.in_group JOIN heads h ON h.feed = f.number"
        " LEFT JOIN covers c ON c.feed = f.number AND c.node = ?2"
        " WHERE g.id = ?1 AND f.node <> ?2 AND h.spoken > coalesce(c.size, 0) ORDER BY f.id",
        (group, node),
    )
    for feed, held, before in list(rows):
        # What is beyond a cut counts nothing; that somebody holds it is not said either.
        size = min(held, membership.counted(db, feed))
        if size > before:
            size = outbox.entry(db, Head(feed, size, b"")).cover.prefix
        if size > before:
            yield Entry(Head(feed, size, feeds.root_at(db, feed, size)))


def _compare(db: apsw.Connection, entry: Entry, place: int, is_own: bool) -> Sequence[Doubt]:
    """See what an entry comes to, if its feed is held so far in the same group."""
    head, (by, _) = entry.head, feeds.parted(place)
    row: tuple[int, int, bytes] | None = db.execute(
        "SELECT a.number, h.size, b.node FROM feeds a JOIN heads h ON h.feed = a.number"
        " JOIN feeds b ON b.number = ? AND b.in_group = a.in_group WHERE a.id = ?",
        (by, head.feed),
    ).fetchone()
    if row is None or row[1] < head.size:
        return ()
    about, _, node = row
    doubt, whole = _doubt(db, head, place), entry.cover.prefix
    db.execute(
        "UPDATE receipted SET root = NULL, whole = ? WHERE about = ? AND place = ?",
        (0 if doubt else whole, head.feed, place),
    )
    if doubt:
        return (doubt,)
    if not is_own:
        outbox.acknowledged(db, node, head, b"", entry.ranges)
    if whole:
        standing.covered(db, about, place, whole)
    return ()


def _doubt(db: apsw.Connection, head: Head, place: int) -> Doubt | None:
    """Compare a head that the record at a place names with the one held of the same size."""
    held = feeds.head(db, head.feed)
    if held is None or held.size < head.size:
        return None
    ours = Head(head.feed, head.size, feeds.root_at(db, head.feed, head.size))
    if ours.root == head.root:
        return None
    by = (feeds.parted(place)[0],)
    node, group = db.execute(
        "SELECT f.node, g.id FROM feeds f JOIN groups g ON g.number = f.in_group"
        " WHERE f.number = ?",
        by,
    ).get
    return Doubt(Forked(ours, head), node, group)


def _is_of(db: apsw.Connection, feed: bytes, group: bytes) -> bool:
    held = feeds.load(db, feed)
    return held is not None and held.group == group
