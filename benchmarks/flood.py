"""What a flood on one source does to another: the quiet one's way to its commit, and the memory.

Two sources of one agent, each with its own session on one broker. A device publishes 20 messages a
second at QoS 1 to the quiet one, and a reader of the store, as a second process has it, takes the
time at which it sees each message's record: that is after the fsynced commit. The other source is
silent, or its session's queue in the broker is never empty, so that the broker gives what it can.

Shown with the default `commit_ms`, and with 1, where no waiting for company hides the flood.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import _machine
from benchmarks._device import Device, encode
from benchmarks._door import ask_door
from gateway.readings import senml
from gateway.records.record import SALT_BYTES
from gateway.store import database
from tests.agents import AgentProcess
from tests.broker import Broker

ROUNDS = 3
COUNT = 300  # quiet messages a round
_EVERY_S = 0.05
_LEFT_S_MAX = 30.0
_SOURCES = """
[[source]]
name = "quiet"
type = "mqtt"
url = "{url}"
topics = ["quiet/+"]
device = "topic[0]"

[[source]]
name = "loud"
type = "mqtt"
url = "{url}"
topics = ["loud/+/state"]
device = "topic[1]"
"""


class Measured:
    """What one setting of the agent showed."""

    def __init__(self) -> None:
        self.silent_ms: list[float] = []
        self.flooded_ms: list[float] = []
        self.ratios: list[float] = []
        self.rates: list[float] = []
        self.resident_mib: list[list[float]] = []


class Quiet:
    """The quiet device, and the reader that sees what became of what it said."""

    def __init__(self, agent: AgentProcess, broker: Broker) -> None:
        assert agent.process is not None
        self._process = agent.process.pid
        self._device = Device(broker.port, "quiet-device")
        self._reader = database.connect_to_read(str(agent.state_dir / "store.db"))
        self._seen, self._version = 0, object()
        self._sent_at: dict[int, float] = {}
        self._said = 0
        self.latencies_ms: list[float] = []
        self.resident_mib: list[float] = []

    def speak(self) -> list[float]:
        """Publish a round of messages and wait for them; give how long each was on its way."""
        self.latencies_ms, self.resident_mib = [], []
        started = time.perf_counter()
        for number in range(COUNT):
            while time.perf_counter() < started + number * _EVERY_S:
                self._look()
            self._sent_at[self._said] = time.perf_counter()
            self._device.send(encode([("quiet/n", b'{"n": %d}' % self._said)]))
            self._said += 1
            if number % 20 == 0:
                self.resident_mib.append(_machine.resident_mib(self._process))
        until = time.perf_counter() + _LEFT_S_MAX
        while self._sent_at:
            assert time.perf_counter() < until, f"{len(self._sent_at)} never came"
            self._look()
        return self.latencies_ms

    def _look(self) -> None:
        """See what has been committed since the last look, a thousand times a second."""
        time.sleep(0.001)
        version = self._reader.pragma("data_version")
        if version == self._version:
            return
        self._version = version
        rows: list[tuple[int, bytes]] = self._reader.execute(
            "SELECT r.place, r.body FROM observations o JOIN records r ON r.place = o.place"
            " WHERE o.device = 'quiet' AND o.place > ? ORDER BY o.place",
            (self._seen,),
        ).fetchall()  # type: ignore[assignment] # The schema is STRICT.
        now = time.perf_counter()
        for place, body in rows:
            self._seen = place
            for reading in senml.decode(body[SALT_BYTES:]):
                sent_at = self._sent_at.pop(int(reading.value))
                self.latencies_ms.append((now - sent_at) * 1000)

    def close(self) -> None:
        """Leave."""
        self._device.close()
        self._reader.close()


def run() -> list[str]:
    """Measure with the default setting and with the hardest."""
    lines = [f"quiet: {COUNT} messages a round, {ROUNDS} interleaved rounds of silence and flood"]
    for commit_ms in (200, 1):
        lines += _told(commit_ms, _measure(commit_ms))
    lines.append(
        "bound, of a silent neighbour: commit_ms; of a flood: two cores for five processes"
    )
    return lines


def _measure(commit_ms: int) -> Measured:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        broker = Broker(folder)
        agent = AgentProcess(folder, "flooded", _SOURCES.format(url=broker.url))
        text = agent.config.read_text("utf-8")
        agent.config.write_text(text.replace("commit_ms = 50", f"commit_ms = {commit_ms}"), "utf-8")
        agent.start()
        try:
            agent.listen()
            measured = _rounds(agent, broker)
            agent.stop()
        finally:
            agent.end()
            broker.stop()
    return measured


def _rounds(agent: AgentProcess, broker: Broker) -> Measured:
    measured, quiet = Measured(), Quiet(agent, broker)
    quiet.speak()  # for warmth
    for _ in range(ROUNDS):
        silent_ms = quiet.speak()
        flooder = _start_flood(agent, broker)
        started = time.perf_counter()
        try:
            flooded_ms = quiet.speak()
        finally:
            sent, _ = flooder.communicate()
        measured.rates.append(int(sent) / (time.perf_counter() - started))
        measured.resident_mib.append(quiet.resident_mib)
        measured.silent_ms += silent_ms
        measured.flooded_ms += flooded_ms
        measured.ratios.append(_p99(flooded_ms) / _p99(silent_ms))
        _settle(agent)
    quiet.close()
    return measured


def _start_flood(agent: AgentProcess, broker: Broker) -> "subprocess.Popen[str]":
    """Start the flood, and wait until it is there."""
    command = [sys.executable, "-m", "benchmarks._flooder", str(broker.port), str(agent.state_dir)]
    flooder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    time.sleep(1.5)
    return flooder


def _settle(agent: AgentProcess) -> None:
    """Wait until the backlog is taken in."""
    counts = None
    while counts != (counts := ask_door(agent.state_dir)["counters"]):
        time.sleep(0.5)


def _p99(latencies_ms: list[float]) -> float:
    return statistics.quantiles(latencies_ms, n=100)[98]


def _told(commit_ms: int, measured: Measured) -> list[str]:
    resident = [mib for each in measured.resident_mib for mib in each]
    grown = [each[-1] - each[0] for each in measured.resident_mib]
    lines = [
        f"commit_ms {commit_ms}, neighbour {name}: from publish to commit median"
        f" {statistics.median(latencies_ms):.1f} ms, p99 {_p99(latencies_ms):.1f} ms"
        for name, latencies_ms in (
            ("silent", measured.silent_ms),
            ("flooded", measured.flooded_ms),
        )
    ]
    ratio = _p99(measured.flooded_ms) / _p99(measured.silent_ms)
    each = ", ".join(f"{one:.2f}" for one in measured.ratios)
    return [
        *lines,
        f"commit_ms {commit_ms}: p99 ratio {ratio:.2f} (rounds: {each}), to stay within 2,"
        f" under {statistics.median(measured.rates):.0f} messages/s",
        f"commit_ms {commit_ms}: agent's memory in the flood {min(resident):.0f} to"
        f" {max(resident):.0f} MiB, from begin to end of a flood at most {max(grown):+.1f} MiB",
    ]
