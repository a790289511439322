"""A listener by the library `pysparkplug`: what an edge node says, decoded, as JSON lines.

Arguments: the broker's port, the group and the edge node. A line on its input asks for a rebirth.
"""

import json
import sys
import time
from typing import Any

from pysparkplug import Client, DataType, Message, MessageType, Metric, NCmd, QoS, Topic

port, group, node = int(sys.argv[1]), sys.argv[2], sys.argv[3]


def heard(_client: Any, message: Any) -> None:
    payload, topic = message.payload, message.topic
    metrics = getattr(payload, "metrics", None)
    if metrics is None:
        metrics = (payload.bd_seq_metric,)
    said = {
        "verb": topic.message_type.value,
        "device": topic.device_id,
        "seq": getattr(payload, "seq", None),
        "retain": bool(message.retain),
        "metrics": [
            [one.name, one.datatype.name, one.value, one.is_null, one.is_historical, one.timestamp]
            for one in metrics
        ],
    }
    print(json.dumps(said), flush=True)


client = Client()
client.connect("127.0.0.1", port=port)
for verb in ("NBIRTH", "NDEATH"):
    topic = Topic(message_type=MessageType(verb), group_id=group, edge_node_id=node)
    client.subscribe(topic, QoS.AT_LEAST_ONCE, heard)
for verb in ("DBIRTH", "DDATA", "DDEATH"):
    topic = Topic(message_type=MessageType(verb), group_id=group, edge_node_id=node, device_id="+")
    client.subscribe(topic, QoS.AT_LEAST_ONCE, heard)
time.sleep(0.3)
print(json.dumps({"verb": "listening"}), flush=True)
for _ in sys.stdin:
    now = time.time_ns() // 1_000_000
    wish = Metric(timestamp=now, name="Node Control/Rebirth", datatype=DataType.BOOLEAN, value=True)
    topic = Topic(message_type=MessageType.NCMD, group_id=group, edge_node_id=node)
    payload = NCmd(timestamp=now, metrics=(wish,))
    client.publish(Message(topic, payload, QoS.AT_MOST_ONCE, False), include_dtypes=True)
