"""`hulian test`: bytes beside readings, and neither store, session nor device any different."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.agents import AgentProcess
from tests.bridge_c import build_device
from tests.broker import Broker, Publisher
from tests.on_a_line import heard, listening, reading_of, running, until, wired
from tests.station import Station

_HULIAN = (sys.executable, "-m", "gateway.cli")
_METERS = """
[[source]]
name = "meters"
type = "mqtt"
url = "{url}"
topics = ["{topic}"]
device = "topic[1]"

[[source.metric]]
name = "temperature"
path = "env.temp_c"
unit = "Cel"
"""
_LINE = '[[source]]\nname = "mcu-7"\ntype = "framed"\nurl = "serial://{path}?baud=115200"\n'


class Trial:
    """`hulian test` as a child process."""

    def __init__(self, config: Path, *options: str) -> None:
        command = (*_HULIAN, "--config", str(config), "test", "--json", *options)
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def ended(self) -> tuple[int, list[dict[str, Any]]]:
        """Give its status, and what it says of each source."""
        out, error = self.process.communicate(timeout=60)
        assert b"Traceback" not in error
        return self.process.returncode, json.loads(out)["sources"] if out else []

    def has_ended(self) -> bool:
        """Say whether it has ended."""
        return self.process.poll() is not None


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """Give a real mosquitto."""
    started = Broker(tmp_path)
    yield started
    started.stop()


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the real C device."""
    return build_device(tmp_path_factory.mktemp("device"))


def _speak(publisher: Publisher, trial: Trial, first: int) -> int:
    """Publish until a trial has ended; give the next number."""
    number = first
    while not trial.has_ended():
        publisher.publish(f'{{"env": {{"temp_c": {number}}}}}')
        number += 1
        time.sleep(0.02)
    return number


def test_a_trial_takes_nothing_from_a_running_agent(broker: Broker, tmp_path: Path) -> None:
    """Agent and trial both hear; the agent stores all of it once over its one connection."""
    agent = AgentProcess(tmp_path, "press-shop", _METERS.format(url=broker.url, topic="load/+"))
    agent.start()
    agent.listen()
    publisher = Publisher(broker.port, "load/press-7")
    trial = Trial(agent.config, "--seconds", "2")
    count = _speak(publisher, trial, 0)
    status, (said,) = trial.ended()
    publisher.finish()
    until_ = time.monotonic() + 10
    while agent.status()["counters"]["stored"] < count and time.monotonic() < until_:
        time.sleep(0.05)
    agent.stop()
    assert (status, said["error"], said["heard"] > 0) == (0, None, True)
    (sample,) = said["samples"]
    (reading,) = sample["readings"]
    assert bytes.fromhex(sample["hex"]).decode() == sample["text"]
    assert (reading["device"], reading["metric"], reading["unit"]) == (
        *("press-7", "temperature", "Cel"),
    )
    assert json.loads(sample["text"])["env"]["temp_c"] == reading["value"]
    assert [reading.value for reading in agent.readings()] == list(range(count))
    assert agent.log().count("closed the connection") == 0


def test_a_trial_leaves_to_the_agent_what_waits_for_it(broker: Broker, tmp_path: Path) -> None:
    """What the broker keeps for a stopped agent, a trial meanwhile does not take from it."""
    agent = AgentProcess(
        tmp_path, "press-shop", _METERS.format(url=broker.url, topic="$share/all/load/+")
    )
    agent.start()
    agent.listen()
    agent.stop()
    publisher = Publisher(broker.port, "load/press-7")
    trial = Trial(agent.config, "--seconds", "1.5")
    count = _speak(publisher, trial, 0)
    publisher.finish()
    status, (said,) = trial.ended()
    assert (status, said["heard"] > 0) == (0, True)
    assert agent.readings() == []
    agent.start()
    until_ = time.monotonic() + 10
    while agent.status()["counters"]["stored"] < count and time.monotonic() < until_:
        time.sleep(0.05)
    agent.stop()
    assert [reading.value for reading in agent.readings()] == list(range(count))


