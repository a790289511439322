"""A consortium whose whole life is decided by a seed, and what must hold at every moment of it.

In: a seed. Out: figures; or an AssertionError that names the seed and what it stands for. After
each event: no cursor of an outbox is ahead of the ACKs that its peer really signed; no ACK says
more than its signer has committed; nothing committed is gone. In the end all hold the same.
"""

import random
from collections.abc import Callable
from dataclasses import asdict, dataclass

from gateway.groups.agreement import Claim
from gateway.groups.group import Group
from gateway.peers.wire import Arrived, Outgoing
from gateway.records.feed import Head
from gateway.store import feeds
from gateway.sync import envelope, message
from gateway.sync.envelope import Seal
from tests import people
from tests.sim.clock import Clock
from tests.sim.device import Device
from tests.sim.gateway import Gateway
from tests.sim.network import Network, Temper

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
SETTLING_MS_MAX = 12 * HOUR_MS
_ACK_START = bytes((0x82, message.Type.ACK))


@dataclass(frozen=True, slots=True)
class Options:
    """What a seed stands for."""

    seed: int
    nodes: int
    groups: int
    sayings: int
    loss: float
    doubling: float
    delay_ms: int
    cuts: int
    cut_ms_max: int
    days_down: int
    restarts: int
    failing: float
    sealed: float


