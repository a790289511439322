"""Gateways that speak by HTTPS alone, each a process: two that only dial, through a third."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.agents import AgentProcess, introduce, running
from tests.broker import Broker, Publisher
from tests.linked import free_port

_SOURCE = """
[[source]]
name = "meters"
type = "mqtt"
url = "{url}"
topics = ["{name}/#"]
device = "topic[1]"

[[route]]
group = "partner"
"""
_LISTENS = '[[link]]\nname = "door"\nlisten = "127.0.0.1:{port}"\n'
_DIALS = '[[link]]\nname = "out"\nurl = "https://127.0.0.1:{port}"\n'


@contextmanager
def _three(folder: Path) -> Iterator[tuple[Broker, list[AgentProcess]]]:
    """Run a hub that listens and two that dial; the broker is for their machines alone."""
    broker, port = Broker(folder), free_port()
    agents = []
    for name, link in (("hub", _LISTENS), ("ace", _DIALS), ("bolt", _DIALS)):
        (folder / name).mkdir()
        config = link.format(port=port) + _SOURCE.format(url=broker.url, name=name)
        agents.append(AgentProcess(folder / name, name, config))
    introduce(*agents)
    with running(broker, *agents):
        yield broker, agents


def _say(broker: Broker, name: str, numbers: range) -> None:
    machine = Publisher(broker.port, f"{name}/press-{name}")
    for number in numbers:
        machine.publish(f'{{"n": {number}}}')
    machine.finish()


def _said(numbers: range, *names: str) -> Counter[tuple[str, object]]:
    return Counter((f"press-{name}", number) for name in names for number in numbers)


def _values(agent: AgentProcess) -> Counter[tuple[str, object]]:
    return Counter((reading.device, reading.value) for reading in agent.readings())


def _until(holds: Callable[[], bool], *agents: AgentProcess) -> None:
    until = time.monotonic() + 90
    while not holds():
        told = "\n".join(f"{each.status()}\n{each.log()}" for each in agents)
        assert time.monotonic() < until, told
        time.sleep(0.2)


def test_two_that_only_dial_meet_at_a_third_and_lose_nothing_when_it_is_killed(
    tmp_path: Path,
) -> None:
    """All hold what all said, once; a kill -9 of the listener in between costs time alone."""
    with _three(tmp_path) as (broker, agents):
        hub, ace, _ = agents
        for name in ("ace", "bolt", "hub"):
            _say(broker, name, range(30))
        first = _said(range(30), "hub", "ace", "bolt")
        _until(lambda: all(_values(each) == first for each in agents), *agents)
        # Bolt's words perhaps came by the hub's own mouth, and who is there is told after.
        _until(lambda: len(ace.status()["links"][0]["peers"]) == 2, *agents)
        hub.kill()
        for name in ("ace", "bolt"):
            _say(broker, name, range(30, 90))
        hub.start()
        both = first + _said(range(30, 90), "ace", "bolt")
        _until(lambda: all(_values(each) == both for each in agents), *agents)
