"""A trial of a Modbus unit: the bytes of its answers beside what is made of them.

In: a unit's settings, and its bus. Out: what was heard first of each metric and of
each fault, or why nothing was. Nothing is stored. The unit is asked just as the agent would ask it;
a serial line that the agent has is not taken from it. Chapter: docs/devices/modbus.md.
"""

import asyncio
from collections import Counter

from gateway.config import ModbusSource
from gateway.errors import AnswerError, OperatorError
from gateway.readings.reading import Arrival
from gateway.readings.registers import Part, plan, read
from gateway.sources.bus import Bus
from gateway.sources.trial import Fault, Findings, Heard


class ModbusTrial:
    """A trial of one unit; those of one bus share it, as the sources do."""

    def __init__(self, source: ModbusSource, bus: Bus) -> None:
        self.found = Findings()
        self.source, self.parts = source, plan(source)
        self.counts: Counter[str] = Counter()
        self._bus, self._runs_bus = bus, bus.join(self)

    async def run(self) -> None:
        """Ask until cancelled."""
        if self._runs_bus:
            await self._bus.run()
        await asyncio.Event().wait()

    def took(self, part: Part, values: bytes, arrival: Arrival) -> None:
        """Show an answer beside its readings."""
        self.found.fault = None
        found = read(part, self.source.name, values, arrival)
        faults = tuple(Fault(fault.code, str(fault)) for fault in found.faults)
        asked = part.inquiry
        first = min(part.metrics, key=lambda metric: metric.address).register
        origin = f"unit {asked.unit} {first} +{asked.count}"
        self.found.add(Heard(origin, values, found.readings, faults))

    def polled(self) -> None:
        """Take no note: each answer was shown."""

    def fell(self, state: str, fault: AnswerError | OperatorError) -> None:
        """Show why there is no answer."""
        if isinstance(fault, OperatorError):
            self.found.fault = fault
            return
        origin = f"unit {self.source.unit_id}"
        self.found.add(Heard(origin, b"", (), (Fault(fault.code, str(fault)),)))
