"""What activities have come to: their records read from the store once, and folded as they come.

In: the entries of an activity, in the order in which they could be read. Out: its fold, which is
kept so that one more record costs one step. What rests on a record that is not here, or cannot be
read here, waits: so many and no more. Protocol: docs/protocol/activity.md.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import apsw

from gateway.activities import activity, approval, template
from gateway.activities.activity import Close, Correction, Linked, Open, Update, Value
from gateway.activities.fold import PARKED_MAX, Fold
from gateway.activities.state import Entry, State, Word
from gateway.errors import AuthorError, MalformedActivity, StoreClosed, UnknownActivity
from gateway.records import cbor, identity, record
from gateway.records.record import BODY_BYTES_MAX, NO_RECORD, Kind, Record
from gateway.store import activities, database, feeds, groups, keyring, membership, questions

FOLDS_MAX: Final = 32
# How many records of a device are looked into for a metric that it seldom says.
_LOOKED_AT_MAX: Final = 200
T = TypeVar("T")
_Said = Open | Update | Close | Correction | Word | MalformedActivity
_AT = (
    "SELECT r.encoded, r.body, f.id, f.node, f.organisation, f.in_group FROM records r"
    " JOIN feeds f ON f.number = r.place >> 32 WHERE"
)


class _Unready(Exception):
    """What an entry names is not here yet, or cannot be read here yet."""


@dataclass(slots=True)
class _Kept:
    """A fold, how far the entries were read into it, and what waits outside it."""

    fold: Fold
    in_group: int
    ends: tuple[object, ...]  # where feeds of the group end, or count no more
    rosters: int  # of the group's consortium: another may vouch for who was unknown
    read: int = 0
    waiting: set[int] = field(default_factory=set)  # places of what links what is not here
    left: int = 0  # entries for which there was no room among those that wait


class Folds:
    """The folds that were asked for last; to be asked from any thread, on one store."""

    def __init__(self, kept_max: int = FOLDS_MAX) -> None:
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()
        self._max, self._turn = kept_max, threading.Lock()

    def state(self, db: apsw.Connection, named: bytes) -> State:
        """Give what an activity has come to, by its id; raise UnknownActivity."""
        return self.fold(db, named).state

    def fold(self, db: apsw.Connection, named: bytes) -> Fold:
        """Give the fold of an activity with all that is held of it; raise UnknownActivity."""
        return self._grown(db, named).fold

    def forget(self) -> None:
        """Read all anew when next asked: what was read last may not have been committed."""
        with self._turn:
            self._kept.clear()

    def waiting(self, db: apsw.Connection, named: bytes) -> int:
        """Count the records of an activity that are held and wait for others."""
        kept = self._grown(db, named)
        return len(kept.fold.state.parked) + len(kept.waiting) + kept.left

    def _grown(self, db: apsw.Connection, named: bytes) -> _Kept:
        with self._turn:
            kept = self._kept.pop(named, None)
            if kept is None or _is_other(db, kept) or _has_room(kept):
                kept = _begun(db, named)
            with db:  # one snapshot
                _grow(db, named, kept)
            self._kept[named] = kept
            while len(self._kept) > self._max:
                self._kept.popitem(last=False)
            return kept


class Folded:
    """The folds of one store, read over a connection of their own: from any thread, in turn."""

    def __init__(self, path: str) -> None:
        self._db, self._folds = database.connect_to_read(path), Folds()
        self._turn, self._closed = threading.Lock(), False

    def ask(self, question: Callable[[apsw.Connection, Folds], T]) -> T:
        """Answer a question about what is committed; raise StoreClosed once it is let go of."""
        with self._turn:
            if self._closed:
                raise StoreClosed
            return question(self._db, self._folds)

    def close(self) -> None:
        """Let go of the store."""
        with self._turn:
            self._closed = True
            self._db.close()


@dataclass(frozen=True, slots=True)
class Bound:
    """What a node bound: by device the activity and its group; and activities now closed."""

    devices: Mapping[str, tuple[bytes, bytes]] = field(default_factory=dict)
    closed: frozenset[bytes] = frozenset()


def bound(db: apsw.Connection, folds: Folds, node: bytes) -> Bound:
    """Say which devices belong to which activity by the word of a node, and of no other."""
    devices: dict[str, tuple[bytes, bytes]] = {}
    closed = set()
    for named in sorted(activities.said_bound(db, node)):
        try:
            state = folds.state(db, named)
        except UnknownActivity:  # Its opening is still to come, as to a store that was restored.
            continue
        closed |= {named} if state.closed is not None else set()
        group = activities.find(db, named.hex()).group_id
        mine = (each.device for each in state.bound.values() if each.node == node)
        devices |= dict.fromkeys(mine, (named, group))
    return Bound(devices, frozenset(closed))


def newest_reading(
    db: apsw.Connection, group: bytes, device: str, metric: str
) -> tuple[bytes, Value] | None:
    """Give the newest reading of a metric that a group holds, by its record; None: there is none.

    Not of records held beyond a gap: who answers a record holds all that is before it.
    """
    rows = db.execute(
        "SELECT r.id, r.encoded, r.body FROM observations o"
        " JOIN feeds f ON f.number = o.place >> 32"
        " JOIN heads h ON h.feed = f.number AND o.place & 4294967295 < h.size"
        " JOIN groups g ON g.number = f.in_group JOIN records r ON r.place = o.place"
        " WHERE g.id = ? AND o.device = ? AND o.readings > 0 AND r.body IS NOT NULL"
        " ORDER BY o.last_ms DESC NULLS LAST, o.place DESC LIMIT ?",
        (group, device, _LOOKED_AT_MAX),
    )
    for name, encoded, body in list(rows):
        signed = record.parse(encoded)
        readings = questions.readings_of(signed, keyring.content(db, signed, body)) or ()
        found = [each for each in readings if (each.device, each.metric) == (device, metric)]
        if found:
            return bytes(name), found[-1].value
    return None


def _has_room(kept: _Kept) -> bool:
    """Say whether what was left out may be looked at now: half of the room is free again."""
    waiting = len(kept.fold.state.parked) + len(kept.waiting)
    return kept.left > 0 and waiting < PARKED_MAX // 2


def _begun(db: apsw.Connection, named: bytes) -> _Kept:
    row = db.execute("SELECT place, in_group FROM activities WHERE id = ?", (named,)).fetchone()
    if row is None:
        raise UnknownActivity(activity=named.hex(), count="no")
    place, in_group = row
    opened = _entry(db, named, place)
    assert isinstance(opened.said, Open), "its opening was read when it was kept"
    fold = Fold(template.parse(opened.said.template), opened)
    return _Kept(fold, in_group, _ends(db, in_group), _rosters(db, in_group))


def _ends(db: apsw.Connection, in_group: int) -> tuple[object, ...]:
    """Tell where feeds of a group end for a fork, or count no more for a removal."""
    frozen = "SELECT z.feed, z.seq FROM frozen z JOIN feeds f ON f.id = z.feed WHERE f.in_group = ?"
    cuts = "SELECT node, feed, size FROM cuts WHERE in_group = ?"
    return tuple(row for each in (frozen, cuts) for row in db.execute(each, (in_group,)))


def _rosters(db: apsw.Connection, in_group: int) -> int:
    """Count the rosters held of a group's consortium."""
    within = (
        "SELECT count(*) FROM groups g JOIN rosters own ON own.hash = g.roster"
        " JOIN rosters r ON r.consortium = own.consortium WHERE g.number = ?"
    )
    return int(db.execute(within, (in_group,)).get)


