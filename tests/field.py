"""The broker of a plant: mosquitto under configs/mosquitto.conf, with users of its own."""

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

CONFIGS = Path(__file__).parent.parent / "configs"
MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
PASSWORD = "only-in-this-test"
WAIT_S = 20
USERS = ("press-shop", "press-1", "press-2")


class Broker:
    """A mosquitto with the config for the field, its paths and port changed to what is free."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        (folder / "passwords").touch()
        for user in USERS:
            subprocess.run(
                ["mosquitto_passwd", "-b", folder / "passwords", user, PASSWORD], check=True
            )
        shutil.copy(CONFIGS / "mosquitto.acl", folder / "acl")
        text = (CONFIGS / "mosquitto.conf").read_text("utf-8")
        text = text.replace("listener 1883 ", f"listener {self.port} ")
        text = text.replace("/etc/mosquitto/hulian.passwd", str(folder / "passwords"))
        text = text.replace("/etc/mosquitto/hulian.acl", str(folder / "acl"))
        text = text.replace("/var/lib/mosquitto/", f"{folder}/")
        # Started by root, mosquitto would become another user, who cannot read this folder.
        (folder / "mosquitto.conf").write_text(text + "user root\n", "utf-8")
        self.start()

    def start(self) -> None:
        """Start it, and wait until it is this child that answers."""
        command = [MOSQUITTO or "mosquitto", "-c", str(self.folder / "mosquitto.conf")]
        self.child = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        until = time.monotonic() + WAIT_S
        while time.monotonic() < until:
            assert self.child.poll() is None, "mosquitto refused its config"
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise AssertionError("mosquitto does not answer")

    def stop(self) -> None:
        """Stop it in order, as systemd would."""
        self.child.send_signal(signal.SIGTERM)
        self.child.wait(WAIT_S)

    def client(self, user: str, client_id: str = "", will: str = "") -> Client:
        """Connect a user with a persistent session, under this id and with a will on this topic."""
        client = Client(
            CallbackAPIVersion.VERSION2, client_id=client_id or user, clean_session=False
        )
        client.username_pw_set(user, PASSWORD)
        client.max_inflight_messages_set(2000)
        if will:
            client.will_set(will, b'{"temp": 666}', qos=1, retain=True)
        client.connect("127.0.0.1", self.port)
        client.loop_start()
        return client


def wait_for(what: str, is_so: Callable[[], object]) -> None:
    until = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < until, f"waited in vain for {what}"
        time.sleep(0.02)
