"""Which heads are under which cosigned checkpoints, of this node's journals and of others'.

In: entries that hold under a checkpoint and are of feeds as they are held, all verified. Out: what
proves that a record is cosigned, and what is to be told to others; and up to where feeds are
cosigned. Of a feed only what no larger head under as many cosignatures replaces is kept. Protocol:
docs/protocol/journal.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import apsw

from gateway.records.feed import Head
from gateway.records.journal import Entry
from gateway.store import checkpoints, standing
from gateway.store.checkpoints import Kept, Signer

# Of one feed so many heads at most, each under other witnesses: more only liars bring about.
HEADS_MAX = 16
_HASH_BYTES = 32
Key = tuple[bytes, int, frozenset[Signer]]


@dataclass(frozen=True, slots=True)
class Noted:
    """A head in a journal, with the checkpoint under which it holds."""

    entry: Entry
    kept: Kept

    @property
    def key(self) -> Key:
        """Say what is told by it: how far which feed is cosigned, and by whom."""
        return self.entry.head.feed, self.entry.head.size, self.kept.signers


@dataclass(frozen=True, slots=True)
class Tally:
    """Of a group's records: how many are held, are agreed, are cosigned, are final."""

    records: int
    agreed: int
    cosigned: int
    final: int


def keep(db: apsw.Connection, number: int, entries: Sequence[Entry]) -> bool:
    """Keep entries under a checkpoint, and say in the same commit what is cosigned by them."""
    before = db.total_changes()
    db.executemany(
        "INSERT INTO noted SELECT number, ?, ?, ?, ?, ? FROM feeds WHERE id = ?"
        " ON CONFLICT DO NOTHING",
        [
            (
                number,
                each.head.size,
                each.head.root,
                each.index,
                b"".join(each.path),
                each.head.feed,
            )
            for each in entries
        ],
    )
    is_new = db.total_changes() > before
    settle(db, number)
    for (feed,) in list(db.execute("SELECT feed FROM noted WHERE checkpoint = ?", (number,))):
        _thin(db, feed)
    return is_new


def of_feed(db: apsw.Connection, feed: bytes, above: int = 0) -> list[Noted]:
    """Give the heads noted of a feed that have records beyond a size, the most cosigned first."""
    rows = db.execute(
        "SELECT n.checkpoint, n.size, n.root, n.position, n.path FROM noted n"
        " JOIN feeds f ON f.number = n.feed WHERE f.id = ? AND n.size > ?",
        (feed, above),
    )
    found = [
        Noted(Entry(at, Head(feed, size, root), _path(path)), checkpoints.load(db, number))
        for number, size, root, at, path in list(rows)
    ]
    return sorted(found, key=lambda each: (-len(each.kept.names), -each.entry.head.size))


def under(db: apsw.Connection, run: bytes, index: int) -> list[Noted]:
    """Give the heads noted under one number of a run's journal: one, if it is honest."""
    rows = db.execute(
        "SELECT c.number, f.id, n.size, n.root, n.path FROM checkpoints c"
        " JOIN noted n ON n.checkpoint = c.number JOIN feeds f ON f.number = n.feed"
        " WHERE c.run = ? AND n.position = ? ORDER BY c.size",
        (run, index),
    )
    return [
        Noted(Entry(index, Head(feed, size, root), _path(path)), checkpoints.load(db, number))
        for number, feed, size, root, path in list(rows)
    ]


def feeds_of(db: apsw.Connection, group: bytes) -> list[bytes]:
    """Give the feeds of a group of which heads are noted."""
    rows = db.execute(
        "SELECT id FROM feeds WHERE number IN (SELECT feed FROM noted)"
        " AND in_group = (SELECT number FROM groups WHERE id = ?) ORDER BY id",
        (group,),
    )
    return [bytes(feed) for (feed,) in rows]


def tally(db: apsw.Connection, group: bytes) -> Tally:
    """Count how far a group's records are agreed and cosigned, all feeds together."""
    ((*counts,),) = db.execute(
        "SELECT total(h.size), total(min(h.size, s.agreed)), total(min(h.size, s.cosigned)),"
        " total(min(h.size, s.agreed, s.cosigned)) FROM feeds f JOIN heads h ON h.feed = f.number"
        " JOIN groups g ON g.number = f.in_group LEFT JOIN standing s ON s.feed = f.number"
        " WHERE g.id = ?",
        (group,),
    )
    return Tally(*map(int, counts))


def stamp(db: apsw.Connection) -> tuple[int, int]:
    """Say what changes whenever something is noted or cosigned."""
    ((noted, cosigned),) = db.execute(
        "SELECT (SELECT total(size + checkpoint) FROM noted), (SELECT count(*) FROM cosignatures)"
    )
    return int(noted), int(cosigned)


def settle(db: apsw.Connection, number: int) -> None:
    """Say of the heads under a checkpoint that they are cosigned, in groups where enough did."""
    groups = db.execute(
        "SELECT DISTINCT g.id FROM noted n JOIN feeds f ON f.number = n.feed"
        " JOIN groups g ON g.number = f.in_group WHERE n.checkpoint = ?",
        (number,),
    )
    for (group,) in list(groups):
        _settle(db, number, bytes(group))


def settle_group(db: apsw.Connection, group: bytes) -> None:
    """Look again what is cosigned in a group, once other witnesses may count in it."""
    rows = db.execute(
        "SELECT DISTINCT n.checkpoint FROM noted n JOIN feeds f ON f.number = n.feed"
        " JOIN groups g ON g.number = f.in_group LEFT JOIN standing s ON s.feed = f.number"
        " WHERE g.id = ? AND n.size > coalesce(s.cosigned, 0)",
        (group,),
    )
    for (number,) in list(rows):
        _settle(db, number, group)


def _settle(db: apsw.Connection, number: int, group: bytes) -> None:
    kept, by = checkpoints.load(db, number), checkpoints.witnesses(db, group)
    if by.suffice(checkpoints.signed(kept, by)):
        rows = db.execute(
            "SELECT f.id, n.size FROM noted n JOIN feeds f ON f.number = n.feed"
            " JOIN groups g ON g.number = f.in_group WHERE n.checkpoint = ? AND g.id = ?",
            (number, group),
        )
        for feed, size in list(rows):
            standing.cosigned(db, bytes(feed), size)


def _thin(db: apsw.Connection, feed: int) -> None:
    """Forget heads of a feed that a larger one under the same cosignatures replaces."""
    rows = db.execute(
        "SELECT checkpoint FROM noted WHERE feed = ? ORDER BY size DESC, checkpoint DESC", (feed,)
    )
    stay: list[frozenset[str]] = []
    for (number,) in list(rows):
        kept = checkpoints.load(db, number)
        if len(stay) < HEADS_MAX and not any(kept.names <= names for names in stay):
            stay.append(kept.names)
            continue
        db.execute("DELETE FROM noted WHERE feed = ? AND checkpoint = ?", (feed, number))
        run = kept.checkpoint.run
        assert run is not None, "only checkpoints of runs are kept"
        checkpoints.prune(db, run)


def _path(hashes: bytes) -> tuple[bytes, ...]:
    starts = range(0, len(hashes), _HASH_BYTES)
    return tuple(hashes[at : at + _HASH_BYTES] for at in starts)
