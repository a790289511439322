"""The sender keys that are held, this node's own and others', and what each feed announced last.

In: announcements as they are stored, and the X25519 keys that may open them. Out: content of bodies
whose key is held, and which records can be read because of a key that just came. A key counts only
if it is the one that its feed announced: what others share must have the same hash. Protocol:
docs/protocol/sealing.md.

Keys lie in the store, mode 0600, until what they open is past retention. In memory they are plain
bytes, which Python cannot overwrite: they live as long as the call that uses them.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import apsw

from gateway.errors import AuthorError, BadShare
from gateway.groups import announcement, seal
from gateway.groups.announcement import Announcement, SenderKey
from gateway.groups.ring import Ring, view_hash
from gateway.records import record
from gateway.records.feed import View, decode_genesis
from gateway.records.identity import EncryptionKey
from gateway.records.proof import Opening
from gateway.records.record import Kind, Record
from gateway.store import feeds


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of an announcement: the records it made readable, or what is wrong with it."""

    readable: tuple[int, ...] = ()
    fault: AuthorError | None = None


def find(db: apsw.Connection, feed: bytes, number: int) -> bytes | None:
    """Give a sender key, or None where it is not held."""
    row = db.execute(
        "SELECT key FROM sender_keys WHERE feed = ? AND number = ?", (feed, number)
    ).fetchone()
    return None if row is None else bytes(row[0])


def opening(db: apsw.Connection, said: Record, body: bytes) -> Opening | None:
    """Open a stored body; None where it is sealed under a key that is not held; raise BadBody."""
    if said.key_number == 0:
        return seal.opening(said, body, None)
    key = find(db, said.feed, said.key_number)
    if key is None:
        record.check_stored(said, body)
        return None
    return seal.opening(said, body, key)


def content(db: apsw.Connection, said: Record, body: bytes) -> bytes | None:
    """Give the content of a stored body as `opening` opens it."""
    opened = opening(db, said, body)
    return None if opened is None else opened.content


def keep(db: apsw.Connection, place: int, sender: SenderKey, hashed: bytes) -> tuple[int, ...]:
    """Keep a sender key that the record at a place gave; say which records it makes readable."""
    note(db, place, sender.feed, sender.number, hashed)
    db.execute(
        "INSERT INTO sender_keys VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (sender.feed, sender.number, sender.key),
    )
    return tuple(_sealed_under(db, sender.feed, sender.number))


def note(db: apsw.Connection, place: int, feed: bytes, number: int, hashed: bytes) -> None:
    """Remember that the record at a place gave a sender key of a feed."""
    db.execute(
        "INSERT INTO announcements VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (feed, number, place, hashed),
    )


def take(
    db: apsw.Connection, place: int, said: Record, body: bytes, keys: Sequence[EncryptionKey]
) -> Taken:
    """Take in an announcement that was just stored: keep the key if it is sealed to one of these.

    What is wrong with it is said and not raised: the record stays stored. A share that came before
    the announcement which it repeats is taken when that comes.
    """
    try:
        announced = announcement.decode(record.check_body(said, body))
    except AuthorError as fault:
        return Taken(fault=fault)
    if announced.key_hash is None:
        return Taken()
    feed, number = announced.feed, announced.number
    before = announced_hash(db, feed, number)
    note(db, place, feed, number, announced.key_hash)
    hashed = announced_hash(db, feed, number)
    if hashed is None:
        return Taken()
    # What came before the hash was known is looked at once; after that, each for itself.
    came = [(place, announced)]  # Itself first: beyond a gap its record is not stored yet.
    came += [] if before else _announcements(db, feed, number)
    return _settle(db, came, (said.group, hashed), keys)


def _settle(
    db: apsw.Connection,
    came: Iterable[tuple[int, Announcement]],
    known: tuple[bytes, bytes],
    keys: Sequence[EncryptionKey],
) -> Taken:
    """Open what came of a key, whose group and hash are known."""
    group, hashed = known
    fault: AuthorError | None = None
    for place, found in came:
        if found.key_hash != hashed:
            fault = BadShare(reason="its feed announced another key under this number")
        elif find(db, found.feed, found.number) is None:
            try:
                sender = announcement.open_share(found, group, keys)
            except AuthorError as wrong:
                fault = wrong
                continue
            if sender is not None:
                return Taken(keep(db, place, sender, hashed), fault)
    return Taken(fault=fault)


def announced_last(db: apsw.Connection, feed: bytes) -> int | None:
    """Give the number of the record in which a feed announced its newest key, or None."""
    last = db.execute(
        "SELECT max(a.place) & 0xFFFFFFFF FROM announcements a JOIN feeds f ON f.id = a.feed"
        " WHERE a.feed = ? AND a.place >= f.number << 32 AND a.place < (f.number + 1) << 32",
        (feed,),
    ).get
    return None if last is None else int(last)


