"""Publishing to machines behind a real broker: what it took, what it did not, what nobody knows."""

import asyncio
import signal
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from gateway.config import MqttPoint, MqttSource
from gateway.errors import (
    BeyondLimits,
    MachineAway,
    MachineRefused,
    OtherValue,
    Unsure,
)
from gateway.sources.mqtt import MqttListener
from gateway.sources.source import Moved, Moves
from tests.broker import Broker
from tests.on_a_line import until
from tests.station import Station, now

Scene = Callable[["Oven", MqttListener, Broker], Awaitable[None]]


class Oven:
    """A machine that hears its set-point, and shows what it makes of it."""

    def __init__(self, port: int, shows: Callable[[float], float | None]) -> None:
        self.heard: list[tuple[str, int, bool]] = []
        self._shows = shows
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        self.client.on_message = self._on_message
        self.client.on_connect = lambda client, *_: client.subscribe("oven/set", 1)
        ready = threading.Event()
        self.client.on_subscribe = lambda *_: ready.set()
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert ready.wait(10)

    def _on_message(self, client: mqtt.Client, _: object, said: mqtt.MQTTMessage) -> None:
        self.heard.append((said.payload.decode(), said.qos, bool(said.retain)))
        shown = self._shows(float(said.payload))
        if shown is not None:
            client.publish("state/oven", f'{{"temperature": {shown}}}', 1)

    def leave(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    """Give a real store."""
    made = Station(tmp_path)
    yield made
    made.close()


def play(
    folder: Path,
    station: Station,
    scene: Scene,
    shows: Callable[[float], float | None] = lambda said: said,
    **said: Any,
) -> Oven:
    """Run a broker, a machine and a source with one point, and a scene with them."""
    broker = Broker(folder)
    oven = Oven(broker.port, shows)
    told = {"name": "p", "topic": "oven/set", "min": 0, "max": 200, "wait_ms": 1500, **said}
    config = MqttSource(
        name="oven",
        url=broker.url,
        topics=("state/#",),
        client_id="oven-source",
        point=(msgspec.convert(told, MqttPoint),),
    )

    async def played() -> None:
        listener = MqttListener(config, station.intake("oven"), now, 20)
        task = asyncio.create_task(listener.run())
        try:
            await until(lambda: listener.state == "connected")
            await scene(oven, listener, broker)
        finally:
            if broker.process.poll() is None:
                broker.process.send_signal(signal.SIGCONT)
            task.cancel()
            await asyncio.wait({task})

    try:
        asyncio.run(played())
    finally:
        oven.leave()
        broker.stop()
    return oven


def test_a_message_is_published_once_and_not_retained(tmp_path: Path, station: Station) -> None:
    """QoS 1, retain false; without a readback the outcome says only that the broker took it."""

    async def scene(oven: Oven, it: MqttListener, broker: Broker) -> None:
        assert isinstance(it, Moves)
        assert await it.move("p", 80) == Moved(None)
        await until(lambda: len(oven.heard) == 1)
        late = Oven(broker.port, lambda _: None)
        await asyncio.sleep(0.2)
        late.leave()
        assert late.heard == [], "a retained command would be obeyed by who comes later"

    assert play(tmp_path, station, scene).heard == [("80", 1, False)]


def test_what_the_machine_shows_is_read_back(tmp_path: Path, station: Station) -> None:
    """With a readback the next readings are looked at until one is what was told."""

    async def scene(_oven: Oven, it: MqttListener, _broker: Broker) -> None:
        assert await it.move("p", 80.5) == Moved(80.5)

    play(tmp_path, station, scene, readback="temperature")


def test_a_machine_that_shows_something_else_is_told_of(tmp_path: Path, station: Station) -> None:
    """What it shows stands beside what it was told; one that shows nothing leaves it unsure."""

    async def scene(_oven: Oven, it: MqttListener, _broker: Broker) -> None:
        with pytest.raises(OtherValue) as other:
            await it.move("p", 80)
        assert other.value.facts["found"] == 60
        with pytest.raises(Unsure, match="showed nothing"):
            await it.move("p", 20)

    shows: Callable[[float], float | None] = lambda said: 60 if said > 60 else None  # noqa: E731
    play(tmp_path, station, scene, shows, readback="temperature", wait_ms=300)


def test_a_step_is_taken_from_what_was_shown_last(tmp_path: Path, station: Station) -> None:
    """While nothing was shown it goes nowhere; then at most one step."""

    async def scene(oven: Oven, it: MqttListener, _broker: Broker) -> None:
        with pytest.raises(BeyondLimits, match="nobody knows"):
            await it.move("p", 10)
        oven.client.publish("state/oven", '{"temperature": 15}', 1)
        await until(lambda: it.counts["stored"] == 1)
        assert await it.move("p", 20) == Moved(20)
        with pytest.raises(BeyondLimits, match="at most 10 at once"):
            await it.move("p", 31)

    oven = play(tmp_path, station, scene, readback="temperature", step=10)
    assert [said for said, _, _ in oven.heard] == ["20"]


def test_a_template_holds_the_value(tmp_path: Path, station: Station) -> None:
    """The payload is the template with JSON's number in it; beyond limits nothing is published."""
    told: list[str] = []

    async def scene(oven: Oven, it: MqttListener, _broker: Broker) -> None:
        oven.client.on_message = lambda _client, _, said: told.append(said.payload.decode())
        for value in (201, float("nan"), "80", True, -1):
            with pytest.raises(BeyondLimits):
                await it.move("p", value)
        await it.move("p", 7)
        await until(lambda: told == ['{"set": 7, "unit": "Cel"}'])

    play(tmp_path, station, scene, payload='{"set": {value}, "unit": "Cel"}')


def test_where_nobody_listens_nothing_moved(tmp_path: Path, station: Station) -> None:
    """A broker that has nobody to pass it to says so: surely nothing moved."""

    async def scene(_oven: Oven, it: MqttListener, _broker: Broker) -> None:
        with pytest.raises(MachineRefused, match="nobody listens"):
            await it.move("p", 80)

    play(tmp_path, station, scene, topic="oven/nobody")


def test_a_broker_that_says_nothing_leaves_it_unsure(tmp_path: Path, station: Station) -> None:
    """Without a PUBACK in time nobody knows; what it took meanwhile comes once, never again."""

    async def scene(oven: Oven, it: MqttListener, broker: Broker) -> None:
        broker.process.send_signal(signal.SIGSTOP)
        with pytest.raises(Unsure, match="did not confirm"):
            await it.move("p", 80)
        broker.process.send_signal(signal.SIGCONT)
        await until(lambda: len(oven.heard) == 1)
        await asyncio.sleep(0.3)

    assert play(tmp_path, station, scene, wait_ms=200).heard == [("80", 1, False)]


def test_a_connection_that_breaks_leaves_it_unsure(tmp_path: Path, station: Station) -> None:
    """Cut before the PUBACK, it is unsure at once, and not published on the next connection."""

    async def scene(_oven: Oven, it: MqttListener, broker: Broker) -> None:
        broker.process.send_signal(signal.SIGSTOP)
        moving = asyncio.create_task(it.move("p", 80))
        await asyncio.sleep(0.1)
        broker.process.kill()
        broker.process.wait()
        begun = time.monotonic()
        with pytest.raises(Unsure):
            await moving
        assert time.monotonic() - begun < 20, "it did not wait for its whole wait_ms"
        broker.start()
        await until(lambda: it.state == "connected")
        await asyncio.sleep(0.3)

    assert len(play(tmp_path, station, scene, wait_ms=60_000).heard) == 0


def test_nothing_waits_for_a_connection(tmp_path: Path, station: Station) -> None:
    """Without a connection it is refused, and not said once there is one."""

    async def scene(_oven: Oven, it: MqttListener, broker: Broker) -> None:
        broker.stop()
        await until(lambda: it.state == "disconnected")
        with pytest.raises(MachineAway):
            await it.move("p", 80)
        broker.start()
        await until(lambda: it.state == "connected")
        await asyncio.sleep(0.3)

    assert play(tmp_path, station, scene, wait_ms=300).heard == []
