"""The hostile member of a world: it has valid keys, a working gateway, and says what it likes.

In: which lie is to be told, and the honest ones. Out: bytes on the network. It hears everything, as
a broker without rules lets everybody do. It signs nothing in another's name, for it cannot.
"""

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain, product

import apsw

from gateway.errors import GatewayError
from gateway.groups import agreement
from gateway.groups.agreement import Ack, Entry
from gateway.groups.group import Group
from gateway.peers import noting, wire
from gateway.peers.wire import Arrived, Outgoing
from gateway.readings import senml
from gateway.readings.reading import Provenance
from gateway.records.feed import CBOR_TYPE, Head, feed_id
from gateway.records.record import Kind, Moment, Said
from gateway.store import authoring, feeds, noted
from gateway.sync import envelope, message
from gateway.sync.envelope import Envelope, Seal
from gateway.sync.message import HEADS_MAX, Carried, Heads, Listed, Message, Recs, Want
from tests.sim import disk, journal
from tests.sim.device import Device
from tests.sim.gateway import Gateway

_HEARD_MAX = 300
_HUGE = (1 << 53) - 1
_TOLD_MS_MAX = 40_000
_YEAR_MS = 365 * 24 * 3_600_000


class Liar(Gateway):
    """A member that lies whenever it is told to, and else does as all do."""

    def __init__(self, *args: object) -> None:
        self.forked: dict[bytes, int] = {}  # feeds of which it signed two histories, and from where
        self._heard: deque[Arrived] = deque(maxlen=_HEARD_MAX)
        self._withheld: set[str] = set()  # topics on which it says nothing
        self._stepped_ms = 0
        self.lies_told = self._made_up = 0
        super().__init__(*args)  # type: ignore[arg-type]

    def start(self) -> None:
        """Begin a run, and listen to what is said to others too."""
        super().start()
        others = {each.node for group in self.groups for each in group.founding.members}
        topics = (wire.to_node(node) for node in sorted(others - {self.node}))
        self._network.listen(self.name, (*self.exchange.subscriptions, *topics), self.hear)

    def hear(self, arrived: Arrived) -> None:
        """Remember all that is heard; take in what was meant for it."""
        self._heard.append(arrived)
        if arrived.topic == wire.to_node(self.node) or arrived.topic.startswith("hl/1/g/"):
            super().hear(arrived)

    def lie(self, what: str, honest: Sequence[Gateway]) -> None:
        """Tell one lie."""
        if self.is_down:
            return
        self.lies_told += 1
        group = self.dice.choice(self.groups)
        victims = [each for each in honest if group in each.groups]
        if victims:
            _LIES[what](self, group, self._some(victims))

    def _some(self, victims: Sequence[Gateway]) -> list[Gateway]:
        return self.dice.sample(victims, self.dice.randint(1, len(victims)))

    def _publish(self, outgoing: Outgoing) -> None:
        """Say what its gateway says, but to some."""
        if outgoing.topic not in self._withheld:
            super()._publish(outgoing)

    def _put(self, topic: str, group: Group, content: bytes) -> None:
        """Say anything, in the envelope of a group."""
        if group.founding.clear:
            said = Envelope(Seal.NONE, group.tag, content)
        else:
            nonce = self.dice.randbytes(24)
            said = envelope.seal_for(group.secret, group.id, group.tag, nonce, content)
        self._network.publish(self.name, Outgoing(topic, envelope.encode(said)))

    def _tell(self, victim: Gateway, group: Group, said: Message) -> None:
        self._put(wire.to_node(victim.node), group, message.encode(said))

    def _control(self, victim: Gateway, group: Group, said: Message) -> None:
        """Say something in the session with a victim, if there is one."""
        relation = self.exchange._circle.find(victim.node, group.id)
        if relation is not None and relation.met:
            outgoing = self.exchange._voice.control(relation, group, said)
            self._network.publish(self.name, outgoing)

    def _observation(self) -> Said:
        self._made_up += 1
        device = Device(f"press {self.name}/lie {self._made_up}", self.dice)
        (pack, *_) = senml.encode(device.say(self._clock.now_ms), Provenance.GATEWAY_ATTESTED)
        return Said(Kind.OBSERVATION, pack.encoded, senml.CONTENT_TYPE)

    def _false_receipts(self, group: Group, victims: Sequence[Gateway]) -> None:
        """Sign in a record for what it does not hold, for other roots, for more than there is."""
        heads = {head.feed: head for victim in victims for head in victim.heads(group)}
        entries = [Entry(self._bent(head)) for _, head in sorted(heads.items())]
        for some in agreement.batched(entries, agreement.RECEIPT_BYTES_MAX):
            said = Said(Kind.RECEIPT, agreement.encode_receipt(some), CBOR_TYPE)
            with self.db:
                authoring.say(self.db, self.author, self.venue(group), said)
        self._speak(self.exchange.written(group.id, self._clock.now_ms))

    def _forks_journal(self, group: Group, victims: Sequence[Gateway]) -> None:
        """Sign two journals of one size, show some witnesses the false one, and tell it to some."""
        if self.submitting is None:
            return
        with self.db:
            for _ in range(self.dice.randint(1, 3)):
                authoring.say(self.db, self.author, self.venue(group), self._observation())
        branch = journal.forked(self.db, self.run, self.dice)
        self._speak(self.exchange.written(group.id, self._clock.now_ms))
        if branch is not None:
            self.submitting(self).beside(branch).show()
            self.show_journal()
            wait_ms = self.dice.randrange(500, _TOLD_MS_MAX)
            self._clock.after(wait_ms, partial(self._tells, branch, victims))

    def _tells(self, branch: apsw.Connection, victims: Sequence[Gateway]) -> None:
        """Tell what witnesses cosigned of a journal, once its feeds have had time to come."""
        for group, victim in product(self.groups, victims):
            every = [noted.of_feed(branch, name) for name in noted.feeds_of(branch, group.id)]
            for said in noting._messages(list(chain.from_iterable(every))):
                self._tell(victim, group, said)

    def _forks(self, group: Group, victims: Sequence[Gateway]) -> None:
        """Sign two histories of the feed of this run: one to some, the other to all."""
        name, venue = feed_id(self.run.key.public, group.id), self.venue(group)
        branch = disk.copy_of(self.db)
        held = feeds.head(branch, name)
        start = 0 if held is None else held.size
        for db in (branch, self.db):
            with db:
                for _ in range(self.dice.randint(1, 3)):
                    authoring.say(db, self.author, venue, self._observation())
        self.forked[name] = min(start, self.forked.get(name, start))
        carried = [
            Carried(each.encoded, each.body)
            for each in feeds.slice_of(branch, name, start, start + 16, 1 << 20)
        ]
        for victim in victims:
            self._tell(victim, group, Recs(name, start, tuple(carried)))
        self._speak(self.exchange.written(group.id, self._clock.now_ms))

    def _dates_back(self, group: Group, victims: Sequence[Gateway]) -> None:
        """Go on under another time, and say something."""
        self._stepped_ms = self.dice.randint(-_YEAR_MS, _YEAR_MS)
        with self.db:
            authoring.say(self.db, self.author, self.venue(group), self._observation())
        self._speak(self.exchange.written(group.id, self._clock.now_ms))

    def _withholds(self, group: Group, victims: Sequence[Gateway]) -> None:
        """Say nothing more to some, and nothing to all; or what was withheld before, at last."""
        kinds = (wire.records_of, wire.heads_of)
        topics = {wire.to_node(each.node) for each in victims}
        self._withheld = (topics | {kind(group.tag, self.node) for kind in kinds}) - self._withheld

    def _replays(self, group: Group, victims: Sequence[Gateway]) -> None:
        """Say again what others said, to the same and to others."""
        for _ in range(min(len(self._heard), self.dice.randint(1, 12))):
            again = self.dice.choice(self._heard)
            topic = again.topic
            if self.dice.random() < 0.3:
                topic = wire.to_node(self.dice.choice(victims).node)
            self._network.publish(self.name, Outgoing(topic, again.payload))

    def _false_acks(self, group: Group, victims: Sequence[Gateway]) -> None:
        """Sign for what it does not hold, for another root, for more than there is."""
        for victim in victims:
            entries = [Entry(self._bent(head)) for head in victim.heads(group)]
            if entries:
                acked = Ack(group.id, victim.node, self.lies_told, tuple(entries))
                self._tell(victim, group, agreement.decode(agreement.sign(self.run.key, acked)))

    def _bent(self, head: Head) -> Head:
        """Give a head as it is, or beyond itself, or of another history."""
        way = self.dice.randrange(4)
        if way == 0:
            return Head(head.feed, head.size + self.dice.choice((1, _HUGE // 2)), head.root)
        if way == 1:
            return Head(head.feed, head.size, self.dice.randbytes(32))
        return head

    def _false_heads(self, group: Group, victims: Sequence[Gateway]) -> None:
        """Say in a session, or to all in another's name, that feeds are what they are not."""
        for victim in victims:
            rows = tuple(Listed(self._bent(head)) for head in victim.heads(group))
            self._control(victim, group, Heads(rows))
            topic = wire.heads_of(group.tag, self.dice.choice(victims).node)
            self._put(topic, group, message.encode(Heads(rows)))

    def _huge_counts(self, group: Group, victims: Sequence[Gateway]) -> None:
        """Offer feeds without end that are nowhere, and want all of what there is."""
        for victim in victims:
            names = [self.dice.randbytes(32) for _ in range(self.dice.choice((3, HEADS_MAX)))]
            heads = (Head(name, _HUGE, name) for name in names)
            self._control(victim, group, Heads(tuple(Listed(head) for head in heads)))
            for head in victim.heads(group)[:3]:
                self._control(victim, group, Want(head.feed, 0, _HUGE, _HUGE))

    def _floods(self, group: Group, victims: Sequence[Gateway]) -> None:
        """Say noise, and the same again and again."""
        topics = [wire.to_node(each.node) for each in victims]
        for _ in range(self.dice.randint(10, 40)):
            topic = self.dice.choice(topics)
            match self.dice.randrange(3):
                case 0:
                    noise = self.dice.randbytes(self.dice.randint(0, 200))
                    self._network.publish(self.name, Outgoing(topic, noise))
                case 1:
                    self._put(topic, group, b"\x82" + self.dice.randbytes(40))
                case _ if self._heard:
                    payload = self._heard[-1].payload
                    self._network.publish(self.name, Outgoing(topic, payload))

    def _tampers(self, group: Group, victims: Sequence[Gateway]) -> None:
        """Say records of others with a bit changed, a body missing, or under another name."""
        for arrived in list(self._heard):
            said = self._opened_records(arrived, group)
            if said is None or self.dice.random() < 0.7:
                continue
            changed = self._changed(said, self.dice.choice(victims), group)
            for victim in victims:
                self._tell(victim, group, changed)
            author = self.dice.choice(victims).node
            self._put(wire.records_of(group.tag, author), group, message.encode(changed))
            return

    def _opened_records(self, arrived: Arrived, group: Group) -> Recs | None:
        try:
            sent = envelope.decode(arrived.payload)
            if sent.tag != group.tag:
                return None
            content = sent.content
            if sent.seal is Seal.GROUP:
                content = envelope.open_in(group.secret, group.id, sent)
            said = message.decode(content)
        except GatewayError:
            return None
        return said if isinstance(said, Recs) else None

    def _changed(self, said: Recs, victim: Gateway, group: Group) -> Recs:
        records = list(said.records)
        at = self.dice.randrange(len(records))
        record, body = records[at].record, records[at].body
        match self.dice.randrange(4):
            case 0:
                records[at] = Carried(_flipped(record, self.dice.randrange(len(record))), body)
            case 1:
                records[at] = Carried(record, None if body is None else body[:-1] + b"\x00\x01")
            case 2:
                records[at] = Carried(record, None)
            case _:
                heads = victim.heads(group)
                name = self.dice.choice(heads).feed if heads else self.dice.randbytes(32)
                return Recs(name, said.start, tuple(records))
        return Recs(said.feed, said.start, tuple(records))

    def _moment(self) -> Moment:
        now = super()._moment()
        return Moment(now.unix_ms + self._stepped_ms, 5, now.source, now.boot, now.monotonic_ms)


def _flipped(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


_LIES: dict[str, Callable[[Liar, Group, Sequence[Gateway]], None]] = {
    "forks": Liar._forks,
    "dates back": Liar._dates_back,
    "withholds": Liar._withholds,
    "replays": Liar._replays,
    "false ACKs": Liar._false_acks,
    "false heads": Liar._false_heads,
    "huge counts": Liar._huge_counts,
    "floods": Liar._floods,
    "tampers": Liar._tampers,
    "false receipts": Liar._false_receipts,
    "forks its journal": Liar._forks_journal,
}
