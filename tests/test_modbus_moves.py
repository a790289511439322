"""Writing to Modbus units: what is done once, what surely is not, and what nobody can know."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from gateway.config import ModbusPoint, ModbusSource
from gateway.errors import (
    BeyondLimits,
    MachineAway,
    MachineRefused,
    NotMoved,
    OtherValue,
    UnknownPoint,
    Unsure,
)
from gateway.readings import writes
from gateway.readings.reading import Value
from gateway.sources.modbus import ModbusListener
from gateway.sources.source import Moved, Moves
from tests.faults import moves as faults
from tests.modbus_peer import WAYS, Units, units
from tests.modbus_slave import Asked, Slave
from tests.on_a_bus import hearing, unit
from tests.on_a_line import until
from tests.station import Station

FAST: Final = {"poll_ms": 40, "timeout_ms": 60, "backoff_ms_max": 100, "unit_id": 3}
FIRST: Final = {"register": "holding:0"}
WRITES: Final = (5, 6, 16)
Scene = Callable[[Slave, ModbusListener], Awaitable[None]]


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    """Give a real store."""
    made = Station(tmp_path)
    yield made
    made.close()


def point(name: str, register: str, **said: object) -> dict[str, Any]:
    """Give the settings of a point; of registers with limits, unless they are given."""
    limits = {} if register.startswith("coil") else {"min": 0, "max": 60_000}
    return {"name": name, "register": register, "wait_ms": 400, **limits, **said}


def source(url: str, *points: dict[str, Any], **settings: Any) -> ModbusSource:
    """Give a unit with these points."""
    whole = unit(url, "press", FIRST, **{**FAST, **settings})
    made = tuple(msgspec.convert(each, ModbusPoint) for each in points)
    return msgspec.structs.replace(whole, point=made)


def play(way: str, station: Station, scene: Scene, *points: dict[str, Any], **said: Any) -> Slave:
    """Run a scripted unit on one way, and a scene with its source."""
    slave = Slave(way, 1, 0.0)

    async def played() -> None:
        await slave.start()
        try:
            async with hearing(station, source(slave.url, *points, **said)) as (it,):
                await until(lambda: it.state == "connected")
                await scene(slave, it)
        finally:
            await slave.stop()

    asyncio.run(played())
    return slave


def written(slave: Slave) -> list[Asked]:
    """Give the writes that the unit was asked for."""
    return [each for each in slave.asked if each.function in WRITES]


KINDS: Final[tuple[tuple[dict[str, Any], Value, list[tuple[int, int, str]]], ...]] = (
    (point("p", "holding:20"), 1234, [(6, 20, "04d2")]),
    (point("p", "holding:20", multiple=True), 7, [(16, 20, "0007")]),
    (point("p", "holding:20", type="int16", min=-9), -2, [(6, 20, "fffe")]),
    (point("p", "holding:20", scale=0.1), 12.3, [(6, 20, "007b")]),
    (point("p", "holding:20", byte_order="little"), 0x0102, [(6, 20, "0201")]),
    (point("p", "holding:20", type="uint32", max=1e9), 0x01020304, [(16, 20, "01020304")]),
    (
        point("p", "holding:20", type="uint32", max=1e9, word_order="little"),
        0x01020304,
        [(16, 20, "03040102")],
    ),
    (point("p", "holding:20", type="float32"), 12.5, [(16, 20, "41480000")]),
    (point("p", "holding:20", type="float64"), 0.1, [(16, 20, "3fb999999999999a")]),
    (point("p", "coil:20"), True, [(5, 20, "ff00")]),
    (point("p", "coil:20"), False, [(5, 20, "0000")]),
)


@pytest.mark.parametrize(("made", "value", "frames"), KINDS)
def test_a_value_is_written_once_and_read_back(
    made: dict[str, Any], value: Value, frames: list[tuple[int, int, str]], station: Station
) -> None:
    """Each type goes over the line as its point says, by one write, and is what is shown then."""

    async def scene(_slave: Slave, it: ModbusListener) -> None:
        assert isinstance(it, Moves)
        assert await it.move("p", value) == Moved(pytest.approx(value))

    slave = play("rtu", station, scene, made)
    assert [(one.function, one.start, one.said.hex()) for one in written(slave)] == frames


@pytest.mark.parametrize("way", WAYS)
def test_units_that_we_did_not_write_do_it(way: str, tmp_path: Path, station: Station) -> None:
    """A coil, a register and a float are set in pymodbus's units, over each way, and it is read."""
    made = (
        point("valve", "coil:5"),
        point("speed", "holding:20"),
        point("pressure", "holding:30", type="float32", max=160),
    )

    async def scene(there: Units, it: ModbusListener) -> None:
        await until(lambda: it.state == "connected")
        assert await it.move("valve", True) == Moved(True)
        assert await it.move("speed", 17) == Moved(17)
        assert await it.move("pressure", 12.5) == Moved(12.5)
        with pytest.raises(MachineRefused, match="exception 2"):
            await it.move("nowhere", 1)
        assert await it.move("valve", False) == Moved(False)

    async def played() -> None:
        async with units(way, tmp_path, 3) as there:
            ends = source(there.url, *made, point("nowhere", "holding:5000"), timeout_ms=500)
            async with hearing(station, ends) as (it,):
                await scene(there, it)

    asyncio.run(played())


