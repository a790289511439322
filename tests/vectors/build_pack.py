"""Vectors of SenML packs of machines: the examples of RFC 8428, and what it leaves to say."""

import json
from typing import Any

import cbor2

from tests.vectors.build_mapping import CHAPTER, HEARD_MS, Good, _good, _message, _reading

SENML = 'device = "topic[1]"\nformat = "senml-json"\n'
ITSELF = 'device = "bn"\nformat = "senml-json"\n'
PACKED = 'device = "bn"\nformat = "senml-cbor"\n'
OW = "urn:dev:ow:10e2073a01080063"
# The examples of RFC 8428, chapters 5 and 6.
SINGLE = [{"n": OW, "u": "Cel", "v": 23.1}]
SERIES: list[dict[str, Any]] = [
    {
        **{"bn": "urn:dev:ow:10e2073a0108006:", "bt": 1.276020076001e09, "bu": "A", "bver": 5},
        **{"n": "voltage", "u": "V", "v": 120.1},
    },
    *(
        {"n": "current", "t": t, "v": v}
        for t, v in zip(range(-5, 0), (1.2, 1.3, 1.4, 1.5, 1.6), strict=True)
    ),
    {"n": "current", "v": 1.7},
]
TYPES = [
    {"bn": OW, "bt": 1.320067464e09, "bu": "%RH", "v": 20},
    {"u": "lon", "v": 24.30621},
    {"t": 60, "v": 20.3},
]
GATHERED: list[dict[str, Any]] = [
    {"bn": "2001:db8::2/", "bt": 1.320078429e09, "n": "temperature", "u": "Cel", "v": 25.2},
    {"n": "humidity", "u": "%RH", "v": 30},
    {"bn": "2001:db8::1/", "n": "temperature", "u": "Cel", "v": 12.3},
]
KINDS: list[dict[str, Any]] = [
    {"bn": f"{OW}:", "n": "temp", "u": "Cel", "v": 23.1},
    {"n": "label", "vs": "Machine Room"},
    {"n": "open", "vb": False},
    {"n": "nfc-reader", "vd": "aGkgCg"},
]
NUMBERS = {"bver": -1, "bn": -2, "bt": -3, "bu": -4, "bv": -5, "bs": -6, "n": 0, "u": 1, "v": 2}
NUMBERS |= {"vs": 3, "vb": 4, "s": 5, "t": 6, "ut": 7, "vd": 8}


def build() -> dict[str, object]:
    """Build the vectors."""
    good = [_good(*one) for one in (*_examples(), *_packs(), *_labels())]
    bad = [
        {**_message(name, settings, payload), "error": code}
        for name, settings, payload, code in _no_pack()
    ]
    return {"noun": "pack", "chapter": CHAPTER, "good": good, "bad": bad}


def _json(said: object) -> bytes:
    return json.dumps(said).encode()


def _packed(pack: list[dict[str, Any]]) -> bytes:
    """Write a pack in CBOR as RFC 8428 does in its chapter 6, its keys in their order."""
    return cbor2.dumps([{NUMBERS.get(key, key): one[key] for key in one} for one in pack])


def _examples() -> list[Good]:
    """Resolve the RFC's own examples."""
    series = {"device": "urn:dev:ow:10e2073a0108006"}
    start = 1_276_020_076_001
    currents = [
        _reading("current", v, unit="A", time_ms=start + 1000 * t, **series)
        for t, v in zip((*range(-5, 0), 0), (1.2, 1.3, 1.4, 1.5, 1.6, 1.7), strict=True)
    ]
    voltage = _reading("voltage", 120.1, unit="V", time_ms=start, **series)
    when, ow = {"time_ms": 1_320_067_464_000}, {"device": OW}
    one, two = {"device": "2001:db8::1"}, {"device": "2001:db8::2"}
    then = {"time_ms": 1_320_078_429_000}
    return [
        ("RFC 8428: one value", SENML, _json(SINGLE), [_reading(OW, 23.1, unit="Cel")], {}),
        ("RFC 8428: a series", ITSELF, _json(SERIES), [voltage, *currents], {}),
        ("RFC 8428: a series in CBOR", PACKED, _packed(SERIES), [voltage, *currents], {}),
        (
            "RFC 8428: several units under one name",
            ITSELF,
            _json(TYPES),
            [
                _reading("value", 20, unit="%RH", **ow, **when),
                _reading("value", 24.30621, unit="lon", **ow, **when),
                _reading("value", 20.3, unit="%RH", **ow, time_ms=1_320_067_524_000),
            ],
            {},
        ),
        (
            "RFC 8428: several devices",
            ITSELF,
            _json(GATHERED),
            [
                _reading("temperature", 25.2, unit="Cel", **two, **then),
                _reading("humidity", 30, unit="%RH", **two, **then),
                _reading("temperature", 12.3, unit="Cel", **one, **then),
            ],
            {},
        ),
        *(
            (
                f"RFC 8428: all kinds of values{told}",
                settings,
                payload,
                [
                    _reading("temp", 23.1, unit="Cel", **ow),
                    _reading("label", "Machine Room", **ow),
                    _reading("open", False, **ow),
                    _reading("nfc-reader", "aGkgCg", **ow),
                ],
                {},
            )
            for told, settings, payload in (
                ("", ITSELF, _json(KINDS)),
                (" in CBOR", PACKED, _packed([*KINDS[:3], {"n": "nfc-reader", "vd": b"hi \n"}])),
            )
        ),
    ]


