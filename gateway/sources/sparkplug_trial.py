"""A trial of a Sparkplug source: what edge nodes say, as bytes and as readings side by side.

In: a source's settings. Out: what was heard, with nothing stored. It is no host: it publishes no
STATE and asks for no certificate, so no edge node behaves otherwise for it; what only a certificate
could explain shows as a fault. Chapter: docs/devices/sparkplug.md.
"""

from collections.abc import Callable, Sequence

from gateway.config import SparkplugSource
from gateway.readings import sparkplug_topic as topics
from gateway.readings.sparkplug import Host
from gateway.records.record import Moment
from gateway.sources.source import arrived
from gateway.sources.trial import BrokerTrial, Fault, Heard
from gateway.transport.mqtt import Delivery, Endpoint


class SparkplugTrial(BrokerTrial):
    """A trial of a Sparkplug source."""

    def __init__(self, config: SparkplugSource, now: Callable[[], Moment], client_id: str) -> None:
        self._now = now
        # Nothing waits for its turn: each message shows what it is when it comes.
        self._host = Host(0, False, config.payload_bytes_max)
        broker = config.broker
        super().__init__(
            config.url,
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
            self._read,
        )

    def _read(self, deliveries: Sequence[Delivery]) -> None:
        """Read each delivery by itself."""
        arrival = arrived(self._now())
        for one in deliveries:
            self._host.hear(one.topic, one.payload, arrival, one.retained)
            came = self._host.take()
            faults = tuple(Fault(each.code, each.reason) for each in came.unreadable)
            if came.readings or faults:
                readings = tuple(came.readings)
                self.found.add(Heard(one.topic, one.payload, readings, faults, one.retained))
