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
from typing import Final, NamedTuple

from gateway.config import Metric, MqttSource
from gateway.config.checks import TOPIC_LEVEL
from gateway.errors import (
    BadMetricName,
    BadTime,
    DuplicateName,
    NoDevice,
    NoMetric,
    OtherUnit,
    PayloadError,
    PayloadTooLarge,
    WrongDevice,
)
from gateway.readings import packs, paths, payloads, times
from gateway.readings.names import is_name
from gateway.readings.naming import Naming
from gateway.readings.packs import Entry
from gateway.readings.paths import Find
from gateway.readings.reading import Arrival, Quality, Reading, Value

# What a text payload, or a JSON payload of one bare number, is called where no metric names it.
VALUE = "value"
_UNIT_LETTERS_MAX = 32  # no unit of the registry is half as long

Decode = Callable[[bytes], object]


class Mapped(NamedTuple):
    """What one payload gave: its readings, and the faults of the metrics that could not be read."""

    readings: list[Reading]
    faults: list[PayloadError]


class _Around(NamedTuple):
    """What is the same of all readings of one message or element, in the order of a Reading."""

    time_ms: int | None
    monotonic_ms: int | None
    quality: Quality
    retained: bool
    equipment: str


class _Heard(NamedTuple):
    """A message, beside its payload."""

    topic: str
    arrival: Arrival
    retained: bool


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
    senml: bool
    naming: Naming
    each: Find | None
    time: Find | None
    time_unit: str
    time_zone: timezone | None
    metrics: tuple[_Metric, ...]
    # Of SenML: the rows of the table, by the name that a pack has for them.
    by_name: dict[str, _Metric]
    # Plain paths of device, claim and time: numbers there are no metrics of their own.
    reserved: frozenset[str]

    @classmethod
    def of(cls, source: MqttSource) -> "Mapping":
        """Compile a source's settings, which `config` has checked."""
        rows = _metrics(source)
        return cls(
            source.payload_bytes_max,
            _DECODERS[source.format],
            source.format in ("senml-json", "senml-cbor"),
            Naming.of(source),
            paths.find(source.each, "each") if source.each else None,
            paths.find(source.time, "time") if source.time else None,
            source.time_unit,
            times.zone(source.time_zone),
            rows,
            {row.path or row.name: made for row, made in zip(source.metric, rows, strict=False)},
            _reserved(source),
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
        heard, mapped = _Heard(topic, arrival, retained), Mapped([], [])
        said = self.decode(payload)
        if self.senml:
            self._entries(mapped, said, heard)
        elif self.each is None:
            self._one(mapped, said, said, heard)
        else:
            self._each(mapped, said, heard)
        if not mapped.readings:
            raise next(iter(mapped.faults), NoMetric(reason="it has no number"))
        return mapped

    def _one(self, mapped: Mapped, said: object, whole: object, heard: _Heard) -> None:
        """Read what is said of one moment; `whole` is the payload that it stands in."""
        device = self.naming.name(heard.topic, said, whole)
        around = self._around(said, whole, device, heard)
        if self.metrics:
            self._pick(mapped, said, device, around)
        else:
            self._flatten(mapped, said, device, around)

    def _each(self, mapped: Mapped, whole: object, heard: _Heard) -> None:
        """Read every element of a list as if it were a payload; a faulty one leaves the others."""
        assert self.each is not None
        found = self.each(whole)
        if not isinstance(found, list):
            raise NoMetric(reason="'each' leads to no list")
        for said in found:
            try:
                self._one(mapped, said, whole, heard)
            except WrongDevice:
                raise  # A payload that lies of one element is not believed of another.
            except PayloadError as fault:
                mapped.faults.append(fault)

    def _around(self, said: object, whole: object, device: str, heard: _Heard) -> _Around:
        """Take the machine's time; where it has none though it should, that of arrival, marked."""
        quality, arrival = Quality.GOOD, heard.arrival
        more = heard.retained, self.naming.equipment.get(device, "")
        if self.time is not None:
            found = self.time(said)
            if found is None and whole is not said:
                found = self.time(whole)
            try:
                time_ms = (
                    times.unix_ms(found, self.time_unit, self.time_zone)
                    if found is not None
                    else None
                )
            except ValueError as fault:
                raise BadTime(reason=str(fault)) from None
            if time_ms is not None:
                return _Around(time_ms, None, quality, *more)
            quality = Quality.UNCERTAIN
        if arrival.unix_ms is not None:
            return _Around(arrival.unix_ms, None, quality, *more)
        return _Around(None, arrival.monotonic_ms, quality, *more)

    def _pick(self, mapped: Mapped, said: object, device: str, around: _Around) -> None:
        """Read the metrics of the table."""
        before = len(mapped.readings) + len(mapped.faults)
        for metric in self.metrics:
            try:
                found = metric.find(said)
                if found is None:
                    continue
                value = payloads.checked(found, metric.name, metric.scale)
            except PayloadError as fault:
                mapped.faults.append(fault)
                continue
            mapped.readings.append(Reading(device, metric.name, value, metric.unit, *around))
        if len(mapped.readings) + len(mapped.faults) == before:
            wanted = ", ".join(metric.name for metric in self.metrics)[:80]
            raise NoMetric(reason=f"it has none of: {wanted}")

    def _flatten(self, mapped: Mapped, said: object, device: str, around: _Around) -> None:
        """Read every number under its own dotted name."""
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
        for name, value in numbers.items():
            mapped.readings.append(Reading(device, name, value, "", *around))

    def _entries(self, mapped: Mapped, said: object, heard: _Heard) -> None:
        """Read the entries of a SenML pack."""
        entries: list[Entry] = []
        for one in said if isinstance(said, list) else ():
            if isinstance(one, Entry):
                entries.append(one)
            else:
                mapped.faults.append(one)
        if not self.naming.in_payload and len({one.stem for one in entries}) > 1:
            raise NoDevice(reason="the pack has several base names, and the source one device")
        for entry in entries:
            try:
                mapped.readings.extend(self._entry(entry, heard))
            except WrongDevice:
                raise
            except PayloadError as fault:
                mapped.faults.append(fault)

    def _entry(self, entry: Entry, heard: _Heard) -> list[Reading]:
        """Give an entry's value, and its sum as a metric of its own."""
        device = self.naming.name(heard.topic, entry.labels, entry.labels)
        name, unit, scale = entry.own or VALUE, entry.unit, None
        if self.by_name:
            row = self.by_name.get(entry.own) or self.by_name.get(entry.name)
            if row is None:
                return []
            if unit and row.unit and row.unit != unit:
                raise OtherUnit(name=row.name, found=ascii(unit[:20]), unit=row.unit)
            name, unit, scale = row.name, unit or row.unit, row.scale
        if not is_name(name) or len(unit) > _UNIT_LETTERS_MAX or not unit.isprintable():
            raise BadMetricName(reason=ascii(name[:40]))
        moment = times.of_senml(entry.seconds, heard.arrival)
        quality = Quality.UNCERTAIN if moment == (None, None) else Quality.GOOD
        equipment = self.naming.equipment.get(device, "")
        around = _Around(*moment, quality, heard.retained, equipment)
        made = []
        if entry.value is not None:
            value = payloads.checked(entry.value, name, scale)
            made.append(Reading(device, name, value, unit, *around))
        if entry.sum is not None:
            total = payloads.checked(entry.sum, f"the sum of {name}", scale)
            made.append(Reading(device, f"{name}.sum", total, packs.summed(unit), *around))
        return made


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


def _metrics(source: MqttSource) -> tuple[_Metric, ...]:
    rows = source.metric
    if source.format == "text":
        rows = rows or (Metric(name=VALUE),)
        return tuple(_Metric(row.name, _itself, row.unit, row.scale) for row in rows)
    if source.format in ("senml-json", "senml-cbor"):
        return tuple(_Metric(row.name, _itself, row.unit, row.scale) for row in rows)
    return tuple(
        _Metric(row.name, paths.find(row.path, row.name), row.unit, row.scale) for row in rows
    )


def _itself(said: object) -> object:
    return said


def _reserved(source: MqttSource) -> frozenset[str]:
    device = source.device or ""
    said = [source.time, source.claim, "" if TOPIC_LEVEL.fullmatch(device) else device]
    keys = [paths.plain(path) for path in said if path]
    return frozenset(".".join(key) for key in keys if key)


_DECODERS: Final[dict[str, Decode]] = {
    "json": payloads.from_json,
    "text": payloads.from_text,
    "cbor": payloads.from_cbor,
    "senml-json": packs.from_json,
    "senml-cbor": packs.from_cbor,
}
