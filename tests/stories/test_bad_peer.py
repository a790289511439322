"""A bad peer: a member with valid keys of its own does whatever it likes, over a real broker.

Two honest organisations' real agents go on syncing while a third, a scripted process, says every
lie of `tests/lies.py`, says again what it recorded, and floods one of them with junk, greetings,
signed messages, questions without end and pieces that nobody asked for.
"""

import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import cast

import pytest

from gateway.groups.group import Group
from gateway.peers import wire
from gateway.readings import senml
from gateway.records.record import SALT_BYTES, Kind
from gateway.store import database, state
from gateway.sync import envelope, message
from gateway.sync.message import Body, Recs, Want
from tests.agents import SHARING, AgentProcess
from tests.bad_peer import Door, Member, Peer, Scene, Speaker, Wire, cost, keys_of, refused
from tests.broker import Broker, Publisher
from tests.liar import ALL, APART, BUYER, LIAR, MAKER, PAIR, World, enveloped
from tests.lies import LIES, makers_head, two_histories, written
from tests.linked import free_port
from tests.paired import hulian, until
from tests.people import Party, run_of, seed
from tests.sim.network import Network
from tests.test_bad_peer import nowhere
from tests.vectors.build_message import HIGHEST

# As a story of its own it is told at length.
FLOOD_S, QUIET_S = (4.0, 4.0) if "STORY_FIGURES" in os.environ else (0.75, 1.0)
PACE_S = 0.2
MEMORY_MIB_MAX = 16
DELAY_S_MAX = 60.0

_DOOR = """
[[link]]
name = "door"
listen = "127.0.0.1:{port}"
"""


@dataclass
class Probe:
    """A machine of one gateway that says a number now and then, seen at the other gateway."""

    said_by: Publisher
    seen_at: AgentProcess
    said_s: dict[int, float] = field(default_factory=dict)
    seen_s: dict[int, float] = field(default_factory=dict)
    _looked: int = 0

    def say(self) -> None:
        """Say the next number."""
        number = len(self.said_s)
        self.said_s[number] = time.monotonic()
        self.said_by.publish(f'{{"n": {number}}}')

    def look(self, author: bytes) -> None:
        """See which numbers have come, by what is stored."""
        path = str(self.seen_at.state_dir / "store.db")
        with closing(database.connect_to_read(path)) as db:
            rows: list[tuple[int, bytes]] = [
                (int(seq), bytes(body))
                for seq, body in db.execute(
                    "SELECT r.place & 4294967295, r.body FROM records r"
                    " JOIN feeds f ON f.number = r.place >> 32 WHERE f.node = ?1 AND r.kind = ?2"
                    " AND r.place & 4294967295 >= ?3 ORDER BY r.place",
                    (author, int(Kind.OBSERVATION), self._looked),
                )
            ]
        for seq, body in rows:
            self._looked = seq + 1
            for reading in senml.decode(body[SALT_BYTES:]):
                self.seen_s.setdefault(int(reading.value), time.monotonic())

    def delays(self, since: int) -> list[float]:
        """Give how long each number took that was said since one."""
        return [self.seen_s[each] - self.said_s[each] for each in range(since, len(self.said_s))]


class Probes:
    """Both ways between the honest, in a thread of its own."""

    def __init__(self, ace: AgentProcess, bolt: AgentProcess, plant: Broker) -> None:
        self._pairs = (
            (Probe(Publisher(plant.port, "maker/press"), bolt), MAKER.node.id),
            (Probe(Publisher(plant.port, "buyer/press"), ace), BUYER.node.id),
        )
        self._ended, self._paused = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._turn)
        self._thread.start()

    def _turn(self) -> None:
        due_s = 0.0
        while not self._ended.wait(0.05):
            now_s = time.monotonic()
            if now_s >= due_s and not self._paused.is_set():
                due_s = now_s + PACE_S
                for probe, _ in self._pairs:
                    probe.say()
            for probe, author in self._pairs:
                probe.look(author)

    def during(self, what: Callable[[], None]) -> list[float]:
        """Do something; give the delays of all that was said meanwhile, once it has come."""
        since = [len(probe.said_s) for probe, _ in self._pairs]
        what()
        self._paused.set()
        end_s = time.monotonic() + DELAY_S_MAX
        while any(len(probe.seen_s) < len(probe.said_s) for probe, _ in self._pairs):
            assert time.monotonic() < end_s, "what the honest say does not come"
            time.sleep(0.05)
        self._paused.clear()
        pairs = zip(self._pairs, since, strict=True)
        return [each for (probe, _), start in pairs for each in probe.delays(start)]

    def close(self) -> None:
        """Stop, once."""
        if self._ended.is_set():
            return
        self._ended.set()
        self._thread.join(10)
        for probe, _ in self._pairs:
            probe.said_by.finish()


