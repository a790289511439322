"""A trial of a source: what arrives, as bytes and as readings side by side, with nothing stored.

In: a source's settings, for how long. Out: what was heard first of each metric and of each fault,
or why nothing was. It never stores and never acknowledges: over MQTT it is a client of its own at
QoS 0 with a session that ends with it, on a serial line it asks the device who it is and no more,
so neither the agent's session nor the device's ring changes. Chapters: docs/protocol/mapping.md and
docs/protocol/frame.md.
"""

import asyncio
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from gateway.config import FramedSource, MqttSource
from gateway.errors import (
    DeviceError,
    FrameError,
    GatewayError,
    SerialError,
    SourceSilent,
    SourceUnreachable,
)
from gateway.readings.frame import CODED_BYTES_MAX, Ask
from gateway.readings.line import Refuse, Send, Take, to_readings
from gateway.readings.mapping import Mapping
from gateway.readings.orders import Ordered
from gateway.readings.reading import Arrival, Reading
from gateway.records.record import Moment
from gateway.sources.framed import Proving
from gateway.sources.mqtt import endpoint
from gateway.sources.source import arrived
from gateway.transport.mqtt import Delivery, Endpoint, Mqtt
from gateway.transport.serial import Port

_KEPT_MAX = 100
_SHARED = re.compile(r"\$share/[^/]+/")
_LOOK_S = 0.05


@dataclass(frozen=True, slots=True)
class Fault:
    """What could not be read, by its code, and why."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Heard:
    """One message, frame or register as it came, and what it gave; of registers in all orders."""

    origin: str
    payload: bytes
    readings: tuple[Reading, ...]
    faults: tuple[Fault, ...]
    retained: bool = False
    registers: tuple[str, ...] = ()
    orders: tuple[Ordered, ...] = ()


@dataclass(slots=True)
class Findings:
    """What a trial found so far."""

    heard: int = 0
    kept: list[Heard] = field(default_factory=list)
    fault: GatewayError | None = None
    seen: set[tuple[bool, str, str]] = field(default_factory=set)

    def add(self, one: Heard) -> None:
        """Count it, and keep it if it shows a metric or a fault for the first time."""
        shows = {(one.retained, each.device, each.metric) for each in one.readings}
        shows |= {(one.retained, one.origin, each.code) for each in one.faults}
        self.heard += 1
        if shows - self.seen and len(self.kept) < _KEPT_MAX:
            self.seen |= shows
            self.kept.append(one)

    @property
    def good(self) -> bool:
        """Say whether something was heard, and all that is kept of it could be read."""
        return self.fault is None and not any(each.faults for each in self.kept)


class Trial(Protocol):
    """A trial of one source; run it, cancel it, read what it found."""

    found: Findings

    async def run(self) -> None:
        """Listen until cancelled, or until nothing can be heard any more."""


async def listen(trials: Sequence[Trial], seconds: float) -> None:
    """Run trials beside each other for so long; less if none of them can hear any more."""
    running = [asyncio.create_task(trial.run()) for trial in trials]
    try:
        await asyncio.wait(running, timeout=seconds)
    finally:
        for task in running:
            task.cancel()
        ended = await asyncio.gather(*running, return_exceptions=True)
        for one in ended:
            if isinstance(one, Exception):
                raise one
    for trial in trials:
        if not trial.found.heard and trial.found.fault is None:
            trial.found.fault = SourceSilent(seconds=f"{seconds:g}")


class BrokerTrial:
    """A trial of what a broker carries; the connection calls it in its own thread."""

    def __init__(self, url: str, own: Endpoint, hear: Callable[[Sequence[Delivery]], None]) -> None:
        self.found = Findings()
        self._hear = hear
        self._url, self._mqtt = url, Mqtt(own, self)

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
        """Make of each delivery what the source would make of it."""
        self._hear(deliveries)

    def turn(self) -> float:
        """Ask for nothing."""
        return _LOOK_S

    def confirmed(self) -> None:
        """Expect nothing: nothing is acknowledged."""

    def lost(self, reason: str) -> None:
        """Remember why there is no connection."""
        self.found.fault = SourceUnreachable(url=self._url, reason=reason)


class MqttTrial(BrokerTrial):
    """A trial of an MQTT source."""

    def __init__(self, config: MqttSource, now: Callable[[], Moment], client_id: str) -> None:
        self._now = now
        self._mapping = Mapping.of(config)
        # A share of a group's messages would be taken from the agent.
        topics = tuple(_SHARED.sub("", topic, count=1) for topic in config.topics)
        own = replace(endpoint(config), client_id=client_id, topics=topics, persistent=False, qos=0)
        super().__init__(config.url, own, self._map)

    def _map(self, deliveries: Sequence[Delivery]) -> None:
        """Map each delivery by itself."""
        arrival = arrived(self._now())
        for delivery in deliveries:
            self.found.add(self._read(delivery, arrival))

    def _read(self, delivery: Delivery, arrival: Arrival) -> Heard:
        topic, payload = delivery.topic, delivery.payload
        try:
            readings, faults = self._mapping.read(topic, payload, arrival, delivery.retained)
        except DeviceError as fault:
            return Heard(topic, payload, (), _faults((fault,)), delivery.retained)
        return Heard(topic, payload, tuple(readings), _faults(faults), delivery.retained)


class FramedTrial:
    """A trial of a device on a serial line."""

    def __init__(self, config: FramedSource, now: Callable[[], Moment]) -> None:
        self.found = Findings()
        self._name, self._address, self._now = config.name, config.serial_line, now
        self._proving = Proving.of(config)
        self._line = self._proving.line(None)

    async def run(self) -> None:
        """Listen until cancelled, or until the line cannot be read."""
        try:
            port = Port(self._address)
        except SerialError as fault:
            self.found.fault = fault
            return
        try:
            await self._hear(port)
        except SerialError as fault:
            self.found.fault = fault
        finally:
            port.close()

    async def _hear(self, port: Port) -> None:
        port.write(self._proving.encode(self._line.opened(self._now().monotonic_ms)))
        kept, begun = b"", False
        while True:
            *ended, kept = (kept + await port.read()).split(b"\x00")
            kept = kept[: CODED_BYTES_MAX + 1]
            # What stood before the first delimiter is the end of a frame begun without us.
            for coded in ended if begun else ended[1:]:
                if coded:
                    self._frame(port, coded)
            begun = begun or bool(ended)

    def _frame(self, port: Port, coded: bytes) -> None:
        origin, arrival = self._address.path, arrived(self._now())
        try:
            frame = self._proving.decode(coded)
        except FrameError as fault:
            self.found.add(Heard(origin, coded, (), _faults((fault,))))
            return
        for action in self._line.hear(frame, arrival.monotonic_ms):
            match action:
                case Send(frame=Ask() as ask):
                    port.write(self._proving.encode(ask))
                case Refuse(error=error):
                    self.found.add(Heard(origin, coded, (), _faults((error,))))
                case Take():
                    readings, unreadable = to_readings(action, self._name, origin, arrival)
                    faults = tuple(Fault(each.code, each.reason) for each in unreadable)
                    self.found.add(Heard(origin, coded, tuple(readings), faults))


def _faults(faults: Iterable[GatewayError]) -> tuple[Fault, ...]:
    return tuple(Fault(fault.code, str(fault)) for fault in faults)
