"""Bodies that travel apart from their records: which are owed, the pieces that came, parts given.

In: records stored without their body, pieces of it, and what a peer asks for. Out: what is owed,
by whom written, with what came of it; bodies, once their length and hash are those of the record.
Nothing here is ever held whole in memory. Protocol: docs/protocol/sync.md.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import apsw

from gateway.groups.agreement import RANGES_MAX, Ranges
from gateway.records import record
from gateway.records.record import CARRIED_BODY_BYTES_MAX, Record

_SEQ_BITS = 32
_SEQ_MASK = (1 << _SEQ_BITS) - 1
_OWED = (
    "SELECT a.place, g.id, f.id, f.node, a.hash, a.length,"
    " (SELECT group_concat(number) FROM pieces p WHERE p.place = a.place)"
    " FROM apart a JOIN feeds f ON f.number = a.place >> 32 JOIN groups g ON g.number = a.in_group"
    " WHERE a.held = 0"
)


@dataclass(frozen=True, slots=True)
class Owed:
    """A body that is owed: of which record, by whom written, and the pieces of it that are had."""

    place: int
    group: bytes
    feed: bytes
    node: bytes
    hash: bytes
    length: int
    had: frozenset[int]

    @property
    def seq(self) -> int:
        """Give the number of its record."""
        return self.place & _SEQ_MASK


def note(db: apsw.Connection, place: int, said: Record, is_held: bool) -> None:
    """Remember a record just stored whose body travels apart; without it, it is owed."""
    assert said.body is not None, "what travels apart is there"
    db.execute(
        "INSERT INTO apart SELECT ?, in_group, ?, ?, ? FROM feeds WHERE number = ?",
        (place, said.body.hash, said.body.length, int(is_held), place >> _SEQ_BITS),
    )


def owed(db: apsw.Connection, group: bytes, after: int, limit: int) -> list[Owed]:
    """Give the next bodies, by place, that a group's records owe here."""
    rows = db.execute(
        f"{_OWED} AND g.id = ? AND a.place > ? ORDER BY a.place LIMIT ?", (group, after, limit)
    )
    return [_owed(row) for row in rows]


def begun(db: apsw.Connection) -> list[Owed]:
    """Give the bodies that are owed and of which pieces are had, in all groups."""
    rows = db.execute(f"{_OWED} AND a.place IN (SELECT place FROM pieces) ORDER BY a.place")
    return [_owed(row) for row in rows]


def owed_at(db: apsw.Connection, place: int) -> Owed | None:
    """Give the body that a record owes, or None."""
    row = db.execute(f"{_OWED} AND a.place = ?", (place,)).fetchone()
    return None if row is None else _owed(row)


def owing(db: apsw.Connection, group: bytes, name: bytes) -> list[Owed]:
    """Give the records of a group that owe the body with this hash."""
    rows = db.execute(f"{_OWED} AND g.id = ? AND a.hash = ? ORDER BY a.place", (group, name))
    return [_owed(row) for row in rows]


def held_in(db: apsw.Connection, feed: bytes, start: int, stop: int) -> list[tuple[int, bytes]]:
    """Give the records [start, stop) of a feed that hold a body that travels apart: its hash."""
    rows: list[tuple[Any, ...]] = db.execute(
        "SELECT a.place & 4294967295, a.hash FROM feeds f JOIN apart a ON a.in_group = f.in_group"
        " AND a.place >= f.number << 32 | ?2 AND a.place < f.number << 32 | ?3"
        " WHERE f.id = ?1 AND a.held = 1 ORDER BY a.place",
        (feed, start, stop),
    ).fetchall()
    return [(int(seq), bytes(name)) for seq, name in rows]


def first_pieces(db: apsw.Connection, place: int, count: int) -> Iterator[bytes]:
    """Give the first pieces that are had of a body, one after another."""
    for piece, _ in zip(_pieces(db, place), range(count), strict=False):
        yield piece


def count_owed(
    db: apsw.Connection, group: str | None = None, organisation: bytes | None = None
) -> int:
    """Count the bodies that are owed, of a group by its name and an author's organisation."""
    count = db.execute(
        "SELECT count(*) FROM apart a JOIN feeds f ON f.number = a.place >> 32"
        " JOIN groups g ON g.number = a.in_group WHERE a.held = 0"
        " AND (?1 IS NULL OR g.name = ?1) AND (?2 IS NULL OR f.organisation = ?2)",
        (group, organisation),
    ).get
    return int(count)


def ranges(db: apsw.Connection, feed: bytes, size: int) -> tuple[int, Ranges]:
    """Give which records of a feed, below a size, owe their body, and up to where that is told.

    That is the size, or below it where there would be more ranges than an ACK holds.
    """
    rows = db.execute(
        "SELECT a.place & 4294967295 FROM feeds f JOIN apart a ON a.in_group = f.in_group"
        " AND a.place >= f.number << 32 AND a.place < f.number << 32 | ?2"
        " WHERE f.id = ?1 AND a.held = 0 ORDER BY a.place",
        (feed, size),
    )
    found: list[tuple[int, int]] = []
    for (seq,) in rows:
        if found and found[-1][1] == seq:
            found[-1] = found[-1][0], seq + 1
        elif len(found) == RANGES_MAX:
            return seq, tuple(found)
        else:
            found.append((seq, seq + 1))
    return size, tuple(found)


