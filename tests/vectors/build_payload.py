"""Vectors of payloads beyond plain JSON: CBOR, lists of moments, and whose they are."""

import json

import cbor2

from tests.vectors.build_mapping import CHAPTER, MS, Good, _good, _message, _reading

CBOR = 'device = "topic[1]"\nformat = "cbor"\n'
SENML = 'device = "topic[1]"\nformat = "senml-json"\n'
EACH = 'device = "topic[1]"\ntime = "ts"\neach = "samples"\n'
CLAIM = 'device = "topic[1]"\nclaim = "meta.id"\n'
BOUND = """claim = "id"
[[source.bind]]
device = "press-1"
topics = ["factory/press-1/#", "line/+/p1"]
equipment = "line-2/cell-7"
[[source.bind]]
device = "press-2"
topics = ["factory/#"]
"""


def build() -> dict[str, object]:
    """Build the vectors."""
    good = [_good(*one) for one in (*_cbor(), *_lists(), *_names())]
    bad = [
        {**_message(name, settings, payload), **more, "error": code}
        for name, settings, payload, code, more in (*_no_cbor(), *_not_theirs())
    ]
    return {"noun": "payload", "chapter": CHAPTER, "good": good, "bad": bad}


def _json(said: object) -> bytes:
    return json.dumps(said).encode()


def _cbor() -> list[Good]:
    env = {"env": {"temp_c": 21.5, "raw": b"\x01", "zones": [1, 2]}, 7: 3}
    shown = [
        _reading("env.temp_c", 21.5),
        _reading("env.zones.0", 1),
        _reading("env.zones.1", 2),
        _reading("7", 3),
    ]
    table = CBOR + 'time = "ts"\n[[source.metric]]\nname = "a"\npath = "a"\n'
    a = _reading("a", 1, time_ms=MS)
    return [
        ("CBOR, nested, with a key that is a number", CBOR, cbor2.dumps(env), shown, {}),
        (
            "CBOR of indefinite length, with numbers longer than need be",
            CBOR,
            bytes.fromhex("bf6161 1b0000000000000001 6162 9f fb3ff8000000000000 ff ff"),
            [_reading("a", 1), _reading("b.0", 1.5)],
            {},
        ),
        ("half a float", CBOR, bytes.fromhex("a16161f93e00"), [_reading("a", 1.5)], {}),
        (
            "a decimal fraction",
            CBOR,
            bytes.fromhex("a16161c48221196ab3"),
            [_reading("a", 273.15)],
            {},
        ),
        ("a time with its tag", table, bytes.fromhex("a2627473c11a692054406161 01"), [a], {}),
        (
            "CBOR that says that it is",
            CBOR,
            bytes.fromhex("d9d9f7a1616101"),
            [_reading("a", 1)],
            {},
        ),
        ("undefined is not there", CBOR, bytes.fromhex("a26161f7616202"), [_reading("b", 2)], {}),
        (
            "not-a-number leaves the others",
            CBOR,
            bytes.fromhex("a26161f97e00616202"),
            [_reading("b", 2)],
            {"faults": ["payload.number"]},
        ),
        (
            "a tag that nobody knows leaves the others",
            CBOR + '[[source.metric]]\nname = "a"\npath = "a"\n'
            '[[source.metric]]\nname = "b"\npath = "b"\n',
            bytes.fromhex("a26161d9271001616202"),
            [_reading("b", 2)],
            {"faults": ["payload.type"]},
        ),
    ]


def _lists() -> list[Good]:
    samples = {"samples": [{"ts": MS, "a": 1}, {"ts": MS + 250, "a": 2}, {"b": 1.5}]}
    flat = [
        _reading("a", 1, time_ms=MS),
        _reading("a", 2, time_ms=MS + 250),
        _reading("b", 1.5, quality="uncertain"),
    ]
    around = {"ts": MS, "samples": [{"a": 1}, {"a": 2, "ts": MS + 250}]}
    theirs = 'device = "id"\neach = "@"\nformat = "cbor"\n'
    several = [{"id": "press-2", "a": 1}, {"a": 2}, {"id": "press-3", "a": 3}]
    return [
        ("a list of moments", EACH, _json(samples), flat, {}),
        ("the time of all, and one's own", EACH, _json(around), flat[:2], {}),
        (
            "a list of devices, one of whom says no name",
            theirs,
            cbor2.dumps(several),
            [_reading("a", 1, device="press-2"), _reading("a", 3, device="press-3")],
            {"faults": ["payload.device"]},
        ),
    ]


