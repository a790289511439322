"""A Modbus source against pymodbus's servers: the same over RTU, RTU over TCP, and TCP."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from gateway.config import SerialLine, addresses
from gateway.errors import SerialUnsuitable
from gateway.readings.reading import Quality
from gateway.sources import trial
from gateway.sources.bus import Bus
from gateway.sources.modbus_trial import ModbusTrial
from gateway.sources.trial import Findings
from gateway.transport.serial import Port
from tests.faults import modbus as faults
from tests.modbus_peer import WAYS, Units, cable, units
from tests.on_a_bus import hearing, unit
from tests.on_a_line import until
from tests.station import Station, now

FAST: Final = {"poll_ms": 40, "timeout_ms": 150, "backoff_ms_max": 160}
FIRST: Final = {"register": "holding:0"}
Scene = Callable[[Station, Units], Awaitable[None]]


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    """Give a real store."""
    made = Station(tmp_path)
    yield made
    made.close()


def play(way: str, folder: Path, station: Station, scene: Scene) -> None:
    """Run units 3 and 4 on one way, and a scene with them."""

    async def played() -> None:
        async with units(way, folder, 3, 4) as there:
            await scene(station, there)

    asyncio.run(played())


def line(url: str) -> SerialLine:
    """Read the address of a serial bus."""
    found = addresses.bus(url)
    assert isinstance(found, SerialLine)
    return found


def values(station: Station, device: str) -> dict[str, object]:
    """Give the last value of each metric."""
    return {each.metric: each.value for each in station.stored() if each.device == device}


@pytest.mark.parametrize("way", WAYS)
def test_every_kind_and_type_is_read(way: str, tmp_path: Path, station: Station) -> None:
    """Coils, inputs and registers of every type come as the unit holds them, and none else."""
    metrics: list[dict[str, object]] = [
        {"register": "coil:3"},
        {"register": "coil:4"},
        {"register": "discrete:0"},
        {"register": "input:0"},
        {"register": "input:124", "type": "int32"},
        {"register": "holding:0", "type": "int16", "scale": 0.5},
        {"register": "holding:1", "type": "uint32", "word_order": "little"},
        {"register": "holding:3", "type": "float32"},
        {"register": "holding:5", "type": "string", "length": 3},
        {"register": "holding:8", "type": "float64", "unit": "Cel"},
        {"register": "holding:12", "bit": 2},
        {"register": "holding:13", "type": "int16", "max": 100},
        {"register": "holding:150", "type": "uint64"},
    ]

    async def scene(station: Station, there: Units) -> None:
        await there.put(3, 0, 0xFFFE, 2, 1, 0x41C8, 0, *_words(b"P7-ABC"))
        await there.put(3, 8, *_words(bytes.fromhex("c00921fb54442d18")), 4, 32767)
        await there.put(3, 150, 0, 1, 2, 3)
        await there.switch(3, 3, True)
        async with hearing(station, unit(there.url, "press", *metrics, unit_id=3, **FAST)) as (it,):
            await until(lambda: it.counts["stored"] >= 2 * len(metrics))
            assert (it.state, it.reason) == ("connected", "")
            assert set(it.counts) <= {"received", "stored", "quarantined", "unproved", "overruns"}

    play(way, tmp_path, station, scene)
    assert values(station, "press") == {
        **{"coil:3": True, "coil:4": False, "discrete:0": True},
        **{"input:0": 7, "input:124": (131 << 16) + 132},
        **{"holding:0": -1.0, "holding:1": 0x10002, "holding:3": 25.0, "holding:5": "P7-ABC"},
        **{"holding:8": -3.141592653589793, "holding:12": True, "holding:13": 32767},
        "holding:150": (1 << 32) + (2 << 16) + 3,
    }
    qualities = {each.metric: each.quality for each in station.stored()}
    bad = {metric for metric, quality in qualities.items() if quality is Quality.BAD}
    assert bad == {"holding:13"}


def _words(said: bytes) -> list[int]:
    return [int.from_bytes(said[at : at + 2]) for at in range(0, len(said), 2)]


@pytest.mark.parametrize("way", WAYS)
def test_a_refusal_is_of_its_question_alone(way: str, tmp_path: Path, station: Station) -> None:
    """Registers that a unit does not have are counted and told; its others are read all along."""

    async def scene(station: Station, there: Units) -> None:
        metrics = ({"register": "holding:5000"}, FIRST, {"register": "coil:900"})
        source = unit(there.url, "press", *metrics, unit_id=3, **FAST)
        async with hearing(station, source) as (it,):
            await until(lambda: it.counts["stored"] >= 5 and it.counts["modbus.exception"] >= 8)
            assert it.state == "degraded" and "exception 2" in it.reason
            assert it.counts["modbus.timeout"] == 0

    play(way, tmp_path, station, scene)
    assert set(values(station, "press")) == {"holding:0"}


@pytest.mark.parametrize("way", WAYS)
def test_a_deaf_unit_stands_alone_and_is_heard_again(
    way: str, tmp_path: Path, station: Station
) -> None:
    """One unit falls silent: it alone is told to be; the other goes on; back, it is read again."""

    async def scene(station: Station, there: Units) -> None:
        sources = [unit(there.url, f"u{n}", FIRST, unit_id=n, **FAST) for n in (3, 4)]
        async with hearing(station, *sources) as (deaf, other):
            await until(lambda: deaf.counts["stored"] > 2 and other.counts["stored"] > 2)
            there.deaf.add(3)
            await until(lambda: deaf.state == "silent")
            before, started = other.counts["stored"], time.monotonic()
            await until(lambda: deaf.counts["modbus.timeout"] >= 5)
            polls = (time.monotonic() - started) * 1000 / FAST["poll_ms"]
            # Had each time-out to be waited out between two polls, it would be a fifth.
            assert other.counts["stored"] - before > polls / 3
            assert other.state == "connected"
            there.deaf.clear()
            stored = deaf.counts["stored"]
            await until(lambda: deaf.counts["stored"] > stored, 5)
            assert deaf.state == "connected"

    play(way, tmp_path, station, scene)


@pytest.mark.parametrize("way", WAYS)
def test_a_reading_is_of_the_moment_in_which_it_was_read(
    way: str, tmp_path: Path, station: Station
) -> None:
    """What changes after a reading's time is not in it; what changed well before it is."""
    changed: list[tuple[int, int]] = []

    async def scene(station: Station, there: Units) -> None:
        source = unit(there.url, "press", FIRST, unit_id=3, **FAST)
        async with hearing(station, source) as (it,):
            for number in range(1, 25):
                await there.put(3, 0, number)
                changed.append((now().unix_ms, number))
                await asyncio.sleep(0.03)
            await until(lambda: it.counts["stored"] == it.counts["received"] > 10)

    play(way, tmp_path, station, scene)
    for each in station.stored():
        assert each.time_ms is not None
        before = [number for at_ms, number in changed if at_ms <= each.time_ms + 2]
        sure = [number for at_ms, number in changed if at_ms <= each.time_ms - 100]
        assert max(sure, default=0) <= int(each.value) <= max(before, default=0)


