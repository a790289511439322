"""The topics of Sparkplug B, and what a host application says of itself on its own.

In: a topic, or ids. Out: whose message it is, or BadSparkplugTopic; topics and payloads to publish.
Chapter: docs/devices/sparkplug.md. It knows no metric.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.errors import BadSparkplugTopic
from gateway.readings.names import is_name

NAMESPACE: Final = "spBv1.0"
VERBS: Final = ("NBIRTH", "NDEATH", "DBIRTH", "DDEATH", "NDATA", "DDATA")


@dataclass(frozen=True, slots=True)
class Topic:
    """Whose message it is, and what it is."""

    group: str
    verb: str
    node: str
    device: str | None = None

    @property
    def name(self) -> str:
        """Name the device: GROUP/NODE for an edge node itself, GROUP/NODE/DEVICE for a device."""
        node = f"{self.group}/{self.node}"
        return node if self.device is None else f"{node}/{self.device}"

    def __str__(self) -> str:
        """Write it as MQTT has it."""
        node = f"{NAMESPACE}/{self.group}/{self.verb}/{self.node}"
        return node if self.device is None else f"{node}/{self.device}"


def read(said: str) -> Topic | None:
    """Read a topic; None for one that is not for hosts; raise BadSparkplugTopic."""
    levels = said.split("/")
    if levels[0] != NAMESPACE or len(levels) < 4 or levels[2] not in VERBS:
        return None
    if len(levels) != (4 if levels[2][0] == "N" else 5):
        raise BadSparkplugTopic(reason=f"a {levels[2]} of {len(levels)} levels")
    topic = Topic(levels[1], levels[2], levels[3], levels[4] if len(levels) == 5 else None)
    if not (topic.group and topic.node and topic.device != "" and is_name(topic.name)):
        raise BadSparkplugTopic(reason="an id is empty, too long, or cannot be printed")
    return topic


def of_host(host_id: str) -> str:
    """Give the topic on which a host says whether it is there."""
    return f"{NAMESPACE}/STATE/{host_id}"


def heard_by(groups: Sequence[str], host_id: str) -> tuple[str, ...]:
    """Give what a host listens to: its own state, and all that edge nodes of the groups say."""
    said = (
        f"{NAMESPACE}/{group}/{verb}/" + ("+" if verb[0] == "N" else "+/+")
        for group in groups
        for verb in VERBS
    )
    return (of_host(host_id), *said)


def state(online: bool, time_ms: int) -> bytes:
    """Write a host's birth or death certificate."""
    return json.dumps({"online": online, "timestamp": time_ms}).encode()


def says_offline(said: bytes) -> bool:
    """Say whether a state is one of a host that is gone; what is no state at all is none."""
    try:
        found = json.loads(said)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and found.get("online") is False
