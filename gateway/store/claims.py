"""What members signed that they hold and is not held here; from it, what a group is known to lack.

In: heads that members signed in a session or in an ACK, verified, and when. Out: the extent of a
group. Bounded: of each member and group so many feeds. A claim goes when what it claims has come;
one that is stale says nothing, because only what is above what is held counts.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import apsw

from gateway.completeness import Absent, Extent, Hearing, Holder
from gateway.records.record import Kind
from gateway.store import feeds, observations

FEEDS_MAX: Final = 4096
# A body that is missing is missing from answers only where it may hold readings.
_INDEXED = ", ".join(str(int(kind)) for kind in sorted(observations.INDEXED))
_READ = f"{_INDEXED}, {int(Kind.ATTACHMENT)}"
# Of the groups of a question by name, or of all.
_ASKED = "(?1 IS NULL OR g.name = ?1)"


def keep(db: apsw.Connection, group: bytes, node: bytes, said: Mapping[bytes, Holder]) -> int:
    """Keep what a member signed that it holds, by feed; count what was beyond its bound."""
    number = db.execute("SELECT number FROM groups WHERE id = ?", (group,)).get
    mine = (number, node)
    room = FEEDS_MAX - int(
        db.execute("SELECT count(*) FROM claims WHERE in_group = ? AND node = ?", mine).get
    )
    refused = 0
    for feed, claim in said.items():
        if not _is_above(db, number, feed, claim.size):
            continue
        where = "WHERE in_group = ? AND node = ? AND feed = ?"
        is_new = db.execute(f"SELECT 1 FROM claims {where}", (*mine, feed)).fetchone() is None
        if is_new and room <= 0:
            refused += 1
            continue
        room -= is_new
        db.execute(
            "INSERT INTO claims VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE"
            " SET size = max(size, excluded.size), heard_ms = excluded.heard_ms",
            (*mine, feed, claim.size, claim.heard_ms or 0),
        )
    return refused


def _is_above(db: apsw.Connection, number: int, feed: bytes, size: int) -> bool:
    """Say whether a claim is of more than is held, and of no feed of another group."""
    row = db.execute(
        "SELECT f.in_group, h.size FROM feeds f JOIN heads h ON h.feed = f.number WHERE f.id = ?",
        (feed,),
    ).fetchone()
    if db.execute("SELECT 1 FROM frozen WHERE feed = ? AND seq < ?", (feed, size)).fetchone():
        return False  # What is beyond does not count, whoever holds it.
    return row is None or (row[0] == number and size > row[1])


def met(db: apsw.Connection, feed: bytes, size: int) -> None:
    """Let go of the claims to what has come: the feed is held up to this size."""
    db.execute("DELETE FROM claims WHERE feed = ? AND size <= ?", (feed, size))


def wanting(db: apsw.Connection, node: bytes) -> int:
    """Count the records of which a node signed that it holds them, and that are not here."""
    return int(
        db.execute(
            "SELECT total(max(c.size - coalesce(h.size, 0), 0)) FROM claims c"
            " LEFT JOIN feeds f ON f.id = c.feed LEFT JOIN heads h ON h.feed = f.number"
            " WHERE c.node = ? AND coalesce(f.in_group, c.in_group) = c.in_group",
            (node,),
        ).get
    )


def heard(db: apsw.Connection, group: bytes, node: bytes, unix_ms: int) -> None:
    """Keep when a member was last heard in a group."""
    db.execute(
        "INSERT INTO hearings SELECT number, ?2, ?3 FROM groups WHERE id = ?1"
        " ON CONFLICT DO UPDATE SET heard_ms = excluded.heard_ms",
        (group, node, unix_ms),
    )


def extents(db: apsw.Connection, name: str | None, here: bytes) -> list[Extent]:
    """Give the extents of the group of this name, or of all, by name."""
    rows = list(
        db.execute(
            f"SELECT g.number, g.id, g.name FROM groups g WHERE {_ASKED} ORDER BY g.name", (name,)
        )
    )
    sealed = _counts(db, f"SELECT place FROM unread WHERE kind IN ({_INDEXED})", name)
    bare = _counts(db, f"SELECT place FROM records WHERE body IS NULL AND kind IN ({_READ})", name)
    return [
        Extent(
            called,
            bytes(identity),
            tuple(feeds.heads(db, identity)),
            _absent(db, number),
            _members(db, number, here),
            sealed.get(number, 0),
            bare.get(number, 0),
        )
        for number, identity, called in rows
    ]


def _counts(db: apsw.Connection, places: str, name: str | None) -> dict[int, int]:
    """Count records, by group, of which the places are selected so."""
    rows = db.execute(
        f"SELECT g.number, count(*) FROM ({places}) p JOIN feeds f ON f.number = p.place >> 32"
        f" JOIN groups g ON g.number = f.in_group WHERE {_ASKED} GROUP BY g.number",
        (name,),
    )
    return {int(number): int(count) for number, count in rows}


def _members(db: apsw.Connection, number: int, here: bytes) -> tuple[Hearing, ...]:
    rows = db.execute(
        "SELECT m.node, m.organisation, h.heard_ms FROM members m LEFT JOIN hearings h"
        " ON h.in_group = m.in_group AND h.node = m.node WHERE m.in_group = ? AND m.node <> ?"
        " ORDER BY m.organisation, m.node",
        (number, here),
    )
    return tuple(
        Hearing(bytes(node), bytes(organisation), heard_ms or None)
        for node, organisation, heard_ms in rows
    )


def _absent(db: apsw.Connection, number: int) -> tuple[Absent, ...]:
    """Give what is above what is held: by claims, geneses of later feeds, and islands."""
    held: dict[bytes, int] = {}
    holders: dict[bytes, list[Holder]] = {}
    named: dict[bytes, list[Holder]] = {}
    for into, rows in ((holders, _claimed(db, number)), (named, _named(db, number))):
        for feed, size, node, said, heard_ms in rows:
            held[bytes(feed)] = size
            into.setdefault(bytes(feed), []).append(Holder(bytes(node), said, heard_ms or None))
    islands: dict[bytes, tuple[int, int]] = {}
    for feed, size, node, start, stop in _beyond(db, number):
        held[feed], islands[feed] = size, (start, stop)
        if all(each.node != node or each.size < stop for each in holders.get(feed, ())):
            others = [each for each in holders.get(feed, ()) if each.node != node]
            holders[feed] = [*others, Holder(node, stop, None)]  # It signed what is there.
    return tuple(
        Absent(
            feed,
            held[feed],
            tuple(holders.get(feed, ())),
            tuple(named.get(feed, ())),
            islands.get(feed),
        )
        for feed in sorted(held)
    )


def _beyond(db: apsw.Connection, number: int) -> Iterable[tuple[bytes, int, bytes, int, int]]:
    """Give the islands of a group: feed, what is held before the gap, author, start and stop."""
    rows = db.execute(
        "SELECT f.id, h.size, f.node, i.start, i.stop FROM islands i"
        " JOIN feeds f ON f.number = i.feed JOIN heads h ON h.feed = i.feed"
        " WHERE f.in_group = ? ORDER BY f.id",
        (number,),
    )
    return [(bytes(feed), size, bytes(node), start, stop) for feed, size, node, start, stop in rows]


_Claimed = Iterable[tuple[bytes, int, bytes, int, int]]


def _claimed(db: apsw.Connection, number: int) -> _Claimed:
    """Give what members, as they are now, signed that they hold above what is held here."""
    return db.execute(
        "SELECT c.feed, coalesce(h.size, 0), c.node, c.size, c.heard_ms FROM claims c"
        " JOIN members m ON m.in_group = c.in_group AND m.node = c.node"
        " LEFT JOIN feeds f ON f.id = c.feed LEFT JOIN heads h ON h.feed = f.number"
        " WHERE c.in_group = ?1 AND c.size > coalesce(h.size, 0)"
        " AND coalesce(f.in_group, ?1) = ?1 ORDER BY c.feed, c.node",
        (number,),
    )


def _named(db: apsw.Connection, number: int) -> _Claimed:
    """Give what later feeds name as earlier ones of their node, above what is held here."""
    return db.execute(
        "SELECT s.earlier, coalesce(h.size, 0), l.node,"
        " max(min(s.size, coalesce(z.seq, s.size))), 0 FROM successions s"
        " JOIN feeds l ON l.number = s.later LEFT JOIN feeds f ON f.id = s.earlier"
        " LEFT JOIN heads h ON h.feed = f.number LEFT JOIN frozen z ON z.feed = s.earlier"
        " WHERE l.in_group = ?1 AND coalesce(h.size, 0) < min(s.size, coalesce(z.seq, s.size))"
        " AND coalesce(f.node, l.node) = l.node"
        " AND coalesce(f.in_group, ?1) = ?1 GROUP BY s.earlier, l.node ORDER BY s.earlier, l.node",
        (number,),
    )