def test_what_cannot_be_read_is_shown_with_its_code(broker: Broker, tmp_path: Path) -> None:
    """One machine's bad payload is shown beside another's good one; kept messages are told."""
    config = tmp_path / "gateway.toml"
    source = _METERS.format(url=broker.url, topic="load/+")
    config.write_text(f'[gateway]\nname = "a"\nstate_dir = "{tmp_path}/none"\n{source}')
    machines = [Publisher(broker.port, f"load/{name}") for name in ("good", "bad")]
    trial = Trial(config, "--seconds", "2")
    while not trial.has_ended():
        machines[0].publish('{"env": {"temp_c": 1}}')
        machines[1].publish("\x1b[31m no JSON")
        time.sleep(0.05)
    status, (said,) = trial.ended()
    for machine in machines:
        machine.finish()
    assert (status, said["ok"]) == (1, False)
    found = {sample["origin"]: sample for sample in said["samples"]}
    assert [each["code"] for each in found["load/bad"]["errors"]] == ["payload.json"]
    assert (found["load/bad"]["text"], found["load/bad"]["readings"]) == (None, [])
    assert found["load/good"]["readings"][0]["value"] == 1
    assert not (tmp_path / "none").exists()


def test_a_silent_source_and_one_out_of_reach_are_told_apart(
    broker: Broker, tmp_path: Path
) -> None:
    """Nothing heard, no broker, no password file and no line each have their own code."""
    config = tmp_path / "gateway.toml"
    sources = _METERS.format(url=broker.url, topic="load/+")
    for name, more in (
        ("far", 'url = "mqtt://127.0.0.1:9"\n'),
        ("locked", f'url = "{broker.url}"\nusername = "u"\npassword_file = "{tmp_path}/no"\n'),
    ):
        sources += f'\n[[source]]\nname = "{name}"\ntype = "mqtt"\ntopics = ["a"]\n{more}'
    sources += _LINE.format(path=tmp_path / "nothing")
    config.write_text(f'[gateway]\nname = "a"\nstate_dir = "{tmp_path}/none"\n{sources}')
    status, said = Trial(config, "--seconds", "1").ended()
    assert status == 1
    codes = [each["error"]["code"] for each in said]
    assert codes == ["source.silent", "source.unreachable", "config.password-file", "serial.absent"]
    assert Trial(config, "nobody").ended() == (2, [])


def test_a_trial_of_a_device_acknowledges_nothing(program: Path, tmp_path: Path) -> None:
    """The device's own samples are shown, and the agent gets all of them afterwards."""
    station = Station(tmp_path)

    async def story() -> tuple[int, list[dict[str, Any]]]:
        config = tmp_path / "gateway.toml"
        async with wired(tmp_path) as wire:
            source = _LINE.format(path=wire.link)
            config.write_text(f'[gateway]\nname = "a"\nstate_dir = "{tmp_path}/none"\n{source}')
            options = ("--count", "40", "--period-ms", "20")
            with running(program, wire.device, *options) as device:
                trial = Trial(config, "--seconds", "2")
                await until(trial.has_ended, 30)
                assert device.said("acknowledged") == []
                async with listening(station, wire.link):
                    await until(device.gone)
                    busy = Trial(config, "--seconds", "1")
                    await until(busy.has_ended, 30)
        _, (refused,) = busy.ended()
        assert refused["error"]["code"] == "serial.busy"
        return trial.ended()

    status, (said,) = asyncio.run(story())
    station.close()
    assert (status, said["error"]) == (0, None)
    readings = [reading for sample in said["samples"] for reading in sample["readings"]]
    assert {reading["metric"] for reading in readings} == {"strokes", "temperature"}
    assert {reading["device"] for reading in readings} == {"mcu-7"}
    assert heard(station) == [reading_of(number) for number in range(40)]


def test_a_line_of_the_running_agent_is_said_to_be_its_own(program: Path, tmp_path: Path) -> None:
    """While the agent reads a line, a trial says so, and the agent loses nothing."""

    async def story() -> None:
        async with wired(tmp_path) as wire:
            agent = AgentProcess(tmp_path, "press-shop", _LINE.format(path=wire.link))
            with running(program, wire.device, "--count", "60", "--period-ms", "50") as device:
                await asyncio.to_thread(agent.start)
                await asyncio.to_thread(agent.listen)
                trial = Trial(agent.config, "--seconds", "1")
                await until(trial.has_ended, 30)
                assert trial.ended()[1][0]["error"]["code"] == "serial.agent"
                await until(device.gone)
            await asyncio.to_thread(agent.stop)
            assert [reading.metric for reading in agent.readings()] == [
                reading_of(number)[0] for number in range(60)
            ]

    asyncio.run(story())
