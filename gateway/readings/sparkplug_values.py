"""The data types of Sparkplug B: from what stands in a payload to a value, and back.

In: a type's number, the field that holds the value, the value. Out: what a reading can hold, or a
DeviceError. Chapter: docs/devices/sparkplug.md. Numbers, texts and truths are themselves. What is
more than one value is carried: an array, a data set or a template as JSON, bytes and files as a
data URL, each a text. It never guesses a type that nobody said.
"""

import json
import math
import struct
from base64 import b64encode
from collections.abc import Iterator
from enum import IntEnum
from typing import Final, cast

from gateway.errors import BadSparkplugValue, LargeSparkplugValue
from gateway.readings import payloads
from gateway.readings.reading import Value
from gateway.readings.sparkplug_schema import Encoded, Matrix, Template

DEPTH_MAX: Final = 8  # of templates within templates


class Datatype(IntEnum):
    """What a metric is, as the specification numbers it (6.4.16)."""

    UNKNOWN = 0
    INT8 = 1
    INT16 = 2
    INT32 = 3
    INT64 = 4
    UINT8 = 5
    UINT16 = 6
    UINT32 = 7
    UINT64 = 8
    FLOAT = 9
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12
    DATETIME = 13
    TEXT = 14
    UUID = 15
    DATASET = 16
    BYTES = 17
    FILE = 18
    TEMPLATE = 19
    PROPERTY_SET = 20
    PROPERTY_SET_LIST = 21
    INT8_ARRAY = 22
    INT16_ARRAY = 23
    INT32_ARRAY = 24
    INT64_ARRAY = 25
    UINT8_ARRAY = 26
    UINT16_ARRAY = 27
    UINT32_ARRAY = 28
    UINT64_ARRAY = 29
    FLOAT_ARRAY = 30
    DOUBLE_ARRAY = 31
    BOOLEAN_ARRAY = 32
    STRING_ARRAY = 33
    DATETIME_ARRAY = 34


_NAMES: Final = {int(one): one.name.lower().replace("_", " ") for one in Datatype}
# How many bits a value of an integer type has.
SIGNED: Final = {1: 8, 2: 16, 3: 32, 4: 64}
UNSIGNED: Final = {5: 8, 6: 16, 7: 32, 8: 64, 13: 64}
_PACKED: Final = {
    22: "b",
    23: "h",
    24: "i",
    25: "q",
    26: "B",
    27: "H",
    28: "I",
    29: "Q",
    34: "Q",
} | {
    30: "f",
    31: "d",
}
_INTEGERS: Final = ("int_value", "long_value")
_FIELDS: Final[dict[int, tuple[str, ...]]] = (
    dict.fromkeys((*SIGNED, *UNSIGNED), _INTEGERS)
    | dict.fromkeys((9, 10), ("float_value", "double_value"))
    | dict.fromkeys((12, 14, 15), ("string_value",))
    | dict.fromkeys((17, 18, *range(22, 35)), ("bytes_value",))
    | {11: ("boolean_value",), 16: ("dataset_value",), 19: ("template_value",)}
)
_FLOATS: Final = (9, 10)
# The fields of which a value needs no type to be read.
_PLAIN: Final = {
    "float_value": Datatype.DOUBLE,
    "double_value": Datatype.DOUBLE,
    "boolean_value": Datatype.BOOLEAN,
    "string_value": Datatype.STRING,
}


def self_evident(field: str | None) -> int:
    """Give the type that a value has whoever said it; 0 where it must be said."""
    return _PLAIN.get(field or "", Datatype.UNKNOWN)


def read(datatype: int, field: str | None, said: object, metric: str) -> Value:
    """Give a value that a reading can hold; raise BadSparkplugValue, or a PayloadError."""
    if type(said) is float and datatype in _FLOATS and math.isfinite(said):
        return said  # What most metrics are, first.
    try:
        found = _scalar(datatype, field, said)
    except (ValueError, struct.error, RecursionError) as fault:
        name = _NAMES.get(datatype, f"type {datatype}")
        raise BadSparkplugValue(metric=_quoted(metric), datatype=name, reason=fault) from None
    if isinstance(found, str):
        return found if not found else _text(found, datatype, metric)
    return payloads.checked(found, metric, None)


def _text(found: str, datatype: int, metric: str) -> str:
    if datatype > Datatype.UUID and len(found) > payloads.TEXT_BYTES_MAX:
        raise LargeSparkplugValue(
            metric=_quoted(metric),
            datatype=_NAMES[datatype],
            size=len(found),
            size_max=payloads.TEXT_BYTES_MAX,
        )
    return cast(str, payloads.checked(found, metric, None))


