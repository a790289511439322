"""The outbox: the store itself, and for each peer how far it has signed that it holds each feed.

Nothing is stored twice. A cursor moves only under the peer's own signed ACK (I10).
"""

from dataclasses import dataclass

import apsw

from gateway.records.feed import Head
from gateway.store import feeds


@dataclass(frozen=True, slots=True)
class Lacking:
    """How many records of a group a peer has not signed for."""

    node: bytes
    records: int


def acknowledged(db: apsw.Connection, node: bytes, held: Head, encoded: bytes) -> bool:
    """Move a peer's cursor up to a head under its signed ACK; say whether it moved."""
    number = feeds.feed_number(db, held.feed)
    if number is None:
        return False
    before = cursor(db, node, held.feed)
    if held.size <= before:
        return False
    db.execute(
        "INSERT INTO acks VALUES (?, ?, ?, ?, ?) ON CONFLICT (feed, node)"
        " DO UPDATE SET size = excluded.size, root = excluded.root, encoded = excluded.encoded",
        (number, node, held.size, held.root, encoded),
    )
    return True


def cursor(db: apsw.Connection, node: bytes, feed: bytes) -> int:
    """Give how many records of a feed a peer has signed for."""
    row = db.execute(
        "SELECT size FROM acks a JOIN feeds f ON f.number = a.feed WHERE f.id = ? AND a.node = ?",
        (feed, node),
    ).fetchone()
    return 0 if row is None else int(row[0])


def lacking(db: apsw.Connection, group: bytes, node: bytes) -> Lacking:
    """Count what a peer has not signed for, of all feeds but its own."""
    count = db.execute(
        "SELECT coalesce(sum(max(h.size - coalesce(a.size, 0), 0)), 0) FROM feeds f"
        " JOIN groups g ON g.number = f.in_group JOIN heads h ON h.feed = f.number"
        " LEFT JOIN acks a ON a.feed = f.number AND a.node = ?2"
        " WHERE g.id = ?1 AND f.node <> ?2",
        (group, node),
    ).get
    return Lacking(node, int(count))


def waiting(db: apsw.Connection, group: bytes, node: bytes, after: bytes, limit: int) -> list[Head]:
    """Give the next feeds, by id, of which a peer has not signed for all; of others than its own.

    Its own it wrote itself; after a restored backup it learns of them from the tips at a greeting.
    """
    rows = db.execute(
        "SELECT f.id FROM feeds f JOIN groups g ON g.number = f.in_group"
        " JOIN heads h ON h.feed = f.number LEFT JOIN acks a ON a.feed = f.number AND a.node = ?2"
        " WHERE g.id = ?1 AND f.node <> ?2 AND f.id > ?3 AND h.size > coalesce(a.size, 0)"
        " ORDER BY f.id LIMIT ?4",
        (group, node, after, limit),
    )
    names = [feed for (feed,) in rows]
    heads = (feeds.head(db, name) for name in names)
    return [head for head in heads if head is not None]


def receipts(db: apsw.Connection, feed: bytes) -> list[tuple[bytes, int, bytes]]:
    """Give who has signed for a feed: node, size, and the signed ACK."""
    rows = db.execute(
        "SELECT a.node, a.size, a.encoded FROM acks a JOIN feeds f ON f.number = a.feed"
        " WHERE f.id = ? ORDER BY a.node",
        (feed,),
    )
    return [(bytes(node), int(size), bytes(encoded)) for node, size, encoded in rows]
