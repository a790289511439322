"""What is made of what was heard: messages opened, checked, decided on, actions carried out.

In: a batch of arrivals. Out: what is to be said, after one commit holds what the batch brought; an
ACK never before. Whatever is wrong with one arrival is counted under its code and stops no other.
"""

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import replace

from gateway.errors import (
    AuthorError,
    BadControl,
    BadEnvelope,
    GatewayError,
    GroupError,
    MalformedMessage,
    PeerError,
)
from gateway.groups.agreement import Ack, Claim
from gateway.groups.group import Group
from gateway.peers import enclosing
from gateway.peers.bodies import REFUSED_CREDIT, Bodies
from gateway.peers.circle import Circle
from gateway.peers.doubts import Doubts
from gateway.peers.gate import Gate, Worth
from gateway.peers.greeting import Greeter
from gateway.peers.noting import Noting
from gateway.peers.relation import AWAY_MS, RELAYED_MS, Relation
from gateway.peers.staging import Staged, Store
from gateway.peers.voice import Voice
from gateway.peers.wanting import Wanting
from gateway.peers.whence import Whence
from gateway.peers.wire import Arrived, Outgoing
from gateway.records.feed import Head, feed_id
from gateway.store import feeds, outbox
from gateway.store.database import Connection
from gateway.sync import control, decide, envelope, message, pieces
from gateway.sync.clones import Alarm
from gateway.sync.decide import (
    Acknowledge,
    Action,
    Append,
    Ask,
    Forked,
    Ignore,
    Island,
    Ours,
    Release,
    SendBodies,
    SendRecords,
)
from gateway.sync.envelope import Seal
from gateway.sync.message import Body, Bwant, Evidence, Heads, Message, Note, Recs, Want
from gateway.sync.session import Session

# Counted by the edge itself, beside the reasons of `decide` and the codes of errors.
DOUBTFUL_HINT = "sync.hint"


