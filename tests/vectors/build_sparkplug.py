"""Vectors of Sparkplug B as a host hears it: a message after others, and what comes of it."""

from msgspec import structs

from gateway.readings.reading import Quality
from gateway.readings.sparkplug_payload import Metric, Payload, encode
from gateway.readings.sparkplug_schema import new_payload
from gateway.readings.sparkplug_values import Datatype as D

CHAPTER = "docs/devices/sparkplug.md"
MS = 1_763_726_400_000
NODE, DEVICE = "spBv1.0/plant/{}/line-1", "spBv1.0/plant/{}/line-1/press-1"
PRESS = "plant/line-1/press-1"
BORN = ["node birth", "device birth"]
Good = tuple[str, str, list[str], bytes, dict[str, object]]


def build() -> dict[str, object]:
    """Build the vectors."""
    return {
        "noun": "sparkplug",
        "chapter": CHAPTER,
        "good": [good(*one) for one in (*births(), *_messages(), *_lives())],
        "bad": [
            {"name": name, "topic": topic, "after": after, "hex": said.hex(), "error": code}
            for name, topic, after, said, code in _unread()
        ],
    }


def good(
    name: str, topic: str, after: list[str], said: bytes, expect: dict[str, object]
) -> dict[str, object]:
    """Write down a good one."""
    return {"name": name, "topic": topic, "after": after, "hex": said.hex(), "expect": expect}


def births() -> list[Good]:
    """Give the certificates that the other vectors come after, with sequence numbers 0 and 1."""
    node = (
        Metric("bdSeq", None, MS, D.INT64, "long_value", 7),
        Metric("Node Control/Rebirth", None, MS, D.BOOLEAN, "boolean_value", False),
        Metric("Uptime", 1, MS, D.UINT32, "long_value", 60),
    )
    device = (
        Metric("Temperature", 10, MS, D.DOUBLE, "double_value", 21.5, unit="°C"),
        Metric("Strokes", 11, MS, D.UINT64, "long_value", 5),
        Metric("Offset", 12, MS, D.INT16, "int_value", 0xFFFE),
        Metric("Running", 13, MS, D.BOOLEAN, "boolean_value", True),
        Metric("State", 14, MS, D.STRING, "string_value", "auto"),
    )
    node_name, device_name = "plant/line-1", "plant/line-1/press-1"
    return [
        (
            "node birth",
            NODE.format("NBIRTH"),
            [],
            encode(Payload(MS, 0, node)),
            {"readings": [_alive(node_name), reading(node_name, "Uptime", 60)]},
        ),
        (
            "device birth",
            DEVICE.format("DBIRTH"),
            ["node birth"],
            encode(Payload(MS, 1, device)),
            {
                "readings": [
                    _alive(device_name),
                    reading(device_name, "Temperature", 21.5, unit="Cel"),
                    reading(device_name, "Strokes", 5),
                    reading(device_name, "Offset", -2),
                    reading(device_name, "Running", True),
                    reading(device_name, "State", "auto"),
                ]
            },
        ),
    ]


def _alive(device: str, online: bool = True, time_ms: int = MS) -> dict[str, object]:
    return reading(device, "sparkplug/online", online, time_ms=time_ms)


def reading(device: str, metric: str, value: object, **more: object) -> dict[str, object]:
    """Write down a reading: of the births' time, without a unit and good, unless more is said."""
    plain = {"time_ms": MS, "unit": "", "quality": "good"}
    return {"device": device, "metric": metric, "value": value, **plain, **more}


def press(*metrics: Metric, sequence: int | None = 2, sent_ms: int | None = MS + 9) -> bytes:
    """Give what the press says next after its birth."""
    return encode(Payload(sent_ms, sequence, metrics))


def _only(alias: int, said: object, time_ms: int | None = MS + 1_000, **more: object) -> bytes:
    field = "long_value" if isinstance(said, int) else "double_value"
    plain = Metric(None, alias, time_ms, 0, field, said)
    return press(structs.replace(plain, **more))


def _messages() -> list[Good]:
    later = MS + 1_000

    def hot(value: object, **more: object) -> dict[str, object]:
        told = {"unit": "Cel", "time_ms": later, **more}
        return {"readings": [reading(PRESS, "Temperature", value, **told)]}

    rows: list[tuple[str, bytes, dict[str, object]]] = [
        (
            "data by alias: types and units of the birth",
            press(
                Metric(None, 10, later, 0, "double_value", 22.25),
                Metric(None, 12, later, 0, "int_value", 0xFFFFFFFB),
            ),
            {"readings": [*_list(hot(22.25)), reading(PRESS, "Offset", -5, time_ms=later)]},
        ),
        (
            "a value of the past, at its own time",
            _only(10, 20.0, MS - 60_000, historical=True),
            hot(20.0, time_ms=MS - 60_000),
        ),
        (
            "a null: no value, of bad quality",
            press(Metric(None, 10, later, null=True)),
            hot("", quality="bad"),
        ),
        (
            "a value that the edge node calls stale",
            _only(10, 22.0, quality=Quality.UNCERTAIN),
            hot(22.0, quality="uncertain"),
        ),
        (
            "a value that the edge node calls bad",
            _only(10, 0.0, quality=Quality.BAD),
            hot(0.0, quality="bad"),
        ),
        ("a transient value is not kept", _only(10, 1.0, transient=True), _NOTHING),
        ("the same value of the same time again is no new reading", _only(11, 5, MS), _NOTHING),
        (
            "a metric without a time: that of sending, uncertain",
            _only(11, 6, None),
            {"readings": [reading(PRESS, "Strokes", 6, time_ms=MS + 9, quality="uncertain")]},
        ),
        (
            "a metric that the birth does not have: read, and a rebirth asked for",
            press(Metric("Level", None, MS, D.INT8, "int_value", 5)),
            {"readings": [reading(PRESS, "Level", 5)], "rebirths": ["plant/line-1"]},
        ),
    ]
    return [(name, DEVICE.format("DDATA"), BORN, said, expect) for name, said, expect in rows]


