"""Sources on Modbus buses, run as the agent runs them: what tests, stories and campaigns share."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from gateway.config import Bus as Address, ModbusSource
from gateway.records.record import Moment
from gateway.sources.bus import Bus
from gateway.sources.modbus import ModbusListener
from tests.station import Station, now


def unit(url: str, name: str, *metrics: dict[str, Any], **settings: object) -> ModbusSource:
    """Give the settings of a unit; of a metric at least its register, which is its name too."""
    named = [{"name": metric["register"], **metric} for metric in metrics]
    said = {"name": name, "type": "modbus", "url": url, "metric": named, **settings}
    return msgspec.convert(said, ModbusSource)


@asynccontextmanager
async def hearing(
    station: Station, *sources: ModbusSource, clock: Callable[[], Moment] = now
) -> AsyncIterator[list[ModbusListener]]:
    """Run sources until the block ends; those with one url share a bus."""
    buses: dict[Address, Bus] = {}
    listeners = []
    for each in sources:
        bus = buses.setdefault(each.bus, Bus(each.bus, clock))
        listeners.append(ModbusListener(each, bus, station.intake(each.name), 20))
    tasks = [asyncio.create_task(each.run()) for each in listeners]
    try:
        yield listeners
        for task in tasks:
            assert not task.done(), task.exception()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