def _names() -> list[Good]:
    placed = {"equipment": "line-2/cell-7"}
    return [
        (
            "a claim that is true",
            CLAIM,
            b'{"meta": {"id": "press-1"}, "a": 1}',
            [_reading("a", 1)],
            {},
        ),
        ("no claim at all", CLAIM, b'{"a": 1}', [_reading("a", 1)], {}),
        ("a bound topic", BOUND, b'{"a": 1}', [_reading("a", 1, **placed)], {}),
        (
            "another of its topics",
            BOUND,
            b'{"id": "press-1", "a": 1}',
            [_reading("a", 1, **placed)],
            {"topic": "line/7/p1"},
        ),
        (
            "the first table that matches",
            BOUND,
            b'{"a": 1}',
            [_reading("a", 1, device="press-2")],
            {"topic": "factory/press-9/telemetry"},
        ),
    ]


Bad = tuple[str, str, bytes, str, dict[str, object]]


def _no_cbor() -> list[Bad]:
    cbor, twice = "payload.cbor", "payload.duplicate-name"
    named = [
        ("no CBOR", "", cbor),
        ("half an array", "8201", cbor),
        ("a byte behind it", "a16161 01 00", cbor),
        ("a length beyond all bytes", "9bffffffffffffffff", cbor),
        ("text of a length beyond all bytes", "7bffffffffffffffff", cbor),
        ("a break without a beginning", "ff", cbor),
        ("a reserved head", "1c", cbor),
        ("a key that is a list", "a1810101", cbor),
        ("a key that is bytes", "a1416101", cbor),
        ("a key that is true", "a1f501", cbor),
        ("text that is not UTF-8", "a16161 62c328", "payload.utf8"),
        ("nested 33 deep in CBOR", "81" * 33 + "01", "payload.depth"),
        ("tags nested 5000 deep", "c1" * 5000 + "01", "payload.depth"),
        ("a key twice in CBOR", "a2616101616102", twice),
        ("a number and a text of one spelling", "a2 01 01 6131 02", twice),
        ("an integer beyond 64 bits in CBOR", "a161611bffffffffffffffff", "payload.number"),
        ("a big number by tag", "a16161c249010000000000000000", "payload.path"),
        ("a decimal fraction beyond a float", "a16161c48219019001", "payload.number"),
        ("an infinite number", "a16161f97c00", "payload.number"),
    ]
    return [(name, CBOR, bytes.fromhex(said), code, {}) for name, said, code in named]


def _not_theirs() -> list[Bad]:
    claim, either = "payload.claim", 'device = "topic[1]"\neach = "@"\nclaim = "id"\n'
    packed = SENML + 'claim = "bn"\n'
    return [
        ("a claim of another", CLAIM, b'{"meta": {"id": "press-2"}, "a": 1}', claim, {}),
        ("a claim that is a list", CLAIM, b'{"meta": {"id": ["press-1"]}, "a": 1}', claim, {}),
        ("a claim that is empty", CLAIM, b'{"meta": {"id": ""}, "a": 1}', claim, {}),
        ("a claim of another in a list", either, b'[{"a": 1}, {"id": "x", "a": 2}]', claim, {}),
        (
            "a claim of another by a base name",
            packed,
            _json([{"bn": "x:", "n": "a", "v": 1}]),
            claim,
            {},
        ),
        ("a claim against the binding", BOUND, b'{"id": "press-2", "a": 1}', claim, {}),
        ("a topic of nobody", BOUND, b'{"a": 1}', "payload.unbound", {"topic": "line/7/p2"}),
        ("a topic of the broker", BOUND, b'{"a": 1}', "payload.unbound", {"topic": "$SYS/p1"}),
        ("no list where there should be one", EACH, b'{"samples": {"a": 1}}', "payload.path", {}),
        ("a list of nothing", EACH, b'{"samples": []}', "payload.path", {}),
    ]