def _packs() -> list[Good]:
    moment = {"time_ms": None, "monotonic_ms": 315}
    return [
        (
            "a time from now, and one before now",
            SENML,
            _json([{"n": "a", "t": -5, "v": 1}, {"n": "b", "t": 0.5, "v": 2}]),
            [_reading("a", 1, time_ms=HEARD_MS - 5000), _reading("b", 2, time_ms=HEARD_MS + 500)],
            {},
        ),
        (
            "a base time before now",
            SENML,
            _json([{"bt": -10, "n": "a", "v": 1}, {"n": "a", "t": 10, "v": 2}]),
            [_reading("a", 1, time_ms=HEARD_MS - 10_000), _reading("a", 2)],
            {},
        ),
        (
            "a time before now, and no clock",
            SENML,
            _json([{"n": "a", "t": -0.5, "v": 1}]),
            [_reading("a", 1, **moment)],
            {"heard_ms": None},
        ),
        (
            "a time before the start, and no clock",
            SENML,
            _json([{"n": "a", "t": -5, "v": 1}]),
            [_reading("a", 1, time_ms=None, quality="uncertain")],
            {"heard_ms": None},
        ),
        (
            "base values and sums",
            SENML,
            _json(
                [
                    {"bv": 20, "bs": 1000, "bu": "W", "n": "a", "v": 1.5, "s": 5},
                    {"n": "b", "v": -20},
                    {"n": "c", "s": 1},
                    {"bs": 0, "n": "d", "vb": True},
                ]
            ),
            [
                _reading("a", 21.5, unit="W"),
                _reading("a.sum", 1005, unit="J"),
                _reading("b", 0, unit="W"),
                _reading("b.sum", 1000, unit="J"),
                _reading("c", 20, unit="W"),
                _reading("c.sum", 1001, unit="J"),
                _reading("d", True, unit="W"),
                _reading("d.sum", 0, unit="J"),
            ],
            {},
        ),
    ]


def _labels() -> list[Good]:
    table = SENML + '[[source.metric]]\nname = "force"\npath = "f"\nunit = "N"\nscale = 1000\n'
    return [
        (
            "an entry that says nothing but bases",
            SENML,
            _json([{"bn": "x:", "bu": "Cel"}, {"n": "a", "v": 1}]),
            [_reading("a", 1, unit="Cel")],
            {},
        ),
        (
            "labels that need not be understood",
            SENML,
            _json([{"bver": 26, "n": "a", "v": 1, "ut": 60, "x": {"y": 1}}]),
            [_reading("a", 1)],
            {},
        ),
        (
            "a table picks, names and scales",
            table,
            _json([{"n": "f", "v": 1.5}, {"n": "f", "u": "N", "v": 2}, {"n": "g", "v": 3}]),
            [_reading("force", 1500.0, unit="N"), _reading("force", 2000, unit="N")],
            {},
        ),
        (
            "an entry that is wrong leaves the others",
            SENML,
            _json(
                [{"n": "_a", "v": 1}, {"n": "b", "v": "1"}, {"n": "c", "vs": 1}, {"n": "d", "v": 2}]
            ),
            [_reading("d", 2)],
            {"faults": ["payload.name", "payload.type", "payload.type"]},
        ),
        (
            "another unit than the config says",
            table,
            _json([{"n": "f", "u": "kN", "v": 1}, {"n": "f", "u": "N", "v": 2}]),
            [_reading("force", 2000, unit="N")],
            {"faults": ["payload.unit"]},
        ),
    ]


def _no_pack() -> list[tuple[str, str, bytes, str]]:
    senml, path = "payload.senml", "payload.path"
    one = {"n": "a", "v": 1}
    packs: list[tuple[str, object, str]] = [
        ("an object", one, senml),
        ("a list of numbers", [1], senml),
        ("an empty pack", [], path),
        ("a version that is not known", [{"bver": 11, **one}], senml),
        ("a version that is a text", [{"bver": "10", **one}], senml),
        ("a label that must be understood", [one, {"n": "b", "v": 1, "x_": 1}], senml),
        ("a base name that is a number", [{"bn": 1, **one}], senml),
        ("a base time that is a text", [{"bt": "now", **one}], senml),
        ("a base value that is true", [{"bv": True, **one}], senml),
        ("two values", [{**one, "vs": "x"}], "payload.duplicate-name"),
        ("no value", [{"n": "a"}], path),
        ("null for a value", [{"n": "a", "v": None}], path),
        ("no name", [{"v": 1}], "payload.name"),
        ("a name that begins with a dot", [{"n": ".a", "v": 1}], "payload.name"),
        ("a name with a blank", [{"n": "a b", "v": 1}], "payload.name"),
        ("a text for a number", [{"n": "a", "v": "1"}], "payload.type"),
        ("a number for a text", [{"n": "a", "vs": 1}], "payload.type"),
        ("a number for a flag", [{"n": "a", "vb": 0}], "payload.type"),
        ("a unit that is a number", [{**one, "u": 5}], "payload.type"),
        ("data that are not base64url", [{"n": "a", "vd": "a+/="}], "payload.text"),
        ("a sum beyond 64 bits", [{"bv": 2**62, "n": "a", "v": 2**62}], "payload.number"),
        ("a time beyond the year 9999", [{**one, "t": 1e12}], "payload.time"),
        ("a time long before now", [{**one, "t": -1e10}], "payload.time"),
        ("several base names, and one device", GATHERED, "payload.device"),
    ]
    labels = cbor2.dumps([{0: "a", "n": "b", 2: 1}])
    return [
        *((name, SENML, _json(pack), code) for name, pack, code in packs),
        ("a label twice, in number and text", PACKED, labels, "payload.duplicate-name"),
        (
            "an integer label of a later time",
            PACKED,
            cbor2.dumps([{0: "a", 2: 1, 9: 1}]),
            senml,
        ),
        ("no base name, and the device is it", ITSELF, _json([one]), "payload.device"),
    ]
