"""A scripted peer that lies, and the small world of honest gateways in which it does.

In: what a test wants it to say. Out: bytes on the simulator's network, under valid keys of its own.
"""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from gateway.groups import seal
from gateway.groups.group import Group
from gateway.peers import wire
from gateway.peers.wire import Arrived, Outgoing
from gateway.records.feed import Head
from gateway.records.run import Run
from gateway.records.sealing import NONCE_BYTES
from gateway.store import feeds, outbox
from gateway.sync import control, envelope, message
from gateway.sync.control import Pair
from gateway.sync.envelope import Envelope, Seal
from gateway.sync.invitation import Invite
from gateway.sync.message import Hello, Message
from tests import people
from tests.people import group_of, party, run_of, seed
from tests.sim.clock import Clock
from tests.sim.device import Device
from tests.sim.gateway import Gateway
from tests.sim.network import Network, Temper

MAKER, BUYER, LIAR, STRANGER = party("maker"), party("buyer"), party("liar"), party("stranger")
ALL = group_of(MAKER, BUYER, LIAR, purpose="all three")
PAIR = group_of(MAKER, LIAR, purpose="maker and liar")
APART = group_of(MAKER, BUYER, purpose="without the liar")


@dataclass
class Liar:
    """A scripted peer: it hears everything that the maker is told, and says what a test wants."""

    network: Network
    run: Run = field(default_factory=lambda: run_of(LIAR))
    who: people.Party = LIAR
    heard: list[Arrived] = field(default_factory=list)
    hello: bytes = b""
    counter: int = 0

    def listen(self, *groups: Group) -> None:
        """Hear all there is, as a broker without rules lets everybody do."""
        tags = [each.tag for each in groups]
        topics = wire.subscriptions(self.who.node.id, tags) + tuple(
            wire.to_node(each.node.id) for each in (MAKER, BUYER)
        )
        self.network.listen(self.who.name, topics, self.heard.append)

    def publish(self, topic: str, payload: bytes) -> None:
        """Say bytes to whoever listens."""
        self.network.publish(self.who.name, Outgoing(topic, payload))

    def tell(self, content: bytes, within: Group = ALL) -> None:
        """Say something to the maker's node, in the envelope of a group."""
        self.publish(wire.to_node(MAKER.node.id), envelope.encode(enveloped(content, within)))

    def say(self, said: Message, within: Group = ALL) -> None:
        """Say a message to the maker's node, not signed."""
        self.tell(message.encode(said), within)

    def greet(
        self, number: int = 0, run: Run | None = None, rosters: tuple[bytes, ...] = ()
    ) -> None:
        """Greet the maker under a new HELLO."""
        by = run or self.run
        said = Hello(by.credentials, rosters, seed(f"nonce {number}")[:16])
        self.hello, self.counter = message.encode(said), 0
        sealed = seal.seal(MAKER.encryption.public, self.hello, seed("ephemeral"))
        payload = envelope.encode(Envelope(Seal.NODE, None, sealed))
        self.publish(wire.to_node(MAKER.node.id), payload)

    def pair(self) -> Pair:
        """Name the session: what the maker sent last is what it goes by."""
        theirs = self.greetings()[-1]
        return Pair(sha256(self.hello).digest(), sha256(theirs).digest())

    def greetings(self) -> list[bytes]:
        """Open the HELLOs of the maker that came to this node."""
        opened = []
        ours = [each for each in self.heard if each.topic == wire.to_node(self.who.node.id)]
        for found in (envelope.decode(each.payload) for each in ours):
            if found.seal is Seal.NODE:
                plain = seal.open_sealed(self.who.encryption, found.content)
                said = message.decode(plain)
                assert isinstance(said, Hello | Invite)
                if isinstance(said, Hello) and said.credentials.node.subject == MAKER.node.id:
                    opened.append(plain)
        return opened

    def control(self, said: Message, within: Group = ALL) -> None:
        """Say a message in the session with the maker."""
        self.counter += 1
        signed = control.sign(self.run.key, self.counter, self.pair(), message.encode(said))
        self.tell(signed, within)


def enveloped(content: bytes, within: Group) -> Envelope:
    """Put something in the envelope that a group asks for, as whoever knows its secret can."""
    if within.founding.clear:
        return Envelope(Seal.NONE, within.tag, content)
    nonce = seed(content.hex())[:NONCE_BYTES]
    return envelope.seal_for(within.secret, within.id, within.tag, nonce, content)


class World:
    """Two honest gateways, a liar, and a broker without rules."""

    shared: Sequence[Group] = (ALL, APART)  # by the honest; the liar is in the first of them
    more: Sequence[Group] = (PAIR,)  # of the maker and the liar

    def __init__(self) -> None:
        self.clock = Clock()
        self.network = Network(self.clock, random.Random(7), Temper(delay_ms=2))
        self.maker = self._gateway(MAKER, [*self.shared, *self.more])
        self.buyer = self._gateway(BUYER, [*self.shared])
        self.liar = Liar(self.network)
        self.liar.listen(*self.shared, *self.more)
        self.liar.greet()
        self._sayings = 0
        self.pass_ms(20_000)
        self.converse()
        self.before = Counter(self.maker.exchange.counts)

    def _gateway(self, who: people.Party, groups: Sequence[Group]) -> Gateway:
        return Gateway(who, groups, self.clock, self.network, 0)

    def pass_ms(self, wait_ms: int) -> None:
        """Let time pass."""
        self.clock.run(self.clock.now_ms + wait_ms)

    def catch_up(self, within_ms: int) -> None:
        """Have both say something while they are apart: then all of it must be asked for."""
        self.network.cut.add(self.buyer.name)
        self.say()
        self.pass_ms(5_000)
        self.network.cut.discard(self.buyer.name)
        self.buyer.reconnect()
        self.agree(within_ms)

    def converse(self) -> None:
        """Have both honest members say something in each group, and see it come to the other."""
        self.say()
        self.agree(60_000)

    def say(self) -> None:
        """Have both honest members say something in each group."""
        for gateway in (self.maker, self.buyer):
            for group in self.shared:
                self._sayings += 1
                readings = Device(f"press {gateway.name}", gateway.dice).say(self._sayings)
                gateway.say(group, readings)

    def agree(self, within_ms: int) -> None:
        """See that both come to hold the same, and have signed for it."""
        started_ms = self.clock.now_ms
        while not self.agreed():
            assert self.clock.now_ms - started_ms < within_ms, "honest members do not agree"
            self.pass_ms(500)

    def agreed(self) -> bool:
        """Say whether the honest ones hold each other's feeds, and have signed for them."""
        maker, buyer = self.maker, self.buyer
        for mine, theirs in ((maker, buyer), (buyer, maker)):
            for head in self.own(mine):
                if feeds.head(theirs.db, head.feed) != head:
                    return False
                if outbox.cursor(mine.db, theirs.node, head.feed) != head.size:
                    return False
        return True

    def own(self, gateway: Gateway) -> list[Head]:
        """Give the heads of what a gateway wrote in the groups of the honest."""
        return [
            head for group in self.shared for head in feeds.tips(gateway.db, group.id, gateway.node)
        ]

    def counted(self) -> Counter[str]:
        """Give what the maker refused or ignored since the world began."""
        return self.maker.exchange.counts - self.before

    def signed_for(self) -> int:
        """Count the records for which the maker believes the liar to have signed."""
        rows = self.maker.db.execute("SELECT sum(size) FROM acks WHERE node = ?", (LIAR.node.id,))
        return int(rows.get or 0)
