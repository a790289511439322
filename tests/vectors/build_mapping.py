"""Vectors of the mapping: a source's settings, a message, and the readings that it gives."""

CHAPTER = "docs/protocol/mapping.md"
MS = 1_763_726_400_000
HEARD_MS = MS + 1_500
TOPIC = "factory/press-1/telemetry"
ISSUE = b'{"ts": 1763726400000, "env": {"temp_c": 21.5}}'

TABLE = """device = "topic[1]"
time = "ts"
[[source.metric]]
name = "temperature"
path = "env.temp_c"
unit = "Cel"
"""
TWO = """device = "topic[1]"
[[source.metric]]
name = "a"
path = "a"
[[source.metric]]
name = "b"
path = "b"
scale = 0.5
"""
ALL = 'device = "topic[1]"\ntime = "ts"\n'
PLAIN = 'device = "topic[1]"\n'
TEXT = 'format = "text"\ndevice = "topic[-1]"\n'
LOCAL = ALL + 'time_zone = "+08:00"\n'


def build() -> dict[str, object]:
    """Build the vectors."""
    return {
        "noun": "mapping",
        "chapter": CHAPTER,
        "good": [_good(*one) for one in _good_ones()],
        "bad": [
            {**_message(name, settings, payload), "error": code}
            for name, settings, payload, code in (*_undecodable(), *_unmapped())
        ],
    }


def _message(name: str, settings: str, payload: bytes, topic: str = TOPIC) -> dict[str, object]:
    """Write down what is heard: the settings are those of one source, beside its address."""
    readable = {"payload": payload.decode()} if payload.isascii() else {}
    return {
        "name": name,
        "settings": settings,
        "topic": topic,
        "hex": payload.hex(),
        "heard_ms": HEARD_MS,
        "monotonic_ms": 815,
        "retained": False,
    } | readable


def _good(
    name: str,
    settings: str,
    payload: bytes,
    readings: list[dict[str, object]],
    more: dict[str, object],
) -> dict[str, object]:
    faults = more.pop("faults", [])
    message = _message(name, settings, payload) | more
    return message | {"expect": {"readings": readings, "faults": faults}}


def _reading(metric: str, value: object, **more: object) -> dict[str, object]:
    """Say a reading in full: what is not named is as it mostly is."""
    usual: dict[str, object] = {
        "device": "press-1",
        "metric": metric,
        "value": value,
        "unit": "",
        "time_ms": HEARD_MS,
        "monotonic_ms": None,
        "quality": "good",
        "retained": False,
    }
    return usual | more


Good = tuple[str, str, bytes, list[dict[str, object]], dict[str, object]]


def _good_ones() -> list[Good]:
    warm = _reading("temperature", 21.5, unit="Cel", time_ms=MS)
    return [*_tables(warm), *_times(warm), *_flat(), *_texts(), *_devices()]


def _tables(warm: dict[str, object]) -> list[Good]:
    return [
        ("a metric by its path", TABLE, ISSUE, [warm], {}),
        (
            "a metric that is not there is no fault",
            TWO,
            b'{"a": true}',
            [_reading("a", True)],
            {},
        ),
        ("null is not there", TWO, b'{"a": null, "b": 3}', [_reading("b", 1.5)], {}),
        (
            "a fault of one metric leaves the others",
            TWO,
            b'{"a": {"x": 1}, "b": 3}',
            [_reading("b", 1.5)],
            {"faults": ["payload.type"]},
        ),
        (
            "a text, and a text that cannot be scaled",
            TWO,
            '{"a": "läuft", "b": "läuft"}'.encode(),
            [_reading("a", "läuft")],
            {"faults": ["payload.type"]},
        ),
        (
            "a retained message says so",
            TWO,
            b'{"a": 1}',
            [_reading("a", 1, retained=True)],
            {"retained": True},
        ),
        (
            "an expression, not only a path",
            PLAIN + '[[source.metric]]\nname = "hot"\npath = "max(zones[?ok].t)"\n',
            b'{"zones": [{"ok": true, "t": 5}, {"ok": false, "t": 9}, {"ok": true, "t": 7}]}',
            [_reading("hot", 7)],
            {},
        ),
        (
            "an integer keeps every digit",
            TWO,
            b'{"a": 9223372036854775807}',
            [_reading("a", 9223372036854775807)],
            {},
        ),
    ]


