"""Registers a second on one RTU bus, against what the line itself allows; and a dead unit beside.

The line is a pair of pseudo-terminals that carries bytes at its baud rate, each with start, parity
and stop bit; the units are pymodbus's server. The line's own limit is computed: a question, an
answer, and 3.5 letters of silence after each, with units that need no time at all.
"""

import asyncio
import logging
import statistics
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from gateway.config import ModbusSource
from gateway.sources.modbus import ModbusListener
from tests.modbus_peer import Units, units
from tests.on_a_bus import hearing, unit
from tests.station import Station

_LETTER_BITS: Final = 11
_SILENCE_LETTERS: Final = 3.5
_SILENCE_S_MIN: Final = 0.00175
_BAUDS: Final = (9_600, 19_200, 115_200)
_REGISTERS: Final = 100
_MEASURED_S: Final = 8.0
_POLL_MS: Final = 400
_DEAD: Final = 3


def run() -> list[str]:
    """Read one unit as fast as the line goes, at each speed; then five, one of them dead."""
    logging.disable(logging.WARNING)
    return [*(_rate(baud) for baud in _BAUDS), *_with_a_dead_one()]


def limit(baud: int, registers: int) -> float:
    """Give the registers a second that a line of this speed allows."""
    letter_s = _LETTER_BITS / baud
    silence_s = max(_SILENCE_LETTERS * letter_s, _SILENCE_S_MIN)
    return registers / ((8 + 5 + 2 * registers) * letter_s + 2 * silence_s)


def _rate(baud: int) -> str:
    metrics = [{"register": f"holding:{at}"} for at in range(_REGISTERS)]
    rates: list[float] = []

    async def measured(station: Station, there: Units) -> None:
        source = unit(there.url, "press", *metrics, unit_id=1, poll_ms=10)
        async with hearing(station, source) as (it,):
            await _reads(it)
            before, started = it.counts["received"], time.perf_counter()
            await asyncio.sleep(_MEASURED_S)
            rates.append((it.counts["received"] - before) / (time.perf_counter() - started))

    _play(baud, (1,), measured)
    share = rates[0] / limit(baud, _REGISTERS)
    return f"{baud} baud: {rates[0]:.0f} registers/s, {share:.0%} of the line's own limit"


def _with_a_dead_one() -> Iterator[str]:
    """Compare the periods of four units without and with a dead one between them."""
    periods: dict[bool, list[float]] = {}

    async def measured(station: Station, there: Units) -> None:
        async with hearing(station, *sources(there.url)) as listeners:
            for it in listeners:
                await _reads(it)
            for dead in (False, True):
                there.deaf |= {_DEAD} if dead else set()
                periods[dead] = await watch([it for it in listeners if it.name != f"u{_DEAD}"])

    _play(19_200, (1, 2, _DEAD, 4, 5), measured)
    for dead, found in periods.items():
        mean, longest = statistics.mean(found), statistics.quantiles(found, n=20)[-1]
        yield (
            f"{'one of five units dead' if dead else 'five units alive'}: period of the others"
            f" {mean:.1f} ms where {_POLL_MS} are wanted ({mean / _POLL_MS - 1:+.1%}),"
            f" 19 of 20 at most {longest:.0f} ms"
        )


def sources(url: str) -> list[ModbusSource]:
    """Give five units of ten registers each; what they and a dead one cost fits in their period."""
    metrics: list[dict[str, Any]] = [{"register": f"holding:{at}"} for at in range(10)]
    pace = {"poll_ms": _POLL_MS, "timeout_ms": 100, "backoff_ms_max": 3_200}
    return [unit(url, f"u{n}", *metrics, unit_id=n, **pace) for n in (1, 2, _DEAD, 4, 5)]


async def watch(listeners: list[ModbusListener], seconds: float = _MEASURED_S) -> list[float]:
    """Give the periods, ms, between the polls of each, as its readings have them."""
    seen: dict[str, list[int]] = {it.name: [] for it in listeners}
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        for it in listeners:
            heard_ms = it.devices[it.name]
            if heard_ms not in seen[it.name]:
                seen[it.name].append(heard_ms)
        await asyncio.sleep(0.005)
    return [float(two - one) for times in seen.values() for one, two in pairwise(times)]


async def _reads(it: ModbusListener) -> None:
    while it.counts["received"] < 2 * _REGISTERS and it.counts["stored"] < 20:
        await asyncio.sleep(0.01)


def _play(baud: int, numbers: tuple[int, ...], measured: Any) -> None:
    async def played(folder: Path, station: Station) -> None:
        async with units("rtu", folder, *numbers, baud=baud) as there:
            await measured(station, there)

    with tempfile.TemporaryDirectory() as name:
        station = Station(Path(name))
        try:
            asyncio.run(played(Path(name), station))
        finally:
            station.close()
