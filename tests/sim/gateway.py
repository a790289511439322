"""A gateway without sockets: the production exchange over a real store in memory."""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import apsw

from gateway.groups.group import Group
from gateway.peers.circle import Me
from gateway.peers.exchange import Exchange, Storage
from gateway.peers.wire import Arrived, Outgoing
from gateway.readings import senml
from gateway.readings.reading import Provenance, Reading
from gateway.records.feed import Head
from gateway.records.record import ClockSource, Kind, Moment, Said
from gateway.store import acting, authoring, feeds, groups, observations
from gateway.store.authoring import Author, Venue
from gateway.sync.reach import Way
from tests import people
from tests.sim import disk
from tests.sim.clock import Clock
from tests.sim.device import T0_MS
from tests.sim.disk import Desk, PowerCut
from tests.sim.journal import Submitting
from tests.sim.network import Network

SERVED_BYTES = 256 * 1024
RECEIPT_MS = 15_000
_OFF_MS_MAX = 60_000


class Gateway:
    """One node of one organisation; started again it is the next run over the same store."""

    first_run = 0
    is_down = False
    receipts = False  # whether it says what it holds, as the agent's upkeep does
    _receipts_soon = False
    step_ms: int | None = 0  # how wrong its time of day is; None: nobody has set it
    # Where there are witnesses: what this run shows them.
    submitting: Callable[["Gateway"], Submitting] | None = None
    _submitting: Submitting | None = None
    # Called after all that it hears, says or does by itself.
    watched: Callable[["Gateway"], None] = staticmethod(lambda _: None)

    def __init__(
        self,
        who: people.Party,
        groups_joined: Sequence[Group],
        clock: Clock,
        network: Network,
        seed: int,
    ) -> None:
        self.who, self.groups, self._clock, self._network = who, groups_joined, clock, network
        self.dice = random.Random(f"{seed} {who.name}")
        self.hold(self.opened())
        for group in groups_joined:
            groups.register(self.db, group.founding.purpose, group)
        self.runs = self.first_run
        self.start()

    @property
    def name(self) -> str:
        """Say its organisation's name."""
        return self.who.name

    @property
    def node(self) -> bytes:
        """Name the node."""
        return self.who.node.id

    def opened(self) -> apsw.Connection:
        """Give the store to begin with: an empty one."""
        return disk.empty()

    def hold(self, db: apsw.Connection) -> None:
        """Have another store; what ran over the one before must be started again."""
        self.db, self.desk = db, Desk(db, self.dice, 0.0)

    def die(self) -> None:
        """Lose all that is in memory, and be started again after a while."""
        self.is_down = True
        self._clock.after(self.dice.uniform(100, _OFF_MS_MAX), self.rise)

    def rise(self) -> None:
        """Start again if it is down."""
        if self.is_down:
            self.start()

    def receipt(self) -> None:
        """Say together what is held of the others, as the agent's upkeep does."""
        self._receipts_soon = False
        for group in () if self.is_down else self.groups:
            with self._powered():
                done = self.desk.submit(partial(self._owed, venue=self.venue(group)))
                if done.exception() is not None:
                    self._receipt_soon()
                elif done.result():
                    self._speak(self.exchange.written(group.id, self._clock.now_ms))

    def _owed(self, db: apsw.Connection, venue: Venue) -> bool:
        """Write the evidence that the group lacks, and receipts where the world has them."""
        has_shown = acting.testify(db, self.author, venue)
        return (self.receipts and acting.receipt(db, self.author, venue)) or has_shown

    def _receipt_soon(self) -> None:
        if not self._receipts_soon:
            self._receipts_soon = True
            self._clock.after(RECEIPT_MS, self.receipt)

    def start(self) -> None:
        """Begin a run; what the one before had in memory is gone."""
        self.run = people.run_of(self.who, self.runs)
        self.runs, self.is_down = self.runs + 1, False
        self._wakes_ms, self._submitting = -1, None
        self.author = Author(self.run, self._moment, self.dice.randbytes)
        self.exchange = Exchange(
            Me(self.run, (self.who.encryption,)),
            self.groups,
            Storage(self.desk, self.db),
            self.dice.randbytes,
        )
        self._network.listen(self.name, self.exchange.subscriptions, self.hear)
        self.notice()

    def say(self, group: Group, readings: Sequence[Reading]) -> bool:
        """Sign and keep readings, and tell the others, as the agent does; say whether it is done.

        Only then are they acknowledged to the machine; else it says them again.
        """
        if self.is_down:
            return False
        venue = self.venue(group)

        def job(db: apsw.Connection) -> None:
            for pack in senml.encode(readings, Provenance.GATEWAY_ATTESTED):
                said = Said(Kind.OBSERVATION, pack.encoded, senml.CONTENT_TYPE)
                place = authoring.say(db, self.author, venue, said)
                observations.keep(db, place, pack.spans)

        is_done = False
        with self._powered() as power:
            is_done = self.desk.submit(job).exception() is None
            if is_done:
                self._speak(self.exchange.written(group.id, self._clock.now_ms))
        return is_done or power.is_kept

    def venue(self, group: Group) -> Venue:
        """Say where this run writes in a group."""
        founding = group.encoded if group.founder.run.key == self.run.key.public else None
        return Venue(group.id, group.roster.hash, founding)

    def hear(self, arrived: Arrived) -> None:
        """Take in one message."""
        if not self.is_down:
            with self._powered():
                self._speak(self.exchange.receive([arrived], self._clock.now_ms))
            self._receipt_soon()

    def notice(self) -> None:
        """See which links are up: until then those that were are taken to be so."""
        links = [each for each in self._network.links if self._network.has_way(self.name, each)]
        if not self.is_down:
            self._speak(self.exchange.over([Way(each) for each in links], self._clock.now_ms))
            self.wake()

    def reconnect(self) -> None:
        """All links are down, as each of them saw, and those with a way are up again."""
        if not self.is_down:
            self.exchange.over((), self._clock.now_ms)
            self.notice()

    def wake(self) -> None:
        """Do what time asks for, and see when it is next wanted; a node without a link sleeps."""
        if self._network.reaches(self.name) and not self.is_down:
            with self._powered():
                self._speak(self.exchange.tick(self._clock.now_ms))

    def show_journal(self) -> bool:
        """Have the journal grow, and witnesses see it; say whether each of them cosigned it all."""
        is_done = False
        if self.submitting is not None and self._network.reaches(self.name) and not self.is_down:
            with self._powered():
                mine = self._submitting = self._submitting or self.submitting(self)
                is_done = mine.grow() and mine.show()
        return is_done

    def heads(self, group: Group) -> list[Head]:
        """Give what is held of a group."""
        return feeds.heads(self.db, group.id)

    def lacking(self) -> int:
        """Count what this node's peers have not signed for."""
        return sum(each.lacking for each in self.exchange.status(self._clock.now_ms))

    @contextmanager
    def _powered(self) -> Iterator["_Power"]:
        """Do something that a cut of the power ends; then have it looked at."""
        power = _Power()
        try:
            yield power
        except PowerCut as cut:
            power.is_kept = cut.is_kept
            self.die()
        self.watched(self)

    def _speak(self, said: list[Outgoing]) -> None:
        while self.exchange.owes():
            said = said + self.exchange.serve(SERVED_BYTES)
        for outgoing in said:
            self._publish(outgoing)
        due_ms = max(self.exchange.due_ms(), self._clock.now_ms + 1)
        if self._wakes_ms <= self._clock.now_ms or due_ms < self._wakes_ms:
            self._wakes_ms = due_ms
            self._clock.at(due_ms, lambda: self._woken(due_ms))

    def _woken(self, due_ms: int) -> None:
        if due_ms == self._wakes_ms:
            self._wakes_ms = -1
            self.wake()

    def _publish(self, outgoing: Outgoing) -> None:
        over = self.exchange.ways(outgoing, self._clock.now_ms)
        self._network.publish(self.name, outgoing, over)

    def _moment(self) -> Moment:
        now_ms = self._clock.now_ms
        if self.step_ms is None:
            return Moment(0, 0, ClockSource.UNSET, people.BOOT, now_ms)
        return Moment(T0_MS + now_ms + self.step_ms, 5, ClockSource.NTP, people.BOOT, now_ms)


class _Power:
    """What became of something: whether its commit was durable when the power was cut."""

    is_kept = False
