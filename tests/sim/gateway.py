"""A gateway without sockets: the production exchange over a real store in memory."""

import random
from collections.abc import Sequence
from concurrent.futures import Future
from typing import TypeVar

import apsw

from gateway.errors import StoreFull
from gateway.groups.group import Group
from gateway.peers.circle import Me
from gateway.peers.exchange import Exchange, Storage
from gateway.peers.wire import Arrived, Outgoing
from gateway.readings import senml
from gateway.readings.reading import Provenance, Reading
from gateway.records.feed import Head
from gateway.records.record import ClockSource, Kind, Moment, Said
from gateway.store import authoring, database, feeds, groups, observations
from gateway.store.authoring import Author, Venue
from gateway.store.writer import Job
from tests import people
from tests.sim.clock import Clock
from tests.sim.device import T0_MS
from tests.sim.network import Network

T = TypeVar("T")
SERVED_BYTES = 256 * 1024


class Desk:
    """The writer, on the spot: a job is one commit; now and then the disk is full."""

    def __init__(self, connection: apsw.Connection, dice: random.Random, failing: float) -> None:
        self._connection, self._dice, self.failing = connection, dice, failing

    def submit(self, job: Job[T]) -> "Future[T]":
        """Do a job in one commit."""
        future: Future[T] = Future()
        try:
            with self._connection:
                result = job(self._connection)
                if self._dice.random() < self.failing:
                    raise StoreFull(path=database.MEMORY)
        except StoreFull as fault:
            future.set_exception(fault)
        else:
            future.set_result(result)
        return future


class Gateway:
    """One node of one organisation; started again it is the next run over the same store."""

    first_run = 0

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
        return database.connect(database.MEMORY)

    def hold(self, db: apsw.Connection) -> None:
        """Have another store; what ran over the one before must be started again."""
        self.db, self.desk = db, Desk(db, self.dice, 0.0)

    def start(self) -> None:
        """Begin a run; what the one before had in memory is gone."""
        self.run = people.run_of(self.who, self.runs)
        self.runs += 1
        self._wakes_ms = -1
        self.author = Author(self.run, self._moment, self.dice.randbytes)
        self.exchange = Exchange(
            Me(self.run, (self.who.encryption,)),
            self.groups,
            Storage(self.desk, self.db),
            self.dice.randbytes,
        )
        self._network.listen(self.name, self.exchange.subscriptions, self.hear)
        self.wake()

    def say(self, group: Group, readings: Sequence[Reading]) -> None:
        """Sign and keep readings, and tell the others, as the agent does."""
        venue = self.venue(group)
        with self.db:
            for pack in senml.encode(readings, Provenance.GATEWAY_ATTESTED):
                said = Said(Kind.OBSERVATION, pack.encoded, senml.CONTENT_TYPE)
                place = authoring.say(self.db, self.author, venue, said)
                observations.keep(self.db, place, pack.spans)
        self._speak(self.exchange.written(group.id, self._clock.now_ms))

    def venue(self, group: Group) -> Venue:
        """Say where this run writes in a group."""
        founding = group.encoded if group.founder.run.key == self.run.key.public else None
        return Venue(group.id, group.roster.hash, founding)

    def hear(self, arrived: Arrived) -> None:
        """Take in one message."""
        self._speak(self.exchange.receive([arrived], self._clock.now_ms))

    def reconnect(self) -> None:
        """The way to the broker is there again."""
        self.exchange.reconnected(self._clock.now_ms)
        self.wake()

    def wake(self) -> None:
        """Do what time asks for, and see when it is next wanted; a node without a link sleeps."""
        if self._network.reaches(self.name):
            self._speak(self.exchange.tick(self._clock.now_ms))

    def heads(self, group: Group) -> list[Head]:
        """Give what is held of a group."""
        return feeds.heads(self.db, group.id)

    def lacking(self) -> int:
        """Count what this node's peers have not signed for."""
        return sum(each.lacking for each in self.exchange.status(self._clock.now_ms))

    def _speak(self, said: list[Outgoing]) -> None:
        while self.exchange.owes():
            said = said + self.exchange.serve(SERVED_BYTES)
        for outgoing in said:
            self._network.publish(self.name, outgoing)
        due_ms = max(self.exchange.due_ms(), self._clock.now_ms + 1)
        if self._wakes_ms <= self._clock.now_ms or due_ms < self._wakes_ms:
            self._wakes_ms = due_ms
            self._clock.at(due_ms, lambda: self._woken(due_ms))

    def _woken(self, due_ms: int) -> None:
        if due_ms == self._wakes_ms:
            self._wakes_ms = -1
            self.wake()

    def _moment(self) -> Moment:
        now_ms = self._clock.now_ms
        return Moment(T0_MS + now_ms, 5, ClockSource.NTP, people.BOOT, now_ms)
