"""Worlds in which a gateway's store is copied: started beside the original, or in its place.

In: a seed. Out: figures; or an AssertionError that names the seed. Beside everything that holds in
every world: no two records share a feed and a number; a clone raises an alarm at every other
member, and nobody else's node does; a restored copy raises none, and gets back what a peer held.
"""

import random
from dataclasses import asdict, dataclass, replace

import apsw

from gateway.store import alarms
from tests.sim.consortium import Consortium
from tests.sim.device import Device
from tests.sim.disk import copy_of
from tests.sim.gateway import Gateway
from tests.sim.options import Options, plain_options
from tests.sim.safety import sizes

_ROUND_MS = 1_000
_SAYINGS = 4


@dataclass(frozen=True, slots=True)
class Cloned:
    """What a clone came to: alarms, and how long after the ways were mended the last was there."""

    alarms: int
    alarm_ms: int


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restored copy came to: own records that it got back, and those that nobody held."""

    returned: int
    lost: int


class Copy(Gateway):
    """A second computer with a copy of a gateway's store, on the network beside it."""

    first_run = 1_000

    def __init__(self, of: Gateway, world: Consortium) -> None:
        self._of, self.who = of, of.who
        world.know(self)
        super().__init__(of.who, of.groups, world.clock, world.network, world.options.seed + 1)

    @property
    def name(self) -> str:
        """Say how the network knows it: a client id of its own."""
        return f"{self.who.name} again"

    def opened(self) -> apsw.Connection:
        """Give the store to begin with: a copy."""
        return copy_of(self._of.db)


class Copied(Consortium):
    """A consortium in which the store of one gateway is copied at some moment."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.fate = random.Random(options.seed ^ 0xC0B1)
        self.victim = self.fate.choice(self.gateways)
        self.others = [
            each
            for each in self.gateways
            if each is not self.victim and any(one in each.groups for one in self.victim.groups)
        ]
        self._copies: list[Copy] = []
        self._backups: list[apsw.Connection] = []
        self._promised: dict[bytes, int] = {}
        self._figures = Restored(0, 0)

    def clone(self) -> Cloned:
        """Start a copy beside the original; when all know, stop it, and see the rest agree."""
        self.clock.at(self.fate.randrange(self.span_ms), self._start)
        self._live_on()
        alarm_ms = self.settle(self._all_alarmed, _ROUND_MS)
        raised = [each for gateway in self.gateways for each in alarms.load(gateway.db)]
        assert {each.alarm.node for each in raised} == {self.victim.node}, "of another node"
        self.network.cut.add(self._copies[0].name)
        self.victim.start()
        self.settle(self.agreed, 5_000)
        return Cloned(len(raised), alarm_ms)

    def restore(self) -> Restored:
        """Put an old copy in the original's place; see all agree, and nothing lost or raised."""
        copied_ms = self.fate.randrange(self.span_ms // 2)
        restored_ms = self.fate.randrange(copied_ms + 1, self.span_ms)
        self.clock.at(copied_ms, lambda: self._backups.append(copy_of(self.victim.db)))
        self.clock.at(restored_ms, self._restore)
        self._live_on()
        self.settle(self.agreed, 5_000)
        assert not any(alarms.load(each.db) for each in self.gateways), "a restart is no clone"
        held = sizes([self.victim], self.victim.groups)
        for feed, size in self._promised.items():
            assert held.get(feed, 0) >= size, "what a peer held did not come back"
        return self._figures

    def _live_on(self) -> None:
        self.befall(self.span_ms)
        self.clock.run(self.span_ms)
        self._heal()

    def _all_alarmed(self) -> bool:
        return all(alarms.load(each.db) for each in self.others)

    def _start(self) -> None:
        """Start a copy; both go on, and have something to say."""
        copy = Copy(self.victim, self)
        self._copies.append(copy)
        for each in (copy, self.victim):
            for _ in range(_SAYINGS):
                device = Device(f"press {each.name}", self.fate)
                self.clock.after(self.fate.uniform(1, 60_000), self._saying(each, device))

    def _restore(self) -> None:
        """End the run that there is, and begin another over the copy."""
        groups = self.victim.groups
        had, kept = sizes([self.victim], groups), sizes(self.others, groups)
        own = self._own_feeds()
        self.victim.hold(self._backups[0])
        self.safety.replaced(self.victim)
        self.victim.start()
        copied = sizes([self.victim], groups)
        self._promised = kept
        returned = sum(max(0, kept.get(feed, 0) - copied.get(feed, 0)) for feed in own)
        lost = sum(max(0, had[feed] - kept.get(feed, 0)) for feed in own)
        self._figures = Restored(returned, lost)

    def _own_feeds(self) -> list[bytes]:
        rows = self.victim.db.execute("SELECT id FROM feeds WHERE node = ?", (self.victim.node,))
        return [bytes(feed) for (feed,) in rows]


def options_with_copy(seed: int) -> Options:
    """Draw a world; its broker is never down for days."""
    return replace(plain_options(seed), days_down=0)


def cloned(seed: int) -> Cloned:
    """Live through a world with a cloned gateway; an AssertionError says which."""
    options = options_with_copy(seed)
    try:
        return Copied(options).clone()
    except AssertionError as fault:
        raise AssertionError(f"{fault}\ncloned world {seed}: {asdict(options)}") from fault


def restored(seed: int) -> Restored:
    """Live through a world with a restored gateway; an AssertionError says which."""
    options = options_with_copy(seed)
    try:
        return Copied(options).restore()
    except AssertionError as fault:
        raise AssertionError(f"{fault}\nrestored world {seed}: {asdict(options)}") from fault
