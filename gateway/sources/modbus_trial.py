"""A trial of Modbus units: their registers, as they are and as they are mapped, side by side.

In: a unit's settings, and its bus. Out: of each metric its registers, its reading and what they
would be in other orders, and the first of each fault. Nothing is stored. The unit is asked just as
the agent would ask it; a serial line that the agent has is not taken from it. Chapter:
docs/devices/modbus.md.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence

from gateway.config import ModbusSource
from gateway.errors import AnswerError, GatewayError, OperatorError
from gateway.readings.orders import orders
from gateway.readings.reading import Arrival
from gateway.readings.registers import Inquiry, Part, pieces, plan, read
from gateway.sources.bus import Bus
from gateway.sources.trial import Fault, Findings, Heard


class ModbusTrial:
    """A trial of one unit; those of one bus share it, as the sources do, and the first asks."""

    def __init__(self, source: ModbusSource, bus: Bus) -> None:
        self.found = Findings()
        self.source, self.parts = source, plan(source)
        self.counts: Counter[str] = Counter()
        self.done = asyncio.Event()
        self._bus, self._runs_bus = bus, bus.join(self)

    async def run(self) -> None:
        """Ask until every unit of the bus has answered all questions once, or until cancelled."""
        if not self._runs_bus:
            await self.done.wait()
            return
        asking = asyncio.create_task(self._bus.run())
        try:
            for each in self._bus.members:
                if isinstance(each, ModbusTrial):
                    await each.done.wait()
        finally:
            asking.cancel()
            await asyncio.wait((asking,))

    def took(self, part: Part, values: bytes, arrival: Arrival) -> None:
        """Show every metric of an answer by itself."""
        self.found.fault = None
        asked = part.inquiry
        for metric, said in pieces(part, values):
            size = len(said) // 2
            alone = Inquiry(asked.unit, asked.function, metric.address, size or 1)
            found = read(Part(alone, (metric,)), self.source.name, said, arrival)
            words = tuple(said[at : at + 2].hex() for at in range(0, 2 * size, 2))
            self.found.add(
                Heard(
                    f"unit {asked.unit} {metric.register}",
                    said,
                    found.readings,
                    _faults(found.faults),
                    registers=words or (str(said[0]),),
                    orders=orders(metric, said),
                )
            )

    def polled(self) -> None:
        """Take note that all was asked and answered: that is enough."""
        self.done.set()

    def fell(
        self,
        state: str,
        fault: AnswerError | OperatorError,
        missed: Sequence[Part],
        when: Arrival,
    ) -> None:
        """Show why there is no answer; a line that cannot be used is not waited for."""
        if isinstance(fault, OperatorError):
            self.found.fault = fault
            self.done.set()
            return
        self.found.add(Heard(f"unit {self.source.unit_id}", b"", (), _faults((fault,))))


def _faults(faults: Iterable[GatewayError]) -> tuple[Fault, ...]:
    return tuple(Fault(each.code, str(each)) for each in faults)
