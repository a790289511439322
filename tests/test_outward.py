"""What was stored is told to a broker of the plant, as JSON; what is not told is counted."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from msgspec import structs
from paho.mqtt.enums import CallbackAPIVersion

from gateway.config import Publish, load
from gateway.errors import ConfigFaults
from gateway.peers.outward import Outward
from gateway.readings.reading import Quality, Reading
from gateway.readings.sparkplug_edge import METRICS_MAX, Edge
from gateway.readings.sparkplug_payload import decode, rebirth_request
from tests.broker import Broker
from tests.station import now

MS = 1_763_726_400_000
CONFIG = """
[gateway]
name = "press-shop"
state_dir = "state"
{source}
[[publish]]
name = "scada"
url = "mqtt://10.0.0.9"
{keys}
"""


def _wait(until: Callable[[], object], seconds: float = 10) -> None:
    ends = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < ends
        time.sleep(0.01)


class Told:
    """A broker, and what a client of it hears."""

    def __init__(self, folder: Path) -> None:
        self.broker = Broker(folder)
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self._subscribed = False
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = self._on_message
        self._client.on_subscribe = self._on_subscribe
        self._client.connect("127.0.0.1", self.broker.port)
        self._client.subscribe("hulian/#")
        self._client.loop_start()
        _wait(lambda: self._subscribed)

    def _on_subscribe(self, *_: object) -> None:
        self._subscribed = True

    def _on_message(self, _client: object, _userdata: object, one: mqtt.MQTTMessage) -> None:
        self.heard.append((one.topic, json.loads(one.payload)))

    def listen_again(self) -> None:
        """Subscribe anew, once the broker is back."""
        _wait(self._client.is_connected)
        self._subscribed = False
        self._client.subscribe("hulian/#")
        _wait(lambda: self._subscribed)

    def outward(self, **changes: object) -> Outward:
        """Make what tells, not yet started."""
        config = Publish(name="scada", url=self.broker.url, client_id="hulian-test-publish")
        return Outward(structs.replace(config, **changes), "press-shop", now)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        self.broker.stop()


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    made = Told(tmp_path)
    yield made
    made.close()


def reading(metric: str, value: Any, device: str = "press-1", **more: Any) -> Reading:
    return Reading(device, metric, value, **({"time_ms": MS} | more))


def test_a_reading_is_told_as_plain_json(told: Told) -> None:
    """A topic of its own, and an object with all that a dashboard needs."""
    outward = told.outward()
    outward.start()
    _wait(lambda: outward.state == "connected")
    outward.show(
        [
            reading("temperature", 21.5, unit="Cel"),
            reading("a+b/c#", True, device="plant/line-1", quality=Quality.UNCERTAIN),
            reading("x", "Grüße", time_ms=None, monotonic_ms=5),
        ]
    )
    _wait(lambda: len(told.heard) == 3)
    outward.stop()
    plain = {"device": "press-1", "quality": "good", "time": None, "time_ms": None, "unit": ""}
    first, second, third = told.heard
    assert first[0] == "hulian/press-shop/press-1/temperature"
    assert first[1] == plain | {
        "metric": "temperature",
        "value": 21.5,
        "unit": "Cel",
        "time": "2025-11-21T12:00:00.000Z",
        "time_ms": MS,
    }
    assert second[0] == "hulian/press-shop/plant/line-1/a:2Bb/c:23"
    assert (second[1]["metric"], second[1]["value"]) == ("a+b/c#", True)
    assert second[1]["quality"] == "uncertain"
    assert third[1] == plain | {"metric": "x", "value": "Grüße"}
    assert outward.counts == {"published": 3}


def test_only_what_the_config_names_is_told(told: Told) -> None:
    """Patterns of devices and metrics choose; all else is not even counted."""
    outward = told.outward(devices=("press-*",), metrics=("temp*",))
    outward.start()
    _wait(lambda: outward.state == "connected")
    outward.show([reading("strokes", 1), reading("temp", 2), reading("temp", 3, device="oven")])
    _wait(lambda: len(told.heard) == 1)
    outward.stop()
    assert told.heard[0][1]["value"] == 2
    assert outward.counts == {"published": 1}


def test_without_a_connection_nothing_waits_and_all_is_counted(told: Told) -> None:
    """What cannot be told now is dropped, and the reason said; once back, it goes on."""
    told.broker.stop()
    outward = told.outward()
    outward.start()
    outward.show([reading("x", value) for value in range(7)])
    assert outward.counts == {"dropped_disconnected": 7}
    told.broker.start()
    _wait(lambda: outward.state == "connected")
    told.listen_again()
    outward.show([reading("x", 8)])
    _wait(lambda: told.heard)
    outward.stop()
    assert [said["value"] for _, said in told.heard] == [8]


def test_a_full_queue_drops_the_oldest_and_counts_them(told: Told) -> None:
    """At most queue_max readings wait; the newest of them are told."""
    outward = told.outward(queue_max=10)
    outward.start()
    _wait(lambda: outward.state == "connected")
    outward.show([reading("x", value) for value in range(5_000)])
    _wait(lambda: outward.counts["published"] + outward.counts["dropped_full"] == 5_000)
    _wait(lambda: len(told.heard) == outward.counts["published"])
    outward.stop()
    assert outward.counts["dropped_full"] >= 4_000
    assert told.heard[-1][1]["value"] == 4_999


def test_a_type_only_grows() -> None:
    """However its values change, a metric has at most three types, and each certificate fits."""
    edge = Edge("plant", "press-shop", 0)
    births = 0
    for place, value in enumerate([1, 2.5, 3, True, "x", 4, 5.5, False] * 20):
        said, dropped = edge.say([reading("x", value, time_ms=MS + place)], MS)
        births += sum("/DBIRTH/" in topic for topic, _ in said)
        assert dropped == 0
    assert births == 3
    *_, birth = edge.births(MS)
    assert [one.datatype for one in decode(birth[1], 10_000).metrics] == [12]


def test_sequence_numbers_count_over_births_and_deaths() -> None:
    """Each message has the number after the one before, 0 after 255; a death has none."""
    edge = Edge("plant", "press-shop", 41)
    _, death = edge.connect(MS)
    payloads = [decode(said, 10_000) for _, said in edge.births(MS)]
    for place in range(600):
        for _, said in edge.say([reading("x", place, time_ms=MS + place)], MS)[0]:
            payloads.append(decode(said, 10_000))
    assert [one.sequence for one in payloads] == [place % 256 for place in range(602)]
    assert decode(death, 10_000).sequence is None
    assert payloads[0].metrics[0].said == decode(death, 10_000).metrics[0].said == 42


def test_only_a_rebirth_request_is_obeyed() -> None:
    """Other commands, other topics and bytes that are none make nobody say anything."""
    edge = Edge("plant", "press-shop", 0)
    assert edge.wants_births("spBv1.0/plant/NCMD/press-shop", rebirth_request(MS))
    assert not edge.wants_births("spBv1.0/plant/NCMD/other", rebirth_request(MS))
    assert not edge.wants_births("spBv1.0/plant/NCMD/press-shop", b"\xff\xff")
    assert not edge.wants_births("spBv1.0/plant/NCMD/press-shop", edge.death(MS)[1])


def test_an_edge_node_keeps_only_so_many_metrics_in_mind() -> None:
    """Beyond the bound readings are dropped and counted, and the others go on."""
    edge = Edge("plant", "press-shop", 0)
    many = [reading(f"m{place}", place) for place in range(METRICS_MAX + 5)]
    _, dropped = edge.say(many, MS)
    assert dropped == 5
    said, dropped = edge.say([many[0], many[-1]], MS)
    assert (len(said), dropped) == (1, 1)


@pytest.mark.parametrize(
    ("source", "keys", "codes"),
    [
        ('type = "mqtt"\ntopics = ["#"]', "", ["config.loop"]),
        ('type = "mqtt"\ntopics = ["+/press-shop/#"]', "", ["config.loop"]),
        ('type = "mqtt"\ntopics = ["$share/a/hulian/#"]', "", ["config.loop"]),
        ('type = "mqtt"\ntopics = ["factory/#"]', "", []),
        ('type = "mqtt"\ntopics = ["factory/#"]', 'topic = "{device}/{metric}"', ["config.loop"]),
        ('type = "sparkplug"', "", []),
        ('type = "sparkplug"', 'format = "sparkplug"', ["config.loop"]),
        ('type = "sparkplug"\ngroups = ["a"]', 'format = "sparkplug"', []),
        (
            'type = "sparkplug"\ngroups = ["a"]',
            'format = "sparkplug"\ngroup_id = "a"',
            ["config.loop"],
        ),
        ('type = "mqtt"\ntopics = ["spBv1.0/#"]', 'format = "sparkplug"', ["config.loop"]),
        ('type = "sparkplug"', 'topic = "a/{device}/{metrics}"', ["config.publish"]),
        ('type = "sparkplug"', 'topic = "plant/+/{device}/{metric}"', ["config.publish"]),
        ('type = "sparkplug"', 'topic = "plant/{metric}"', ["config.publish"]),
        ('type = "sparkplug"', 'group_id = "a"', ["config.no-effect"]),
    ],
)
def test_nobody_hears_what_he_tells(source: str, keys: str, codes: list[str]) -> None:
    """A config whose sources would hear what it publishes is refused, and so is a bad topic."""
    heard = f'[[source]]\nname = "plant"\nurl = "mqtt://10.0.0.9:1883"\n{source}\n'
    text = CONFIG.format(source=heard, keys=keys)
    if codes:
        with pytest.raises(ConfigFaults) as refused:
            load(text)
        assert [fault.code for fault in refused.value.faults] == codes
    else:
        assert load(text).publish[0].node_id in ("", "press-shop")
