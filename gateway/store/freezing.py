"""Feeds that end where their author signed two histories, and what rests on records beyond.

In: a feed, and from which record on it does not count. Out: its head moved back to there for good,
so that all that is said of it is of the prefix; the marks of what is contested. Records are never
deleted by it, and what was agreed or final of them stays so: no author takes that back.
Protocol: docs/protocol/evidence.md.
"""

import apsw

from gateway.records.merkle import frontier
from gateway.records.record import NO_RECORD
from gateway.store import feeds, islands

# From these records on, all whose deps lead to them.
_RESTING = """
WITH RECURSIVE resting (place) AS (
    SELECT place FROM contested WHERE place >= ?1 AND place < ?2
    UNION SELECT a.place FROM resting t JOIN records r ON r.place = t.place
    JOIN answers a ON a.dep = r.id)
INSERT OR IGNORE INTO contested SELECT place FROM resting
"""


def frozen(db: apsw.Connection, feed: bytes) -> int | None:
    """Give from which record on a feed does not count; None where all of it does."""
    row = db.execute("SELECT seq FROM frozen WHERE feed = ?", (feed,)).fetchone()
    return None if row is None else int(row[0])


def reach(db: apsw.Connection, feed: bytes) -> int:
    """Give how many records of a held feed are stored from its genesis on, contested ones too."""
    number, head = feeds.feed_number(db, feed), feeds.head(db, feed)
    if number is None or head is None or frozen(db, feed) is None:
        return 0 if head is None else head.size
    span = feeds.place(number, 0), feeds.place(number + 1, 0)
    last = db.execute("SELECT max(place) FROM records WHERE place >= ? AND place < ?", span).get
    return 0 if last is None else int(last) - span[0] + 1


def every(db: apsw.Connection) -> frozenset[bytes]:
    """Name the feeds that end somewhere."""
    return frozenset(bytes(feed) for (feed,) in db.execute("SELECT feed FROM frozen"))


def freeze(db: apsw.Connection, feed: bytes, seq: int) -> bool:
    """End a feed before a record, held or not; say whether it ended later, or not at all."""
    before = frozen(db, feed)
    if before is not None and before <= seq:
        return False
    db.execute("INSERT OR REPLACE INTO frozen VALUES (?, ?)", (feed, seq))
    number = feeds.feed_number(db, feed)
    db.execute("DELETE FROM claims WHERE feed = ? AND size > ?", (feed, seq))
    if number is None:
        return True
    islands.drop(db, feed)
    _cut(db, feed, number, seq)
    _contest(db, number, seq)
    return True


def is_contested(db: apsw.Connection, feed: bytes, seq: int) -> bool:
    """Say whether a stored record is beyond where its feed ends, or rests on one that is."""
    number = feeds.feed_number(db, feed)
    if number is None:
        return False
    found = db.execute("SELECT 1 FROM contested WHERE place = ?", (feeds.place(number, seq),))
    return found.fetchone() is not None


def contested(db: apsw.Connection) -> list[int]:
    """Give the places of all records that are contested."""
    return [int(place) for (place,) in db.execute("SELECT place FROM contested ORDER BY place")]


def _cut(db: apsw.Connection, feed: bytes, number: int, seq: int) -> None:
    held = db.execute("SELECT size FROM heads WHERE feed = ?", (number,)).get
    if held <= seq:
        return
    roots = frontier(seq, feeds.subtree(db, feed)).roots
    last = NO_RECORD
    if seq:
        at = (feeds.place(number, seq - 1),)
        last = db.execute("SELECT id FROM records WHERE place = ?", at).get
    db.execute(
        "UPDATE heads SET size = ?, frontier = ?, last = ? WHERE feed = ?",
        (seq, b"".join(roots), last, number),
    )
    # What is owed of records that do not count is asked for no more.
    beyond = feeds.place(number, seq), feeds.place(number + 1, 0)
    for table in ("pieces", "apart"):
        owed = " AND held = 0" if table == "apart" else ""
        db.execute(f"DELETE FROM {table} WHERE place >= ? AND place < ?{owed}", beyond)
    db.execute("DELETE FROM partial_acks WHERE feed = ? AND size > ?", (number, seq))


def _contest(db: apsw.Connection, number: int, seq: int) -> None:
    beyond = feeds.place(number, seq), feeds.place(number + 1, 0)
    db.execute(
        "INSERT OR IGNORE INTO contested SELECT place FROM records WHERE place >= ? AND place < ?",
        beyond,
    )
    db.execute(_RESTING, beyond)
