"""The edge of sync, without sockets: it hears, decides by thought, acts on the store, and speaks.

In: what arrived over links, the present time (monotonic ms), word of own new records. Out: what is
to go over the links. One thread calls it. An ACK leaves only after the commit that holds the
records; a record leaves the outbox only under the peer's ACK (I10). docs/protocol/sync.md.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from gateway.groups.group import Group
from gateway.peers import gate, wire
from gateway.peers.circle import Circle, Me
from gateway.peers.gate import PeerCut
from gateway.peers.guests import Guests
from gateway.peers.hearing import Hearing
from gateway.peers.inviting import Invited, Inviting
from gateway.peers.letters import Letters
from gateway.peers.relation import Owed, Relation
from gateway.peers.staging import Store
from gateway.peers.voice import Voice
from gateway.peers.wire import Arrived, Outgoing
from gateway.records.feed import feed_id
from gateway.store import claims, feeds, keyring, outbox
from gateway.store.database import Connection
from gateway.store.feeds import Held
from gateway.sync.message import HEADS_MAX, RECORDS_MAX, Carried, Heads, Listed, Recs
from gateway.sync.reach import Reach, Way
from gateway.sync.session import Session

# Of records and bodies in one message; with what CBOR and the envelope add it is below 64 KiB.
RECORDS_BYTES_MAX = 56 * 1024
# More own records than so many messages hold are not said live: peers ask for them.
LIVE_MESSAGES_MAX = 8
HINT_MS = 1_000
# A key is said again to who is behind, the more seldom the longer it is: it is for all members.
KEY_MS, KEY_MS_BYTE = 2_000, 2


@dataclass(frozen=True, slots=True)
class PeerStatus:
    """How it stands with a peer; times by the clock that is given to the exchange.

    `wanting` is what the peer signed that it holds and we lack; `rate` is records a second that
    came of it lately; `eta_s` how long the rest takes so, None while nothing comes.
    """

    node: str
    organisation: str
    state: str
    lacking: int
    heard_ms: int | None
    wanting: int = 0
    rate: float = 0.0
    eta_s: int | None = None
    cut: PeerCut | None = None


@dataclass(frozen=True, slots=True)
class Brought:
    """What came of envelopes carried by hand: records stored, and what was refused, by code."""

    stored: int
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Storage:
    """The store: who commits, and a connection to read from in the exchange's thread."""

    writer: Store
    read: Connection


