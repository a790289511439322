"""One gateway's way to its peers is cut, slowed, made to lose or half-opened: the others go on.

Three real agents of three organisations in one sealed group, each in a network namespace of its
own, speak by a real broker in another, or by HTTPS to the first of them. All three hear their
machines all the time. Measured is the delay from a reading's publishing until it is in the store of
the other of the two whose ways are good, before and during each fault of the third, in turn in one
run. When the way heals, all that each said arrives at each, and every outbox lets go of it. Where
they have both, a broker and HTTPS, the broker ends and comes again, then nothing reaches the
listener: the other link carries on.
"""

import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from gateway.readings import senml
from gateway.records import record
from gateway.store import database, keyring, state
from tests import week
from tests.agents import AgentProcess, introduce
from tests.broker import Broker, Publisher
from tests.ways import FAULTS, Ways, reason, ways

NAMES = ("ann", "bob", "eve")
SUFFERS = "eve"
DURING_S, DURING_S_SHORT = 6.0, 1.5
RATIO_MAX = 3.0  # for a loaded machine; the promise is 2
_ENDS = ("broker ended", "listener shut")  # where the other link carries on
_EVERY_S = 0.2
_HEALED_S = 120.0
_PORT, _HTTPS = 18830, 18471
LISTENS = "ann"
_BROKER = '[[link]]\nname = "broker"\nurl = "mqtt://{peers}:{port}"\n'
_DIALS = '[[link]]\nname = "direct"\nurl = "https://{listener}:{https}"\n'
_HEARS = '[[link]]\nname = "direct"\nlisten = "0.0.0.0:{https}"\n'
KINDS = ("broker", "direct", "both")
_CONFIG = """
[[source]]
name = "meters"
type = "mqtt"
url = "mqtt://{plant}:{machines}"
topics = ["{name}/+"]
device = "topic[0]"

[[route]]
devices = ["*"]
metrics = ["*"]
group = "partner"
"""


@dataclass(slots=True)
class Seen:
    """Delays of one fault, before it and while it lasted, and how long healing took."""

    before_ms: list[float] = field(default_factory=list)
    during_ms: list[float] = field(default_factory=list)
    healed_s: float = 0.0

    @property
    def ratio(self) -> float:
        """Give the median's."""
        return statistics.median(self.during_ms) / statistics.median(self.before_ms)

    def told(self, fault: str) -> str:
        """Say it in one line."""
        both = (self.before_ms, self.during_ms)
        p50 = [f"{statistics.median(each):.0f}" for each in both]
        p99 = [f"{statistics.quantiles(each, n=100)[98]:.0f}" for each in both]
        return (
            f"{fault}: others' delay p50 {p50[0]} -> {p50[1]} ms (x{self.ratio:.2f}),"
            f" p99 {p99[0]} -> {p99[1]} ms, all arrived {self.healed_s:.1f} s after healing"
        )


def run(long: bool) -> str:
    """Let each fault last over each kind of link; more often where it is the long campaign."""
    if why := reason():
        return f"skipped: {why}"
    told = []
    for kind, faults in zip(KINDS, (list(FAULTS), list(FAULTS), list(_ENDS)), strict=True):
        seen = story(kind, faults * (5 if long else 1), DURING_S)
        for fault, each in seen:
            told.append(f"{kind}, {each.told(fault)}")
            assert each.ratio <= RATIO_MAX, told
    return "; ".join(told)


def story(kind: str, faults: Sequence[str], during_s: float) -> list[tuple[str, Seen]]:
    """Make a way bad, or end a link, one fault after another; watch who should not notice."""
    with tempfile.TemporaryDirectory() as name, Plant(Path(name), kind).running() as plant:
        plant.speak(during_s)
        seen = []
        for fault in faults:
            found = Seen(before_ms=plant.speak(during_s))
            plant.hurt(fault)
            found.during_ms = plant.speak(during_s)
            plant.heal(fault)
            found.healed_s = plant.settle()
            seen.append((fault, found))
    return seen


