"""A Modbus source: one unit, whose values the bus reads and this signs and stores.

In: the values of its unit's answers. Out: batches for the intake, one at a time. A unit says
nothing twice, so what cannot be stored yet waits here, up to a bound; what is beyond it is counted
as dropped. What registers cannot mean is quarantined once, until it can be read again.
Chapter: docs/devices/modbus.md.
"""

import asyncio
import logging
from collections import Counter, deque
from contextlib import suppress
from typing import Final

from gateway.config import ModbusSource
from gateway.errors import (
    AnswerError,
    DeviceError,
    ExceptionAnswer,
    GatewayError,
    OperatorError,
    StoreClosed,
)
from gateway.readings.reading import Arrival, Batch, Reading, Unreadable
from gateway.readings.registers import Part, plan, read
from gateway.sources.bus import Bus
from gateway.sources.intake import Intake

_LOG = logging.getLogger(__name__)
# What may wait for a store that cannot be written: hours of ten metrics a second apart.
_PENDING_MAX: Final = 100_000
_BATCH_MAX: Final = 10_000
_UNREADABLE_MAX: Final = 64
_RETRY_S: Final = 1.0


class ModbusListener:
    """One source. Run it as a task, look at its state, cancel it; what was heard is stored."""

    def __init__(self, source: ModbusSource, bus: Bus, intake: Intake, commit_ms: int) -> None:
        self.name, self.source = source.name, source
        self.parts = plan(source)
        self._bus, self._intake, self._commit_ms = bus, intake, commit_ms
        self._runs_bus = bus.join(self)
        self._readings: deque[Reading] = deque()
        self._unreadable: list[Unreadable] = []
        self._bad: set[str] = set()  # metrics that were quarantined and not read since
        self._refused = False
        self._some = asyncio.Event()
        self.counts: Counter[str] = Counter()
        self.devices: dict[str, int] = {}
        self.state, self.reason = "connecting", ""
        self._told = ""

    async def run(self) -> None:
        """Read the unit and store what it says, until cancelled; then store the rest."""
        try:
            async with asyncio.TaskGroup() as tasks:
                if self._runs_bus:
                    tasks.create_task(self._bus.run())
                tasks.create_task(self._store())
        finally:
            if self._readings or self._unreadable:
                with suppress(StoreClosed):
                    self._intake.submit(self._batch())

    # -- what the bus tells -----------------------------------------------------------------------

    def took(self, part: Part, values: bytes, arrival: Arrival) -> None:
        """Read the values of one answer into the batch in the making."""
        found = read(part, self.name, values, arrival)
        self._readings.extend(found.readings)
        self._bad -= {each.metric for each in found.readings}
        for fault in found.faults:
            self._quarantine(part, values, fault)
        self.counts["received"] += len(found.readings)
        self.devices[self.name] = arrival.monotonic_ms
        while len(self._readings) > _PENDING_MAX:
            self._readings.popleft()
            self.counts["dropped"] += 1
        self._some.set()

    def polled(self) -> None:
        """Take note that all was answered; refusals among it keep the state."""
        if not self._refused and self.state != "waiting":
            self.state, self.reason, self._told = "connected", "", ""
        self._refused = False

    def fell(self, state: str, fault: AnswerError | OperatorError) -> None:
        """Remember why there are no values, and log what is new."""
        self._refused = self._refused or isinstance(fault, ExceptionAnswer)
        self._tell(state, fault)

    def _quarantine(self, part: Part, values: bytes, fault: DeviceError) -> None:
        """Count each, and keep the bytes of the first."""
        self.counts[fault.code] += 1
        name = str(fault.facts.get("name", ""))
        if name not in self._bad and len(self._unreadable) < _UNREADABLE_MAX:
            self._bad.add(name)
            asked = part.inquiry
            origin = f"{self.source.url} unit {asked.unit} function {asked.function}"
            where = f"{origin} from {asked.start}"
            self._unreadable.append(Unreadable(where, values, fault.code, str(fault)))

    # -- from a batch to the store ----------------------------------------------------------------

    async def _store(self) -> None:
        """Commit one batch after another; what cannot be stored now is tried again."""
        while True:
            await self._some.wait()
            await asyncio.sleep(self._commit_ms / 1000)
            self._some.clear()
            batch = self._batch()
            fault = await self._commit(batch)
            if fault is None:
                self._stored(batch)
                continue
            self._readings.extendleft(reversed(batch.readings))
            self._unreadable[:0] = batch.unreadable
            self._tell("waiting", fault)
            await asyncio.sleep(_RETRY_S)
            self._some.set()

    def _batch(self) -> Batch:
        """Take what is waiting, at most so much of it."""
        count = min(len(self._readings), _BATCH_MAX)
        readings = tuple(self._readings.popleft() for _ in range(count))
        unreadable, self._unreadable = tuple(self._unreadable), []
        if self._readings:
            self._some.set()
        return Batch(readings, unreadable)

    async def _commit(self, batch: Batch) -> GatewayError | None:
        """Wait until a batch is durable; give the fault if it is not; a defect is raised."""
        try:
            done = asyncio.wrap_future(self._intake.submit(batch))
        except GatewayError as refusal:
            return refusal
        # Unlike `await done`, this leaves the commit alone when the source is cancelled.
        await asyncio.wait((done,))
        if done.cancelled():
            return StoreClosed()
        fault = done.exception()
        if fault is not None and not isinstance(fault, GatewayError):
            raise fault
        return fault

    def _stored(self, batch: Batch) -> None:
        self.counts["stored"] += len(batch.readings)
        self.counts["quarantined"] += len(batch.unreadable)
        if self.state == "waiting":
            self.state, self.reason = "connected", ""

    def _tell(self, state: str, fault: GatewayError) -> None:
        """Remember the state and why, and log what is new: a code, not each count in it."""
        if fault.code != self._told:
            _LOG.warning("source %s: %s", self.name, fault)
        self.state, self.reason, self._told = state, str(fault), fault.code
