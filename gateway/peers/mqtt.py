"""A link over a broker: MQTT, at QoS 0 and without a session, for only a peer's ACK says anything.

In: where the broker is, the topics to listen to, what is to be said. Out: arrivals to the ear. What
is to be said waits here, bounded, until the socket takes it, so that a broker that stalls costs no
memory; what arrives is not read while the ear is full. docs/protocol/links.md.
"""

import threading
from collections import Counter, deque
from collections.abc import Sequence
from typing import Final

from gateway.config.settings import Link as Settings
from gateway.peers.link import CONNECTING, DOWN, FULL, UP, Ear
from gateway.peers.wire import Arrived, Outgoing
from gateway.sync.envelope import ENVELOPE_BYTES_MAX
from gateway.transport.mqtt import Delivery, Endpoint, Mqtt

# What waits for the socket: greetings, requests, new records; beside it backlog, with its own room.
NEW_BYTES_MAX: Final = 1024 * 1024
BACKLOG_BYTES_MAX: Final = 512 * 1024
BACKLOG_BYTES_LOW: Final = 128 * 1024
_AT_ONCE_BYTES = 64 * 1024
_IDLE_S = 0.5
_TOPIC_BYTES_MAX = 1024


class BrokerLink:
    """One broker's connection. Its own thread publishes and reads."""

    kind = "mqtt"
    direct = None
    claimed = frozenset[bytes]()

    def __init__(self, settings: Settings, run: bytes, topics: Sequence[str]) -> None:
        self.name = settings.name
        self.state, self.reason = CONNECTING, ""
        self.counts: Counter[str] = Counter()
        self._ear: Ear | None = None
        self._guard = threading.Lock()
        self._new: deque[Outgoing] = deque()
        self._backlog: deque[Outgoing] = deque()
        self._new_bytes = self._backlog_bytes = 0
        self._is_awaited = False  # somebody was told that there is no room
        self._refused: list[Arrived] = []
        self._mqtt = Mqtt(_endpoint(settings, run, topics), self)

    def start(self, ear: Ear) -> None:
        """Begin to connect."""
        self._ear = ear
        self._mqtt.start()

    def stop(self) -> None:
        """Disconnect and end the thread."""
        self._mqtt.stop()
        self._ear = None

    def say(self, said: Sequence[Outgoing]) -> None:
        """Have messages published; what has no room is dropped and counted."""
        if self.state != UP:
            return
        with self._guard:
            for outgoing in said:
                size = len(outgoing.topic) + len(outgoing.payload)
                if outgoing.backlog and self._backlog_bytes + size <= BACKLOG_BYTES_MAX:
                    self._backlog.append(outgoing)
                    self._backlog_bytes += size
                elif not outgoing.backlog and self._new_bytes + size <= NEW_BYTES_MAX:
                    self._new.append(outgoing)
                    self._new_bytes += size
                else:
                    self.counts[FULL] += 1
        self._mqtt.wake()

    def has_room(self) -> bool:
        """Say whether backlog may be handed over; if not, the ear is told when it may."""
        with self._guard:
            has_room = self._backlog_bytes < BACKLOG_BYTES_LOW
            self._is_awaited = not has_room
            return has_room

    def resume(self) -> None:
        """Offer again what the ear had no room for, and read on."""
        self._mqtt.post(self._offer_again)

    # -- what the connection asks and tells, in its thread ----------------------------------------

    def connected(self, resumed: bool, exact: bool) -> None:
        """Tell that the link is up: what is published now comes after our subscriptions."""
        self.state, self.reason = UP, ""
        self._tell()

    def subscribed(self) -> None:
        """Nothing waits for this: what was said before is said again."""

    def heard(self, deliveries: Sequence[Delivery]) -> None:
        """Hand over what was read; read no more while there is no room for it."""
        self._offer([Arrived(each.topic, each.payload, self.name) for each in deliveries])

    def turn(self) -> float:
        """Publish what waits, if all before it has gone into the socket."""
        if self.state != UP or not self._mqtt.has_room():
            return _IDLE_S
        for outgoing in self._next():
            self._mqtt.publish(outgoing.topic, outgoing.payload)
        with self._guard:
            is_told = self._is_awaited and self._backlog_bytes < BACKLOG_BYTES_LOW
            self._is_awaited = self._is_awaited and not is_told
        if is_told:
            self._tell()
        return _IDLE_S

    def confirmed(self) -> None:
        """Nothing is ever confirmed to us by a broker."""

    def lost(self, reason: str) -> None:
        """Note that there is no way to this broker; what waited for it is said again by sync."""
        self.state, self.reason = DOWN, reason
        with self._guard:
            self._new.clear()
            self._backlog.clear()
            self._new_bytes = self._backlog_bytes = 0
        self._refused.clear()
        self._mqtt.paused = False
        self._tell()

    def _tell(self) -> None:
        if self._ear is not None:
            self._ear.changed(self)

    def _offer(self, arrivals: list[Arrived]) -> None:
        if self._ear is not None and not self._ear.heard(self, arrivals):
            self._refused, self._mqtt.paused = arrivals, True

    def _offer_again(self) -> None:
        if self._refused:
            refused, self._refused, self._mqtt.paused = self._refused, [], False
            self._offer(refused)

    def _next(self) -> list[Outgoing]:
        """Take what goes into the socket next: what is new before any backlog."""
        some: list[Outgoing] = []
        size = 0
        with self._guard:
            while size < _AT_ONCE_BYTES and (self._new or self._backlog):
                outgoing = (self._new or self._backlog).popleft()
                length = len(outgoing.topic) + len(outgoing.payload)
                size += length
                if outgoing.backlog:
                    self._backlog_bytes -= length
                else:
                    self._new_bytes -= length
                some.append(outgoing)
        return some


def _endpoint(settings: Settings, run: bytes, topics: Sequence[str]) -> Endpoint:
    where = settings.broker
    # A broker closes the older of two connections of one client id: the copies of a cloned gateway
    # would close each other's for ever, and no peer would hear both. No session is kept under it.
    return Endpoint(
        where.host,
        where.port,
        f"{settings.client_id}-{run.hex()[:8]}",
        tuple(topics),
        tls=where.tls,
        ca_file=settings.ca_file,
        username=settings.username,
        password_file=settings.password_file,
        persistent=False,
        qos=0,
        packet_bytes_max=ENVELOPE_BYTES_MAX + _TOPIC_BYTES_MAX,
        unsent_bytes_max=_AT_ONCE_BYTES,
    )
