"""Bad answers from scripted units: late, of another unit or question, broken, short, long, refused.

What must hold: of all readings that are signed as good none is of another register than its metric,
and none of another moment than its time says; each question without a good answer has made its
metric bad, by a repeat of its last value and at most one a second; and the units are read again
once they answer well.
"""

import asyncio
import logging
import tempfile
import time
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Final

from gateway.config import ModbusSource
from gateway.readings.reading import Quality, Reading
from gateway.readings.repeats import EACH_MS_MIN
from gateway.records.record import ClockSource, Moment
from tests.modbus_peer import WAYS
from tests.modbus_slave import Asked, Slave
from tests.on_a_bus import hearing, unit
from tests.station import Station

BAD, BAD_LONG, SEED = 2_000, 200_000, 20_263
# A pty of its own for most, because only there nothing tells one answer from another.
_BUSES: Final = ("rtu", "rtu", "rtu", "rtu", "rtu", "rtu+tcp", "tcp")
_UNITS: Final = (3, 4)
# Four questions of one shape, and one of another.
_STARTS: Final = {"a": 0, "b": 10, "c": 20, "d": 30, "e": 40}
_TIMEOUT_MS: Final = 15
# On the first, a bad answer mostly stands alone: there no earlier repeat speaks for it.
_SHARES: Final = (0.005, *(0.5 for _ in _BUSES[1:]))
# Ten times what it takes on two cores: who stands still is not waited for.
_S_MAX, _EACH_S_MAX = 30.0, 0.05
_EPOCH_MS: Final = 1_795_262_400_000


def run(long: bool) -> str:
    """Give so many bad answers."""
    logging.disable(logging.WARNING)
    return campaign(BAD_LONG if long else BAD, SEED)


def campaign(bad: int, seed: int) -> str:
    """Give at least `bad` bad answers on several buses, and look at all that is stored."""
    with tempfile.TemporaryDirectory() as folder:
        station = Station(Path(folder))
        try:
            slaves = asyncio.run(_suffer(station, bad, seed))
            stored = station.stored()
        finally:
            station.close()
    good = [each for each in stored if each.quality is Quality.GOOD]
    wrong = sum(_wrong(slave, at, good) for at, slave in enumerate(slaves))
    done = sum((slave.done for slave in slaves), Counter[str]())
    assert wrong == 0, f"seed {seed}: {wrong} of {len(good)} are wrong"
    assert len(good) > done["good"] // 10, f"seed {seed}: hardly anything was read: {done}"
    tales = _tales(stored)
    missed = [each for at, slave in enumerate(slaves) for each in _missed(slave, at, tales)]
    silent = [each for each in missed if not each.is_told]
    assert missed and not silent, f"seed {seed}: nobody told of {len(silent)}: {silent[:3]}"
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(done.items()))
    return (
        f"{done.total() - done['good']} bad answers, {len(good)} readings, 0 wrong; "
        f"{len(missed)} values missed, {len(stored) - len(good)} repeats, 0 untold: {kinds}"
    )


async def _suffer(station: Station, bad: int, seed: int) -> Sequence[Slave]:
    late_ms = (_TIMEOUT_MS * 0.5, _TIMEOUT_MS * 12.0)
    slaves = [
        Slave(way, seed + at, share, late_ms)
        for at, (way, share) in enumerate(zip(_BUSES, _SHARES, strict=True))
    ]
    assert set(_BUSES) == set(WAYS)
    for slave in slaves:
        await slave.start()
    sources = [each for at, slave in enumerate(slaves) for each in _sources(at, slave.url)]
    async with hearing(station, *sources, clock=_now):
        until_s = time.monotonic() + _S_MAX + bad * _EACH_S_MAX
        while sum(slave.done.total() - slave.done["good"] for slave in slaves) < bad:
            assert time.monotonic() < until_s, f"seed {seed}: {[slave.done for slave in slaves]}"
            await asyncio.sleep(0.1)
    for slave in slaves:
        await slave.stop()
    return slaves


def _sources(at: int, url: str) -> list[ModbusSource]:
    metrics = [
        {
            "name": name,
            "register": f"holding:{start}",
            "type": "uint64" if name == "e" else "uint32",
        }
        for name, start in _STARTS.items()
    ]
    pace = {"poll_ms": 10, "timeout_ms": _TIMEOUT_MS, "backoff_ms_max": 10}
    return [
        unit(url, f"bus{at}-unit{number}", *metrics, unit_id=number, **pace) for number in _UNITS
    ]


