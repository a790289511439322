"""Nobody's readings under another's name: a real broker under configs/, a real agent, and lies."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from paho.mqtt.client import Client, MQTTMessage

from tests.agents import AgentProcess
from tests.field import MOSQUITTO, PASSWORD, Broker, wait_for

SOURCE = """
[[source]]
name = "meters"
type = "mqtt"
url = "mqtt://127.0.0.1:{port}"
topics = ["factory/+/telemetry"]
username = "press-shop"
password_file = "{password}"
device = "topic[1]"
claim = "id"
stale_ms = 600000
"""
TOPIC = "factory/press-1/telemetry"
LIE = b'{"temp": 666}'


class Plant:
    """A broker, an agent that listens, the press that may speak, and who wants to be it."""

    def __init__(self, folder: Path) -> None:
        self.broker = Broker(folder)
        (folder / "password").write_text(PASSWORD)
        settings = SOURCE.format(port=self.broker.port, password=folder / "password")
        self.agent = AgentProcess(folder, "press-shop", settings)
        self.clients: list[Client] = []
        self.said = 0

    def client(self, user: str, client_id: str = "", will: str = "") -> Client:
        """Connect a user, and wait until the broker has said yes or no."""
        client = self.broker.client(user, client_id, will)
        self.clients.append(client)
        return client

    def speaks(self, press: Client, name: str) -> None:
        """Let a press say something true, and see that the agent stores it as that press's."""
        self.said += 1
        press.publish(f"factory/{name}/telemetry", json.dumps({"temp": self.said}), qos=1)
        wait_for("the reading", lambda: (name, self.said) in self.heard())

    def heard(self) -> list[tuple[str, object]]:
        """Give all that the agent has stored, in order."""
        return [(each.device, each.value) for each in self.agent.readings()]

    def stop(self) -> None:
        """Leave nothing behind."""
        for client in self.clients:
            client.disconnect()
            client.loop_stop()
        self.agent.stop()
        self.broker.stop()


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    """Run the broker and the agent for one test."""
    if MOSQUITTO is None:
        pytest.skip("mosquitto is not installed; 'make setup' says how")
    made = Plant(tmp_path)
    made.agent.start()
    made.agent.listen()
    yield made
    made.stop()


def test_no_device_speaks_for_another(plant: Plant) -> None:
    """Of seven ways to speak for press-1, none gives a reading under its name, and it is heard."""
    press, thief = plant.client("press-1"), plant.client("press-2")
    wait_for("both", lambda: press.is_connected() and thief.is_connected())
    plant.speaks(press, "press-1")
    thief.publish(TOPIC, LIE, qos=1)
    thief.publish(TOPIC, LIE, qos=1, retain=True)
    thief.publish("factory/press-2/telemetry", b'{"id": "press-1", "temp": 666}', qos=1)
    thief.publish("factory//telemetry", LIE, qos=1)
    plant.speaks(thief, "press-2")
    _die_with_a_will(plant, TOPIC)
    # Under another's id it is itself all the same, so the press and the gateway stay connected.
    for taken in ("press-1", "press-shop"):
        thief = plant.client("press-2", client_id=taken)
        wait_for("the thief", thief.is_connected)
        thief.publish(TOPIC, LIE, qos=1)
        plant.speaks(thief, "press-2")
    assert press.is_connected()
    plant.speaks(press, "press-1")
    assert {value for device, value in plant.heard() if device == "press-1"} == {1, plant.said}
    assert "666" not in str(plant.heard())
    assert plant.agent.status()["counters"]["quarantined"] == 1  # the claim: its bytes are kept
    assert {one["name"]: one["state"] for one in plant.agent.status()["devices"]} == {
        "press-1": "fresh",
        "press-2": "fresh",
    }


def _die_with_a_will(plant: Plant, topic: str) -> None:
    """Connect with a will in another's name and die, so that the broker would publish it."""
    refused = plant.client("press-2", will=topic)
    time.sleep(0.5)
    if (open_socket := refused.socket()) is not None:
        open_socket.close()
    refused.loop_stop()
    time.sleep(0.5)


def test_who_listens_to_all_hears_nothing(plant: Plant) -> None:
    """A device that subscribes to everything is not told what others say."""
    press, thief = plant.client("press-1"), plant.client("press-2")
    heard: list[MQTTMessage] = []
    thief.on_message = lambda _client, _userdata, message: heard.append(message)
    wait_for("both", lambda: press.is_connected() and thief.is_connected())
    for topic in ("#", "factory/#", TOPIC, "$SYS/#"):
        thief.subscribe(topic, qos=1)
    plant.speaks(press, "press-1")
    time.sleep(0.5)
    assert heard == []


def test_what_a_broker_kept_is_no_sign_of_life(plant: Plant) -> None:
    """A retained message of a device that is gone is stored as retained, and brings it not back."""
    plant.agent.stop()
    press = plant.client("press-1")
    wait_for("the press", press.is_connected)
    press.publish(TOPIC, b'{"temp": 5}', qos=1, retain=True).wait_for_publish(5)
    press.disconnect()
    # Without a session of its own, what was published meanwhile comes as the broker's copy alone.
    forgetful = plant.agent.config.read_text().replace("factory/+/telemetry", "factory/press-1/#")
    plant.agent.config.write_text(forgetful)
    plant.agent.start()
    wait_for("the copy", lambda: any(each.retained for each in plant.agent.readings()))
    kept = [each for each in plant.agent.readings() if each.retained]
    assert {(each.device, each.value) for each in kept} == {("press-1", 5)}
    live = [each for each in plant.agent.readings() if not each.retained]
    states = {one["name"]: one["state"] for one in plant.agent.status()["devices"]}
    assert states == ({"press-1": "fresh"} if live else {})
