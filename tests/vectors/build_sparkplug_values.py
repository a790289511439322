"""Vectors of the values of Sparkplug B: each type as a host hears it, and what is none of it."""

import struct

from gateway.readings.sparkplug_payload import Metric
from gateway.readings.sparkplug_schema import new_payload
from gateway.readings.sparkplug_values import Datatype as D
from tests.vectors.build_sparkplug import (
    BORN,
    CHAPTER,
    DEVICE,
    MS,
    PRESS,
    Good,
    births,
    good,
    press,
    reading,
)

VALUE, NUMBER = "sparkplug.value", "payload.number"
_ROWS: list[tuple[str, int, str, object, object]] = [
    ("int8, eight bits", D.INT8, "int_value", 0x80, -128),
    ("int8, stretched to 32 bits", D.INT8, "int_value", 0xFFFFFF80, -128),
    ("int16", D.INT16, "int_value", 0x8000, -32768),
    ("int32", D.INT32, "int_value", 0xFFFFFFFF, -1),
    ("int32 in the long field", D.INT32, "long_value", 0xFFFFFFFFFFFFFFFF, -1),
    ("int64", D.INT64, "long_value", 1 << 63, -(1 << 63)),
    ("uint8", D.UINT8, "int_value", 255, 255),
    ("uint16", D.UINT16, "int_value", 65535, 65535),
    ("uint32 in the long field", D.UINT32, "long_value", (1 << 32) - 1, (1 << 32) - 1),
    ("uint64", D.UINT64, "long_value", (1 << 63) - 1, (1 << 63) - 1),
    ("float", D.FLOAT, "float_value", 1.5, 1.5),
    ("double", D.DOUBLE, "double_value", 0.1, 0.1),
    ("boolean", D.BOOLEAN, "boolean_value", False, False),
    ("string", D.STRING, "string_value", "auto", "auto"),
    ("string, empty", D.STRING, "string_value", "", ""),
    ("datetime", D.DATETIME, "long_value", MS, MS),
    ("text", D.TEXT, "string_value", "Grüße", "Grüße"),
    ("uuid", D.UUID, "string_value", "6a2f41a3-c54c-fce8-32d2-0324e1c32e22", None),
    ("bytes", D.BYTES, "bytes_value", b"\x00\x01\x02", "data:;base64,AAEC"),
    ("file", D.FILE, "bytes_value", b"", "data:;base64,"),
    ("int8 array", D.INT8_ARRAY, "bytes_value", b"\xef\x7b", "[-17,123]"),
    ("int16 array", D.INT16_ARRAY, "bytes_value", b"\xd0\x8a\x30\x75", "[-30000,30000]"),
    (
        "int32 array",
        D.INT32_ARRAY,
        "bytes_value",
        bytes.fromhex("fffffffffaafcb12"),
        "[-1,315338746]",
    ),
    ("uint8 array", D.UINT8_ARRAY, "bytes_value", b"\x17\xfa", "[23,250]"),
    ("uint16 array", D.UINT16_ARRAY, "bytes_value", b"\x1e\x00\x88\xcc", "[30,52360]"),
    (
        "float array, little-endian",
        D.FLOAT_ARRAY,
        "bytes_value",
        struct.pack("<2f", 1.5, -2.25),
        "[1.5,-2.25]",
    ),
    ("double array", D.DOUBLE_ARRAY, "bytes_value", struct.pack("<d", 0.1), "[0.1]"),
    (
        "boolean array",
        D.BOOLEAN_ARRAY,
        "bytes_value",
        bytes.fromhex("0c00000034d0"),
        "[false,false,true,true,false,true,false,false,true,true,false,true]",
    ),
    ("string array", D.STRING_ARRAY, "bytes_value", b"ABC\0hello\0", '["ABC","hello"]'),
    (
        "datetime array",
        D.DATETIME_ARRAY,
        "bytes_value",
        struct.pack("<2Q", 1256102875335, 1656107875000),
        "[1256102875335,1656107875000]",
    ),
]
_WRONG: list[tuple[str, int, str, object, str]] = [
    ("int8 of 128 in nine bits", D.INT8, "int_value", 0x180, VALUE),
    ("int16 of 70000", D.INT16, "int_value", 70_000, VALUE),
    ("uint8 of 256", D.UINT8, "int_value", 256, VALUE),
    ("uint16 of minus one in 32 bits", D.UINT16, "int_value", 0xFFFFFFFF, VALUE),
    ("uint64 beyond 63 bits", D.UINT64, "long_value", 1 << 63, NUMBER),
    ("a float that is not finite", D.FLOAT, "float_value", float("inf"), NUMBER),
    ("a double that is no number", D.DOUBLE, "double_value", float("nan"), NUMBER),
    ("a double in a text", D.DOUBLE, "string_value", "21.5", VALUE),
    ("an integer in a float", D.INT32, "float_value", 1.0, VALUE),
    ("a boolean in a number", D.BOOLEAN, "int_value", 1, VALUE),
    ("a text in bytes", D.STRING, "bytes_value", b"auto", VALUE),
    ("a text of control letters", D.STRING, "string_value", "\x1b[31m", "payload.text"),
    ("a text of 4097 bytes", D.TEXT, "string_value", "x" * 4097, "payload.text"),
    ("a type that is none", 99, "int_value", 1, VALUE),
    ("a type of properties", D.PROPERTY_SET, "int_value", 1, VALUE),
    ("an array cut short", D.INT32_ARRAY, "bytes_value", b"\x00\x01\x02", VALUE),
    ("an array of numbers that are none", D.FLOAT_ARRAY, "bytes_value", b"\0\0\xc0\x7f", VALUE),
    ("truths fewer than counted", D.BOOLEAN_ARRAY, "bytes_value", b"\xff\xff\xff\xff", VALUE),
    ("truths without a count", D.BOOLEAN_ARRAY, "bytes_value", b"\x01", VALUE),
    ("texts of which the last does not end", D.STRING_ARRAY, "bytes_value", b"ABC", VALUE),
    ("texts that are not UTF-8", D.STRING_ARRAY, "bytes_value", b"\xc3\x28\0", VALUE),
    ("int32 of 40 bits", D.INT32, "long_value", 1 << 40, VALUE),
    ("uint32 of 40 bits", D.UINT32, "long_value", 1 << 40, VALUE),
    ("a time beyond 63 bits", D.DATETIME, "long_value", 1 << 63, NUMBER),
    ("a uuid in a number", D.UUID, "long_value", 1, VALUE),
    ("doubles cut short", D.DOUBLE_ARRAY, "bytes_value", bytes(12), VALUE),
    ("times cut short", D.DATETIME_ARRAY, "bytes_value", bytes(7), VALUE),
    ("an array in a text", D.UINT8_ARRAY, "string_value", "[1]", VALUE),
    ("bytes in a text", D.BYTES, "string_value", "AAEC", VALUE),
    ("a data set in bytes", D.DATASET, "bytes_value", b"", VALUE),
    ("an array of 2049 numbers", D.UINT8_ARRAY, "bytes_value", bytes(2049), "sparkplug.large"),
    ("a file of 4096 bytes", D.FILE, "bytes_value", bytes(4096), "sparkplug.large"),
]


