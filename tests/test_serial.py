"""An instrument on a real pty: what it says is stored as it was meant, and nothing else is."""

import asyncio
import os
import random
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import apsw
import pytest

from gateway.config import SerialLine, SerialSource, load
from gateway.errors import SerialBusy
from gateway.readings.reading import Quality
from gateway.sources.serial_trial import SerialTrial
from gateway.sources.trial import Findings, listen
from gateway.transport.serial import Port
from tests.on_a_line import until, wired
from tests.on_an_instrument import example, heard_by, settings, sics, toledo
from tests.oracle import ask
from tests.station import Station, now
from tests.wire import Wire

LINES = '[source.framing]\nby = "delimiter"\nend = "\\n"\n'


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    opened = Station(tmp_path)
    yield opened
    opened.close()


def _say(wire: Wire, said: bytes) -> None:
    """Let the instrument say bytes over the cable, which cuts them anywhere."""
    descriptor = os.open(wire.device, os.O_WRONLY | os.O_NOCTTY)
    os.write(descriptor, said)
    os.close(descriptor)


def test_a_receivers_positions_are_those_that_it_meant(station: Station, tmp_path: Path) -> None:
    """Sentences that another wrote, cut anywhere: places, times and signs are as it reads them."""
    dice = random.Random(4)
    meant = [
        (
            dice.uniform(-89, 89),
            dice.uniform(-179, 179),
            1_763_726_400 + 10 * at + dice.randrange(4) / 4,
        )
        for at in range(20)
    ]
    written = ask("sentences", meant)
    assert isinstance(written, list)

    async def story() -> None:
        async with (
            wired(tmp_path, seed=1) as wire,
            heard_by(station, example("nmea-gps", wire.link)) as it,
        ):
            await until(lambda: it.state == "connected")
            for rmc, gga, *_ in written:
                _say(wire, f"{rmc}\r\n$GPGSV,1,1,00*79\r\n{gga}\r\n".encode())
                await asyncio.sleep(0.01)
            await until(lambda: it.counts["stored"] == 5 * len(written))
            assert it.counts["unmatched"] == len(written)
            assert it.counts["quarantined"] == 0

    asyncio.run(story())
    stored = station.stored()
    latitudes = [one.value for one in stored if one.metric == "latitude"]
    longitudes = [one.value for one in stored if one.metric == "longitude"]
    assert latitudes == pytest.approx([one[2] for one in written], abs=1e-7)
    assert longitudes == pytest.approx([one[3] for one in written], abs=1e-7)
    times = [one.time_ms for one in stored if one.metric == "latitude"]
    assert times == [round(1000 * one[4]) for one in written]
    assert {round(float(one.value), 5) for one in stored if one.metric == "speed"} == {5.14444}
    assert {one.value for one in stored if one.metric == "height"} == {15.4}
    assert {one.quality for one in stored} == {Quality.GOOD}


def test_a_scales_weights_have_their_sign_and_quality(station: Station, tmp_path: Path) -> None:
    """Below zero, in motion, out of range, another point, pounds: read as meant, or quarantined."""
    weights = (
        *((1234, "0"), (1235, "2"), (1236, "8"), (1237, "4"), (1238, "6")),
        (99, " "),  # pounds
    )
    elsewhere = b"\x02;" + toledo(1)[2:-1]  # one place behind the point
    said = b"".join(toledo(*one) for one in weights)
    said += elsewhere + bytes((-sum(elsewhere) % 128,))

    async def story() -> None:
        async with (
            wired(tmp_path, seed=2) as wire,
            heard_by(station, example("scale-toledo", wire.link)) as it,
        ):
            await until(lambda: it.state == "connected")
            _say(wire, said)
            await until(lambda: it.counts["quarantined"] == 2)
            assert it.counts["payload.pattern"] == 2

    asyncio.run(story())
    good, bad = Quality.GOOD, Quality.BAD
    assert [(one.value, one.quality) for one in station.stored() if one.metric == "weight"] == [
        (12.34, good),
        (-12.35, good),
        (12.36, Quality.UNCERTAIN),
        (12.37, bad),
        (-12.38, bad),
    ]
    kept = {one.what.payload for one in station.quarantined()}
    assert kept == {toledo(99, " "), elsewhere + bytes((-sum(elsewhere) % 128,))}


def test_noise_costs_telegrams_and_never_a_wrong_value(station: Station, tmp_path: Path) -> None:
    """Flipped, lost and added bytes: every stored weight was said, and every loss is counted."""
    said = [7 * number for number in range(1, 401)]

    async def story() -> int:
        async with (
            wired(tmp_path, seed=3, noise=0.3) as wire,
            heard_by(station, example("scale-toledo", wire.link)) as it,
        ):
            await until(lambda: it.state == "connected")
            for weight in said:
                _say(wire, toledo(weight))
                await asyncio.sleep(0.004)
            wire.noise = 0.0
            _say(wire, toledo(999_999))
            await until(lambda: any(one.value == 9999.99 for one in station.stored()))
            return sum(it.counts[code] for code in it.counts if code.startswith("line."))

    broken = asyncio.run(story())
    weights = [one for one in station.stored() if one.metric == "weight"]
    read = [round(100 * float(one.value)) for one in weights]
    # Seven bits of sum let one broken telegram in 128 through; here the order shows them.
    wrong = [weight for weight in read[:-1] if weight not in said]
    assert len(wrong) <= 2
    assert len(read) > 150
    assert broken > 50
    for one in station.quarantined():
        assert one.what.code in ("line.checksum", "payload.pattern", "payload.utf8")


