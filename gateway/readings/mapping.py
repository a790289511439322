"""From a payload to readings, as the config says. Protocol: docs/protocol/mapping.md.

In: a topic, a payload's bytes and the moment of hearing. Out: readings, or a PayloadError for the
source to quarantine with the bytes. It never stores, counts or acknowledges, and never guesses a
device or a time.

A metric that a payload does not have gives no reading, because machines report by exception. A
value that no reading can hold is a fault of that metric alone: the others are read. A payload of
which nothing at all can be read is unreadable.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timezone
from typing import NamedTuple

from gateway.config import Metric, MqttSource
from gateway.config.checks import TOPIC_LEVEL
from gateway.errors import (
    BadMetricName,
    BadTime,
    DuplicateName,
    NoDevice,
    NoMetric,
    PayloadError,
    PayloadTooLarge,
)
from gateway.readings import paths, payloads, times
from gateway.readings.names import is_name
from gateway.readings.paths import Find
from gateway.readings.reading import Arrival, Quality, Reading, Value

# What a text payload, or a JSON payload of one bare number, is called where no metric names it.
VALUE = "value"

NameDevice = Callable[[str, object], object]
Decode = Callable[[bytes], object]


class Mapped(NamedTuple):
    """What one payload gave: its readings, and the faults of the metrics that could not be read."""

    readings: list[Reading]
    faults: list[PayloadError]


class _Moment(NamedTuple):
    """When the readings of one payload were, and how far to trust them."""

    time_ms: int | None
    monotonic_ms: int | None
    quality: Quality


@dataclass(frozen=True, slots=True)
class _Metric:
    """A row of the config's table, compiled."""

    name: str
    find: Find
    unit: str
    scale: int | float | None


