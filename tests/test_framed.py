"""A framed source on a real line: the real C device, the real store, and a bad cable between."""

import asyncio
import errno
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from gateway.config import SerialLine
from gateway.errors import SerialBusy, SerialError
from gateway.readings.frame import Samples, Table, encode
from gateway.records.record import ClockSource, Moment
from gateway.transport import serial
from gateway.transport.serial import Port
from tests.bridge_c import build_device
from tests.on_a_line import heard, listening, reading_of, replug, running, stores, until, wired
from tests.station import Station, now
from tests.vectors.build_frame import BOOT, ROWS, WARM, seal


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_device(tmp_path_factory.mktemp("device"))


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    opened = Station(tmp_path)
    yield opened
    opened.close()


def test_each_reading_is_stored_once_over_a_bad_line(
    program: Path, station: Station, tmp_path: Path
) -> None:
    """Split frames, noise and lost bytes cost time; no reading is lost, doubled or moved."""

    async def story() -> None:
        async with wired(tmp_path, seed=3, noise=0.1) as wire, listening(station, wire.link) as it:
            options = ("--count", "100", "--period-ms", "10")
            with running(program, wire.device, *options) as device:
                await until(device.gone, 60)
                assert device.said("acknowledged") == list(range(100))
        assert sum(it.counts[code] for code in it.counts if code.startswith("frame.")) > 0
        assert (it.counts["stored"], it.counts["acknowledged"]) == (100, 100)
        assert (it.says, list(it.devices)) == ("mcu", ["mcu-7"])

    asyncio.run(story())
    assert heard(station) == [reading_of(number) for number in range(100)]
    assert station.quarantined() == []
    assert {(it.device, it.unit) for it in station.stored()} == {("mcu-7", "Cel"), ("mcu-7", "")}


def test_a_reading_has_the_time_at_which_it_was_taken(
    program: Path, station: Station, tmp_path: Path
) -> None:
    """What waited on the device while nobody listened is stored under the time of its sampling."""

    async def story() -> int:
        async with wired(tmp_path) as wire:
            options = ("--count", "20", "--period-ms", "50")
            with running(program, wire.device, *options) as device:
                begun_ms = now().unix_ms
                await until(lambda: len(device.said("sampled")) == 20)
                await asyncio.sleep(1)
                async with listening(station, wire.link):
                    await until(device.gone)
        return begun_ms

    begun_ms = asyncio.run(story())
    times = [reading.time_ms or 0 for reading in station.stored()]
    assert times == sorted(times)
    assert abs(times[0] - begun_ms) < 500
    assert abs(times[-1] - times[0] - 19 * 50) < 500


def test_replugged_under_another_name_it_reads_on(
    program: Path, station: Station, tmp_path: Path
) -> None:
    """After an unplug, and a replug behind the same link, it reads again within 5 s, all of it."""

    async def story() -> None:
        async with wired(tmp_path) as wire, listening(station, wire.link) as it:
            with running(program, wire.device, "--period-ms", "10", "--count", "600") as device:
                await until(lambda: it.counts["stored"] > 20)
                for _ in range(3):
                    await replug(wire, it, away_s=0.3)
                await until(device.gone, 60)
                assert device.said("acknowledged") == list(range(600))

    asyncio.run(story())
    assert heard(station) == [reading_of(number) for number in range(600)]


def test_a_link_that_comes_to_name_another_line_is_followed(
    program: Path, station: Station, tmp_path: Path
) -> None:
    """Even if the old line stays open and silent, the path is what counts."""

    async def story() -> None:
        async with wired(tmp_path) as wire, listening(station, tmp_path / "alias") as it:
            silent, quiet = os.openpty()
            (tmp_path / "alias").symlink_to(os.ttyname(quiet))
            await until(lambda: it.state == "connected", 5)
            with running(program, wire.device, "--count", "5", "--period-ms", "10") as device:
                (tmp_path / "other").symlink_to(wire.name)
                (tmp_path / "other").rename(tmp_path / "alias")
                await until(device.gone, 10)
            os.close(silent)
            os.close(quiet)

    asyncio.run(story())
    assert len(station.stored()) == 5


