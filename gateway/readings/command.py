"""A command: what a device on a line is told to do, once. Protocol: docs/protocol/frame.md.

In: a point's number and a value, then what the device answers. Out: the COMMAND to say, and at the
end whether the point moved: surely, surely not, or nobody knows. A number is used once in a start
of the device and the validity counts in the device's own time, so a command that was held back,
doubled or said by an earlier gateway is never done late and never twice.
Nothing here opens a port or reads a clock; how long to wait is for the source.
"""

from dataclasses import dataclass
from decimal import Decimal
from struct import Struct
from zlib import crc32

from gateway.errors import MalformedFrame
from gateway.readings.frame import OUTCOMES, Command, Result
from gateway.readings.reading import Value

NUMBER_MAX = (1 << 32) - 1
POINT_MAX = (1 << 16) - 1

_NUMBER, _TRUTH = 0, 1
_VALUE = Struct(">Bbq")
_WANTED = Struct(">QH")
_CLOCK = Struct(">QI")
_SAID = Struct(">II")
_RESULT = 0x03
_REFUSALS = ("not now", "it has no such point", "the value is outside of its limits")


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of the command that a device heard last in this start; number 0: of none.

    `check` tells which command had the number. Without `clock_ms` the device takes no commands.
    """

    boot: bytes
    number: int
    outcome: str
    clock_ms: int | None = None
    check: int = 0
    value: Value | None = None
    reason: int = 0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: `moved` is None where nobody knows; `value` is what was read back."""

    moved: bool | None
    reason: str = ""
    value: Value | None = None


def encode_value(value: Value) -> bytes | None:
    """Write a number or a truth exactly; None for what no device could be told."""
    match value:
        case bool():
            return _VALUE.pack(_TRUTH, 0, value)
        case int():
            mantissa, exponent = value, 0
        case float():
            sign, digits, power = Decimal(repr(value)).as_tuple()
            if not isinstance(power, int):
                return None  # infinity, or no number
            mantissa, exponent = int("".join(map(str, digits))) * (-1 if sign else 1), power
        case _:
            return None
    if -(1 << 63) <= mantissa < 1 << 63 and -128 <= exponent < 128:
        return _VALUE.pack(_NUMBER, exponent, mantissa)
    return None


def decode_value(said: bytes) -> Value:
    """Read what `encode_value` wrote; raise MalformedFrame."""
    if len(said) != _VALUE.size:
        raise MalformedFrame(kind=_RESULT, reason="a value is cut, or has bytes after it")
    kind, exponent, mantissa = _VALUE.unpack(said)
    match kind:
        case 0 if exponent >= 0 and mantissa * 10**exponent in range(-(1 << 63), 1 << 63):
            whole: int = mantissa * 10**exponent
            return whole
        case 0:
            return float(f"{mantissa}e{exponent}")
        case 1 if exponent == 0 and mantissa in (0, 1):
            return bool(mantissa)
    raise MalformedFrame(kind=_RESULT, reason="a value is neither a number nor a truth")


def read(result: Result) -> Answer:
    """Read what a RESULT carries; raise MalformedFrame."""
    outcome, said = OUTCOMES[result.outcome], result.said
    if outcome == "unsupported" and not said:
        return Answer(result.boot, result.number, outcome)
    if len(said) < _CLOCK.size:
        raise MalformedFrame(kind=_RESULT, reason="it ends before the device's time and the check")
    (clock_ms, check), rest = _CLOCK.unpack_from(said), said[_CLOCK.size :]
    answer = (result.boot, result.number, outcome, clock_ms, check)
    if outcome == "done" and rest:
        return Answer(*answer, decode_value(rest))
    if outcome == "refused" and len(rest) == 1:
        return Answer(*answer, reason=rest[0])
    if outcome == "refused" or rest:
        raise MalformedFrame(kind=_RESULT, reason="it has more or less than its outcome says")
    return Answer(*answer)


def check(command: Command) -> int:
    """Tell a command from all others that could have its number."""
    return crc32(_SAID.pack(command.number, command.valid_ms) + command.said)


class Attempt:
    """One wish: first asks how far the device has counted, then says the command until an answer.

    `said` is what to say, and to say again while nothing is heard: the device does it once.
    """

    def __init__(self, boot: bytes, point: int, value: bytes, valid_ms: int) -> None:
        self.boot = boot
        self.said = Command(boot, 0, 0, b"")
        self._point, self._value, self._valid_ms = point, value, valid_ms

    def meet(self, boot: bytes) -> bool:
        """Turn to another start of the device; not once the command was said to an earlier one."""
        if self.said.number and boot != self.boot:
            return False
        if boot != self.boot:
            self.boot, self.said = boot, Command(boot, 0, 0, b"")
        return True

    def hear(self, answer: Answer) -> Ended | None:
        """Take what the device answers; None while it is not the end."""
        if answer.boot != self.boot:
            return None
        if not self.said.number:
            return self._begin(answer)
        if answer.number < self.said.number:
            return None  # of an earlier one, or of the question
        if answer.number > self.said.number:
            return Ended(None, "somebody else commands this device too")
        if answer.check != check(self.said):
            return Ended(False, "another command had its number")
        return _end(answer)

    def give_up(self, reason: str) -> Ended:
        """End it without an answer: what was never said cannot have been done."""
        return Ended(None if self.said.number else False, reason)

    def _begin(self, answer: Answer) -> Ended | None:
        if answer.clock_ms is None:
            return Ended(False, "its firmware takes no commands")
        if answer.number == NUMBER_MAX:
            return Ended(False, "its numbers for commands are used up until it starts again")
        wanted = _WANTED.pack(answer.clock_ms, self._point) + self._value
        self.said = Command(self.boot, answer.number + 1, self._valid_ms, wanted)
        return None


def _end(answer: Answer) -> Ended:
    match answer.outcome:
        case "done":
            return Ended(True, value=answer.value)
        case "refused":
            known = answer.reason < len(_REFUSALS)
            return Ended(False, _REFUSALS[answer.reason if known else 0])
        case "expired":
            return Ended(False, "it came too late")
        case "failed":
            return Ended(None, "the device began it, and does not know how it ended")
    return Ended(False, "the device cannot read it")
