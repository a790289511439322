"""An MQTT source: hear, map, commit, then acknowledge (I8).

In: a broker's deliveries at QoS 1 under a persistent session, and points to be moved. Out: batches
for the intake; a PUBACK for each delivery only after the fsynced commit that holds it, in the order
of arrival. All of it runs in the connection's thread, a batch at a time. It never drops a delivery:
what cannot be read is quarantined, what was committed before is recognised, what cannot be stored
yet waits.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain

from gateway.config import addresses
from gateway.config.settings import MqttSource
from gateway.errors import DeviceError, GatewayError, StoreClosed
from gateway.readings.mapping import Mapping
from gateway.readings.reading import Arrival, Batch, Delivered, Reading, Unreadable, Value, digest
from gateway.readings.redelivery import Redelivery
from gateway.records.record import Moment
from gateway.sources.intake import Intake
from gateway.sources.mqtt_moves import MqttMoves
from gateway.sources.source import Moved, arrived
from gateway.transport.endpoint import read_password
from gateway.transport.mqtt import Delivery, Endpoint, Mqtt

_LOG = logging.getLogger(__name__)
# A default broker has 20 messages in flight (mosquitto): commit before it waits for us.
_ENOUGH = 16
_RETRY_MS = 1_000


@dataclass(slots=True)
class _Pending:
    """What was heard and is not yet handed over: one batch in the making."""

    readings: list[Reading] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)
    delivered: list[Delivered] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    since_ms: int = 0

    def batch(self, settled: int) -> Batch:
        """Freeze it."""
        return Batch(
            tuple(self.readings),
            tuple(self.unreadable),
            tuple(self.delivered),
            settled=settled,
        )


class MqttListener:
    """One source. Start it, ask it for its state, stop it."""

    def __init__(
        self, config: MqttSource, intake: Intake, now: Callable[[], Moment], commit_ms: int
    ) -> None:
        self.name = config.name
        self._config, self._intake, self._now = config, intake, now
        self._commit_ms = commit_ms
        self._mapping = Mapping.of(config)
        self._mqtt = Mqtt(_endpoint(config), self)
        self._moves = MqttMoves(config, self._mqtt)
        self.points = self._moves.points
        self._pending = _Pending()
        self._committing: _Pending | None = None
        self._retry_at_ms = 0
        self._waiting: list[Delivery] = []
        self._redelivery: Redelivery | None = None
        self._session = 0
        self._exact = self._resumed = self._draining = False
        self._unconfirmed = self._confirming = self._settled = 0
        self._left = 0  # batches of earlier sessions that this one may still repeat
        self.counts: Counter[str] = Counter()
        self.devices: dict[str, int] = {}
        self.state, self.reason = "connecting", ""

    def start(self) -> None:
        """Begin to listen."""
        self._mqtt.start()

    async def run(self) -> None:
        """Listen until cancelled; then commit and acknowledge what was heard."""
        self.start()
        try:
            await asyncio.Event().wait()
        finally:
            with suppress(TimeoutError):
                await asyncio.to_thread(self.stop)

    async def move(self, point: str, value: Value) -> Moved:
        """Publish to a machine, once; raise NotMoved or Unsure."""
        return await self._moves.move(point, value)

    def stop(self) -> None:
        """Hand over what was heard, wait for its commit, acknowledge it, disconnect."""
        drained: Future[None] = Future()
        self._mqtt.post(lambda: self._drain(drained))
        drained.result(timeout=30)
        self._mqtt.stop()

    # -- what the connection tells, in its thread --

    def connected(self, resumed: bool, exact: bool) -> None:
        """Begin a session: what another connection delivered cannot be acknowledged on this."""
        self._session += 1
        # A resumed session kept its subscriptions; a new one hears nothing before it has them.
        self.state, self.reason = "connected" if resumed else "subscribing", ""
        self._unconfirmed = self._confirming = 0
        self._waiting.clear()
        self._exact, self._resumed = exact, resumed
        self._redelivery = None
        self._mqtt.paused = False

    def subscribed(self) -> None:
        """Say so: what is published from now on is heard."""
        if self.state == "subscribing":
            self.state = "connected"

    def heard(self, deliveries: Sequence[Delivery]) -> None:
        """Map deliveries into the batch in the making, in order."""
        self._waiting.extend(deliveries)
        self._take()

    def turn(self) -> float:
        """Hand over a batch that is due; give the seconds until one may be."""
        self._take()
        self._hand_over(drain=False)
        if self._committing is not None or not self._pending.deliveries:
            return 0.5
        return self._due_ms() / 1000

    def confirmed(self) -> None:
        """Let go of what the broker can no longer deliver again."""
        self._settled += self._confirming
        self._confirming = 0

    def lost(self, reason: str) -> None:
        """Remember why; what is pending will be committed, and recognised when it comes again."""
        if self.state == "connected" or reason != self.reason:
            _LOG.warning("source %s: %s", self.name, reason)
        self.state, self.reason = "disconnected", reason
        self._session += 1
        self._moves.lost(reason)

    # -- from deliveries to a batch --

    def _take(self) -> None:
        """Take deliveries over, once everything from an earlier connection is committed."""
        if not self._waiting:
            return
        if self._redelivery is None:
            if self._committing is not None or self._pending.deliveries:
                self._hand_over(drain=True)
                self._mqtt.paused = True
                return
            try:
                self._redelivery = self._expect()
            except GatewayError as fault:  # The broker keeps them; what was read waits here.
                self.state, self.reason = "waiting", str(fault)
                self._mqtt.paused = True
                return
        waiting, self._waiting = self._waiting, []
        arrival = arrived(self._now())
        for delivery in waiting:
            self._map(delivery, arrival)
        self.counts["received"] += len(waiting)
        self._throttle()

    def _expect(self) -> Redelivery:
        """Find out what a resumed session may repeat; a new session repeats nothing."""
        if self._resumed:
            batches = self._intake.expected()[self._settled :]
            self._left = len(batches)
            return Redelivery(list(chain.from_iterable(batches)), self._exact)
        self._intake.forget_expected()
        self._settled = self._left = 0
        return Redelivery((), self._exact)

    def _map(self, delivery: Delivery, arrival: Arrival) -> None:
        pending, topic, payload = self._pending, delivery.topic, delivery.payload
        if not pending.deliveries:
            pending.since_ms = arrival.monotonic_ms
        pending.deliveries.append(delivery)
        if delivery.qos and self._is_repeat(delivery, digest(topic, payload)):
            self.counts["duplicates"] += 1
            return
        try:
            readings, faults = self._mapping.read(topic, payload, arrival, delivery.retained)
        except DeviceError as fault:
            self._quarantine(delivery, fault)
            return
        if faults:  # Some of its metrics cannot be read: kept with its bytes, the others go on.
            self._quarantine(delivery, faults[0])
        pending.readings.extend(readings)
        if not delivery.retained:  # Nobody knows when that was said: it is no sign of life.
            self._moves.saw(readings)
            for each in readings:
                self.devices[each.device] = arrival.monotonic_ms

    def _is_repeat(self, delivery: Delivery, known_by: bytes) -> bool:
        """Say whether a delivery was committed before; else it is one that may be repeated."""
        assert self._redelivery is not None
        if self._redelivery.repeats(delivery.packet, delivery.duplicate, known_by):
            return True
        self._pending.delivered.append(Delivered(delivery.packet, known_by))
        return False

    def _quarantine(self, delivery: Delivery, fault: DeviceError) -> None:
        self.counts["quarantined"] += 1
        unreadable = Unreadable(delivery.topic, delivery.payload, fault.code, str(fault))
        self._pending.unreadable.append(unreadable)

    def _throttle(self) -> None:
        """Stop reading the socket while too much is in flight, and read on when it is not."""
        in_flight = len(self._pending.deliveries) + len(self._waiting)
        if self._committing is not None:
            in_flight += len(self._committing.deliveries)
        self._mqtt.paused = self._draining or in_flight >= self._config.in_flight_max

    # -- from a batch to an acknowledgement --

    def _due_ms(self) -> int:
        """Give the time left before the batch in the making must be handed over."""
        if len(self._pending.deliveries) >= _ENOUGH:
            return 0
        return max(0, self._pending.since_ms + self._commit_ms - self._now().monotonic_ms)

    def _hand_over(self, drain: bool) -> None:
        """Submit the batch in the making if it is due and no other is being committed."""
        if self._committing is not None or self._now().monotonic_ms < self._retry_at_ms:
            return
        if self._pending.deliveries and (drain or self._due_ms() == 0):
            self._committing, self._pending = self._pending, _Pending()
            self._submit(self._committing)
        elif self._settled:  # No batch waits for this.
            self._submit(_Pending())

    def _submit(self, pending: _Pending) -> None:
        settled, self._settled = self._settled, 0
        session = self._session
        try:
            future = self._intake.submit(pending.batch(settled))
        except StoreClosed:  # The agent stops: unacknowledged, all of it is delivered again.
            self._committing = None
            return
        future.add_done_callback(
            lambda done: self._mqtt.post(lambda: self._committed(done, pending, settled, session))
        )

    def _committed(
        self, done: "Future[None]", pending: _Pending, settled: int, session: int
    ) -> None:
        """Acknowledge what is durable; what could not be stored is tried again."""
        fault = None if done.cancelled() else done.exception()
        if done.cancelled():  # Likewise: nobody commits any more.
            self._committing = None
            return
        if isinstance(fault, GatewayError):
            self._settled += settled
            self._retry_at_ms = self._now().monotonic_ms + _RETRY_MS
            self.state, self.reason = "waiting", str(fault)
            self._pending = _joined(pending, self._pending)
            if pending is self._committing:
                self._committing = None
            return
        if fault is not None:
            raise fault
        if pending is self._committing:
            self._committing = None
        self.counts["stored"] += len(pending.readings)
        if self.state == "waiting":
            self.state, self.reason = "connected", ""
        if session == self._session and pending.deliveries:
            self._mqtt.acknowledge([each for each in pending.deliveries if each.qos])
            self.counts["acknowledged"] += len(pending.deliveries)
            if pending.delivered:
                # Repeats come before anything new: none is left to come of what an earlier
                # session left behind.
                self._unconfirmed += 1 + self._left
                self._left = 0
            if not self._confirming and self._unconfirmed:
                self._confirming, self._unconfirmed = self._unconfirmed, 0
                self._mqtt.confirm()
        self._throttle()
        self._take()
        self._hand_over(drain=False)

    def _drain(self, drained: "Future[None]") -> None:
        """Commit and acknowledge all that was handed to us, then say so; read nothing more."""
        self._mqtt.paused = True
        self._draining = True
        if self._committing is None and not self._pending.deliveries:
            drained.set_result(None)
            return
        self._hand_over(drain=True)
        committing = self._committing
        if committing is None:  # The store cannot be written now: leave it to the next start.
            drained.set_result(None)
            return
        self._mqtt.post(lambda: self._drain(drained))


def _joined(first: _Pending, then: _Pending) -> _Pending:
    """Put a batch that could not be stored in front of what came after it."""
    return _Pending(
        first.readings + then.readings,
        first.unreadable + then.unreadable,
        first.delivered + then.delivered,
        first.deliveries + then.deliveries,
        first.since_ms or then.since_ms,
    )


def endpoint(config: MqttSource) -> Endpoint:
    """Give where and as whom a source connects; raise PasswordUnreadable."""
    read_password(config.password_file)  # A trial has no time to wait for it.
    return _endpoint(config)


def _endpoint(config: MqttSource) -> Endpoint:
    broker = addresses.broker(config.url)
    return Endpoint(
        host=broker.host,
        port=broker.port,
        client_id=config.client_id,
        topics=config.topics,
        tls=broker.tls,
        ca_file=config.ca_file,
        username=config.username,
        password_file=config.password_file,
        in_flight_max=config.in_flight_max,
    )