class Balance:
    """A balance that answers questions, when and how the test says."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._far = os.open(wire.device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self.asked = 0
        self.open_when_said: dict[int, int] = {}  # of each answer, the question asked last then
        self.delay: Callable[[int], float | None] = lambda _number: 0.0
        asyncio.get_running_loop().add_reader(self._far, self._hear)

    def _hear(self) -> None:
        for _ in range(os.read(self._far, 4096).count(b"SI\r\n")):
            self.asked += 1
            delay_s = self.delay(self.asked)
            if delay_s is not None:
                asyncio.get_running_loop().call_later(delay_s, self._say, self.asked)

    def _say(self, number: int) -> None:
        self.open_when_said[number] = self.asked
        os.write(self._far, sics(number))

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._far)
        os.close(self._far)


_QUICK = "poll_ms = 60\ntimeout_ms = 50\nlate_ms_max = 300\ngap_ms = 10\n"


def _asking(path: Path, more: str = _QUICK) -> str:
    text = example("scale-sics", path)
    for key in ("poll_ms", "timeout_ms", "late_ms_max"):
        text = "\n".join(line for line in text.split("\n") if not line.startswith(key))
    return text.replace('separator = " "\n', f'separator = " "\n{more}')


def test_a_late_answer_is_never_the_answer_of_the_next(station: Station, tmp_path: Path) -> None:
    """Whatever comes late or never: each stored weight is the answer to the question then open."""
    dice = random.Random(6)

    async def story() -> dict[int, int]:
        async with wired(tmp_path) as wire:
            balance = Balance(wire)
            balance.delay = lambda _: dice.choice((0.0, 0.01, 0.02, 0.1, 0.2, 0.25, None))
            async with heard_by(station, _asking(wire.link)) as it:
                await until(lambda: it.counts["stored"] >= 15, 60)
                assert it.counts["late"] > 0 and it.counts["unproved"] > 0
            balance.close()
            return balance.open_when_said

    open_when_said = asyncio.run(story())
    numbers = [int(one.value) for one in station.stored()]
    assert numbers == sorted(set(numbers)), "none twice, none after a later one"
    assert all(open_when_said[number] == number for number in numbers), "each is its question's"
    assert 1 not in numbers, "the first on a line just opened is not proved"


def test_no_question_is_asked_while_an_answer_may_come(station: Station, tmp_path: Path) -> None:
    """After a time-out the next question waits for the late answer, or until it cannot come."""

    async def story() -> list[float]:
        async with wired(tmp_path) as wire:
            balance, asked_s = Balance(wire), []
            loop = asyncio.get_running_loop()

            def note(number: int) -> float | None:
                asked_s.append(loop.time())
                return None if number < 4 else 0.0

            balance.delay = note
            async with heard_by(station, _asking(wire.link)) as it:
                await until(lambda: it.counts["stored"] > 2, 20)
                assert (it.counts["line.timeout"], it.counts["unproved"]) == (3, 1)
                assert it.state == "connected"
            balance.close()
            return asked_s

    asked_s = asyncio.run(story())
    # Seen from the far end, which may note one question late and the next one not.
    assert all(after - before >= 0.2 for before, after in pairwise(asked_s[:4]))
    assert [one.value for one in station.stored()][:2] == [5.0, 6.0]


def test_what_nobody_asked_for_is_no_answer(station: Station, tmp_path: Path) -> None:
    """A balance whose button is pressed between two questions is counted, and not believed."""

    async def story() -> None:
        async with wired(tmp_path) as wire:
            balance = Balance(wire)
            quick = _QUICK.replace("poll_ms = 60", "poll_ms = 400")
            async with heard_by(station, _asking(wire.link, quick)) as it:
                await until(lambda: it.counts["stored"] >= 1)
                await asyncio.sleep(0.1)
                wire.inject(sics(777.0))
                await until(lambda: it.counts["unasked"] == 1)
                wire.inject(b"SI\r\n")
                await until(lambda: it.counts["echoes"] == 1)
                await until(lambda: it.counts["stored"] >= 3)
            balance.close()

    asyncio.run(story())
    assert 777.0 not in [one.value for one in station.stored()]


def test_half_a_number_is_never_a_number(station: Station, tmp_path: Path) -> None:
    """A line cut by a pause, and the beginning that nobody heard, give nothing but counts."""

    async def story() -> None:
        async with wired(tmp_path) as wire:
            config = settings(wire.link, "gap_ms = 300\n" + LINES)
            wire.inject(b"99")  # said before the line was opened, or just then
            async with heard_by(station, config) as it:
                await until(lambda: it.state == "connected")
                wire.inject(b"88\n12.5\n12")
                await until(lambda: it.counts["line.gap"] == 1)
                wire.inject(b".75\n13.5\n")
                await until(lambda: it.counts["stored"] == 2)
                assert it.counts["line.garbage"] >= 1

    asyncio.run(story())
    assert [one.value for one in station.stored()] == [12.5, 13.5]


def test_a_line_opened_in_a_telegrams_pause_gives_not_its_rest(
    station: Station, tmp_path: Path
) -> None:
    """A line just opened counts as silent only after five gaps: no tail becomes a number."""

    async def story() -> None:
        async with (
            wired(tmp_path) as wire,
            heard_by(station, settings(wire.link, "gap_ms = 100\n" + LINES)) as it,
        ):
            await until(lambda: it.state == "connected")
            await asyncio.sleep(0.2)
            wire.inject(b"36\n137\n")
            await until(lambda: it.counts["stored"] == 1)

    asyncio.run(story())
    assert [one.value for one in station.stored()] == [137]


def test_a_second_owner_is_refused(station: Station, tmp_path: Path) -> None:
    """A line that another process reads is busy, and heard as soon as it is free."""

    async def story() -> None:
        async with wired(tmp_path) as wire:
            first = Port(SerialLine(str(wire.link), 9600, "N", 1))
            async with heard_by(station, settings(wire.link, LINES)) as it:
                await until(lambda: it.state == "busy", 5)
                assert it.reason.startswith("serial.busy")
                first.close()
                await until(lambda: it.state == "connected", 5)
                with pytest.raises(SerialBusy):
                    Port(SerialLine(str(wire.link), 9600, "N", 1))

    asyncio.run(story())


def test_what_was_heard_waits_for_a_store_that_is_full(station: Station, tmp_path: Path) -> None:
    """An instrument says nothing twice: what cannot be stored yet is kept, in its order."""

    def limit(pages: int) -> Callable[[apsw.Connection], None]:
        return lambda db: db.pragma("max_page_count", pages) and None

    async def story() -> None:
        station.writer.submit(limit(1)).result()
        async with (
            wired(tmp_path) as wire,
            heard_by(station, settings(wire.link, LINES)) as it,
        ):
            await until(lambda: it.state == "connected")
            await asyncio.sleep(0.8)
            for number in range(600):
                wire.inject(b"%d\n" % number)
            await until(lambda: it.state == "waiting", 20)
            station.writer.submit(limit(1 << 20)).result()
            await until(lambda: it.counts["stored"] == 600, 30)
            assert it.state == "connected"

    asyncio.run(story())
    assert [one.value for one in station.stored()] == list(range(600))


def test_what_is_heard_last_is_stored(station: Station, tmp_path: Path) -> None:
    """Whoever stops the source loses nothing that it heard."""

    async def story() -> None:
        async with (
            wired(tmp_path) as wire,
            heard_by(station, settings(wire.link, LINES)) as it,
        ):
            await asyncio.sleep(0.8)
            wire.inject(b"1\n2\n3\n")
            await until(lambda: it.counts["received"] == 3)

    asyncio.run(story())
    station.writer.submit(lambda _db: None).result()
    assert [one.value for one in station.stored()] == [1, 2, 3]


def test_a_trial_shows_bytes_beside_readings_and_stores_nothing(tmp_path: Path) -> None:
    """Begun in the middle of a telegram: the first whole ones are shown, and what fails."""

    async def story() -> Findings:
        async with wired(tmp_path) as wire:
            [source] = load(example("scale-toledo", wire.link)).source
            assert isinstance(source, SerialSource)
            tried = SerialTrial(source, now)
            task = asyncio.create_task(listen([tried], 1.0))
            await asyncio.sleep(0.3)
            wire.inject(toledo(12)[7:] + toledo(1234) + toledo(1235)[:-1] + b"\x7f")
            await task
            return tried.found

    found = asyncio.run(story())
    whole, broken = found.kept
    assert (found.heard, found.good, found.fault) == (2, False, None)
    assert (whole.payload, whole.faults) == (toledo(1234), ())
    assert [(one.metric, one.value) for one in whole.readings] == [("weight", 12.34), ("tare", 0.0)]
    assert [fault.code for fault in broken.faults] == ["line.checksum"]


def test_a_trial_of_a_silent_line_says_so(tmp_path: Path) -> None:
    """An instrument that never answers, and a line that is not there, have their own codes."""

    async def story() -> list[str]:
        async with wired(tmp_path) as wire:
            codes = []
            for path in (wire.link, tmp_path / "nothing"):
                [source] = load(example("scale-sics", path)).source
                assert isinstance(source, SerialSource)
                tried = SerialTrial(source, now)
                await listen([tried], 0.5)
                codes.append(tried.found.fault.code if tried.found.fault else "")
            return codes

    assert asyncio.run(story()) == ["source.silent", "serial.absent"]