def _list(expect: dict[str, object]) -> list[object]:
    found = expect["readings"]
    assert isinstance(found, list)
    return found


def _lives() -> list[Good]:
    def death(session: int) -> bytes:
        metric = Metric("bdSeq", None, MS, D.INT64, "long_value", session)
        return encode(Payload(MS, None, (metric,)))

    both = [_alive(name, False, MS + 100) for name in ("plant/line-1", PRESS)]
    return [
        (
            "before any birth, a metric that says it all itself",
            DEVICE.format("DDATA"),
            [],
            press(Metric("Level", None, MS, D.INT8, "int_value", 0xFF)),
            {"readings": [reading(PRESS, "Level", -1)], "rebirths": ["plant/line-1"]},
        ),
        (
            "the death of a device, at its time",
            DEVICE.format("DDEATH"),
            BORN,
            encode(Payload(MS + 50, 2)),
            {"readings": [_alive(PRESS, False, MS + 50)]},
        ),
        (
            "the death of the session that lives",
            NODE.format("NDEATH"),
            BORN,
            death(7),
            {"readings": both},
        ),
        (
            "the death of an earlier session changes nothing",
            NODE.format("NDEATH"),
            BORN,
            death(6),
            _NOTHING,
        ),
        ("a command to an edge node is none of ours", NODE.format("NCMD"), [], b"\x08", _NOTHING),
        ("another host's state is none of ours", "spBv1.0/STATE/scada", [], b"OFFLINE", _NOTHING),
    ]


_NOTHING: dict[str, object] = {"readings": []}


def _unread() -> list[tuple[str, str, list[str], bytes, str]]:
    data = DEVICE.format("DDATA")
    good = press(Metric(None, 10, MS + 5, 0, "double_value", 1.0))
    alias = press(Metric(None, 99, MS, 0, "double_value", 1.0))
    typeless = press(Metric("Level", None, MS, 0, "int_value", 3))
    nameless = press(Metric(None, None, MS, D.INT8, "int_value", 3))
    strange = press(Metric("\x1b[2J", None, MS, D.INT8, "int_value", 3))
    far = press(Metric(None, 10, 253_402_300_800_000, 0, "double_value", 1.0))
    unborn = press(Metric(None, 10, MS, 0, "double_value", 1.0))
    odd = _described({"keys": ["engUnit"]})
    quality = _described({"keys": ["Quality"], "values": [{"type": 3, "int_value": 1}]})
    wrong = "sparkplug.payload"
    return [
        ("bytes that are no protobuf", data, BORN, b"\xff\xff\xff", wrong),
        ("a payload cut short", data, BORN, good[:-3], wrong),
        ("a name that is not UTF-8", data, BORN, bytes.fromhex("12040a02c328"), wrong),
        ("no sequence number", data, BORN, press(sequence=None), wrong),
        ("a sequence number of 256", data, BORN, press(sequence=256), wrong),
        ("a node birth without a sequence number", NODE.format("NBIRTH"), [], b"", wrong),
        ("properties without values", data, BORN, odd, wrong),
        ("a quality that is none", data, BORN, quality, wrong),
        ("data of a node on a device's topic", NODE.format("DDATA"), BORN, good, "sparkplug.topic"),
        ("data of a device on a node's topic", DEVICE.format("NDATA"), [], good, "sparkplug.topic"),
        ("a device without an id", NODE.format("DDATA") + "/", [], good, "sparkplug.topic"),
        ("an id of control letters", data + "\x1b", [], good, "sparkplug.topic"),
        ("an alias that no birth has", data, BORN, alias, "sparkplug.unborn"),
        ("an alias before any birth", data, [], unborn, "sparkplug.unborn"),
        (
            "an alias after another device's birth",
            data,
            ["node birth"],
            press(Metric(None, 10, MS, 0, "double_value", 1.0), sequence=1),
            "sparkplug.unborn",
        ),
        ("an integer of which nobody said the type", data, BORN, typeless, "sparkplug.unborn"),
        ("neither name nor alias", data, BORN, nameless, "sparkplug.unborn"),
        ("a name that cannot be one", data, BORN, strange, "payload.name"),
        ("a time beyond the year 9999", data, BORN, far, "payload.time"),
    ]


def _described(properties: dict[str, object]) -> bytes:
    metric = {"alias": 10, "double_value": 1.0, "properties": properties}
    payload = new_payload(timestamp=MS, seq=2, metrics=[metric])
    return payload.SerializeToString(deterministic=True)
