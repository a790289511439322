"""A device at QoS 1 over a bare socket (MQTT 3.1.1), faster than any subscriber beside it.

In: topics and payloads. Out: how many the broker has acknowledged. Everything is encoded before
the clock starts, so that this process is never what a figure is bound by.
"""

import select
import socket
from collections.abc import Iterable

_BUFFER_BYTES = 1 << 18


class Device:
    """One connection with a session of its own."""

    def __init__(self, port: int, client_id: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connect = b"\x00\x04MQTT\x04\x02\x00\x00" + _text(client_id)  # clean, no keepalive
        self._socket.sendall(b"\x10" + _length(len(connect)) + connect)
        answer = self._socket.recv(4)
        assert answer == b"\x20\x02\x00\x00", answer
        self._socket.setblocking(False)
        self._odd = b""
        self.sent = self.acknowledged = 0

    def publish_all(self, encoded: bytes, count: int) -> None:
        """Send so many packets, and wait until the broker has acknowledged every one."""
        left, wanted = memoryview(encoded), self.acknowledged + count
        self.sent += count
        while self.acknowledged < wanted:
            readable, writable, _ = select.select(
                [self._socket], [self._socket] if left else [], [], 30
            )
            assert readable or writable, "the broker does not take what is published"
            if writable:
                left = left[self._socket.send(left[:_BUFFER_BYTES]) :]
            if readable:
                self._take()

    def send(self, encoded: bytes) -> None:
        """Send one packet, and take what acknowledgements there are."""
        self._socket.setblocking(True)
        self._socket.sendall(encoded)
        self._socket.setblocking(False)
        self.sent += 1
        if select.select([self._socket], [], [], 0)[0]:
            self._take()

    def _take(self) -> None:
        heard = self._odd + self._socket.recv(_BUFFER_BYTES)
        assert heard, "the broker closed the connection"
        self.acknowledged += len(heard) // 4  # A PUBACK is four bytes.
        self._odd = heard[len(heard) // 4 * 4 :]

    def close(self) -> None:
        """Leave in order."""
        self._socket.setblocking(True)
        self._socket.sendall(b"\xe0\x00")
        self._socket.close()


def encode(messages: Iterable[tuple[str, bytes]]) -> bytes:
    """Encode PUBLISH packets at QoS 1, one behind the other."""
    packets = []
    for number, (topic, payload) in enumerate(messages):
        packet = (number % 65_535 + 1).to_bytes(2, "big")
        content = _text(topic) + packet + payload
        packets.append(b"\x32" + _length(len(content)) + content)
    return b"".join(packets)


def _text(text: str) -> bytes:
    encoded = text.encode()
    return len(encoded).to_bytes(2, "big") + encoded


def _length(count: int) -> bytes:
    digits = bytearray()
    while True:
        count, digit = divmod(count, 128)
        digits.append(digit | (0x80 if count else 0))
        if not count:
            return bytes(digits)
