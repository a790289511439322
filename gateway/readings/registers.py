"""Registers of a Modbus unit: what to ask, whether an answer is one, and what its values mean.

In: the metrics of a source, and the answers of its unit, function code first. Out: as few questions
as read all of them, and readings. An answer is taken only if unit, function and size are those of
its question; what registers cannot mean is refused. Nothing here asks, waits or knows a transport.
Chapter: docs/devices/modbus.md.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.config.modbus import BITS_MAX, WORDS, ModbusMetric, ModbusSource
from gateway.errors import (
    AnswerError,
    BadRegister,
    DeviceError,
    ExceptionAnswer,
    LongAnswer,
    ShortAnswer,
    WrongCount,
    WrongFunction,
)
from gateway.readings.payloads import checked
from gateway.readings.reading import Arrival, Quality, Reading, Value

FUNCTIONS: Final = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}
REFUSAL: Final = 0x80
BIT_FUNCTIONS: Final = (1, 2)
FORMS: Final = {
    **{"int16": ">h", "uint16": ">H", "int32": ">i", "uint32": ">I"},
    **{"int64": ">q", "uint64": ">Q", "float32": ">f", "float64": ">d"},
}
_MEANINGS: Final = {
    1: "it does not know the function",
    2: "it has no such register",
    3: "it does not take such a count",
    4: "it failed",
    5: "it needs time",
    6: "it is busy",
    8: "its memory is faulty",
    10: "the converter has no way to it",
    11: "the converter got no answer from it",
}


@dataclass(frozen=True, slots=True)
class Inquiry:
    """A request to read: some bits or registers that stand together."""

    unit: int
    function: int
    start: int
    count: int

    @property
    def size(self) -> int:
        """Give how many bytes of values the answer has."""
        return (self.count + 7) // 8 if self.function in BIT_FUNCTIONS else 2 * self.count

    @property
    def shape(self) -> tuple[int, int]:
        """Give all that an RTU answer shows of its question: function and size."""
        return self.function, self.size


@dataclass(frozen=True, slots=True)
class Part:
    """One question, and the metrics that its answer holds."""

    inquiry: Inquiry
    metrics: tuple[ModbusMetric, ...]


@dataclass(frozen=True, slots=True)
class Readout:
    """What an answer gave: readings, and the faults of the metrics that have no value in it."""

    readings: tuple[Reading, ...]
    faults: tuple[DeviceError, ...]


def plan(source: ModbusSource) -> tuple[Part, ...]:
    """Give the questions that read all metrics of a unit: neighbours together, in order."""
    parts: list[Part] = []
    for metric in sorted(source.metric, key=lambda one: (FUNCTIONS[one.bank], one.address)):
        function = FUNCTIONS[metric.bank]
        bits = function in BIT_FUNCTIONS
        count_max, gap_max = source.count_max, source.gap_max
        if bits:
            count_max, gap_max = min(16 * count_max, BITS_MAX), 16 * gap_max
        stop = metric.address + (metric.length or WORDS[metric.kind])
        if parts and parts[-1].inquiry.function == function:
            last = parts[-1].inquiry
            end = max(last.start + last.count, stop)
            if metric.address <= last.start + last.count + gap_max and (
                end - last.start <= count_max
            ):
                wider = Inquiry(source.unit_id, function, last.start, end - last.start)
                parts[-1] = Part(wider, (*parts[-1].metrics, metric))
                continue
        inquiry = Inquiry(source.unit_id, function, metric.address, stop - metric.address)
        parts.append(Part(inquiry, (metric,)))
    return tuple(parts)


def answer(inquiry: Inquiry, said: bytes) -> bytes:
    """Give the bytes of values in an answer to this question; raise an AnswerError.

    `said` is what follows the unit's number: function, count of bytes, values.
    """
    unit, wanted = inquiry.unit, 2 + inquiry.size
    if len(said) < 2:
        raise ShortAnswer(unit=unit, size=len(said), wanted=wanted)
    function = said[0]
    if function == inquiry.function | REFUSAL:
        raise refusal(unit, said)
    if function != inquiry.function:
        raise WrongFunction(unit=unit, function=inquiry.function, found=function)
    if said[1] != inquiry.size:
        raise WrongCount(unit=unit, size=said[1], wanted=inquiry.size)
    if len(said) < wanted:
        raise ShortAnswer(unit=unit, size=len(said), wanted=wanted)
    if len(said) > wanted:
        raise LongAnswer(unit=unit, wanted=wanted)
    return said[2:]


def refusal(unit: int, said: bytes) -> AnswerError:
    """Give the exception that a unit answered with."""
    if len(said) > 2:
        return LongAnswer(unit=unit, wanted=2)
    meaning = _MEANINGS.get(said[1], "a code of its own")
    return ExceptionAnswer(unit=unit, exception=said[1], meaning=meaning)


def read(part: Part, device: str, values: bytes, arrival: Arrival) -> Readout:
    """Give the readings of an answer's values, and what could not be read."""
    readings: list[Reading] = []
    faults: list[DeviceError] = []
    time_ms = arrival.unix_ms
    monotonic_ms = arrival.monotonic_ms if time_ms is None else None
    for metric, said in pieces(part, values):
        try:
            value = decode(metric, said)
        except DeviceError as fault:
            faults.append(fault)
            continue
        quality = Quality.GOOD if _within(metric, value) else Quality.BAD
        readings.append(
            Reading(device, metric.name, value, metric.unit, time_ms, monotonic_ms, quality)
        )
    return Readout(tuple(readings), tuple(faults))


