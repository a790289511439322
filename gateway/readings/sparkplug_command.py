"""Commands to edge nodes and devices: one metric is to have a value, as its certificate has it.

In: a point, what its birth certificate said of the metric, a value. Out: a topic and a payload, or
MachineAway or BeyondLimits. Chapter: docs/devices/sparkplug.md. It guesses no type and no alias:
what no certificate in force explains is not commanded. It publishes nothing.
"""

from typing import Final

from gateway.config.points import SparkplugPoint
from gateway.errors import BeyondLimits
from gateway.readings.sparkplug_birth import Knob
from gateway.readings.sparkplug_payload import Metric, Payload, encode
from gateway.readings.sparkplug_topic import NAMESPACE
from gateway.readings.sparkplug_values import SIGNED, UNSIGNED, Datatype

_LONG: Final = "long_value"
_FLOATS: Final = {Datatype.FLOAT: "float_value", Datatype.DOUBLE: "double_value"}


def topic(point: SparkplugPoint) -> str:
    """Give where an edge node, or a device behind one, hears its commands."""
    group, node, *device = point.device.split("/")
    verb = "DCMD" if device else "NCMD"
    return "/".join((NAMESPACE, group, verb, node, *device))


def command(point: SparkplugPoint, knob: Knob, value: bool | int | float, now_ms: int) -> bytes:
    """Write what sets a metric; raise BeyondLimits where its type cannot hold the value."""
    field, said = _said(point, knob, value)
    name = knob.name if knob.alias is None else None
    metric = Metric(name, knob.alias, now_ms, knob.datatype, field, said)
    return encode(Payload(now_ms, None, (metric,)))


def _said(
    point: SparkplugPoint, knob: Knob, value: bool | int | float
) -> tuple[str, bool | int | float]:
    """Give the field and what stands in it, by the type that the certificate names."""
    datatype = knob.datatype
    if isinstance(value, bool):
        if datatype == Datatype.BOOLEAN:
            return "boolean_value", value
    elif datatype in _FLOATS:
        return _FLOATS[Datatype(datatype)], float(value)
    elif datatype in SIGNED or (datatype in UNSIGNED and datatype != Datatype.DATETIME):
        return _integer(point, knob, value)
    reason = "its certificate says that it is of another type"
    raise BeyondLimits(point=point.name, value=value, reason=reason)


def _integer(point: SparkplugPoint, knob: Knob, value: int | float) -> tuple[str, int]:
    bits = (SIGNED | UNSIGNED)[knob.datatype]
    least = -(1 << bits - 1) if knob.datatype in SIGNED else 0
    if value != int(value) or not least <= value < least + (1 << bits):
        reason = f"its certificate says that it is an integer of {bits} bits"
        raise BeyondLimits(point=point.name, value=value, reason=reason)
    # In the field in which it says itself: there it looks for it, too.
    field = _LONG if bits > 32 or knob.field == _LONG else "int_value"
    return field, int(value) % (1 << (64 if field == _LONG else 32))
