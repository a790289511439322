"""Vectors of fields: a serial source's settings, a telegram's payload, and its readings."""

import struct

CHAPTER = "docs/devices/serial.md"
HEARD_MS = 1_763_726_401_500
FRAMING = '[source.framing]\nby = "delimiter"\nend = "\\r\\n"\n'


def _metric(name: str, *keys: str) -> str:
    return "[[source.metric]]\n" + "\n".join((f'name = "{name}"', *keys)) + "\n"


WHOLE = FRAMING
CSV = 'separator = ";"\n' + FRAMING + _metric("t", "field = 1", 'unit = "Cel"')
TWO = CSV + _metric("state", "field = 2", 'type = "text"')
BLANKS = 'separator = " "\n' + FRAMING
SICS = BLANKS + _metric(
    *("weight", "field = 2", 'unit = "g"', "match = 'S [SD] +-?[0-9.]+ g'", "uncertain = 'S D'"),
)
GROUPS = "pattern = '(?P<sign>[+-]) *(?P<weight>[0-9.]+) *kg'\n" + FRAMING
SCALE = GROUPS + _metric(
    *("weight", 'field = "weight"', 'unit = "kg"', "negative = '-'", "bad = '[+-] *9999'"),
)
NMEA = (
    'separator = ","\ntime = "9 1"\ntime_format = "%d%m%y %H%M%S"\ntime_zone = "Z"\n'
    + FRAMING
    + _metric("latitude", "field = 3", 'type = "degrees"', "negative = '(?:[^,]*,){4}S'")
)
ISO = 'separator = ","\ntime = "0"\ntime_zone = "+08:00"\n' + FRAMING + _metric("a", "field = 1")
JSON = 'format = "json"\ntime = "ts"\n' + FRAMING + _metric("a", 'path = "x.a"', "scale = 0.5")
HEX = FRAMING + _metric("status", 'type = "hex"')
BINARY = 'format = "binary"\n[source.framing]\nby = "cobs"\n' + _metric(
    *("t", "offset = 1", 'type = "int16"', 'unit = "Cel"', "scale = 0.1", r"match = '\x01'"),
)
WIDE = (
    'format = "binary"\n[source.framing]\nby = "cobs"\n'
    + _metric("f", "offset = 0", 'type = "float32"', 'byte_order = "little"')
    + _metric("running", "offset = 4", 'type = "uint8"', "bit = 3")
    + _metric("mode", "offset = 4", 'type = "uint8"', "bit = 4", "bit_count = 2")
    + _metric("total", "offset = 5", 'type = "bcd"', "length = 3")
    + _metric("model", "offset = 8", 'type = "string"', "length = 4")
)
LENGTH = '[source.framing]\nby = "length"\nbegin = "hex:55"\noffset = 1\nwidth = 2\n'

Reading = dict[str, object]


def build() -> dict[str, object]:
    """Build the vectors."""
    return {
        "noun": "fields",
        "chapter": CHAPTER,
        "good": [
            _said(name, settings, payload) | {"expect": {"readings": readings}}
            for name, settings, payload, readings in (*_texts(), *_others())
        ],
        "bad": [
            _said(name, settings, payload) | {"error": code}
            for name, settings, payload, code in _refused()
        ],
    }


def _said(name: str, settings: str, payload: bytes) -> dict[str, object]:
    return {
        "name": name,
        "settings": settings,
        "hex": payload.hex(),
        "heard_ms": HEARD_MS,
        "monotonic_ms": 815,
    }


def _reading(metric: str, value: object, **more: object) -> Reading:
    usual: Reading = {
        "device": "scale",
        "metric": metric,
        "value": value,
        "unit": "",
        "time_ms": HEARD_MS,
        "monotonic_ms": None,
        "quality": "good",
        "retained": False,
    }
    return usual | more


Good = list[tuple[str, str, bytes, list[Reading] | None]]


