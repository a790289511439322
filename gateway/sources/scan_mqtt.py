"""Listen to a broker for a while: which topics there are, and some of what is said on each.

In: a broker, topic filters, bounds. Out: topics with their counts and newest payloads, or why there
is nothing. The session is clean, under an id of its own at QoS 0, so no agent loses what waits for
it; nothing is published. Chapter: docs/operations.md.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from gateway.errors import SourceUnreachable
from gateway.readings.guess import Seen
from gateway.transport.mqtt import Delivery, Endpoint, Mqtt

PAYLOADS_MAX: Final = 3  # kept of each topic
PAYLOAD_BYTES_MAX: Final = 65_536  # of what is kept; the rest is only counted
KEPT_BYTES_MAX: Final = 8_388_608  # of all topics together
_LOOK_S: Final = 0.05


class Ear:
    """One connection, which calls in its own thread; it says only what it is given to say."""

    def __init__(
        self,
        endpoint: Endpoint,
        url: str,
        take: Callable[[Sequence[Delivery]], None],
        say: Callable[[], Iterable[tuple[str, bytes]]] = tuple,
    ) -> None:
        self._url, self._take, self._say = url, take, say
        self._mqtt = Mqtt(endpoint, self)
        self.fault: SourceUnreachable | None = None

    async def listen(self, seconds: float, enough: Callable[[], bool]) -> None:
        """Listen until the time is over, it is enough, or nobody lets us."""
        self.lost("it has not answered yet")
        self._mqtt.start()
        try:
            async with asyncio.timeout(seconds):
                while not enough():
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError:
            pass
        finally:
            fault = self.fault
            await asyncio.to_thread(self._mqtt.stop)
            self.fault = fault  # not that we left

    def connected(self, resumed: bool, exact: bool) -> None:
        """Wait for the subscriptions: to be let in is not to be told."""

    def subscribed(self) -> None:
        """Forget why nothing could be heard."""
        self.fault = None

    def heard(self, deliveries: Sequence[Delivery]) -> None:
        """Hand over what came."""
        self._take(deliveries)

    def turn(self) -> float:
        """Say what there is to say: nothing, unless somebody asked for it."""
        for topic, payload in self._say():
            self._mqtt.publish(topic, payload)
        return _LOOK_S

    def confirmed(self) -> None:
        """Expect nothing: nothing is acknowledged."""

    def lost(self, reason: str) -> None:
        """Remember why there is no connection."""
        self.fault = SourceUnreachable(url=self._url, reason=reason)


@dataclass(slots=True)
class _Topic:
    count: int = 0
    retained: bool = True
    payloads: deque[bytes] = field(default_factory=lambda: deque(maxlen=PAYLOADS_MAX))


class Topics:
    """What was said on which topics, within bounds."""

    def __init__(self, topics_max: int, messages_max: int) -> None:
        self._topics_max, self._messages_max = topics_max, messages_max
        self._topics: dict[str, _Topic] = {}
        self.messages = self.left_out = self._kept_bytes = 0

    def take(self, deliveries: Sequence[Delivery]) -> None:
        """Count messages, and keep the newest of each topic."""
        for one in deliveries:
            self.messages += 1
            topic = self._topics.get(one.topic)
            if topic is None:
                if len(self._topics) >= self._topics_max:
                    self.left_out += 1
                    continue
                topic = self._topics[one.topic] = _Topic()
            topic.count += 1
            topic.retained = topic.retained and one.retained
            self._keep(topic, one.payload)

    def _keep(self, topic: _Topic, payload: bytes) -> None:
        """Keep a payload in place of the topic's oldest, as far as there is room."""
        gone = len(topic.payloads[0]) if len(topic.payloads) == PAYLOADS_MAX else 0
        kept_bytes = self._kept_bytes - gone + len(payload)
        if len(payload) <= PAYLOAD_BYTES_MAX and kept_bytes <= KEPT_BYTES_MAX:
            topic.payloads.append(payload)
            self._kept_bytes = kept_bytes

    def enough(self) -> bool:
        """Say whether as many messages came as were wanted."""
        return self.messages >= self._messages_max

    def __len__(self) -> int:
        return len(self._topics)

    def seen(self) -> tuple[Seen, ...]:
        """Give the topics in their order."""
        return tuple(
            Seen(name, one.count, tuple(one.payloads), one.retained)
            for name, one in sorted(self._topics.items())
        )
