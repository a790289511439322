"""Vectors of the observation's body: packs written by hand with a general CBOR library."""

import math

import cbor2

CHAPTER = "docs/protocol/observation.md"
FIRST = {-2: "urn:dev:hulian:press-1/", -3: 1763726400, "bp": "gateway-attested"}
BARE = {-2: "urn:dev:hulian:press-1/", "bp": "gateway-attested"}
MS = 1_763_726_400_000
PLACE = "example/plant-1/pressing/line-2/cell-7"


def build() -> dict[str, object]:
    """Build the vectors."""
    good = [
        _good(name, pack, readings, ours)
        for name, pack, readings, ours in (*_values(), *_clocks(), *_labels())
    ]
    bad = [
        {"name": name, "hex": encoded.hex(), "error": "senml.malformed"}
        for name, encoded in _bad_ones()
    ]
    return {"noun": "senml", "chapter": CHAPTER, "good": good, "bad": bad}


def _pack(*entries: object) -> bytes:
    return cbor2.dumps(list(entries), canonical=True)


def _good(
    name: str, pack: bytes, readings: list[dict[str, object]], ours: bool
) -> dict[str, object]:
    expect = {"readings": readings, "written_so_by_us": ours}
    return {"name": name, "hex": pack.hex(), "expect": expect}


def _reading(metric: str, value: object, **more: object) -> dict[str, object]:
    """Say a reading in full: what is not named is as it mostly is."""
    usual: dict[str, object] = {
        "device": "press-1",
        "metric": metric,
        "value": value,
        "unit": "",
        "time_ms": MS,
        "monotonic_ms": None,
        "quality": "good",
        "retained": False,
        "provenance": "gateway-attested",
    }
    return usual | more


Good = tuple[str, bytes, list[dict[str, object]], bool]


def _values() -> list[Good]:
    return [
        (
            "a temperature and a count, a quarter of a second apart",
            _pack({**FIRST, 0: "env.temp_c", 1: "Cel", 2: 21.5}, {0: "strokes", 2: 90210, 6: 0.25}),
            [
                _reading("env.temp_c", 21.5, unit="Cel"),
                _reading("strokes", 90210, time_ms=MS + 250),
            ],
            True,
        ),
        (
            "a text, a flag, a negative number and the largest integer",
            _pack(
                {**FIRST, 0: "state", 3: "läuft"},
                {0: "door", 4: True},
                {0: "offset", 2: -0.0},
                {0: "total", 2: 2**63 - 1},
            ),
            [
                _reading("state", "läuft"),
                _reading("door", True),
                _reading("offset", -0.0),
                _reading("total", 2**63 - 1),
            ],
            True,
        ),
        (
            "two devices in one pack",
            _pack({**FIRST, 0: "a", 2: 1}, {-2: "urn:dev:hulian:press-2/", 0: "a", 2: 2, 6: -1}),
            [_reading("a", 1), _reading("a", 2, device="press-2", time_ms=MS - 1000)],
            True,
        ),
    ]


def _clocks() -> list[Good]:
    return [
        (
            "a clock that is not set",
            _pack({**BARE, 0: "a", 2: 1, "m": 815}),
            [_reading("a", 1, time_ms=None, monotonic_ms=815)],
            True,
        ),
        (
            "a clock that is set between two readings, and lost again",
            _pack(
                {**BARE, 0: "a", 2: 1, "m": 815},
                {-3: 1763726400, 0: "a", 2: 2},
                {-3: 0, 0: "a", 2: 3, "m": 4711},
            ),
            [
                _reading("a", 1, time_ms=None, monotonic_ms=815),
                _reading("a", 2),
                _reading("a", 3, time_ms=None, monotonic_ms=4711),
            ],
            True,
        ),
        (
            "nobody knows when",
            _pack({**BARE, 0: "a", 2: 1}),
            [_reading("a", 1, time_ms=None)],
            True,
        ),
    ]


def _labels() -> list[Good]:
    return [
        (
            "uncertain, bad and retained",
            _pack(
                {**FIRST, 0: "a", 2: 1, "q": "uncertain"},
                {0: "a", 2: 2, "q": "bad", "r": True},
                {0: "a", 2: 3, "r": True},
            ),
            [
                _reading("a", 1, quality="uncertain"),
                _reading("a", 2, quality="bad", retained=True),
                _reading("a", 3, retained=True),
            ],
            True,
        ),
        (
            "names that SenML cannot spell",
            _pack({**FIRST, -2: "urn:dev:hulian:Presse:2F:C3:A4:3A/", 0: ":5F:E6:B8:A9", 2: 1}),
            [_reading("_温", 1, device="Presse/ä:")],
            True,
        ),
        (
            "base unit, base value and a label that we do not know",
            _pack({**FIRST, -1: 10, -4: "Cel", -5: 20, 0: "a", 2: 1.5, "x": 7}, {0: "b", 2: 2}),
            [_reading("a", 21.5, unit="Cel"), _reading("b", 22, unit="Cel")],
            False,
        ),
        (
            "where it was measured: one cell, then another, then nobody says",
            _pack(
                {**FIRST, 0: "a", 2: 1, "be": PLACE},
                {0: "b", 2: 2},
                {0: "a", 2: 3, "be": "example"},
                {0: "a", 2: 4, "q": "bad", "r": True, "be": ""},
            ),
            [
                _reading("a", 1, equipment=PLACE),
                _reading("b", 2, equipment=PLACE),
                _reading("a", 3, equipment="example"),
                _reading("a", 4, quality="bad", retained=True),
            ],
            True,
        ),
        (
            "a provenance that changes",
            _pack({**FIRST, 0: "a", 2: 1}, {0: "b", 2: 2, "bp": "device-signed"}),
            [_reading("a", 1), _reading("b", 2, provenance="device-signed")],
            False,
        ),
        (
            "times without a base, and a base time with a fraction",
            _pack({**BARE, 0: "a", 2: 1, 6: 1763726400.007}, {-3: 1763726400.5, 0: "a", 2: 2}),
            [_reading("a", 1, time_ms=MS + 7), _reading("a", 2, time_ms=MS + 500)],
            False,
        ),
    ]


