"""What messages bring, verified, until one commit holds it. It stores nothing before that.

In: records as they came, signed ACKs, certificates of peers, rosters. Out: one job for the store's
writer. A record is taken only if it follows what is held or staged, its author is a member, or was
and is within its allowance, and its body is the one it commits to; the rest of its message is then
left, and asked for again.
Bodies are opened where this node holds their key, so that what they say can be found.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Protocol, TypeVar

from gateway.completeness import Holder
from gateway.errors import (
    AuthorError,
    BadBody,
    BeyondCut,
    BrokenChain,
    GroupError,
    WrongFeed,
)
from gateway.groups.group import Group
from gateway.groups.membership import ENDLESS
from gateway.peers import allowance, meaning
from gateway.peers.accusing import Accusing
from gateway.peers.circle import Circle
from gateway.peers.islands import Islands, Taken
from gateway.peers.meaning import Reader
from gateway.peers.relation import Relation
from gateway.peers.verifying import verified
from gateway.records.feed import Credentials, Feed, Head, open_feed
from gateway.records.record import FIXED_KINDS, SALT_BYTES, Kind, Record
from gateway.records.roster import Roster
from gateway.store import (
    alarms,
    bodies,
    claims,
    evidence,
    feeds,
    groups,
    membership,
    outbox,
    peers,
    receipts,
)
from gateway.store.database import Connection
from gateway.store.receipts import Doubt
from gateway.store.writer import Job
from gateway.sync import decide
from gateway.sync.clones import Alarm
from gateway.sync.decide import Append, Island, Ours, Release
from gateway.sync.message import Body, Carried
from gateway.sync.pieces import EARLIER, count_of, number_of

T = TypeVar("T")
UNKEPT_CLAIM = "sync.unkept-claim"


class Store(Protocol):
    """Who commits: the writer's thread, or a simulator on the spot."""

    def submit(self, job: Job[T]) -> "Future[T]":
        """Do a job in the next commit; the future is resolved when it is durable."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A verified record with all that is to be stored of it."""

    record: Record
    body: bytes | None
    after: Feed


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a body that is owed, of whoever gave it."""

    place: int
    number: int
    piece: bytes
    giver: bytes


@dataclass(frozen=True, slots=True)
class Grown:
    """What became of some records: the feed's size now, the bytes taken, and what stopped it."""

    size: int
    taken_bytes: int
    fault: AuthorError | GroupError | None


