"""The files in configs/ do what their comments say, with the real programs they are for."""

import configparser
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from gateway.config import load, show
from tests.field import CONFIGS, MOSQUITTO, PASSWORD, WAIT_S, Broker, wait_for

# More than mosquitto keeps for a client when it is not told otherwise.
MESSAGES = 1200


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """Run the broker for one test."""
    if MOSQUITTO is None:
        pytest.skip("mosquitto is not installed; 'make setup' says how")
    running = Broker(tmp_path)
    yield running
    running.stop()


def _leave(client: Client) -> None:
    client.disconnect()
    client.loop_stop()


def test_the_broker_keeps_a_long_queue_over_an_orderly_restart(broker: Broker) -> None:
    """What waits for a gateway that is away is more than 1,000 messages and outlives a stop."""
    gateway = broker.client("press-shop")
    wait_for("the gateway's connection", gateway.is_connected)
    subscribed: list[int] = []
    gateway.on_subscribe = lambda _c, _u, packet_id, _codes, _p: subscribed.append(packet_id)
    gateway.subscribe("factory/#", qos=1)
    wait_for("the subscription", lambda: subscribed)
    _leave(gateway)
    machine = broker.client("press-1")
    wait_for("the machine's connection", machine.is_connected)
    sent = [
        machine.publish("factory/press-1/telemetry", str(number), qos=1)
        for number in range(MESSAGES)
    ]
    sent[-1].wait_for_publish(WAIT_S)
    _leave(machine)

    broker.stop()
    broker.start()

    heard: list[MQTTMessage] = []
    gateway = Client(CallbackAPIVersion.VERSION2, client_id="press-shop", clean_session=False)
    gateway.on_message = lambda _client, _userdata, message: heard.append(message)
    gateway.username_pw_set("press-shop", PASSWORD)
    gateway.connect("127.0.0.1", broker.port)
    gateway.loop_start()
    wait_for("the queue", lambda: len(heard) == MESSAGES)
    _leave(gateway)
    assert [str(number).encode() for number in range(MESSAGES)] == [it.payload for it in heard]


@pytest.mark.parametrize("password", [None, "another"])
def test_the_broker_refuses_strangers(broker: Broker, password: str | None) -> None:
    """Nobody speaks to the broker without the password."""
    refused: list[object] = []
    stranger = Client(CallbackAPIVersion.VERSION2, client_id="stranger")
    if password is not None:
        stranger.username_pw_set("press-shop", password)
    stranger.on_connect = lambda _client, _userdata, _flags, reason, _p: refused.append(reason)
    stranger.connect("127.0.0.1", broker.port)
    stranger.loop_start()
    wait_for("an answer", lambda: refused)
    _leave(stranger)
    assert "Not authorized" in str(refused[0])


def test_the_broker_listens_on_loopback_only() -> None:
    """The config opens no port to the factory's network."""
    text = (CONFIGS / "mosquitto.conf").read_text("utf-8")
    assert ["listener 1883 127.0.0.1"] == re.findall(r"^listener .*", text, re.MULTILINE)


def test_the_unit_notifies_drains_and_is_confined() -> None:
    """systemd waits for the agent's word, gives it time to drain, and bounds what it may reach."""
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    # Keys are case-sensitive in units, and repeated ones add up; here the last one will do.
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(CONFIGS / "gateway.service", "utf-8")
    service = unit["Service"]
    assert "notify" == service["Type"]
    assert 0 < int(service["WatchdogSec"])
    assert 10 <= int(service["TimeoutStopSec"])
    assert ("SIGTERM", "always") == (service["KillSignal"], service["Restart"])
    assert ("strict", "yes") == (service["ProtectSystem"], service["NoNewPrivileges"])
    assert "0" == service["LimitCORE"]


def test_the_witness_keeps_its_number_apart_and_stays_down_when_retired() -> None:
    """The unit names both folders, is confined, and lets a retired key lie."""
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(CONFIGS / "witness.service", "utf-8")
    service = unit["Service"]
    assert service["StateDirectory"].split() == ["hulian-witness", "hulian-witness-number"]
    assert ("2", "notify") == (service["RestartPreventExitStatus"], service["Type"])
    assert ("strict", "yes") == (service["ProtectSystem"], service["NoNewPrivileges"])


@pytest.mark.parametrize(
    "path", sorted((CONFIGS / "instruments").glob("*.toml")), ids=lambda p: p.stem
)
def test_the_configs_of_instruments_load_and_are_shown_whole(path: Path) -> None:
    """Each example is a whole config, and what it comes to with all defaults is the same."""
    config = load(path.read_text("utf-8"))
    assert [source.__struct_config__.tag for source in config.source] == ["serial"]
    assert load(show(config)) == config
