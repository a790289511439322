"""`scan mqtt` and `scan sparkplug` behind a real broker: what is said there, and how to hear it."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import cbor2
import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from gateway.config import MqttSource, SparkplugSource, load
from tests.broker import Broker
from tests.scans import HEAD, hulian, said
from tests.stranger import Stranger


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """Give a real mosquitto."""
    started = Broker(tmp_path)
    yield started
    started.stop()


@pytest.fixture
def machines(broker: Broker) -> Iterator[Client]:
    """Give who publishes for all machines, again and again, until the test ends."""
    client = Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    until = time.monotonic() + 10
    while not client.is_connected():
        assert time.monotonic() < until
        time.sleep(0.01)
    over = threading.Event()

    def speak() -> None:
        number = 0
        while not over.wait(0.05):
            number += 1
            for press in ("press-1", "press-2"):
                moment = {"ts": 1_795_000_000_000 + number, "env": {"temp_c": number}}
                client.publish(f"plant/{press}/telemetry", json.dumps(moment))
                client.publish(f"hall/{press}/rpm", str(number))
            client.publish("cells/a", cbor2.dumps({"level": number}))
            client.publish("packs/m1", json.dumps([{"bn": "m1:", "n": "t", "v": number}]))
            client.publish("raw/x", b"\x00\xff\x01")

    thread = threading.Thread(target=speak)
    thread.start()
    yield client
    over.set()
    thread.join()
    client.disconnect()
    client.loop_stop()


def test_topics_are_found_with_a_mapping_that_reads_them(broker: Broker, machines: Client) -> None:
    """Topics are told with their kind; the mapping proposed for each reads what was heard."""
    machines.publish("plant/press-3/telemetry", '{"ts":1,"env":{"temp_c":9}}', retain=True)
    status, found = said(hulian("scan", "mqtt", broker.url, "--seconds", "1", "--json"))
    kinds = {one["topic"]: one["kind"] for one in found["topics"]}
    assert (status, found["left_out"]) == (0, 0)
    assert kinds["plant/press-1/telemetry"] == "json"
    assert (kinds["hall/press-2/rpm"], kinds["cells/a"]) == ("text", "cbor")
    assert (kinds["packs/m1"], kinds["raw/x"]) == ("senml-json", "binary")
    (kept,) = [one for one in found["topics"] if one["retained"]]
    assert kept["topic"] == "plant/press-3/telemetry"
    proposed = load(HEAD + found["proposal"]).source
    heard = [one.topics for one in proposed if isinstance(one, MqttSource)]
    assert ("plant/+/telemetry",) in heard and ("hall/+/rpm",) in heard
    read = {(one["device"], one["metric"]) for each in found["guesses"] for one in each["readings"]}
    assert {("press-1", "env.temp_c"), ("press-2", "rpm"), ("a", "level"), ("m1", "t")} <= read


def test_a_scan_of_topics_is_bounded(broker: Broker, machines: Client) -> None:
    """Beyond a number of topics or messages nothing more is kept, and what is left out is told."""
    words = ("scan", "mqtt", broker.url, "--seconds", "30", "--json")
    began = time.monotonic()
    _, found = said(hulian(*words, "--topics-max", "2", "--messages-max", "40"))
    assert time.monotonic() - began < 20
    assert (len(found["topics"]), found["left_out"] > 0) == (2, True)
    words = ("scan", "mqtt", broker.url, "--seconds", "1", "--json")
    _, found = said(hulian(*words, "--topic", "hall/+/rpm"))
    assert {one["topic"] for one in found["topics"]} == {"hall/press-1/rpm", "hall/press-2/rpm"}


def test_a_scan_leaves_no_session(broker: Broker, machines: Client, tmp_path: Path) -> None:
    """The broker keeps nothing for a scan that is over, and was told nothing by it."""
    told: list[str] = []
    machines.on_message = lambda _client, _own, one: told.append(one.topic)
    machines.subscribe([("hulian/#", 0), ("spBv1.0/#", 0), ("$SYS/broker/clients/#", 0)])
    said(hulian("scan", "mqtt", broker.url, "--seconds", "0.5", "--json"))
    said(hulian("scan", "sparkplug", broker.url, "--seconds", "0.5", "--json"))
    log = (tmp_path / "mosquitto.log").read_text()
    scans = [line for line in log.splitlines() if "as hulian-scan-" in line]
    assert len(scans) == 2 and all("c1" in line for line in scans), "a clean session"
    assert not [one for one in told if not one.startswith("$SYS")]


def test_edge_nodes_are_found_without_asking_them(broker: Broker) -> None:
    """Births in passing show all metrics; nobody is asked for one, unless an option asks."""
    edge = Stranger("edge_by_pysparkplug", broker.port)
    try:
        process = hulian("scan", "sparkplug", broker.url, "--seconds", "4", "--json")
        _until_connected(broker, "hulian-scan-")
        edge.do("connect")
        status, found = said(process)
        names = [(one["node"], one["device"], one["state"]) for one in found["members"]]
        assert status == 0
        assert names == [("line-1", None, "alive"), ("line-1", "press-1", "alive")]
        metrics = {one["name"]: one["type"] for one in found["members"][1]["metrics"]}
        assert (metrics["Temperature"], metrics["Word"]) == ("double", "uint32")
        (proposed,) = load(HEAD + found["proposal"]).source
        assert isinstance(proposed, SparkplugSource) and proposed.groups == ("plant",)
        process = hulian("scan", "sparkplug", broker.url, "--seconds", "3", "--json")
        _until_connected(broker, "hulian-scan-", 2)
        edge.do("alias", alias=10, value=22.5)
        _, found = said(process)
        assert {one["state"] for one in found["members"]} == {"unborn"}
        assert not any("ncmd" in one for one in edge.heard)
        process = hulian("scan", "sparkplug", broker.url, "--rebirth", "--seconds", "3", "--json")
        _until_connected(broker, "hulian-scan-", 3)
        edge.do("alias", alias=10, value=23.5)
        _, found = said(process)
        assert {one["state"] for one in found["members"]} == {"alive"}
        edge.do("alias", alias=10, value=24.5)
        assert len([one for one in edge.heard if "ncmd" in one]) == 1
    finally:
        edge.close()


def _until_connected(broker: Broker, client: str, count: int = 1) -> None:
    """Wait until the broker has told of so many clients of this name."""
    until = time.monotonic() + 20
    while (broker.folder / "mosquitto.log").read_text().count(f"as {client}") < count:
        assert time.monotonic() < until
        time.sleep(0.02)
    time.sleep(0.3)  # The subscription follows the connection.
