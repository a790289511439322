"""What is held of a group that says who is a member, read for the fold.

In: a group's stored membership records, geneses, announcements and receipts. Out: what was heard in
it. It judges nothing, and writes nothing. Protocol: docs/protocol/membership.md.
"""

from collections.abc import Iterator, Mapping

import apsw

from gateway.errors import UnknownGroup
from gateway.groups import group
from gateway.groups.heard import Author, Heard, Names, Reading, Row, act_of
from gateway.groups.membership import Leave, Remove
from gateway.records.record import SALT_BYTES, Kind
from gateway.store import feeds
from gateway.store.chain import rosters


def hear(db: apsw.Connection, identity: bytes) -> Heard:
    """Gather all that is held of a group and says who is a member; raise UnknownGroup."""
    row = db.execute("SELECT number, founding FROM groups WHERE id = ?", (identity,)).fetchone()
    if row is None:
        raise UnknownGroup(group=identity.hex()[:16])
    number, founding = int(row[0]), group.parse(row[1])
    reading = Reading(rosters(db, founding.consortium))
    rows = db.execute(
        "SELECT f.number, h.size, f.id, f.node, f.organisation FROM feeds f"
        " JOIN heads h ON h.feed = f.number WHERE f.in_group = ?",
        (number,),
    )
    held = {int(feed): (int(size), Author(*author)) for feed, size, *author in rows}
    authors = {feed: author for feed, (_, author) in held.items()}
    said = {feed: _said(db, feed, size) for feed, (size, _) in held.items()}
    for feed, row in _receipts(db, authors, _gone(authors, said)):
        said[feed].append(row)
    for feed, (size, author) in held.items():
        reading.read(author, (row for row in sorted(said[feed]) if row[0] < size))
    return reading.conclude(founding, lambda names: _others(db, number, names))


def _said(db: apsw.Connection, feed: int, size: int) -> list[Row]:
    """Give the membership records, geneses and announcements of a feed up to its head."""
    start = feeds.place(feed, 0)
    rows = db.execute(
        "SELECT place - ?1, kind, encoded, body FROM records"
        " WHERE place >= ?1 AND place < ?2 AND kind <= 2",
        (start, start + size),
    )
    return [(int(seq), int(kind), encoded, body) for seq, kind, encoded, body in rows]


def _gone(authors: Mapping[int, Author], said: Mapping[int, list[Row]]) -> frozenset[bytes]:
    """Name the nodes that some record says were removed, or left: receipts vouch for no others."""
    gone = set[bytes]()
    for feed, rows in said.items():
        for _, kind, _, body in rows:
            match act_of((body or b"")[SALT_BYTES:]) if kind == Kind.MEMBERSHIP else None:
                case Remove(node):
                    gone.add(node)
                case Leave():
                    gone.add(authors[feed].node)
    return frozenset(gone)


def _receipts(
    db: apsw.Connection, authors: Mapping[int, Author], gone: frozenset[bytes]
) -> Iterator[tuple[int, Row]]:
    """Give the receipts of a group's records by these nodes, each once, with the feed it is in."""
    places = set[int]()
    for author in authors.values():
        if author.node in gone:
            rows = db.execute("SELECT place FROM receipted WHERE about = ?", (author.feed,))
            places.update(int(place) for (place,) in rows)
    for place in sorted(places):
        feed, seq = feeds.parted(place)
        if feed in authors:
            wanted = "SELECT encoded, body FROM records WHERE place = ?"
            ((encoded, body),) = db.execute(wanted, (place,))
            yield feed, (seq, int(Kind.RECEIPT), encoded, body)


def _others(db: apsw.Connection, number: int, names: Names) -> Names:
    """Give which of these records are held in the group.

    Not all members hold what is in another group: it is never known.
    """
    wanted = "SELECT 1 FROM records r JOIN feeds f ON f.number = r.place >> 32"
    wanted += " WHERE r.id = ? AND f.in_group = ?"
    return frozenset(name for name in names if db.execute(wanted, (name, number)).fetchone())
