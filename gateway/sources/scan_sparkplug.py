"""Listen for edge nodes: groups, edge nodes, devices, and the metrics of their certificates.

In: messages below spBv1.0. Out: who spoke, and with which metrics they were born. It is no host: it
publishes no STATE, and asks nobody for a certificate unless it was told to, for each costs an edge
node its whole state. Chapter: docs/devices/sparkplug.md.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from gateway.errors import DeviceError
from gateway.readings import sparkplug_topic as topics
from gateway.readings.sparkplug_birth import wanted
from gateway.readings.sparkplug_payload import Payload, decode, rebirth_request
from gateway.readings.sparkplug_topic import Topic
from gateway.readings.sparkplug_values import Datatype
from gateway.transport.mqtt import Delivery

MEMBERS_MAX: Final = 10_000  # edge nodes and devices
_METRICS_MAX: Final = 2000  # of one certificate that is kept
_BYTES_MAX: Final = 1_048_576
_BIRTHS: Final = ("NBIRTH", "DBIRTH")
_DEATHS: Final = ("NDEATH", "DDEATH")


@dataclass(frozen=True, slots=True)
class MetricSeen:
    """A metric as a certificate has it."""

    name: str
    type: str
    unit: str


@dataclass(slots=True)
class Member:
    """An edge node, or a device of one: `device` is None for the edge node itself."""

    group: str
    node: str
    device: str | None
    state: Literal["alive", "dead", "unborn"] = "unborn"
    messages: int = 0
    metrics: tuple[MetricSeen, ...] = ()
    asked: bool = field(default=False, repr=False)


class Members:
    """Who spoke, within bounds."""

    def __init__(self) -> None:
        self._members: dict[tuple[str, str, str], Member] = {}
        self.messages = self.unreadable = self.left_out = 0

    def take(self, deliveries: Sequence[Delivery]) -> None:
        """Read what came; what is no Sparkplug is counted."""
        for one in deliveries:
            try:
                topic = topics.read(one.topic)
                if topic is None:
                    continue
                self.messages += 1
                self._hear(topic, decode(one.payload, _BYTES_MAX))
            except DeviceError:
                self.unreadable += 1

    def __len__(self) -> int:
        return len(self._members)

    def all(self) -> tuple[Member, ...]:
        """Give them in their order: an edge node before its devices."""
        return tuple(self._members[key] for key in sorted(self._members))

    def groups(self) -> tuple[str, ...]:
        """Give the groups of those who spoke."""
        return tuple(sorted({each.group for each in self._members.values()}))

    def requests(self, now_ms: int) -> Iterator[tuple[str, bytes]]:
        """Give what asks each edge node once for its certificates, where one is lacking."""
        for each in tuple(self._members.values()):
            node = self._member(Topic(each.group, "NBIRTH", each.node))
            if each.state == "unborn" and node is not None and not node.asked:
                node.asked = True
                topic = f"{topics.NAMESPACE}/{each.group}/NCMD/{each.node}"
                yield topic, rebirth_request(now_ms)

    def _hear(self, topic: Topic, payload: Payload) -> None:
        member = self._member(topic)
        if topic.device is not None:
            self._member(Topic(topic.group, "NBIRTH", topic.node))
        if member is None:
            self.left_out += 1
            return
        member.messages += 1
        if topic.verb in _BIRTHS:
            member.state = "alive"
            named = [one for one in wanted(payload) if one.name is not None]
            member.metrics = tuple(
                MetricSeen(str(one.name), _type(one.datatype), one.unit or "")
                for one in named[:_METRICS_MAX]
            )
        elif topic.verb in _DEATHS:
            member.state = "dead"

    def _member(self, topic: Topic) -> Member | None:
        key = (topic.group, topic.node, topic.device or "")
        if key not in self._members and len(self._members) >= MEMBERS_MAX:
            return None
        return self._members.setdefault(key, Member(topic.group, topic.node, topic.device))


def _type(number: int) -> str:
    try:
        return Datatype(number).name.lower()
    except ValueError:
        return str(number)