def _times(warm: dict[str, object]) -> list[Good]:
    def at(said: str) -> bytes:
        return b'{"ts": %s, "env": {"temp_c": 21.5}}' % said.encode()

    heard = warm | {"time_ms": HEARD_MS, "quality": "uncertain"}
    return [
        ("seconds", TABLE, at("1763726400"), [warm], {}),
        ("seconds with a fraction", TABLE, at("1763726400.25"), [warm | {"time_ms": MS + 250}], {}),
        ("microseconds", TABLE, at("1763726400000499"), [warm], {}),
        ("nanoseconds", TABLE, at("1763726400000000000"), [warm], {}),
        ("digits in a text", TABLE, at('"1763726400000"'), [warm], {}),
        ("ISO 8601 in UTC", TABLE, at('"2025-11-21T12:00:00Z"'), [warm], {}),
        ("ISO 8601 with an offset", TABLE, at('"2025-11-21T20:00:00.000+08:00"'), [warm], {}),
        (
            "a time without a zone, where the source has one",
            LOCAL,
            b'{"ts": "2025-11-21 20:00:00", "a": 1}',
            [_reading("a", 1, time_ms=MS)],
            {},
        ),
        (
            "a unit that is given",
            'device = "topic[1]"\ntime = "ts"\ntime_unit = "ms"\n',
            b'{"ts": 1763726400000.4, "a": 1}',
            [_reading("a", 1, time_ms=MS)],
            {},
        ),
        ("a machine whose clock was never set", TABLE, at("17"), [heard], {}),
        ("a time that is not there", TABLE, b'{"env": {"temp_c": 21.5}}', [heard], {}),
        (
            "no clock anywhere",
            PLAIN,
            b'{"a": 1}',
            [_reading("a", 1, time_ms=None, monotonic_ms=815)],
            {"heard_ms": None},
        ),
    ]


def _flat() -> list[Good]:
    return [
        (
            "every number under its own name, without the time",
            ALL,
            b'{"ts": 1763726400000, "env": {"temp_c": 21.5, "ok": true, "zones": [1, 2]}, "s": ""}',
            [
                _reading("env.temp_c", 21.5, time_ms=MS),
                _reading("env.zones.0", 1, time_ms=MS),
                _reading("env.zones.1", 2, time_ms=MS),
            ],
            {},
        ),
        ("a bare number", PLAIN, b"21.5", [_reading("value", 21.5)], {}),
        (
            "a name that cannot be one leaves the others",
            PLAIN,
            b'{"\\u0007": 1, "a": 2}',
            [_reading("a", 2)],
            {"faults": ["payload.name"]},
        ),
        (
            "colons in texts are no members",
            PLAIN,
            b'{"a:b": 1, "c": "d:\\":e"}',
            [_reading("a:b", 1)],
            {},
        ),
    ]


def _texts() -> list[Good]:
    last: dict[str, object] = {"topic": "shop/press-1"}
    return [
        ("text: a number", TEXT, b" 21.50\n", [_reading("value", 21.5)], last.copy()),
        ("text: an integer", TEXT, b"+42", [_reading("value", 42)], last.copy()),
        ("text: a state", TEXT, b"RUNNING", [_reading("value", "RUNNING")], last.copy()),
        (
            "text: a metric gives name, unit and scale",
            TEXT + '[[source.metric]]\nname = "t"\nunit = "Cel"\nscale = 0.1\n',
            b"215",
            [_reading("t", 21.5, unit="Cel")],
            last.copy(),
        ),
    ]


def _devices() -> list[Good]:
    return [
        (
            "the device is in the payload",
            'device = "from.id"\n',
            b'{"from": {"id": 17}, "a": 1}',
            [_reading("a", 1, device="17")],
            {},
        ),
        (
            "the device is given",
            "device = \"'press 9'\"\n",
            b'{"a": 1}',
            [_reading("a", 1, device="press 9")],
            {},
        ),
        ("the device is the source", "", b'{"a": 1}', [_reading("a", 1, device="meters")], {}),
    ]


def _metric(path: str) -> str:
    return f'{PLAIN}[[source.metric]]\nname = "m"\npath = "{path}"\n'


