"""A device on a real line is told to do something: the C code, a pseudo-terminal, and every end."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path

import pytest

from gateway.config import FramedPoint, FramedSource
from gateway.errors import (
    BeyondLimits,
    MachineAway,
    MachineRefused,
    MoveError,
    NotMoved,
    OtherValue,
    UnknownPoint,
    UnprotectedLine,
    Unsure,
)
from gateway.readings.frame import Command, Result, Splitter, encode
from gateway.sources.framed import FramedListener
from gateway.sources.source import Moves
from tests.bridge_c import build_device
from tests.faults import commands
from tests.on_a_line import Child, listening, running, until, wired
from tests.station import Station
from tests.vectors.build_keyed import KEY
from tests.wire import Wire

LEVEL = FramedPoint(name="level", command=1, min=0, max=200, wait_ms=1000)
PUMP = FramedPoint(name="pump", command=2, type="bool", wait_ms=1000)
NOWHERE = FramedPoint(name="nowhere", command=65_535, min=0, max=9, wait_ms=1000)
POINTS = (LEVEL, PUMP, NOWHERE)

Story = Callable[[FramedListener, Child, Wire], Coroutine[None, None, None]]


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_device(tmp_path_factory.mktemp("commanded"), commanded=True)


@pytest.fixture(scope="session")
def old_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_device(tmp_path_factory.mktemp("old"))


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    opened = Station(tmp_path)
    yield opened
    opened.close()


class Plant:
    """A keyed line, a device of some program on it, and the source that hears it."""

    def __init__(self, folder: Path, station: Station, points: tuple[FramedPoint, ...]) -> None:
        self.folder, self.station = folder, station
        self.key = folder / "mcu-7.key"
        self.key.write_text(KEY.hex())
        self.key.chmod(0o600)
        self.source = FramedSource(name="mcu-7", url="", key_file=str(self.key), point=points)

    def live(self, program: Path, story: Story, *options: str, noise: float = 0.0) -> Child:
        """Run a story with it; give what the device printed."""
        return asyncio.run(self._live(program, story, options, noise))

    async def _live(
        self, program: Path, story: Story, options: tuple[str, ...], noise: float
    ) -> Child:
        said = ("--key", str(self.key), "--period-ms", "100", *options)
        async with (
            wired(self.folder, seed=5, noise=noise) as wire,
            listening(self.station, wire.link, source=self.source) as it,
        ):
            with running(program, wire.device, *said) as device:
                await until(lambda: it.counts["stored"] > 0)
                await story(it, device, wire)
        return device


@pytest.fixture
def plant(tmp_path: Path, station: Station) -> Plant:
    return Plant(tmp_path, station, POINTS)


def moves(device: Child) -> list[str]:
    """Give what the device did, in order."""
    lines = device.out.read_text().splitlines()
    return [line.removeprefix("moved ") for line in lines if line.startswith("moved ")]


async def fails(it: FramedListener, point: str, value: object, fault: type[MoveError]) -> MoveError:
    """Move a point; it must end so."""
    with pytest.raises(fault) as raised:
        await it.move(point, value)  # type: ignore[arg-type]
    assert type(raised.value) is fault
    return raised.value


def test_a_point_is_moved_and_read_back(plant: Plant, program: Path) -> None:
    """Numbers and truths, one after another, each once; the device says what it reads back."""

    async def story(it: FramedListener, _device: Child, _wire: Wire) -> None:
        assert isinstance(it, Moves)
        told = [(await it.move("level", value)).read_back for value in (65, 20.5, 0)]
        assert told == [65, 20.5, 0]
        assert (await it.move("pump", True)).read_back is True
        both = await asyncio.gather(it.move("pump", False), it.move("level", 7))
        assert [moved.read_back for moved in both] == [False, 7]

    device = plant.live(program, story)
    assert moves(device) == ["1 65e0", "1 205e-1", "1 0e0", "2 1e0", "2 0e0", "1 7e0"]


def test_what_may_not_be_is_surely_not_moved(plant: Plant, program: Path) -> None:
    """Unknown here, unknown there, beyond the config's limits, beyond the device's own."""

    async def story(it: FramedListener, _device: Child, _wire: Wire) -> None:
        await fails(it, "valve", 1, UnknownPoint)
        await fails(it, "level", 201, BeyondLimits)
        await fails(it, "level", True, BeyondLimits)
        await fails(it, "level", 1e-200, BeyondLimits)
        assert "outside of its limits" in str(await fails(it, "level", 150, MachineRefused))
        assert "no such point" in str(await fails(it, "nowhere", 1, MachineRefused))
        assert (await it.move("level", 1)).read_back == 1

    assert moves(plant.live(program, story)) == ["1 1e0"]


def test_over_a_bad_line_each_is_done_once(plant: Plant, program: Path) -> None:
    """Lost and broken frames cost time: the command is said again, and not done again."""
    ends: list[type[MoveError] | None] = []

    async def story(it: FramedListener, _device: Child, _wire: Wire) -> None:
        for value in range(3):
            try:
                assert (await it.move("level", value)).read_back == value
                ends.append(None)
            except MoveError as fault:
                ends.append(type(fault))

    done = moves(plant.live(program, story, noise=0.1))
    assert len(done) == len(set(done)) and None in ends
    for value, end in enumerate(ends):
        assert end is Unsure or (f"1 {value}e0" in done) == (end is None), (value, end)


def test_firmware_without_commands_surely_moves_nothing(plant: Plant, old_program: Path) -> None:
    """It answers `unsupported`."""

    async def story(it: FramedListener, _device: Child, _wire: Wire) -> None:
        assert "takes no commands" in str(await fails(it, "level", 5, MachineRefused))

    plant.live(old_program, story)


def test_a_device_that_dies_before_it_answers_leaves_it_unsure(plant: Plant, program: Path) -> None:
    """It was done, nobody heard so, and it is not said to the next start of the device."""

    async def story(it: FramedListener, device: Child, wire: Wire) -> None:
        moving = asyncio.create_task(it.move("level", 5))
        await until(device.gone)
        assert moves(device) == ["1 5e0"]
        with running(program, wire.device, "--key", str(plant.key)) as second:
            with pytest.raises(Unsure, match="started again"):
                await moving
            assert moves(second) == []
            assert (await it.move("level", 6)).read_back == 6
            assert moves(second) == ["1 6e0"]

    assert plant.live(program, story, "--fate", "dies").process.returncode == 3


def test_a_device_that_cannot_say_how_it_ended_leaves_it_unsure(
    plant: Plant, program: Path
) -> None:
    """`failed` is not a promise that nothing moved."""

    async def story(it: FramedListener, _device: Child, _wire: Wire) -> None:
        await fails(it, "level", 5, Unsure)

    assert moves(plant.live(program, story, "--fate", "failed")) == ["1 5e0"]


def test_silence_is_unsure_only_after_the_command_was_said(plant: Plant, program: Path) -> None:
    """Cut before it, surely nothing moved; cut after it, nobody knows, though it was done."""

    async def story(it: FramedListener, device: Child, wire: Wire) -> None:
        wire.unplug()
        await until(lambda: it.state == "absent")
        await fails(it, "level", 5, MachineAway)
        wire.plug()
        await until(lambda: it.state == "connected")
        assert (await it.move("level", 6)).read_back == 6
        moving = asyncio.create_task(it.move("level", 7))
        await until(lambda: len(moves(device)) == 2)
        wire.cut(0)
        wire.unplug()
        with pytest.raises((Unsure, NotMoved)) as raised:
            if (await moving).read_back == 7:
                return  # its answer was through before the cut
        assert raised.type is Unsure

    assert moves(plant.live(program, story)) == ["1 6e0", "1 7e0"]


def test_a_recorded_answer_ends_nothing(plant: Plant, program: Path) -> None:
    """What an earlier start answered, or the key's holder never said, is counted and no more."""

    async def story(it: FramedListener, device: Child, wire: Wire) -> None:
        assert (await it.move("level", 5)).read_back == 5
        (said,) = {
            (frame.boot, frame.number)
            for frame in Splitter(KEY).feed(bytes(wire.answers))
            if isinstance(frame, Command) and frame.number
        }
        wire.inject(encode(Result(b"\x01" * 8, said[1] + 1, 0, bytes(12)), KEY))
        wire.inject(encode(Result(said[0], said[1] + 1, 0, bytes(12))))
        await until(lambda: it.counts["stray_results"] == 1 and it.counts["frame.tag"] == 1)
        assert (await it.move("level", 6)).read_back == 6
        assert not device.gone()

    assert moves(plant.live(program, story)) == ["1 5e0", "1 6e0"]


