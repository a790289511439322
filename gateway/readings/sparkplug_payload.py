"""A Sparkplug B payload: metrics with a time and a sequence number. docs/devices/sparkplug.md.

In: the bytes of one message. Out: its metrics as they were said, or MalformedSparkplug; and back.
What a metric is called, and of which type, its birth certificate may have to tell: `sparkplug`.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
from google.protobuf.message import DecodeError

from gateway.errors import MalformedSparkplug, PayloadTooLarge
from gateway.readings.reading import Quality
from gateway.readings.sparkplug_schema import EncodedMetric, Properties, new_payload
from gateway.readings.sparkplug_values import Datatype

BD_SEQ: Final = "bdSeq"
REBIRTH: Final = "Node Control/Rebirth"
SEQUENCE_MAX: Final = 255
METRICS_MAX: Final = 20_000  # Tenfold what the largest plants have in one certificate.

_QUALITY: Final = {0: Quality.BAD, 192: Quality.GOOD, 500: Quality.UNCERTAIN}
_CODES: Final = {quality: code for code, quality in _QUALITY.items()}
_UNIT, _QUALITY_KEY = "engUnit", "Quality"
# How SenML (RFC 8428 and 8798) writes what engineers write.
_UNITS: Final = {
    "°C": "Cel",
    "degC": "Cel",
    "°F": "degF",
    "Ω": "Ohm",
    "µm": "um",
    "μm": "um",
    "m³": "m3",
    "m³/h": "m3/h",
    "m³/s": "m3/s",
    "m²": "m2",
    "m/s²": "m/s2",
    "l/min": "l/min",
    "L/min": "l/min",
    "°": "deg",
}
_UNIT_LETTERS_MAX: Final = 16


class Metric(msgspec.Struct, frozen=True):
    """One metric as it was said: a value in a field, by name or alias, of a type or of none."""

    name: str | None = None
    alias: int | None = None
    time_ms: int | None = None
    datatype: int = Datatype.UNKNOWN
    field: str | None = None
    said: object = None
    null: bool = False
    historical: bool = False
    transient: bool = False
    unit: str | None = None
    quality: Quality = Quality.GOOD


class Payload(msgspec.Struct, frozen=True):
    """One message: when it was sent, its sequence number, its metrics."""

    time_ms: int | None
    sequence: int | None
    metrics: tuple[Metric, ...] = ()


def decode(said: bytes, bytes_max: int) -> Payload:
    """Read a payload; raise MalformedSparkplug or PayloadTooLarge."""
    if len(said) > bytes_max:
        raise PayloadTooLarge(size=len(said), size_max=bytes_max)
    payload = new_payload()
    try:
        payload.ParseFromString(said)
    except DecodeError as fault:
        raise MalformedSparkplug(reason=str(fault).rpartition(": ")[2][:80]) from None
    if len(payload.metrics) > METRICS_MAX:
        raise MalformedSparkplug(reason=f"more than {METRICS_MAX} metrics")
    sequence = payload.seq if payload.HasField("seq") else None
    if sequence is not None and sequence > SEQUENCE_MAX:
        raise MalformedSparkplug(reason=f"a sequence number of {sequence}")
    time_ms = payload.timestamp if payload.HasField("timestamp") else None
    return Payload(time_ms, sequence, tuple([_metric(one) for one in payload.metrics]))


def _metric(one: EncodedMetric) -> Metric:
    field = one.WhichOneof("value")
    unit, quality = _described(one.properties) if one.HasField("properties") else (None, _GOOD)
    return Metric(
        one.name if one.HasField("name") else None,
        one.alias if one.HasField("alias") else None,
        one.timestamp if one.HasField("timestamp") else None,
        one.datatype,
        field,
        getattr(one, field) if field is not None else None,
        one.is_null,
        one.is_historical,
        one.is_transient,
        unit,
        quality,
    )


_GOOD: Final = Quality.GOOD


def _described(said: Properties) -> tuple[str | None, Quality]:
    """Read the two properties that we know: the unit, and how far the value can be trusted."""
    if len(said.keys) != len(said.values):
        raise MalformedSparkplug(reason="properties of which the names and the values differ")
    unit, quality = None, _GOOD
    for key, value in zip(said.keys, said.values, strict=True):
        if key == _UNIT and value.HasField("string_value"):
            unit = _as_senml(value.string_value)
        elif key == _QUALITY_KEY and value.HasField("int_value"):
            if value.int_value not in _QUALITY:
                raise MalformedSparkplug(reason=f"a quality of {value.int_value}")
            quality = _QUALITY[value.int_value]
    return unit, quality


def _as_senml(said: str) -> str:
    """Write a unit as SenML does, where that is known; none at all where it cannot be one."""
    unit = _UNITS.get(said, said)
    plain = unit.isascii() and unit.isprintable() and " " not in unit
    return unit if plain and len(unit) <= _UNIT_LETTERS_MAX else ""


def encode(payload: Payload) -> bytes:
    """Write a payload; the same bytes for the same payload."""
    fields: dict[str, object] = {"metrics": [_fields(one) for one in payload.metrics]}
    if payload.time_ms is not None:
        fields["timestamp"] = payload.time_ms
    if payload.sequence is not None:
        fields["seq"] = payload.sequence
    return new_payload(**fields).SerializeToString(deterministic=True)


def _fields(metric: Metric) -> dict[str, object]:
    fields: dict[str, object] = {
        name: said
        for name, said in (
            ("name", metric.name),
            ("alias", metric.alias),
            ("timestamp", metric.time_ms),
            ("datatype", metric.datatype or None),
            ("is_historical", metric.historical or None),
            ("is_transient", metric.transient or None),
            ("is_null", metric.null or None),
            ("properties", _properties(metric)),
        )
        if said is not None
    }
    if metric.field is not None:
        fields[metric.field] = metric.said
    return fields


def _properties(metric: Metric) -> dict[str, list[object]] | None:
    said: dict[str, object] = {}
    if metric.unit:
        said[_UNIT] = {"type": int(Datatype.STRING), "string_value": metric.unit}
    if metric.quality is not _GOOD:
        code = _CODES[metric.quality]
        said[_QUALITY_KEY] = {"type": int(Datatype.INT32), "int_value": code}
    return {"keys": list(said), "values": list(said.values())} if said else None


def rebirth_request(now_ms: int) -> bytes:
    """Write what asks an edge node for its birth certificates."""
    wish = Metric(REBIRTH, None, now_ms, Datatype.BOOLEAN, "boolean_value", True)
    return encode(Payload(now_ms, None, (wish,)))


def bd_seq(metrics: Sequence[Metric]) -> int | None:
    """Find which session a birth or death certificate is of; None where it does not say."""
    for metric in metrics:
        if metric.name == BD_SEQ and isinstance(metric.said, int):
            return metric.said
    return None
