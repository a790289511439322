"""Sparkplug B, heard as a host application: who lives, in which order, and what was said.

In: messages below spBv1.0 as a broker delivers them, and the time. Out: readings, what could not
be read, and the edge nodes to be asked for their birth certificates. Chapter:
docs/devices/sparkplug.md. It never publishes, and never takes an alias or a number without a type
for something while a message is missing. A death counts only for the session that it names.
"""

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from gateway.errors import (
    DeviceError,
    MalformedSparkplug,
    RetainedSparkplug,
    SparkplugFull,
)
from gateway.readings import (
    sparkplug_birth as birth,
    sparkplug_payload as payloads,
    sparkplug_topic,
)
from gateway.readings.reading import Arrival, Reading, Unreadable
from gateway.readings.sparkplug_birth import Knob, Life
from gateway.readings.sparkplug_payload import Payload
from gateway.readings.sparkplug_topic import Topic

NODES_MAX: Final = 10_000
DEVICES_MAX: Final = 100_000
METRICS_MAX: Final = 500_000  # of all together
WAITING_BYTES_MAX: Final = 4_194_304  # of one edge node, while a message is missing
SEQUENCES: Final = 256
# A rebirth costs the edge node its whole certificate: once, then ever more patiently.
ASK_MS_MIN, ASK_MS_MAX = 10_000, 600_000
ASKED_A_SECOND: Final = 20


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of it, to be taken over and stored; and whom to ask for a rebirth."""

    readings: list[Reading] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)
    rebirths: list[tuple[str, str]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    # Of what is watched, what was said now: neither in a certificate, nor kept from before.
    shown: list[Reading] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Message:
    """One message, as it came."""

    topic: Topic
    said: bytes
    payload: Payload
    arrival: Arrival


@dataclass(slots=True)
class _Node:
    """An edge node: its own life, its devices', and how far its messages came in order."""

    own: Life
    devices: dict[str, Life] = field(default_factory=dict)
    session: int | None = None  # its bdSeq
    expected: int | None = None  # None: heard no sequence number yet
    waiting: dict[int, _Message] = field(default_factory=dict)
    waiting_bytes: int = 0
    since_ms: int = 0  # when the first of those that wait came
    at_gap: int | None = None  # what was expected then
    asked_ms: int | None = None
    ask_again_ms: int = ASK_MS_MIN

    def lives(self) -> Iterator[Life]:
        """Give its own life and those of its devices."""
        yield self.own
        yield from tuple(self.devices.values())

    def doubt(self) -> None:
        """Believe no certificate any more: a message was missed that may have changed it."""
        for life in self.lives():
            life.sure = False


