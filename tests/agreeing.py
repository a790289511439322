"""Three organisations with an agent and a witness each, and brokers between and below them.

In: a folder. Out: real processes, a group of all three, what their machines say, and how far it is
agreed by what each gateway answers. Their journals grow each second, not each minute.
"""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.query import Question, Status, Told, answer
from gateway.store import database, questions, standing, state
from gateway.store.consortium import keep_roster
from gateway.store.standing import Standing
from gateway.store.witness import load
from tests.agents import SHARING, AgentProcess, introduce
from tests.broker import Broker, Publisher
from tests.paired import until
from tests.witnessed import WitnessProcess

NAMES = ("ace", "bolt", "coil")
GROUP = "pressing"
MANY = 150  # records
_BETWEEN_LOOKS, _PAUSE_S = 50, 0.003
_CONFIG = "journal_s = 1" + SHARING
_WITNESS = """
[[witness]]
name = "{name}"
url = "{url}"
"""


@dataclass(frozen=True, slots=True)
class Scene:
    """All that runs, by the names of the organisations."""

    agents: dict[str, AgentProcess]
    witnesses: dict[str, WitnessProcess]
    between: Broker
    plant: Broker

    def say(self, name: str, batch: str, records: int) -> int:
        """Have a machine speak until at least so many records are stored; give how often it did.

        What comes together is one record: so it waits a little each time.
        """
        agent, said = self.agents[name], 0
        start = _stored(agent)
        machine = Publisher(self.plant.port, f"{name}/{batch}")
        while _stored(agent) < start + records:
            for _ in range(_BETWEEN_LOOKS):
                machine.publish(f'{{"n": {said}}}')
                said += 1
                time.sleep(_PAUSE_S)
        machine.finish()
        until(agent, lambda: self.statuses(name, batch).total() == said)
        return said

    def statuses(self, name: str, batch: str) -> Counter[Status]:
        """Count what one gateway holds of a batch, by status, by what its store says."""
        agent = self.agents[name]
        here = state.load(agent.state_dir).node_id
        question = Question(group=GROUP, device=batch)
        with closing(database.connect_to_read(str(agent.state_dir / "store.db"))) as db, db:
            rows = [row.told for row in answer(question, questions.select(db, question, here)).rows]
            stands = {told.record.feed: standing.of(db, told.record.feed) for told in rows}
        return Counter(_status(told, stands[told.record.feed]) for told in rows)

    def all_are(self, status: Status, batch: str, count: int, *names: str) -> None:
        """Wait until all of a batch has come so far, at each of these gateways."""
        for name in names or NAMES:
            until(
                self.agents[name],
                lambda name=name: self.statuses(name, batch) == {status: count},  # type: ignore[misc]
            )


@contextmanager
def consortium(folder: Path) -> Iterator[Scene]:
    """Give three organisations whose agents run and share a group; in the end, end all."""
    with ExitStack() as ending:
        brokers = {}
        for name in ("between", "plant"):
            (folder / name).mkdir()
            brokers[name] = Broker(folder / name)
            ending.callback(brokers[name].stop)
        urls = {name: broker.url for name, broker in brokers.items()}
        agents = {}
        for name in NAMES:
            (folder / name).mkdir()
            agents[name] = AgentProcess(
                folder / name, name, _CONFIG.format(name=name, **urls, group=GROUP)
            )
        witnesses = {
            name: WitnessProcess(folder / f"{name}-witness", _organisation(agent), [])
            for name, agent in agents.items()
        }
        keys = [each.public for each in witnesses.values()]
        shared = introduce(*agents.values(), name=GROUP, witnesses=keys)
        told = "".join(_WITNESS.format(name=it, url=one.url) for it, one in witnesses.items())
        for agent in agents.values():
            config = agent.config.read_text().replace("commit_ms = 50", "commit_ms = 1")
            agent.config.write_text(config + told)
            keep_roster(agent.state_dir, shared.roster)
        for witness in witnesses.values():
            one = load(witness.state, witness.number)
            one.trust(shared.founding.consortium)
            one.close()
        everybody: list[AgentProcess | WitnessProcess] = [*witnesses.values(), *agents.values()]
        for each in everybody:
            ending.callback(each.end)
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda each: each.start(), everybody))
        for agent in agents.values():
            agent.listen()
        yield Scene(agents, witnesses, brokers["between"], brokers["plant"])


def _stored(agent: AgentProcess) -> int:
    return int(agent.stands()["store"]["records"])


def _status(told: Told, stands: Standing) -> Status:
    if told.record.seq < stands.final:
        return Status.FINAL
    return Status.AGREED if told.record.seq < stands.agreed else told.status


def _organisation(agent: AgentProcess) -> bytes:
    return state.load(agent.state_dir).organisation