def test_a_line_without_a_key_moves_only_what_the_config_says(
    tmp_path: Path, station: Station, program: Path
) -> None:
    """Anybody could command that device, so it takes a word of the config to do so."""
    open_level = FramedPoint(name="open-level", command=1, min=0, max=9, unkeyed=True)
    plant = Plant(tmp_path, station, (LEVEL, open_level))
    source = FramedSource(name="mcu-7", url="", point=plant.source.point)

    async def story() -> Child:
        async with wired(tmp_path) as wire, listening(station, wire.link, source=source) as it:
            with running(program, wire.device, "--period-ms", "50") as device:
                await until(lambda: it.counts["stored"] > 0)
                await fails(it, "level", 5, UnprotectedLine)
                assert (await it.move("open-level", 5)).read_back == 5
        return device

    assert moves(asyncio.run(story())) == ["1 5e0"]


def test_a_metric_shows_that_it_moved_or_that_nobody_knows(
    tmp_path: Path, station: Station, program: Path
) -> None:
    """A readback waits for what is sampled after the answer: the right value, another, or none."""
    shown = FramedPoint(name="seen", command=1, min=0, max=100, readback="temperature", wait_ms=600)
    never = FramedPoint(name="unseen", command=1, min=0, max=100, readback="pressure", wait_ms=600)
    plant = Plant(tmp_path, station, (shown, never))

    async def story(it: FramedListener, _device: Child, _wire: Wire) -> None:
        await fails(it, "seen", 7, OtherValue)
        await fails(it, "unseen", 8, Unsure)

    assert moves(plant.live(program, story)) == ["1 7e0", "1 8e0"]


def test_a_step_holds_from_where_the_point_is_shown(
    tmp_path: Path, station: Station, program: Path
) -> None:
    """Further than it may go at once, or from nobody knows where, it is not moved."""
    settings = {"command": 1, "min": 0, "max": 100, "wait_ms": 600}
    near = FramedPoint(name="near", step=2, readback="temperature", **settings)  # type: ignore[arg-type]
    blind = FramedPoint(name="blind", step=2, **settings)  # type: ignore[arg-type]
    plant = Plant(tmp_path, station, (near, blind))

    async def story(it: FramedListener, _device: Child, _wire: Wire) -> None:
        await fails(it, "near", 90, BeyondLimits)
        await fails(it, "blind", 20, BeyondLimits)

    assert moves(plant.live(program, story)) == []


def test_cuts_during_commands_do_nothing_twice(tmp_path: Path) -> None:
    """The campaign in small: the line or the power is cut in the middle of six commands."""
    assert "done twice 0" in commands.campaign(tmp_path, 6)
