"""A copied state directory: started twice it is known to everybody, restored it is no offence."""

import os
import shutil
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.web.local import SOCKET
from tests.agents import HULIAN, AgentProcess, introduce, running
from tests.broker import Broker, Publisher

_CONFIG = """
[[link]]
name = "consortium"
url = "{url}"

[[source]]
name = "meters"
type = "mqtt"
url = "{url}"
client_id = "meters-of-{folder}"
topics = ["{name}/#"]
device = "topic[1]"

[[route]]
devices = ["*"]
metrics = ["*"]
group = "partner"
"""
_ROUND_S = 20


@contextmanager
def _consortium(folder: Path, *names: str) -> Iterator[tuple[Broker, list[AgentProcess]]]:
    """Run gateways of organisations that share a group; end whatever the story started."""
    broker = Broker(folder, "log_type all")
    agents = [_agent(folder / name, name, broker) for name in names]
    introduce(*agents)
    with running(broker, *agents):
        yield broker, agents


def _agent(folder: Path, name: str, broker: Broker) -> AgentProcess:
    folder.mkdir()
    config = _CONFIG.format(url=broker.url, name=name, folder=folder.name)
    return AgentProcess(folder, name, config)


def _copy(state_dir: Path, to: Path) -> None:
    """Copy a state directory as it lies there, all but the agent's door."""
    shutil.copytree(state_dir, to, ignore=shutil.ignore_patterns(SOCKET))


def _say(broker: Broker, name: str, numbers: range) -> None:
    machine = Publisher(broker.port, f"{name}/press")
    for number in numbers:
        machine.publish(f'{{"n": {number}}}')
    machine.finish()


def _until(holds: Callable[[], bool], agent: AgentProcess, seconds: float = 60) -> None:
    start = time.monotonic()
    while not holds():
        assert time.monotonic() < start + seconds, f"{agent.status()}\n{agent.log()}"
        time.sleep(0.2)


def _values(agent: AgentProcess) -> Counter[object]:
    return Counter(reading.value for reading in agent.readings())


def _holds(agent: AgentProcess, expected: Counter[object]) -> Callable[[], bool]:
    return lambda: _values(agent) == expected


def _is_released(agent: AgentProcess) -> Callable[[], bool]:
    return lambda: all(peer["lacking"] == 0 for peer in agent.status()["peers"])


def _numbers(agents: list[AgentProcess]) -> dict[tuple[bytes, int], set[bytes]]:
    """Give, of all stores, the records that have each feed and number."""
    found: dict[tuple[bytes, int], set[bytes]] = {}
    for agent in agents:
        with closing(sqlite3.connect(agent.state_dir / "store.db")) as db:
            rows = db.execute(
                "SELECT f.id, r.place & 4294967295, r.id FROM records r"
                " JOIN feeds f ON f.number = r.place >> 32"
            )
            for feed, seq, record in rows:
                found.setdefault((feed, seq), set()).add(record)
    return found


def _told(agent: AgentProcess, language: str) -> str:
    """Give what `status` tells people."""
    command = [*HULIAN, "--config", str(agent.config), "status"]
    environment = {**os.environ, "HULIAN_LANG": language}
    said = subprocess.run(command, capture_output=True, check=True, env=environment)
    return said.stdout.decode()


def _alarms(agent: AgentProcess) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = agent.status()["alarms"]
    return rows