def keep_piece(db: apsw.Connection, place: int, number: int, piece: bytes) -> None:
    """Keep a piece of a body that is owed; once is enough."""
    db.execute(
        "INSERT INTO pieces SELECT place, ?2, ?3 FROM apart WHERE place = ?1 AND held = 0"
        " ON CONFLICT DO NOTHING",
        (place, number, piece),
    )


def correct_piece(db: apsw.Connection, place: int, number: int, piece: bytes) -> None:
    """Keep a piece that somebody vouched for, instead of another that was had."""
    db.execute(
        "INSERT INTO pieces SELECT place, ?2, ?3 FROM apart WHERE place = ?1 AND held = 0"
        " ON CONFLICT DO UPDATE SET piece = excluded.piece WHERE piece <> excluded.piece",
        (place, number, piece),
    )


def drop_pieces(db: apsw.Connection, place: int) -> None:
    """Let go of all pieces of a body."""
    db.execute("DELETE FROM pieces WHERE place = ?", (place,))


def finish(db: apsw.Connection, body: Owed) -> tuple[int, ...]:
    """Make a body of its pieces, which are all there, if its hash is the record's.

    Give the places of the records whose body it is, in its group; none where it is another: then
    the pieces are gone.
    """
    digest, length = sha256(), 0
    for piece in _pieces(db, body.place):
        digest.update(piece)
        length += len(piece)
    if (digest.digest(), length) != (body.hash, body.length):
        drop_pieces(db, body.place)
        return ()
    db.execute("UPDATE records SET body = zeroblob(?) WHERE place = ?", (length, body.place))
    with db.blob_open("main", "records", "body", body.place, True) as blob:
        for piece in _pieces(db, body.place):
            blob.write(piece)
    drop_pieces(db, body.place)
    rows = db.execute(
        "SELECT place FROM apart WHERE hash = ?1 AND length = ?2 AND held = 0"
        " AND in_group = (SELECT in_group FROM apart WHERE place = ?3) ORDER BY place",
        (body.hash, length, body.place),
    )
    places = tuple(int(place) for (place,) in rows)
    for place in places:
        if place != body.place:
            db.execute(
                "UPDATE records SET body = (SELECT body FROM records WHERE place = ?)"
                " WHERE place = ?",
                (body.place, place),
            )
            drop_pieces(db, place)
        db.execute("UPDATE apart SET held = 1 WHERE place = ?", (place,))
    return places


def record_at(db: apsw.Connection, place: int) -> Record:
    """Give the record at a place that is held."""
    return record.parse(db.execute("SELECT encoded FROM records WHERE place = ?", (place,)).get)


def body_at(db: apsw.Connection, place: int) -> bytes:
    """Give the body of a record that holds it, whole."""
    return bytes(db.execute("SELECT body FROM records WHERE place = ?", (place,)).get)


def length_of(db: apsw.Connection, group: bytes, name: bytes) -> int | None:
    """Give the length of a body that travels apart and is held in a group, or None."""
    row = _held(db, group, name)
    return None if row is None else row[1]


def part(db: apsw.Connection, group: bytes, name: bytes, start: int, size: int) -> bytes:
    """Read bytes of a body that travels apart; fewer where it ends, none where it is not held."""
    row = _held(db, group, name)
    if row is None or start >= row[1]:
        return b""
    return next(_read(db, row[0], start, size))


def is_committed(db: apsw.Connection, place: int, said: Record) -> bool:
    """Say whether a clear body that is held is the one its record commits to."""
    assert said.body is not None, "what travels apart is there"
    stored = _read(db, place, 0, CARRIED_BODY_BYTES_MAX)
    return record.commitment_of(stored) == said.body.commitment


def _held(db: apsw.Connection, group: bytes, name: bytes) -> tuple[int, int] | None:
    row = db.execute(
        "SELECT a.place, a.length FROM apart a JOIN groups g ON g.number = a.in_group"
        " WHERE a.hash = ? AND g.id = ? AND a.held = 1 LIMIT 1",
        (name, group),
    ).fetchone()
    return None if row is None else (int(row[0]), int(row[1]))


def _pieces(db: apsw.Connection, place: int) -> Iterator[bytes]:
    for (piece,) in db.execute(
        "SELECT piece FROM pieces WHERE place = ? ORDER BY number", (place,)
    ):
        yield piece


def _read(db: apsw.Connection, place: int, start: int, size: int) -> Iterator[bytes]:
    """Read a body from somewhere on, so many bytes at a time."""
    with db.blob_open("main", "records", "body", place, False) as blob:
        blob.seek(start)
        while some := blob.read(size):
            yield some


def _owed(row: tuple[Any, ...]) -> Owed:
    place, group, feed, node, name, length, numbers = row
    had = frozenset(map(int, numbers.split(","))) if numbers else frozenset[int]()
    return Owed(place, group, feed, node, name, length, had)