@contextmanager
def _members(
    folder: Path, port: int
) -> Iterator[tuple[AgentProcess, AgentProcess, Broker, Broker]]:
    """Give the maker and the buyer as real agents, and the brokers between them and below them."""
    with ExitStack() as ending:
        brokers = []
        for name in ("between", "plant"):
            (folder / name).mkdir()
            brokers.append(Broker(folder / name))
            ending.callback(brokers[-1].stop)
        between, plant = brokers
        agents = []
        for who, groups, more in (
            (MAKER, {"all": ALL, "apart": APART, "pair": PAIR}, _DOOR.format(port=port)),
            (BUYER, {"all": ALL, "apart": APART}, ""),
        ):
            config = SHARING.format(
                name=who.name, between=between.url, plant=plant.url, group="apart"
            )
            agent = _agent(folder, who, groups, config + more)
            agent.start()
            ending.callback(agent.kill)
            agent.listen()
            agents.append(agent)
        yield agents[0], agents[1], between, plant


def _agent(folder: Path, who: Party, groups: dict[str, Group], config: str) -> AgentProcess:
    """Make a gateway that has a party's own keys, and is in its groups."""
    home = folder / who.name
    home.mkdir()
    names = state.Names(f"{who.name}-gw", who.name)
    state.create(home / "state", names, keys_of(who), None, "pass")
    for name, within in groups.items():
        state.keep_group(home / "state", name, within)
    return AgentProcess(home, who.name, config)


def _lies(scene: Scene) -> set[str]:
    """Tell every lie; give the codes under which they are counted in a world of their own.

    Lies about records are told by runs of their own, whose feeds nobody holds yet.
    """
    told, known = list(LIES), scene.liar.run
    about_records = told[: told.index(two_histories) + 1]
    for number, lie in enumerate(told):
        scene.liar.run = run_of(LIAR, 100 + number) if lie in about_records else known
        lie(cast(World, scene))
    time.sleep(2)
    return {code for counted in LIES.values() for code in counted}


@dataclass
class Flood:
    """Something that is said again and again, as fast as it goes."""

    say: Callable[[int], None]
    count: int = 0

    def run(self) -> None:
        """Say it for some seconds, and count."""
        end_s = time.monotonic() + FLOOD_S
        while time.monotonic() < end_s:
            self.say(self.count)
            self.count += 1


def _floods(scene: Scene, door: Door) -> Sequence[tuple[str, Callable[[int], None]]]:
    """Give each kind of flood with what says it once."""
    liar, to_maker = scene.liar, wire.to_node(MAKER.node.id)
    recorded = list(liar.heard)
    head = makers_head(cast(World, scene))
    records = tuple(written(liar.run, ALL, 3))
    name = makers_head(cast(World, scene), ALL).feed

    def again(number: int) -> None:
        said = recorded[number % len(recorded)]
        liar.publish(said.topic, said.payload)

    def piece(number: int) -> bytes:
        said = Body(seed(f"{number}"), 0, bytes(32 * 1024))
        return envelope.encode(enveloped(message.encode(said), ALL))

    return (
        ("junk", lambda number: liar.publish(to_maker, os.urandom(64 + number * 37 % 30_000))),
        ("replays", again),
        ("greetings", lambda number: liar.greet(10_000 + number)),
        ("heads", lambda number: liar.control(nowhere(number % 50))),
        ("wants", lambda _: liar.control(Want(head.feed, 0, HIGHEST, 512 * 1024))),
        ("pieces", lambda number: liar.say(Body(seed(f"{number}"), 0, bytes(48 * 1024)))),
        ("records", lambda number: liar.say(Recs(name, 1 + number % 9, records))),
        ("junk_by_https", lambda number: door.say(os.urandom(64 + number * 37 % 30_000))),
        ("pieces_by_https", lambda number: door.say(piece(number))),
        ("silent_connections", lambda _: door.keep_silent()),
    )


