"""Bodies that travel apart, at the edge: asked for, taken in, given. docs/protocol/sync.md.

In: records stored without their body, pieces said in sessions, parts that peers want. Out: pieces
for the batch that is being staged, requests, pieces said. It verifies nothing: a body counts when
the store has found its hash to be the record's.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from gateway.errors import BadBody, GatewayError
from gateway.groups.agreement import Cover
from gateway.groups.group import Group
from gateway.peers.circle import Circle
from gateway.peers.greeting import UNANSWERED
from gateway.peers.relation import Relation
from gateway.peers.staging import Piece, Staged, Store
from gateway.peers.voice import Voice
from gateway.peers.wire import Outgoing
from gateway.store import bodies, outbox
from gateway.store.bodies import Owed
from gateway.store.database import Connection
from gateway.sync import decide
from gateway.sync.fetching import WANTED_MAX, Fetching
from gateway.sync.message import PIECE_BYTES, Body, Part
from gateway.sync.pieces import Drop, Near, Request, Wanted

REFUSED_CREDIT = "sync.credit"
# What one BWANT is answered with in rosters; each is below it.
ROSTERS_BYTES_MAX = 128 * 1024
# Of one peer: what it wants and was not given yet.
PARTS_MAX = 64
PARTS_BYTES_MAX = 2 * 1024 * 1024
# While records wait for a peer, it is given a piece after so many of its messages.
RECORDS_FIRST = 3
REFILL_MS = 30_000


class Bodies:
    """What this node owes to itself of long bodies, and gives of them to others."""

    def __init__(
        self, circle: Circle, voice: Voice, storage: tuple[Connection, Store], counts: Counter[str]
    ) -> None:
        self._circle, self._voice, self._counts = circle, voice, counts
        self._read, self._store = storage
        self._fetching = Fetching()
        self._queues: dict[bytes, list[tuple[Group, Part]]] = {}
        self._skipped: Counter[bytes] = Counter()
        # Groups that owe more than is known here, and after which place the rest begins.
        self._more: dict[bytes, int] = {}
        self._refill_ms = 0
        # What is to be said once the batch is settled.
        self.out: list[Outgoing] = []
        ids = {group.id for group in circle.groups.values()}
        self._want(each for each in bodies.begun(self._read) if each.group in ids)
        for group in ids:
            self._more[group] = 0
            self._refill(group)

    def hear(self, said: Body, relation: Relation, group: Group, staged: Staged) -> bool:
        """Take a piece that a peer signed, if it was asked for and is lacking; say whether."""
        is_kept = False
        found = self._fetching.expects(group.id, relation.node, said)
        if not found:
            self._counts[decide.UNASKED] += 1
        for place, number in found:
            if self._fetching.has(place, number):
                self._counts[decide.REPEATED] += 1
            else:
                staged.keep_piece(Piece(place, number, said.piece, relation.node))
                is_kept = True
        return is_kept

    def settle(self, staged: Staged, now_ms: int) -> set[tuple[bytes, bytes]]:
        """See what a commit made of pieces; give the groups and feeds to be signed for anew."""
        for piece in staged.pieces:
            chance = self._voice.chance()
            self._fetching.came(piece.place, piece.number, piece.giver, now_ms, chance)
        for place in staged.wrong:
            self._counts[BadBody.code] += 1
            self._fetching.wrong(place)
        self._want(filter(None, (bodies.owed_at(self._read, each) for each in staged.owing)))
        signed = set[tuple[bytes, bytes]]()
        for place in staged.whole:
            wanted = self._fetching.find(place)
            if wanted is not None:
                signed.add((wanted.group, wanted.feed))
            self._fetching.forget(place)
        return signed

    def holds(self, node: bytes, feed: bytes, cover: Cover) -> None:
        """Note what a peer signed to hold."""
        if self._fetching:
            self._fetching.holds(node, feed, cover)

    def ask(self, now_ms: int) -> list[Outgoing]:
        """Give what is to be asked now; what is to be let go of before is gone then."""
        if not self._fetching and not self._more:
            return []
        if self._more and now_ms >= self._refill_ms:
            self._refill_ms = now_ms + REFILL_MS
            for group in list(self._more):
                self._refill(group)
        said: list[Outgoing] = []
        dropped: list[int] = []
        for step in self._fetching.take(now_ms, self._voice.chance(), tuple(self._near())):
            match step:
                case Drop(place):
                    dropped.append(place)
                case Request(node, group, parts):
                    relation = self._circle.relations[node]
                    within = next(each for each in relation.shared if each.id == group)
                    said.append(self._voice.control(relation, within, parts))
        self._drop(dropped)
        return said

    def due_ms(self) -> int | None:
        """Say when something is next to be asked; None for not before something comes."""
        due = [self._refill_ms] if self._more else []
        following = self._fetching.due_ms()
        return min([*due, *([] if following is None else [following])], default=None)

    def answer(self, parts: Sequence[Part], relation: Relation, group: Group, now_ms: int) -> bool:
        """Give the rosters that are wanted by hash; parts of bodies that are held wait their turn.

        Say whether anything will be given.

        Rosters of a consortium in which it shares no group would tell it who our partners are.
        """
        known = self._circle.all_rosters(relation.shared)
        held = {name: each.encoded for name, each in known.items()}
        rosters = [each.hash for each in parts if each.hash in held]
        if rosters and not relation.may_answer(now_ms):
            self._counts[UNANSWERED] += 1
            rosters = []
        room_bytes = ROSTERS_BYTES_MAX
        for name in rosters:
            if room_bytes < len(held[name]):
                self._counts[REFUSED_CREDIT] += 1
            else:
                room_bytes -= len(held[name])
                self.out.append(self._voice.bare(relation, group, Body(name, 0, held[name])))
        wanted = [self._owe(each, relation, group) for each in parts if each.hash not in held]
        return bool(rosters) or any(wanted)

    def _owe(self, part: Part, relation: Relation, group: Group) -> bool:
        """Have a part that a peer wants wait its turn, if it is held and there is room."""
        length = bodies.length_of(self._read, group.id, part.hash)
        if length is None or part.start >= length:
            self._counts[decide.NOT_HELD] += 1
            return False
        queue = self._queues.setdefault(relation.node, [])
        cut = Part(part.hash, part.start, min(part.stop, length))
        if any(each == cut and within.id == group.id for within, each in queue):
            return False
        waiting = sum(each.stop - each.start for _, each in queue)
        if len(queue) >= PARTS_MAX or waiting + cut.stop - cut.start > PARTS_BYTES_MAX:
            self._counts[REFUSED_CREDIT] += 1
            return False
        queue.append((group, cut))
        return True

    def owes(self, node: bytes) -> bool:
        """Say whether a peer waits for pieces."""
        return node in self._queues

    def give(self, relation: Relation) -> Outgoing | None:
        """Give a peer its next piece; records that wait for it go before, three to one."""
        queue = self._queues.get(relation.node)
        if not queue:
            return None
        if relation.owed:
            self._skipped[relation.node] += 1
            if self._skipped[relation.node] % (RECORDS_FIRST + 1):
                return None
        group, part = queue.pop(0)
        stop = min(part.stop, part.start + PIECE_BYTES)
        if stop < part.stop:
            queue.insert(0, (group, Part(part.hash, stop, part.stop)))
        if not queue:
            del self._queues[relation.node]
        if all(each.id != group.id for each in relation.shared):
            return None
        piece = bodies.part(self._read, group.id, part.hash, part.start, stop - part.start)
        if not piece:
            return None
        return self._voice.control(relation, group, Body(part.hash, part.start, piece))

    def forget_gone(self) -> None:
        """Owe nothing to who is no peer any more."""
        for node in self._queues.keys() - self._circle.relations.keys():
            del self._queues[node]

    def _drop(self, places: Sequence[int]) -> None:
        """Let go of the pieces of some bodies; where that fails, what comes is had twice."""

        def job(db: Connection) -> None:
            for place in places:
                bodies.drop_pieces(db, place)

        try:
            if places:
                self._store.submit(job).result()
        except GatewayError as fault:
            self._counts[fault.code] += 1

    def _near(self) -> Iterator[Near]:
        for node, each in self._circle.relations.items():
            if each.session.up and each.shared:
                groups = frozenset(group.id for group in each.shared)
                yield Near(node, groups, each.asking.is_open)

    def _want(self, owed: Iterable[Owed]) -> None:
        for each in owed:
            named = (each.place, each.group, each.feed, each.seq, each.node)
            holders = frozenset(
                node
                for node, cover in outbox.holders(self._read, each.feed)
                if cover.covers(each.seq)
            )
            wanted = Wanted(*named, each.hash, each.length, each.had, holders=holders)
            if not self._fetching.add(wanted) and self._fetching.find(each.place) is None:
                self._more.setdefault(each.group, 0)

    def _refill(self, group: bytes) -> None:
        """Want what a group owes beside what is wanted, as far as there is room, in turns."""
        room = WANTED_MAX - self._fetching.count(group)
        if room <= 0:
            return
        following: Sequence[Owed] = bodies.owed(self._read, group, self._more[group], room)
        self._want(following)
        if len(following) == room:
            self._more[group] = following[-1].place
        elif self._more[group]:
            self._more[group] = 0
        else:
            del self._more[group]
