"""What a scan makes of topics: kinds of payloads, and sources that read what they are for."""

import json
import re
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings, strategies

from gateway.config import load
from gateway.config.proposal import Said, framed, modbus, named, sparkplug, written
from gateway.readings.guess import MAPPED, Guess, Seen, guesses, kind
from gateway.readings.reading import Arrival
from gateway.sources.scan_mqtt import KEPT_BYTES_MAX, PAYLOAD_BYTES_MAX, Topics
from gateway.sources.scan_sparkplug import Members
from gateway.transport.mqtt import Delivery
from tests import mutate

ARRIVAL = Arrival(1_795_000_000_000, 5)
URL = "mqtt://127.0.0.1:1883"
HEAD = '[gateway]\nname = "press-shop"\nstate_dir = "/var/lib/hulian"\n\n'


def seen(topic: str, *payloads: object) -> Seen:
    """Give a topic on which these were said: bytes as they are, all else as JSON."""
    said = [each if isinstance(each, bytes) else json.dumps(each).encode() for each in payloads]
    return Seen(topic, len(said), tuple(said))


def guessed(*topics: Seen) -> tuple[Guess, ...]:
    """Guess, and see that a config of all that is proposed is one."""
    found = guesses({"url": URL, "username": None}, topics, (), ARRIVAL)
    config = load(HEAD + "\n".join(written(each.source) for each in found))
    assert [each.name for each in config.source] == [each.source["name"] for each in found]
    return found


def values(guess: Guess) -> dict[tuple[str, str], object]:
    """Give what a guess reads, by device and metric."""
    return {(one.device, one.metric): one.value for one in guess.readings}


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b'{"temp": 1}', "json"),
        (b"[1, 2]", "json"),
        (b"21.5", "text"),
        (b'"on"', "text"),
        ("läuft".encode(), "text"),
        (b'[{"n": "temp", "u": "Cel", "v": 21.5}]', "senml-json"),
        (b'[{"temp": 21.5}]', "json"),
        (cbor2.dumps({"temp": 21.5}), "cbor"),
        (cbor2.dumps([{-2: "urn:dev:a:", 0: "temp", 2: 21.5}]), "senml-cbor"),
        (b"", "empty"),
        (b"\x00\x01\xff", "binary"),
        (b"\x1b[31m", "binary"),
    ],
)
def test_a_payload_has_a_kind(payload: bytes, expected: str) -> None:
    """What a payload is shows in its bytes alone; a bare number is a text."""
    assert kind("a/b", payload) == expected


def test_other_protocols_are_known_by_their_topics() -> None:
    """What gateways say to each other, and Sparkplug, is proposed to no MQTT source."""
    assert kind("spBv1.0/plant/NDATA/line-1", b"21") == "sparkplug"
    assert kind("hulian/1/x", b"21") == "hulian"
    assert guessed(seen("spBv1.0/plant/NDATA/n", b"21"), seen("hulian/1/x", b"21")) == ()


def test_the_level_that_differs_is_the_device() -> None:
    """Topics of one shape are one source, whose wildcard hears no topic of another shape."""
    presses = [seen(f"plant/press-{one}/telemetry", {"env": {"temp": one}}) for one in range(3)]
    (one,) = guessed(*presses)
    assert one.source["topics"] == ("plant/+/telemetry",)
    assert one.source["device"] == "topic[1]"
    assert values(one) == {(f"press-{at}", "env.temp"): at for at in range(3)}
    first, second = guessed(*presses, seen("plant/oven/telemetry", {"heat": 7}))
    assert first.source["topics"] == tuple(each.topic for each in presses)
    assert (second.source["topics"], values(second)) == (
        *(("plant/oven/telemetry",), {("oven", "heat"): 7}),
    )


def test_many_topics_are_one_filter_where_nothing_else_is_heard_by_it() -> None:
    """Where several levels differ in many topics, one wider filter stands for all, if it can."""
    many = [seen(f"site-{at}/hall/m{at}/data", {"a": at}) for at in range(20)]
    (one,) = guessed(*many)
    assert (one.source["topics"], one.source["device"]) == (("+/hall/+/data",), "topic[2]")
    first, _ = guessed(*many, seen("x/hall/y/data", {"b": 1}))
    assert first.source["topics"] == tuple(each.topic for each in many)


def test_what_a_scan_keeps_is_bounded() -> None:
    """However much is said on however many topics, only so many bytes are kept."""
    topics, payload = Topics(1000, 10**9), bytes(PAYLOAD_BYTES_MAX)
    for number in range(1000):
        topics.take([Delivery(f"t/{number % 500}", payload, 0, 0, False, False)])
    topics.take([Delivery("t/0", payload + b"x", 0, 0, False, False)])
    kept = topics.seen()
    assert sum(len(said) for one in kept for said in one.payloads) == KEPT_BYTES_MAX
    assert (len(kept), sum(one.count for one in kept)) == (500, 1001)


def test_a_time_is_one_that_is_called_so_and_is_one() -> None:
    """A key called like a time is the time where it always holds one, else a metric like others."""
    (one,) = guessed(
        seen("a/m1/data", {"ts": 1_795_000_000, "x": 1}, {"ts": 1_795_000_001, "x": 2})
    )
    assert (one.source["time"], values(one)) == ("ts", {("m1", "x"): 2})
    assert one.readings[0].time_ms == 1_795_000_001_000
    (one,) = guessed(seen("a/m1/data", {"ts": 12, "x": 1}))
    assert "time" not in one.source and values(one) == {("m1", "ts"): 12, ("m1", "x"): 1}
    (one,) = guessed(seen("a/m1/data", {"time": "2026-11-01 10:00:00", "x": 1}))
    assert "time" not in one.source, "its zone would be a guess"


