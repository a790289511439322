"""What of a core the agent takes at 1,000 readings a second, beside a bare paho-mqtt subscriber.

One publisher paces messages of one reading each at QoS 1 to both, in the same seconds; what each
process took is read from the kernel. The store is read afterwards: every reading is there.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks._device import Device, encode
from benchmarks._door import ask_door
from tests.agents import AgentProcess
from tests.broker import Broker

RATE = 1_000
SECONDS = 10
ROUNDS = 3
_TICK_S = 0.02
_SETTLE_S = 30.0
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
client.on_connect = lambda *_: client.subscribe("agent/+/state", 1)
client.on_subscribe = lambda *_: print("subscribed", flush=True)
client.connect("127.0.0.1", int(sys.argv[1]))
client.loop_forever()
"""


def run() -> list[str]:
    """Pace messages at both and compare the time of a core that each took."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        broker = Broker(folder)
        agent = AgentProcess(folder, "cpu", _SOURCE.format(url=broker.url))
        paho = subprocess.Popen(
            [sys.executable, "-c", _PAHO, str(broker.port)], stdout=subprocess.PIPE, text=True
        )
        try:
            assert paho.stdout is not None and paho.stdout.readline() == "subscribed\n"
            agent.start()
            agent.listen()
            rounds = [_round(agent, paho, broker, number) for number in range(ROUNDS)]
            agent.stop()
            assert len(agent.readings()) == ROUNDS * RATE * SECONDS
            return _told(rounds)
        finally:
            paho.kill()
            paho.wait(10)
            agent.end()
            broker.stop()


def _round(
    agent: AgentProcess, paho: "subprocess.Popen[str]", broker: Broker, number: int
) -> tuple[float, float]:
    """Give the share of a core that the agent and the bare subscriber took."""
    assert agent.process is not None
    before = _cpu_s(agent.process.pid), _cpu_s(paho.pid)
    started = time.perf_counter()
    device = Device(broker.port, f"device{number}")
    _pace(device)
    device.close()
    wanted = (number + 1) * RATE * SECONDS
    while ask_door(agent.state_dir)["counters"]["acknowledged"] < wanted:
        assert time.perf_counter() - started < SECONDS + _SETTLE_S, agent.log()
        time.sleep(0.1)
    took_s = time.perf_counter() - started
    after = _cpu_s(agent.process.pid), _cpu_s(paho.pid)
    return (after[0] - before[0]) / took_s, (after[1] - before[1]) / took_s


def _pace(device: Device) -> None:
    """Publish evenly, fifty times a second."""
    burst, started = int(RATE * _TICK_S), time.perf_counter()
    for tick in range(int(SECONDS / _TICK_S)):
        numbers = range(tick * burst, tick * burst + burst)
        messages = ((f"agent/press-{each % 20:02}/state", b"%d" % each) for each in numbers)
        device.publish_all(encode(messages), burst)
        time.sleep(max(0.0, started + (tick + 1) * _TICK_S - time.perf_counter()))


def _cpu_s(pid: int) -> float:
    """Read the seconds of a core that a process has taken (proc(5), stat: utime and stime)."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _told(rounds: list[tuple[float, float]]) -> list[str]:
    agent, paho = (statistics.median(shares) for shares in zip(*rounds, strict=True))
    ratio = statistics.median(ours / bare for ours, bare in rounds)
    return [
        f"{RATE} messages of one reading a second for {SECONDS} s, {ROUNDS} rounds, medians",
        f"agent: {agent:.0%} of a core, {ratio:.1f} of a bare paho-mqtt subscriber's {paho:.0%}",
        "bound: commits, one at least each 16 messages or commit_ms, and signing their records",
    ]
