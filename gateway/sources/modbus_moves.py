"""Moving the points of a Modbus unit: one write, its answer, and a look at what it came to.

In: a point's name and a value. Out: what the unit shows after it, or NotMoved, or Unsure. The bus
does it between two questions. A write is never said twice: where its answer is missing, broken or
another's, nobody knows whether it was done. Chapter: docs/devices/modbus.md.
"""

import asyncio
from functools import partial
from typing import Final

from gateway.config import ModbusMetric, ModbusPoint
from gateway.config.modbus import WORDS
from gateway.errors import (
    AnswerError,
    BusUnreachable,
    DeviceError,
    ExceptionAnswer,
    MachineAway,
    MachineRefused,
    NoAnswer,
    OtherValue,
    SerialError,
    Unsure,
)
from gateway.readings import moves, writes
from gateway.readings.reading import Value
from gateway.readings.registers import FUNCTIONS, Inquiry, decode
from gateway.readings.writes import Write
from gateway.sources.bus import Bus, BusAway, BusEnded, Member
from gateway.sources.source import Moved
from gateway.transport.modbus import Wire

# Until the unit shows it: a controller takes over what was written once a cycle.
_LOOK_S_MIN, _LOOK_S_MAX = 0.05, 1.0
_LOST: Final = (AnswerError, SerialError, BusUnreachable)


class ModbusMoves:
    """What may be written to one unit."""

    def __init__(self, member: Member, bus: Bus) -> None:
        self._member, self._source, self._bus = member, member.source, bus
        self.points = {point.name: point for point in member.source.point}

    async def move(self, name: str, value: Value) -> Moved:
        """Write a value and look at what it came to; raise NotMoved or Unsure."""
        point = moves.named(self.points, name)
        wanted = moves.checked(point, value)
        told = writes.write(point, self._source.unit_id, wanted)
        try:
            await self._bus.errand(partial(self._tell, point, told, wanted), point.wait_ms / 1000)
        except BusAway as away:
            raise MachineAway(point=name, reason=away) from away
        except BusEnded as ended:
            raise Unsure(point=name, value=wanted, reason=ended) from ended
        return await self._see(point, told, wanted)

    async def _tell(
        self, point: ModbusPoint, told: Write, wanted: bool | int | float, wire: Wire
    ) -> bytes:
        """Write, with the bus for itself; before that, see that it is no step too far."""
        try:
            if not await self._bus.sure(wire, self._member):
                raise MachineAway(point=point.name, reason="the unit does not answer")
            if point.step is not None:
                read = await self._bus.ask(wire, self._source, writes.look(point, told.unit))
                moves.check_step(point, decode(point.metric, read), wanted)
        except (*_LOST, DeviceError) as fault:
            raise MachineAway(point=point.name, reason=fault) from fault
        try:
            await self._bus.tell(wire, self._source, told)
        except ExceptionAnswer as fault:
            kind = MachineRefused if writes.is_sure(fault.facts["exception"]) else Unsure
            raise kind(point=point.name, value=wanted, reason=fault) from fault
        except _LOST as fault:
            raise Unsure(point=point.name, value=wanted, reason=fault) from fault
        return b""

    async def _see(self, point: ModbusPoint, told: Write, wanted: bool | int | float) -> Moved:
        """Look until the unit shows what it was told, for as long as that may take."""
        loop = asyncio.get_running_loop()
        until_s, pause_s = loop.time() + point.wait_ms / 1000, _LOOK_S_MIN
        metric, inquiry = self._shows(point, told)
        while True:
            found: Value | None = None
            reason: Exception | None = None
            try:
                read = await self._bus.errand(partial(self._look, inquiry), point.wait_ms / 1000)
                read = writes.single(inquiry, read)
                found = decode(metric, read)
                if _holds(point, told, read, found):
                    return Moved(found)
            except (BusAway, BusEnded, *_LOST, DeviceError) as fault:
                reason = fault
            if loop.time() + pause_s > until_s:
                break
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LOOK_S_MAX)
        if found is None:
            unseen = f"the unit confirmed it, and could not be read after it: {reason}"
            raise Unsure(point=point.name, value=wanted, reason=unseen)
        raise OtherValue(point=point.name, value=wanted, found=found)

    def _shows(self, point: ModbusPoint, told: Write) -> tuple[ModbusMetric, Inquiry]:
        """Give where it is seen what a point came to: another metric, or where it was written."""
        for metric in self._source.metric:
            if metric.name == point.readback:
                size = metric.length or WORDS[metric.kind]
                return metric, Inquiry(told.unit, FUNCTIONS[metric.bank], metric.address, size)
        return point.metric, writes.look(point, told.unit)

    async def _look(self, inquiry: Inquiry, wire: Wire) -> bytes:
        """Read, with the bus for itself; raise what a question may raise."""
        if not await self._bus.sure(wire, self._member):
            raise NoAnswer(unit=inquiry.unit, timeout_ms=self._source.timeout_ms)
        return await self._bus.ask(wire, self._source, inquiry)


def _holds(point: ModbusPoint, told: Write, read: bytes, found: Value) -> bool:
    """Say whether a unit shows what it was told: in its registers, to the bit."""
    if point.readback is None:
        return read == writes.shown(told)
    return moves.same(decode(point.metric, writes.shown(told)), found)
