"""Two gateways of one group, a week that one of them missed, and what is said while it catches up.

In: a folder, how many records the week has. Out: real agents at a real broker; when everything was
in the other's store, when each live reading was, and how much memory both held. The week is written
by the store's own authoring, by a run of its own, into the state directory of a gateway at rest: a
record of one reading for each second.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import _machine
from gateway.clock import random_bytes
from gateway.demo import found_together
from gateway.readings import senml
from gateway.readings.reading import Provenance, Reading
from gateway.records import record, run as runs
from gateway.records.feed import feed_id
from gateway.records.record import ClockSource, Kind, Moment, Said
from gateway.records.run import Run
from gateway.store import authoring, database, feeds, groups, keyring, observations, state
from gateway.store.authoring import Author, Venue
from tests.agents import AgentProcess
from tests.broker import Broker, Publisher
from tests.people import BOOT

START_MS = 1_795_262_400_000
GROUP = "partner"
_COMMIT = 2000  # of the records of the week, which is written quickly
_SAMPLE_S = 0.5
_LINK = """
[[link]]
name = "consortium"
url = "{url}"
"""
_SOURCE = """
[[source]]
name = "meters"
type = "mqtt"
url = "{url}"
topics = ["live/+"]
device = "topic[0]"

[[route]]
devices = ["*"]
metrics = ["*"]
group = "partner"
"""


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """What was seen while a gateway caught up."""

    records: int
    seconds: float
    live_ms: list[float]  # from publish until it was in the other's store
    while_behind: int  # of these, how many came before the last of the week did
    resident_mib: list[list[float]]  # of both, while it did

    @property
    def rate(self) -> float:
        """Give the records a second, from its start until it had all."""
        return self.records / self.seconds


@contextmanager
def pair(folder: Path, clear: bool) -> Iterator[tuple[Broker, AgentProcess, AgentProcess]]:
    """Make two gateways that share a group, and do not run yet; end whatever was started."""
    broker = Broker(folder)
    agents = []
    for name, sources in (("sayer", _LINK + _SOURCE), ("hearer", _LINK)):
        (folder / name).mkdir()
        agents.append(AgentProcess(folder / name, name, sources.format(url=broker.url)))
    states = [state.load(each.state_dir) for each in agents]
    roots = [state.root_key(each.state_dir, "pass") for each in agents]
    shared = found_together(states, roots, "pressing", clear=clear)
    for each in agents:
        state.keep_group(each.state_dir, GROUP, shared)
    try:
        yield broker, agents[0], agents[1]
    finally:
        for each in agents:
            each.end()
        broker.stop()


def write(agent: AgentProcess, count: int) -> bytes:
    """Write a record a second into the store of a gateway at rest; give the feed's id."""
    held = state.load(agent.state_dir)
    run = runs.start(held.node_key, held.node, held.encryption, random_bytes(32))
    return write_by(run, agent.state_dir, count)


def write_by(run: Run, state_dir: Path, count: int) -> bytes:
    """Write a record a second by a run, as one commit after another; give the feed's id."""
    held = state.load(state_dir)
    within = held.groups[GROUP]
    passed_s = 0

    def now() -> Moment:
        later_ms = 1000 * passed_s
        return Moment(START_MS + later_ms, 5, ClockSource.NTP, BOOT, 60_000 + later_ms)

    author, venue = Author(run, now, random_bytes), Venue(within.id, within.roster.hash)
    db = database.connect(str(state_dir / state.STORE_FILE))
    with db:
        for known in sorted(held.rosters.values(), key=lambda each: each.number):
            groups.keep_roster(db, known)
        groups.register(db, GROUP, within)
    while passed_s < count:
        with db:
            for _ in range(min(_COMMIT, count - passed_s)):
                passed_s += 1
                celsius = passed_s % 97 / 4
                reading = Reading("press-1", "temperature", celsius, "Cel", now().unix_ms)
                (pack,) = senml.encode([reading], Provenance.GATEWAY_ATTESTED)
                said = Said(Kind.OBSERVATION, pack.encoded, senml.CONTENT_TYPE)
                place = authoring.say(db, author, venue, said)
                observations.keep(db, place, pack.spans)
    db.close()
    return feed_id(run.key.public, within.id)


def go_on(agent: AgentProcess, count: int, seconds_max: float) -> bytes:
    """Start a gateway whose run has a week behind it, and go on with it; give the feed's id."""
    agent.command = (sys.executable, "-m", "tests.longrun", str(count))
    agent.start(seconds_max)
    with closing(database.connect_to_read(str(agent.state_dir / state.STORE_FILE))) as db:
        longest = db.execute(
            "SELECT f.id FROM feeds f JOIN heads h ON h.feed = f.number"
            " ORDER BY h.size DESC LIMIT 1"
        ).get
    return bytes(longest)


