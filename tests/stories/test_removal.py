"""Removal: who is removed reads nothing that is said after, and what it says counts nothing.

Three organisations' real agents share a sealed group over a real broker. One is removed while
nobody can be told; it goes on with its keys, and somebody who has not heard of it listens.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.errors import AuthorError
from gateway.groups import seal
from gateway.query import Question, answer
from gateway.records import record
from gateway.records.record import Kind
from gateway.store import database, questions, state
from tests.agents import SHARING, AgentProcess, introduce
from tests.broker import Broker, Publisher
from tests.paired import hulian, until


@dataclass
class Scene:
    """Three agents, the broker between them, and that of their machines."""

    ace: AgentProcess
    bolt: AgentProcess
    coil: AgentProcess
    between: Broker
    plant: Broker

    def say(self, agent: AgentProcess, numbers: range, group: str = "partner") -> None:
        """Have a machine of an agent say numbers, and see them stored there, in a group."""
        machine = Publisher(self.plant.port, f"{agent.folder.name}/press")
        for number in numbers:
            machine.publish(f'{{"n": {number}}}')
        machine.finish()
        until(agent, lambda: set(numbers) <= told(agent, group).keys())


def told(agent: AgentProcess, group: str = "partner") -> dict[object, str]:
    """Give each value that a gateway can read in a group, with its status, as `query` finds it."""
    question, here = Question(group=group), state.load(agent.state_dir).node_id
    with closing(database.connect_to_read(str(agent.state_dir / "store.db"))) as db, db:
        rows = answer(question, questions.select(db, question, here)).rows
    return {row.reading.value: row.told.status.name.lower() for row in rows}


def counted(agent: AgentProcess) -> set[object]:
    """Give the values that count."""
    return {value for value, status in told(agent).items() if status != "rejected"}


def shown(agent: AgentProcess, *options: str) -> dict[object, str]:
    """Give what `hulian query` prints of the group: values with their status."""
    rows = hulian(agent, "query", "--group", "partner", *options)["rows"]
    return {row["value"]: row["status"] for row in rows}


def removed(agent: AgentProcess) -> list[str]:
    """Give the nodes that a gateway knows to be removed."""
    return [each["node"] for each in hulian(agent, "group", "show", "partner")["removed"]]


@contextmanager
def _consortium(folder: Path) -> Iterator[Scene]:
    with ExitStack() as ending:
        brokers = {}
        for name in ("between", "plant"):
            (folder / name).mkdir()
            brokers[name] = Broker(folder / name)
            ending.callback(brokers[name].stop)
        urls = {name: broker.url for name, broker in brokers.items()}
        agents = []
        for name in ("ace", "bolt", "coil"):
            (folder / name).mkdir()
            agents.append(
                AgentProcess(
                    folder / name, name, SHARING.format(name=name, **urls, group="partner")
                )
            )
        introduce(*agents)
        for each in agents:
            each.start()
            ending.callback(each.kill)
            each.listen()
        ace, bolt, coil = agents
        yield Scene(ace, bolt, coil, brokers["between"], brokers["plant"])


def _receipted(by: AgentProcess, author: AgentProcess) -> bool:
    """Say whether an agent has receipted all readings that it holds of another."""
    nodes = [state.load(each.state_dir).node_id for each in (by, author)]
    with closing(database.connect_to_read(str(by.state_dir / "store.db"))) as db:
        rows = db.execute(
            "SELECT coalesce(c.size, 0) >= h.spoken FROM feeds f JOIN heads h ON h.feed = f.number"
            " LEFT JOIN covers c ON c.feed = f.number AND c.node = ? WHERE f.node = ?",
            nodes,
        ).fetchall()
    return bool(rows) and all(is_so for (is_so,) in rows)


def _said(agent: AgentProcess, wanted: set[str]) -> list[tuple[record.Record, bytes]]:
    """Give the sealed observations of the wanted ids."""
    found = []
    with closing(database.connect_to_read(str(agent.state_dir / "store.db"))) as db:
        for encoded, body in db.execute("SELECT encoded, body FROM records ORDER BY place"):
            said = record.parse(encoded)
            if said.kind is Kind.OBSERVATION and said.id.hex() in wanted:
                assert said.key_number, "it is not sealed"
                found.append((said, body))
    return found


def _opened(agent: AgentProcess, others: list[tuple[record.Record, bytes]]) -> int:
    """Count which of these records some key in an agent's store opens."""
    with closing(database.connect_to_read(str(agent.state_dir / "store.db"))) as db:
        keys = [bytes(key) for (key,) in db.execute("SELECT key FROM sender_keys")]
    assert keys
    return sum(any(_opens(*each, key) for key in keys) for each in others)


