"""The thing to compare with: paho-mqtt in its plain use, which throws every message away.

`python -m benchmarks._bare PORT TOPIC COUNT`: QoS 1, a persistent session of its own, paho's own
loop and its own acknowledgements. It says "ready", and then COUNT after each COUNT messages.
"""

import sys
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion


def main(port: int, topic: str, wanted: int) -> None:
    """Subscribe, and count to `wanted` again and again."""
    left = wanted

    def on_connect(*_: object) -> None:
        client.subscribe(topic, qos=1)

    def on_message(_client: mqtt.Client, _userdata: Any, _message: mqtt.MQTTMessage) -> None:
        nonlocal left
        left -= 1
        if not left:
            left = wanted
            print(wanted, flush=True)

    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="bare", clean_session=False)
    client.on_connect = on_connect
    client.on_subscribe = lambda *_: print("ready", flush=True)
    client.on_message = on_message
    client.connect("127.0.0.1", port)
    client.loop_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
