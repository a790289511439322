"""Fields: what an instrument's telegram means, as the config says. Chapter: docs/devices/serial.md.

In: a telegram's payload and the moment of hearing. Out: readings and the faults of the metrics that
have no value in it; nothing where it is of a kind that no metric asks for; or a PayloadError, for
the source to quarantine with the bytes. A value is taken from where the config says it is, or not
at all: no place, sign or unit is guessed.
"""

import re
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from gateway.config import Metric, MqttSource
from gateway.config.patterns import compiled
from gateway.config.serial import WIDTHS, SerialMetric, SerialSource, octets
from gateway.errors import (
    BadNumber,
    BadTime,
    NoField,
    NoMatch,
    NoMetric,
    PayloadError,
    PayloadNotUtf8,
)
from gateway.readings import payloads, times
from gateway.readings.mapping import VALUE, Mapped, Mapping
from gateway.readings.reading import Arrival, Quality, Reading, Value

_FORMS: Final = {
    **{"int8": "b", "uint8": "B", "int16": "h", "uint16": "H", "int32": "i", "uint32": "I"},
    **{"int64": "q", "uint64": "Q", "float32": "f", "float64": "d"},
}
_SIGN: Final = re.compile(r"\A([+-])[ \t]+")
_DEGREES: Final = re.compile(r"([0-9]{1,3})([0-5][0-9](?:\.[0-9]{1,9})?)")
_FRACTION: Final = re.compile(r"\.([0-9]{1,9})\Z")

Read = Callable[[bytes, Arrival], Mapped | None]
# The fields of a telegram by number and name, and how to take one metric's value from its bytes.
Fields = dict[str, str]
Pick = Callable[[bytes, Fields], Value | None]


def reader(source: SerialSource) -> Read:
    """Compile a source's settings, which `config` has checked."""
    header = 0
    if source.framing.by == "length" and source.format != "binary":
        header = (
            source.framing.offset + source.framing.width - len(octets(source.framing.begin or ""))
        )
    if source.format == "json":
        return _json(source, max(0, header))
    rows = source.metric or (SerialMetric(name=VALUE),)
    device = source.device or source.name
    pattern = compiled(source.pattern) if source.pattern else None
    timed = compiled(source.time_match) if source.time_match else None
    return _Reader(source, device, max(0, header), (pattern, timed), tuple(map(_row, rows))).read


def _json(source: SerialSource, header: int) -> Read:
    """Read JSON as it is read over MQTT."""
    metrics = tuple(
        Metric(name=row.name, path=row.path or "", unit=row.unit, scale=row.scale)
        for row in source.metric
    )
    mapping = Mapping.of(
        MqttSource(
            name=source.device or source.name,
            url="",
            topics=("",),
            time=source.time,
            time_unit=source.time_unit,
            time_zone=source.time_zone,
            metric=metrics,
        )
    )

    def read(payload: bytes, arrival: Arrival) -> Mapped:
        return mapping.read("", payload[header:], arrival)

    return read


@dataclass(frozen=True, slots=True)
class _Row:
    """A metric of the config, compiled."""

    name: str
    unit: str
    scale: int | float | None
    pick: Pick
    match: re.Pattern[str] | None
    negative: re.Pattern[str] | None
    uncertain: re.Pattern[str] | None
    bad: re.Pattern[str] | None

    def reading(self, device: str, value: Value, text: str, when: "_When") -> Reading:
        """Give its value with its sign and quality."""
        if self.negative and self.negative.match(text) and not isinstance(value, bool | str):
            value = -value
        quality = when.quality
        if self.bad and self.bad.match(text):
            quality = Quality.BAD
        elif self.uncertain and self.uncertain.match(text):
            quality = Quality.UNCERTAIN
        value = payloads.checked(value, self.name, None)
        if self.scale is not None and not isinstance(value, bool | str):
            value = payloads.checked(value, self.name, self.scale)
        named = (device, self.name, value, self.unit)
        return Reading(*named, when.time_ms, when.monotonic_ms, quality)


@dataclass(frozen=True, slots=True)
class _When:
    """When a telegram was said, and how far to trust that."""

    time_ms: int | None
    monotonic_ms: int | None
    quality: Quality