def _opens(said: record.Record, body: bytes, key: bytes) -> bool:
    try:
        seal.open_body(said, body, key)
    except AuthorError:
        return False
    return True


def _records(agent: AgentProcess, values: set[object]) -> set[str]:
    rows = hulian(agent, "query", "--group", "partner")["rows"]
    return {row["record"] for row in rows if row["value"] in values}


@pytest.mark.timeout(600)
def test_who_is_removed_reads_and_says_nothing_more(
    tmp_path: Path, figures: Callable[..., None]
) -> None:
    """What others receipted counts, also what came after; nothing new opens to it, or is heard."""
    with _consortium(tmp_path) as scene:
        ace, bolt, coil = scene.ace, scene.bolt, scene.coil
        gone = state.load(coil.state_dir).node_id.hex()
        before, after, later = range(10), range(100, 110), range(200, 210)
        scene.say(coil, before)
        scene.say(ace, range(20, 25))
        together = {*before, *range(20, 25)}
        for each in (ace, bolt, coil):
            until(each, lambda each=each: counted(each) == together)  # type: ignore[misc]
        # Nobody can be told: the removal lies at one, and the removed goes on, heard by another.
        scene.between.stop()
        hulian(ace, "group", "remove", "partner", "coil")
        assert removed(ace) == [gone]
        ace.stop()
        scene.between.start()
        scene.say(coil, after)
        until(bolt, lambda: set(after) <= counted(bolt))
        until(bolt, lambda: _receipted(bolt, coil))
        ace.start()
        ace.listen()
        until(bolt, lambda: removed(bolt) == [gone])
        # Bolt gave its word for it before it knew: nobody's removal takes that back (I7).
        together |= set(after)
        for each in (ace, bolt):
            until(each, lambda each=each: counted(each) == together)  # type: ignore[misc]
        assert "rejected" not in shown(ace).values()
        assert shown(ace, "--min-status", "local").keys() == together
        # All that is said from now on is shut to it, and what it says is heard by nobody.
        scene.say(ace, later)
        scene.say(bolt, range(300, 310))
        news = {*later, *range(300, 310)}
        for each in (ace, bolt):
            until(each, lambda each=each: news <= counted(each))  # type: ignore[misc]
        # It spoke, and so was told what it could not hear: what it says now stays in its house.
        until(coil, lambda: hulian(coil, "group", "show", "partner")["state"] == "removed")
        scene.say(coil, range(400, 410), "own")
        shut = _said(ace, _records(ace, news))
        known = _said(ace, _records(ace, {*range(20, 25)}))
        assert shut and _opened(coil, shut) == 0 < _opened(coil, known) == len(known)
        assert not news & told(coil).keys()
        assert not set(range(400, 410)) & (counted(ace) | counted(bolt))
        figures(
            removed=1,
            kept=len(before) + len(after),
            records_shut=len(shut),
            opened_by_its_keys=_opened(coil, shut),
        )


@pytest.mark.timeout(600)
def test_who_is_there_when_it_is_removed_is_told(
    tmp_path: Path, figures: Callable[..., None]
) -> None:
    """It hears the removal itself, says so, and keeps what it had."""
    with _consortium(tmp_path) as scene:
        ace, coil = scene.ace, scene.coil
        scene.say(ace, range(5))
        until(coil, lambda: counted(coil) == set(range(5)))
        hulian(ace, "group", "remove", "partner", "coil")
        until(coil, lambda: hulian(coil, "group", "show", "partner")["state"] == "removed")
        listed = hulian(coil, "group", "list")["groups"]
        assert {row["name"]: row["state"] for row in listed}["partner"] == "removed"
        assert counted(coil) == set(range(5))
        # Its machines speak on: that stays in the house.
        scene.say(coil, range(50, 55), "own")
        assert 50 not in told(coil)
        figures(told="removed")