@dataclass(frozen=True, slots=True)
class Mapping:
    """How one source's payloads become readings."""

    bytes_max: int
    decode: Decode
    device: NameDevice
    time: Find | None
    time_unit: str
    time_zone: timezone | None
    metrics: tuple[_Metric, ...]
    # Plain paths of device and time: numbers there are no metrics of their own.
    reserved: frozenset[str]

    @classmethod
    def of(cls, source: MqttSource) -> "Mapping":
        """Compile a source's settings, which `config` has checked."""
        text = source.format == "text"
        device = source.device or ""
        reserved = [source.time or "", "" if TOPIC_LEVEL.fullmatch(device) else device]
        keys = [paths.plain(path) for path in reserved if path]
        return cls(
            source.payload_bytes_max,
            payloads.from_text if text else payloads.from_json,
            _device(source.device, source.name),
            paths.find(source.time, "time") if source.time else None,
            source.time_unit,
            times.zone(source.time_zone),
            _metrics(source, text),
            frozenset(".".join(key) for key in keys if key),
        )

    def map(
        self, topic: str, payload: bytes, arrival: Arrival, retained: bool = False
    ) -> list[Reading]:
        """Give a payload's readings, at least one, or raise a PayloadError."""
        return self.read(topic, payload, arrival, retained).readings

    def read(self, topic: str, payload: bytes, arrival: Arrival, retained: bool = False) -> Mapped:
        """Give a payload's readings, at least one, with what could not be read beside them."""
        if len(payload) > self.bytes_max:
            raise PayloadTooLarge(size=len(payload), size_max=self.bytes_max)
        said = self.decode(payload)
        device = self._named(topic, said)
        moment = self._when(said, arrival)
        mapped = Mapped([], [])
        if self.metrics:
            self._pick(mapped, said, device, moment, retained)
        else:
            self._flatten(mapped, said, device, moment, retained)
        return mapped

    def _named(self, topic: str, said: object) -> str:
        """Name the device, or refuse: a reading is never put under a guessed one."""
        name = self.device(topic, said)
        if type(name) is int:
            name = str(name)
        if type(name) is not str:
            found = "nothing" if name is None else "neither a text nor an integer"
            raise NoDevice(reason=f"its path leads to {found}")
        if not is_name(name):
            raise NoDevice(reason="it is empty, too long, or has letters that cannot be printed")
        return name

    def _when(self, said: object, arrival: Arrival) -> _Moment:
        """Take the machine's time; where it has none though it should, that of arrival, marked."""
        quality = Quality.GOOD
        if self.time is not None:
            found = self.time(said)
            try:
                time_ms = (
                    times.unix_ms(found, self.time_unit, self.time_zone)
                    if found is not None
                    else None
                )
            except ValueError as fault:
                raise BadTime(reason=str(fault)) from None
            if time_ms is not None:
                return _Moment(time_ms, None, quality)
            quality = Quality.UNCERTAIN
        if arrival.unix_ms is not None:
            return _Moment(arrival.unix_ms, None, quality)
        return _Moment(None, arrival.monotonic_ms, quality)

    def _pick(
        self, mapped: Mapped, said: object, device: str, moment: _Moment, retained: bool
    ) -> None:
        """Read the metrics of the table."""
        time_ms, monotonic_ms, quality = moment
        for metric in self.metrics:
            try:
                found = metric.find(said)
                if found is None:
                    continue
                value = payloads.checked(found, metric.name, metric.scale)
            except PayloadError as fault:
                mapped.faults.append(fault)
                continue
            mapped.readings.append(
                Reading(
                    *(device, metric.name, value, metric.unit),
                    *(time_ms, monotonic_ms, quality, retained),
                )
            )
        if not mapped.readings:
            wanted = ", ".join(metric.name for metric in self.metrics)[:80]
            raise next(iter(mapped.faults), NoMetric(reason=f"it has none of: {wanted}"))

    def _flatten(
        self, mapped: Mapped, said: object, device: str, moment: _Moment, retained: bool
    ) -> None:
        """Read every number under its own dotted name."""
        time_ms, monotonic_ms, quality = moment
        numbers: dict[str, Value] = {}
        for name, found in _numbers(said, ""):
            if name in self.reserved:
                continue
            if name in numbers:
                raise DuplicateName(name=ascii(name[:40]))
            try:
                if not is_name(name):
                    raise BadMetricName(reason=ascii(name[:40]))
                numbers[name] = payloads.checked(found, name, None)
            except PayloadError as fault:
                mapped.faults.append(fault)
        if not numbers:
            raise next(iter(mapped.faults), NoMetric(reason="it has no number"))
        for name, value in numbers.items():
            mapped.readings.append(
                Reading(device, name, value, "", time_ms, monotonic_ms, quality, retained)
            )


def _numbers(said: object, name: str) -> Iterator[tuple[str, int | float]]:
    """Walk a payload, whose depth is bounded, in its order."""
    match said:
        case bool():
            pass
        case int() | float():
            yield name or VALUE, said
        case dict():
            for key, item in said.items():
                yield from _numbers(item, f"{name}.{key}" if name else key)
        case list():
            for place, item in enumerate(said):
                yield from _numbers(item, f"{name}.{place}" if name else str(place))


def _metrics(source: MqttSource, text: bool) -> tuple[_Metric, ...]:
    if text:
        rows = source.metric or (Metric(name=VALUE),)
        return tuple(_Metric(row.name, _itself, row.unit, row.scale) for row in rows)
    return tuple(
        _Metric(row.name, paths.find(row.path, row.name), row.unit, row.scale)
        for row in source.metric
    )


def _itself(said: object) -> object:
    return said


def _device(device: str | None, source_name: str) -> NameDevice:
    """Say how to name the device: by a topic level, a path, a quoted text, or the source's name."""
    if device is None or (text := paths.literal(device)) is not None:
        name = source_name if device is None else text
        return lambda _topic, _said: name
    if level := TOPIC_LEVEL.fullmatch(device):
        place = int(level[1])

        def of_topic(topic: str, _said: object) -> object:
            try:
                return topic.split("/")[place]
            except IndexError:
                raise NoDevice(reason=f"the topic has no level {place}") from None

        return of_topic
    in_payload = paths.find(device, "device")
    return lambda _topic, said: in_payload(said)