def _now() -> Moment:
    """Tell the time by the clock that the slave has, so that both can be compared."""
    now_ms = time.monotonic_ns() // 1_000_000
    return Moment(_EPOCH_MS + now_ms, 5, ClockSource.NTP, b"bootboot", now_ms)


def _wrong(slave: Slave, at: int, stored: Sequence[Reading]) -> int:
    """Count readings that are not what the unit said when it was asked for them."""
    return sum(
        not _right(slave.asked, int(each.device[-1]), each)
        for each in stored
        if each.device.startswith(f"bus{at}-")
    )


def _right(asked: Sequence[Asked], unit: int, reading: Reading) -> bool:
    """Say whether a reading is of its register, of its unit, and of the last request before it."""
    start, number = divmod(int(reading.value) & 0xFFFF_FFFF, 1 << 16)
    if reading.metric == "e":
        start -= 2
    # Only the lowest bits of a number are in a register.
    made_by = [
        each
        for each in asked[number :: 1 << 16]
        if (each.unit, each.start) == (unit, _STARTS[reading.metric])
    ]
    assert reading.time_ms is not None
    read_ms = reading.time_ms - _EPOCH_MS
    return start == _STARTS[reading.metric] and any(
        each.at_ms - 2 <= read_ms
        and (each.number + 1 == len(asked) or read_ms <= asked[each.number + 1].at_ms + 2)
        for each in made_by
    )


@dataclass
class _Tale:
    """When a metric was said to be what it is, and when it was repeated as bad."""

    read_ms: list[int] = field(default_factory=list)
    repeated_ms: list[int] = field(default_factory=list)
    value: object = None


def _tales(stored: Sequence[Reading]) -> dict[tuple[str, str], _Tale]:
    """Tell what a reader sees of each metric; a repeat is of the last value, and they are rare."""
    tales: dict[tuple[str, str], _Tale] = {}
    for each in stored:
        assert each.time_ms is not None
        at_ms, tale = (
            each.time_ms - _EPOCH_MS,
            tales.setdefault((each.device, each.metric), _Tale()),
        )
        if each.quality is Quality.GOOD:
            tale.read_ms.append(at_ms)
            tale.value = each.value
            continue
        assert tale.read_ms and tale.value == each.value, f"{each} repeats nothing"
        tale.repeated_ms.append(at_ms)
    for tale in tales.values():
        assert all(two - one >= EACH_MS_MIN for one, two in pairwise(tale.repeated_ms)), tale
    return tales


@dataclass(frozen=True)
class _Missed:
    """A question for a metric that got no good answer, and whether a reader can know of it."""

    asked: Asked
    kind: str
    is_told: bool


def _missed(slave: Slave, at: int, tales: dict[tuple[str, str], _Tale]) -> Iterator[_Missed]:
    """Find what was asked for metrics that had a value, and badly answered on purpose."""
    for number in _UNITS:
        heard = [
            (asked, kind)
            for asked, kind in zip(slave.asked, slave.did, strict=True)
            if asked.unit == number
        ]
        for (asked, kind), (after, _) in pairwise(heard):
            metric = _metric(asked)
            tale = tales.get((f"bus{at}-unit{number}", metric)) if metric else None
            if tale is None or not _is_bad(slave.way, kind, after):
                continue
            if bisect_left(tale.read_ms, int(asked.at_ms)):
                yield _Missed(asked, kind, _is_told(tale, asked.at_ms, after.at_ms))


def _metric(asked: Asked) -> str:
    """Give the metric that a question is for, "" where it is for none."""
    wanted = {(start, 4 if name == "e" else 2): name for name, start in _STARTS.items()}
    return wanted.get((asked.start, asked.count), "") if asked.function == 3 else ""


def _is_bad(way: str, kind: str, after: Asked) -> bool:
    """Say whether an answer cannot have been taken for a good one.

    A late one may have come in time, and TCP has no checksum. A refused probe may have settled that
    nothing is late; then the first question of all comes next.
    """
    if kind in ("good", "late") or (way, kind) == ("tcp", "crc"):
        return False
    return kind != "exception" or _metric(after) != "a"


def _is_told(tale: _Tale, asked_ms: float, after_ms: float) -> bool:
    """Say whether a metric was repeated then or within the second before, or still is bad."""
    repeats = bisect_right(tale.repeated_ms, after_ms)
    if not repeats:
        return False
    repeated_ms = tale.repeated_ms[repeats - 1]
    read_ms = tale.read_ms[bisect_left(tale.read_ms, int(after_ms)) - 1]
    return repeated_ms >= read_ms or repeated_ms > asked_ms - EACH_MS_MIN - 2