def pieces(part: Part, values: bytes) -> Iterator[tuple[ModbusMetric, bytes]]:
    """Cut out the bytes of each metric of a part; of a single bit, one byte that is 0 or 1."""
    for metric in part.metrics:
        at = metric.address - part.inquiry.start
        if part.inquiry.function in BIT_FUNCTIONS:
            yield metric, bytes([values[at // 8] >> at % 8 & 1])
        else:
            words = metric.length or WORDS[metric.kind]
            yield metric, values[2 * at : 2 * (at + words)]


def decode(metric: ModbusMetric, said: bytes) -> Value:
    """Give the value of a metric's bytes, as they stood on the line; raise a DeviceError."""
    kind = metric.kind
    if kind == "bool":
        return said != b"\x00"
    words = ordered(metric, said)
    if kind == "string":
        return checked(_text(metric, words), metric.name, None)
    if kind in ("bcd16", "bcd32"):
        return checked(_decimal(metric, words), metric.name, metric.scale)
    (number,) = struct.unpack(FORMS[kind], words)
    if metric.bit is None:
        return checked(number, metric.name, metric.scale)
    field = int(number) >> metric.bit & ((1 << metric.bit_count) - 1)
    return bool(field) if metric.bit_count == 1 else checked(field, metric.name, metric.scale)


def ordered(metric: ModbusMetric, said: bytes) -> bytes:
    """Put bytes in the order highest first; or, the same way, from it in the unit's order."""
    words: Sequence[bytes] = [said[at : at + 2] for at in range(0, len(said), 2)]
    if metric.byte_order == "little":
        words = [word[::-1] for word in words]
    if metric.word_order == "little":
        words = words[::-1]
    return b"".join(words)


def _text(metric: ModbusMetric, said: bytes) -> str:
    try:
        return said.rstrip(b"\x00 ").decode()
    except UnicodeDecodeError as fault:
        raise BadRegister(name=metric.name, type="string", reason=fault.reason) from None


def _decimal(metric: ModbusMetric, said: bytes) -> int:
    """Read four decimal digits a register."""
    digits = said.hex()
    if not digits.isdecimal():
        raise BadRegister(name=metric.name, type=metric.kind, reason=f"{digits} has other digits")
    return int(digits)


def _within(metric: ModbusMetric, value: Value) -> bool:
    """Say whether a value is within what its sensor can say."""
    if isinstance(value, bool | str):
        return True
    low = metric.min is None or value >= metric.min
    return low and (metric.max is None or value <= metric.max)