def build() -> dict[str, object]:
    """Build the vectors."""
    return {
        "noun": "sparkplug_values",
        "chapter": CHAPTER,
        "good": [good(*one) for one in (*births(), *_values())],
        "bad": [
            {"name": name, "topic": topic, "after": after, "hex": said.hex(), "error": code}
            for name, topic, after, said, code in _not_their_type()
        ],
    }


def _values() -> list[Good]:
    """Give a message for each data type, with name and type in it."""
    plain = [
        _value(
            name,
            press(Metric("Value", None, MS, datatype, field, said)),
            said if want is None else want,
        )
        for name, datatype, field, said, want in _ROWS
    ]
    return [
        *plain,
        _value("data set", _compound(D.DATASET, dataset_value=_MATRIX), _MATRIX_TEXT),
        _value("template", _compound(D.TEMPLATE, template_value=_TEMPLATE), _TEMPLATE_TEXT),
    ]


def _value(name: str, said: bytes, want: object) -> Good:
    told = reading(PRESS, "Value", want)
    expect: dict[str, object] = {"readings": [told], "rebirths": ["plant/line-1"]}
    return (f"type {name}", DEVICE.format("DDATA"), BORN, said, expect)


_MATRIX: dict[str, object] = {
    "num_of_columns": 2,
    "columns": ["at", "offset"],
    "types": [int(D.UINT32), int(D.INT8)],
    "rows": [{"elements": [{"int_value": 1}, {"int_value": 0xFF}]}],
}
_MATRIX_TEXT = '{"columns":["at","offset"],"types":["uint32","int8"],"rows":[[1,-1]]}'
_TEMPLATE = {
    "template_ref": "Motor",
    "version": "1",
    "metrics": [
        {"name": "rpm", "datatype": int(D.INT32), "int_value": 1500},
        {"name": "fault", "datatype": int(D.STRING), "is_null": True},
    ],
    "parameters": [{"name": "poles", "type": int(D.INT32), "int_value": 4}],
}
_TEMPLATE_TEXT = (
    '{"template":"Motor","version":"1","metrics":{"rpm":1500,"fault":null},'
    '"parameters":{"poles":4}}'
)


def _compound(datatype: D, **value: object) -> bytes:
    metric = {"name": "Value", "timestamp": MS, "datatype": int(datatype)} | value
    payload = new_payload(timestamp=MS, seq=2, metrics=[metric])
    return payload.SerializeToString(deterministic=True)


def _not_their_type() -> list[tuple[str, str, list[str], bytes, str]]:
    data = DEVICE.format("DDATA")
    plain = [
        (name, data, BORN, press(Metric("Value", None, MS, datatype, field, said)), code)
        for name, datatype, field, said, code in _WRONG
    ]
    uneven = _MATRIX | {"types": [int(D.UINT32)]}
    cell: dict[str, object] = {"rows": [{"elements": [{"int_value": 1}, {"string_value": "x"}]}]}
    nested: dict[str, object] = {"template_ref": "Motor"}
    for _ in range(9):
        nested = {"metrics": [{"name": "in", "datatype": 19, "template_value": nested}]}
    return [
        *plain,
        (
            "a data set of uneven width",
            data,
            BORN,
            _compound(D.DATASET, dataset_value=uneven),
            VALUE,
        ),
        (
            "a cell of another type",
            data,
            BORN,
            _compound(D.DATASET, dataset_value=_MATRIX | cell),
            VALUE,
        ),
        ("templates too deep", data, BORN, _compound(D.TEMPLATE, template_value=nested), VALUE),
    ]