REFUSED: Final[tuple[tuple[dict[str, Any], Value, str], ...]] = (
    (point("p", "holding:20"), 60_001, "goes from"),
    (point("p", "holding:20"), -1, "goes from"),
    (point("p", "holding:20"), 1.5, "cannot hold"),
    (point("p", "holding:20"), float("nan"), "finite"),
    (point("p", "holding:20"), float("inf"), "finite"),
    (point("p", "holding:20"), 10**400, "goes from"),
    (point("p", "holding:20"), True, "takes a number"),
    (point("p", "holding:20"), "7", "takes a number"),
    (point("p", "holding:20", scale=0.1), 12.34, "cannot hold"),
    (point("p", "holding:20", max=1e6), 70_000, "cannot hold"),
    (point("p", "holding:20", type="float32", max=1e300), 1e299, "cannot hold"),
    (point("p", "holding:20", max=None), 5, "no limits"),
    (point("p", "coil:20"), 1, "true or false"),
    (point("p", "holding:0", step=5), 100, "at most 5 at once"),
)


def test_what_is_beyond_its_limits_never_reaches_the_line(station: Station) -> None:
    """Beyond min, max, type, step or truth it is refused as the last thing before the wire."""
    points = [{**made, "name": f"p{at}"} for at, (made, _, _) in enumerate(REFUSED)]

    async def scene(_slave: Slave, it: ModbusListener) -> None:
        for at, (_, value, reason) in enumerate(REFUSED):
            with pytest.raises(BeyondLimits, match=reason):
                await it.move(f"p{at}", value)
        with pytest.raises(UnknownPoint):
            await it.move("nobody", 1)

    assert not written(play("rtu", station, scene, *points))


def test_a_step_is_taken_from_where_it_stands(station: Station) -> None:
    """The unit is read before it is written, and a small step is done."""

    async def scene(slave: Slave, it: ModbusListener) -> None:
        slave.held[3, "holding", 20] = 96
        assert await it.move("p", 100) == Moved(100)
        with pytest.raises(BeyondLimits):
            await it.move("p", 106)

    slave = play("rtu", station, scene, point("p", "holding:20", step=5))
    assert len(written(slave)) == 1


@pytest.mark.parametrize(
    ("way", "became"),
    [("rtu", became) for became in "silent crc short long echo late dies".split()]
    + [("tcp", became) for became in "silent short echo late dies".split()],
)
def test_nobody_knows_after_an_answer_that_is_none(way: str, became: str, station: Station) -> None:
    """No answer, a broken one, another's or a late one: unsure, and never written again."""

    async def scene(slave: Slave, it: ModbusListener) -> None:
        slave.late_ms = (0.0, 150.0)
        slave.writing.append(became)
        with pytest.raises(Unsure):
            await it.move("p", 5)
        await asyncio.sleep(0.25)

    slave = play(way, station, scene, point("p", "holding:20"))
    assert len(written(slave)) == 1
    assert slave.held[3, "holding", 20] == 5, "the unit did it, and we could not know"


@pytest.mark.parametrize("way", ["rtu", "tcp"])
def test_a_late_answer_is_not_taken_for_the_next_writes(way: str, station: Station) -> None:
    """The same write once more, while the answer to the first still comes: refused by the unit, and
    the late confirmation of the first is not believed for it."""

    async def scene(slave: Slave, it: ModbusListener) -> None:
        slave.late_ms = (0.0, 100.0)
        slave.writing.extend(("late", "2"))
        with pytest.raises(Unsure):
            await it.move("p", 5)
        for _ in range(20):
            try:
                await it.move("p", 5)
            except MachineAway:  # The unit still answers what was before.
                continue
            except MachineRefused:
                return
        raise AssertionError("it was never asked again")

    slave = play(way, station, scene, point("p", "holding:20"), timeout_ms=60)
    assert len(written(slave)) == 2


@pytest.mark.parametrize(("exception", "sure"), [(1, 1), (2, 1), (3, 1), (6, 1), (10, 1)])
@pytest.mark.parametrize("way", ["rtu", "tcp"])
def test_a_refusal_is_sure(way: str, exception: int, sure: int, station: Station) -> None:
    """A unit that says it did not begin is believed."""
    _refused(way, exception, MachineRefused if sure else Unsure, station)


