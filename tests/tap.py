"""A tap on a connection to a broker: every packet of both ways, in order, as it is on the wire.

In: the port of a broker. Out: a port to connect to, and packets. MQTT 3.1.1 and 5, as far as tests
look: CONNECT with its will, SUBSCRIBE, PUBLISH, DISCONNECT. It changes nothing; it can cut, and
stand before an old broker, which closes on MQTT 5.
"""

import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field

_KINDS = {1: "CONNECT", 2: "CONNACK", 3: "PUBLISH", 4: "PUBACK", 8: "SUBSCRIBE", 9: "SUBACK"} | {
    14: "DISCONNECT"
}
_SESSION_EXPIRY = 0x11
# How long a property's value is, by its number; texts and bytes say it themselves.
_WIDTHS = {0x11: 4, 0x21: 2, 0x27: 4, 0x22: 2, 0x19: 1, 0x17: 1, 0x18: 4, 0x01: 1, 0x02: 4}


@dataclass
class Packet:
    """One packet: who sent it, when, what it is and what is in it."""

    sender: str
    kind: str
    unix_ms: int
    topic: str = ""
    payload: bytes = b""
    qos: int = 0
    retain: bool = False
    topics: tuple[str, ...] = ()
    version: int = 0
    clean: bool = False
    session_s: int = 0
    will: "Packet | None" = None


class _Bytes:
    def __init__(self, said: bytes) -> None:
        self._said, self._at = said, 0

    def take(self, count: int) -> bytes:
        self._at += count
        return self._said[self._at - count : self._at]

    def number(self, count: int) -> int:
        return int.from_bytes(self.take(count), "big")

    def piece(self) -> bytes:
        return self.take(self.number(2))

    def length(self) -> int:
        value, shift = 0, 0
        while True:
            digit = self.number(1)
            value |= (digit & 0x7F) << shift
            shift += 7
            if digit < 0x80:
                return value

    def rest(self) -> bytes:
        return self.take(len(self._said) - self._at)

    def properties(self) -> dict[int, int]:
        within, found = _Bytes(self.take(self.length())), {}
        while key := within.number(1):
            if key in _WIDTHS:
                found[key] = within.number(_WIDTHS[key])
            else:
                within.piece()
        return found

    def left(self) -> bool:
        return self._at < len(self._said)


@dataclass
class Tap:
    """Connect to `port` instead of the broker's."""

    broker: int
    old: bool = False
    packets: list[Packet] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._new = self._lock = threading.Condition()
        self._versions: dict[int, int] = {}
        self._open: list[socket.socket] = []
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._door.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def wait(self, count: int = 1, seconds: float = 10, **wanted: object) -> list[Packet]:
        """Wait until so many packets have these fields, and give them."""
        until = time.monotonic() + seconds
        with self._new:
            while len(found := self.find(**wanted)) < count:
                left = until - time.monotonic()
                assert left > 0, f"{wanted}: {len(found)} of {count}: {self.packets}"
                self._new.wait(left)
            return found

    def find(self, **wanted: object) -> list[Packet]:
        """Give the packets so far that have these fields."""
        return [
            packet
            for packet in list(self.packets)
            if all(getattr(packet, name) == value for name, value in wanted.items())
        ]

    def cut(self) -> None:
        """End the connections that there are, as a cable does."""
        with self._lock:
            gone, self._open = self._open, []
        for one in gone:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def close(self) -> None:
        """Let nobody connect any more, and cut."""
        self._door.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._door.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.broker), 5)
            except OSError:
                near.close()
                continue
            with self._lock:
                self._open += [near, far]
                number = len(self._versions)
                self._versions[number] = 4
            for sender, source, sink in (("host", near, far), ("broker", far, near)):
                line = (sender, source, sink, number)
                threading.Thread(target=self._forward, args=line, daemon=True).start()

    def _forward(
        self, sender: str, source: socket.socket, sink: socket.socket, number: int
    ) -> None:
        buffer = b""
        with suppress(OSError):
            while said := source.recv(65536):
                buffer = self._read(sender, buffer + said, number)
                if self.old and self._versions[number] == 5:
                    break
                sink.sendall(said)
        for one in (source, sink):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _read(self, sender: str, buffer: bytes, number: int) -> bytes:
        """Take whole packets from the start, and give what is left."""
        while len(buffer) > 1:
            within = _Bytes(buffer)
            first = within.number(1)
            try:
                body = within.take(size := within.length())
            except IndexError:
                return buffer
            if len(body) < size:
                return buffer
            packet = self._packet(sender, first, _Bytes(body), number)
            with self._new:
                self.packets.append(packet)
                self._new.notify_all()
            buffer = within.rest()
        return buffer

    def _packet(self, sender: str, first: int, body: _Bytes, number: int) -> Packet:
        packet = Packet(sender, _KINDS.get(first >> 4, "other"), time.time_ns() // 1_000_000)
        match packet.kind:
            case "CONNECT":
                _connect(packet, body)
                self._versions[number] = packet.version
            case "SUBSCRIBE":
                body.take(2)
                if self._versions[number] == 5:
                    body.properties()
                topics = []
                while body.left():
                    topics.append(body.piece().decode())
                    body.take(1)
                packet.topics = tuple(topics)
            case "PUBLISH":
                packet.qos, packet.retain = first >> 1 & 3, bool(first & 1)
                packet.topic = body.piece().decode()
                body.take(2 if packet.qos else 0)
                if self._versions[number] == 5:
                    body.properties()
                packet.payload = body.rest()
        return packet


def _connect(packet: Packet, body: _Bytes) -> None:
    body.piece()
    packet.version, flags = body.number(1), body.number(1)
    packet.clean = bool(flags & 2)
    body.take(2)
    if packet.version == 5:
        packet.session_s = body.properties().get(_SESSION_EXPIRY, 0)
    body.piece()
    if flags & 4:
        if packet.version == 5:
            body.properties()
        will = Packet(packet.sender, "will", packet.unix_ms, body.piece().decode(), body.piece())
        will.qos, will.retain = flags >> 3 & 3, bool(flags & 32)
        packet.will = will
