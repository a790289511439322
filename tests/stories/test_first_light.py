"""First light: a real reading reaches another company, signed, and nothing acknowledged is lost."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.agents import AgentProcess, introduce, running
from tests.broker import Broker, Publisher
from tests.faults import kill

_HULIAN = [sys.executable, "-m", "gateway.cli"]
_ENGLISH = {**os.environ, "HULIAN_LANG": "en"}
_CONFIG = """
[[link]]
name = "consortium"
url = "{url}"
{source}
"""
_SOURCE = """
[[source]]
name = "meters"
type = "mqtt"
url = "{url}"
topics = ["load/#"]
device = "topic[1]"

[[route]]
devices = ["*"]
metrics = ["*"]
group = "partner"
"""


def test_the_demo_ends_with_what_the_other_factory_verified(
    figures: Callable[..., None],
) -> None:
    """Two factories, an MQTT machine, C code on a pty: what B holds equals what A stored."""
    start = time.monotonic()
    done = subprocess.run(
        [*_HULIAN, "demo", "--seconds", "20"], capture_output=True, check=False, env=_ENGLISH
    )
    told = done.stdout.decode()
    assert done.returncode == 0, told + done.stderr.decode()
    assert "C compiler" not in told
    sums = re.search(
        r"Heard (\d+), stored (\d+), acknowledged after fsync (\d+), rec.* (\d+);", told
    )
    assert sums is not None and len(set(sums.groups())) == 1, told
    assert f"the group: {sums[1]} readings, the same as Ace Metals stored: yes" in told
    assert told.count(" 0 invalid") == 2
    figures(demo_readings=int(sums[1]), demo_s=round(time.monotonic() - start, 1))


def test_the_demo_ends_well_on_ctrl_c() -> None:
    """Ctrl-C is answered with the summary, not with a stack trace."""
    demo = subprocess.Popen(
        [*_HULIAN, "demo"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=_ENGLISH
    )
    assert demo.stdout is not None
    told = b""
    for line in demo.stdout:
        told += line
        if b"press-7 says" in line:
            demo.send_signal(signal.SIGINT)
            break
    told += demo.stdout.read()
    assert demo.wait(30) == 0, told.decode()
    assert b"Traceback" not in told and b"stored: yes" in told


def test_what_was_acknowledged_reaches_the_other_company_through_kills(
    tmp_path: Path, figures: Callable[..., None]
) -> None:
    """Under load both gateways are killed again and again; then both hold each message once."""
    broker = Broker(tmp_path)
    agents = []
    for name, source in (("ace", _SOURCE.format(url=broker.url)), ("bolt", "")):
        (tmp_path / name).mkdir()
        config = _CONFIG.format(url=broker.url, source=source)
        agents.append(AgentProcess(tmp_path / name, name, config))
    shared = introduce(*agents)
    ace, bolt = agents
    machine = Publisher(broker.port, "load/press")
    with running(broker, *agents):
        for turn in range(6):
            for number in range(turn * 500, turn * 500 + 500):
                machine.publish(f'{{"n": {number}}}')
            victim = agents[turn % 2]
            victim.kill()
            victim.start()
        machine.finish()
        said = Counter(int(payload[6:-1]) for payload in machine.acknowledged())
        kill.settle(ace, list(said))
        _until_equal(bolt, said)
        checks = [_verified(each) for each in agents]
    held = [Counter(reading.value for reading in each.readings()) for each in agents]
    assert held[0] == held[1] == said
    assert not shared.founding.clear and len(said) == 3_000
    assert all(check["ok"] and check["invalid"] == 0 for check in checks)
    figures(acknowledged=len(said), lost=0, doubled=0, verified=checks[1]["checked"])


def _until_equal(agent: AgentProcess, said: Counter[int]) -> None:
    until = time.monotonic() + 60
    while agent.status()["store"]["readings"] < len(said):
        assert time.monotonic() < until, agent.log()
        time.sleep(0.2)


def _verified(agent: AgentProcess) -> dict[str, int]:
    done = subprocess.run(
        [*_HULIAN, "--config", agent.config, "verify", "--all", "--json"],
        capture_output=True,
        check=False,
    )
    found: dict[str, int] = json.loads(done.stdout)
    return found
