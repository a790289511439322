"""Readings a second from a real broker into the fsynced store, acknowledged; beside bare paho.

Each subscriber is halted (SIGSTOP) while the broker's queue for its persistent session is filled,
and timed from SIGCONT: so nobody publishes while it is timed, and the broker hands over as fast as
it is acknowledged. The agent is done when a reader of its store sees every reading and its status
says that all is acknowledged; the bare subscriber, when its callback was called for the last time.
"""

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks._device import Device, encode
from benchmarks._door import ask_door
from gateway.readings.reading import Value
from gateway.store import database
from tests.agents import AgentProcess
from tests.broker import Broker

ROUNDS = 7
COUNT = 30_000
_DEVICES = 20
_START_MS = 1_795_262_400_000
_S_MAX = 120.0
Heard = tuple[str, int | None, Value]
_SOURCE = """
[[source]]
name = "plant"
type = "mqtt"
url = "{url}"
topics = ["agent/+/state"]
device = "topic[1]"
time = "ts"

[[source.metric]]
name = "temperature"
path = "temp_c"
unit = "Cel"
"""


def run() -> list[str]:
    """Time both in turn, and count what is in the store."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        broker = Broker(folder)
        agent = AgentProcess(folder, "bench", _SOURCE.format(url=broker.url))
        agent.start()
        agent.listen()  # From here on the broker keeps what comes for it.
        bare = _start_bare(broker)
        try:
            rates = _measure(broker, agent, bare)
            agent.stop()
        finally:
            bare.kill()
            agent.end()
            broker.stop()
        _check(agent)
        return _told(rates)


def _measure(
    broker: Broker, agent: AgentProcess, bare: "subprocess.Popen[str]"
) -> list[tuple[float, float]]:
    """Give the rate of agent and bare subscriber in each round; who is first alternates."""
    device = Device(broker.port, "device")
    rates: list[tuple[float, float]] = []
    for number in range(ROUNDS + 1):
        if number % 2:
            agent_s = _agent_s(agent, device, number)
            bare_s = _bare_s(bare, device, number)
        else:
            bare_s = _bare_s(bare, device, number)
            agent_s = _agent_s(agent, device, number)
        rates.append((COUNT / agent_s, COUNT / bare_s))
    device.close()
    return rates[1:]  # The first round warmed both up.


def _agent_s(agent: AgentProcess, device: Device, number: int) -> float:
    """Time the agent from a full queue until all of it is stored, fsynced and acknowledged."""
    assert agent.process is not None
    wanted = (number + 1) * COUNT
    reader = database.connect_to_read(str(agent.state_dir / "store.db"))
    _halt_and_fill(agent.process.pid, device, "agent", number)
    started = time.perf_counter()
    os.kill(agent.process.pid, signal.SIGCONT)
    while _stored(reader) < wanted:
        _wait(started)
    reader.close()
    while ask_door(agent.state_dir)["counters"]["acknowledged"] < wanted:
        _wait(started)
    return time.perf_counter() - started


def _bare_s(bare: "subprocess.Popen[str]", device: Device, number: int) -> float:
    """Time the bare subscriber from a full queue until its callback had all of it."""
    assert bare.stdout is not None
    _halt_and_fill(bare.pid, device, "other", number)
    started = time.perf_counter()
    os.kill(bare.pid, signal.SIGCONT)
    assert bare.stdout.readline() == f"{COUNT}\n"
    return time.perf_counter() - started


def _halt_and_fill(process: int, device: Device, first_level: str, number: int) -> None:
    """Stop a subscriber and fill its queue; its session is already there."""
    os.kill(process, signal.SIGSTOP)
    messages = (
        (f"{first_level}/press-{each % _DEVICES:02}/state", _payload(number * COUNT + each))
        for each in range(COUNT)
    )
    device.publish_all(encode(messages), COUNT)


def _payload(number: int) -> bytes:
    return b'{"ts": %d, "temp_c": %d.5}' % (_START_MS + number, number)


def _stored(reader: database.Connection) -> int:
    """Count readings as a second process sees them: those of commits that are done."""
    count: int = reader.execute("SELECT value FROM totals WHERE name = 'readings'").get
    return count


def _wait(started: float) -> None:
    assert time.perf_counter() - started < _S_MAX, "not done in time"
    time.sleep(0.005)


def _start_bare(broker: Broker) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "benchmarks._bare", str(broker.port), "other/+/state"]
    bare = subprocess.Popen([*command, str(COUNT)], stdout=subprocess.PIPE, text=True)
    assert bare.stdout is not None
    assert bare.stdout.readline() == "ready\n"
    return bare


def _check(agent: AgentProcess) -> None:
    """Read the whole store: every reading must be there, once, and nothing else."""
    total = (ROUNDS + 1) * COUNT
    found = Counter[Heard]((each.device, each.time_ms, each.value) for each in agent.readings())
    wanted = Counter[Heard](
        (f"press-{each % COUNT % _DEVICES:02}", _START_MS + each, each + 0.5)
        for each in range(total)
    )
    assert found == wanted, f"{len(wanted - found)} lost, {len(found - wanted)} too many"


def _told(rates: list[tuple[float, float]]) -> list[str]:
    ratios = sorted(agent / bare for agent, bare in rates)
    agent_rate = statistics.median(agent for agent, _ in rates)
    bare_rate = statistics.median(bare for _, bare in rates)
    return [
        f"{ROUNDS} interleaved rounds of {COUNT} messages of one reading, after a first for warmth",
        f"agent: {agent_rate:.0f} readings/s stored, signed, fsynced and acknowledged (median)",
        f"bare paho-mqtt: {bare_rate:.0f} messages/s thrown away (median)",
        f"ratio {statistics.median(ratios):.2f} (median; {ratios[0]:.2f} to {ratios[-1]:.2f}),"
        f" to reach 0.5, aim 1.5",
        f"in the store: {(ROUNDS + 1) * COUNT} of {(ROUNDS + 1) * COUNT} readings, each once",
        "bound: the subscriber's one core of Python; the broker's queue was filled before",
    ]