def test_repeats_are_known_across_our_own_restart(
    program: Path, station: Station, tmp_path: Path
) -> None:
    """Committed and not acknowledged, then restarted: the repeats are known by boot and number."""

    async def story() -> None:
        async with wired(tmp_path) as wire:
            wire.deaf = False
            with running(program, wire.device, "--count", "40", "--period-ms", "20") as device:
                async with listening(station, wire.link) as it:
                    await until(lambda: it.counts["stored"] > 4)
                    wire.deaf = True  # from now on no ACK arrives
                    await until(lambda: it.counts["stored"] > 14)
                told = len(device.said("acknowledged"))
                assert told < len(station.stored())
                wire.deaf = False
                async with listening(station, wire.link) as it:
                    await until(device.gone)
                    assert it.counts["duplicates"] > 0

    asyncio.run(story())
    assert heard(station) == [reading_of(number) for number in range(40)]


def test_nothing_is_acknowledged_before_its_commit(
    program: Path, station: Station, tmp_path: Path
) -> None:
    """I8: while the commit is held up the device is told nothing, and keeps all it has."""

    async def story() -> None:
        held = threading.Event()
        async with wired(tmp_path) as wire, listening(station, wire.link) as it:
            await until(lambda: it.state == "connected")
            station.writer.submit(lambda _db: held.wait(30))
            with running(program, wire.device, "--count", "30", "--period-ms", "5") as device:
                try:
                    await until(lambda: it.counts["duplicates"] > 0)  # it goes on asking
                    assert device.said("acknowledged") == []
                    assert len(station.stored()) == 0
                finally:
                    held.set()
                await until(device.gone)

    asyncio.run(story())
    assert heard(station) == [reading_of(number) for number in range(30)]


def test_a_store_that_is_full_takes_nothing_and_loses_nothing(
    program: Path, station: Station, tmp_path: Path
) -> None:
    """A commit that fails is taken back; when there is room again the device has said it all."""

    def limit(pages: int) -> Callable[[apsw.Connection], None]:
        return lambda db: db.pragma("max_page_count", pages) and None

    async def story() -> None:
        station.writer.submit(limit(1)).result()
        async with wired(tmp_path) as wire, listening(station, wire.link) as it:
            with running(program, wire.device, "--count", "1500", "--period-ms", "1") as device:
                await until(lambda: it.state == "waiting")
                assert it.reason.startswith("store.full")
                full = len(station.stored())
                assert len(device.said("acknowledged")) <= full
                station.writer.submit(limit(1 << 20)).result()
                await until(device.gone, 60)
                assert it.state == "connected"

    asyncio.run(story())
    numbers = heard(station)
    assert numbers == [reading_of(number) for number in range(1500)]


def test_what_a_full_ring_drops_is_counted_and_told(
    program: Path, station: Station, tmp_path: Path
) -> None:
    """A device that waited too long lost its oldest readings, and the gateway knows how many."""

    async def story() -> int:
        async with wired(tmp_path) as wire:
            options = ("--count", "100", "--period-ms", "5", "--ring", "16")
            with running(program, wire.device, *options) as device:
                await until(lambda: len(device.said("dropped")) > 30)
                async with listening(station, wire.link) as it:
                    await until(device.gone)
                assert device.said("dropped")[-1] >= it.counts["dropped"]
                return it.counts["dropped"]

    dropped = asyncio.run(story())
    assert dropped > 30
    assert len(station.stored()) + dropped == 100


def test_a_second_owner_of_the_line_is_refused(station: Station, tmp_path: Path) -> None:
    """Whoever comes second hears why, and has the line once the first has left."""

    async def story() -> None:
        async with wired(tmp_path) as wire:
            line = SerialLine(str(wire.link), 115200, "N", 1)
            first = Port(line)
            with pytest.raises(SerialBusy, match="belongs to another process"):
                Port(line)
            async with listening(station, wire.link) as it:
                await until(lambda: it.state == "busy", 5)
                assert it.reason.startswith("serial.busy")
                first.close()
                await until(lambda: it.state == "connected", 5)
                with pytest.raises(SerialBusy):
                    Port(line)

    asyncio.run(story())