def _is_other(db: apsw.Connection, kept: _Kept) -> bool:
    """Say whether what was folded would be judged otherwise now."""
    before = kept.ends, kept.rosters
    return before != (_ends(db, kept.in_group), _rosters(db, kept.in_group))


def _grow(db: apsw.Connection, named: bytes, kept: _Kept) -> None:
    """Take what could be read since, and what of the waiting need wait no more."""
    rows: list[tuple[Any, ...]] = db.execute(
        "SELECT e.place, e.read FROM entries e JOIN feeds f ON f.number = e.place >> 32"
        " WHERE e.activity = ? AND e.read > ? AND f.in_group = ? ORDER BY e.read",
        (named, kept.read, kept.in_group),
    ).fetchall()
    kept.fold.add((), _aside(db, named, kept.in_group, kept.fold.state.wanted))
    for place in [*sorted(kept.waiting), *(place for place, _ in rows)]:
        kept.waiting.discard(place)
        if not _counts(db, kept, place):  # Who answered it before its feed ended waits for nothing.
            kept.fold.add((), [db.execute("SELECT id FROM records WHERE place = ?", (place,)).get])
            continue
        try:
            entry = _entry(db, named, place)
        except _Unready:
            is_full = len(kept.waiting) >= PARKED_MAX
            kept.left += is_full
            kept.waiting |= set() if is_full else {place}
            continue
        kept.left += len(kept.fold.add([entry], _aside(db, named, kept.in_group, entry.deps)))
    kept.read = rows[-1][1] if rows else kept.read


def _counts(db: apsw.Connection, kept: _Kept, place: int) -> bool:
    """Say whether a record is before the end of its feed, and of a member for what counts of it."""
    if not kept.ends:
        return True
    number, seq = feeds.parted(place)
    feed, node = db.execute("SELECT id, node FROM feeds WHERE number = ?", (number,)).get
    end = db.execute("SELECT seq FROM frozen WHERE feed = ?", (feed,)).get
    return (end is None or seq < end) and seq < membership.counted(db, feed, node)


def _aside(db: apsw.Connection, named: bytes, in_group: int, names: Iterable[bytes]) -> list[bytes]:
    """Give those of some records that are held in the group and are no entries of the activity."""
    wanted = (
        "SELECT e.activity FROM records r JOIN feeds f ON f.number = r.place >> 32"
        " LEFT JOIN entries e ON e.place = r.place WHERE r.id = ? AND f.in_group = ?"
    )
    found = ((name, db.execute(wanted, (name, in_group)).fetchone()) for name in names)
    return [name for name, row in found if row is not None and row[0] != named]


