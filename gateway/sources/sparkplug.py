"""A Sparkplug source: a host application, which says that it is there, hears, and stores.

In: what edge nodes publish below spBv1.0, at QoS 0: nothing is acknowledged to anybody, and a
reading counts once its commit is fsynced; points to be moved. Out: batches for the intake; our own
STATE, retained and with a will; requests for rebirths, and commands. All of it runs in the
connection's thread. What may be read as what is decided by `gateway.readings.sparkplug`. Chapter:
docs/devices/sparkplug.md.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field

from gateway.config import SparkplugSource
from gateway.errors import GatewayError, StoreClosed
from gateway.readings import sparkplug_topic as topics
from gateway.readings.reading import Arrival, Batch, Reading, Unreadable, Value
from gateway.readings.sparkplug import Host
from gateway.readings.sparkplug_birth import ONLINE, Life
from gateway.readings.sparkplug_payload import rebirth_request
from gateway.records.record import Moment
from gateway.sources.intake import Intake
from gateway.sources.source import Moved, arrived
from gateway.sources.sparkplug_moves import SparkplugMoves
from gateway.transport.mqtt import Delivery, Endpoint, Mqtt, Will

_LOG = logging.getLogger(__name__)
_ENOUGH = 4_096  # readings that are handed over before commit_ms is over
_RETRY_MS = 1_000
_TURN_MS_MAX = 500
_DRAIN_S_MAX = 30


@dataclass(slots=True)
class _Pending:
    """What was heard and is not yet handed over: one batch in the making."""

    readings: list[Reading] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)
    messages: int = 0
    since_ms: int = 0

    def batch(self) -> Batch:
        """Freeze it."""
        return Batch(tuple(self.readings), tuple(self.unreadable))


class SparkplugListener:
    """One source. Run it as a task, look at its state, cancel it."""

    def __init__(
        self, config: SparkplugSource, intake: Intake, now: Callable[[], Moment], commit_ms: int
    ) -> None:
        self.name = config.name
        self._config, self._intake, self._now = config, intake, now
        self._commit_ms = commit_ms
        self._host = Host(config.reorder_ms, config.rebirth, config.payload_bytes_max)
        self._state_topic = topics.of_host(config.host_id)
        self._state_ms = 0
        self._mqtt = Mqtt(self._endpoint(), self)
        self._moves = SparkplugMoves(config, self._host, self._mqtt, now)
        self.points = self._moves.points
        self._pending = _Pending()
        self._committing: _Pending | None = None
        self._retry_at_ms = 0
        self._listening = self._draining = False
        self.counts: Counter[str] = Counter()
        self.devices: dict[str, int] = {}
        self.state, self.reason = "connecting", ""

    async def run(self) -> None:
        """Listen until cancelled; then commit what was heard, say that we go, and leave."""
        self._mqtt.start()
        try:
            await asyncio.Event().wait()
        finally:
            with suppress(TimeoutError):
                await asyncio.to_thread(self._stop)

    async def move(self, point: str, value: Value) -> Moved:
        """Send a command, once; raise NotMoved or Unsure."""
        return await self._moves.move(point, value)

    def lives(self) -> Iterator[Life]:
        """Give every edge node and device that was heard of, and how it stands."""
        return self._host.lives()

    def _stop(self) -> None:
        drained: Future[None] = Future()
        self._mqtt.post(lambda: self._drain(drained))
        drained.result(timeout=_DRAIN_S_MAX)
        self._mqtt.stop()

    # -- what the connection asks and tells, in its thread ----------------------------------------

    def _endpoint(self) -> Endpoint:
        config, broker = self._config, self._config.broker
        return Endpoint(
            host=broker.host,
            port=broker.port,
            client_id=config.client_id,
            topics=topics.heard_by(config.groups, config.host_id),
            tls=broker.tls,
            ca_file=config.ca_file,
            username=config.username,
            password_file=config.password_file,
            persistent=False,
            in_flight_max=config.in_flight_max,
            will=self._will,
        )

    def _will(self) -> Will:
        """Write our death certificate for a connection that is about to be made."""
        self._state_ms = self._now().unix_ms
        return Will(self._state_topic, topics.state(False, self._state_ms), 1, True)

    def connected(self, resumed: bool, exact: bool) -> None:
        """Wait for the subscriptions: a host is not there before it hears."""
        self.state, self.reason = "subscribing", ""
        self._mqtt.paused = False

    def subscribed(self) -> None:
        """Say that we are there: edge nodes that wait for us begin."""
        self._listening = True
        self._say_online()
        self.state = "connected"

    def heard(self, deliveries: Sequence[Delivery]) -> None:
        """Take deliveries in order."""
        arrival, count = arrived(self._now()), 0
        for delivery in deliveries:
            if delivery.topic == self._state_topic:
                # Somebody's will for us, from an older connection: say at once that we live.
                if not delivery.retained and topics.says_offline(delivery.payload):
                    self._say_online()
                continue
            self._host.hear(delivery.topic, delivery.payload, arrival, delivery.retained)
            count += 1
        self.counts["received"] += count
        self._pending.messages += count
        self._take(arrival)
        self._throttle()

    def turn(self) -> float:
        """Do what time asks for: give up gaps, ask for rebirths, hand over what is due."""
        arrival = arrived(self._now())
        next_ms = _TURN_MS_MAX
        if self._listening:
            next_ms = min(next_ms, self._host.turn(arrival.monotonic_ms))
            self._take(arrival)
        self._hand_over(drain=False)
        if self._committing is None and self._pending.since_ms:
            next_ms = min(next_ms, self._due_ms())
        return next_ms / 1000

    def confirmed(self) -> None:
        """Expect nothing: nothing is acknowledged."""

    def lost(self, reason: str) -> None:
        """Believe no certificate any more, and remember why."""
        if self.state == "connected" or reason != self.reason:
            _LOG.warning("source %s: %s", self.name, reason)
        self.state, self.reason, self._listening = "disconnected", reason, False
        self._host.lost()
        self._take(arrived(self._now()))

    def _say_online(self) -> None:
        self._mqtt.publish(self._state_topic, topics.state(True, self._state_ms), 1, True)

    # -- from messages to a commit ----------------------------------------------------------------

    def _take(self, arrival: Arrival) -> None:
        """Take over what came of it: readings and bytes to store, edge nodes to ask."""
        heard, pending = self._host.take(), self._pending
        for key in heard.rebirths:
            request = rebirth_request(self._now().unix_ms)
            self._mqtt.publish(f"{topics.NAMESPACE}/{key[0]}/NCMD/{key[1]}", request)
        self.counts += heard.counts
        self._moves.saw(heard.shown)
        if not heard.readings and not heard.unreadable:
            return
        for reading in heard.readings:
            if reading.metric != ONLINE or reading.value:
                self.devices[reading.device] = arrival.monotonic_ms
        pending.readings += heard.readings
        pending.unreadable += heard.unreadable
        pending.since_ms = pending.since_ms or arrival.monotonic_ms

    def _throttle(self) -> None:
        """Stop reading the socket while too much waits for its commit."""
        waiting = self._pending.messages
        if self._committing is not None:
            waiting += self._committing.messages
        self._mqtt.paused = self._draining or waiting >= self._config.in_flight_max

    def _due_ms(self) -> int:
        if len(self._pending.readings) >= _ENOUGH:
            return 0
        return max(0, self._pending.since_ms + self._commit_ms - self._now().monotonic_ms)

    def _hand_over(self, drain: bool) -> None:
        """Submit the batch in the making if it is due and no other is being committed."""
        if self._committing is not None or self._now().monotonic_ms < self._retry_at_ms:
            return
        if not self._pending.since_ms:
            self._pending.messages = 0  # Nothing came of them.
            self._throttle()
        elif drain or self._due_ms() == 0:
            pending, self._pending = self._pending, _Pending()
            self._committing = pending
            with suppress(StoreClosed):
                future = self._intake.submit(pending.batch())
                future.add_done_callback(
                    lambda done: self._mqtt.post(lambda: self._committed(done, pending))
                )

    def _committed(self, done: "Future[None]", pending: _Pending) -> None:
        """Count what is durable; what could not be stored is tried again."""
        if done.cancelled():
            return
        self._committing, fault = None, done.exception()
        if isinstance(fault, GatewayError):
            self._retry_at_ms = self._now().monotonic_ms + _RETRY_MS
            self.state, self.reason = "waiting", str(fault)
            self._pending = _joined(pending, self._pending)
        elif fault is not None:
            raise fault
        else:
            self.counts["stored"] += len(pending.readings)
            if self.state == "waiting":
                self.state, self.reason = "connected" if self._listening else "disconnected", ""
        self._throttle()
        self._hand_over(drain=False)

    def _drain(self, drained: "Future[None]") -> None:
        """Commit all that was heard, say that we go, then say that it is done."""
        self._mqtt.paused = self._draining = True
        if self._committing is None and self._pending.since_ms:
            self._hand_over(drain=True)
        if self._committing is None:  # All is stored, or the store cannot be written now.
            gone = topics.state(False, self._now().unix_ms)
            self._mqtt.publish(self._state_topic, gone, 1, True)
            drained.set_result(None)
            return
        self._mqtt.post(lambda: self._drain(drained))


def _joined(first: _Pending, then: _Pending) -> _Pending:
    """Put a batch that could not be stored in front of what came after it."""
    return _Pending(
        first.readings + then.readings,
        first.unreadable + then.unreadable,
        first.messages + then.messages,
        first.since_ms,
    )