def _shown(delays: list[float]) -> str:
    return f"{statistics.median(delays):.2f} s, at most {max(delays):.2f} s"


def _meet(scene: Scene) -> None:
    """Greet until the maker takes what is signed within the session."""
    head = makers_head(cast(World, scene))
    for number in range(40):
        before = len(scene.liar.heard)
        scene.liar.greet(scene.greetings)
        scene.greetings += 1
        if _soon(scene.liar.greetings):
            scene.liar.control(Want(head.feed, 0, 1, 4_096))
            name = message.encode(Want(head.feed, 0, 1, 1))[2:36]  # the feed, as RECS have it too
            if _soon(partial(_has_come, scene, name, before)):
                return
        assert number < 39, "the maker answers no greeting"


def _has_come(scene: Scene, name: bytes, since: int) -> bool:
    """Say whether the liar heard something with this in it."""
    return any(name in each.payload for each in scene.liar.heard[since:])


def _soon(is_so: Callable[[], object]) -> bool:
    """Wait for a moment until something is so; say whether it is."""
    end_s = time.monotonic() + 0.5
    while not is_so():
        if time.monotonic() > end_s:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.timeout(600)
def test_a_bad_peer_disturbs_nobody(tmp_path: Path, figures: Callable[..., None]) -> None:
    """All that the honest say comes; memory is bounded, all is counted, and then all is well."""
    port = free_port()
    with _members(tmp_path, port) as (ace, bolt, between, plant), ExitStack() as ending:
        probes = Probes(ace, bolt, plant)
        ending.callback(probes.close)
        quiet = probes.during(lambda: time.sleep(QUIET_S))
        network = Wire(between)
        ending.callback(network.close)
        liar = Peer(cast(Network, network))
        liar.listen(ALL, PAIR)
        db = database.connect_to_read(str(ace.state_dir / "store.db"))
        scene = Scene(liar, Member(db), Speaker(bolt.stands()["run"]))
        _meet(scene)
        door = Door(port)
        ending.callback(door.close)
        before, most = cost(ace), 0.0
        told = probes.during(lambda: scene.expected.update(_lies(scene)))
        figures(quiet=_shown(quiet), lies=len(LIES), delay_meanwhile=_shown(told))
        busy_s = taken_s = 0.0
        for name, say in _floods(scene, door):
            _meet(scene)
            began, flood = cost(ace), Flood(say)
            delays = probes.during(flood.run)
            ended = cost(ace)
            most = max(most, ended.memory_mib - before.memory_mib)
            busy_s += ended.at_s - began.at_s
            taken_s += ended.cpu_s - began.cpu_s
            figures(**{name: f"{flood.count} in {FLOOD_S:g} s, delay {_shown(delays)}"})
        network.close()
        door.close()
        counted = refused(ace.stands())
        after = probes.during(lambda: time.sleep(QUIET_S))
        figures(
            memory=f"+{most:.1f} MiB",
            processor=f"{100 * taken_s / busy_s:.0f} % of a core",
            codes=len(counted),
            refused=sum(counted.values()),
            afterwards=_shown(after),
        )
        probes.close()
        _see_all_well(ace, bolt)
        missing = scene.expected - counted.keys()
        assert not missing, f"not counted: {missing}"
        assert most <= MEMORY_MIB_MAX


def _see_all_well(ace: AgentProcess, bolt: AgentProcess) -> None:
    """See that both hold the same of what they share, know it, and blame the liar alone."""

    def agreed() -> bool:
        digests = set()
        for agent in (ace, bolt):
            (extent,) = hulian(agent, "query", "--group", "apart", "--limit", "1")["groups"]
            digests.add(extent["digest"] if extent["complete"] else None)
        return len(digests) == 1 and None not in digests

    until(ace, agreed)
    (lied,) = hulian(ace, "query", "--group", "all", "--limit", "1")["groups"]
    claimed = {each["node"] for each in lied["members"] if each["holds_missing"]}
    assert not lied["complete"] and claimed == {LIAR.node.id.hex()}
