"""When a machine asks by itself: a condition on one metric, over time, with room before the next.

In: a condition, what was seen of it so far, and a good reading with the moment of hearing it. Out:
what is seen now, and whether it fires. It reads no clock and asks for nothing: what follows from a
firing is for the wiring. Protocol: docs/protocol/mandate.md.
"""

from dataclasses import dataclass

from gateway.readings.reading import Value


@dataclass(frozen=True, slots=True)
class Condition:
    """A metric is below, or else above, a bound for a time; it is over beyond `reset`.

    `again_ms`: while it goes on it fires again after so long; 0: never before it was over.
    """

    device: str
    metric: str
    bound: float
    is_below: bool
    reset: float
    for_ms: int = 0
    again_ms: int = 0

    def holds(self, value: float) -> bool:
        """Say whether a value is beyond the bound."""
        return value < self.bound if self.is_below else value > self.bound

    def is_over(self, value: float) -> bool:
        """Say whether a value is so far back that a new crossing would be another one."""
        return value >= self.reset if self.is_below else value <= self.reset


@dataclass(frozen=True, slots=True)
class Watch:
    """What was seen of a condition: since when it holds, when it fired; monotonic, None: not."""

    since_ms: int | None = None
    fired_ms: int | None = None


def hear(condition: Condition, watch: Watch, value: Value, now_ms: int) -> tuple[Watch, bool]:
    """Take a good reading; give what is seen now, and whether the rule fires by it.

    Two readings beyond the bound, so far apart, with none between that is not: that is a time over
    which it held. What is no number says nothing.
    """
    if isinstance(value, bool | str):
        return watch, False
    if watch.fired_ms is not None:
        if condition.is_over(value):
            return Watch(), False
        again = condition.again_ms and now_ms - watch.fired_ms >= condition.again_ms
        if not again or not condition.holds(value):
            return watch, False
        return Watch(watch.since_ms, now_ms), True
    if not condition.holds(value):
        return Watch(), False
    since_ms = now_ms if watch.since_ms is None else watch.since_ms
    if now_ms - since_ms < condition.for_ms:
        return Watch(since_ms), False
    return Watch(since_ms, now_ms), True
