"""Kill -9 of the real agent while the real device speaks: promise 1 and promise 3 on a line."""

import random
import time
from pathlib import Path

from tests.agents import AgentProcess
from tests.bridge_c import build_device
from tests.on_a_line import reading_of, running

_KILLS, _SEED = 20, 17
_SOURCE = """
[[source]]
name = "mcu-7"
type = "framed"
url = "serial://{path}?baud=115200"
"""


def test_what_a_device_was_acknowledged_survives_kills(tmp_path: Path) -> None:
    """Twenty kills at random instants: each sample is in the store once, and none out of order."""
    dice = random.Random(_SEED)
    line = tmp_path / "tty"
    agent = AgentProcess(tmp_path, "killed", _SOURCE.format(path=line))
    options = ("--pty", "--period-ms", "5", "--ring", "4096")
    with running(build_device(tmp_path), line, *options) as device:
        for _ in range(_KILLS):
            agent.start()
            time.sleep(dice.random())
            acknowledged = device.said("acknowledged")
            agent.kill()
            stored = [(it.metric, it.value) for it in agent.readings()]
            assert stored == [reading_of(number) for number in range(len(stored))]
            assert len(acknowledged) <= len(stored), f"seed {_SEED}: acknowledged and not stored"
    assert len(stored) > 100
    assert {it.device for it in agent.readings()} == {"mcu-7"}