class Host:
    """All edge nodes behind one broker."""

    def __init__(self, reorder_ms: int, rebirth: bool, bytes_max: int) -> None:
        self._reorder_ms, self._rebirth, self._bytes_max = reorder_ms, rebirth, bytes_max
        self._nodes: dict[tuple[str, str], _Node] = {}
        self._devices = self._metrics = 0
        self._gaps: set[tuple[str, str]] = set()
        self._to_ask: dict[tuple[str, str], None] = {}
        self._asked: deque[int] = deque(maxlen=ASKED_A_SECOND)
        self._heard = Heard()
        self.watched: frozenset[tuple[str, str]] = frozenset()  # devices, each with a metric

    def hear(self, topic: str, said: bytes, arrival: Arrival, retained: bool = False) -> None:
        """Take one message; what comes of it is in `take`."""
        try:
            whose = sparkplug_topic.read(topic)
            if whose is None:
                self._heard.counts["other"] += 1
                return
            if retained:
                raise RetainedSparkplug
            payload = payloads.decode(said, self._bytes_max)
            self._place(_Message(whose, said, payload, arrival))
        except DeviceError as fault:
            self._refuse(topic, said, fault)

    def turn(self, now_ms: int) -> int:
        """Do what time asks for; give the milliseconds until it may ask again."""
        next_ms = 1_000
        for key in list(self._gaps):
            node = self._nodes[key]
            left_ms = node.since_ms + self._reorder_ms - now_ms
            if left_ms > 0:
                next_ms = min(next_ms, left_ms)
            else:
                self._give_up(key, node, now_ms)
        self._ask(now_ms)
        return next_ms

    def take(self) -> Heard:
        """Give what came of it since the last time."""
        heard, self._heard = self._heard, Heard()
        return heard

    def lost(self) -> None:
        """Trust nothing that was known: without a connection any certificate may be missed."""
        for key, node in self._nodes.items():
            self._release(node)
            node.expected, node.ask_again_ms, node.asked_ms = None, ASK_MS_MIN, None
            node.doubt()
            if node.own.online and self._rebirth:
                self._to_ask[key] = None

    def lives(self) -> Iterator[Life]:
        """Give every edge node and device that was ever heard of."""
        for node in tuple(self._nodes.values()):  # Asked from another thread, too.
            yield from node.lives()

    def knob(self, device: str, metric: str) -> Knob | None:
        """Give what a birth certificate in force says of a metric, None where there is none."""
        group, node, *behind = device.split("/")
        its = self._nodes.get((group, node))
        if its is None:
            return None
        life = its.devices.get(behind[0]) if behind else its.own
        return None if life is None else life.knob(metric)

    # -- whose turn it is ---------------------------------------------------------------------

    def _place(self, message: _Message) -> None:
        """Put a message in its order: now, or once what is missing before it has come."""
        key = (message.topic.group, message.topic.node)
        node = self._node(key)
        sequence = message.payload.sequence
        match message.topic.verb:
            case "NDEATH":
                self._node_death(key, node, message)
                return
            case "NBIRTH" if sequence is not None:
                self._node_birth(key, node, message, sequence)
                return
        if sequence is None:
            raise MalformedSparkplug(reason="it has no sequence number")
        if node.expected is None:
            self._want(key)
            node.expected = sequence
        if sequence == node.expected:
            self._in_order(key, node, message, sequence)
        elif self._reorder_ms == 0 or sequence in node.waiting:
            self._give_up(key, node, message.arrival.monotonic_ms)
            node.expected = (sequence + 1) % SEQUENCES
            self._process(key, node, message)
        else:
            self._wait(key, node, message, sequence)

    def _node(self, key: tuple[str, str]) -> _Node:
        node = self._nodes.get(key)
        if node is None:
            if len(self._nodes) >= NODES_MAX:
                raise SparkplugFull(count_max=NODES_MAX, what="edge nodes")
            node = self._nodes[key] = _Node(Life(f"{key[0]}/{key[1]}"))
        return node

    def _in_order(self, key: tuple[str, str], node: _Node, message: _Message, at: int) -> None:
        node.expected = (at + 1) % SEQUENCES
        self._process(key, node, message)
        if node.waiting:
            self._follow(key, node, message.arrival.monotonic_ms)

    def _follow(self, key: tuple[str, str], node: _Node, now_ms: int) -> None:
        """Process what has waited for the message that came; what still waits, waits anew."""
        if not node.waiting:
            self._gaps.discard(key)
            return
        while node.expected is not None and (next_one := node.waiting.pop(node.expected, None)):
            node.waiting_bytes -= len(next_one.said)
            node.expected = (node.expected + 1) % SEQUENCES
            self._process(key, node, next_one)
            self._heard.counts["reordered"] += 1
            node.since_ms, node.at_gap = now_ms, node.expected
        if not node.waiting:
            self._gaps.discard(key)

    def _wait(self, key: tuple[str, str], node: _Node, message: _Message, at: int) -> None:
        if not node.waiting:
            node.since_ms, node.at_gap = message.arrival.monotonic_ms, node.expected
            self._gaps.add(key)
        node.waiting[at] = message
        node.waiting_bytes += len(message.said)
        if node.waiting_bytes > WAITING_BYTES_MAX:
            self._give_up(key, node, message.arrival.monotonic_ms)

    def _give_up(self, key: tuple[str, str], node: _Node, now_ms: int) -> None:
        """Go on without what is missing: nothing that it may have changed is believed any more."""
        self._heard.counts["gaps"] += 1
        self._gaps.discard(key)
        moved_on = node.at_gap != node.expected  # then those that wait came late, not early
        node.doubt()
        last = self._release(node)
        if last is not None and not moved_on:
            node.expected = (last + 1) % SEQUENCES
        self._want(key)
        self._ask(now_ms)

    def _release(self, node: _Node) -> int | None:
        """Process all that waits, nearest first; give the last of their sequence numbers."""
        if node.waiting:
            node.doubt()
        last, start = None, node.expected or 0
        for at in sorted(node.waiting, key=lambda one: (one - start) % SEQUENCES):
            message = node.waiting.pop(at)
            self._process((message.topic.group, message.topic.node), node, message)
            last = at
        node.waiting_bytes = 0
        return last

    # -- births and deaths --------------------------------------------------------------------

    def _node_birth(
        self, key: tuple[str, str], node: _Node, message: _Message, sequence: int
    ) -> None:
        """Begin anew: what waits and was sent before is of the session that ends."""
        sent_ms = message.payload.time_ms or 0
        early = {
            at: one for at, one in node.waiting.items() if (one.payload.time_ms or 0) > sent_ms
        }
        node.waiting = {at: one for at, one in node.waiting.items() if at not in early}
        self._release(node)
        node.waiting, node.waiting_bytes = early, sum(len(one.said) for one in early.values())
        node.session = payloads.bd_seq(message.payload.metrics)
        node.asked_ms, node.ask_again_ms = None, ASK_MS_MIN
        self._to_ask.pop(key, None)
        for life in node.devices.values():  # each lives again once its own certificate comes
            life.online = life.sure = False
        self._born(node.own, message)
        node.expected = node.at_gap = (sequence + 1) % SEQUENCES
        self._follow(key, node, message.arrival.monotonic_ms)

    def _born(self, life: Life, message: _Message) -> None:
        fewer = self._metrics - life.size
        if fewer + len(message.payload.metrics) > METRICS_MAX:
            raise SparkplugFull(count_max=METRICS_MAX, what="metrics")
        life.bear(message.payload, message.arrival.monotonic_ms)
        self._metrics = fewer + life.size
        self._heard.counts["births"] += 1
        self._heard.readings.append(life.told(True, message.payload.time_ms, message.arrival))
        self._read(life, message)

    def _node_death(self, key: tuple[str, str], node: _Node, message: _Message) -> None:
        """End a session, if it is the one that lives; its payload's time is that of its start."""
        session = payloads.bd_seq(message.payload.metrics)
        if not node.own.online or (node.session is not None and session != node.session):
            self._heard.counts["deaths_before"] += 1
            return
        self._release(node)
        self._gaps.discard(key)
        node.expected = None
        for life in node.lives():
            if life.online:
                self._died(life, message.arrival.unix_ms, message.arrival)

    def _died(self, life: Life, time_ms: int | None, arrival: Arrival) -> None:
        life.die(arrival.monotonic_ms)
        self._heard.counts["deaths"] += 1
        self._heard.readings.append(life.told(False, time_ms, arrival))

    # -- what was said ------------------------------------------------------------------------

    def _process(self, key: tuple[str, str], node: _Node, message: _Message) -> None:
        """Read a message whose turn it is."""
        topic = message.topic
        try:
            life = node.own if topic.device is None else self._device(node, topic)
            match topic.verb:
                case "DBIRTH":
                    self._born(life, message)
                case "DDEATH":
                    if life.online:
                        self._died(life, message.payload.time_ms, message.arrival)
                case _:
                    if not life.knows(message.payload.metrics):
                        self._want(key)
                    self._read(life, message)
        except DeviceError as fault:
            self._refuse(str(topic), message.said, fault)

    def _device(self, node: _Node, topic: Topic) -> Life:
        device = topic.device or ""
        life = node.devices.get(device)
        if life is None:
            if self._devices >= DEVICES_MAX:
                raise SparkplugFull(count_max=DEVICES_MAX, what="devices")
            life = node.devices[device] = Life(topic.name)
            self._devices += 1
        return life

    def _read(self, life: Life, message: _Message) -> None:
        """Make each metric a reading; the first fault is kept with the bytes, the others go on."""
        first: DeviceError | None = None
        certifies = message.topic.verb in ("NBIRTH", "DBIRTH")
        counts, readings = self._heard.counts, self._heard.readings
        for metric in birth.wanted(message.payload):
            if metric.transient:
                counts["transient"] += 1
                continue
            try:
                reading = birth.reading(life, metric, message.payload, message.arrival, certifies)
            except DeviceError as fault:
                counts[fault.code] += 1
                first = first or fault
                continue
            if reading is None:
                counts["duplicates"] += 1
                continue
            readings.append(reading)
            late = certifies or metric.historical
            if not late and (reading.device, reading.metric) in self.watched:
                self._heard.shown.append(reading)
        if first is not None:
            self._refuse(str(message.topic), message.said, first)

    def _refuse(self, topic: str, said: bytes, fault: DeviceError) -> None:
        self._heard.counts["quarantined"] += 1
        self._heard.unreadable.append(Unreadable(topic, said, fault.code, str(fault)))

    # -- rebirths -----------------------------------------------------------------------------

    def _want(self, key: tuple[str, str]) -> None:
        if self._rebirth:
            self._to_ask[key] = None

    def _ask(self, now_ms: int) -> None:
        """Ask as many as may be asked now, each less often the longer it does not answer."""
        for key in list(self._to_ask):
            if len(self._asked) == ASKED_A_SECOND and now_ms - self._asked[0] < 1_000:
                return
            node = self._nodes[key]
            if node.asked_ms is not None and now_ms - node.asked_ms < node.ask_again_ms:
                continue
            if node.asked_ms is not None:
                node.ask_again_ms = min(2 * node.ask_again_ms, ASK_MS_MAX)
            node.asked_ms = now_ms
            del self._to_ask[key]
            self._asked.append(now_ms)
            self._heard.rebirths.append(key)
            self._heard.counts["rebirths"] += 1
