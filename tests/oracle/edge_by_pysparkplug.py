"""An edge node by the library `pysparkplug`: orders as JSON lines in, what it was told out.

Argument: the broker's port. Orders: connect, alias (data by alias alone), update (by the library's
own way, with names and types), skip (a sequence number is lost), deregister, register, flood.
"""

import itertools
import json
import sys
import threading
import time
from collections.abc import Iterable
from typing import Any

from pysparkplug import (
    DataType,
    DBirth,
    DData,
    Device,
    EdgeNode,
    Message,
    MessageType,
    Metric,
    NBirth,
    QoS,
    Topic,
)

TELLING = threading.Lock()
GROUP, NODE, DEVICE = "plant", "line-1", "press-1"


def now() -> int:
    return time.time_ns() // 1_000_000


def metric(name: str, datatype: Any, value: object, alias: int | None = None) -> Any:
    return Metric(timestamp=now(), name=name, datatype=datatype, value=value, alias=alias)


METRICS: dict[int, Any] = {
    10: metric("Temperature", DataType.DOUBLE, 21.5, 10),
    11: metric("Strokes", DataType.UINT64, 5, 11),
    12: metric("Offset", DataType.INT16, -2, 12),
    13: metric("Running", DataType.BOOLEAN, True, 13),
    14: metric("State", DataType.STRING, "auto", 14),
    15: metric("Tiny", DataType.INT8, -128, 15),
    16: metric("Far", DataType.INT64, -(2**63), 16),
    17: metric("Word", DataType.UINT32, 2**32 - 1, 17),
    18: metric("Single", DataType.FLOAT, 1.5, 18),
    19: metric("Curve", DataType.FLOAT_ARRAY, (1.5, -2.25), 19),
    20: metric("Flags", DataType.BOOLEAN_ARRAY, (True, False, True), 20),
    21: metric("Names", DataType.STRING_ARRAY, ("ABC", "hello"), 21),
    22: metric("Blob", DataType.BYTES, b"\x00\x01\x02", 22),
    23: metric("Nothing", DataType.DOUBLE, None, 23),
}


class Edge:
    def __init__(self, port: int) -> None:
        self.port = port
        rebirth = metric("Node Control/Rebirth", DataType.BOOLEAN, False)
        self.node = EdgeNode(GROUP, NODE, (rebirth,), cmd_callback=self.commanded)
        self.node.register(Device(DEVICE, METRICS.values()))
        self.rebirths = True

    def commanded(self, _node: Any, message: Any) -> None:
        names = [one.name for one in message.payload.metrics]
        tell(ncmd=names, values=[one.value for one in message.payload.metrics])
        if self.rebirths and names == ["Node Control/Rebirth"]:
            self.rebirth()

    def connect(self) -> None:
        # The library moves on to its next session's number as soon as this one is born.
        self.node._setup_will()
        born = self.node._bd_seq_metric
        self.node._setup_will = lambda: None
        self.node.connect("127.0.0.1", port=self.port)
        while not self.node._connected:
            time.sleep(0.01)
        tell(connected=born.value)

    def say(self, kind: Any, verb: Any, device: str | None, metrics: Iterable[Any]) -> None:
        topic = Topic(message_type=verb, group_id=GROUP, edge_node_id=NODE, device_id=device)
        payload = kind(timestamp=now(), seq=self.node._seq, metrics=tuple(metrics))
        self.node._client.publish(Message(topic, payload, QoS.AT_MOST_ONCE, False))

    def rebirth(self) -> None:
        self.node._EdgeNode__seq_cycler = itertools.cycle(range(256))
        own = (*self.node.metrics.values(), self.node._bd_seq_metric)
        self.say(NBirth, MessageType.NBIRTH, None, own)
        for name, device in self.node.devices.items():
            self.say(DBirth, MessageType.DBIRTH, name, device.metrics.values())

    def alias(self, alias: int, value: object, **more: object) -> None:
        known = METRICS[alias]
        one = Metric(
            timestamp=now(), name=None, datatype=known.datatype, value=value, alias=alias, **more
        )
        self.say(DData, MessageType.DDATA, DEVICE, (one,))

    def update(self, alias: int, value: object) -> None:
        known = METRICS[alias]
        self.node.update_device(DEVICE, (metric(known.name, known.datatype, value),))

    def skip(self) -> None:
        next(self.node._EdgeNode__seq_cycler)

    def obey(self, yes: bool) -> None:
        self.rebirths = yes

    def deregister(self) -> None:
        self.node.deregister(DEVICE)

    def register(self) -> None:
        self.node.register(Device(DEVICE, METRICS.values()))

    def flood(self, count: int, start: int) -> None:
        for place in range(count):
            self.alias(11, start + place)
            if place % 50 == 49:
                time.sleep(0.005)


def tell(**said: object) -> None:
    with TELLING:  # The library calls us in a thread of its own.
        print(json.dumps(said), flush=True)


edge = Edge(int(sys.argv[1]))
for line in sys.stdin:
    order = json.loads(line)
    do = order.pop("do")
    getattr(edge, do)(**order)
    tell(did=do)