@dataclass(frozen=True, slots=True)
class _Reader:
    """How text and binary telegrams become readings."""

    source: SerialSource
    device: str
    header: int
    # What cuts its text, and what matches the telegrams that have a time.
    patterns: tuple[re.Pattern[str] | None, re.Pattern[str] | None]
    rows: tuple[_Row, ...]

    def read(self, payload: bytes, arrival: Arrival) -> Mapped | None:
        """Give a telegram's readings and faults; None where no metric is of its kind."""
        binary = self.source.format == "binary"
        said = payload[self.header :]
        text = said.decode("latin-1") if binary else _text(said)
        rows = [row for row in self.rows if row.match is None or row.match.match(text)]
        if not rows:
            return None
        pattern, timed = self.patterns
        fields = {} if binary else _fields(pattern, self.source.separator, text)
        said_when = self.source.time if timed is None or timed.match(text) else None
        when = self._when(said_when, fields, arrival)
        mapped = Mapped([], [])
        for row in rows:
            try:
                value = row.pick(said, fields)
                if value is not None:
                    mapped.readings.append(row.reading(self.device, value, text, when))
            except PayloadError as fault:
                mapped.faults.append(fault)
        if not mapped.readings:
            wanted = ", ".join(row.name for row in rows)[:80]
            raise next(iter(mapped.faults), NoMetric(reason=f"it has none of: {wanted}"))
        return mapped

    def _when(self, time: str | None, fields: Fields, arrival: Arrival) -> _When:
        """Take the instrument's time; where it has none though it should, that of arrival."""
        quality = Quality.GOOD
        if time is not None:
            try:
                time_ms = self._told(fields, time.split())
            except ValueError as fault:
                raise BadTime(reason=str(fault)) from None
            if time_ms is not None:
                return _When(time_ms, None, quality)
            quality = Quality.UNCERTAIN
        if arrival.unix_ms is not None:
            return _When(arrival.unix_ms, None, quality)
        return _When(None, arrival.monotonic_ms, quality)

    def _told(self, fields: Fields, places: Sequence[str]) -> int | None:
        said = [fields.get(place, "") for place in places]
        if not all(said):
            return None
        source, text = self.source, " ".join(said)
        zone = times.zone(source.time_zone)
        if source.time_format is None:
            return times.unix_ms(text, source.time_unit, zone)
        fraction = _FRACTION.search(text)
        whole = text[: fraction.start()] if fraction else text
        try:
            moment = datetime.strptime(whole, source.time_format)
        except ValueError:
            raise ValueError("it is not as 'time_format' says") from None
        placed = moment.replace(tzinfo=moment.tzinfo or zone or UTC)
        at_ms = times.unix_ms(placed.isoformat(), "s", None)
        if at_ms is None or fraction is None:
            return at_ms
        return at_ms + round(1000 * float(f"0.{fraction[1]}"))


def _row(metric: SerialMetric) -> _Row:
    patterns = (metric.match, metric.negative, metric.uncertain, metric.bad)
    match, negative, uncertain, bad = (compiled(one) if one else None for one in patterns)
    text = metric.offset is None
    pick = _field(metric) if text else _bytes(metric)
    return _Row(
        *(metric.name, metric.unit, metric.scale, pick),
        *(match, negative, uncertain, bad),
    )


def _text(said: bytes) -> str:
    try:
        return said.decode()
    except UnicodeDecodeError as fault:
        raise PayloadNotUtf8(reason=fault.reason) from None


def _fields(pattern: re.Pattern[str] | None, separator: str | None, text: str) -> Fields:
    """Cut a text into its fields, without blanks around them."""
    if pattern is not None:
        found = pattern.fullmatch(text)
        if found is None:
            raise NoMatch()
        numbered = {str(place): said for place, said in enumerate(found.groups(""))}
        named = numbered | {name: said or "" for name, said in found.groupdict("").items()}
        return {name: said.strip() for name, said in named.items()}
    if separator is None:
        parts = [text]
    else:
        parts = text.split() if separator == " " else text.split(separator)
    return {str(place): said.strip() for place, said in enumerate(parts)}


def _field(metric: SerialMetric) -> Pick:
    """Say how to read a field as what its metric says it is; an empty one has no value."""
    place = str(0 if metric.field is None else metric.field)
    decode = _DECODE[metric.kind]

    def pick(_said: bytes, fields: Fields) -> Value | None:
        said = fields.get(place)
        if said is None:
            raise NoField(name=metric.name)
        if not said:
            return None
        try:
            return decode(said)
        except ValueError:
            reason = f"it is not written as type '{metric.kind}'"
            raise BadNumber(name=metric.name, reason=reason) from None

    return pick


def _number(said: str) -> int | float:
    """Read a number; blanks may stand after its sign."""
    value = payloads.from_text(_SIGN.sub(r"\1", said).encode())
    if isinstance(value, bool | str):
        raise ValueError
    return value


def _hex(said: str) -> int:
    if not re.fullmatch(r"[0-9A-Fa-f]{1,16}", said):
        raise ValueError
    return int(said, 16)


def _degrees(said: str) -> float:
    """Read degrees and minutes written together, as NMEA 0183 does: 4807.038 is 48 degrees."""
    found = _DEGREES.fullmatch(said)
    if found is None or int(found[1]) > 180:
        raise ValueError
    return round(int(found[1]) + float(found[2]) / 60, 9)


def _itself(said: str) -> str:
    return said


_DECODE: Final[dict[str, Callable[[str], Value]]] = {
    **{"number": _number, "text": _itself, "hex": _hex, "degrees": _degrees},
}


def _bytes(metric: SerialMetric) -> Pick:
    """Say how to read a value at its offset."""
    start = metric.offset or 0
    stop = start + (metric.length or WIDTHS[metric.kind])
    form = _FORMS.get(metric.kind, "")
    order = ">" if metric.byte_order == "big" else "<"

    def pick(said: bytes, _fields: Fields) -> Value | None:
        piece = said[start:stop]
        if len(piece) < stop - start:
            raise NoField(name=metric.name)
        if metric.kind == "string":
            return _text(piece).strip("\0 ") or None
        if metric.kind == "bcd":
            return _decimal(metric, piece)
        (number,) = struct.unpack(f"{order}{form}", piece)
        value: int | float = number
        if metric.bit is None:
            return value
        part = int(value) >> metric.bit & ((1 << metric.bit_count) - 1)
        return bool(part) if metric.bit_count == 1 else part

    return pick


def _decimal(metric: SerialMetric, said: bytes) -> int:
    """Read two decimal digits a byte."""
    digits = (said if metric.byte_order == "big" else said[::-1]).hex()
    if not digits.isdecimal():
        raise BadNumber(name=metric.name, reason=f"{digits[:40]} has other digits")
    return int(digits)
