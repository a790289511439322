"""Feeds in the store: records by (feed number, seq), heads apart from them, and tiles for proofs.

In: verified records with the feed they end, from `records`. Out: feeds, heads, slices, subtrees.
Every function takes the connection it works on, so that one transaction can hold several.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import apsw

from gateway.records.feed import Feed, Head, decode_genesis
from gateway.records.merkle import EMPTY_ROOT, Frontier, Subtree, frontier, node_hash
from gateway.records.record import CARRIED_BODY_BYTES_MAX, SALT_BYTES, Kind, Record
from gateway.store import bodies

_TILE_LEVELS = 8
_HASH_BYTES = 32
_SEQ_BITS = 32
# What asks for no receipt by itself: else two who receipt each other would never fall silent.
_UNRECEIPTED = frozenset({Kind.RECEIPT, Kind.ANNOUNCEMENT})


@dataclass(frozen=True, slots=True)
class Held:
    """A record as it is held: its bytes, and its body's where they travel with it and are held."""

    seq: int
    encoded: bytes
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Missing:
    """Records [start, stop) of a feed that some genesis says there are."""

    feed: bytes
    start: int
    stop: int


def place(feed_number: int, seq: int) -> int:
    """Give the key of a record."""
    return feed_number << _SEQ_BITS | seq


def parted(where: int) -> tuple[int, int]:
    """Give the feed's number and the record's number that make a key."""
    return where >> _SEQ_BITS, where & (1 << _SEQ_BITS) - 1


def load(db: apsw.Connection, feed: bytes) -> Feed | None:
    """Give a feed as far as it is held without a gap, or None if it is not known."""
    row = db.execute(
        "SELECT f.id, g.id, f.run_key, f.node, f.organisation, h.size, h.frontier, h.last"
        " FROM feeds f JOIN groups g ON g.number = f.in_group JOIN heads h ON h.feed = f.number"
        " WHERE f.id = ?",
        (feed,),
    ).fetchone()
    if row is None:
        return None
    name, group, run_key, node, organisation, size, roots, last = row
    return Feed(name, group, run_key, node, organisation, _frontier(size, roots), last)


def append(db: apsw.Connection, record: Record, body: bytes | None, after: Feed) -> int:
    """Keep a verified record and the feed that now ends in it; give its place."""
    return extend(db, [(record, body)], after)


def extend(db: apsw.Connection, kept: Sequence[tuple[Record, bytes | None]], after: Feed) -> int:
    """Keep verified records, each the next of one feed, and the feed that now ends in the last.

    Gives the place of the first.
    """
    (first, body), number = kept[0], feed_number(db, after.id)
    if number is None:
        number = _open(db, after)
        if first.kind is Kind.GENESIS and body is not None:
            _keep_successions(db, number, body)
    db.executemany(
        "INSERT INTO records VALUES (?, ?, ?, ?, ?)",
        [(place(number, it.seq), int(it.kind), it.id, it.encoded, body) for it, body in kept],
    )
    spoken = max((it.seq + 1 for it, _ in kept if it.kind not in _UNRECEIPTED), default=0)
    db.execute(
        "UPDATE heads SET size = ?, frontier = ?, last = ?, spoken = max(spoken, ?) WHERE feed = ?",
        (after.size, b"".join(after.frontier.roots), after.last, spoken, number),
    )
    for tile in range((first.seq >> _TILE_LEVELS) + 1, (after.size >> _TILE_LEVELS) + 1):
        _keep_tiles(db, number, tile << _TILE_LEVELS)
    for it, body in kept:
        if it.is_apart:
            bodies.note(db, place(number, it.seq), it, body is not None)
        if it.deps:
            _keep_deps(db, place(number, it.seq), it)
    db.execute("UPDATE totals SET value = value + ? WHERE name = 'records'", (len(kept),))
    return place(number, first.seq)


def heads(db: apsw.Connection, group: bytes) -> list[Head]:
    """Give the head of every feed of a group, sorted."""
    rows = db.execute(
        "SELECT f.id, h.size, h.frontier FROM feeds f JOIN groups g ON g.number = f.in_group"
        " JOIN heads h ON h.feed = f.number WHERE g.id = ? AND h.size > 0 ORDER BY f.id",
        (group,),
    )
    return [Head(name, size, _frontier(size, roots).root()) for name, size, roots in rows]