def options_of(seed: int) -> Options:
    """Draw a world."""
    dice = random.Random(seed)
    return Options(
        seed,
        nodes=dice.choice((2, 2, 3, 3, 4, 5)),
        groups=dice.randint(1, 3),
        sayings=dice.randint(8, 40),
        loss=dice.uniform(0, 0.3) if dice.random() < 0.8 else 0.0,
        doubling=dice.uniform(0, 0.5) if dice.random() < 0.8 else 0.0,
        delay_ms=dice.choice((2, 50, 500, 3_000)),
        cuts=dice.randint(0, 3),
        cut_ms_max=dice.choice((5_000, 60_000, 60_000, HOUR_MS // 3)),
        days_down=dice.choice((0, 0, 0, 1, 5)),
        restarts=dice.randint(0, 3),
        failing=dice.choice((0.0, 0.0, 0.1)),
        sealed=dice.choice((0.0, 0.5, 1.0)),
    )


@dataclass(frozen=True, slots=True)
class Figures:
    """What a world came to."""

    records: int
    messages: int
    lost: int
    hours: float


class Consortium:
    """Some gateways and their machines on one network."""

    patience_ms: int | None = None  # to settle; else as long as any world may need

    def __init__(self, options: Options) -> None:
        self.options = options
        self.dice = random.Random(options.seed ^ 0x5EED)
        self.clock = Clock()
        temper = Temper(options.loss, options.doubling, options.delay_ms)
        self.network = Network(self.clock, self.dice, temper)
        parties = [people.party(f"org {number}") for number in range(options.nodes)]
        self.groups = [self._group(parties, number) for number in range(options.groups)]
        self.gateways = [self._gateway(each) for each in parties]
        self._by_node = {each.node: each for each in self.gateways}
        # The most that a node signed to another for a feed, as it went over the network.
        self._signed: dict[tuple[bytes, bytes, bytes], int] = {}
        self._committed: dict[tuple[str, bytes], int] = {}
        self._watch()

    def _group(self, parties: list[people.Party], number: int) -> Group:
        chosen = (
            parties
            if number == 0
            else self.dice.sample(parties, self.dice.randint(2, len(parties)))
        )
        # Drawn apart, so that the worlds of old are as they were but for what seals them.
        is_sealed = random.Random(f"{self.options.seed} {number}").random() < self.options.sealed
        return people.group_of(*chosen, purpose=f"group {number}", clear=not is_sealed)

    def _gateway(self, who: people.Party) -> Gateway:
        joined = [
            group
            for group in self.groups
            if any(each.node == who.node.id for each in group.founding.members)
        ]
        gateway = Gateway(who, joined, self.clock, self.network, self.options.seed)
        gateway.desk.failing = self.options.failing
        return gateway

    def live(self) -> Figures:
        """Let it all happen, mend the network, and see that everybody ends up with the same."""
        self.befall(self.span_ms)
        self.clock.run(self.span_ms + self.options.days_down * DAY_MS)
        self._heal()
        self.settle(self.agreed, 5_000)
        self._check_readings()
        records = sum(head.size for group in self.groups for head in self._anybody(group))
        hours = self.clock.now_ms / HOUR_MS
        return Figures(records, self.network.carried, self.network.lost, round(hours, 2))

    @property
    def span_ms(self) -> int:
        """Say how long machines speak and things go wrong, a broker's days apart."""
        return 60_000 + 2 * self.options.cut_ms_max

    def befall(self, span_ms: int) -> None:
        """Draw when machines speak, ways are cut, gateways start again and the broker is down."""
        for _ in range(self.options.sayings):
            gateway = self.dice.choice(self.gateways)
            device = Device(f"press {gateway.name}", self.dice)
            self.clock.at(self.dice.randrange(span_ms), self._saying(gateway, device))
        for _ in range(self.options.cuts):
            self._cut(self.dice.choice(self.gateways), self.dice.randrange(span_ms))
        for _ in range(self.options.restarts):
            gateway = self.dice.choice(self.gateways)
            self.clock.at(self.dice.randrange(span_ms), gateway.start)
        if self.options.days_down:
            self._stop_broker(self.dice.randrange(span_ms))

    def settle(self, done: Callable[[], bool], step_ms: int) -> int:
        """Let time pass until something holds; give how much it was."""
        start_ms = self.clock.now_ms
        while not done():
            waited_ms = self.clock.now_ms - start_ms
            assert waited_ms < (self.patience_ms or SETTLING_MS_MAX), self.differences(waited_ms)
            self.clock.run(self.clock.now_ms + step_ms)
        return self.clock.now_ms - start_ms

    def agreed(self) -> bool:
        """Say whether all members of each group hold the same, and have signed for it."""
        return not any(gateway.lacking() for gateway in self.gateways) and all(
            gateway.heads(group) == self._anybody(group)
            for group in self.groups
            for gateway in self.gateways
            if group in gateway.groups
        )

    def _anybody(self, group: Group) -> list[Head]:
        return next(each for each in self.gateways if group in each.groups).heads(group)

    def _saying(self, gateway: Gateway, device: Device) -> Callable[[], None]:
        group = self.dice.choice(gateway.groups)
        return lambda: gateway.say(group, device.say(self.clock.now_ms))

    def _cut(self, gateway: Gateway, start_ms: int) -> None:
        stop_ms = start_ms + self.dice.randrange(1, self.options.cut_ms_max)
        self.clock.at(start_ms, lambda: self.network.cut.add(gateway.name))
        self.clock.at(stop_ms, lambda: self._join(gateway))

    def _join(self, gateway: Gateway) -> None:
        self.network.cut.discard(gateway.name)
        if self.network.reaches(gateway.name):
            gateway.reconnect()

    def _stop_broker(self, start_ms: int) -> None:
        """Have the broker down for days, while machines speak on."""
        stop_ms = start_ms + self.options.days_down * DAY_MS
        self.clock.at(start_ms, lambda: self._switch(False))
        for _ in range(self.options.sayings // 4):
            gateway = self.dice.choice(self.gateways)
            device = Device(f"press {gateway.name}", self.dice)
            self.clock.at(self.dice.randrange(start_ms, stop_ms), self._saying(gateway, device))
        self.clock.at(stop_ms, lambda: self._switch(True))

    def _switch(self, is_up: bool) -> None:
        self.network.is_up = is_up
        for gateway in self.gateways:
            if self.network.reaches(gateway.name):
                gateway.reconnect()

    def _heal(self) -> None:
        """End the cuts and the full disks; loss, doubling and reordering go on."""
        for gateway in self.gateways:
            gateway.desk.failing = 0.0
            self._join(gateway)

    def know(self, gateway: Gateway) -> None:
        """Have what a gateway says looked at."""
        self._by_name[gateway.name] = gateway

    def _watch(self) -> None:
        """Look over every gateway's shoulder: at what it publishes, and after all it hears."""
        publish, self._by_name = self.network.publish, {each.name: each for each in self.gateways}

        def watched(name: str, outgoing: Outgoing) -> None:
            self._check_ack(self._by_name[name], outgoing)
            publish(name, outgoing)

        self.network.publish = watched  # type: ignore[method-assign]
        for gateway in self.gateways:
            self._watch_hearing(gateway)

    def _watch_hearing(self, gateway: Gateway) -> None:
        hear = gateway.hear

        def watched(arrived: Arrived) -> None:
            hear(arrived)
            self.check(gateway)

        gateway.hear = watched  # type: ignore[method-assign]
        self.network.listen(gateway.name, gateway.exchange.subscriptions, watched)

    def _check_ack(self, gateway: Gateway, outgoing: Outgoing) -> None:
        content = self._opened(outgoing)
        if not content.startswith(_ACK_START):
            return
        said = message.decode(content)
        assert isinstance(said, Claim)
        for entry in said.ack.entries:
            head = feeds.head(gateway.db, entry.head.feed)
            assert head is not None and head.size >= entry.head.size, "signed for what is not held"
            assert feeds.root_at(gateway.db, head.feed, entry.head.size) == entry.head.root
            key = (gateway.node, said.ack.receiver, entry.head.feed)
            self._signed[key] = max(self._signed.get(key, 0), entry.head.size)

    def _opened(self, outgoing: Outgoing) -> bytes:
        """Open what goes over the network in a group; what is sealed to a node stays shut."""
        sent = envelope.decode(outgoing.payload)
        if sent.seal is Seal.NODE:
            return b""
        group = next(each for each in self.groups if each.tag == sent.tag)
        if sent.seal is Seal.NONE:
            return sent.content
        return envelope.open_in(group.secret, group.id, sent)

    def check(self, gateway: Gateway) -> None:
        """Hold a gateway's store against what was signed and committed."""
        rows = gateway.db.execute(
            "SELECT f.id, a.node, a.size FROM acks a JOIN feeds f ON f.number = a.feed"
        )
        for feed, peer, size in rows:
            assert size <= self._signed.get((peer, gateway.node, feed), 0), (
                "released without an ACK"
            )
        rows = gateway.db.execute(
            "SELECT f.id, h.size FROM heads h JOIN feeds f ON f.number = h.feed"
        )
        for feed, size in rows:
            assert size >= self._committed.get((gateway.name, feed), 0), (
                "what was committed is gone"
            )
            self._committed[gateway.name, feed] = size

    def _check_readings(self) -> None:
        """What was said of machines is indexed with every member of the group."""
        for group in self.groups:
            counted = {_readings(each, group) for each in self.gateways if group in each.groups}
            assert len(counted) == 1, f"members index different readings: {counted}"

    def differences(self, waited_ms: int) -> str:
        """Say how it stands with whoever is not agreed."""
        lines = [f"no agreement after {waited_ms / HOUR_MS} h:"]
        for gateway in self.gateways:
            held = {group.founding.purpose: len(gateway.heads(group)) for group in gateway.groups}
            counts = dict(gateway.exchange.counts)
            lines.append(f"  {gateway.name}: {held}, lacking {gateway.lacking()}, {counts}")
        return "\n".join(lines)


def _readings(gateway: Gateway, group: Group) -> int:
    return int(
        gateway.db.execute(
            "SELECT coalesce(sum(o.readings), 0) FROM observations o JOIN feeds f"
            " ON f.number = o.place >> 32 JOIN groups g ON g.number = f.in_group WHERE g.id = ?",
            (group.id,),
        ).get
    )


def live(seed: int) -> Figures:
    """Run the world of a seed; an AssertionError says how to run it again."""
    options = options_of(seed)
    try:
        return Consortium(options).live()
    except AssertionError as fault:
        raise AssertionError(f"{fault}\nmake worlds SEED={seed}: {asdict(options)}") from fault
