"""The broker's operator: hears every live and kept message, and looks for what it may not see.

In: a broker. Out: all topics and bytes that crossed it; a check that none of some secrets is there,
as it is, in hexadecimal digits, or in base64 and base32 at any offset.
"""

import base64
import threading
import time
from typing import Any, Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from tests.broker import Broker

_SHORT = 6  # bytes: a shorter word may stand by chance in what is sealed


class Operator:
    """Listens to everything while it is open."""

    def __init__(self, broker: Broker) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self._broker, self._ready = broker, threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = self._on_message
        self._client.on_subscribe = lambda *_: self._ready.set()

    def __enter__(self) -> Self:
        """Begin to listen."""
        self._client.connect("127.0.0.1", self._broker.port)
        self._client.subscribe("#", 1)
        self._client.loop_start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, after what is on its way."""
        time.sleep(0.5)
        self._client.disconnect()
        self._client.loop_stop()

    def check(self, secrets: dict[str, bytes]) -> int:
        """See that nothing that crossed holds a secret; give how many bytes did."""
        crossed = b"\n".join(topic.encode() + b" " + content for topic, content in self.heard)
        assert self.heard and crossed
        for what, secret in secrets.items():
            assert len(secret) >= _SHORT, what
            assert not self.forms_found(crossed, secret), what
        return len(crossed)

    @staticmethod
    def forms_found(crossed: bytes, secret: bytes) -> bool:
        """Say whether a secret is in there, in any of the forms in which bytes are written."""
        forms = {secret, secret.hex().encode(), secret.hex().upper().encode()}
        for offset in range(5):
            # What does not depend on the letters before and after it.
            padded = bytes(offset) + secret
            forms.add(base64.b64encode(padded)[(offset * 8 + 5) // 6 : len(padded) * 8 // 6])
            forms.add(base64.b32encode(padded)[(offset * 8 + 4) // 5 : len(padded) * 8 // 5])
        return any(form in crossed for form in forms)

    def _on_message(self, _client: Any, _userdata: Any, message: mqtt.MQTTMessage) -> None:
        self.heard.append((message.topic, bytes(message.payload)))