@pytest.mark.parametrize("way", WAYS)
def test_units_of_one_bus_share_one_connection(way: str, tmp_path: Path, station: Station) -> None:
    """Two units, two names for one of them, and one owner of the way; each has its own values."""

    async def scene(station: Station, there: Units) -> None:
        await there.put(3, 0, 33)
        await there.put(4, 0, 44)
        sources = [
            unit(there.url, name, FIRST, unit_id=number, **FAST)
            for name, number in (("a", 3), ("b", 4), ("c", 3))
        ]
        async with hearing(station, *sources) as listeners:
            await until(lambda: all(it.counts["stored"] > 3 for it in listeners))
            assert len(there.server.active_connections) == 1

    play(way, tmp_path, station, scene)
    got = {name: values(station, name)["holding:0"] for name in "abc"}
    assert got == {"a": 33, "b": 44, "c": 33}


@pytest.mark.parametrize("way", WAYS)
def test_what_was_read_is_stored_when_the_agent_stops(
    way: str, tmp_path: Path, station: Station
) -> None:
    """A source that is cancelled in the middle loses nothing that it had read, and doubles none."""
    received = 0

    async def scene(station: Station, there: Units) -> None:
        nonlocal received
        for _ in range(5):
            source = unit(there.url, "press", FIRST, unit_id=3, **{**FAST, "poll_ms": 10})
            async with hearing(station, source) as (it,):
                await until(lambda it=it: it.counts["received"] > 7)  # type: ignore[misc]
            received += it.counts["received"] + it.counts["repeated"]

    play(way, tmp_path, station, scene)
    station.close()
    assert len(station.stored()) == received
    assert {each.device for each in station.stored()} == {"press"}


def test_a_host_that_is_not_there_yet_is_found(tmp_path: Path, station: Station) -> None:
    """Started before its device, a source is unreachable, says so, and reads once it is there."""

    async def scene() -> None:
        async with units("tcp", tmp_path, 3) as there:
            url = there.url
        source = unit(url, "press", FIRST, unit_id=3, **FAST)
        async with hearing(station, source) as (it,):
            await until(lambda: it.state == "unreachable")
            async with units("tcp", tmp_path, 3, port=int(url.rpartition(":")[2])):
                await until(lambda: it.counts["stored"] > 2, 8)
                assert it.state == "connected"
            await until(lambda: it.state == "unreachable", 8)

    asyncio.run(scene())