class Staged:
    """One batch."""

    def __init__(self, read: Connection, circle: Circle, counts: Counter[str]) -> None:
        self._read, self._circle = read, circle
        self._reader = Reader(circle.me.encryption, circle.newest_for, counts)
        self._base: dict[bytes, int] = {}
        self._feeds: dict[bytes, Feed] = {}
        self._kept: list[Kept] = []
        self._released: list[tuple[bytes, Release, bytes]] = []
        self._runs: list[Credentials] = []
        self.alarms: list[tuple[Alarm, int]] = []
        self.accusing = Accusing(circle.me.run.key.public, counts)
        # By feed, what its records stopped at: the one before, as it is held, and what came.
        self.stopped_at: dict[bytes, tuple[bytes, Carried]] = {}
        # By group and node: what it signed that it holds beyond what is held here; when it spoke.
        self._claims: dict[tuple[bytes, bytes], dict[bytes, Holder]] = {}
        self._heard: dict[tuple[bytes, bytes], int] = {}
        self._counts = counts
        self._rosters: list[Roster] = []
        self._islands = Islands(read)
        self.pieces: list[Piece] = []
        # By group: pieces that somebody carried by hand, of bodies that this batch may bring.
        self._carried: list[tuple[bytes, Body]] = []
        # Places of records, known once the job is done: whose body is owed now, is whole now, or
        # was made of wrong pieces, which are gone.
        self.owing: list[int] = []
        self.whole: list[int] = []
        self.wrong: list[int] = []
        self.doubted: list[Doubt] = []  # heads that a receipt or a removal names, not ours
        self.changed: set[bytes] = set()  # groups in which somebody came, went or was revoked
        self.later: list[Callable[[Connection], None]] = []  # what else is done in the commit

    def __bool__(self) -> bool:
        told = self._claims or self._heard or self.alarms or self.pieces or self._carried
        brought = self._kept or self._released or self._runs or self._rosters
        return bool(told or brought or self._islands or self.later or self.accusing)

    @property
    def count(self) -> int:
        """Count the records staged."""
        return len(self._kept)

    @property
    def feeds(self) -> Mapping[bytes, Feed]:
        """Give the feeds that grow by this batch, as they will be."""
        return self._feeds

    def feed(self, name: bytes) -> Feed | None:
        """Give a feed as it is staged or held, or None."""
        return self._feeds.get(name) or feeds.load(self._read, name)

    def ours(self, group: Group, theirs: Sequence[Head]) -> dict[bytes, Ours]:
        """Give our side of each head, of what is committed: what is staged must be none."""
        ours = {}
        for head in theirs:
            feed = self.feed(head.feed)
            if feed is None or feed.group != group.id:
                continue
            if head.size >= feed.size:
                root = feed.frontier.root()
            else:
                root = feeds.root_at(self._read, head.feed, head.size)
            ours[head.feed] = Ours(feed.size, root)
        return ours

    def release(self, node: bytes, release: Release, encoded: bytes) -> None:
        """Let what a peer signed for leave its outbox."""
        self._released.append((node, release, encoded))

    def keep_piece(self, piece: Piece) -> None:
        """Keep a piece of a body; when all are there, it is the record's if its hash is."""
        self.pieces.append(piece)

    def carry(self, group: bytes, said: Body) -> None:
        """Keep a piece that was carried by hand, if a record then owes it: its file was checked."""
        self._carried.append((group, said))

    def claim(self, node: bytes, group: bytes, feed: bytes, size: int) -> None:
        """Keep that a member signed that it holds more of a feed than is held here."""
        claim = Holder(node, size, self._circle.me.unix_ms() or None)
        self._claims.setdefault((group, node), {})[feed] = claim

    def heard(self, relation: Relation, group: bytes, now_ms: int) -> None:
        """Keep, to the minute, that a member was heard in a group, in its own signed words."""
        if relation.is_heard_anew(group, now_ms):
            self._heard[group, relation.node] = self._circle.me.unix_ms()

    def remember(self, credentials: Credentials) -> None:
        """Keep the verified certificates of a peer's run."""
        self._runs.append(credentials)

    def alarm(self, alarm: Alarm, heard_ms: int) -> None:
        """Keep that two runs of a peer both went on."""
        self.alarms.append((alarm, heard_ms))

    def keep_roster(self, known: Roster) -> None:
        """Keep a verified roster; it may change who is a member anywhere in its consortium."""
        self._rosters.append(known)
        self.changed |= {
            group.id
            for group in self._circle.groups.values()
            if group.founding.consortium == known.consortium
        }

    def append(self, group: Group, action: Append, shown: int = 0) -> Grown:
        """Verify records one after another and stage those that are right.

        `shown` is how many of the feed a member signed that it holds: these are always taken.
        """
        feed, size_max = self.feed(action.feed), shown
        taken_bytes, fault = 0, None
        following: Iterator[Record] | None = None
        if feed is not None and action.feed not in self._feeds:
            self._base[action.feed] = feed.size
        waiting = deque(action.records)
        while waiting:
            carried = waiting.popleft()
            try:
                if feed is None:
                    kept = self._opened(group, carried, action.feed)
                else:
                    following = following or verified((carried, *waiting), feed.run_key)
                    kept = _next(group, feed, carried, following)
                if kept.after.size > size_max:
                    size_max = self._size_max(group, kept.after)
            except (AuthorError, GroupError) as found:
                fault = found
                self.stopped_at[action.feed] = self._last(feed), carried
                break
            feed = kept.after
            self._kept.append(kept)
            self._feeds[feed.id] = feed
            taken_bytes += len(carried.record) + len(carried.body or b"")
            if met := self._islands.meet(feed):
                waiting, following = deque((*met, *islice(waiting, len(met), None))), None
        return Grown(0 if feed is None else feed.size, taken_bytes, fault)

    def island(self, group: Group, action: Island) -> Taken:
        """Verify records beyond a gap, and stage those of a member that are newer than is held."""
        feed = self.feed(action.feed)
        if feed is None or feed.group != group.id:
            return Taken(0, None)
        if not self._circle.members(group.id).has(feed.node):
            return Taken(0, None)
        taken = self._islands.take(feed, action)
        if taken.parts is not None:
            self.stopped_at[feed.id] = taken.parts
        return taken

    def job(self, db: Connection) -> None:
        """Store the batch, in one commit; for the writer."""
        for name in self._feeds:
            held = feeds.load(db, name)
            size, based = (held.size if held else 0), self._base.get(name, 0)
            if size != based:
                raise BrokenChain(seq=based, previous=size - 1, wanted=size)
        for known in self._rosters:
            groups.keep_roster(db, known)
        self._islands.leave(db)
        for _, following in groupby(self._kept, lambda each: each.record.feed):
            self._store(db, list(following))
        for name in self._feeds:
            self.doubted += receipts.grown(db, name)
        self._islands.store(db, self._reader)
        self._put_together(db)
        self._reader.finish(db)
        for signed, body in self._reader.misbodied:
            self.accusing.misbodied(signed, body, self._circle.me.unix_ms())
        self.changed |= self.accusing.settle(db, self._reader.evidence)
        for group in self.changed:
            membership.refold(db, group)
        for node, release, encoded in self._released:
            outbox.acknowledged(db, node, release.head, encoded, release.owed)
        self._keep_said(db)
        for credentials in self._runs:
            peers.remember(db, credentials)
        for alarm, heard_ms in self.alarms:
            alarms.keep(db, alarm, heard_ms)
        for keep in self.later:
            keep(db)

    def _keep_said(self, db: Connection) -> None:
        """Store what members say that they hold, and let go of it where it has come."""
        for name, feed in self._feeds.items():
            claims.met(db, name, feed.size)
        for (group, node), said in self._claims.items():
            self._counts[UNKEPT_CLAIM] += claims.keep(db, group, node, said)
        for (group, node), unix_ms in self._heard.items():
            claims.heard(db, group, node, unix_ms)

    def _store(self, db: Connection, following: Sequence[Kept]) -> None:
        """Store records that follow one another in one feed, and read what they say."""
        both = [(kept.record, kept.body) for kept in following]
        first = feeds.extend(db, both, following[-1].after)
        for place, kept in enumerate(following, first):
            if kept.record.is_apart:
                self.owing.append(place)
            if kept.body is None:
                continue
            self._reader.read(db, place, kept.record, kept.body)
            self._weigh(db, place, kept.record, kept.body[SALT_BYTES:])
            if _changes(db, kept, kept.body):
                self.changed.add(kept.record.group)

    def _weigh(self, db: Connection, place: int, said: Record, content: bytes) -> None:
        """Compare what a receipt or a removal says of feeds with what is held of them."""
        if said.kind is Kind.RECEIPT:
            self.doubted += receipts.take(db, place, content)
        elif said.kind is Kind.MEMBERSHIP:
            self.doubted += receipts.removed(db, said.group, place, content)

    def _put_together(self, db: Connection) -> None:
        """Store the pieces; make bodies of those that are whole, and read what they say."""
        for piece in self.pieces:
            bodies.keep_piece(db, piece.place, piece.number, piece.piece)
        for group, said in self._carried:
            self._correct(db, group, said)
        for place in sorted({piece.place for piece in self.pieces}):
            owed = bodies.owed_at(db, place)
            if owed is None or len(owed.had) < count_of(owed.length):
                continue
            places = bodies.finish(db, owed)
            self.whole += places
            if not places:
                self.wrong.append(place)
            for each in places:
                self._read_whole(db, each)

    def _correct(self, db: Connection, group: bytes, said: Body) -> None:
        """Keep a piece that was carried by hand, also instead of one that a link brought."""
        owing = bodies.owing(db, group, said.hash)
        if not owing:
            is_held = bodies.length_of(db, group, said.hash) is not None
            self._counts[decide.REPEATED if is_held else decide.UNASKED] += 1
        for each in owing:
            number = number_of(each.length, said.offset, len(said.piece))
            if number is not None:
                bodies.correct_piece(db, each.place, number, said.piece)
                self.pieces.append(Piece(each.place, number, said.piece, EARLIER))

    def _read_whole(self, db: Connection, place: int) -> None:
        said = bodies.record_at(db, place)
        if not said.key_number and not bodies.is_committed(db, place, said):
            self._counts[BadBody.code] += 1  # Its author signed the hash: it is kept to show it.
            evidence.note_misbodied(db, said.feed, self._circle.me.unix_ms())
        if meaning.reads_apart(said):
            self._reader.read(db, place, said, bodies.body_at(db, place))
        if said.kind is Kind.REVOCATION:
            self.changed.add(said.group)

    def _last(self, feed: Feed | None) -> bytes:
        """Give the last record of a feed as it is staged or held."""
        if feed is None or not feed.size:
            return b""
        for kept in reversed(self._kept):
            if kept.record.feed == feed.id:
                return kept.record.encoded
        held = feeds.slice_of(self._read, feed.id, feed.size - 1, feed.size, 1)
        return held[0].encoded if held else b""

    def _size_max(self, group: Group, feed: Feed) -> int:
        """Give up to which size a feed is taken; raise BeyondCut where it is already longer."""
        node = feed.node
        if node == self._circle.me.node:  # It may have heard of nobody yet, itself neither.
            return ENDLESS
        held = feeds.sizes(self._read, group.id, node)
        staged = (each for each in self._feeds.values() if each.group == group.id)
        held |= {each.id: each.size for each in staged if each.node == node}
        held.pop(feed.id, None)
        size_max = allowance.size_max(self._circle.members(group.id), feed, held)
        if feed.size > size_max:
            raise BeyondCut(node=node.hex(), group=group.id.hex()[:16])
        return size_max

    def _opened(self, group: Group, carried: Carried, name: bytes) -> Kept:
        if carried.body is None:
            raise BadBody(reason="a genesis travels with its body")
        first, after, _ = open_feed(carried.record, carried.body, self._circle.rosters(group))
        if after.id != name:
            raise WrongFeed(part="feed")
        self._circle.admit(group, after)
        return Kept(first, carried.body, after)


def _next(group: Group, feed: Feed, carried: Carried, following: Iterator[Record]) -> Kept:
    """Take the next verified record into its feed; raise what is wrong with it."""
    if feed.group != group.id:
        raise WrongFeed(part="group")
    said = next(following)
    after = feed.followed(said)
    meaning.check(said, carried.body)
    return Kept(said, carried.body, after)


def _changes(db: Connection, kept: Kept, body: bytes) -> bool:
    """Say whether a record just stored may change who is a member, or whose certificates count."""
    said, kind = kept.record, kept.record.kind
    if kind is Kind.REVOCATION:
        return True
    if kind not in FIXED_KINDS:
        return False
    return membership.concerns(db, said.group, kept.after.node, kind, body[SALT_BYTES:])
