"""The last value of a metric that could not be read, said once more with quality bad.

In: the readings that came, and which metrics were asked for and did not come, with the moment. Out:
repeats. None is good, none is a sign of life, and of a metric there is at most one a second. What
was never read well has nothing to repeat. Chapter: docs/devices/modbus.md.
"""

from collections.abc import Iterable
from typing import Final

from gateway.readings.reading import Arrival, Quality, Reading

EACH_MS_MIN: Final = 1000


class Repeat(Reading, frozen=True, gc=False):
    """A reading that its device did not say; to whoever reads it in a record it is just bad."""


class Repeats:
    """What a source read last of each metric since it began, and when it last repeated it."""

    __slots__ = ("_last", "_repeated_ms", "_standing")

    def __init__(self) -> None:
        self._last: dict[str, Reading] = {}
        self._repeated_ms: dict[str, int] = {}
        self._standing: set[str] = set()  # metrics of which a repeat is the last that was said

    def came(self, readings: Iterable[Reading]) -> None:
        """Remember what was read, of each metric from its first good value on."""
        for each in readings:
            if each.quality is Quality.GOOD or each.metric in self._last:
                self._last[each.metric] = each
                self._standing.discard(each.metric)

    def missed(self, metrics: Iterable[str], when: Arrival, once: bool) -> tuple[Repeat, ...]:
        """Give the repeats due for metrics that could not be read.

        `once` is for who says nothing at all: then a repeat stands until there is a value again.
        """
        return tuple(self._repeat(each, when) for each in metrics if self._is_due(each, when, once))

    def _is_due(self, metric: str, when: Arrival, once: bool) -> bool:
        if metric not in self._last or (once and metric in self._standing):
            return False
        before_ms = self._repeated_ms.get(metric)
        return before_ms is None or when.monotonic_ms - before_ms >= EACH_MS_MIN

    def _repeat(self, metric: str, when: Arrival) -> Repeat:
        self._repeated_ms[metric] = when.monotonic_ms
        self._standing.add(metric)
        last, time_ms = self._last[metric], when.unix_ms
        monotonic_ms = when.monotonic_ms if time_ms is None else None
        return Repeat(
            *(last.device, last.metric, last.value, last.unit, time_ms, monotonic_ms),
            quality=Quality.BAD,
            equipment=last.equipment,
        )