def test_a_line_that_goes_away_is_found_again(tmp_path: Path, station: Station) -> None:
    """Unplugged, a source says that its line is absent; plugged in again, it reads within 5 s."""
    link = tmp_path / "by-id"

    async def scene() -> None:
        source = unit(f"serial://{link}?baud=19200&parity=N", "press", FIRST, unit_id=3, **FAST)
        async with hearing(station, source) as (it,):
            for _ in range(3):
                await until(lambda: it.state == "absent")
                async with units("rtu", tmp_path, 3) as there:
                    link.symlink_to(Path(line(there.url).path).readlink())
                    stored = it.counts["stored"]
                    await until(lambda stored=stored: it.counts["stored"] > stored, 5)  # type: ignore[misc]
                    link.unlink()

    asyncio.run(scene())


def test_a_port_that_somebody_else_has_is_said_to_be_busy(tmp_path: Path, station: Station) -> None:
    """Two owners of one line are never there; the second says so, and reads once the first left."""

    async def scene() -> None:
        async with units("rtu", tmp_path, 3) as there:
            taken = Port(line(there.url))
            source = unit(there.url, "press", FIRST, unit_id=3, **FAST)
            async with hearing(station, source) as (it,):
                await until(lambda: it.state == "busy")
                taken.close()
                await until(lambda: it.counts["stored"] > 2)

    asyncio.run(scene())


def test_a_port_without_rs485_says_so(tmp_path: Path) -> None:
    """A driver that cannot switch by RTS is refused when it is to, and not silently left alone."""

    async def scene() -> None:
        async with cable(tmp_path) as (near, _):
            Port(line(f"serial://{near}?parity=N")).close()
            with pytest.raises(SerialUnsuitable, match="RS485"):
                Port(line(f"serial://{near}?parity=N&rts=high"))
            Port(line(f"serial://{near}?parity=N")).close()

    asyncio.run(scene())


def test_what_registers_cannot_mean_is_quarantined_once(tmp_path: Path, station: Station) -> None:
    """A value that is none is counted each time, and kept with its bytes each time it begins."""

    async def scene(station: Station, there: Units) -> None:
        metrics = (FIRST, {"register": "holding:1", "type": "bcd16"})
        await there.put(3, 0, 1, 0x00AF)
        source = unit(there.url, "press", *metrics, unit_id=3, **FAST)
        async with hearing(station, source) as (it,):
            await until(lambda: it.counts["modbus.value"] > 4 and it.counts["quarantined"] == 1)
            await there.put(3, 1, 0x0815)
            await until(lambda: values(station, "press").get("holding:1") == 815)
            await there.put(3, 1, 0xF000)
            await until(lambda: it.counts["quarantined"] == 2)

    play("tcp", tmp_path, station, scene)
    kept = sorted(each.what.payload for each in station.quarantined())
    assert kept == [bytes.fromhex("000100af"), bytes.fromhex("0001f000")]
    assert {each.what.code for each in station.quarantined()} == {"modbus.value"}
    assert values(station, "press")["holding:0"] == 1


def test_bad_answers_sign_nothing_wrong() -> None:
    """The campaign of bad answers in short: late, broken, of others; 0 wrong values are signed."""
    told = faults.campaign(200, seed=int(time.time()))
    assert " 0 wrong" in told


@pytest.mark.parametrize("way", WAYS)
def test_a_trial_shows_bytes_beside_readings(way: str, tmp_path: Path) -> None:
    """`hulian test` shows what two units of a bus answered, and of a dead one that it is silent."""

    async def scene() -> tuple[Findings, ...]:
        async with units(way, tmp_path, 3, 4, 5) as there:
            await there.put(3, 0, 0x0102, 0x0304)
            there.deaf.add(5)
            metrics = ({"register": "holding:0", "type": "uint32"}, {"register": "coil:900"})
            sources = [unit(there.url, f"u{n}", *metrics, unit_id=n, **FAST) for n in (3, 4, 5)]
            bus = Bus(sources[0].bus, now)
            trials = [ModbusTrial(each, bus) for each in sources]
            await trial.listen(trials, 1.5)
            return tuple(each.found for each in trials)

    three, four, dead = asyncio.run(scene())
    (heard,) = [each for each in three.kept if each.readings]
    assert heard.payload == bytes.fromhex("01020304")
    assert heard.readings[0].value == 0x01020304
    codes = [{fault.code for each in one.kept for fault in each.faults} for one in (three, four)]
    assert codes == [{"modbus.exception"}, {"modbus.exception"}]
    assert [each.readings[0].value for each in four.kept if each.readings] == [0]
    assert {fault.code for each in dead.kept for fault in each.faults} == {"modbus.timeout"}
    assert not any(each.readings for each in dead.kept)
