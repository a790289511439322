"""Two gateways of two organisations, each a process, over a real broker."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.readings.reading import Reading
from tests.agents import AgentProcess, introduce, running
from tests.broker import Broker, Publisher

_CONFIG = """
[[link]]
name = "consortium"
url = "{url}"

[[source]]
name = "meters"
type = "mqtt"
url = "{url}"
topics = ["{name}/#"]
device = "topic[1]"

[[route]]
devices = ["*"]
metrics = ["*"]
group = "partner"
"""


@contextmanager
def _pair(folder: Path) -> Iterator[tuple[Broker, AgentProcess, AgentProcess]]:
    broker = Broker(folder)
    agents = []
    for name in ("ace", "bolt"):
        (folder / name).mkdir()
        agents.append(AgentProcess(folder / name, name, _CONFIG.format(url=broker.url, name=name)))
    introduce(*agents)
    with running(broker, *agents):
        yield broker, agents[0], agents[1]


def _say(broker: Broker, name: str, numbers: range) -> None:
    machine = Publisher(broker.port, f"{name}/press-{name}")
    for number in numbers:
        machine.publish(f'{{"n": {number}}}')
    machine.finish()


def _values(agent: AgentProcess) -> Counter[tuple[str, object]]:
    return Counter((reading.device, reading.value) for reading in agent.readings())


def _said(name: str, numbers: range) -> Counter[tuple[str, object]]:
    return Counter((f"press-{name}", number) for number in numbers)


def _until(holds: Callable[[], bool], agent: AgentProcess, seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, f"{agent.status()}\n{agent.log()}"
        time.sleep(0.1)


def _lacks_nothing(agent: AgentProcess) -> bool:
    peers = agent.status()["peers"]
    return len(peers) == 1 and peers[0]["lacking"] == 0


def test_each_gateway_holds_what_both_said(tmp_path: Path) -> None:
    """Readings go both ways, once each, and each side has the other's signature for all."""
    with _pair(tmp_path) as (broker, ace, bolt):
        _say(broker, "ace", range(300))
        _say(broker, "bolt", range(200))
        both = _said("ace", range(300)) + _said("bolt", range(200))
        for agent in (ace, bolt):
            _until(lambda agent=agent: _values(agent) == both, agent)  # type: ignore[misc]
            _until(lambda agent=agent: _lacks_nothing(agent), agent)  # type: ignore[misc]
        stands = ace.status()
        assert [link["state"] for link in stands["links"]] == ["up"]
        assert stands["peers"][0]["state"] == "connected"
        assert stands["peers"][0]["organisation"] == "bolt"
        assert _texts(ace.readings()) == _texts(bolt.readings())


def _texts(readings: list[Reading]) -> list[str]:
    return sorted(str(each) for each in readings)


def test_what_was_said_while_a_peer_was_away_arrives_when_it_is_back(tmp_path: Path) -> None:
    """A peer that is stopped lacks records; its return, under a new run, brings it all of them."""
    with _pair(tmp_path) as (broker, ace, bolt):
        bolt.stop()
        _say(broker, "ace", range(2_000))
        _until(lambda: _values(ace) == _said("ace", range(2_000)), ace)
        _until(lambda: ace.status()["peers"][0]["lacking"] > 0, ace)
        assert _values(bolt) == Counter()
        bolt.start()
        _until(lambda: _values(bolt) == _said("ace", range(2_000)), bolt)
        _until(lambda: _lacks_nothing(ace), ace)


def test_a_broker_that_comes_back_is_found_again(tmp_path: Path) -> None:
    """While the broker is away nothing is lost; when it is back, what was lacking arrives."""
    with _pair(tmp_path) as (broker, ace, bolt):
        _say(broker, "ace", range(50))
        _until(lambda: _values(bolt) == _said("ace", range(50)), bolt)
        broker.stop()
        _until(lambda: ace.status()["links"][0]["state"] == "down", ace)
        assert "connection" in ace.status()["links"][0]["reason"]
        broker.start()
        ace.listen()
        _say(broker, "ace", range(50, 100))
        _until(lambda: _values(bolt) == _said("ace", range(100)), bolt)
        _until(lambda: _lacks_nothing(ace), ace)


def test_a_peer_that_is_killed_while_it_receives_ends_up_with_all(tmp_path: Path) -> None:
    """Kill -9 of the receiver, five times under load: nothing is lost, nothing is there twice."""
    with _pair(tmp_path) as (broker, ace, bolt):
        for turn in range(5):
            _say(broker, "ace", range(turn * 400, turn * 400 + 400))
            bolt.kill()
            bolt.start()
        everything = _said("ace", range(2_000))
        _until(lambda: _values(ace) == everything, ace)
        _until(lambda: _values(bolt) == everything, bolt, 60)
        _until(lambda: _lacks_nothing(ace), ace, 60)
