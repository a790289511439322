"""Writing to registers of a Modbus unit: what is said, and whether an answer says it was done.

In: a point, and a value that it may take; the unit's answer, function code first. Out: one write,
and whether the unit did it. An answer is believed only byte for byte. Nothing here writes, waits or
knows a transport, and nothing says a write twice. Chapter: docs/devices/modbus.md.
"""

import math
import struct
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from gateway.config.modbus import WORDS, ModbusPoint
from gateway.errors import BeyondLimits, LongAnswer, ShortAnswer, WrongEcho, WrongFunction
from gateway.readings.registers import (
    BIT_FUNCTIONS,
    FORMS,
    FUNCTIONS,
    REFUSAL,
    Inquiry,
    ordered,
    refusal,
)

COIL, REGISTER, REGISTERS = 5, 6, 16
ON: Final = b"\xff\x00"
OFF: Final = b"\x00\x00"
_ECHO_BYTES: Final = 5  # function, address, and the value or how many
# The unit says that it did not begin. After any other exception it may have.
_SURE: Final = frozenset({1, 2, 3, 6, 7, 10})


@dataclass(frozen=True, slots=True)
class Write:
    """A request to write a coil or registers that stand together."""

    unit: int
    function: int
    start: int
    said: bytes  # as it stands on the line: two bytes a register

    @property
    def size(self) -> int:
        """Give by how much the answer is longer than a refusal's."""
        return _ECHO_BYTES - 2

    @property
    def shape(self) -> tuple[int, int]:
        """Give all that an RTU answer shows of its question, but for what it repeats."""
        return self.function, self.size


def write(point: ModbusPoint, unit: int, value: bool | int | float) -> Write:
    """Give what sets a point to a value; raise BeyondLimits where its registers cannot hold it."""
    metric = point.metric
    if metric.kind == "bool":
        return Write(unit, COIL, metric.address, ON if value else OFF)
    try:
        said = struct.pack(FORMS[metric.kind], _raw(point, value))
    except (struct.error, OverflowError):
        raise _unheld(point, value) from None
    several = point.multiple or WORDS[metric.kind] > 1
    function = REGISTERS if several else REGISTER
    return Write(unit, function, metric.address, ordered(metric, said))


def _raw(point: ModbusPoint, value: bool | int | float) -> int | float:
    """Undo the scale, exactly: what cannot be said is not rounded to something else."""
    raw = Decimal(repr(value)) / Decimal(repr(point.scale or 1))
    if point.kind.startswith("float"):
        said = float(raw)
        if not math.isfinite(said):
            raise _unheld(point, value)
        return said
    if raw != raw.to_integral_value():
        raise _unheld(point, value)
    return int(raw)


def _unheld(point: ModbusPoint, value: object) -> BeyondLimits:
    reason = f"{point.kind} cannot hold it exactly, scaled"
    return BeyondLimits(point=point.name, value=value, reason=reason)


def look(point: ModbusPoint, unit: int) -> Inquiry:
    """Give the question that reads what a point wrote."""
    metric = point.metric
    return Inquiry(unit, FUNCTIONS[metric.bank], metric.address, WORDS[metric.kind])


def shown(told: Write) -> bytes:
    """Give what `look` reads once a write was done."""
    if told.function == COIL:
        return b"\x01" if told.said == ON else b"\x00"
    return told.said


def single(inquiry: Inquiry, values: bytes) -> bytes:
    """Give the bytes of the one value that was asked for; of a bit, one that is 0 or 1."""
    return bytes([values[0] & 1]) if inquiry.function in BIT_FUNCTIONS else values


def check_answer(told: Write, asked: bytes, said: bytes) -> None:
    """See that a unit says it did this write and no other; raise an AnswerError.

    `asked` and `said` begin with the function.
    """
    unit = told.unit
    if len(said) < 2:
        raise ShortAnswer(unit=unit, size=len(said), wanted=_ECHO_BYTES)
    if said[0] == told.function | REFUSAL:
        raise refusal(unit, said)
    if said[0] != told.function:
        raise WrongFunction(unit=unit, function=told.function, found=said[0])
    if len(said) < _ECHO_BYTES:
        raise ShortAnswer(unit=unit, size=len(said), wanted=_ECHO_BYTES)
    if len(said) > _ECHO_BYTES:
        raise LongAnswer(unit=unit, wanted=_ECHO_BYTES)
    if said != asked[:_ECHO_BYTES]:
        raise WrongEcho(unit=unit)


def is_sure(exception: object) -> bool:
    """Say whether a unit that answers with this exception surely did nothing."""
    return exception in _SURE
