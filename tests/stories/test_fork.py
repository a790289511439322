"""Fork: whoever tells two companies two histories is shown by what it signed, to everybody.

Two honest organisations' real agents and a hostile run of a third, with valid keys of its own, over
a real broker. It says one history to one of them and another to the other; nobody else is harmed.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.groups.evidence import Kind
from gateway.peers import wire
from gateway.peers.wire import Outgoing
from gateway.query import Question, Status, answer
from gateway.records.run import Run, Written
from gateway.store import database, evidence, feeds, questions, state
from gateway.sync import envelope, message
from gateway.sync.message import Carried
from tests import people
from tests.agents import SHARING, AgentProcess
from tests.bad_peer import Wire, keys_of
from tests.broker import Broker, Publisher
from tests.liar import ALL, BUYER, LIAR, MAKER, enveloped
from tests.lies import recs
from tests.paired import until
from tests.people import Party, chain, moment, run_of, seed

FORK = 2  # the first number under which the two histories differ


@dataclass(frozen=True, slots=True)
class Scene:
    """The two honest, what the hostile one speaks over, and the machines' broker."""

    agents: dict[str, AgentProcess]
    network: Wire
    plant: Broker

    def tell(self, who: Party, by: Run, said: list[Written]) -> None:
        """Have a run of the hostile one say a history to one of the honest alone."""
        carried = [Carried(each.encoded, each.body) for each in said]
        content = message.encode(recs(by, ALL, carried))
        payload = envelope.encode(enveloped(content, ALL))
        self.network.publish(LIAR.name, Outgoing(wire.to_node(who.node.id), payload))

    def say(self, name: str, numbers: range) -> None:
        """Have a machine of an honest one say numbers."""
        machine = Publisher(self.plant.port, f"{name}/press")
        for number in numbers:
            machine.publish(f'{{"n": {number}}}')
        machine.finish()

    def held(self, name: str, feed: bytes) -> int:
        """Say how many records of a feed an honest one holds."""
        path = str(self.agents[name].state_dir / "store.db")
        with closing(database.connect_to_read(path)) as db:
            head = feeds.head(db, feed)
        return 0 if head is None else head.size

    def read(self, name: str) -> dict[object, Status]:
        """Give what an honest one reads of the honest: values with their status."""
        agent, question = self.agents[name], Question(group="all", device="press")
        here = state.load(agent.state_dir).node_id
        with closing(database.connect_to_read(str(agent.state_dir / "store.db"))) as db, db:
            rows = answer(question, questions.select(db, question, here)).rows
        return {row.reading.value: row.told.status for row in rows}

    def evidence(self, name: str) -> list[evidence.Held]:
        """Give the evidence that an honest one holds."""
        path = str(self.agents[name].state_dir / "store.db")
        with closing(database.connect_to_read(path)) as db:
            return evidence.held(db)

    def ends(self, name: str) -> set[tuple[bytes | None, int]]:
        """Give the feeds that end by that evidence, and where."""
        return {(each.finding.feed, each.finding.seq) for each in self.evidence(name)}


@contextmanager
def _honest(folder: Path) -> Iterator[Scene]:
    with ExitStack() as ending:
        brokers = {}
        for name in ("between", "plant"):
            (folder / name).mkdir()
            brokers[name] = Broker(folder / name)
            ending.callback(brokers[name].stop)
        urls = {name: broker.url for name, broker in brokers.items()}
        agents = {}
        for who in (MAKER, BUYER):
            home = folder / who.name
            home.mkdir()
            names = state.Names(f"{who.name}-gw", who.name)
            state.create(home / "state", names, keys_of(who), None, "pass")
            state.keep_group(home / "state", "all", ALL)
            config = SHARING.format(name=who.name, **urls, group="all")
            agents[who.name] = AgentProcess(home, who.name, config)
            ending.callback(agents[who.name].end)
        with ThreadPoolExecutor() as pool:
            list(pool.map(AgentProcess.start, agents.values()))
        for agent in agents.values():
            agent.listen()
        network = Wire(brokers["between"])
        ending.callback(network.close)
        yield Scene(agents, network, brokers["plant"])


def _two_histories(by: Run) -> tuple[list[Written], list[Written]]:
    """Write two histories of one feed, alike until the fork."""
    one = chain(by, ALL, FORK + 3)
    other = one[:FORK]
    salt = seed("another salt")
    other.append(by.write(other[-1].feed, people.observation(99), moment(9), salt))
    other.append(people.after(by, other[-1].feed, FORK + 1))
    return one, other


@pytest.mark.timeout(300)
def test_a_fork_is_shown_at_both_and_ends_nothing_else(
    tmp_path: Path, figures: Callable[..., None]
) -> None:
    """Both honest hold the same evidence; that feed alone ends, and the next run's goes on."""
    with _honest(tmp_path) as scene:
        scene.say("maker", range(5))
        until(scene.agents["buyer"], lambda: scene.read("buyer").keys() == set(range(5)))
        run, next_run = run_of(LIAR), run_of(LIAR, 1)
        one, other = _two_histories(run)
        feed, after = one[0].feed.id, chain(next_run, ALL, 4)
        scene.tell(MAKER, run, one)
        scene.tell(BUYER, run, other)
        for name, agent in scene.agents.items():
            until(agent, lambda name=name: scene.held(name, feed) > 0)  # type: ignore[misc]
        for name, agent in scene.agents.items():
            until(agent, lambda name=name: scene.evidence(name))  # type: ignore[misc]
        for name, agent in scene.agents.items():
            until(agent, lambda name=name: scene.ends(name) == {(feed, FORK)})  # type: ignore[misc]
        for name in scene.agents:
            (found,) = (each.finding for each in scene.evidence(name))
            assert (found.kind, found.node, found.name) == (Kind.RECORD_FORK, LIAR.node.id, "liar")
        # What both histories have in common stays, and nothing is taken beyond it.
        scene.tell(MAKER, run, one)
        scene.tell(BUYER, run, other)
        # Another run of the same node, and all that the honest say, is heard as ever.
        for who in (MAKER, BUYER):
            scene.tell(who, next_run, after)
        scene.say("maker", range(5, 10))
        scene.say("buyer", range(10, 15))
        for name, agent in scene.agents.items():
            until(agent, lambda name=name: scene.held(name, after[0].feed.id) == 4)  # type: ignore[misc]
            until(agent, lambda name=name: scene.read(name).keys() == set(range(15)))  # type: ignore[misc]
            assert scene.held(name, feed) == FORK
            assert min(scene.read(name).values()) >= Status.LOCAL
        assert len(scene.evidence("maker")) == len(scene.evidence("buyer")) == 1
        figures(evidence=1, kept_of_the_feed=FORK, next_run=4, said_meanwhile=10)