def test_text_topics_say_their_metric_last() -> None:
    """Of texts the last level is the metric, the level before it the device."""
    found = guessed(
        *(seen(f"shop/{who}/{what}", b"1.5") for who in ("m1", "m2") for what in ("temp", "rpm"))
    )
    assert [each.source["topics"] for each in found] == [("shop/+/temp",), ("shop/+/rpm",)]
    said = {key: value for each in found for key, value in values(each).items()}
    assert said == {(who, what): 1.5 for who in ("m1", "m2") for what in ("temp", "rpm")}


def test_lists_of_moments_are_read_one_by_one() -> None:
    """A list of objects, alone or under a key, is several moments of one device."""
    moments = [{"t": 1_795_000_000_000 + at, "odd key": at} for at in range(3)]
    for said in (moments, {"samples": moments}):
        (one,) = guessed(seen("a/m1/data", said))
        assert [each.value for each in one.readings] == [0, 1, 2]
        assert one.readings[2].time_ms == 1_795_000_000_002
        assert one.readings[0].metric == "odd key"


def test_packs_name_their_devices_where_they_hold_several() -> None:
    """A SenML pack about one device has it by its topic, one about several by its base names."""
    one = [{"bn": "urn:dev:a:", "n": "temp", "v": 1}]
    (guess,) = guessed(seen("a/m1/senml", one))
    assert values(guess) == {("m1", "temp"): 1}
    (guess,) = guessed(seen("a/m1/senml", [*one, {"bn": "urn:dev:b:", "n": "temp", "v": 2}]))
    assert values(guess) == {("urn:dev:a", "temp"): 1, ("urn:dev:b", "temp"): 2}


def test_names_of_proposals_are_nobody_elses() -> None:
    """A name fits a config whatever it was made of, and is not taken by another source."""
    assert named("Wärmepumpe 7!", ()) == "W-rmepumpe-7"
    assert named("a", {"a", "a-2"}) == "a-3"
    assert named("///", ()) == "source"
    first = seen("plant/m1/x/data", {"a": 1})
    assert [
        each.source["name"] for each in guessed(first, seen("plant/m1/x", {"a": 1, "b": 2}))
    ] == [
        *("plant-m1-x", "plant-m1-x-2"),
    ]


@pytest.mark.parametrize(
    "said",
    [
        framed("/dev/serial/by-id/usb-FTDI_1-if00", "FTDI FT232R A9", ()),
        framed("/dev/ttyS0", "", ()),
        modbus("tcp://10.0.0.5:502", 3, [("holding", 0), ("coil", 100)], ()),
        modbus("serial:///dev/ttyUSB0?baud=9600&parity=N", 247, [], {"unit-247"}),
        sparkplug(URL, ["plant"], {"username": "a\"'é", "ca_file": None}, ()),
        sparkplug("mqtts://h", ["a b", "c"], {}, ()),
    ],
    ids=lambda said: str(said["name"]),
)
def test_every_proposal_is_a_config(said: Said) -> None:
    """What a scan proposes is accepted below the rest of a config, with the values it was given."""
    (source,) = load(HEAD + written(said)).source
    for key, value in said.items():
        if key not in ("type", "metric") and value is not None:
            assert getattr(source, key) == value
    rows: Any = said.get("metric", [])
    assert len(getattr(source, "metric", ())) == len(rows)


LEVELS = strategies.lists(strategies.text(max_size=6), min_size=1, max_size=4)
JSON = strategies.recursive(
    strategies.none()
    | strategies.booleans()
    | strategies.integers()
    | strategies.floats(allow_nan=False)
    | strategies.text(max_size=8),
    lambda one: (
        strategies.lists(one, max_size=3)
        | strategies.dictionaries(
            strategies.text(max_size=8) | strategies.just("ts"), one, max_size=4
        )
    ),
    max_leaves=12,
)
PAYLOADS = strategies.binary(max_size=30) | JSON.map(json.dumps).map(str.encode)


@settings(max_examples=300, deadline=None)
@given(strategies.lists(strategies.tuples(LEVELS, PAYLOADS), max_size=6))
def test_whatever_is_said_makes_a_config_or_nothing(said: list[tuple[list[str], bytes]]) -> None:
    """No payload and no topic that a broker carries breaks a guess or the config it makes."""
    topics = {re.sub(r"[+#\x00\ud800-\udfff]", "x", "/".join(levels)): one for levels, one in said}
    found = guessed(*(seen(topic or "x", one) for topic, one in topics.items()))
    assert all(each.readings and each.source["format"] in MAPPED for each in found)


def test_a_group_that_no_config_names_is_heard_with_all() -> None:
    """Where a group's name cannot stand in a config, the proposal is to hear all groups."""
    assert sparkplug(URL, ["g" * 64, "plant"], {}, ())["groups"] == ("+",)


def test_no_message_breaks_a_scan_for_edge_nodes() -> None:
    """Whatever comes below Sparkplug's topics is read or counted, and metrics are bounded."""
    members, topics = Members(), ["NBIRTH/n", "DBIRTH/n/d", "DDATA/n/d", "NDATA/m", "NDEATH/n", "x"]
    for number, payload in enumerate(mutate.mutations(mutate.known("sparkplug"), 3000, 815)):
        topic = f"spBv1.0/g/{topics[number % len(topics)]}"
        members.take([Delivery(topic, payload, 0, 0, False, False)])
    assert members.groups() == ("g",) and members.unreadable
    assert [(one.node, one.device) for one in members.all()] == [
        *(("m", None), ("n", None), ("n", "d")),
    ]