def test_what_cannot_be_read_is_quarantined_and_blocks_nothing(
    station: Station, tmp_path: Path
) -> None:
    """A sample without a name, a frame of unknown type: kept with bytes and reason, and passed."""
    table = encode(Table(BOOT, 2, 0, "mcu", ROWS))
    odd = (WARM, replace(WARM, metric=2), replace(WARM, quality=3), replace(WARM, mantissa=216))
    strange = seal(b"\x01\x44strange")

    async def story() -> None:
        async with wired(tmp_path) as wire, listening(station, wire.link) as it:
            await until(lambda: it.state == "connected")
            wire.inject(table + strange + b"\x00noise\x00" + encode(Samples(BOOT, 0, 4, 0, 0, odd)))
            await until(lambda: it.counts["acknowledged"] == 4)
            assert (it.counts["stored"], it.counts["quarantined"]) == (2, 3)
            assert (it.counts["frame.type"], it.counts["frame.cobs"]) == (1, 1)

    asyncio.run(story())
    assert [value for _, value in heard(station)] == [21.5, 21.6]
    kept = {it.what.code: it.what.payload for it in station.quarantined()}
    assert kept == {
        "frame.type": strange[1:-1],
        "frame.metric": odd[1].encode(),
        "frame.quality": odd[2].encode(),
    }
    assert station.intake("mcu-7").position() is not None


def test_a_line_of_noise_is_counted_and_never_kept(station: Station, tmp_path: Path) -> None:
    """A wrong baud rate, or another protocol, fills a counter and not the store."""

    async def story() -> None:
        async with wired(tmp_path, seed=5) as wire, listening(station, wire.link) as it:
            await until(lambda: it.state == "connected")
            wire.inject(wire._dice.randbytes(20_000))
            await until(lambda: not wire._to_gateway)
            assert it.counts.total() == sum(
                it.counts[code] for code in ("frame.cobs", "frame.crc", "frame.short", "frame.long")
            )
            assert it.counts.total() > 10

    asyncio.run(story())
    assert station.quarantined() == []


@pytest.mark.parametrize(
    ("made", "state", "code"),
    [
        (lambda path: None, "absent", "serial.absent"),
        (lambda path: path.symlink_to("nowhere"), "absent", "serial.absent"),
        (lambda path: path.write_text("not a line"), "unusable", "serial.unsuitable"),
        (lambda path: path.mkdir(), "unusable", "serial.unsuitable"),
    ],
    ids=["nothing", "a link to nothing", "a file", "a folder"],
)
def test_a_line_that_cannot_be_opened_says_why(
    station: Station, tmp_path: Path, made: Callable[[Path], object], state: str, code: str
) -> None:
    """What is not a serial line is named as what it is, and looked for again."""
    path = tmp_path / "line"
    made(path)

    async def story() -> None:
        async with listening(station, path) as it:
            await until(lambda: it.state != "connecting", 5)
            assert (it.state, it.reason.split(":")[0]) == (state, code)

    asyncio.run(story())


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.EACCES, "serial.permission"),
        (errno.EBUSY, "serial.busy"),
        (errno.ENXIO, "serial.absent"),
        (errno.EINVAL, "serial.unsuitable"),
    ],
)
def test_each_fault_of_the_kernel_has_its_error(number: int, code: str) -> None:
    """A line that may not be opened says what to do about it."""
    fault = serial._explained("/dev/ttyUSB0", OSError(number, "no"))
    assert isinstance(fault, SerialError)
    assert fault.code == code
    assert "/dev/ttyUSB0" in str(fault)


def test_an_unset_clock_is_told_by_monotonic_time(
    program: Path, station: Station, tmp_path: Path
) -> None:
    """Before the gateway knows the time its readings are stored all the same, without one."""

    def unset() -> Moment:
        return Moment(0, 0, ClockSource.UNSET, b"bootboot", now().monotonic_ms)

    async def story() -> None:
        async with wired(tmp_path) as wire, listening(station, wire.link, unset):
            with running(program, wire.device, "--count", "3", "--period-ms", "5") as device:
                await until(device.gone)

    asyncio.run(story())
    assert [(it.time_ms, it.monotonic_ms is None) for it in station.stored()] == 3 * [(None, False)]


def test_a_device_that_makes_its_own_pseudo_terminal_is_heard(
    program: Path, station: Station, tmp_path: Path
) -> None:
    """What the demo does: no cable between, and nothing is said while nobody listens."""

    async def story() -> None:
        path = tmp_path / "tty"
        with running(program, path, "--pty", "--count", "150", "--period-ms", "20") as device:
            for _ in range(2):
                async with listening(station, path) as it:
                    await stores(it, 6)
                await asyncio.sleep(1)
            async with listening(station, path):
                await until(device.gone)

    asyncio.run(story())
    assert heard(station) == [reading_of(number) for number in range(150)]
    times = [reading.time_ms or 0 for reading in station.stored()]
    late = [time_ms - times[0] - 20 * number for number, time_ms in enumerate(times)]
    assert max(map(abs, late)) < 500
