"""What a framed source tells its device to do: one command at a time, said until it is answered.

In: a point, a value, and what the device answers. Out: frames for the line, and at the end that it
moved, that it surely did not, or that nobody knows. It writes nothing to a line without a key,
where anybody could, unless the config says so of that point. Protocol: docs/protocol/frame.md.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gateway.config import FramedPoint, FramedSource
from gateway.errors import (
    BeyondLimits,
    MachineAway,
    MachineRefused,
    MoveError,
    OtherValue,
    UnknownPoint,
    UnprotectedLine,
    Unsure,
)
from gateway.readings.command import Answer, Attempt, Ended, encode_value
from gateway.readings.frame import Command
from gateway.readings.line import Take, value_of
from gateway.readings.moves import check_step, checked, same
from gateway.readings.reading import Value
from gateway.sources.source import Moved

# A frame takes at most 0.3 s at 9600 baud; what was lost is said again soon.
_REPEAT_S: Final = 0.5
# The question moves nothing: who does not answer it by then is away.
_QUESTION_S: Final = 3.0
# After the validity a device answers that it is too late, if it hears us at all.
_ANSWER_S: Final = 2.0
_LOOK_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Shown:
    """What a metric showed last, and when it was sampled."""

    value: Value
    monotonic_ms: int


@dataclass(frozen=True, slots=True)
class Way:
    """How a device is reached: which start of it lives, to say something, to ask it, the time."""

    boot: Callable[[], bytes | None]
    say: Callable[[Command], bool]  # whether there is a line
    ask: Callable[[], None]
    now_ms: Callable[[], int]


class Mover:
    """The points of one source."""

    def __init__(self, config: FramedSource, way: Way) -> None:
        self.points = {point.name: point for point in config.point}
        self._metrics = {point.readback for point in config.point} - {None}
        self._keyed, self._way = config.key_file is not None, way
        self._free = asyncio.Lock()
        self._attempt: Attempt | None = None
        self._end: asyncio.Future[Ended] | None = None
        self._shown: dict[str, Shown] = {}

    def hear(self, answer: Answer) -> None:
        """Take what the device answers; what nobody waits for changes nothing."""
        attempt, end = self._attempt, self._end
        if attempt is None or end is None or end.done():
            return
        before = attempt.said
        if (ended := attempt.hear(answer)) is not None:
            end.set_result(ended)
        elif attempt.said is not before:
            self._way.say(attempt.said)

    def note(self, taken: Take, heard_ms: int) -> None:
        """Remember what the metrics show that a point is read back by."""
        for sample in taken.samples if self._metrics else ():
            name = taken.table[sample.metric].name if sample.metric < len(taken.table) else None
            if name in self._metrics and name is not None and sample.quality == 0:
                self._shown[name] = Shown(value_of(sample), heard_ms - sample.age_ms)

    async def move(self, name: str, value: Value) -> Moved:
        """Tell the device, once; raise NotMoved or Unsure."""
        point = self.points.get(name)
        if point is None:
            raise UnknownPoint(point=name, choices=", ".join(self.points))
        if not (self._keyed or point.unkeyed):
            raise UnprotectedLine(point=name)
        async with self._free:
            told = self._checked(point, value)
            packed = encode_value(told)
            if packed is None:
                reason = "it cannot be said exactly in a frame"
                raise BeyondLimits(point=name, value=value, reason=reason)
            attempt = Attempt(await self._live(point), point.command, packed, point.wait_ms)
            found = _found(point, told, await self._run(attempt, point))
            return await self._read_back(point, told, found)

    def _checked(self, point: FramedPoint, value: Value) -> bool | int | float:
        shown = None if point.readback is None else self._shown.get(point.readback)
        told = checked(point, value)
        check_step(point, None if shown is None else shown.value, told)
        return told

    async def _live(self, point: FramedPoint) -> bytes:
        """Give the start in which the device is; ask it if nobody knows."""
        end_s = _now_s() + _QUESTION_S
        while (boot := self._way.boot()) is None:
            if _now_s() > end_s:
                raise MachineAway(point=point.name, reason="the device does not say who it is")
            self._way.ask()
            await asyncio.sleep(_REPEAT_S)
        return boot

    async def _run(self, attempt: Attempt, point: FramedPoint) -> Ended:
        """Say it until it is answered, or until no answer can be expected any more."""
        self._attempt, self._end = attempt, asyncio.get_running_loop().create_future()
        until_s = _now_s() + _QUESTION_S
        asked = True
        try:
            while True:
                if asked and attempt.said.number:
                    asked, until_s = False, _now_s() + point.wait_ms / 1000 + _ANSWER_S
                if not attempt.meet(self._way.boot() or attempt.boot):
                    return attempt.give_up("the device has started again")
                if _now_s() > until_s:
                    return _silent(attempt, point)
                if not self._way.say(attempt.said) and not attempt.said.number:
                    raise MachineAway(point=point.name, reason="its line is not there")
                ended, _ = await asyncio.wait((self._end,), timeout=_REPEAT_S)
                if ended:
                    return self._end.result()
                self._way.ask()  # perhaps it has started again
        finally:
            self._attempt = self._end = None

    async def _read_back(self, point: FramedPoint, told: Value, found: Value | None) -> Moved:
        """Wait for the metric that shows it, if there is one; else believe the device's answer."""
        if point.readback is None:
            return Moved(found)
        begun_ms, end_s = self._way.now_ms(), _now_s() + point.wait_ms / 1000
        shown: Shown | None = None
        while _now_s() < end_s:
            shown = self._shown.get(point.readback)
            if shown is not None and shown.monotonic_ms >= begun_ms and same(told, shown.value):
                return Moved(shown.value)
            await asyncio.sleep(_LOOK_S)
        if shown is None or shown.monotonic_ms < begun_ms:
            reason = f"the device says that it is done, and {point.readback} did not come"
            raise Unsure(point=point.name, value=told, reason=reason)
        raise OtherValue(point=point.name, value=told, found=shown.value)


def _silent(attempt: Attempt, point: FramedPoint) -> Ended:
    """End it without an answer; raise MachineAway where only the question was said."""
    ended = attempt.give_up("the device does not answer")
    if ended.moved is False:
        raise MachineAway(point=point.name, reason=ended.reason)
    return ended


def _found(point: FramedPoint, told: Value, ended: Ended) -> Value | None:
    """Give what the device read back; raise what became of it where it did not simply move."""
    fault: type[MoveError]
    match ended.moved:
        case True if ended.value is None or same(told, ended.value):
            return ended.value
        case True:
            raise OtherValue(point=point.name, value=told, found=ended.value)
        case None:
            fault = Unsure
        case False:
            fault = MachineRefused
    raise fault(point=point.name, value=told, reason=ended.reason)


def _now_s() -> float:
    return asyncio.get_running_loop().time()
