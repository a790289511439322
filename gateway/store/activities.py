"""Activities in the store: which there are, the records they are folded from, what belongs to them.

In: records as they are stored, of this run or of anybody; their order does not matter. Out: what
there is, found by an id or the beginning of one; the devices that belong to an activity; attached
files, once they are whole. What an activity has come to is for `folding` to say. Protocol:
docs/protocol/activity.md.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import apsw

from gateway.activities import activity, template
from gateway.activities.activity import Chunk, Close, Open, Update
from gateway.errors import MalformedActivity, NotAttached, UnknownActivity
from gateway.records import record
from gateway.records.record import Kind, Record
from gateway.store import keyring

# What an activity is folded from; and what else is projected here.
ENTRIES: Final = frozenset(
    {
        Kind.ACTIVITY_OPEN,
        Kind.ACTIVITY_UPDATE,
        Kind.ACTIVITY_CLOSE,
        Kind.CORRECTION,
        Kind.APPROVAL,
    }
)
KINDS: Final = ENTRIES | {Kind.ATTACHMENT}
_PREFIX_MIN: Final = 4
# A longer body is no piece of anything, and is not looked into.
_PIECE_BODY_BYTES_MAX: Final = activity.PIECE_BYTES_MAX + 8192


@dataclass(frozen=True, slots=True)
class Opened:
    """An activity as its opening record tells of it; `group` is the group's name here."""

    id: bytes
    group: str
    group_id: bytes
    node: bytes
    organisation: bytes
    unix_ms: int | None
    said: Open


@dataclass(frozen=True, slots=True)
class Attached:
    """A file as one node attached it; `held` bytes of it are here."""

    whole: bytes
    node: bytes
    name: str
    content_type: str
    size: int
    held: int


def activity_of(said: Record) -> bytes | None:
    """Say to which activity a record belongs; None: to none."""
    if said.kind is Kind.ACTIVITY_OPEN:
        return said.id if said.activity is None else None
    return said.activity


def is_piece(said: Record) -> bool:
    """Say whether an attachment may be a piece of an activity's file; no other is looked into."""
    length = 0 if said.body is None else said.body.length
    return said.activity is not None and length <= _PIECE_BODY_BYTES_MAX


def note(db: apsw.Connection, place: int, said: Record) -> None:
    """Note that a record belongs to an activity, whether it can be read yet or not."""
    named = activity_of(said)
    if named is None:
        return
    if said.kind in ENTRIES:
        db.execute("INSERT OR IGNORE INTO entries VALUES (?, ?, NULL)", (place, named))
    elif said.kind in (Kind.OBSERVATION, Kind.GAP):
        db.execute("INSERT OR IGNORE INTO bound_readings VALUES (?, ?)", (named, place))


def keep(db: apsw.Connection, place: int, said: Record, content: bytes) -> None:
    """Keep what a record says; raise an AuthorError where nothing can be done with it."""
    match said.kind:
        case Kind.ACTIVITY_OPEN:
            _keep_open(db, place, said, content)
        case Kind.ATTACHMENT:
            _keep_piece(db, place, said, content)
        case Kind.ACTIVITY_UPDATE | Kind.ACTIVITY_CLOSE:
            with suppress(MalformedActivity):  # The fold shows it as what it is.
                _keep_bound(db, place, said, activity.decode(said.kind, content))
    db.execute(
        "UPDATE entries SET read = 1 + (SELECT coalesce(max(e.read), 0) FROM entries e"
        " WHERE e.activity = entries.activity) WHERE place = ? AND read IS NULL",
        (place,),
    )


def find(db: apsw.Connection, named: str) -> Opened:
    """Find an activity by its id in hex, or the beginning of it; raise UnknownActivity."""
    rows = []
    with suppress(ValueError):
        if _PREFIX_MIN <= len(named) <= 64:
            between = bytes.fromhex(named.ljust(64, "0")), bytes.fromhex(named.ljust(64, "f"))
            query = "SELECT place FROM activities WHERE id BETWEEN ? AND ? LIMIT 2"
            rows = list(db.execute(query, between))
    if len(rows) != 1:
        raise UnknownActivity(activity=named[:80], count="more than one" if rows else "no")
    return _opened(db, rows[0][0])


def group_of(db: apsw.Connection, named: bytes) -> bytes | None:
    """Give the id of the group in which an activity was opened; None where it is not here."""
    wanted = "SELECT g.id FROM activities a JOIN groups g ON g.number = a.in_group WHERE a.id = ?"
    row = db.execute(wanted, (named,)).fetchone()
    return None if row is None else bytes(row[0])


def listed(db: apsw.Connection) -> list[Opened]:
    """Give all activities, the newest to come first."""
    rows = list(db.execute("SELECT place FROM activities ORDER BY rowid DESC"))
    return [_opened(db, place) for (place,) in rows]


def tally(db: apsw.Connection, node: bytes) -> dict[str, int]:
    """Count activities, the records they are folded from, what of these cannot be read, and the
    devices that a node has bound."""
    held = int(db.execute("SELECT count(*) FROM activities").get)
    records, read = db.execute("SELECT count(*), count(read) FROM entries").get
    bound = int(db.execute("SELECT count(*) FROM bindings WHERE node = ?", (node,)).get)
    return {"held": held, "records": records, "unread": records - read, "bound": bound}


