"""Commands to edge nodes and devices on the wire of a real broker, and what shows them."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from paho.mqtt.client import Client, MQTTMessage

from gateway.config import SparkplugPoint
from gateway.errors import BeyondLimits, MachineAway, NotMoved, OtherValue, Unsure
from gateway.readings import sparkplug_values
from gateway.readings.reading import Value
from gateway.readings.sparkplug_birth import Knob
from gateway.readings.sparkplug_command import command
from gateway.readings.sparkplug_payload import Metric, Payload, decode, encode
from gateway.readings.sparkplug_values import Datatype as D
from gateway.sources.source import Moved, Moves
from gateway.sources.sparkplug import SparkplugListener
from tests.plant import STATE, Plant, wait
from tests.vectors.build_sparkplug import DEVICE, MS, NODE

PRESS: Final = "plant/line-1/press-1"
DCMD, NCMD = DEVICE.format("DCMD"), NODE.format("NCMD")


def point(device: str, metric: str, **said: Any) -> SparkplugPoint:
    """Give a point with limits, unless it is a switch."""
    limits = {} if said.get("type") == "bool" else {"min": -100, "max": 1000}
    told = {"name": metric, "device": device, "metric": metric, "wait_ms": 1500, **limits, **said}
    return msgspec.convert(told, SparkplugPoint)


class Device:
    """An edge node's hand that obeys: what it is told it shows, as `shows` makes it."""

    def __init__(self, plant: Plant, shows: Callable[[float], float | None]) -> None:
        self.heard: list[tuple[str, Metric]] = []
        self._plant, self._shows, self._sequence = plant, shows, 2
        plant.edge.on_message = self._on_message
        plant.edge.subscribe([(DCMD, 0), (NCMD, 0)])

    def _on_message(self, _client: Client, _: object, said: MQTTMessage) -> None:
        assert (said.qos, said.retain) == (0, False)
        payload = decode(bytes(said.payload), 10_000)
        assert payload.sequence is None
        (metric,) = payload.metrics
        if metric.name == "Node Control/Rebirth":
            return
        self.heard.append((said.topic, metric))
        value = sparkplug_values.read(metric.datatype, metric.field, metric.said, "it")
        shown = self._shows(value) if isinstance(value, float) else None
        if shown is not None:
            self.say(shown)

    def say(self, value: float, historical: bool = False) -> None:
        """Say a temperature."""
        sequence, self._sequence = self._sequence, self._sequence + 1
        time_ms = MS + 1_000 * sequence
        one = Metric(None, 10, time_ms, 0, "double_value", value, historical=historical)
        # Not waited for: this is paho's own thread, too.
        self._plant.edge.publish(DEVICE.format("DDATA"), encode(Payload(time_ms, sequence, (one,))))


@pytest.fixture()
def plant(tmp_path: Path) -> Iterator[Plant]:
    made = Plant(tmp_path)
    yield made
    made.close()


Scene = Callable[[Device, SparkplugListener], Coroutine[Any, Any, None]]


def play(
    plant: Plant,
    scene: Scene,
    *points: SparkplugPoint,
    shows: Callable[[float], float | None] = lambda said: said,
) -> Device:
    """Run a host with points and a device that was born, and a scene with them."""
    device = Device(plant, shows)

    async def played() -> None:
        async with plant.host(point=points) as it:
            plant.born()
            await wait(lambda: it.counts["births"] == 2)
            await scene(device, it)

    asyncio.run(played())
    return device


def test_a_device_is_told_once_and_shows_it(plant: Plant) -> None:
    """DCMD at QoS 0, not retained, without a sequence number, by the alias and type of the birth;
    the next DDATA of the metric is what was read back."""

    async def scene(_device: Device, it: SparkplugListener) -> None:
        assert isinstance(it, Moves)
        assert await it.move("Temperature", 80.5) == Moved(80.5)

    device = play(plant, scene, point(PRESS, "Temperature"))
    ((topic, metric),) = device.heard
    assert topic == DCMD
    assert (metric.name, metric.alias, metric.datatype) == (None, 10, D.DOUBLE)
    assert (metric.field, metric.said) == ("double_value", 80.5)


def test_an_edge_node_itself_is_told_by_ncmd(plant: Plant) -> None:
    """Its own metric; what nobody shows after it leaves it unsure."""

    async def scene(_device: Device, it: SparkplugListener) -> None:
        with pytest.raises(Unsure, match="showed nothing"):
            await it.move("Uptime", 60)

    device = play(plant, scene, point("plant/line-1", "Uptime", wait_ms=200))
    ((topic, metric),) = device.heard
    assert (topic, metric.alias, metric.field, metric.said) == (NCMD, 1, "long_value", 60)


