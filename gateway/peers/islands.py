"""Records beyond a gap, verified, until one commit holds them: what is said now, before backlog.

In: records that came beyond the end of a feed whose genesis is held. Out: what is to be stored of
them, and what of it a feed takes that has grown up to them. It signs for nothing, and moves no
head. Protocol: docs/protocol/sync.md.
"""

from dataclasses import dataclass, field
from typing import Final

from gateway.errors import AuthorError
from gateway.peers import meaning
from gateway.peers.meaning import Reader
from gateway.records.feed import Feed
from gateway.records.record import Kind, Record
from gateway.store import feeds, islands
from gateway.store.database import Connection
from gateway.sync.decide import Island
from gateway.sync.message import Carried

# Of one batch; more are said again.
KEYS_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class Taken:
    """How many records were taken beyond a gap, and what stopped it: before what, at which."""

    count: int
    fault: AuthorError | None
    parts: tuple[bytes, Carried] | None = None


@dataclass(slots=True)
class _Shore:
    """An island as it is staged: what is stored of it, and what this batch adds."""

    start: int
    stop: int
    last: bytes
    size_bytes: int = 0
    stored: islands.Island | None = None
    added: list[tuple[Record, bytes | None]] = field(default_factory=list)

    @property
    def is_full(self) -> bool:
        """Say whether nothing more has room."""
        is_long = self.stop - self.start >= islands.RECORDS_MAX
        return is_long or self.size_bytes >= islands.BYTES_MAX

    def add(self, said: Record, body: bytes | None) -> None:
        """Let the next record be part of it."""
        self.added.append((said, body))
        self.stop, self.last = said.seq + 1, said.id
        self.size_bytes += len(said.encoded) + len(body or b"")


class Islands:
    """The islands of one batch."""

    def __init__(self, read: Connection) -> None:
        self._read = read
        self._shores: dict[bytes, _Shore] = {}
        self._met: set[bytes] = set()
        # Announcements of keys that the islands are sealed under: read here, and stored in turn.
        self._keys: list[tuple[Record, bytes]] = []

    def __bool__(self) -> bool:
        told = bool(self._met or self._keys)
        return told or any(each.added for each in self._shores.values())

    def take(self, feed: Feed, action: Island) -> Taken:
        """Verify and stage what is newer than the feed's island, up to what is wrong.

        An announcement by itself is read and no part of an island: it is said again before them.
        """
        shore, count = self._shore(feed.id), 0
        is_alone = len(action.records) == 1 and (shore is None or action.start != shore.stop)
        has_room = shore is not None or self._has_room(feed.group)
        if not has_room and not is_alone:
            return Taken(0, None)
        seq, last = (-1, b"") if shore is None else (shore.stop, shore.last)
        before = self._end(feed.id, shore)
        for at, carried in enumerate(action.records, action.start):
            if at < seq and not is_alone:
                continue
            try:
                said = islands.accept(feed, at, last if at == seq else None, carried.record)
                meaning.check(said, carried.body)
            except AuthorError as fault:
                return Taken(count, fault, (before, carried))
            if is_alone and said.kind is Kind.ANNOUNCEMENT and carried.body is not None:
                self._keep_key(said, carried.body)
                return Taken(0, None)
            if at < seq or not has_room:
                continue
            seq, last, before = at + 1, said.id, carried.record
            if said.kind in islands.KINDS and not said.is_apart:
                shore = self._following(feed.id, shore, said)
                shore.add(said, carried.body)
                count += 1
        return Taken(count, None)

    def meet(self, feed: Feed) -> tuple[Carried, ...]:
        """Give the island that a feed has grown up to, and let go of it: its records follow."""
        shore = self._shore(feed.id)
        if shore is None or shore.start != feed.size:
            return ()
        del self._shores[feed.id]
        self._met.add(feed.id)
        stored = shore.stored
        held = [] if stored is None else islands.records(self._read, feed.id, stored)
        return (
            *(Carried(each.encoded, each.body) for each in held),
            *(Carried(said.encoded, body) for said, body in shore.added),
        )

    def leave(self, db: Connection) -> None:
        """Let go of the islands that were met, before the records that were theirs are stored."""
        for feed in self._met:
            islands.drop(db, feed)

    def store(self, db: Connection, reader: Reader) -> None:
        """Store what was staged, and read what it says of devices."""
        for said, content in self._keys:
            number = feeds.feed_number(db, said.feed)
            assert number is not None, "its genesis is held"
            reader.read(db, feeds.place(number, said.seq), said, content)
        for feed, shore in self._shores.items():
            if not shore.added:
                continue
            if shore.stored is None:
                islands.drop(db, feed)
            first = islands.keep(db, feed, shore.added)
            for place, (said, body) in enumerate(shore.added, first):
                if body is not None:
                    reader.read(db, place, said, body)

    def _keep_key(self, said: Record, body: bytes) -> None:
        """Stage an announcement to be read, unless too many came."""
        if len(self._keys) < KEYS_MAX:
            self._keys.append((said, body))

    def _following(self, feed: bytes, shore: _Shore | None, said: Record) -> _Shore:
        """Give the island that a record extends: where it cannot, a new one that begins with it."""
        if shore is None or shore.stop != said.seq or shore.is_full:
            shore = self._shores[feed] = _Shore(said.seq, said.seq, b"")
        return shore

    def _end(self, feed: bytes, shore: _Shore | None) -> bytes:
        """Give the last record of an island as it is staged."""
        if shore is None or shore.added:
            return b"" if shore is None else shore.added[-1][0].encoded
        held = feeds.slice_of(self._read, feed, shore.stop - 1, shore.stop, 1)
        return held[0].encoded if held else b""

    def _shore(self, feed: bytes) -> _Shore | None:
        known = self._shores.get(feed)
        if known is not None or feed in self._met:
            return known
        held = islands.load(self._read, feed)
        if held is not None:
            known = _Shore(held.start, held.stop, held.last, held.size_bytes, held)
            self._shores[feed] = known
        return known

    def _has_room(self, group: bytes) -> bool:
        return len(self._shores) < islands.ISLANDS_MAX and islands.has_room(self._read, group)
