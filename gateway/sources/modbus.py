"""A Modbus source: one unit, whose values the bus reads and this signs and stores.

In: the values of its unit's answers, and points to be moved. Out: batches for the intake, by a
shelf: a unit says nothing twice. A metric that could not be read is repeated with quality bad. What
registers cannot mean is quarantined once, until it can be read again.
Chapter: docs/devices/modbus.md.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable, Sequence

from gateway.config import ModbusSource
from gateway.errors import (
    AnswerError,
    DeviceError,
    ExceptionAnswer,
    GatewayError,
    NoAnswer,
    OperatorError,
)
from gateway.readings.reading import Arrival, Unreadable, Value
from gateway.readings.registers import Part, plan, read
from gateway.readings.repeats import Repeats
from gateway.sources.bus import Bus
from gateway.sources.intake import Intake
from gateway.sources.modbus_moves import ModbusMoves
from gateway.sources.shelf import Shelf
from gateway.sources.source import Moved

_LOG = logging.getLogger(__name__)


class ModbusListener:
    """One source. Run it as a task, look at its state, cancel it; what was heard is stored."""

    def __init__(self, source: ModbusSource, bus: Bus, intake: Intake, commit_ms: int) -> None:
        self.name, self.source = source.name, source
        self.parts = plan(source)
        self._bus = bus
        self._moves = ModbusMoves(self, bus)
        self.points = self._moves.points
        self._runs_bus = bus.join(self)
        self._bad: set[str] = set()  # metrics that were quarantined and not read since
        self._refused, self._repeats = False, Repeats()
        self.counts: Counter[str] = Counter()
        self._shelf = Shelf(intake, commit_ms, self.counts, self._committed)
        self.devices: dict[str, int] = {}
        self.state, self.reason = "connecting", ""
        self._told = ""

    async def run(self) -> None:
        """Read the unit and store what it says, until cancelled; then store the rest."""
        async with asyncio.TaskGroup() as tasks:
            if self._runs_bus:
                tasks.create_task(self._bus.run())
            tasks.create_task(self._shelf.run())

    async def move(self, point: str, value: Value) -> Moved:
        """Write to the unit, once; raise NotMoved or Unsure."""
        return await self._moves.move(point, value)

    # -- what the bus tells -----------------------------------------------------------------------

    def took(self, part: Part, values: bytes, arrival: Arrival) -> None:
        """Read the values of one answer into the batch in the making."""
        found = read(part, self.name, values, arrival)
        self._bad -= {each.metric for each in found.readings}
        for fault in found.faults:
            self._quarantine(part, values, fault)
        self.counts["received"] += len(found.readings)
        self.devices[self.name] = arrival.monotonic_ms
        self._repeats.came(found.readings)
        self._shelf.put(found.readings)
        self._repeat((str(fault.facts["name"]) for fault in found.faults), arrival, once=False)

    def polled(self) -> None:
        """Take note that all was answered; refusals among it keep the state."""
        if not self._refused and self.state != "waiting":
            self.state, self.reason, self._told = "connected", "", ""
        self._refused = False

    def fell(
        self,
        state: str,
        fault: AnswerError | OperatorError,
        missed: Sequence[Part],
        when: Arrival,
    ) -> None:
        """Remember why there are no values, log what is new, and repeat the last values as bad."""
        self._refused = self._refused or isinstance(fault, ExceptionAnswer)
        self._tell(state, fault)
        names = (metric.name for part in missed for metric in part.metrics)
        self._repeat(names, when, once=isinstance(fault, NoAnswer | OperatorError))

    def _repeat(self, metrics: Iterable[str], when: Arrival, once: bool) -> None:
        repeats = self._repeats.missed(metrics, when, once)
        if repeats:
            self.counts["repeated"] += len(repeats)
            self._shelf.put(repeats)

    def _quarantine(self, part: Part, values: bytes, fault: DeviceError) -> None:
        """Count each, and keep the bytes of the first."""
        self.counts[fault.code] += 1
        name = str(fault.facts.get("name", ""))
        if name in self._bad:
            return
        asked = part.inquiry
        origin = f"{self.source.url} unit {asked.unit} function {asked.function}"
        where = f"{origin} from {asked.start}"
        if self._shelf.put_unreadable(Unreadable(where, values, fault.code, str(fault))):
            self._bad.add(name)

    def _committed(self, fault: GatewayError | None) -> None:
        if fault is not None:
            self._tell("waiting", fault)
        elif self.state == "waiting":
            self.state, self.reason = "connected", ""

    def _tell(self, state: str, fault: GatewayError) -> None:
        """Remember the state and why, and log what is new: a code, not each count in it."""
        if fault.code != self._told:
            _LOG.warning("source %s: %s", self.name, fault)
        self.state, self.reason, self._told = state, str(fault), fault.code
