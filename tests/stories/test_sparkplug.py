"""Sparkplug: a stranger's edge node is heard through gaps, kills and outages; SCADA hears us."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks._door import ask_door
from gateway.readings.reading import Reading
from tests.agents import AgentProcess
from tests.broker import Broker
from tests.stranger import Stranger

PRESS = "plant/line-1/press-1"
STATE = "spBv1.0/STATE/press-shop"
GAPS, FLOOD = 20, 200
_CONFIG = """
[[source]]
name = "plant"
type = "sparkplug"
url = "{plant}"
reorder_ms = 200

[[publish]]
name = "dashboards"
url = "{scada}"

[[publish]]
name = "scada"
url = "{scada}"
format = "sparkplug"
group_id = "plant"
"""


class Watcher:
    """What a client of a broker hears on some topics, with the last of each."""

    def __init__(self, port: int, topic: str) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self._some = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = self._on_message
        self._client.on_subscribe = lambda *_: self._some.set()
        self._client.connect("127.0.0.1", port)
        self._client.subscribe(topic, 1)
        self._client.loop_start()
        assert self._some.wait(10)

    def _on_message(self, _client: object, _userdata: object, one: mqtt.MQTTMessage) -> None:
        self.heard.append((one.topic, bytes(one.payload)))

    def close(self) -> None:
        """Leave."""
        self._client.disconnect()
        self._client.loop_stop()


def _wait(until: Callable[[], object], agent: AgentProcess, seconds: float = 20) -> None:
    ends = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < ends, agent.log()
        time.sleep(0.05)


def _devices(agent: AgentProcess) -> dict[str, str]:
    devices = ask_door(agent.state_dir)["devices"]
    return {str(one["name"]): str(one["state"]) for one in devices}


def _counts(agent: AgentProcess) -> dict[str, int]:
    (source,) = ask_door(agent.state_dir)["sources"]
    counts: dict[str, int] = source["counts"]
    return counts


def _strokes(agent: AgentProcess) -> list[Reading]:
    return [one for one in agent.readings() if one.device == PRESS and one.metric == "Strokes"]


def _states(watcher: Watcher) -> list[bool]:
    return [json.loads(said)["online"] for _, said in watcher.heard]


def _lose(edge: Stranger, agent: AgentProcess, start: int) -> None:
    """Lose a message again and again: each time the certificates come anew, and data goes on."""
    for place in range(GAPS):
        births = _counts(agent)["births"]
        edge.do("skip")
        edge.do("alias", alias=11, value=start + 2 * place)
        # Whoever answers a request did so before: an edge node is asked at most every 10 s.
        edge.do("rebirth")
        _wait(lambda before=births: _counts(agent)["births"] >= before + 2, agent)  # type: ignore[misc]
        edge.do("alias", alias=11, value=start + 2 * place + 1)


def test_sparkplug(tmp_path: Path, figures: Callable[..., None]) -> None:
    """Each value is stored under its own name and once, whatever is lost, killed or restarted."""
    for folder in ("plant", "scada", "agent"):
        (tmp_path / folder).mkdir()
    plant, scada = Broker(tmp_path / "plant"), Broker(tmp_path / "scada")
    config = _CONFIG.format(plant=plant.url, scada=scada.url)
    agent = AgentProcess(tmp_path / "agent", "press-shop", config)
    edge = Stranger("edge_by_pysparkplug", plant.port)
    states, told = Watcher(plant.port, STATE), Watcher(scada.port, "hulian/#")
    host = Stranger("host_by_pysparkplug", scada.port, "plant", "press-shop")
    host.until("verb", "listening")
    try:
        edge.do("connect")  # Nobody hears its certificates.
        agent.start()
        agent.listen()
        edge.do("alias", alias=11, value=1000)
        _wait(lambda: _devices(agent).get(PRESS) == "alive", agent)
        edge.do("flood", count=FLOOD, start=2000)
        _lose(edge, agent, 10_000)
        _wait(lambda: len(_strokes(agent)) == 1 + FLOOD + GAPS, agent)
        later = [_kill(agent, edge, states), _outage(agent, edge, plant)]
        edge.kill()
        _wait(lambda: _devices(agent)[PRESS] == "dead", agent)
        agent.stop()
        _wait(lambda: _states(states)[-1] is False, agent)
        _check(agent, later)
        figures(
            readings=len(agent.readings()),
            gaps=GAPS,
            kills_and_outages=3,
            wrong_values=0,
            told_as_json=_told(agent, told),
            messages_as_an_edge_node=_decoded(host),
        )
    finally:
        edge.close()
        host.close()
        states.close()
        told.close()
        agent.end()
        plant.stop()
        scada.stop()


def _kill(agent: AgentProcess, edge: Stranger, states: Watcher) -> int:
    """Kill the agent: the broker says so for it; started again, it hears again. Give a value."""
    agent.kill()
    _wait(lambda: _states(states)[-1] is False, agent)
    agent.start()
    agent.listen()
    _wait(lambda: _states(states)[-1] is True, agent)
    edge.do("alias", alias=11, value=20_000)  # It asks for the certificates.
    _wait(lambda: _devices(agent).get(PRESS) == "alive", agent)
    edge.do("alias", alias=11, value=20_001)
    _wait(lambda: any(one.value == 20_001 for one in _strokes(agent)), agent)
    return 20_001


def _outage(agent: AgentProcess, edge: Stranger, plant: Broker) -> int:
    """Stop the broker: nothing is alive until both are back with certificates. Give a value."""
    plant.stop()
    _wait(lambda: _devices(agent)[PRESS] in ("stale", "dead"), agent)  # It may send the wills.
    plant.start()
    _wait(lambda: _devices(agent)[PRESS] == "alive", agent, 30)
    edge.do("alias", alias=11, value=30_000)
    _wait(lambda: any(one.value == 30_000 for one in _strokes(agent)), agent)
    return 30_000


def _check(agent: AgentProcess, later: list[int]) -> None:
    """See that each value of the strokes is one that was sent, once, with the type of its birth."""
    sent = {5, *range(2000, 2000 + FLOOD), *later}
    sent |= {10_000 + 2 * place + 1 for place in range(GAPS)}
    found = Counter(one.value for one in _strokes(agent))
    assert set(found) == sent
    assert all(count == 1 for value, count in found.items() if value != 5)
    assert found[5] <= 2  # Of two runs: each heard the certificate as its first.
    names = {one.metric for one in agent.readings() if one.device == PRESS}
    assert {"Temperature", "Strokes", "Curve", "sparkplug/online"} <= names
    assert {one.value for one in agent.readings() if one.metric == "Temperature"} == {21.5}


def _told(agent: AgentProcess, told: Watcher) -> int:
    """See that what dashboards heard is what the store holds, and nothing else."""
    stored = {
        (one.device, one.metric, json.dumps(one.value), one.time_ms) for one in agent.readings()
    }
    heard = [json.loads(said) for _, said in told.heard]
    assert {
        (one["device"], one["metric"], json.dumps(one["value"]), one["time_ms"]) for one in heard
    } <= stored
    assert len(heard) >= FLOOD
    return len(heard)


def _decoded(host: Stranger) -> int:
    """See that a stranger decodes our edge node: every value of the flood under its own name."""
    until = time.monotonic() + 10
    seen: set[Any] = set()
    while not set(range(2000, 2000 + FLOOD)) <= seen and time.monotonic() < until:
        said = host.until("verb")
        if said["verb"] == "DDATA" and said["device"] == PRESS.replace("/", ":2F"):
            seen |= {one[2] for one in said["metrics"] if one[0] == "Strokes"}
    assert set(range(2000, 2000 + FLOOD)) <= seen
    return len(host.heard)
