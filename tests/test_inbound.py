"""Reading PUBLISH packets in bulk gives what paho reads, however the bytes are cut."""

import socket
import struct
from itertools import pairwise

from hypothesis import given, strategies as st
from paho.mqtt import _packet
from paho.mqtt.client import Client, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion

from gateway.transport.inbound import BulkClient, Delivery, Inbound

TOPICS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=70)
PUBLISHES = st.lists(
    st.tuples(
        TOPICS,
        st.one_of(st.binary(max_size=300), st.just(bytes(20_000))),
        st.integers(1, 65_535),
        st.integers(0, 1),
        st.booleans(),
        st.booleans(),
    ),
    max_size=8,
)


def _length(count: int) -> bytes:
    digits = []
    while True:
        count, digit = divmod(count, 128)
        digits.append(digit | (0x80 if count else 0))
        if not count:
            return bytes(digits)


def _encode(delivery: Delivery, properties: bytes | None) -> bytes:
    topic = delivery.topic.encode()
    content = struct.pack(">H", len(topic)) + topic
    content += struct.pack(">H", delivery.packet) if delivery.qos else b""
    content += delivery.payload if properties is None else properties + delivery.payload
    first = 0x30 | delivery.duplicate << 3 | delivery.qos << 1 | delivery.retained
    return bytes([first]) + _length(len(content)) + content


def _cut(encoded: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(place, len(encoded)) for place in places), len(encoded)]
    return [encoded[low:high] for low, high in pairwise(edges)]


@given(PUBLISHES, st.booleans(), st.lists(st.integers(0, 30_000), max_size=9), st.integers(1, 5))
def test_deliveries_come_whole_and_in_order_however_bytes_are_cut(
    said: list[tuple[str, bytes, int, int, bool, bool]], new: bool, places: list[int], most: int
) -> None:
    """Every message comes once, in order, never more at once than asked for."""
    # A user property (MQTT 5) of one letter each: brokers pass those on.
    properties = b"\x07\x26\x00\x01k\x00\x01v" if new else None
    sent = [
        Delivery(topic, payload, packet if qos else 0, qos, retained, duplicate)
        for topic, payload, packet, qos, retained, duplicate in said
    ]
    inbound, heard = Inbound(properties=new), list[Delivery]()
    for part in _cut(b"".join(_encode(each, properties) for each in sent), places):
        inbound.feed(part)
        while inbound.is_ready():
            taken = inbound.deliveries(most)
            assert 0 < len(taken) <= most
            heard += taken
    assert sent == heard
    assert not inbound.is_ready()


@given(st.integers(0x30, 0x3F), st.binary(max_size=40), st.booleans())
def test_what_is_read_is_what_paho_reads(first: int, content: bytes, new: bool) -> None:
    """A PUBLISH of any bytes is read as paho reads it, or left to paho."""
    inbound = Inbound(properties=new)
    inbound.feed(bytes([first, len(content)]) + content)
    for delivery in inbound.deliveries(9):
        read = _packet.decode_publish(first, content, MQTTv5 if new else MQTTv311)
        assert read.topic.decode("utf-8", "backslashreplace") == delivery.topic
        assert (read.payload, read.mid, read.qos) == (
            delivery.payload,
            delivery.packet,
            delivery.qos,
        )
        assert (read.retain, read.dup) == (delivery.retained, delivery.duplicate)


@given(st.binary(max_size=60), st.booleans())
def test_any_bytes_are_taken_apart_without_an_escape(heard: bytes, new: bool) -> None:
    """Nothing raises; what is not taken as a delivery is handed on, and no byte comes twice."""
    inbound = Inbound(properties=new)
    inbound.feed(heard)
    others = b""
    while inbound.is_ready():
        if not inbound.deliveries(1):
            other = inbound.other()
            assert other
            others += other
    assert all(byte in heard for byte in others)
    assert len(others) <= len(heard)


def test_a_packet_of_another_kind_stands_between_deliveries() -> None:
    """An UNSUBACK between two messages is given whole, and only in its turn."""
    publish = _encode(Delivery("a/b", b"1", 0, 0, False, False), None)
    unsuback = b"\xb0\x02\x00\x07"
    inbound = Inbound(properties=False)
    inbound.feed(publish + unsuback + publish + b"\x30")
    assert 1 == len(inbound.deliveries(9))
    assert [] == inbound.deliveries(9)
    assert unsuback == inbound.other()
    assert 1 == len(inbound.deliveries(9))
    assert b"" == inbound.other()
    assert not inbound.is_ready()


def test_paho_has_inside_what_reading_in_bulk_stands_on() -> None:
    """A paho-mqtt that reads, writes or keeps alive otherwise is seen here, not in the field."""
    plain = Client(CallbackAPIVersion.VERSION2)
    for name in ("_sock_recv", "_packet_queue", "_packet_read", "_last_bytes_received"):
        assert hasattr(plain, name), name


def test_a_broker_that_speaks_is_never_taken_for_dead() -> None:
    """What is read in bulk counts for keepalive as what paho reads does."""
    ours, brokers = socket.socketpair()
    client = BulkClient(CallbackAPIVersion.VERSION2)
    client._sock, client.inbound = ours, Inbound(properties=False)
    client._last_bytes_received = 0.0
    with ours, brokers:
        brokers.send(_encode(Delivery("a/b", b"1", 0, 0, False, False), None))
        client.read()
        client._sock = None
    assert client._last_bytes_received > 0.0
    assert client.inbound.is_ready()
