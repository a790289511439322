"""The outbox: the store itself, and for each peer how far it has signed that it holds each feed.

Nothing is stored twice. A record leaves only under the peer's own signed ACK (I10); one whose body
the peer says it owes stays. Protocol: docs/protocol/outbox.md.
"""

from dataclasses import dataclass
from typing import Any

import apsw

from gateway.groups.agreement import Cover, Entry, Ranges
from gateway.records import cbor
from gateway.records.feed import Head
from gateway.store import bodies, feeds


@dataclass(frozen=True, slots=True)
class Lacking:
    """How many records of a group a peer has not signed for."""

    node: bytes
    records: int


def entry(db: apsw.Connection, head: Head) -> Entry:
    """Say what is held here up to a head, to be signed: all but the bodies that are owed."""
    size, owed = bodies.ranges(db, head.feed, head.size)
    if size < head.size:
        head = Head(head.feed, size, feeds.root_at(db, head.feed, size))
    return Entry(head, owed)


def acknowledged(
    db: apsw.Connection, node: bytes, held: Head, encoded: bytes, owed: Ranges = ()
) -> bool:
    """Let go of what a peer holds up to a head under its signed ACK; say whether anything left.

    Records whose bodies it owes stay; what left before never comes back. Under a receipt record
    instead, which is in the store itself, `encoded` is empty, and an earlier ACK stays.
    """
    row = _row(db, node, held.feed)
    if row is None:
        return False
    number, before = row
    after = before.adding(Cover(held.size, owed))
    if after == before:
        return False
    if after.prefix > before.prefix:
        size, root = after.prefix, held.root
        if size != held.size:
            root = feeds.root_at(db, held.feed, size)
        db.execute(
            "INSERT INTO acks VALUES (?, ?, ?, ?, ?) ON CONFLICT (feed, node)"
            " DO UPDATE SET size = excluded.size, root = excluded.root,"
            " encoded = iif(excluded.encoded = x'', encoded, excluded.encoded)",
            (number, node, size, root, encoded),
        )
    if after.owed:
        ranges = cbor.encode([list(each) for each in after.owed])
        count = sum(stop - start for start, stop in after.owed)
        db.execute(
            "INSERT OR REPLACE INTO partial_acks VALUES (?, ?, ?, ?, ?, ?)",
            (number, node, after.size, ranges, count, encoded),
        )
    elif before.owed:
        db.execute("DELETE FROM partial_acks WHERE feed = ? AND node = ?", (number, node))
    return True


def cursor(db: apsw.Connection, node: bytes, feed: bytes) -> int:
    """Give up to where a peer has signed that it holds a feed with all that is owed."""
    return cover(db, node, feed).prefix


def cover(db: apsw.Connection, node: bytes, feed: bytes) -> Cover:
    """Give what a peer has signed for of a feed."""
    row = _row(db, node, feed)
    return Cover(0) if row is None else row[1]


def lacking(db: apsw.Connection, group: bytes, node: bytes) -> Lacking:
    """Count what a peer has not signed for, of all feeds but its own."""
    count = db.execute(
        "SELECT coalesce(sum(max(h.size - coalesce(p.size, a.size, 0), 0)"
        " + coalesce(p.owed, 0)), 0) FROM feeds f"
        " JOIN groups g ON g.number = f.in_group JOIN heads h ON h.feed = f.number"
        " LEFT JOIN acks a ON a.feed = f.number AND a.node = ?2"
        " LEFT JOIN partial_acks p ON p.feed = f.number AND p.node = ?2"
        " WHERE g.id = ?1 AND f.node <> ?2",
        (group, node),
    ).get
    return Lacking(node, int(count))


def waiting(db: apsw.Connection, group: bytes, node: bytes, after: bytes, limit: int) -> list[Head]:
    """Give the next feeds, by id, of which a peer has not signed for all; of others than its own.

    Its own it wrote itself; after a restored backup it learns of them from the tips at a greeting.
    What it lacks is bodies alone: it knows, and asks for them.
    """
    rows = db.execute(
        "SELECT f.id FROM feeds f JOIN groups g ON g.number = f.in_group"
        " JOIN heads h ON h.feed = f.number LEFT JOIN acks a ON a.feed = f.number AND a.node = ?2"
        " LEFT JOIN partial_acks p ON p.feed = f.number AND p.node = ?2"
        " WHERE g.id = ?1 AND f.node <> ?2 AND f.id > ?3"
        " AND h.size > coalesce(p.size, a.size, 0) ORDER BY f.id LIMIT ?4",
        (group, node, after, limit),
    )
    names = [feed for (feed,) in rows]
    heads = (feeds.head(db, name) for name in names)
    return [head for head in heads if head is not None]


def partly(db: apsw.Connection, group: bytes, node: bytes, limit: int) -> list[Head]:
    """Give the feeds that a peer holds but for bodies it owes, which may have come by now."""
    rows: list[tuple[Any, ...]] = db.execute(
        "SELECT f.id FROM partial_acks p JOIN feeds f ON f.number = p.feed"
        " JOIN groups g ON g.number = f.in_group WHERE g.id = ? AND p.node = ?"
        " ORDER BY f.id LIMIT ?",
        (group, node, limit),
    ).fetchall()
    heads = (feeds.head(db, name) for (name,) in rows)
    return [head for head in heads if head is not None]


def holders(db: apsw.Connection, feed: bytes) -> list[tuple[bytes, Cover]]:
    """Give what each peer has signed for of a feed."""
    rows: list[tuple[Any, ...]] = db.execute(
        "SELECT a.node FROM acks a JOIN feeds f ON f.number = a.feed WHERE f.id = ?1"
        " UNION SELECT p.node FROM partial_acks p JOIN feeds f ON f.number = p.feed"
        " WHERE f.id = ?1 ORDER BY 1",
        (feed,),
    ).fetchall()
    return [(bytes(node), cover(db, node, feed)) for (node,) in rows]


def receipts(db: apsw.Connection, feed: bytes) -> list[tuple[bytes, int, bytes]]:
    """Give who has sent an ACK of a feed: node, size by now, and the ACK, which may be older."""
    rows = db.execute(
        "SELECT a.node AS node, a.size AS size, a.encoded FROM acks a"
        " JOIN feeds f ON f.number = a.feed WHERE f.id = ?1 AND a.encoded <> x''"
        " UNION SELECT p.node, p.size, p.encoded FROM partial_acks p"
        " JOIN feeds f ON f.number = p.feed WHERE f.id = ?1 AND p.encoded <> x''"
        " ORDER BY node, size",
        (feed,),
    )
    return [(bytes(node), int(size), bytes(encoded)) for node, size, encoded in rows]


def _row(db: apsw.Connection, node: bytes, feed: bytes) -> tuple[int, Cover] | None:
    row = db.execute(
        "SELECT f.number, coalesce(p.size, a.size, 0), p.ranges FROM feeds f"
        " LEFT JOIN acks a ON a.feed = f.number AND a.node = ?2"
        " LEFT JOIN partial_acks p ON p.feed = f.number AND p.node = ?2 WHERE f.id = ?1",
        (feed, node),
    ).fetchone()
    if row is None:
        return None
    number, size, encoded = row
    return int(number), Cover(int(size), () if encoded is None else _ranges(encoded))


def _ranges(encoded: bytes) -> Ranges:
    pairs = cbor.decode(encoded, len(encoded))
    assert isinstance(pairs, list), "as it was written"
    return tuple((int(start), int(stop)) for start, stop in pairs)