def head(db: apsw.Connection, feed: bytes) -> Head | None:
    """Give the head of a feed, or None if nothing of it is known, or counts."""
    row = db.execute(
        "SELECT h.size, h.frontier FROM feeds f JOIN heads h ON h.feed = f.number"
        " WHERE f.id = ? AND h.size > 0",
        (feed,),
    ).fetchone()
    return None if row is None else Head(feed, row[0], _frontier(*row).root())


def sizes(db: apsw.Connection, group: bytes, node: bytes) -> dict[bytes, int]:
    """Give how many records are held of each feed of a node in a group."""
    rows = db.execute(
        "SELECT f.id, h.size FROM feeds f JOIN groups g ON g.number = f.in_group"
        " JOIN heads h ON h.feed = f.number WHERE g.id = ? AND f.node = ?",
        (group, node),
    )
    return {bytes(feed): int(size) for feed, size in rows}


def runs_of(db: apsw.Connection, group: bytes) -> list[tuple[bytes, bytes]]:
    """Give the key and the node of each run that has a feed in a group."""
    rows = db.execute(
        "SELECT f.run_key, f.node FROM feeds f JOIN groups g ON g.number = f.in_group"
        " WHERE g.id = ?",
        (group,),
    )
    return [(bytes(key), bytes(node)) for key, node in rows]


def tips(db: apsw.Connection, group: bytes, node: bytes | None = None) -> list[Head]:
    """Give the heads, of all nodes or one, that no later feed of their node names as they are."""
    rows = db.execute(
        "SELECT f.id, h.size, h.frontier, (SELECT s.root FROM successions s JOIN feeds l"
        "   ON l.number = s.later WHERE s.earlier = f.id AND s.size = h.size"
        "   AND l.node = f.node AND l.in_group = f.in_group LIMIT 1)"
        " FROM feeds f JOIN groups g ON g.number = f.in_group JOIN heads h ON h.feed = f.number"
        " WHERE g.id = ?1 AND (?2 IS NULL OR f.node = ?2) AND h.size > 0 ORDER BY f.id",
        (group, node),
    )
    heads = (
        (Head(name, size, _frontier(size, roots).root()), root) for name, size, roots, root in rows
    )
    return [head for head, named in heads if head.root != named]


def missing(db: apsw.Connection, group: bytes) -> list[Missing]:
    """Give what later feeds of a group name as earlier ones of their node, and is not held."""
    rows = db.execute(
        "SELECT s.earlier, coalesce(h.size, 0), max(min(s.size, coalesce(z.seq, s.size)))"
        " FROM successions s"
        " JOIN feeds l ON l.number = s.later JOIN groups g ON g.number = l.in_group"
        " LEFT JOIN feeds f ON f.id = s.earlier LEFT JOIN heads h ON h.feed = f.number"
        " LEFT JOIN frozen z ON z.feed = s.earlier WHERE g.id = ?"
        " AND coalesce(h.size, 0) < min(s.size, coalesce(z.seq, s.size))"
        " AND coalesce(f.node, l.node) = l.node"
        " GROUP BY s.earlier ORDER BY s.earlier",
        (group,),
    )
    return [Missing(bytes(feed), held, named) for feed, held, named in rows]


def slice_of(db: apsw.Connection, feed: bytes, start: int, stop: int, bytes_max: int) -> list[Held]:
    """Give consecutive held records from `start` below `stop`: at least one, within the bytes."""
    number = feed_number(db, feed)
    if number is None:
        return []
    rows = db.execute(
        "SELECT place, encoded, CASE WHEN length(body) <= ? THEN body END FROM records"
        " WHERE place >= ? AND place < ? ORDER BY place",
        (CARRIED_BODY_BYTES_MAX, place(number, start), place(number, stop)),
    )
    held: list[Held] = []
    size = 0
    for where, encoded, body in rows:
        _, seq = parted(where)
        size += len(encoded) + len(body or b"")
        if seq != start + len(held) or (held and size > bytes_max):
            break
        held.append(Held(seq, encoded, body))
    return held


