"""A real mosquitto on a free port, and a publisher that knows what the broker has acknowledged."""

import shutil
import socket
import subprocess
import time
from collections import deque
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

_PATH = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"
MOSQUITTO = shutil.which("mosquitto", path=_PATH) or "mosquitto"


class Broker:
    """A child of the test; its port answers only while that child lives."""

    def __init__(self, folder: Path, settings: str = "") -> None:
        self.folder, self._settings = folder, settings
        for _ in range(5):
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = int(probe.getsockname()[1])
            if self._start(settings):
                return
        raise AssertionError(f"mosquitto did not start: {self._log()}")

    def start(self) -> None:
        """Start it again, on its port."""
        assert self._start(self._settings), self._log()

    def _start(self, settings: str) -> bool:
        config = self.folder / "mosquitto.conf"
        config.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n"
            f"max_inflight_messages 1000\nset_tcp_nodelay true\n{settings}\nuser root\n"
        )
        with (self.folder / "mosquitto.log").open("w") as log:
            self.process = subprocess.Popen([MOSQUITTO, "-c", config], stderr=log, stdout=log)
        until = time.monotonic() + 5
        while time.monotonic() < until and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 0.2).close()
            except OSError:
                time.sleep(0.02)
                continue
            time.sleep(0.02)
            return self.process.poll() is None  # Else it was somebody else who answered.
        return False

    def _log(self) -> str:
        return (self.folder / "mosquitto.log").read_text()

    @property
    def url(self) -> str:
        """Say where it is."""
        return f"mqtt://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """End the child."""
        self.process.terminate()
        self.process.wait(10)


class Publisher:
    """A device at QoS 1, which knows the payloads whose PUBACK it saw."""

    def __init__(self, port: int, topic: str) -> None:
        self.topic = topic
        self._waiting: deque[tuple[mqtt.MQTTMessageInfo, str]] = deque()
        self._acknowledged: list[str] = []
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2)
        self._client.max_inflight_messages_set(200)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def publish(self, payload: str, topic: str = "") -> None:
        """Say something, on its topic or another's; it counts when the broker acknowledges it."""
        said = self._client.publish(topic or self.topic, payload, qos=1)
        self._waiting.append((said, payload))

    def acknowledged(self) -> list[str]:
        """Give the payloads that the broker has acknowledged, in order."""
        self.waiting()
        return self._acknowledged + [
            payload for info, payload in self._waiting if info.is_published()
        ]

    def waiting(self) -> int:
        """Count what is not yet acknowledged."""
        while self._waiting and self._waiting[0][0].is_published():
            self._acknowledged.append(self._waiting.popleft()[1])
        return len(self._waiting)

    def finish(self, seconds: float = 20) -> None:
        """Wait until all is acknowledged, and leave."""
        until = time.monotonic() + seconds
        while self.waiting() > 0 and time.monotonic() < until:
            time.sleep(0.01)
        self._client.disconnect()
        self._client.loop_stop()