def test_a_copy_started_beside_the_original_raises_an_alarm_at_every_member(
    tmp_path: Path, figures: Callable[..., None]
) -> None:
    """Both go on, sign no number twice, close nobody's connection, and everybody else knows."""
    with _consortium(tmp_path, "ace", "bolt", "coil") as (broker, agents):
        ace, bolt, coil = agents
        _say(broker, "bolt", range(100))
        for each in agents:
            _until(_holds(each, Counter[object](range(100))), each)
        bolt.stop()
        (tmp_path / "again").mkdir()
        _copy(bolt.state_dir, tmp_path / "again" / "state")
        bolt.start()
        bolt.listen()
        _until(lambda: bolt.status()["peers"][0]["state"] == "connected", bolt)
        assert _alarms(ace) == _alarms(coil) == []
        copy = AgentProcess(
            tmp_path / "again", "bolt", _CONFIG.format(url=broker.url, name="bolt", folder="again")
        )
        agents.append(copy)
        started_s = time.time()
        copy.start()
        for each in (ace, coil):
            _until(lambda each=each: bool(_alarms(each)), each, _ROUND_S)  # type: ignore[misc]
        copy.listen()
        for number in range(100, 200, 10):  # Each time a record of the one, and one of the other.
            _say(broker, "bolt", range(number, number + 10))
        twice = Counter[object](range(100)) + Counter(range(100, 200)) + Counter(range(100, 200))
        for each in (ace, coil):
            _until(_holds(each, twice), each)
        alarm_s = 0.0
        runs = {bolt.status()["run"], copy.status()["run"]}
        for each in (ace, coil):
            (alarm,) = _alarms(each)
            assert {alarm["older"], alarm["newer"]} == runs
            assert (alarm["node"], alarm["organisation"]) == (bolt.status()["node"], "bolt")
            alarm_s = max(alarm_s, datetime.fromisoformat(alarm["time"]).timestamp() - started_s)
        assert "of bolt run at once  [node.cloned]" in _told(ace, "en")
        assert "bolt 的网关" in _told(ace, "zh")
        ace.stop()
        ace.start()
        _until(lambda: ace.status()["peers"][0]["state"] == "connected", ace)
        assert len(_alarms(ace)) == 1
        numbers = _numbers(agents)
        assert all(len(records) == 1 for records in numbers.values())
        assert "already connected" not in (tmp_path / "mosquitto.log").read_text()
    figures(
        alarm_at_members=2,
        after_start_s=round(alarm_s, 1),
        records=len(numbers),
        two_with_one_number=0,
    )


def test_a_restored_copy_raises_nothing_and_gets_back_what_a_peer_held(
    tmp_path: Path, figures: Callable[..., None]
) -> None:
    """An old copy in the original's place goes on: own records come back, others' too."""
    with _consortium(tmp_path, "ace", "bolt") as (broker, agents):
        ace, bolt = agents
        _say(broker, "bolt", range(100))
        _until(_holds(ace, Counter[object](range(100))), ace)
        bolt.stop()
        _copy(bolt.state_dir, tmp_path / "backup")
        for turn in range(2):  # A run that the copy will never have heard of, and another.
            bolt.start()
            bolt.listen()
            _say(broker, "bolt", range(100 + 100 * turn, 200 + 100 * turn))
            _until(lambda turn=turn: len(_values(bolt)) == 200 + 100 * turn, bolt)  # type: ignore[misc]
            # How it stands with peers is told of a second ago: what is held there is a fact.
            _until(_holds(ace, Counter[object](range(200 + 100 * turn))), ace)
            bolt.kill()
        _say(broker, "ace", range(1_000, 1_050))
        everything = Counter[object]([*range(300), *range(1_000, 1_050)])
        _until(_holds(ace, everything), ace)
        shutil.rmtree(bolt.state_dir)
        _copy(tmp_path / "backup", bolt.state_dir)
        before = len(_values(bolt))
        started = time.monotonic()
        bolt.start()
        _until(_holds(bolt, everything), bolt)
        returned_s = time.monotonic() - started
        bolt.listen()
        returned = sum(_values(bolt).values()) - before
        _say(broker, "bolt", range(300, 400))
        everything += Counter(range(300, 400))
        for each in agents:
            _until(_holds(each, everything), each)
            _until(_is_released(each), each)
        assert _alarms(ace) == _alarms(bolt) == []
        assert all(len(records) == 1 for records in _numbers(agents).values())
    figures(
        restored_readings_back=returned, after_start_s=round(returned_s, 1), lost=0, false_alarms=0
    )