class Plant:
    """The agents, their broker and their machines."""

    def __init__(self, folder: Path, kind: str) -> None:
        self._folder, self._kind = folder, kind
        self.ways: Ways
        self.agents: dict[str, AgentProcess] = {}
        self._brokers: dict[str, Broker] = {}
        self._machines: dict[str, Publisher] = {}
        self._ears: list[Ear] = []
        self._number = 0

    @contextmanager
    def running(self) -> Iterator["Plant"]:
        """Start all of it in namespaces; end whatever was started."""
        with ways(NAMES) as self.ways, ExitStack() as ending:
            with self.ways.within():
                for name, port in (("machines", _PORT - 1), ("peers", _PORT)):
                    (self._folder / name).mkdir()
                    broker = Broker(self._folder / name, f"listener {port} 0.0.0.0")
                    self._brokers[name] = broker
                    ending.callback(broker.stop)
                port = self._brokers["machines"].port
                self._machines = {name: Publisher(port, f"{name}/n") for name in NAMES}
            for name in NAMES:
                self.agents[name] = self._agent(name)
            introduce(*self.agents.values())
            for name, agent in self.agents.items():
                ending.callback(_end, agent)
                with self.ways.within(name):
                    agent.start()
            for agent in self.agents.values():
                agent.listen()
            good = [name for name in NAMES if name != SUFFERS]
            self._ears = [
                Ear(self.agents[name], [each for each in good if each != name]) for name in good
            ]
            self.settle()
            yield self
            for machine in self._machines.values():
                machine.finish()

    def _agent(self, name: str) -> AgentProcess:
        (self._folder / name).mkdir()
        direct = _HEARS if name == LISTENS else _DIALS
        links = {"broker": _BROKER, "direct": direct, "both": _BROKER + direct}[self._kind]
        config = (links + _CONFIG).format(
            name=name,
            peers=self.ways.outward(name),
            port=_PORT,
            listener=self.ways.own(LISTENS),
            https=_HTTPS,
            plant=self.ways.plant(name),
            machines=_PORT - 1,
        )
        return AgentProcess(self._folder / name, name, config)

    def hurt(self, fault: str) -> None:
        """Begin a fault."""
        match fault:
            case "broker ended":
                self._brokers["peers"].stop()
            case "listener shut":
                self.ways.shut(LISTENS, _HTTPS)
            case _:
                self.ways.hurt(SUFFERS, fault)

    def heal(self, fault: str) -> None:
        """End it."""
        match fault:
            case "broker ended":
                with self.ways.within():
                    self._brokers["peers"].start()
            case "listener shut":
                self.ways.heal(LISTENS)
            case _:
                self.ways.heal(SUFFERS)

    def speak(self, seconds: float) -> list[float]:
        """Have all machines speak for so long; give the delays of the good ones' readings, ms."""
        until_s, delays_ms = time.perf_counter() + seconds, list[float]()
        due_s = 0.0
        said_at: dict[int, float] = {}
        while (now_s := time.perf_counter()) < until_s or self._waits(said_at):
            assert now_s < until_s + _HEALED_S, [each.log() for each in self.agents.values()]
            if due_s <= now_s < until_s:
                due_s = now_s + _EVERY_S
                for machine in self._machines.values():
                    machine.publish(f'{{"n": {self._number}}}')
                said_at[self._number] = now_s
                self._number += 1
            for ear in self._ears:
                delays_ms += ear.hear(said_at)
            time.sleep(0.002)
        return delays_ms

    def _waits(self, said_at: dict[int, float]) -> bool:
        return any(each.last < max(said_at) for each in self._ears)

    def settle(self) -> float:
        """Wait until all stores hold the same and all outboxes let go of it; give the seconds."""
        started_s = time.perf_counter()
        while not self._is_settled():
            assert time.perf_counter() < started_s + _HEALED_S, self._told()
            time.sleep(0.1)
        return time.perf_counter() - started_s

    def _is_settled(self) -> bool:
        held = [week.records(agent) for agent in self.agents.values()]
        if held[0] != held[1] or held[0] != held[2] or not held[0]:
            return False
        peers = [agent.stands().get("peers", []) for agent in self.agents.values()]
        return all(len(each) == 2 and not any(one["lacking"] for one in each) for each in peers)

    def _told(self) -> str:
        return "\n".join(
            f"{each.stands().get('peers')}\n{each.log()}" for each in self.agents.values()
        )


class Ear:
    """A gateway's store, as a second process sees what others say arrive in it."""

    def __init__(self, agent: AgentProcess, devices: Sequence[str]) -> None:
        self._read = database.connect_to_read(str(agent.state_dir / state.STORE_FILE))
        (self._device,) = devices
        self._version, self._place = object(), -1
        self.last = -1

    def hear(self, said_at: dict[int, float]) -> list[float]:
        """Give how long what has come since the last time was on its way, ms."""
        version = self._read.pragma("data_version")
        if version == self._version:
            return []
        self._version = version
        rows: list[tuple[int, bytes, bytes]] = self._read.execute(
            "SELECT r.place, r.encoded, r.body FROM observations o JOIN records r"
            " ON r.place = o.place WHERE o.device = ? AND o.place > ? ORDER BY o.place",
            (self._device, self._place),
        ).fetchall()  # type: ignore[assignment] # The schema is STRICT.
        now_s, delays_ms = time.perf_counter(), []
        for place, encoded, body in rows:
            self._place = place
            content = keyring.content(self._read, record.parse(encoded), body)
            for reading in senml.decode(content or b""):
                self.last = int(reading.value)
                delays_ms.append((now_s - said_at[self.last]) * 1000)
        return delays_ms


def _end(agent: AgentProcess) -> None:
    agent.end()