class Hearing:
    """The ear of an exchange."""

    def __init__(self, circle: Circle, voice: Voice, read: Connection, store: Store) -> None:
        self._circle, self._voice, self._read, self._store = circle, voice, read, store
        self.counts: Counter[str] = Counter()
        self.greeter = Greeter(circle, voice, read, self.counts)
        self.whence = Whence(self.counts)
        self.gate, self._before, self._now_ms = Gate(voice.chance), 0, 0
        self.bodies = Bodies(circle, voice, (read, store), self.counts)
        self.doubts = Doubts(circle, voice, read, self.counts)
        self.wanting = Wanting(circle, self.doubts, read, self.counts)
        self.noting = Noting(circle, read)
        # Groups whose members, rosters or revocations changed: taken away by who must act on it.
        self.changed: set[bytes] = set()
        self.stored, self.faults = 0, deque[GatewayError](maxlen=1)  # why a commit failed
        self._out: list[Outgoing] = []
        self._new_batch()

    def _new_batch(self) -> None:
        self._staged = Staged(self._read, self._circle, self.counts)
        # To be signed for after the commit, by peer and group: feeds with a head, or None for all.
        self._signing: dict[tuple[bytes, bytes], dict[bytes, Head | None]] = {}
        self._opened: set[tuple[bytes, bytes]] = set()

    def hear(self, arrived: Arrived, now_ms: int) -> None:
        """Take in one arrival, unless whose it is floods; charge what leads to nothing."""
        self._now_ms = now_ms
        if self.whence.is_copy(arrived, self._circle.relations, now_ms):
            return
        self._before = self.counts.total()
        try:
            self._hear(arrived, now_ms)
        except (PeerError, AuthorError, GroupError) as fault:
            self.counts[fault.code] += 1
            self.doubts.impossible(fault, self.gate.signer, self._staged)
        self.gate.leave(arrived, self.counts.total() > self._before, now_ms)

    def carry(self, payload: bytes, now_ms: int) -> None:
        """Take in one envelope that somebody carried by hand: nobody waits for an answer."""
        self.gate.enter(Arrived("", payload), self._circle, now_ms)
        try:
            self._directed(payload, now_ms, by_hand=True)
        except (PeerError, AuthorError, GroupError) as fault:
            self.counts[fault.code] += 1

    def ask(self, now_ms: int) -> list[Outgoing]:
        """Ask for bodies, and where two histories part."""
        return self.bodies.ask(now_ms) + self.doubts.ask(now_ms)

    def due_ms(self) -> list[int]:
        """Say when there is something to ask."""
        return [due for due in (self.bodies.due_ms(), self.doubts.due_ms()) if due is not None]

    def settle(self) -> list[Outgoing]:
        """Commit what was taken in, then give what is to be said."""
        self._commit()
        out, self._out = self._out + self.bodies.out, []
        self.bodies.out = []
        return out

    def _commit(self) -> None:
        unkept: list[tuple[Alarm, int]] = []
        is_kept = bool(self._staged)
        try:
            if is_kept:
                self._store.submit(self._staged.job).result()
                self.stored += self._staged.count
                self.doubts.all_said(self._staged.doubted, self._now_ms)
                if self._staged.changed:  # Perhaps others are members now, or certificates count.
                    self.changed |= self._staged.changed
                    self.refresh()
        except GatewayError as fault:  # Nothing changed, so nothing is signed for.
            self.counts[fault.code] += 1
            is_kept = False
            self.faults.append(fault)
            self._signing.clear()
            self._opened.clear()
            unkept = self._staged.alarms  # Nobody raises them again.
        if is_kept:
            self._out += self.doubts.settled(self._staged.accusing, self._now_ms)
        for group, feed in self.bodies.settle(self._staged, self._now_ms) if is_kept else ():
            for each in self._circle.relations.values():
                if any(one.id == group for one in each.shared):
                    self._signing.setdefault((each.node, group), {})[feed] = None
        for (node, group), wanted in self._signing.items():
            if relation := self._circle.find(node, group):  # Who was just removed is owed nothing.
                self._sign(relation, group, wanted)
        for node, group in self._opened:
            if relation := self._circle.find(node, group):
                self.wanting.missing(relation, group)
        self._new_batch()
        self._before = self.counts.total()  # What the commit counted is not of what is heard now.
        for alarm, heard_ms in unkept:
            self._staged.alarm(alarm, heard_ms)

    def refresh(self) -> None:
        """Look again who is a member of what; who is new is greeted."""
        new = self._circle.refresh()
        self.bodies.forget_gone()
        for relation in new:
            relation.session = Session(relation.node, self._voice.new_hello(relation))

    def _hear(self, arrived: Arrived, now_ms: int) -> None:
        self.gate.enter(arrived, self._circle, now_ms)
        match arrived.topic.split("/"):
            case ["hl", "1", "n", node] if node == self._circle.me.node.hex():
                self._directed(arrived.payload, now_ms)
            case ["hl", "1", "g", tag, "rec" | "head", node] if envelope.is_tag(node):
                if node != self._circle.me.node.hex():
                    self._broadcast(arrived.payload, tag, bytes.fromhex(node), now_ms)
            case _:
                raise MalformedMessage(reason="its topic is not one of ours")

    def _broadcast(self, payload: bytes, tag: str, node: bytes, now_ms: int) -> None:
        """Take records as what they are, and heads as a hint: nobody signed for them."""
        enveloped = envelope.decode(payload)
        group = self._circle.group(tag)
        if enveloped.tag != tag:
            raise BadEnvelope(reason="it is of another group than its topic")
        relation = self._circle.relation(node, group.id)
        said = message.decode(enclosing.opened(group, enveloped))
        if not isinstance(said, Recs | Heads):
            raise MalformedMessage(reason="only records and heads are said to all")
        for action in self._decided(group, said):
            match action:
                case Acknowledge():
                    pass  # The author's own outbox asks for a signature where it lacks one.
                case Forked():
                    self.counts[DOUBTFUL_HINT] += 1
                case Ask():
                    self._ask(action, relation, group, is_offered=False)
                case Island():
                    self._island(action, group)
                case _:
                    self._do(action, relation, group, now_ms)

    def _directed(self, payload: bytes, now_ms: int, by_hand: bool = False) -> None:
        enveloped = envelope.decode(payload)
        if enveloped.seal is Seal.NODE and by_hand:
            self.greeter.introduced(self._circle.open_sealed(enveloped.content), self._staged)
            return
        if enveloped.seal is Seal.NODE:
            self.gate.greeted(now_ms)
            plain = self._circle.open_sealed(enveloped.content)
            self._out += self.greeter.sealed(plain, now_ms, self._staged)
            return
        group = self._circle.group(enveloped.tag)
        content = enclosing.opened(group, enveloped)
        self.gate.grouped(group.tag, content, self._circle, self.greeter.succession.awaits, now_ms)
        if content.startswith(control.MARK):
            self._control(content, group, now_ms)
            return
        said = message.decode(content)
        match said:
            case Recs():
                self._carry_out(said, None, group, now_ms)
            case Body() if by_hand and pieces.is_part(said):
                self._staged.carry(group.id, said)
            case Body():
                if self.greeter.roster(said, self._staged):
                    self.gate.led(Worth.USEFUL)
            case Note():
                self.gate.led(self.noting.take(said, group, self._staged, self.doubts))
            case Evidence():
                self.doubts.shown(said, self._staged)
            case Claim():
                ack, relation = self._circle.verify(said, group)
                self._acked(said, ack, relation, group, now_ms)
            case _:
                raise BadControl(reason="it must be signed within a session")

    def _control(self, content: bytes, group: Group, now_ms: int) -> None:
        heard = control.decode(content)
        relation = self._circle.speaker(heard) or self._circle.of_run(heard.signed.kid)
        if relation is None:
            self._out += self.greeter.farewell(heard.signed.kid, now_ms)
            raise BadControl(reason="nobody greeted us with its HELLO")
        self.gate.claimed(relation.node, now_ms)
        before = relation.session
        try:
            relation.session = before.heard_control(heard, now_ms)
        except BadControl:
            if heard.pair != control.Pair(before.theirs, before.mine) and before.may_greet(now_ms):
                self._out.append(self._voice.hello(relation, now_ms))
            raise
        self.whence.signed(relation.node, now_ms)
        self.gate.proven(relation.node)
        was_away = before.heard_ms is None or now_ms - before.heard_ms > AWAY_MS
        if relation.session.up and (not before.up or (was_away and relation.offer.attempt)):
            relation.hurry(now_ms)
        self._out += self.greeter.tell_apart(relation, heard, now_ms, self._staged)
        if all(each.id != group.id for each in relation.shared):
            raise BadControl(reason="its sender is no member of the group")
        self._circle.me.heard.add(group.tag)
        self._staged.heard(relation, group.id, now_ms)
        said = message.decode(heard.message)
        if isinstance(said, Body):
            if self.bodies.hear(said, relation, group, self._staged):
                self.gate.led(Worth.USEFUL)
            return
        if not isinstance(said, Heads | Want | Bwant):
            raise BadControl(reason="this message is not one that is signed within a session")
        self._carry_out(said, relation, group, now_ms)
        if isinstance(said, Heads):
            self.wanting.missing(relation, group.id)

    def _acked(self, claim: Claim, ack: Ack, relation: Relation, group: Group, now_ms: int) -> None:
        if relation.is_fresh(claim):
            self.whence.signed(relation.node, now_ms)
        self._staged.heard(relation, group.id, now_ms)
        actions = decide.decide(self._holdings(group, ack), ack)
        for entry, action in zip(ack.entries, actions, strict=True):
            match action:
                case Ignore(decide.AHEAD | decide.NOT_HELD as reason):
                    self.counts[reason] += 1
                    self._staged.claim(relation.node, group.id, entry.head.feed, entry.head.size)
                case Release(head, owed):
                    before = outbox.cover(self._read, relation.node, head.feed)
                    is_new = before.adding(entry.cover) != before
                    self.gate.led(Worth.USEFUL if is_new else Worth.KNOWN)
                    self._staged.release(relation.node, action, claim.encoded)
                    self.bodies.holds(relation.node, head.feed, entry.cover)
                    if is_new or not owed:
                        relation.progressed(now_ms)
                case _:
                    self._do(action, relation, group, now_ms)

    def _carry_out(
        self, said: Message, relation: Relation | None, group: Group, now_ms: int
    ) -> None:
        self.gate.led(Worth.KNOWN if isinstance(said, Heads) else Worth.NOTHING)
        for action in self._decided(group, said):
            self._do(action, relation, group, now_ms)

    def _do(self, action: Action, relation: Relation | None, group: Group, now_ms: int) -> None:
        match action:
            case Append():
                self._append(action, relation, group, now_ms)
            case Ask() if relation is not None:
                self._staged.claim(relation.node, group.id, action.feed, action.stop)
                self._ask(action, relation, group, is_offered=True)
            case Ask(feed):
                if not self._circle.missed(feed, now_ms):
                    self.counts[decide.UNASKED] += 1
            case Acknowledge(head) if relation is not None:
                signing = self._signing.setdefault((relation.node, group.id), {})
                signing.setdefault(head.feed, head)
            case SendRecords() if relation is not None:
                if not relation.owe(group, action):
                    self.counts[REFUSED_CREDIT] += 1
            case SendBodies(parts) if relation is not None:
                if self.bodies.answer(parts, relation, group, now_ms):
                    self.gate.led(Worth.ANSWERED)
            case Forked():
                self.doubts.said(action, relation, group, now_ms)
            case Ignore(reason):
                self.counts[reason] += 1
            case Island():
                pass  # Backlog out of turn: it is asked for again, and "now" is said to all.

    def _append(self, action: Append, relation: Relation | None, group: Group, now_ms: int) -> None:
        """Stage records; what is wrong with one stops its message, and only that."""
        name, records = action.feed, self.doubts.within(action)
        if name == feed_id(self._circle.me.run.key.public, group.id):
            self.counts[decide.REPEATED] += 1  # Nobody but this process can add to it.
            return
        if not records:
            return
        was_known = self._staged.feed(name) is not None
        action = replace(action, records=records)
        grown = self._staged.append(group, action, self._circle.shown(group, name))
        self.doubts.stopped(self._staged, name, grown.fault)
        if not grown.taken_bytes:
            return
        self.gate.led(Worth.USEFUL)
        author = self._circle.relations.get(self._staged.feeds[name].node)
        askers = [each for each in self._circle.relations.values() if each.asking.asks(name)]
        for each in askers:
            if relation is None and each.asking.asks_now(name):  # It was said to us alone.
                self.whence.answered(each.node, now_ms)
            each.asking.came(name, grown.size, grown.taken_bytes, now_ms)
        for each in {id(one): one for one in (*askers, relation, author) if one}.values():
            if any(shared.id == group.id for shared in each.groups):
                self._signing.setdefault((each.node, group.id), {})[name] = None
                if not was_known:
                    self._opened.add((each.node, group.id))
        for each in self._circle.relations.values():
            each.stir(now_ms, RELAYED_MS)

    def _island(self, action: Island, group: Group) -> None:
        """Keep what is said now, beyond what is still to come; nothing of it is signed for."""
        if len(self.doubts.within(action)) == len(action.records):
            taken = self._staged.island(group, action)
            self.doubts.stopped(self._staged, action.feed, taken.fault)
            self.gate.led(Worth.USEFUL if taken.count else Worth.NOTHING)

    def _ask(self, ask: Ask, relation: Relation, group: Group, is_offered: bool) -> None:
        if self.wanting.ask(self._staged, ask, relation, group, is_offered):
            self.gate.led(Worth.ANSWERED)

    def _decided(self, group: Group, said: Message) -> Sequence[Action]:
        """Compare what is held already with what came, then decide."""
        assert isinstance(said, Heads | Want | Recs | Bwant)
        if isinstance(said, Recs) and self.doubts.heard(said, group, self._staged):
            self.gate.led(Worth.USEFUL)
        return decide.decide(self._holdings(group, said), said)

    def _holdings(self, group: Group, said: Message | Ack) -> Mapping[bytes, Ours]:
        match said:
            case Heads(rows):
                return self._ours(group, [row.head for row in rows])
            case Ack(entries=entries):
                return self._ours(group, [entry.head for entry in entries])
            case Want(feed=name) | Recs(feed=name):
                feed = self._staged.feed(name)
                if feed is not None and feed.group == group.id:
                    return {name: Ours(feed.size)}
        return {}

    def _ours(self, group: Group, theirs: list[Head]) -> Mapping[bytes, Ours]:
        """Give our side of each head, of what is committed: first commit what is not."""
        if self._staged.feeds:
            self._commit()
        return self._staged.ours(group, theirs)

    def _sign(self, relation: Relation, group: bytes, wanted: Mapping[bytes, Head | None]) -> None:
        # What was to be signed for may have been ended by the commit: then as far as it goes.
        pairs = [(head, feeds.head(self._read, feed)) for feed, head in wanted.items()]
        held = sorted(min(head or now, now, key=_size) for head, now in pairs if now is not None)
        known = [outbox.entry(self._read, head) for head in held]
        within = next(each for each in relation.groups if each.id == group)
        self._out.extend(self._voice.acks(relation, within, known))


def _size(head: Head) -> int:
    return head.size
