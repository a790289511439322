"""Bad answers from scripted units: late, of another unit or question, broken, short, long, refused.

What must hold: of all readings that are signed none is of another register than its metric, and
none of another moment than its time says; and the units are read again once they answer well.
"""

import asyncio
import logging
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from gateway.config import ModbusSource
from gateway.readings.reading import Reading
from gateway.records.record import ClockSource, Moment
from tests.modbus_peer import WAYS
from tests.modbus_slave import Asked, Slave
from tests.on_a_bus import hearing, unit
from tests.station import Station

BAD, BAD_LONG, SEED = 2_000, 200_000, 20_263
# A pty of its own for most, because only there nothing tells one answer from another.
_BUSES: Final = ("rtu", "rtu", "rtu", "rtu", "rtu+tcp", "tcp")
_UNITS: Final = (3, 4)
# Four questions of one shape, and one of another.
_STARTS: Final = {"a": 0, "b": 10, "c": 20, "d": 30, "e": 40}
_TIMEOUT_MS: Final = 15
_SHARE: Final = 0.5
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
    wrong = sum(_wrong(slave, at, stored) for at, slave in enumerate(slaves))
    done = sum((slave.done for slave in slaves), Counter[str]())
    assert wrong == 0, f"seed {seed}: {wrong} of {len(stored)} are wrong"
    assert len(stored) > done["good"] // 10, f"seed {seed}: hardly anything was read: {done}"
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(done.items()))
    return f"{done.total() - done['good']} bad answers, {len(stored)} readings, 0 wrong: {kinds}"


async def _suffer(station: Station, bad: int, seed: int) -> Sequence[Slave]:
    late_ms = (_TIMEOUT_MS * 0.5, _TIMEOUT_MS * 12.0)
    slaves = [Slave(way, seed + at, _SHARE, late_ms) for at, way in enumerate(_BUSES)]
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
