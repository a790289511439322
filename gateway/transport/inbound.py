"""What a broker sends, read in bulk: PUBLISH packets straight from a buffer, the rest for paho.

In: bytes of a connection as they come. Out: deliveries, and every other packet as its bytes, in
their order. paho asks the socket three times for a packet and makes six objects of it; here one
read is for hundreds of packets, and each is one object. What is odd in any way is left to paho.
"""

from collections.abc import Sequence
from time import monotonic

import msgspec
from paho.mqtt.client import Client

_PUBLISH = 0x30
_PUBACK = 0x40
_READ_BYTES = 64 * 1024
_LENGTH_BYTES_MAX = 4


class Delivery(msgspec.Struct, frozen=True, gc=False):
    """A message as it came."""

    topic: str
    payload: bytes
    packet: int
    qos: int
    retained: bool
    duplicate: bool


class Inbound:
    """Bytes that begin with a packet. `properties` says that this is MQTT 5, which has those."""

    def __init__(self, properties: bool) -> None:
        self._properties = properties
        self._parts: list[bytes] = []
        self._size = self._wanted = 0

    def is_ready(self) -> bool:
        """Say whether there is at least one whole packet."""
        if self._size < self._wanted or not self._size:
            return False
        self._wanted = _stop(self._whole(), 0)
        return 0 < self._wanted <= self._size

    def feed(self, heard: bytes) -> None:
        """Add what was read behind what is there."""
        self._parts.append(heard)
        self._size += len(heard)

    def deliveries(self, count_max: int) -> list[Delivery]:
        """Take the deliveries at the start, as far as they are whole: at most so many."""
        taken: list[Delivery] = []
        if self._size < self._wanted:
            return taken
        buffer, size, at = self._whole(), self._size, 0
        while len(taken) < count_max:
            stop = _stop(buffer, at)
            if not 0 < stop <= size:
                break
            delivery = _delivery(buffer, at, stop, self._properties)
            if delivery is None:
                break
            taken.append(delivery)
            at = stop
        self._keep(buffer[at:])
        return taken

    def other(self) -> bytes:
        """Take the packet at the start, whatever it is; nothing if it is not whole."""
        buffer = self._whole()
        stop = self._wanted = _stop(buffer, 0)
        if not 0 < stop <= self._size:
            return b""
        self._keep(buffer[stop:])
        return buffer[:stop]

    def _whole(self) -> bytes:
        """Join the parts: only once a packet is whole, so that large ones cost no more."""
        if len(self._parts) != 1:
            self._parts = [b"".join(self._parts)]
        return self._parts[0]

    def _keep(self, rest: bytes) -> None:
        self._parts, self._size, self._wanted = [rest], len(rest), 0


class BulkClient(Client):
    """paho's client, which reads what `give` gives it; `read`, `is_ready` and `take` come first."""

    inbound: Inbound  # set before it connects
    _given = b""
    _ended = False

    def read(self) -> None:
        """Read the socket once, unless a whole packet waits already; notice its end."""
        if self.inbound.is_ready():
            return
        try:
            heard = super()._sock_recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:  # Whatever it was, paho takes it for an end like any other.
            heard = b""
        if heard:
            self.inbound.feed(heard)
            self._last_bytes_received = monotonic()  # Who speaks is there: no ping is due.
        else:
            self._ended = True
            self.loop_read()

    def take(self, into: list[Delivery], count_max: int) -> None:
        """Take deliveries until there are so many; what comes between is paho's, in its turn."""
        into += self.inbound.deliveries(count_max - len(into))
        while len(into) < count_max and (other := self.inbound.other()):
            self._given = other
            while self._given and self.socket() is not None:
                self.loop_read()
            into += self.inbound.deliveries(count_max - len(into))

    def acknowledge(self, packets: Sequence[int]) -> None:
        """Queue PUBACKs, in this order, as one piece."""
        if packets:
            pubacks = b"".join([b"\x40\x02" + packet.to_bytes(2, "big") for packet in packets])
            self._packet_queue(_PUBACK, pubacks, 0, 1)

    def _sock_recv(self, bufsize: int) -> bytes:
        given, self._given = self._given[:bufsize], self._given[bufsize:]
        if not given and not self._ended:
            raise BlockingIOError
        return given


def _stop(buffer: bytes, at: int) -> int:
    """Say where the packet that begins here ends; 0 where that cannot be said yet."""
    length, shift, place = 0, 0, at + 1
    for digit in buffer[place : place + _LENGTH_BYTES_MAX]:
        place += 1
        length |= (digit & 0x7F) << shift
        if digit < 0x80:
            return place + length
        shift += 7
    return place if shift == 7 * _LENGTH_BYTES_MAX else 0  # No length is five bytes: paho refuses.


def _delivery(buffer: bytes, at: int, stop: int, properties: bool) -> Delivery | None:
    """Read a PUBLISH of QoS 0 or 1; None for all else, and for what is malformed."""
    first = buffer[at]
    qos = first >> 1 & 3
    if first & 0xF0 != _PUBLISH or qos > 1:
        return None
    topic = at + 2
    while buffer[topic - 1] > 0x7F:
        topic += 1
    topic += 2
    topic_stop = topic + int.from_bytes(buffer[topic - 2 : topic], "big")
    payload, packet = topic_stop + 2 * qos, 0
    if topic_stop == topic or payload + properties > stop:
        return None
    if qos:
        packet = int.from_bytes(buffer[topic_stop:payload], "big")
    if properties:
        length = buffer[payload]
        payload += 1 + length
        if length > 0x7F or payload > stop:
            return None
    return Delivery(
        # Brokers let no other topics through; should one, it is quoted and stops nobody.
        buffer[topic:topic_stop].decode("utf-8", "backslashreplace"),
        buffer[payload:stop],
        packet,
        qos,
        first & 1 == 1,
        first & 8 == 8,
    )
