"""Readings and what surrounds them are values: frozen, equal by content, cheap."""

from hashlib import sha256

import pytest
from hypothesis import given, strategies as st

from gateway.readings.reading import (
    Arrival,
    Batch,
    Delivered,
    Position,
    Quality,
    Reading,
    Unreadable,
    digest,
)

EVERY = [
    Reading("press-1", "temperature", 21.5),
    Arrival(None, 5),
    Delivered(1, bytes(32)),
    Unreadable("factory/press-1", b"{", "payload.json", "not JSON"),
    Position(bytes(8), 7),
    Batch(),
]


@pytest.mark.parametrize("noun", EVERY, ids=lambda noun: type(noun).__name__)
def test_nothing_can_be_changed(noun: object) -> None:
    """No field can be set or added after a noun is made, so that a batch stays what it was."""
    for name in ("device", "unix_ms", "packet", "origin", "boot", "readings", "brand_new"):
        with pytest.raises((AttributeError, TypeError)):
            setattr(noun, name, 1)


def test_readings_are_equal_by_content() -> None:
    """Two equal readings are equal values; whether they are one event is told by who sent them."""
    assert Reading("a", "m", 1) == Reading("a", "m", 1, "", None, None, Quality.GOOD, False)
    assert Reading("a", "m", 1) != Reading("a", "m", 2)
    match Reading("a", "m", 1, unit="Cel"):
        case Reading(device="a", unit=unit):
            assert unit == "Cel"


@given(st.text(), st.binary(), st.text(), st.binary())
def test_a_digest_tells_topic_and_payload_apart(
    topic: str, payload: bytes, other_topic: str, other_payload: bytes
) -> None:
    """Moving bytes between topic and payload changes the digest; MQTT topics hold no zero byte."""
    topic, other_topic = topic.replace("\0", ""), other_topic.replace("\0", "")
    same = (topic, payload) == (other_topic, other_payload)
    assert (digest(topic, payload) == digest(other_topic, other_payload)) is same
    assert digest("a", b"b") == sha256(b"a\0b").digest()