class Watch:
    """The other's store as a second process sees it, and a machine that speaks in between."""

    def __init__(self, broker: Broker, hearer: AgentProcess, every_s: float) -> None:
        self._every_s = every_s
        self._machine = Publisher(broker.port, "live/n")
        self._read = database.connect_to_read(str(hearer.state_dir / state.STORE_FILE))
        self._said_at: dict[int, float] = {}
        self._number, self._next_s, self._version = 0, 0.0, object()
        self._places: set[int] = set()
        self.live_ms: list[float] = []

    def look(self, speaking: bool) -> None:
        """Speak if it is time; see what has come."""
        now_s = time.perf_counter()
        if speaking and now_s >= self._next_s:
            self._next_s = now_s + self._every_s
            self._said_at[self._number] = now_s
            self._machine.publish(f'{{"n": {self._number}}}')
            self._number += 1
        version = self._read.pragma("data_version")
        if version != self._version:
            self._version = version
            self._take()

    def size(self, feed: bytes) -> int:
        """Say how far a feed is held."""
        head = feeds.head(self._read, feed)
        return 0 if head is None else head.size

    def waits(self) -> bool:
        """Say whether something was said that has not come."""
        return bool(self._said_at)

    def close(self) -> None:
        """Leave."""
        self._machine.finish()
        self._read.close()

    def _take(self) -> None:
        rows: list[tuple[int, bytes, bytes]] = self._read.execute(
            "SELECT r.place, r.encoded, r.body FROM observations o JOIN records r"
            " ON r.place = o.place WHERE o.device = 'live' ORDER BY o.place"
        ).fetchall()  # type: ignore[assignment] # The schema is STRICT.
        now_s = time.perf_counter()
        for place, encoded, body in rows:
            if place in self._places:
                continue
            self._places.add(place)  # In any order: what is beyond a gap comes before it.
            content = keyring.content(self._read, record.parse(encoded), body)
            for reading in senml.decode(content or b""):
                said_s = self._said_at.pop(int(reading.value))
                self.live_ms.append((now_s - said_s) * 1000)


def catch_up(
    broker: Broker,
    agents: tuple[AgentProcess, AgentProcess],
    missed: bytes,
    every_s: float,
    seconds_max: float,
) -> CaughtUp:
    """Let the one that missed a feed come back; watch until it has all that there is."""
    sayer, hearer = agents
    if sayer.process is None:
        sayer.start()
    sayer.listen()
    count = _size(sayer, missed)
    hearer.start()
    started_s = time.perf_counter()
    watch, memory = Watch(broker, hearer, every_s), Memory(*agents)
    done_s, while_behind = 0.0, 0
    while not done_s or watch.waits() or time.perf_counter() < done_s + 1:
        watch.look(speaking=not done_s)
        memory.look()
        now_s = time.perf_counter()
        assert now_s < started_s + seconds_max, f"{sayer.log()}\n{hearer.log()}"
        if not done_s and watch.size(missed) >= count:
            done_s, while_behind = now_s, len(watch.live_ms)
        time.sleep(0.005)
    watch.close()
    return CaughtUp(count, done_s - started_s, watch.live_ms, while_behind, memory.resident_mib)


class Memory:
    """How much memory processes held, twice a second."""

    def __init__(self, *agents: AgentProcess) -> None:
        self._agents, self._due_s = agents, 0.0
        self.resident_mib: list[list[float]] = [[] for _ in agents]

    def look(self) -> None:
        """Take a sample if it is time."""
        now_s = time.perf_counter()
        if now_s < self._due_s:
            return
        self._due_s = now_s + _SAMPLE_S
        for agent, samples in zip(self._agents, self.resident_mib, strict=True):
            assert agent.process is not None
            samples.append(_machine.resident_mib(agent.process.pid))


def records(agent: AgentProcess) -> dict[bytes, list[bytes]]:
    """Give the ids of all that a store holds of the group, in order, by feed."""
    found: dict[bytes, list[bytes]] = {}
    with closing(database.connect_to_read(str(agent.state_dir / state.STORE_FILE))) as db:
        rows = db.execute(
            "SELECT f.id, r.id FROM groups g JOIN feeds f ON f.in_group = g.number"
            " JOIN records r ON r.place >> 32 = f.number WHERE g.name = ? ORDER BY r.place",
            (GROUP,),
        )
        for feed, name in rows:
            found.setdefault(bytes(feed), []).append(bytes(name))
    return found


def _size(agent: AgentProcess, feed: bytes) -> int:
    with closing(database.connect_to_read(str(agent.state_dir / state.STORE_FILE))) as db:
        head = feeds.head(db, feed)
    assert head is not None
    return head.size