def _undecodable() -> list[tuple[str, str, bytes, str]]:
    json, number = "payload.json", "payload.number"
    return [
        ("too large", PLAIN + "payload_bytes_max = 8\n", b'{"a": 12}', "payload.too-large"),
        ("nothing", PLAIN, b"", json),
        ("half an object", PLAIN, b'{"a": 1', json),
        ("a byte behind it", PLAIN, b'{"a": 1}x', json),
        ("two values", PLAIN, b"1 2", json),
        ("not a number is no JSON", PLAIN, b'{"a": NaN}', json),
        ("a leading zero", PLAIN, b'{"a": 01}', json),
        ("a comma too many", PLAIN, b'{"a": 1,}', json),
        ("half a surrogate pair", PLAIN, b'{"a": "\\ud800"}', json),
        ("a byte order mark", PLAIN, b"\xef\xbb\xbf{}", json),
        ("invalid UTF-8", PLAIN, b'{"a": "\xff"}', "payload.utf8"),
        ("invalid UTF-8 in a name", PLAIN, b'{"\xc3(": 1}', "payload.utf8"),
        ("a number too large for a float", PLAIN, b'{"a": 1e999}', number),
        ("an integer beyond 64 bits", PLAIN, b'{"a": 9223372036854775808}', number),
        ("an integer of 400 digits", PLAIN, b'{"a": %s}' % (b"1" * 400), number),
        ("scaled beyond a float", _metric("a") + "scale = 1e10\n", b'{"a": 1e308}', number),
        ("nested 33 deep", PLAIN, b"[" * 33 + b"1" + b"]" * 33, "payload.depth"),
        ("nested 5000 deep", PLAIN, b"[" * 5000 + b"]" * 5000, "payload.depth"),
        ("one name twice", PLAIN, b'{"a": 1, "a": 2}', "payload.duplicate-name"),
        (
            "one name twice, spelt otherwise",
            PLAIN,
            b'{"a": 1, "\\u0061": 2}',
            "payload.duplicate-name",
        ),
        ("one name twice, within", PLAIN, b'[{"b": "x:y", "b": 2}]', "payload.duplicate-name"),
        ("one dotted name twice", PLAIN, b'{"a.b": 1, "a": {"b": 2}}', "payload.duplicate-name"),
    ]


def _unmapped() -> list[tuple[str, str, bytes, str]]:
    in_payload, number = 'device = "id"\n', "payload.number"
    return [
        ("no such level", 'device = "topic[7]"\n', b'{"a": 1}', "payload.device"),
        ("no device in it", in_payload, b'{"a": 1}', "payload.device"),
        ("a device that is a fraction", in_payload, b'{"id": 1.5, "a": 1}', "payload.device"),
        ("a device that is true", in_payload, b'{"id": true, "a": 1}', "payload.device"),
        ("a device without a name", in_payload, b'{"id": "", "a": 1}', "payload.device"),
        (
            "a device of control letters",
            in_payload,
            b'{"id": "\\u001b[2J", "a": 1}',
            "payload.device",
        ),
        ("a time that is no time", ALL, b'{"ts": "yesterday", "a": 1}', "payload.time"),
        ("a time without a zone", ALL, b'{"ts": "2025-11-21T12:00:00", "a": 1}', "payload.time"),
        ("a time that is true", ALL, b'{"ts": true, "a": 1}', "payload.time"),
        ("a time of no size", ALL, b'{"ts": 1e300, "a": 1}', "payload.time"),
        (
            "a time in the year 33658",
            ALL + 'time_unit = "s"\n',
            b'{"ts": 1e12, "a": 1}',
            "payload.time",
        ),
        ("none of the metrics", TWO, b'{"c": 1}', "payload.path"),
        ("no number in it", PLAIN, b'{"a": "x", "b": [null, true]}', "payload.path"),
        ("an object where a value is wanted", TWO, b'{"a": {}}', "payload.type"),
        ("a function that fails", _metric("avg(a)"), b'{"a": ["x"]}', "payload.expression"),
        ("a text that is too long", _metric("a"), b'{"a": "%s"}' % (b"x" * 4097), "payload.text"),
        ("a text of control letters", _metric("a"), b'{"a": "\\u001b[31m"}', "payload.text"),
        ("an empty text", _metric("a"), b'{"a": ""}', "payload.text"),
        ("a name that cannot be one", PLAIN, b'{"\\n": 1}', "payload.name"),
        ("text: nothing", TEXT, b"  ", "payload.text"),
        ("text: not a number", TEXT, b"-nan", number),
        ("text: a number too large", TEXT, b"1e999", number),
        ("text: invalid UTF-8", TEXT, b"\xc3\x28", "payload.utf8"),
    ]