def root_at(db: apsw.Connection, feed: bytes, size: int) -> bytes:
    """Give the root that a held feed had at a size not above its own."""
    return frontier(size, subtree(db, feed)).root() if size else EMPTY_ROOT


def subtree(db: apsw.Connection, feed: bytes) -> Subtree:
    """Serve the complete subtrees of a feed from tiles and record ids."""
    number = feed_number(db, feed)
    assert number is not None, "only the subtrees of a held feed are asked for"

    def serve(level: int, index: int) -> bytes:
        if level % _TILE_LEVELS == 0 and level:
            tile: bytes = db.execute(
                "SELECT hash FROM tiles WHERE feed = ? AND level = ? AND number = ?",
                (number, level, index),
            ).get
            return tile
        if level < _TILE_LEVELS:
            start = place(number, index << level)
            ids = db.execute(
                "SELECT id FROM records WHERE place >= ? AND place < ? ORDER BY place",
                (start, start + (1 << level)),
            )
            return Frontier().extended(row[0] for row in ids).root()
        return node_hash(serve(level - 1, 2 * index), serve(level - 1, 2 * index + 1))

    return serve


def feed_number(db: apsw.Connection, feed: bytes) -> int | None:
    """Give the number that stands for a feed in this file, or None."""
    row = db.execute("SELECT number FROM feeds WHERE id = ?", (feed,)).fetchone()
    return None if row is None else int(row[0])


def _open(db: apsw.Connection, feed: Feed) -> int:
    db.execute(
        "INSERT INTO feeds (id, in_group, node, organisation, run_key)"
        " SELECT ?, number, ?, ?, ? FROM groups WHERE id = ?",
        (feed.id, feed.node, feed.organisation, feed.run_key, feed.group),
    )
    number = db.last_insert_rowid()
    db.execute("INSERT INTO heads (feed, size, frontier, last) VALUES (?, 0, x'', x'')", (number,))
    return number


def _keep_successions(db: apsw.Connection, number: int, body: bytes) -> None:
    """Keep what a genesis, which was verified, names as its node's earlier feeds."""
    db.executemany(
        "INSERT INTO successions VALUES (?, ?, ?, ?)",
        [
            (head.feed, number, head.size, head.root)
            for head in decode_genesis(body[SALT_BYTES:]).predecessors
        ],
    )


def _keep_deps(db: apsw.Connection, where: int, said: Record) -> None:
    """Keep what a record names; it is contested where a record that it names is."""
    db.executemany("INSERT INTO answers VALUES (?, ?)", [(dep, where) for dep in said.deps])
    db.execute(
        "INSERT INTO contested SELECT ?1 WHERE EXISTS (SELECT 1 FROM answers a JOIN records r"
        " ON r.id = a.dep JOIN contested c ON c.place = r.place WHERE a.place = ?1)",
        (where,),
    )


def _keep_tiles(db: apsw.Connection, number: int, size: int) -> None:
    """Keep the complete subtrees that a record just finished, at every eighth level."""
    level = _TILE_LEVELS
    while size % (1 << level) == 0:
        index = (size >> level) - 1
        if level == _TILE_LEVELS:
            start = place(number, index << level)
            rows = db.execute(
                "SELECT id FROM records WHERE place >= ? AND place < ? ORDER BY place",
                (start, start + (1 << level)),
            )
        else:
            rows = db.execute(
                "SELECT hash FROM tiles WHERE feed = ? AND level = ? AND number >= ? AND number < ?"
                " ORDER BY number",
                (number, level - _TILE_LEVELS, index << 8, index + 1 << 8),
            )
        root = Frontier().extended(row[0] for row in rows).root()
        db.execute("INSERT INTO tiles VALUES (?, ?, ?, ?)", (number, level, index, root))
        level += _TILE_LEVELS


def _frontier(size: int, roots: bytes) -> Frontier:
    starts = range(0, len(roots), _HASH_BYTES)
    return Frontier(size, tuple(roots[at : at + _HASH_BYTES] for at in starts))