def said_bound(db: apsw.Connection, node: bytes) -> dict[bytes, frozenset[str]]:
    """Give the devices of which a node ever said that they belong to an activity not yet let go."""
    found: dict[bytes, frozenset[str]] = {}
    rows = db.execute("SELECT activity, device FROM bindings WHERE node = ?", (node,))
    for named, device in rows:
        found[bytes(named)] = found.get(bytes(named), frozenset()) | {str(device)}
    return found


def let_go(db: apsw.Connection, node: bytes, named: bytes) -> None:
    """Let go of the devices that a node bound to an activity: it is closed."""
    db.execute("DELETE FROM bindings WHERE node = ? AND activity = ?", (node, named))


def attachments(db: apsw.Connection, named: bytes) -> list[Attached]:
    """Give the files of an activity, each as each node attached it, by name."""
    rows = db.execute(
        "SELECT whole, node, min(name), min(content_type), size,"
        " coalesce(sum(stop - start), 0) FROM (SELECT DISTINCT whole, node, name, content_type,"
        " size, start, stop FROM attached WHERE activity = ?) GROUP BY whole, node, size"
        " ORDER BY 3, whole, node",
        (named,),
    )
    return [
        Attached(bytes(whole), bytes(node), name, content_type, size, min(size, held))
        for whole, node, name, content_type, size, held in rows
    ]


def content_of(db: apsw.Connection, named: bytes, whole: bytes) -> Iterator[bytes]:
    """Give a file, piece by piece, that is here whole; raise NotAttached.

    What is given has the hash that names it: it is seen before the first piece is given.
    """
    for each in attachments(db, named):
        places = _covering(db, named, each) if each.whole == whole else []
        digest = sha256()
        for place, skipped in places:
            digest.update(_piece(db, place)[skipped:])
        if places and digest.digest() == whole:
            return (_piece(db, place)[skipped:] for place, skipped in places)
    raise NotAttached(file=whole.hex()[:16], activity=named.hex()[:16])


def _keep_open(db: apsw.Connection, place: int, said: Record, content: bytes) -> None:
    if said.activity is not None:
        raise MalformedActivity(reason="a record that opens an activity belongs to another one")
    opened = activity.decode(Kind.ACTIVITY_OPEN, content)
    assert isinstance(opened, Open)
    template.parse(opened.template)
    db.execute(
        "INSERT OR IGNORE INTO activities SELECT ?1, ?2, in_group FROM feeds"
        " WHERE number = ?1 >> 32",
        (place, said.id),
    )


def _keep_bound(db: apsw.Connection, place: int, said: Record, act: activity.Act) -> None:
    update = act.said if isinstance(act, Close) else act
    assert isinstance(update, Update)
    db.executemany(
        "INSERT OR IGNORE INTO bindings SELECT ?, node, ? FROM feeds WHERE number = ?",
        [(said.activity, device, place >> 32) for device in update.bound],
    )


def _keep_piece(db: apsw.Connection, place: int, said: Record, content: bytes) -> None:
    if not is_piece(said):
        return
    piece = activity.decode(Kind.ATTACHMENT, content)
    assert isinstance(piece, Chunk)
    stop = piece.offset + len(piece.piece)
    db.execute(
        "INSERT OR IGNORE INTO attached SELECT ?1, ?2, ?3, node, ?4, ?5, ?6, ?7, ?8"
        " FROM feeds WHERE number = ?1 >> 32",
        (
            *(place, said.activity, piece.whole, piece.name, piece.content_type),
            *(piece.size, piece.offset, stop),
        ),
    )


def _opened(db: apsw.Connection, place: int) -> Opened:
    encoded, body, group, group_id, node, organisation = db.execute(
        "SELECT r.encoded, r.body, g.name, g.id, f.node, f.organisation FROM records r"
        " JOIN feeds f ON f.number = r.place >> 32 JOIN groups g ON g.number = f.in_group"
        " WHERE r.place = ?",
        (place,),
    ).get
    said = record.parse(encoded)
    content = keyring.content(db, said, body)
    assert content is not None, "it was read when it was kept"
    opened = activity.decode(Kind.ACTIVITY_OPEN, content)
    assert isinstance(opened, Open)
    unix_ms = said.moment.unix_ms if said.moment.source else None
    return Opened(said.id, group, group_id, node, organisation, unix_ms, opened)


def _covering(db: apsw.Connection, named: bytes, file: Attached) -> list[tuple[int, int]]:
    """Give pieces of a file that follow one another from its first byte to its last.

    Of each: where it is, and how much of its beginning is in the one before. None: some are not
    here.
    """
    rows: list[tuple[Any, ...]] = db.execute(
        "SELECT place, start, stop FROM attached WHERE activity = ? AND whole = ? AND node = ?"
        " AND size = ? ORDER BY start, stop DESC, place",
        (named, file.whole, file.node, file.size),
    ).fetchall()
    found, end = [], 0
    for place, start, stop in rows:
        if start <= end < stop:
            found.append((int(place), end - start))
            end = stop
    return found if end == file.size else []


def _piece(db: apsw.Connection, place: int) -> bytes:
    encoded, body = db.execute("SELECT encoded, body FROM records WHERE place = ?", (place,)).get
    content = None if body is None else keyring.content(db, record.parse(encoded), body)
    chunk = None if content is None else activity.decode(Kind.ATTACHMENT, content)
    return chunk.piece if isinstance(chunk, Chunk) else b""
