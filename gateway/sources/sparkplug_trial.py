"""A trial of a Sparkplug source: what edge nodes say, as bytes and as readings side by side.

In: a source's settings. Out: what was heard, with nothing stored. It is no host: it publishes no
STATE and asks for no certificate, so no edge node behaves otherwise for it; what only a certificate
could explain shows as a fault. Chapter: docs/devices/sparkplug.md.
"""

import asyncio
from collections.abc import Callable, Sequence

from gateway.config import SparkplugSource
from gateway.errors import SourceUnreachable
from gateway.readings import sparkplug_topic as topics
from gateway.readings.reading import Arrival
from gateway.readings.sparkplug import Host
from gateway.records.record import ClockSource, Moment
from gateway.sources.trial import Fault, Findings, Heard
from gateway.transport.mqtt import Delivery, Endpoint, Mqtt

_LOOK_S = 0.05


class SparkplugTrial:
    """A trial of one source; the connection calls it in its own thread."""

    def __init__(self, config: SparkplugSource, now: Callable[[], Moment], client_id: str) -> None:
        self.found = Findings()
        self._now, self._url = now, config.url
        # Nothing waits for its turn: each message shows what it is when it comes.
        self._host = Host(0, False, config.payload_bytes_max)
        broker = config.broker
        self._mqtt = Mqtt(
            Endpoint(
                host=broker.host,
                port=broker.port,
                client_id=client_id,
                topics=topics.heard_by(config.groups, config.host_id)[1:],
                tls=broker.tls,
                ca_file=config.ca_file,
                username=config.username,
                password_file=config.password_file,
                persistent=False,
                qos=0,
            ),
            self,
        )

    async def run(self) -> None:
        """Listen until cancelled."""
        self.lost("it has not answered yet")
        self._mqtt.start()
        try:
            await asyncio.Event().wait()
        finally:
            fault = self.found.fault
            await asyncio.to_thread(self._mqtt.stop)
            self.found.fault = fault  # not that we left

    def connected(self, resumed: bool, exact: bool) -> None:
        """Wait for the subscriptions: to be let in is not to be told."""

    def subscribed(self) -> None:
        """Forget why nothing could be heard."""
        self.found.fault = None

    def heard(self, deliveries: Sequence[Delivery]) -> None:
        """Read each delivery by itself."""
        moment = self._now()
        known = moment.source is not ClockSource.UNSET
        arrival = Arrival(moment.unix_ms if known else None, moment.monotonic_ms)
        for one in deliveries:
            self._host.hear(one.topic, one.payload, arrival, one.retained)
            came = self._host.take()
            faults = tuple(Fault(each.code, each.reason) for each in came.unreadable)
            if came.readings or faults:
                readings = tuple(came.readings)
                self.found.add(Heard(one.topic, one.payload, readings, faults, one.retained))

    def turn(self) -> float:
        """Ask for nothing."""
        return _LOOK_S

    def confirmed(self) -> None:
        """Expect nothing: nothing is acknowledged."""

    def lost(self, reason: str) -> None:
        """Remember why there is no connection."""
        self.found.fault = SourceUnreachable(url=self._url, reason=reason)