class Exchange:
    """This node among its peers."""

    def __init__(
        self,
        me: Me,
        groups: Sequence[Group],
        storage: Storage,
        random: Callable[[int], bytes],
    ) -> None:
        self._me, self._read = me, storage.read
        self._circle = Circle(me, groups, storage.read)
        self._voice = Voice(me, self._circle.all_rosters, random)
        self._hearing = Hearing(self._circle, self._voice, storage.read, storage.writer)
        self._inviting = Inviting(self._circle, self._voice, storage.read, self.counts)
        self.letters = Letters(self._circle, self._voice, self._inviting, storage.read)
        self._by_id = {group.id: group for group in self._circle.groups.values()}
        self._told = {group: self._own_size(group) for group in self._by_id}
        self._hints: dict[bytes, int] = {}
        # By group, the record that announced a key and was said once more, and when again.
        self._keyed: dict[bytes, tuple[int, int]] = {}
        self._turn = 0
        for relation in self._circle.relations.values():
            relation.session = Session(relation.node, self._voice.new_hello(relation))
            self._count(relation)

    @property
    def counts(self) -> Counter[str]:
        """Give what was refused or led to nothing, by code."""
        return self._hearing.counts

    def fruitless(self) -> dict[str, int]:
        """Count what led to nothing since this was asked last, by the link it came over."""
        return self._hearing.gate.take_fruitless()

    @property
    def run(self) -> bytes:
        """Name this node's run."""
        return self._me.run.key.id

    @property
    def guests(self) -> Guests:
        """Give who may be at the other end of a link; from any thread, as it was last seen."""
        return self._circle.guests

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """Give the topics to listen to; none for who has neither peers nor anybody to invite it."""
        if not self._circle.relations and not self._circle.is_known:
            return ()
        return wire.subscriptions(self._me.node, self._circle.groups)

    @property
    def reach(self) -> Reach:
        """Say over which links each peer is reached."""
        return self._hearing.whence.reach

    @property
    def forks(self) -> frozenset[bytes]:
        """Give the feeds of which two histories were signed, or said, to exist."""
        return self._hearing.doubts.frozen.union(self._hearing.doubts.forks)

    @property
    def frozen(self) -> frozenset[bytes]:
        """Give the feeds that end because their author broke a rule: no more is asked of them."""
        return self._hearing.doubts.frozen

    @property
    def journal_forks(self) -> Mapping[bytes, tuple[bytes, bytes]]:
        """Give the runs that signed two journals, each with two checkpoints that show it."""
        return self._hearing.doubts.journals

    @property
    def invitations(self) -> dict[bytes, Invited]:
        """Give the invitations that came, by group; take away what was decided on."""
        return self._hearing.greeter.invitations

    def changes(self) -> frozenset[bytes]:
        """Give the groups in which somebody came or went since this was asked last."""
        changed = frozenset(self._hearing.changed)
        self._hearing.changed.clear()
        return changed

    def regroup(self) -> None:
        """Look again who is a member of what: call it after this gateway's own act's commit."""
        self._hearing.refresh()
        self._inviting.refresh()

    def invited(self, group: bytes) -> list[bytes]:
        """Give the nodes that this one invited to a group and that have not come."""
        return self._inviting.waiting(group)

    def receive(self, arrivals: Sequence[Arrived], now_ms: int) -> list[Outgoing]:
        """Take in what arrived, commit it, and give what is to be said; blocks for the commit."""
        for arrived in arrivals:
            self._hearing.hear(arrived, now_ms)
        said = self._hearing.settle()
        if self._hearing.changed:
            self._inviting.refresh()
        return said + self._asked(now_ms)

    def carry(self, envelopes: Sequence[bytes], now_ms: int) -> tuple[Brought, list[Outgoing]]:
        """Take in what was carried by hand, and commit it; raise what the store refused."""
        before, stored = Counter(self.counts), self._hearing.stored
        self._hearing.faults.clear()
        for each in envelopes:
            self._hearing.carry(each, now_ms)
        said = self._hearing.settle()
        self._inviting.refresh()  # Who was invited may have come, without a change of members.
        if self._hearing.faults:
            raise self._hearing.faults[0]
        counted = dict(self.counts - before)
        brought = Brought(self._hearing.stored - stored, counted)
        return brought, said + self._asked(now_ms)

    def tick(self, now_ms: int) -> list[Outgoing]:
        """Give what time asks for: greetings, requests again, offers, hints."""
        said: list[Outgoing] = []
        for relation in self._circle.relations.values():
            session = relation.session
            if not session.up and session.retry.due_ms <= now_ms:
                said.append(self._voice.hello(relation, now_ms))
                self.reach.tried(relation.node, now_ms)
            if relation.session.up and relation.offer.due_ms <= now_ms:
                said += self._offer(relation, now_ms)
        said += self._inviting.take(now_ms)
        for group, due_ms in list(self._hints.items()):
            if due_ms <= now_ms:
                del self._hints[group]
                said += self._hint(self._by_id[group])
        return said + self._asked(now_ms)

    def due_ms(self) -> int:
        """Say when `tick` has something to do next; 0 for at once."""
        due = [each.due_ms() for each in self._circle.relations.values()]
        due += self._hearing.due_ms()
        return min([*due, *self._hints.values(), self._inviting.due_ms()])

    def written(self, group: bytes, now_ms: int) -> list[Outgoing]:
        """Say this run's new records to their group: call it after the commit that holds them."""
        within = self._by_id.get(group)
        if within is None:
            return []
        near = [each for each in self._circle.relations.values() if within in each.groups]
        for relation in near:
            relation.stir(now_ms)
        size = self._own_size(group)
        start, self._told[group] = self._told[group], size
        if start >= size or not any(each.session.up for each in near):
            return []
        self._hints.setdefault(group, now_ms + HINT_MS)
        said = self._key_before(within, near, start, now_ms)
        while start < size and len(said) < LIVE_MESSAGES_MAX:
            recs = self._records(self._own_feed(group), start, size)
            if recs is None:
                break
            said.append(self._voice.broadcast(within, recs))
            start += len(recs.records)
        return said

    def over(self, ways: Sequence[Way], now_ms: int) -> list[Outgoing]:
        """Take which links are up now; give the greetings that show who is behind them."""
        shift = self.reach.change(ways, now_ms)
        near = self._circle.relations
        met = [each for node, each in near.items() if shift.every or node in shift.nodes]
        for relation in met:
            relation.hurry(now_ms)
        if shift.every:
            self._inviting.hurry()
        known = [each for each in met if each.session.up and each.session.may_greet(now_ms)]
        return [self._voice.hello(each, now_ms) for each in known] if ways else []

    def ways(self, outgoing: Outgoing, now_ms: int) -> tuple[str, ...]:
        """Name the links that a message is to go over."""
        if outgoing.everywhere:
            return self.reach.links
        if (node := wire.whom(outgoing.topic)) is not None:
            return self.reach.to(node)
        match outgoing.topic.split("/"):
            case ["hl", "1", "g", tag, *_]:
                near = self._circle.relations.items()
                within = [node for node, each in near if any(one.tag == tag for one in each.groups)]
                return self.reach.to_all(within, now_ms)
        return self.reach.links

    def owes(self) -> bool:
        """Say whether a peer waits for records it asked for."""
        return any(map(self._waits, self._circle.relations.values()))

    def _waits(self, relation: Relation) -> bool:
        return bool(relation.owed) or self._hearing.bodies.owes(relation.node)

    def serve(
        self, room_bytes: int, has_room: Callable[[bytes], bool] = lambda _node: True
    ) -> list[Outgoing]:
        """Give records that peers asked for, to those whose links have room; all take turns."""
        said: list[Outgoing] = []
        near = self._circle.relations.values()
        relations = [each for each in near if self._waits(each) and has_room(each.node)]
        while room_bytes > 0 and any(map(self._waits, relations)):
            self._turn += 1
            relation = relations[self._turn % len(relations)]
            outgoing = self._hearing.bodies.give(relation)
            if outgoing is None:
                owed = relation.next_owed()
                outgoing = None if owed is None else self._serve(relation, owed)
            if outgoing is not None:
                said.append(outgoing)
                room_bytes -= len(outgoing.payload)
        return said

    def status(self, now_ms: int) -> list[PeerStatus]:
        """Say how it stands with each peer; what it lacks is counted from the store."""
        return [self._peer_status(each, now_ms) for each in self._circle.relations.values()]

    def _peer_status(self, relation: Relation, now_ms: int) -> PeerStatus:
        wanting, lately = claims.wanting(self._read, relation.node), relation.asking.lately
        cut = self._hearing.gate.cut(relation.node, now_ms)
        is_cut = cut is not None and cut.reason == gate.SIGNED
        return PeerStatus(
            relation.node.hex(),
            relation.organisation,
            "flooding" if is_cut else relation.state(now_ms),
            self._count(relation),
            relation.session.heard_ms,
            wanting,
            round(lately.per_s(now_ms), 1),
            lately.eta_s(wanting, now_ms) if wanting else None,
            cut,
        )

    def _count(self, relation: Relation) -> int:
        relation.lacking = sum(
            outbox.lacking(self._read, group.id, relation.node).records for group in relation.groups
        )
        return relation.lacking

    def _key_before(
        self, group: Group, near: Sequence[Relation], start: int, now_ms: int
    ) -> list[Outgoing]:
        """Say once more what announced the key of records from `start` on, where a peer lacks it.

        It may lie before a long backlog; without it nobody could read what is said now.
        """
        feed, (told, due_ms) = self._own_feed(group.id), self._keyed.get(group.id, (-1, 0))
        seq = keyring.announced_last(self._read, feed)
        if seq is None or seq >= start or (told == seq and now_ms < due_ms):
            return []
        recs = self._records(feed, seq, seq + 1)
        if recs is None or all(outbox.cursor(self._read, each.node, feed) > seq for each in near):
            return []
        said = self._voice.broadcast(group, recs)
        pause_ms = max(KEY_MS, KEY_MS_BYTE * len(said.payload))
        self._keyed[group.id] = seq, now_ms + pause_ms
        return [said]

    def _own_feed(self, group: bytes) -> bytes:
        return feed_id(self._me.run.key.public, group)

    def _own_size(self, group: bytes) -> int:
        head = feeds.head(self._read, self._own_feed(group))
        return 0 if head is None else head.size

    def _asked(self, now_ms: int) -> list[Outgoing]:
        said = []
        for relation in self._circle.relations.values():
            due_ms = relation.asking.due_ms() if relation.met else None
            if due_ms is not None and due_ms <= now_ms:
                for group, want in relation.asking.take(now_ms, self._voice.chance()):
                    # What was asked for in vain may have been dropped by who carries the rest.
                    asked = self._voice.control(relation, self._by_id[group], want)
                    again = relation.asking.asks_again(want.feed)
                    said.append(replace(asked, everywhere=again))
                    self.reach.tried(relation.node, now_ms)
        return said + self._hearing.ask(now_ms)

    def _offer(self, relation: Relation, now_ms: int) -> list[Outgoing]:
        """Say to a peer what it has not signed for; if nothing, now and then the tips."""
        said: list[Outgoing] = []
        for group in relation.shared:
            after = relation.rotated(group.id)
            heads = outbox.waiting(self._read, group.id, relation.node, after, HEADS_MAX)
            if after and not heads:
                heads = outbox.waiting(self._read, group.id, relation.node, b"", HEADS_MAX)
            relation.rotate(group.id, heads[-1].feed if len(heads) == HEADS_MAX else None)
            if heads:
                said += self._voice.heads(relation, group, heads)
        if said:
            relation.offered(now_ms, self._voice.chance())
        elif relation.settled(now_ms, self._voice.chance()):
            said = self._hearing.greeter.tips(relation)
        notes = self._hearing.noting.owed(relation, now_ms)
        said += [self._voice.bare(relation, group, note) for group, note in notes]
        if said:
            self.reach.tried(relation.node, now_ms)
        return said

    def _hint(self, group: Group) -> list[Outgoing]:
        head = feeds.head(self._read, self._own_feed(group.id))
        return [] if head is None else [self._voice.broadcast(group, Heads((Listed(head),)))]

    def _serve(self, relation: Relation, owed: Owed) -> Outgoing | None:
        recs = self._records(owed.feed, owed.start, owed.stop, owed.credit)
        if recs is None:
            return None
        sent_bytes = sum(len(each.record) + len(each.body or b"") for each in recs.records)
        relation.sent(owed, len(recs.records), sent_bytes)
        said = self._voice.bare(relation, owed.group, recs)
        return replace(said, backlog=True, everywhere=owed.again)

    def _records(
        self, feed: bytes, start: int, stop: int, room_bytes: int = RECORDS_BYTES_MAX
    ) -> Recs | None:
        """Read consecutive records for one message; None where nothing is held."""
        stop = min(stop, start + RECORDS_MAX)
        room_bytes = min(room_bytes, RECORDS_BYTES_MAX)
        held = feeds.slice_of(self._read, feed, start, stop, room_bytes)
        return Recs(feed, start, tuple(_carried(each) for each in held)) if held else None


def _carried(held: Held) -> Carried:
    return Carried(held.encoded, held.body)
