"""Telling a machine something over one connection: said once, confirmed or not, and seen or not.

In: a point, its value, and how it is said. Out: what the machine shows then, or NotMoved or Unsure.
What is said is said in the connection's thread, or never: who gave up waiting before is not obeyed
later. It knows no protocol. Chapters: docs/devices/mqtt.md, docs/devices/sparkplug.md.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from gateway.config import Point
from gateway.errors import MachineAway, MoveError, OtherValue, Unsure
from gateway.readings import moves
from gateway.readings.reading import Value
from gateway.sources.source import Moved

# A device and a metric.
Sight = tuple[str, str]
# Says it, in the connection's thread, and settles this once somebody took it; raises a MoveError.
Say = Callable[["Future[None]"], None]


@dataclass(slots=True, eq=False)
class _Awaited:
    """Where somebody looks for a value, and what was seen there since it was said."""

    sight: Sight
    wanted: Value
    seen: "Future[None]" = field(default_factory=Future)
    last: Value | None = None


class Telling:
    """What is told over one connection."""

    def __init__(self, post: Callable[[Callable[[], None]], None]) -> None:
        self._post = post
        self._awaited: list[_Awaited] = []

    def saw(self, sight: Sight, value: Value) -> None:
        """Take note of what a machine shows; in the connection's thread."""
        for awaited in self._awaited:
            if awaited.sight != sight or awaited.seen.done():
                continue
            awaited.last = value
            if moves.same(awaited.wanted, value):
                awaited.seen.set_result(None)

    async def tell(self, point: Point, wanted: Value, say: Say, sight: Sight | None) -> Moved:
        """Say it once, and look for it where it is seen; raise NotMoved or Unsure."""
        taken: Future[None] = Future()
        awaited = None if sight is None else _Awaited(sight, wanted)
        self._post(lambda: self._begin(say, taken, awaited))
        try:
            await self._take(point, wanted, taken)
            if awaited is None:
                return Moved(None)
            return Moved(await self._see(point, awaited))
        finally:
            if awaited is not None:
                self._post(lambda: self._forget(awaited))

    def _begin(self, say: Say, taken: "Future[None]", awaited: _Awaited | None) -> None:
        if not taken.set_running_or_notify_cancel():
            return  # Nobody waits for it any more.
        if awaited is not None:
            self._awaited.append(awaited)
        try:
            say(taken)
        except MoveError as fault:
            taken.set_exception(fault)

    def _forget(self, awaited: _Awaited) -> None:
        if awaited in self._awaited:
            self._awaited.remove(awaited)

    async def _take(self, point: Point, wanted: Value, taken: "Future[None]") -> None:
        """Wait until it was taken; what was not even begun by then never will be."""
        waiting = asyncio.wrap_future(taken)
        done, _ = await asyncio.wait({waiting}, timeout=point.wait_ms / 1000)
        if not done and taken.cancel():
            raise MachineAway(point=point.name, reason="there is no connection")
        if not done:
            waiting.cancel()
            raise Unsure(point=point.name, value=wanted, reason="the broker did not confirm it")
        waiting.result()

    async def _see(self, point: Point, awaited: _Awaited) -> Value | None:
        """Wait until the machine shows it."""
        waiting = asyncio.wrap_future(awaited.seen)
        done, _ = await asyncio.wait({waiting}, timeout=point.wait_ms / 1000)
        if done:
            return awaited.last
        waiting.cancel()
        if awaited.last is None:
            reason = "it was said, and the machine showed nothing after it"
            raise Unsure(point=point.name, value=awaited.wanted, reason=reason)
        raise OtherValue(point=point.name, value=awaited.wanted, found=awaited.last)
