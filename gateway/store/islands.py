"""Islands: records of a feed held beyond a gap, so that "now" is seen before the backlog has come.

In: verified records that follow one another. Out: what is held of a feed beyond its head. Heads,
roots, outbox and receipts know nothing of it: an island is signed for only once it is reached, and
then it is appended as any records are. Protocol: docs/protocol/sync.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import apsw

from gateway.errors import AuthorError, BrokenChain, ForkedFeed, WrongFeed
from gateway.records import record
from gateway.records.feed import Feed
from gateway.records.record import Kind, Record
from gateway.store import feeds, keyring, observations
from gateway.store.feeds import Held

RECORDS_MAX: Final = 4096
BYTES_MAX: Final = 4 * 1024 * 1024
# Of a group; a feed has one.
ISLANDS_MAX: Final = 64
# What says something of "now"; all else waits for what is before it.
KINDS: Final = frozenset({Kind.OBSERVATION, Kind.GAP, Kind.ANNOUNCEMENT})


@dataclass(frozen=True, slots=True)
class Island:
    """Records [start, stop) of a feed, held beyond a gap."""

    start: int
    stop: int
    size_bytes: int
    last: bytes


def accept(feed: Feed, seq: int, previous: bytes | None, encoded: bytes) -> Record:
    """Verify a record beyond a gap, and that it follows the one before it where that is known.

    Raises an AuthorError: ForkedFeed where its author signed that it follows another record.
    """
    said = record.decode(encoded, feed.run_key)
    if said.feed != feed.id or said.group != feed.group:
        raise WrongFeed(part="feed" if said.feed != feed.id else "group")
    if said.seq != seq:
        raise BrokenChain(seq=said.seq, previous=seq - 1, wanted=seq)
    if previous is not None and said.previous != previous:
        raise ForkedFeed(seq=seq - 1, feed=feed.id.hex()[:16])
    return said


def load(db: apsw.Connection, feed: bytes) -> Island | None:
    """Give the island of a feed, or None."""
    row = db.execute(
        "SELECT i.start, i.stop, i.bytes, i.last FROM islands i"
        " JOIN feeds f ON f.number = i.feed WHERE f.id = ?",
        (feed,),
    ).fetchone()
    return None if row is None else Island(*row)


def records(db: apsw.Connection, feed: bytes, island: Island) -> list[Held]:
    """Give the records of an island."""
    return feeds.slice_of(db, feed, island.start, island.stop, 2 * BYTES_MAX)


def has_room(db: apsw.Connection, group: bytes) -> bool:
    """Say whether another feed of a group may have an island."""
    count = db.execute(
        "SELECT count(*) FROM islands i JOIN feeds f ON f.number = i.feed"
        " JOIN groups g ON g.number = f.in_group WHERE g.id = ?",
        (group,),
    ).get
    return int(count) < ISLANDS_MAX


def keep(db: apsw.Connection, feed: bytes, kept: Sequence[tuple[Record, bytes | None]]) -> int:
    """Keep verified records that follow one another; another island than they extend goes.

    Gives the place of the first.
    """
    number, held = feeds.feed_number(db, feed), load(db, feed)
    assert number is not None, "an island is of a feed whose genesis is held"
    first, last = kept[0][0], kept[-1][0]
    if held is not None and held.stop != first.seq:
        drop(db, feed)
        held = None
    db.executemany(
        "INSERT INTO records VALUES (?, ?, ?, ?, ?)",
        [(feeds.place(number, it.seq), int(it.kind), it.id, it.encoded, body) for it, body in kept],
    )
    db.execute("UPDATE totals SET value = value + ? WHERE name = 'records'", (len(kept),))
    size_bytes = sum(len(it.encoded) + len(body or b"") for it, body in kept)
    db.execute(
        "INSERT OR REPLACE INTO islands VALUES (?, ?, ?, ?, ?)",
        (
            number,
            first.seq if held is None else held.start,
            last.seq + 1,
            size_bytes + (0 if held is None else held.size_bytes),
            last.id,
        ),
    )
    return feeds.place(number, first.seq)


def drop(db: apsw.Connection, feed: bytes) -> None:
    """Let go of the island of a feed, with all that its records were indexed by."""
    number, held = feeds.feed_number(db, feed), load(db, feed)
    if number is None or held is None:
        return
    span = feeds.place(number, held.start), feeds.place(number, held.stop)
    rows: list[tuple[Any, ...]] = db.execute(
        "SELECT place, encoded, body FROM records WHERE place >= ? AND place < ?", span
    ).fetchall()
    readings = 0
    for place, encoded, body in rows:
        for device in _devices(db, encoded, body):
            gone: tuple[Any, ...] | None = db.execute(
                "DELETE FROM observations WHERE device = ? AND place = ? RETURNING readings",
                (device, place),
            ).fetchone()
            readings += gone[0] if gone else 0
    for table in ("unread", "records"):
        db.execute(f"DELETE FROM {table} WHERE place >= ? AND place < ?", span)
    for name, count in (("records", len(rows)), ("readings", readings)):
        db.execute("UPDATE totals SET value = value - ? WHERE name = ?", (count, name))
    db.execute("DELETE FROM islands WHERE feed = ?", (number,))


def drop_strangers(db: apsw.Connection, group: bytes) -> None:
    """Let go of the islands of who is a member no more: what of them counts is asked for."""
    rows: list[tuple[Any, ...]] = db.execute(
        "SELECT f.id FROM islands i JOIN feeds f ON f.number = i.feed"
        " JOIN groups g ON g.number = f.in_group WHERE g.id = ? AND f.node NOT IN"
        " (SELECT node FROM members WHERE in_group = g.number)",
        (group,),
    ).fetchall()
    for (feed,) in rows:
        drop(db, bytes(feed))


def faults(db: apsw.Connection) -> list[str]:
    """Check that each island lies beyond its feed's head and is what is there."""
    rows: list[tuple[Any, ...]] = db.execute(
        "SELECT i.feed, i.start, i.stop, i.last, h.size FROM islands i"
        " JOIN heads h ON h.feed = i.feed"
    ).fetchall()
    found = []
    for number, start, stop, last, size in rows:
        names = db.execute(
            "SELECT id FROM records WHERE place >= ? AND place < ? ORDER BY place",
            (feeds.place(number, start), feeds.place(number + 1, 0)),
        ).fetchall()
        if start <= size or len(names) != stop - start or not names or names[-1][0] != last:
            found.append(f"feed {number}: its island [{start}, {stop}) is not what is there")
    return found


def _devices(db: apsw.Connection, encoded: bytes, body: bytes | None) -> list[str]:
    said = record.parse(encoded)
    if said.kind not in observations.INDEXED or body is None:
        return []
    try:
        content = keyring.content(db, said, body)
        spans = () if content is None else observations.spans_of(said.kind, content)
    except AuthorError:
        return []  # It was never indexed: nobody could read it.
    return [each.device for each in spans]