def _texts() -> Good:
    gram: Reading = {"unit": "g"}
    kilo: Reading = {"unit": "kg"}
    fix = b"GPRMC,120000.25,A,3113.8000,S,12128.2000,E,0.5,54.7,211125,,,A"
    return [
        ("a number alone", WHOLE, b" +12.50 ", [_reading("value", 12.5)]),
        ("a blank after the sign", WHOLE, b"-   7", [_reading("value", -7)]),
        (
            "fields",
            TWO,
            b"x; 21.5 ;RUN",
            [_reading("t", 21.5, unit="Cel"), _reading("state", "RUN")],
        ),
        ("an empty field says nothing", TWO, b"x;;RUN", [_reading("state", "RUN")]),
        ("stable", SICS, b"S S     100.00 g", [_reading("weight", 100.0, **gram)]),
        (
            "moving",
            SICS,
            b"S D      -5.1 g",
            [_reading("weight", -5.1, quality="uncertain", **gram)],
        ),
        ("of another kind", SICS, b"S I", None),
        ("in another unit", SICS, b"S S     100.00 oz", None),
        ("a group of the pattern", SCALE, b"+ 12.5kg", [_reading("weight", 12.5, **kilo)]),
        ("below zero", SCALE, b"- 12.5 kg", [_reading("weight", -12.5, **kilo)]),
        ("overload", SCALE, b"+ 9999 kg", [_reading("weight", 9999, quality="bad", **kilo)]),
        ("digits of sixteen", HEX, b"1F", [_reading("status", 31)]),
        (
            "a sentence",
            NMEA,
            fix,
            [_reading("latitude", -31.23, time_ms=1_763_726_400_250)],
        ),
        (
            "a receiver without date",
            NMEA,
            fix.replace(b"211125", b""),
            [_reading("latitude", -31.23, quality="uncertain")],
        ),
        ("a time", ISO, b"2025-11-21 20:00:00,7", [_reading("a", 7, time_ms=1_763_726_400_000)]),
    ]


def _others() -> Good:
    wide = struct.pack("<f", 1.5) + b"\x2a" + bytes.fromhex("001234") + b"T-1\0"
    return [
        (
            "JSON",
            JSON,
            b'{"ts": 1763726400, "x": {"a": 3}}',
            [_reading("a", 1.5, time_ms=1_763_726_400_000)],
        ),
        ("binary", BINARY, bytes.fromhex("01ff38"), [_reading("t", -20.0, unit="Cel")]),
        ("binary of another kind", BINARY, bytes.fromhex("02ff38"), None),
        (
            "every binary type",
            WIDE,
            wide,
            [
                *(_reading("f", 1.5), _reading("running", True), _reading("mode", 2)),
                *(_reading("total", 1234), _reading("model", "T-1")),
            ],
        ),
        ("text behind a length", LENGTH, b"\x00\x01" + b"7", [_reading("value", 7)]),
    ]


def _refused() -> list[tuple[str, str, bytes, str]]:
    field, number, match = "payload.field", "payload.number", "payload.pattern"
    bcd = 'format = "binary"\n' + FRAMING + _metric("n", "offset = 0", 'type = "bcd"', "length = 2")
    real = 'format = "binary"\n' + FRAMING + _metric("f", "offset = 0", 'type = "float32"')
    return [
        ("not a number", WHOLE, b"12.5kg", number),
        ("a number of two", WHOLE, b"1 2", number),
        ("dashes", WHOLE, b"------", number),
        ("two signs", WHOLE, b"+-5", number),
        ("not finite", WHOLE, b"nan", number),
        ("a comma for a point", WHOLE, b"12,5", number),
        ("nothing", WHOLE, b"", "payload.path"),
        ("invalid UTF-8", WHOLE, b"\xff12", "payload.utf8"),
        ("too few fields", CSV, b"x", field),
        ("a text too long", TWO.replace("field = 1", "field = 7"), b"x;1;" + b"y" * 4097, field),
        ("control letters", FRAMING + _metric("s", 'type = "text"'), b"\x1b[2J", "payload.text"),
        ("not as the pattern says", SCALE, b"+ 12.5lb", match),
        ("something behind the pattern", SCALE, b"+ 12.5kg!", match),
        ("sixty minutes", NMEA, b"GPRMC,120000,A,3160.0,N,0,E,,,211125", number),
        ("more than half a circle", NMEA, b"GPRMC,120000,A,18100.0,N,0,E,,,211125", number),
        ("a date that is none", NMEA, b"GPRMC,120000,A,3113.8,N,0,E,,,311325", "payload.time"),
        ("a time that is none", ISO, b"noon,7", "payload.time"),
        ("sixteen digits of what", HEX, b"1G", number),
        ("not JSON", JSON, b"{", "payload.json"),
        ("JSON without it", JSON, b"{}", "payload.path"),
        ("binary that ends before", BINARY, b"\x01\xff", field),
        ("digits above nine", bcd, b"\x1a\x00", number),
        ("not a number in binary", real, bytes.fromhex("7fc00000"), number),
        ("infinite in binary", real, bytes.fromhex("7f800000"), number),
        ("nothing behind a length", LENGTH, b"\x00\x00", "payload.path"),
    ]
