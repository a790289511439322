"""A consortium whose whole life is decided by a seed, and what it must come to.

In: options. Out: figures; or an AssertionError that names the seed and what it stands for. What
must hold after each event is in `safety`. In the end, when ways and disks are mended, all honest
members hold the same of each other, and of who lies all that does not conflict.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from gateway.groups.group import Group
from gateway.peers.wire import Outgoing
from gateway.records.feed import Head
from gateway.store import alarms, feeds
from tests import people
from tests.sim import safety
from tests.sim.clock import Clock
from tests.sim.device import Device
from tests.sim.finals import Finals
from tests.sim.gateway import Gateway
from tests.sim.ledger import Ledger
from tests.sim.liar import Liar
from tests.sim.network import Network, Temper
from tests.sim.options import HOUR_MS, Options
from tests.sim.safety import Safety
from tests.sim.witnesses import Witnesses

DAY_MS = 24 * HOUR_MS
SETTLING_MS_MAX = 4 * HOUR_MS
_AGAIN_MS = 5_000
_party = cache(people.party)


@dataclass(frozen=True, slots=True)
class Figures:
    """What a world came to."""

    records: int
    messages: int
    lost: int
    hours: float
    settled_s: int = 0  # from when all was mended until all held the same


class Consortium:
    """Some gateways and their machines on one network."""

    patience_ms: int | None = None  # to settle; else as long as any world may need

    def __init__(self, options: Options) -> None:
        self.options = options
        self.dice = random.Random(options.seed ^ 0x5EED)
        self.clock = Clock()
        temper = Temper(options.loss, options.doubling, options.delay_ms)
        links = [f"broker {number}" for number in range(options.links)]
        self.network = Network(self.clock, self.dice, temper, links)
        parties = self._parties()
        self.groups = [self._group(parties, number) for number in range(options.groups)]
        self.safety, self.ledger = Safety(self.groups), Ledger()
        self.finals = Finals()
        self.witnesses = Witnesses(options, parties, self.groups, self.clock)
        self.safety.false_witnesses |= {
            each.who.root.id for each in self.witnesses.all if each.is_false
        }
        if options.lies:
            self.safety.liars.add(parties[-1].node.id)
        self._by_name: dict[str, Gateway] = {}
        self._said = 0
        self._watch()
        self._leave_links(parties)
        self.gateways: list[Gateway] = []
        for each in parties:
            self.gateways.append(self._gateway(each))
            self.know(self.gateways[-1])

    def _parties(self) -> list[people.Party]:
        """Give the organisations, those that have a witness with its key in their rosters."""
        parties = [_party(f"org {number}") for number in range(self.options.nodes)]
        natures = self.options.witnesses or ("",) * len(parties)
        pairs = zip(parties, natures, strict=True)
        return [people.witnessed(who) if nature else who for who, nature in pairs]

    @property
    def honest(self) -> list[Gateway]:
        """Give all but who lies."""
        return [each for each in self.gateways if each.node not in self.safety.liars]

    def _leave_links(self, parties: list[people.Party]) -> None:
        """Have some not be on each link but the first."""
        for link in self.network.links[1:]:
            for who in parties:
                if self.dice.random() < 0.3:
                    self.network.absent.add((who.name, link))

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
        kind = Liar if who.node.id in self.safety.liars else Gateway
        gateway = kind(who, joined, self.clock, self.network, self.options.seed)
        gateway.desk.failing, gateway.receipts = self.options.failing, self.options.receipts
        return gateway

    def live(self) -> Figures:
        """Let it all happen, mend the network, and see that everybody ends up with the same."""
        self.befall(self.span_ms)
        self.clock.run(self.span_ms + self.options.days_down * DAY_MS)
        self._heal()
        settled_ms = self.settle(self.agreed, 5_000)
        self.check_ends()
        records = sum(head.size for group in self.groups for head in self._anybody(group))
        hours = round(self.clock.now_ms / HOUR_MS, 2)
        network = self.network
        return Figures(records, network.carried, network.lost, hours, settled_ms // 1000)

    @property
    def span_ms(self) -> int:
        """Say how long machines speak and things go wrong, a broker's days apart."""
        return 60_000 + 2 * self.options.cut_ms_max

    def befall(self, span_ms: int) -> None:
        """Draw when machines speak, ways are cut, gateways start again and the broker is down."""
        for _ in range(self.options.sayings):
            gateway = self.dice.choice(self.gateways)
            self.clock.at(self.dice.randrange(span_ms), self._speaks(gateway))
        for _ in range(self.options.cuts):
            self._cut(self.dice.choice(self.gateways), self.dice.randrange(span_ms))
        for _ in range(self.options.restarts):
            gateway = self.dice.choice(self.gateways)
            self.clock.at(self.dice.randrange(span_ms), gateway.start)
        self.witnesses.befall(span_ms)
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
        """Say whether all honest members of each group hold the same, and have signed for it.

        Of a feed that was forked they hold at least what came before the fork, which is the same.
        """
        forked = self.forked()
        for group in self.groups:
            among = [each for each in self.honest if group in each.groups]
            held = [{head.feed: head for head in each.heads(group)} for each in among]
            if any(_without(each, forked) != _without(held[0], forked) for each in held[1:]):
                return False
            known = {feed for each in held for feed in each if feed in forked}
            if not all(self._is_agreed(feed, forked[feed], among) for feed in known):
                return False
        return not any(safety.lacking(self.honest, frozenset(forked))) and not any(self.unsettled())

    def unsettled(self) -> Iterator[str]:
        """Say what stands otherwise at another honest member, or should be final and is not yet.

        That is all where nobody in a group lies and enough of its witnesses cosign.
        """
        yield from self.finals.differ(self.honest, self.forked())
        yield from safety.unproven(self.honest, self.forked())
        yield from safety.unshown(self.honest)
        for group in self.groups:
            among = [each for each in self.gateways if group in each.groups]
            is_loyal = all(each.node not in self.safety.liars for each in among)
            if is_loyal and self.witnesses.suffice(group):
                for each in among:
                    yield from self.finals.short(each, group)

    def forked(self) -> dict[bytes, int]:
        """Give the feeds of which somebody signed two histories, with how far both are one."""
        liars = (each for each in self.gateways if isinstance(each, Liar))
        return {feed: at for liar in liars for feed, at in liar.forked.items()}

    def _is_agreed(self, feed: bytes, fork: int, among: list[Gateway]) -> bool:
        """Say whether all hold as much of a forked feed as any of them, up to the fork."""
        most = [each.size or 0 for gateway in among if (each := feeds.load(gateway.db, feed))]
        wanted = min(fork, max(most, default=0))
        if not wanted:
            return True
        if len(most) < len(among) or min(most) < wanted:
            return False
        return len({feeds.root_at(gateway.db, feed, wanted) for gateway in among}) == 1

    def check_ends(self) -> None:
        """Look at the readings, and whether anybody is taken for a clone."""
        self.ledger.check(self.honest, self.groups)
        self.finals.check(self.honest)
        raised = {kept.alarm.node for each in self.honest for kept in alarms.load(each.db)}
        assert raised <= self.safety.liars, "an honest node is taken for a clone"
        if not (self.options.restores or self.options.lies):  # Else what is before one may be lost.
            left = [each.db.execute("SELECT count(*) FROM islands").get for each in self.honest]
            assert not any(left), "an island was not reached"

    def _anybody(self, group: Group) -> list[Head]:
        return next(each for each in self.honest if group in each.groups).heads(group)

    def _speaks(self, gateway: Gateway) -> Callable[[], None]:
        """Have a machine say something once; it says it again until it is acknowledged."""
        self._said += 1
        return self._saying(gateway, Device(f"press {gateway.name}/{self._said}", self.dice))

    def _saying(self, gateway: Gateway, device: Device) -> Callable[[], None]:
        group = self.dice.choice(gateway.groups)

        def say() -> None:
            readings = device.say(self.clock.now_ms)
            attempt(lambda: gateway.say(group, readings))

        def attempt(saying: Callable[[], bool]) -> None:
            if not saying():
                self.clock.after(_AGAIN_MS, lambda: attempt(saying))
            elif gateway.node not in self.safety.liars:
                self.ledger.acknowledged(gateway, group, device.name)

        return say

    def _cut(self, gateway: Gateway, start_ms: int) -> None:
        """Cut a way for a while: of one link, or of all; or have a link down for everybody."""
        stop_ms = start_ms + self.dice.randrange(1, self.options.cut_ms_max)
        link = self.dice.choice(self.network.links) if self.options.links > 1 else ""
        way = gateway.name, link
        if link and self.dice.random() < 0.3:
            self.clock.at(start_ms, lambda: self._switch((link,), False))
            self.clock.at(stop_ms, lambda: self._switch((link,), True))
            return
        if link and self.dice.random() < 0.7:
            self.clock.at(start_ms, lambda: self._sever(gateway, way))
            self.clock.at(stop_ms, lambda: self._rejoin(gateway, link))
            return
        self.clock.at(start_ms, lambda: self.network.cut.add(gateway.name))
        self.clock.at(stop_ms, lambda: self._join(gateway))

    def _sever(self, gateway: Gateway, way: tuple[str, str]) -> None:
        """Take a way from a node, which may or may not notice: then the link is half-open."""
        self.network.severed.add(way)
        if self.dice.random() < 0.5:
            gateway.notice()

    def _rejoin(self, gateway: Gateway, link: str) -> None:
        self.network.severed.discard((gateway.name, link))
        if self.network.has_way(gateway.name, link):
            gateway.notice()

    def _join(self, gateway: Gateway) -> None:
        self.network.cut.discard(gateway.name)
        if self.network.reaches(gateway.name):
            gateway.reconnect()

    def _stop_broker(self, start_ms: int) -> None:
        """Have the brokers down for days, while machines speak on."""
        stop_ms = start_ms + self.options.days_down * DAY_MS
        self.clock.at(start_ms, lambda: self._switch(self.network.links, False))
        for _ in range(self.options.sayings // 4):
            gateway = self.dice.choice(self.gateways)
            self.clock.at(self.dice.randrange(start_ms, stop_ms), self._speaks(gateway))
        self.clock.at(stop_ms, lambda: self._switch(self.network.links, True))

    def _switch(self, links: tuple[str, ...], is_up: bool) -> None:
        if links == self.network.links:
            self.network.is_up = is_up
        for link in links if links != self.network.links else ():
            (self.network.down.discard if is_up else self.network.down.add)(link)
        for gateway in self.gateways:
            if not self.network.reaches(gateway.name):
                continue
            if links == self.network.links:
                gateway.reconnect()
            else:
                gateway.notice()

    def _heal(self) -> None:
        """End the cuts and the full disks; loss, doubling and reordering go on."""
        self.network.severed.clear()
        self.network.down.clear()
        self.network.is_up = True
        for gateway in self.gateways:
            gateway.desk.failing, gateway.desk.is_full = 0.0, False
            gateway.desk.coming.clear()
            gateway.rise()
            self._join(gateway)

    def know(self, gateway: Gateway) -> None:
        """Look over a gateway's shoulder: at what it publishes, and after all it does."""
        self._by_name[gateway.name] = gateway
        gateway.watched = self._look
        self.witnesses.meet(gateway)

    def _look(self, gateway: Gateway) -> None:
        """See that nothing is broken after what a gateway did, and have it go on."""
        self.safety.check(gateway)
        if self.witnesses.all:
            if gateway.node not in self.safety.liars:
                self.finals.look(gateway)
            self.witnesses.stir(gateway)

    def _watch(self) -> None:
        publish = self.network.publish

        def watched(name: str, outgoing: Outgoing, over: Sequence[str] | None = None) -> None:
            if name in self._by_name:
                self.safety.published(self._by_name[name], outgoing)
            publish(name, outgoing, over)

        self.network.publish = watched  # type: ignore[method-assign]

    def differences(self, waited_ms: int) -> str:
        """Say how it stands with whoever is not agreed."""
        lines = [f"no agreement after {waited_ms / HOUR_MS} h:"]
        for gateway in self.gateways:
            held = {
                group.founding.purpose: {
                    f"{head.feed.hex()[:6]}": head.size for head in gateway.heads(group)
                }
                for group in gateway.groups
            }
            lines.append(f"  {gateway.name}: {held}, {dict(gateway.exchange.counts)}")
        lines.append(f"  forked: { {feed.hex()[:6]: at for feed, at in self.forked().items()} }")
        lines += self.unsettled()
        return "\n".join([*lines, *safety.lacking(self.honest, frozenset(self.forked()))])


def _without(heads: dict[bytes, Head], forked: dict[bytes, int]) -> list[Head]:
    return [head for feed, head in heads.items() if feed not in forked]
