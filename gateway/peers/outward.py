"""What was stored, told to a local broker: for dashboards and SCADA, as JSON or as Sparkplug B.

In: readings of a commit, after it. Out: messages at QoS 0, or drops, counted by reason: this is
live data, and the store is the truth. While there is no connection nothing is queued. It hears one
thing, the request for a rebirth. Reference: [[publish]] in docs/config.md.
"""

import json
import logging
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from fnmatch import fnmatchcase

from gateway.config import Publish
from gateway.query import show_time
from gateway.readings.reading import Reading
from gateway.readings.sparkplug_edge import Edge
from gateway.records.record import Moment
from gateway.transport.mqtt import Delivery, Endpoint, Mqtt, Will

_LOG = logging.getLogger(__name__)
_AT_ONCE = 500  # readings put into the socket before the connection has its turn
_WANTED_MAX = 100_000
_LEAVE_S_MAX = 5


class Outward:
    """One entry [[publish]]. Start it, show it what was stored, stop it."""

    def __init__(self, config: Publish, gateway: str, now: Callable[[], Moment]) -> None:
        self.name = config.name
        self._config, self._gateway, self._now = config, gateway, now
        # Where the edge node's sessions began is not kept: a time tells it from the one before.
        began_s = now().unix_ms // 1000
        sparkplug = config.format == "sparkplug"
        self._edge = Edge(config.group_id, config.node_id, began_s) if sparkplug else None
        self._queue: deque[Reading] = deque()
        self._wanted: dict[tuple[str, str], bool] = {}
        self._ready = False
        self.counts: Counter[str] = Counter()
        self.state, self.reason = "connecting", ""
        self._mqtt = Mqtt(self._endpoint(), self)

    def start(self) -> None:
        """Begin to connect."""
        self._mqtt.start()

    def stop(self) -> None:
        """Say that we go, and leave."""
        if self._edge is not None and self._ready:
            said: Future[None] = Future()
            self._mqtt.post(lambda: self._die(said))
            with suppress(TimeoutError):
                said.result(timeout=_LEAVE_S_MAX)
        self._mqtt.stop()

    def show(self, readings: Sequence[Reading]) -> None:
        """Queue what a commit holds, from any thread; beyond the queue the oldest are dropped."""
        wanted = [one for one in readings if self._wants(one.device, one.metric)]
        if not self._ready:
            self.counts["dropped_disconnected"] += len(wanted)
            return
        self._queue.extend(wanted)
        while len(self._queue) > self._config.queue_max:
            self._queue.popleft()
            self.counts["dropped_full"] += 1
        self._mqtt.post(self._flush)

    # -- what the connection asks and tells, in its thread ----------------------------------------

    def _endpoint(self) -> Endpoint:
        config, broker, edge = self._config, self._config.broker, self._edge
        return Endpoint(
            host=broker.host,
            port=broker.port,
            client_id=config.client_id,
            topics=() if edge is None else (edge.commands,),
            tls=broker.tls,
            ca_file=config.ca_file,
            username=config.username,
            password_file=config.password_file,
            persistent=False,
            will=None if edge is None else self._will,
        )

    def _will(self) -> Will:
        assert self._edge is not None
        topic, payload = self._edge.connect(self._now().unix_ms)
        return Will(topic, payload, 1, False)

    def connected(self, resumed: bool, exact: bool) -> None:
        """Begin, unless there is something to listen to first."""
        if self._edge is None:
            self._begin()

    def subscribed(self) -> None:
        """Begin with the birth certificates."""
        self._bear()
        self._begin()

    def heard(self, deliveries: Sequence[Delivery]) -> None:
        """Answer requests for a rebirth."""
        edge = self._edge
        if edge is not None and any(
            edge.wants_births(one.topic, one.payload) for one in deliveries
        ):
            self.counts["rebirths"] += 1
            self._bear()

    def turn(self) -> float:
        """Publish what is queued; soon again if there is more."""
        self._flush()
        return 0.02 if self._queue else 0.5

    def confirmed(self) -> None:
        """Expect nothing: nothing is acknowledged."""

    def lost(self, reason: str) -> None:
        """Let go of what is queued: when we are back it is not live any more."""
        if self.state == "connected" or reason != self.reason:
            _LOG.warning("publish %s: %s", self.name, reason)
        self.state, self.reason, self._ready = "disconnected", reason, False
        while self._queue:
            self._queue.popleft()
            self.counts["dropped_disconnected"] += 1

    def _begin(self) -> None:
        self.state, self.reason, self._ready = "connected", "", True

    # -- what is said -----------------------------------------------------------------------------

    def _bear(self) -> None:
        assert self._edge is not None
        for topic, payload in self._edge.births(self._now().unix_ms):
            self._mqtt.publish(topic, payload)

    def _die(self, said: "Future[None]") -> None:
        assert self._edge is not None
        topic, payload = self._edge.death(self._now().unix_ms)
        self._mqtt.publish(topic, payload)
        said.set_result(None)

    def _flush(self) -> None:
        """Publish as much as goes into the socket now."""
        if not self._ready or not self._queue or not self._mqtt.has_room():
            return
        some: list[Reading] = []
        while self._queue and len(some) < _AT_ONCE:
            try:
                some.append(self._queue.popleft())
            except IndexError:  # The other thread has just dropped it.
                break
        if self._edge is None:
            for reading in some:
                self._mqtt.publish(self._topic(reading), _json(reading))
            self.counts["published"] += len(some)
            return
        said, dropped = self._edge.say(some, self._now().unix_ms)
        for topic, payload in said:
            self._mqtt.publish(topic, payload)
        self.counts["published"] += len(some) - dropped
        if dropped:
            self.counts["dropped_unborn"] += dropped

    def _topic(self, reading: Reading) -> str:
        """Fill the topic in; what only listeners may write in a topic is written otherwise."""
        return (
            self._config.topic.replace("{gateway}", self._gateway)
            .replace("{device}", _plain(reading.device))
            .replace("{metric}", _plain(reading.metric))
        )

    def _wants(self, device: str, metric: str) -> bool:
        """Say whether the config wants this metric told; asked once for each."""
        known = self._wanted.get((device, metric))
        if known is None:
            if len(self._wanted) >= _WANTED_MAX:  # Devices come and go; it is kept bounded.
                self._wanted.clear()
            config = self._config
            known = any(fnmatchcase(device, one) for one in config.devices) and any(
                fnmatchcase(metric, one) for one in config.metrics
            )
            self._wanted[device, metric] = known
        return known


def _plain(name: str) -> str:
    return name.replace("+", ":2B").replace("#", ":23").replace("{", ":7B")


def _json(reading: Reading) -> bytes:
    """Write a reading as plain JSON, its time in both of the ways that programs like."""
    said = {
        "device": reading.device,
        "metric": reading.metric,
        "value": reading.value,
        "unit": reading.unit,
        "time": None if reading.time_ms is None else show_time(reading.time_ms),
        "time_ms": reading.time_ms,
        "quality": reading.quality.value,
    }
    return json.dumps(said, ensure_ascii=False).encode()