def _quoted(metric: str) -> str:
    return ascii(metric[:40])


def _scalar(datatype: int, field: str | None, said: object) -> object:
    """Give a single value, or the text that carries more than one."""
    if field not in _FIELDS.get(datatype, ()):
        raise ValueError(f"its value stands in {field or 'no field'}")
    match said:
        case bool() | float() | str():
            return said
        case int():
            return _integer(datatype, said)
        case bytes() if datatype in (Datatype.BYTES, Datatype.FILE):
            return "data:;base64," + b64encode(said).decode()
        case bytes():
            return _json(list(_array(datatype, said)))
        case _ if datatype == Datatype.DATASET:
            return _json(_matrix(cast(Matrix, said)))
        case _:
            return _json(_template(cast(Template, said), DEPTH_MAX))


def _integer(datatype: int, said: int) -> int:
    """Read two's complement of the type's width, or stretched to that of the field."""
    if bits := UNSIGNED.get(datatype):
        if said >> bits:
            raise ValueError(f"{said} has more than {bits} bits")
        return said
    bits = SIGNED[datatype]
    least = 1 << (bits - 1)
    for width in (bits, 32, 64):
        if said < least:
            return said
        if (1 << width) - least <= said < 1 << width:
            return said - (1 << width)
    raise ValueError(f"{said} has more than {bits} bits")


def _json(found: object) -> str:
    return json.dumps(found, allow_nan=False, separators=(",", ":"))


def _array(datatype: int, said: bytes) -> Iterator[object]:
    """Read an array: little-endian, truths by the bit, texts each with a zero behind it."""
    if datatype == Datatype.BOOLEAN_ARRAY:
        (count,) = struct.unpack_from("<I", said)
        if len(said) != 4 + (count + 7) // 8:
            raise ValueError(f"{len(said)} bytes for {count} truths")
        yield from (bool(said[4 + at // 8] << at % 8 & 0x80) for at in range(count))
    elif datatype == Datatype.STRING_ARRAY:
        if said and not said.endswith(b"\0"):
            raise ValueError("the last text does not end")
        yield from (text.decode() for text in said.split(b"\0")[:-1])
    else:
        letter = _PACKED[datatype]
        yield from (one for (one,) in struct.iter_unpack(f"<{letter}", said))


def _matrix(said: Matrix) -> dict[str, object]:
    types, columns = list(said.types), list(said.columns)
    if len(types) != len(columns) or any(len(row.elements) != len(types) for row in said.rows):
        raise ValueError("its columns, types and rows are not of one width")
    return {
        "columns": columns,
        "types": [_NAMES.get(one, str(one)) for one in types],
        "rows": [
            [_cell(datatype, cell) for datatype, cell in zip(types, row.elements, strict=True)]
            for row in said.rows
        ],
    }


def _template(said: Template, depth: int) -> dict[str, object]:
    """Read a template: its metrics of known type by name, others as the numbers they are."""
    if not depth:
        raise ValueError(f"templates within templates more than {DEPTH_MAX} deep")
    metrics: dict[str, object] = {}
    for one in said.metrics:
        field = one.WhichOneof("value")
        if field == "template_value":
            metrics[one.name] = _template(getattr(one, field), depth - 1)
        else:
            metrics[one.name] = None if one.is_null else _cell(one.datatype, one)
    found: dict[str, object] = {"definition": True} if said.is_definition else {}
    found |= {"template": said.template_ref} if said.template_ref else {}
    found |= {"version": said.version} if said.version else {}
    parameters = {one.name: _cell(one.type, one) for one in said.parameters}
    return found | {"metrics": metrics} | ({"parameters": parameters} if parameters else {})


def _cell(datatype: int, cell: Encoded) -> object:
    """Read one value inside a larger one, by its type; None where there is none."""
    field = cell.WhichOneof("value")
    if field is None:
        return None
    said: object = getattr(cell, field)
    return _scalar(datatype or self_evident(field), field, said)


def write(value: Value) -> tuple[int, str, object]:
    """Give the type, the field and what stands in it for a value of ours."""
    match value:
        case bool():
            return Datatype.BOOLEAN, "boolean_value", value
        case int():
            return Datatype.INT64, "long_value", value % (1 << 64)
        case float():
            return Datatype.DOUBLE, "double_value", value
        case str():
            return Datatype.STRING, "string_value", value