def _bad_ones() -> list[tuple[str, bytes]]:
    first = {**FIRST, 0: "a", 2: 1}
    flawed: list[tuple[str, object]] = [
        ("a map instead of an array", first),
        ("an empty array", []),
        ("an array of numbers", [1]),
        ("a value within a value", [{**first, "x": [1]}]),
        ("six levels", [{**first, "be": "a/b/c/d/e/f"}]),
        ("a level without a name", [{**first, "be": "a//b"}]),
        ("an equipment that is a number", [{**first, "be": 7}]),
        ("an equipment with a wildcard", [{**first, "be": "a/+"}]),
        ("no value", [{**FIRST, 0: "a"}]),
        ("two values", [{**first, 4: True}]),
        ("binary data, which a reading cannot hold", [{**FIRST, 0: "a", 8: b"x"}]),
        ("a sum, which a reading cannot hold", [{**first, 5: 7}]),
        ("an update time, which a reading cannot hold", [{**first, 7: 60}]),
        ("a base sum", [{**first, -6: 7}]),
        ("another base version", [{**first, -1: 11}]),
        ("a label that must be understood", [{**first, "future_": 1}]),
        ("an integer label that nobody registered", [{**first, 9: 1}]),
        ("a number as a name", [{**FIRST, 0: 5, 2: 1}]),
        ("a text as a number", [{**FIRST, 0: "a", 2: "1"}]),
        ("not a number", [{**FIRST, 0: "a", 2: math.nan}]),
        ("infinity", [{**FIRST, 0: "a", 2: math.inf}]),
        ("an integer beyond 64 bits", [{**FIRST, 0: "a", 2: 2**63}]),
        ("not a number under an unknown label", [{**first, "x": math.nan}]),
        ("good said aloud", [{**first, "q": "good"}]),
        ("not retained said aloud", [{**first, "r": False}]),
        ("a provenance that is none", [{**first, "bp": "trust-me"}]),
        ("no provenance", [{-2: "urn:dev:hulian:press-1/", -3: 1763726400, 0: "a", 2: 1}]),
        ("a relative time", [{**BARE, 0: "a", 2: 1, 6: -5}]),
        ("a time beyond the year 9999", [{**BARE, 0: "a", 2: 1, 6: 1e300}]),
        ("both a time and monotonic milliseconds", [{**first, "m": 5}]),
        ("negative monotonic milliseconds", [{**BARE, 0: "a", 2: 1, "m": -1}]),
        ("no name", [{**FIRST, 2: 1}]),
        ("another urn", [{**first, -2: "urn:dev:mac:0024befffe804ff1/"}]),
        ("no device", [{**first, -2: "urn:dev:hulian:/"}]),
        ("a name that needs no escape and has one", [{**first, 0: ":61"}]),
        ("a name that needs an escape and has none", [{**first, 0: "_a"}]),
        ("an escape in lower case", [{**first, 0: "a:2f"}]),
        ("an escape that is no UTF-8", [{**first, 0: "a:FF"}]),
        ("a name that cannot be printed", [{**first, 0: "a:07"}]),
        ("a base value that overflows", [{**FIRST, -5: 1e308, 0: "a", 2: 1e308}]),
    ]
    whole = _pack(first)
    return [(name, cbor2.dumps(pack, canonical=True)) for name, pack in flawed] + [
        ("nothing", b""),
        ("a byte behind it", whole + b"\x00"),
        ("the last byte missing", whole[:-1]),
        ("a length of more bytes than needed", b"\x98\x01" + whole[1:]),
        ("a length that is not given", b"\x9f" + whole[1:] + b"\xff"),
        ("keys in another order", cbor2.dumps([{2: 1, 0: "a", **FIRST}])),
        ("a label that is there twice", b"\x81\xa2\x00\x61a\x00\x61a"),
        ("a tag", b"\x81\xc1\x00"),
        ("a number in a longer float than needed", cbor2.dumps([{0: "a", 2: 1.5, **FIRST}])),
        ("an array of nine billion billion", bytes.fromhex("9b7fffffffffffffff")),
        ("nested a thousand deep", b"\x81" * 1000),
    ]