@pytest.mark.parametrize("exception", [4, 5, 8, 11, 99])
def test_an_exception_in_the_midst_is_not(exception: int, station: Station) -> None:
    """A unit that failed, needs time, or is behind a converter that got no answer, may have."""
    _refused("rtu", exception, Unsure, station)


def _refused(way: str, exception: int, kind: type[Exception], station: Station) -> None:
    async def scene(slave: Slave, it: ModbusListener) -> None:
        slave.writing.append(str(exception))
        with pytest.raises(kind, match=f"exception {exception}"):
            await it.move("p", 5)

    assert len(written(play(way, station, scene, point("p", "holding:20")))) == 1


def test_what_it_came_to_is_compared(station: Station) -> None:
    """A unit that confirms and then shows another value is told of with that value."""

    async def scene(slave: Slave, it: ModbusListener) -> None:
        slave.clamp = 3
        slave.writing.append("clamped")
        with pytest.raises(OtherValue) as found:
            await it.move("p", 5)
        assert found.value.facts["found"] == 3

    assert len(written(play("rtu", station, scene, point("p", "holding:20")))) == 1


def test_another_metric_may_show_it(station: Station) -> None:
    """With `readback` it is looked for in that metric until it is there, and not where it was
    written."""

    async def scene(slave: Slave, it: ModbusListener) -> None:
        asyncio.get_running_loop().call_later(0.15, slave.held.__setitem__, (3, "holding", 0), 42)
        assert await it.move("p", 42) == Moved(42)
        with pytest.raises(OtherValue):
            await it.move("p", 43)

    play("rtu", station, scene, point("p", "holding:20", readback="holding:0"))


def test_nothing_waits_for_a_bus_that_is_away(tmp_path: Path, station: Station) -> None:
    """Without a line it is refused at once, and not said once the line is there."""

    async def played() -> None:
        slave = Slave("tcp", 1, 0.0)
        await slave.start()
        await slave.stop()
        ends = source(slave.url, point("p", "holding:20"))
        async with hearing(station, ends) as (it,):
            await until(lambda: it.state == "unreachable")
            with pytest.raises(MachineAway, match="no way"):
                await it.move("p", 5)

    asyncio.run(played())


def test_a_unit_that_is_silent_is_told_nothing(station: Station) -> None:
    """On a line without numbers a unit that answers nothing before the write is not written to."""

    async def scene(slave: Slave, it: ModbusListener) -> None:
        slave.share, slave.kinds = 1.0, ("silent",)
        await until(lambda: it.state == "silent")
        with pytest.raises(NotMoved, match="does not answer"):
            await it.move("p", 5)

    assert not written(play("rtu", station, scene, point("p", "holding:20")))


def test_polling_goes_on_beside_moves(station: Station) -> None:
    """Moves are done one at a time between two rounds of questions, and none is lost or doubled."""

    async def scene(slave: Slave, it: ModbusListener) -> None:
        before = it.counts["received"]
        moves = (it.move("p", number) for number in range(1, 9))
        found = await asyncio.gather(*moves, return_exceptions=True)
        assert all(isinstance(each, Moved | OtherValue) for each in found)
        await until(lambda: it.counts["received"] > before + 3)

    slave = play("rtu", station, scene, point("p", "holding:20"))
    assert [each.said.hex() for each in written(slave)] == [f"{n:04x}" for n in range(1, 9)]


def test_no_answer_but_the_right_one_is_a_confirmation() -> None:
    """Of all that differs from the right answer in one byte, nothing confirms a write."""
    made = msgspec.convert(point("p", "holding:20", type="float32"), ModbusPoint)
    told = writes.write(made, 3, 12.5)
    asked = bytes((16, 0, 20, 0, 2, 4)) + told.said
    right = asked[:5]
    writes.check_answer(told, asked, right)
    for at in range(len(right)):
        for other in range(1, 256):
            wrong = right[:at] + bytes((right[at] ^ other,)) + right[at + 1 :]
            with pytest.raises(Exception, match="modbus"):
                writes.check_answer(told, asked, wrong)


def test_a_gateway_that_stops_in_the_midst_leaves_it_unsure(station: Station) -> None:
    """The unit was told, and nobody waits for its answer any more."""

    async def scene(slave: Slave, it: ModbusListener) -> None:
        slave.writing.append("silent")
        moving = asyncio.create_task(it.move("p", 5))
        await until(lambda: bool(written(slave)))
        (bus,) = [one for one in asyncio.all_tasks() if "Bus.run" in repr(one.get_coro())]
        bus.cancel()
        with pytest.raises(Unsure, match="stops"):
            await moving

    assert (
        len(written(play("rtu", station, scene, point("p", "holding:20"), timeout_ms=5_000))) == 1
    )


def test_what_is_said_of_a_move_is_what_was_done() -> None:
    """Whatever becomes of questions and answers: told at most once, and nothing said falsely."""
    assert "none told twice" in faults.campaign(30, faults.SEED)
