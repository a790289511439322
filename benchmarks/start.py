"""How soon the agent answers after its start, and what memory it holds; beside Python with paho.

Timed from the start of the process until its door answers a question, with no store yet and with
100,000 records in it, each beside a Python process that imports paho-mqtt, connects and says so.
Resident memory is read from the kernel: at rest five seconds after the start, and the highest while
a broker's full queue is taken in.
"""

import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from benchmarks import _machine
from benchmarks._device import Device, encode
from benchmarks._door import ask_door
from gateway.clock import KernelClock, random_bytes
from gateway.readings import senml
from gateway.readings.reading import Provenance, Reading
from gateway.records import run as runs
from gateway.records.record import Kind, Said
from gateway.store import authoring, database, observations, state
from gateway.store.authoring import Author, Venue
from tests.agents import AgentProcess
from tests.broker import Broker

ROUNDS = 7
RECORDS = 100_000
COUNT = 100_000
_S_MAX = 60.0
_SOURCE = """
[[source]]
name = "plant"
type = "mqtt"
url = "{url}"
topics = ["agent/+/state"]
device = "topic[1]"
"""
_PAHO = """
import sys
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
client = mqtt.Client(CallbackAPIVersion.VERSION2)
client.on_connect = lambda *_: print("connected", flush=True)
client.connect("127.0.0.1", int(sys.argv[1]))
client.loop_forever()
"""


def run() -> list[str]:
    """Start each again and again in turn, then load the agent."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        broker = Broker(folder)
        try:
            return _measured(folder, broker)
        finally:
            broker.stop()


def _measured(folder: Path, broker: Broker) -> list[str]:
    full = _agent(folder / "full", broker)
    _start_s(full)  # It founds its own group, in which the records are.
    full.stop()
    _fill(full)
    took: dict[str, list[float]] = {"paho": [], "cold": [], "full": []}
    for number in range(ROUNDS):
        cold = _agent(folder / f"cold{number}", broker)
        took["paho"].append(_paho_s(broker))
        took["cold"].append(_start_s(cold))
        cold.stop()
        took["full"].append(_start_s(full))
        if number < ROUNDS - 1:
            full.stop()
    time.sleep(5)
    rest_mib = _memory_mib(full)
    peak_mib = _load(full, broker)
    full.stop()
    return [*_told_starts(took), *_told_memory(_paho_mib(broker), rest_mib, peak_mib)]


def _agent(folder: Path, broker: Broker) -> AgentProcess:
    folder.mkdir()
    return AgentProcess(folder, folder.name, _SOURCE.format(url=broker.url))


def _start_s(agent: AgentProcess) -> float:
    """Time a start until the door has answered."""
    started = time.perf_counter()
    agent.start()
    while time.perf_counter() - started < _S_MAX:
        with suppress(OSError):
            assert ask_door(agent.state_dir)["state"] == "running"
            return time.perf_counter() - started
        time.sleep(0.002)
    raise AssertionError(agent.log())


def _start_paho(broker: Broker) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", _PAHO, str(broker.port)]
    paho = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert paho.stdout is not None
    assert paho.stdout.readline() == "connected\n"
    return paho


def _paho_s(broker: Broker) -> float:
    started = time.perf_counter()
    paho = _start_paho(broker)
    took_s = time.perf_counter() - started
    paho.kill()
    paho.wait(10)
    return took_s


def _paho_mib(broker: Broker) -> float:
    paho = _start_paho(broker)
    time.sleep(1)
    mib = _machine.resident_mib(paho.pid)
    paho.kill()
    paho.wait(10)
    return mib


def _fill(agent: AgentProcess) -> None:
    """Put records into a store by the store's own code, a thousand in a commit."""
    db = database.connect(str(agent.state_dir / "store.db"))
    author, venue = _author(agent)
    for first in range(0, RECORDS, 1000):
        with db:
            for number in range(first, first + 1000):
                _say(db, author, venue, number)
    db.close()


def _author(agent: AgentProcess) -> tuple[Author, Venue]:
    """Start a run of the stopped agent's node, which writes in its own group."""
    held = state.load(agent.state_dir)
    own = held.groups[state.OWN]
    run_of_it = runs.start(held.node_key, held.node, held.encryption, random_bytes(32))
    author = Author(run_of_it, KernelClock().now, random_bytes)
    return author, Venue(own.id, own.roster.hash)


def _say(db: database.Connection, author: Author, venue: Venue, number: int) -> None:
    reading = Reading(f"press-{number % 20:02}", "temp_c", 20.5, "", 1_795_262_400_000 + number)
    (pack,) = senml.encode([reading], Provenance.GATEWAY_ATTESTED)
    said = Said(Kind.OBSERVATION, pack.encoded, senml.CONTENT_TYPE)
    observations.keep(db, authoring.say(db, author, venue, said), pack.spans)


def _memory_mib(agent: AgentProcess) -> float:
    assert agent.process is not None
    return _machine.resident_mib(agent.process.pid)


def _load(agent: AgentProcess, broker: Broker) -> float:
    """Fill the broker's queue while the agent is halted; give the most it holds while it takes."""
    assert agent.process is not None
    agent.listen()
    wanted = ask_door(agent.state_dir)["counters"]["acknowledged"] + COUNT
    agent.process.send_signal(signal.SIGSTOP)
    device = Device(broker.port, "device")
    messages = ((f"agent/press-{each % 20:02}/state", b"%d" % each) for each in range(COUNT))
    device.publish_all(encode(messages), COUNT)
    device.close()
    agent.process.send_signal(signal.SIGCONT)
    peak_mib, started = 0.0, time.perf_counter()
    while ask_door(agent.state_dir)["counters"]["acknowledged"] < wanted:
        assert time.perf_counter() - started < _S_MAX, agent.log()
        peak_mib = max(peak_mib, _memory_mib(agent))
        time.sleep(0.02)
    return peak_mib


def _told_starts(took: dict[str, list[float]]) -> list[str]:
    lines = [
        f"{ROUNDS} interleaved rounds, medians",
        f"Python with paho-mqtt until connected: {statistics.median(took['paho']):.2f} s",
    ]
    for name, what in (("cold", "no store yet"), ("full", f"{RECORDS} records")):
        ratio = statistics.median(
            ours / paho for ours, paho in zip(took[name], took["paho"], strict=True)
        )
        seconds = statistics.median(took[name])
        lines.append(f"agent until its door answers, {what}: {seconds:.2f} s, {ratio:.1f} of paho")
    return lines


def _told_memory(paho_mib: float, rest_mib: float, peak_mib: float) -> list[str]:
    return [
        f"resident, Python with paho-mqtt: {paho_mib:.0f} MiB",
        f"resident, agent at rest: {rest_mib:.0f} MiB, {rest_mib / paho_mib:.1f} of paho",
        f"resident, agent, most while it took {COUNT} messages: {peak_mib:.0f} MiB,"
        f" {peak_mib / paho_mib:.1f} of paho",
        "bound: imports, of the start; libraries and their code, of the memory",
    ]
