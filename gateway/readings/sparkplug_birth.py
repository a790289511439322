"""What birth certificates said: the metrics of an edge node or a device, and whether it lives.

In: certificates and metrics of `sparkplug_payload`. Out: readings, or a DeviceError for a metric
that nothing says how to read. It keeps no order and asks nobody: that is `sparkplug`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.errors import BadMetricName, BadTime, UnbornMetric
from gateway.readings import sparkplug_values as values, times
from gateway.readings.names import is_name
from gateway.readings.reading import Arrival, Quality, Reading, Value
from gateway.readings.sparkplug_payload import BD_SEQ, REBIRTH, Metric, Payload

# Written at each birth and death, so that the record says from when to when a value held.
ONLINE: Final = "sparkplug/online"
# What a metric that is null reads as, with bad quality: no value is made up for it.
NO_VALUE: Final[Value] = ""
# Not measured: the numbers of sessions, and the knob that the specification wants everywhere.
_NOT_READ: Final = frozenset({BD_SEQ, REBIRTH})


@dataclass(slots=True)
class _Known:
    """A metric as its birth certificate has it; the last value taken, and the certificate's own."""

    name: str
    datatype: int
    unit: str
    alias: int | None = None
    field: str | None = None
    last: tuple[int | None, Value] | None = None
    certified: tuple[int | None, Value] | None = None


@dataclass(frozen=True, slots=True)
class Knob:
    """A metric that may be commanded: how its certificate writes it, and what it said last."""

    name: str
    alias: int | None
    datatype: int
    field: str | None
    value: Value | None


class Life:
    """An edge node or a device: what it was born with, and whether that still holds.

    `sure` says that no message was missed since its birth: only then are aliases believed.
    Times are monotonic milliseconds of our own hearing, None for never.
    """

    __slots__ = ("_by_alias", "_by_name", "born_ms", "device", "died_ms", "online", "sure")

    def __init__(self, device: str) -> None:
        self.device = device
        self.online = self.sure = False
        self.born_ms: int | None = None
        self.died_ms: int | None = None
        self._by_name: dict[str, _Known] = {}
        self._by_alias: dict[int, _Known] = {}

    @property
    def size(self) -> int:
        """Count the metrics that it was born with."""
        return len(self._by_name)

    def bear(self, payload: Payload, now_ms: int) -> None:
        """Take a birth certificate: what was known before is forgotten, but for last values."""
        before, self._by_name, self._by_alias = self._by_name, {}, {}
        for metric in payload.metrics:
            if metric.name is None:
                continue
            datatype = metric.datatype or values.self_evident(metric.field)
            known = _Known(metric.name, datatype, metric.unit or "", metric.alias, metric.field)
            former = before.get(metric.name)
            if former is not None and former.datatype == known.datatype:
                known.last, known.certified = former.last, former.certified
            self._by_name[metric.name] = known
            if metric.alias is not None:
                self._by_alias[metric.alias] = known
        self.online = self.sure = True
        self.born_ms, self.died_ms = now_ms, None

    @property
    def state(self) -> str:
        """Say how it stands: alive, stale while messages may be missed, dead, or unborn."""
        if self.online:
            return "alive" if self.sure else "stale"
        return "unborn" if self.died_ms is None else "dead"

    def die(self, now_ms: int) -> None:
        """Remember that it is gone: from now on all that it said last is stale."""
        self.online = self.sure = False
        self.died_ms = now_ms

    def told(self, online: bool, time_ms: int | None, arrival: Arrival) -> Reading:
        """Give the reading that says whether it lives: at this time, or at that of hearing."""
        if time_ms is None or not times.TIME_MS_MIN <= time_ms <= times.TIME_MS_MAX:
            time_ms = arrival.unix_ms
        unset_ms = arrival.monotonic_ms if time_ms is None else None
        return Reading(self.device, ONLINE, online, "", time_ms, unset_ms)

    def find(self, metric: Metric) -> _Known:
        """Say what a metric is; raise UnbornMetric where that would be a guess."""
        known = None
        if self.sure:
            if metric.name is not None:
                known = self._by_name.get(metric.name)
            elif metric.alias is not None:
                known = self._by_alias.get(metric.alias)
        if known is not None and metric.datatype in (0, known.datatype):
            return known
        datatype = metric.datatype or values.self_evident(metric.field)
        if metric.name is not None and (datatype or metric.null):
            return _Known(metric.name, datatype, metric.unit or "")
        if metric.name is not None:
            raise UnbornMetric(metric=ascii(metric.name[:40]), reason="its type is not said")
        if metric.alias is None:
            raise UnbornMetric(metric="a metric", reason="it has neither name nor alias")
        reason = (
            "messages were missed since" if self._by_name and not self.sure else "it has no name"
        )
        raise UnbornMetric(metric=f"alias {metric.alias}", reason=reason)

    def knob(self, metric: str) -> Knob | None:
        """Give what the certificate in force says of a metric; None without one."""
        known = self._by_name.get(metric) if self.online and self.sure else None
        if known is None:
            return None
        last = known.last[1] if known.last else None
        return Knob(known.name, known.alias, known.datatype, known.field, last)

    def knows(self, metrics: Sequence[Metric]) -> bool:
        """Say whether the birth certificate has all of these; if not, a new one is wanted."""
        return self.sure and all(
            metric.alias in self._by_alias if metric.name is None else metric.name in self._by_name
            for metric in metrics
        )


def wanted(payload: Payload) -> Iterator[Metric]:
    """Give the metrics that are readings."""
    return (metric for metric in payload.metrics if metric.name not in _NOT_READ)


def reading(
    life: Life, metric: Metric, payload: Payload, arrival: Arrival, certifies: bool
) -> Reading | None:
    """Make one metric a reading; None where it repeats one before; raise a DeviceError.

    `certifies` says that it stands in a certificate, which the next may repeat long after.
    """
    known = life.find(metric)
    if not is_name(known.name):
        raise BadMetricName(reason=ascii(known.name[:40]))
    quality, value = metric.quality, NO_VALUE
    if metric.null or metric.field is None:
        quality = Quality.BAD
    else:
        datatype = known.datatype or values.self_evident(metric.field)
        value = values.read(datatype, metric.field, metric.said, known.name)
    time_ms, monotonic_ms, certain = _when(metric.time_ms, payload.time_ms, arrival)
    if not certain and quality is Quality.GOOD:
        quality = Quality.UNCERTAIN
    if not metric.historical:
        said = (time_ms, value)
        repeats = time_ms is not None and said in (known.last, known.certified)
        if certifies:
            known.certified = said
        if repeats:
            return None
        known.last = said
    unit = known.unit if metric.unit is None else metric.unit
    return Reading(life.device, known.name, value, unit, time_ms, monotonic_ms, quality)


def _when(
    said_ms: int | None, sent_ms: int | None, arrival: Arrival
) -> tuple[int | None, int | None, bool]:
    """Take the metric's time, else that of sending, else that of arrival; the latter uncertain."""
    for time_ms, certain in ((said_ms, True), (sent_ms, False)):
        if time_ms is not None and time_ms > times.TIME_MS_MAX:
            raise BadTime(reason="it is beyond the year 9999")
        if time_ms is not None and time_ms >= times.TIME_MS_MIN:
            return time_ms, None, certain
    if arrival.unix_ms is None:
        return None, arrival.monotonic_ms, False
    return arrival.unix_ms, None, False
