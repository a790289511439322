"""Sparkplug metrics a second: decoded by the host alone, and from a real broker into the store.

Beside it protobuf alone parses the same messages, and three fields of each metric are looked at.
The host alone is fed one edge node's data by alias, 100 metrics a message, as it comes from a
socket. Through the broker the same messages are published at QoS 0 while the agent reads, paced
just so that the broker drops nothing, and it is done when its store has the last of them.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks._door import ask_door
from gateway.readings.reading import Arrival
from gateway.readings.sparkplug import Host
from gateway.readings.sparkplug_payload import Metric, Payload, encode
from gateway.readings.sparkplug_schema import new_payload
from gateway.readings.sparkplug_values import Datatype
from tests.agents import AgentProcess
from tests.broker import Broker

ROUNDS = 7
METRICS = 100  # in a message
MESSAGES = 600
FIELD = "double_value"
_MS = 1_795_262_400_000
_TOPIC = "spBv1.0/bench/{}/node/device"
_S_MAX = 120.0
_SOURCE = """
[[source]]
name = "plant"
type = "sparkplug"
url = "{url}"
"""


def run() -> list[str]:
    """Time both, and check that every metric is stored."""
    pairs = [(_bare_s(number), _alone_s(number)) for number in range(ROUNDS + 1)][1:]
    count = METRICS * MESSAGES
    through = _through(count)
    ratio = statistics.median(bare / host for bare, host in pairs)
    return [
        f"protobuf alone: {_told([count / one for one, _ in pairs])} metrics/s, three fields each",
        f"host alone: {_told([count / host for _, host in pairs])} metrics/s, {METRICS} a message "
        f"by alias: {ratio:.2f} of protobuf alone",
        f"broker to fsynced store: {_told(through)} metrics/s, signed; {count} each round, 0 lost",
    ]


def _told(rates: list[float]) -> str:
    return f"{statistics.median(rates):,.0f} ({min(rates):,.0f} to {max(rates):,.0f})"


def _births() -> list[tuple[str, bytes]]:
    """Give the certificates of an edge node and a device of so many metrics."""
    node = (Metric("bdSeq", None, _MS, Datatype.INT64, "long_value", 0),)
    device = tuple(
        Metric(f"metric {alias}", alias, _MS, Datatype.DOUBLE, FIELD, 0.5, unit="Cel")
        for alias in range(METRICS)
    )
    return [
        ("spBv1.0/bench/NBIRTH/node", encode(Payload(_MS, 0, node))),
        (_TOPIC.format("DBIRTH"), encode(Payload(_MS, 1, device))),
    ]


def _messages(number: int) -> list[bytes]:
    """Give a round's messages, each value and time its own."""
    said: list[bytes] = []
    for place in range(MESSAGES):
        time_ms = _MS + number * 10_000_000 + place * 1_000
        metrics = tuple(
            Metric(None, alias, time_ms, 0, FIELD, place + alias / 7) for alias in range(METRICS)
        )
        said.append(encode(Payload(time_ms, (2 + place) % 256, metrics)))
    return said


def _bare_s(number: int) -> float:
    """Time protobuf by itself: each message parsed, and three fields of each metric looked at."""
    messages = _messages(number)
    found = 0
    started = time.perf_counter()
    for said in messages:
        payload = new_payload()
        payload.ParseFromString(said)
        for metric in payload.metrics:
            found += (metric.alias, metric.timestamp, getattr(metric, FIELD)) is not None
    took = time.perf_counter() - started
    assert found == METRICS * MESSAGES
    return took


def _alone_s(number: int) -> float:
    """Time the host by itself, from bytes to readings."""
    host, arrival = Host(2_000, True, 262_144), Arrival(_MS, 1)
    for topic, said in _births():
        host.hear(topic, said, arrival)
    messages, topic = _messages(number), _TOPIC.format("DDATA")
    host.take()
    started = time.perf_counter()
    for said in messages:
        host.hear(topic, said, arrival)
    took = time.perf_counter() - started
    assert len(host.take().readings) == METRICS * MESSAGES
    return took


def _through(count: int) -> list[float]:
    """Give the rate of each round over a broker."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        broker = Broker(folder)
        agent = AgentProcess(folder, "bench", _SOURCE.format(url=broker.url))
        agent.start()
        agent.listen()
        client = mqtt.Client(CallbackAPIVersion.VERSION2)
        client.connect("127.0.0.1", broker.port)
        client.loop_start()
        try:
            rates = [count / _round_s(agent, client, number) for number in range(ROUNDS + 1)]
            agent.stop()
        finally:
            client.disconnect()
            client.loop_stop()
            agent.end()
            broker.stop()
    return rates[1:]


def _counted(agent: AgentProcess, key: str) -> int:
    (source,) = ask_door(agent.state_dir)["sources"]
    return int(source["counts"].get(key, 0))


def _round_s(agent: AgentProcess, client: mqtt.Client, number: int) -> float:
    """Time one round from the first message to the store; nothing may be lost on the way."""
    messages = _messages(number)
    for topic, said in _births():
        client.publish(topic, said)
    _wait(lambda: _counted(agent, "births") >= 2 * (number + 1))
    time.sleep(0.5)  # Until the certificates are stored, too.
    stored, before = _counted(agent, "stored"), _counted(agent, "received")
    topic = _TOPIC.format("DDATA")
    started = time.perf_counter()
    for place, said in enumerate(messages):
        client.publish(topic, said)
        if place % 100 == 99:  # A broker keeps no more than so many at QoS 0.
            _wait(lambda want=before + place - 400: _counted(agent, "received") >= want)  # type: ignore[misc]
    _wait(lambda: _counted(agent, "stored") >= stored + METRICS * MESSAGES)
    took = time.perf_counter() - started
    assert _counted(agent, "stored") == stored + METRICS * MESSAGES
    assert _counted(agent, "gaps") == 0
    return took


def _wait(until: Callable[[], bool]) -> None:
    ends = time.monotonic() + _S_MAX
    while not until():
        assert time.monotonic() < ends, "the agent did not come to it"
        time.sleep(0.005)