def test_only_what_is_said_after_it_shows_it(plant: Plant) -> None:
    """Neither an older value that was kept, nor a certificate; a value of before is only another,
    and is waited past."""

    async def scene(device: Device, it: SparkplugListener) -> None:
        moving = asyncio.create_task(it.move("Temperature", 21.5))
        await wait(lambda: device.heard)
        device.say(21.5, historical=True)
        plant.born()
        with pytest.raises(Unsure):
            await moving
        moving = asyncio.create_task(it.move("Temperature", 40.0))
        await wait(lambda: len(device.heard) == 2)
        device._sequence = 2
        device.say(39.0)
        device.say(40.0)
        assert await moving == Moved(40.0)

    play(plant, scene, point(PRESS, "Temperature", wait_ms=800), shows=lambda _: None)


def test_a_device_that_shows_another_value_is_told_of(plant: Plant) -> None:
    """What it limits itself to stands beside what it was told."""

    async def scene(_device: Device, it: SparkplugListener) -> None:
        with pytest.raises(OtherValue) as other:
            await it.move("Temperature", 80.0)
        assert other.value.facts["found"] == 60

    play(plant, scene, point(PRESS, "Temperature", wait_ms=300), shows=lambda said: min(said, 60.0))


def test_nothing_is_sent_where_no_certificate_is_in_force(plant: Plant) -> None:
    """Unborn, of an unknown metric, dead, or with a message missing: surely not moved."""

    async def scene(device: Device, it: SparkplugListener) -> None:
        with pytest.raises(MachineAway, match="no birth"):
            await it.move("Nothing", 1)
        device._sequence = 9  # Messages are missing: what is known may have changed.
        device.say(22.0)
        await wait(lambda: it.counts["gaps"] == 1)
        with pytest.raises(MachineAway, match="no birth"):
            await it.move("Temperature", 80)

    device = play(plant, scene, point(PRESS, "Temperature"), point(PRESS, "Nothing"))
    assert device.heard == []
    sent = {one.topic for one in plant.tap.find(sender="host", kind="PUBLISH")}
    assert sent <= {STATE, NCMD}


def test_what_is_beyond_its_limits_is_never_sent(plant: Plant) -> None:
    """Beyond min, max, step or the type of its certificate, it is refused before the wire."""
    points = (
        point(PRESS, "Temperature", step=5),
        point(PRESS, "Strokes", min=-5),
        point(PRESS, "Offset", max=1e9),
        point(PRESS, "Running", type="bool"),
        point(PRESS, "State"),
    )
    wrong: tuple[tuple[str, Value], ...] = (
        *(("Temperature", value) for value in (1001, -101, float("nan"), True, "80", 27)),
        *(("Strokes", value) for value in (-1, 1.5)),
        *(("Offset", value) for value in (32_768, 1.5)),
        *(("Running", value) for value in (1, "true")),
        ("State", 5),
    )

    async def scene(_device: Device, it: SparkplugListener) -> None:
        for name, value in wrong:
            with pytest.raises(BeyondLimits):
                await it.move(name, value)
        with pytest.raises(NotMoved):
            await it.move("nobody", 1)

    assert play(plant, scene, *points).heard == []


@pytest.mark.parametrize(
    ("datatype", "field", "value"),
    [
        (D.INT8, "int_value", -128),
        (D.INT16, "int_value", -2),
        (D.INT32, "int_value", -(1 << 31)),
        (D.INT64, "long_value", -(1 << 62)),
        (D.UINT8, "int_value", 255),
        (D.UINT16, "int_value", 65_535),
        (D.UINT32, "int_value", (1 << 32) - 1),
        (D.UINT32, "long_value", (1 << 32) - 1),
        (D.UINT64, "long_value", 1 << 62),
        (D.FLOAT, "float_value", 12.5),
        (D.DOUBLE, "double_value", 0.1),
        (D.BOOLEAN, "boolean_value", True),
    ],
)
def test_every_type_is_written_as_it_is_read(datatype: D, field: str, value: Value) -> None:
    """What a command holds reads as the value that was ordered, in the field of the device; and
    by name where its certificate has no alias."""
    assert not isinstance(value, str)
    made = point(PRESS, "it", min=-(2**63), max=2**63)
    (metric,) = decode(
        command(made, Knob("it", None, datatype, field, None), value, MS), 10_000
    ).metrics
    assert (metric.name, metric.alias, metric.field) == ("it", None, field)
    assert sparkplug_values.read(metric.datatype, metric.field, metric.said, "it") == value
