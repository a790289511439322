"""Writes to scripted units whose answers are late, lost, broken, refused or another's.

What must hold, of each move with a value of its own: the unit was told at most once; what is said
to have moved was done, and what is said surely not to have was not; and the unit is read after all.
"""

import asyncio
import logging
import random
import tempfile
from collections import Counter
from pathlib import Path
from typing import Final

import msgspec

from gateway.config import ModbusPoint
from gateway.errors import MachineAway, NotMoved, Unsure
from gateway.sources.modbus import ModbusListener
from tests.modbus_slave import WRITTEN, Slave
from tests.on_a_bus import hearing, unit
from tests.on_a_line import until
from tests.station import Station

MOVES, MOVES_LONG, SEED = 60, 3_000, 20_267
_FATES: Final = ("good", *(each for each in WRITTEN if each not in ("dies", "clamped")), "2", "4")
_WRITES: Final = (6, 16)
_TIMEOUT_MS: Final = 15
_PLACE: Final = 20


def run(long: bool) -> str:
    """Move so many times."""
    logging.disable(logging.WARNING)
    return campaign(MOVES_LONG if long else MOVES, SEED)


def campaign(count: int, seed: int) -> str:
    """Move points over each way, half of all reads answered badly too; look at what was done."""
    with tempfile.TemporaryDirectory() as folder:
        station = Station(Path(folder))
        try:
            found = asyncio.run(_all(station, count, seed))
        finally:
            station.close()
    told = ", ".join(f"{what} {many}" for what, many in sorted(found.items()))
    return f"{found.total()} moves, none told twice, none said falsely: {told}"


async def _all(station: Station, count: int, seed: int) -> Counter[str]:
    ways = enumerate(("rtu", "tcp", "rtu+tcp"))
    each = [_suffer(station, way, count // 3, seed + at) for at, way in ways]
    return sum(await asyncio.gather(*each), Counter[str]())


async def _suffer(station: Station, way: str, count: int, seed: int) -> Counter[str]:
    dice = random.Random(seed)
    late_ms = (_TIMEOUT_MS * 0.5, _TIMEOUT_MS * 3.0)
    slave = Slave(way, seed, 0.3, late_ms, kinds=("late", "silent", "crc", "exception"))
    await slave.start()
    name = f"unit-{way.replace('+', '-')}"
    metric = {"name": "m", "register": "holding:0"}
    told = {"name": "p", "register": f"holding:{_PLACE}", "min": 0, "max": 65_535, "wait_ms": 300}
    pace = {"poll_ms": 20, "timeout_ms": _TIMEOUT_MS, "backoff_ms_max": 20, "unit_id": 3}
    source = unit(slave.url, name, metric, **pace)
    points = tuple(
        msgspec.convert({**told, "name": f"p{many:d}", "multiple": many}, ModbusPoint)
        for many in (False, True)
    )
    found: Counter[str] = Counter()
    async with hearing(station, msgspec.structs.replace(source, point=points)) as (it,):
        await until(lambda: it.counts["received"] > 0)
        for value in range(1, count + 1):
            slave.writing.clear()
            slave.writing.append(dice.choice(_FATES))
            outcome = await _move(it, f"p{dice.randrange(2)}", value)
            _check(slave, value, outcome, f"seed {seed}, {way}, value {value}: {outcome}")
            found[outcome] += 1
        before = it.counts["received"]
        await until(lambda: it.counts["received"] > before)
    await slave.stop()
    return found


async def _move(it: ModbusListener, name: str, value: int) -> str:
    try:
        await it.move(name, value)
    except MachineAway:
        return "away"
    except NotMoved:
        return "not"
    except Unsure:
        return "unsure"
    return "moved"


def _check(slave: Slave, value: int, outcome: str, where: str) -> None:
    """See that what is said of a move is what the unit did, and that it was told at most once."""
    asked = [
        (became, int.from_bytes(each.said))
        for each, became in zip(slave.asked, slave.did, strict=True)
        if each.function in _WRITES
    ]
    fates = [became for became, said in asked if said == value]
    done = [became for became in fates if not became.isdecimal()]
    assert len(fates) <= 1, f"{where}: told {len(fates)} times"
    match outcome:
        case "moved":
            assert done and slave.held[3, "holding", _PLACE] == value, where
        case "away":
            assert not fates, where
        case "not":
            assert not done, where
