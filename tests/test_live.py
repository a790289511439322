"""`hulian live` and `hulian test` over every type of source at once, on real peers."""

import asyncio
import json
import os
import pty
import subprocess
import tty
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.agents import HULIAN, AgentProcess
from tests.bridge_c import build_device
from tests.broker import Broker, Publisher
from tests.modbus_peer import units
from tests.on_a_line import running, wired
from tests.stranger import Stranger

_SOURCES = """
[[source]]
name = "meters"
type = "mqtt"
url = "{broker}"
topics = ["load/+"]
device = "topic[1]"

[[source]]
name = "plant"
type = "sparkplug"
url = "{broker}"

[[source]]
name = "press-1"
type = "modbus"
url = "{modbus}"
unit_id = 3
poll_ms = 100

[[source.metric]]
name = "strokes"
register = "holding:0"

[[source]]
name = "mcu-7"
type = "framed"
url = "serial://{framed}"

[[source]]
name = "scale"
type = "serial"
url = "serial://{serial}"

[source.framing]
by = "delimiter"
end = "\\n"

[[source.metric]]
name = "weight"
field = 0
"""
DEVICES = {"press-7", "plant/line-1/press-1", "press-1", "mcu-7", "scale"}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the real C device."""
    return build_device(tmp_path_factory.mktemp("device"))


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """Give a real mosquitto."""
    started = Broker(tmp_path)
    yield started
    started.stop()


@asynccontextmanager
async def _instrument() -> AsyncIterator[str]:
    """Give a line on which a scale goes on telling its weight."""
    master, slave = pty.openpty()
    tty.setraw(slave)

    async def speak() -> None:
        while True:
            os.write(master, b"12.5\n")
            await asyncio.sleep(0.05)

    os.set_blocking(master, False)
    task = asyncio.create_task(speak())
    try:
        yield os.ttyname(slave)
    finally:
        task.cancel()
        await asyncio.wait((task,))
        os.close(master)
        os.close(slave)


@asynccontextmanager
async def _machines(broker: Broker, program: Path, folder: Path) -> AsyncIterator[str]:
    """Run one machine of each kind; give the sources that hear them."""
    publisher, edge = (
        Publisher(broker.port, "load/press-7"),
        Stranger("edge_by_pysparkplug", broker.port),
    )
    edge.do("connect")

    async def speak() -> None:
        number = 0
        while True:
            number += 1
            publisher.publish(f'{{"load": {number}}}')
            edge.tell(do="alias", alias=11, value=number)
            await asyncio.sleep(0.1)

    async with units("tcp", folder, 3) as bus, wired(folder) as wire, _instrument() as line:
        task = asyncio.create_task(speak())
        with running(program, wire.device, "--count", "1000", "--period-ms", "50"):
            try:
                yield _SOURCES.format(
                    broker=broker.url, modbus=bus.url, framed=wire.link, serial=line
                )
            finally:
                task.cancel()
                await asyncio.wait((task,))
                publisher.finish()
                edge.close()


def test_live_and_test_show_every_type_of_source(
    broker: Broker, program: Path, tmp_path: Path
) -> None:
    """A reading of each device is tried before there is an agent, and passes `live` later."""

    async def story() -> None:
        async with _machines(broker, program, tmp_path) as sources:
            agent = AgentProcess(tmp_path, "press-shop", sources)
            command = [*HULIAN, "--config", str(agent.config)]
            words = (*command, "test", "--json", "--seconds", "4")
            tried = await asyncio.create_subprocess_exec(*words, stdout=subprocess.PIPE)
            found = json.loads((await tried.communicate())[0])["sources"]
            assert {one["type"] for one in found if one["heard"]} == {
                *("mqtt", "sparkplug", "modbus", "framed", "serial"),
            }
            await asyncio.to_thread(agent.start)
            live = await asyncio.create_subprocess_exec(
                *command, "live", "--json", stdout=subprocess.PIPE
            )
            seen: dict[str, dict[str, Any]] = {}
            try:
                await asyncio.wait_for(_hear(live, seen), 30)
            finally:
                live.kill()
                await live.wait()
                await asyncio.to_thread(agent.stop)
            assert seen["scale"]["value"] == 12.5

    asyncio.run(story())


async def _hear(live: asyncio.subprocess.Process, seen: dict[str, dict[str, Any]]) -> None:
    assert live.stdout is not None
    while not seen.keys() >= DEVICES:
        row = json.loads(await live.stdout.readline())
        if "device" in row:
            seen[row["device"]] = row