def _entry(db: apsw.Connection, named: bytes, place: int) -> Entry:
    """Read an entry; raise _Unready where it names what cannot be read here yet."""
    encoded, body, _, node, organisation, in_group = db.execute(f"{_AT} r.place = ?", (place,)).get
    signed = record.parse(encoded)
    content = keyring.content(db, signed, body)
    if content is None:
        raise _Unready
    said = _said(db, in_group, signed, content)
    update = said.said if isinstance(said, Close) else said
    links = update.readings if isinstance(update, Update) else ()
    values = tuple(
        _linked(db, in_group, each) if each.record in signed.deps else None for each in links
    )
    unix_ms = signed.moment.unix_ms if signed.moment.source else None
    links_to = signed.deps, _previous(db, named, place), values
    return Entry(signed.id, node, organisation, said, *links_to, unix_ms)


def _previous(db: apsw.Connection, named: bytes, place: int) -> bytes | None:
    """Give the record of the activity before this one in its feed."""
    start = feeds.place(feeds.parted(place)[0], 0)
    row = db.execute(
        "SELECT r.id FROM entries e JOIN records r ON r.place = e.place WHERE e.activity = ?"
        " AND e.place >= ? AND e.place < ? ORDER BY e.place DESC LIMIT 1",
        (named, start, place),
    ).fetchone()
    return None if row is None else bytes(row[0])


def _said(db: apsw.Connection, in_group: int, signed: Record, content: bytes) -> _Said:
    try:
        if signed.kind is Kind.APPROVAL:
            return _word(db, in_group, signed, content)
        said = activity.decode(signed.kind, content)
    except AuthorError as fault:
        if isinstance(fault, MalformedActivity):
            return fault
        return MalformedActivity(reason=fault)
    assert isinstance(said, Open | Update | Close | Correction), "it is of a kind of entries"
    return said


def _word(db: apsw.Connection, in_group: int, signed: Record, content: bytes) -> Word:
    """Read a person's word; one on anything but a record that it answers, such as an order, is
    nothing to the fold. Raise an AuthorError where the person did not sign it, as shown here."""
    match cbor.decode(content, BODY_BYTES_MAX):
        case [bytes() as encoded, bytes() as certificate]:
            word, person = approval.decode(encoded), identity.decode(certificate, "person")
        case _:
            raise MalformedActivity(reason="an approval is no pair of what was signed and by whom")
    word.verify(person.key)
    verdict, about = int(word.approval.verdict), word.approval.about
    if about not in signed.deps:
        return Word(NO_RECORD, verdict, person.subject, person.issuer, person.key)
    fields = _fields_of(db, in_group, about)
    shown = approval.update_text(signed.activity or b"", about, fields, word.approval.language)
    if not word.is_of(shown) or not _is_vouched(db, signed.group, person):
        raise MalformedActivity(reason="an approval of another text, or of a person not certified")
    return Word(about, verdict, person.subject, person.issuer, person.key)


def _fields_of(db: apsw.Connection, in_group: int, name: bytes) -> dict[str, Value]:
    """Give the fields that a record of an activity writes."""
    signed, content = _readable(db, in_group, name)
    with suppress(MalformedActivity):
        match activity.decode(signed.kind, content):
            case Open() | Update() | Correction() as said:
                return dict(said.fields)
            case Close(said=said):
                return dict(said.fields)
    return {}


def _readable(db: apsw.Connection, in_group: int, name: bytes) -> tuple[Record, bytes]:
    """Give a record of the group and what it says; raise _Unready where it is not to be had."""
    row = db.execute(f"{_AT} r.id = ? AND f.in_group = ?", (name, in_group)).fetchone()
    if row is None or row[1] is None:
        raise _Unready
    signed = record.parse(row[0])
    content = keyring.content(db, signed, row[1])
    if content is None:
        raise _Unready
    return signed, content


def _linked(db: apsw.Connection, in_group: int, link: Linked) -> Value | None:
    """Give the newest value that a linked record has of a device's metric."""
    signed, content = _readable(db, in_group, link.record)
    readings = questions.readings_of(signed, content) or ()
    found = [each for each in readings if (each.device, each.metric) == (link.device, link.metric)]
    return found[-1].value if found else None


def _is_vouched(db: apsw.Connection, group: bytes, person: identity.Certificate) -> bool:
    """Say whether a root that some roster of the group's consortium names certified a person.

    Not only the newest roster: what a person said stays said, and all members must judge alike.
    """
    consortium = db.execute(
        "SELECT r.consortium FROM groups g JOIN rosters r ON r.hash = g.roster WHERE g.id = ?",
        (group,),
    ).get
    for each in groups.rosters(db, bytes(consortium)).values():
        with suppress(AuthorError):
            person.verify(person.issuer, each.organisation(person.issuer).root)
            return True
    return False