def announced_hash(db: apsw.Connection, feed: bytes, number: int) -> bytes | None:
    """Give the hash of a sender key as its own feed announced it first, or None."""
    row = db.execute(
        "SELECT a.key_hash FROM announcements a JOIN feeds f ON f.id = a.feed"
        " WHERE a.feed = ? AND a.number = ? AND a.place >= f.number << 32"
        " AND a.place < (f.number + 1) << 32 ORDER BY a.place LIMIT 1",
        (feed, number),
    ).fetchone()
    return None if row is None else bytes(row[0])


def announced_view(db: apsw.Connection, feed: bytes, number: int) -> View | None:
    """Give the view under which a feed itself announced a key; None beyond a gap, or unknown."""
    own = feeds.feed_number(db, feed)
    found = (
        said.view
        for place, said in _announcements(db, feed, number)
        if said.feed == feed and feeds.parted(place)[0] == own
    )
    return next(found, None)


def is_shared_with(db: apsw.Connection, feed: bytes, number: int, key_id: bytes) -> bool:
    """Say whether some record gave a sender key to this X25519 key."""
    return any(
        share.key_id == key_id
        for _, found in _announcements(db, feed, number)
        for share in found.shares
    )


def held_of(db: apsw.Connection, group: bytes, node: bytes | None = None) -> list[SenderKey]:
    """Give the sender keys held of a group's feeds, of all nodes or one, oldest first."""
    rows = db.execute(
        "SELECT k.feed, k.number, k.key FROM sender_keys k JOIN feeds f ON f.id = k.feed"
        " JOIN groups g ON g.number = f.in_group WHERE g.id = ?1 AND (?2 IS NULL OR f.node = ?2)"
        " ORDER BY f.number, k.number",
        (group, node),
    )
    return [SenderKey(group, bytes(feed), number, bytes(key)) for feed, number, key in rows]


def load_ring(db: apsw.Connection, feed: bytes) -> Ring | None:
    """Give what one of this node's own feeds announced last, or None."""
    row = db.execute(
        "SELECT number, view, monotonic_ms, seq FROM rings WHERE feed = ?", (feed,)
    ).fetchone()
    return None if row is None else Ring(*row)


def keep_ring(db: apsw.Connection, feed: bytes, now: Ring) -> None:
    """Remember what one of this node's own feeds has announced."""
    db.execute(
        "INSERT OR REPLACE INTO rings VALUES (?, ?, ?, ?, ?)",
        (feed, now.number, now.view, now.monotonic_ms, now.seq),
    )


def is_announced(db: apsw.Connection, feed: bytes) -> bool:
    """Say whether a feed's ring is what the record at its place announced."""
    now = load_ring(db, feed)
    held = [] if now is None else feeds.slice_of(db, feed, now.seq, now.seq + 1, 0)
    if now is None or not held or held[0].body is None:
        return False
    said = record.parse(held[0].encoded)
    content = record.check_body(said, held[0].body)
    if said.kind is Kind.GENESIS:
        number, view = 0, decode_genesis(content).view
    else:
        announced = announcement.decode(content)
        number, view = announced.number, announced.view
    return now == Ring(number, view_hash(view), said.moment.monotonic_ms, said.seq)


def _announcements(
    db: apsw.Connection, feed: bytes, number: int
) -> Iterator[tuple[int, Announcement]]:
    rows: list[tuple[Any, ...]] = db.execute(
        "SELECT r.place, r.encoded, r.body FROM announcements a JOIN records r ON r.place = a.place"
        " WHERE a.feed = ? AND a.number = ? ORDER BY a.place",
        (feed, number),
    ).fetchall()
    for place, encoded, body in rows:
        said = record.parse(encoded)
        yield place, announcement.decode(record.check_body(said, body))


def _sealed_under(db: apsw.Connection, feed: bytes, number: int) -> Iterator[int]:
    """Give the places of a feed's records, held with their bodies, that a key of it opens."""
    held = feeds.feed_number(db, feed)
    if held is None:
        return
    rows: list[tuple[Any, ...]] = db.execute(
        "SELECT r.place, r.encoded FROM unread u JOIN records r ON r.place = u.place"
        " WHERE u.place >= ? AND u.place < ? ORDER BY u.place",
        (feeds.place(held, 0), feeds.place(held + 1, 0)),
    ).fetchall()
    for place, encoded in rows:
        if record.parse(encoded).key_number == number:
            yield place
