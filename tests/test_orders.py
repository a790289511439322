"""Registers in all orders beside each other: the same bytes, and which order the config has."""

import struct

import pytest

from gateway.config import ModbusMetric
from gateway.readings.orders import orders


@pytest.mark.parametrize(
    ("word", "byte", "said"),
    [
        ("big", "big", "0001 86a0"),
        ("little", "big", "86a0 0001"),
        ("big", "little", "0100 a086"),
        ("little", "little", "a086 0100"),
    ],
)
def test_one_of_the_four_orders_is_right(word: str, byte: str, said: str) -> None:
    """Each order of words and bytes of a 32-bit number is shown once, and finds its own."""
    metric = ModbusMetric(name="strokes", register="holding:0", type="uint32")
    found = orders(metric, bytes.fromhex(said))
    right = [(one.word_order, one.byte_order) for one in found if one.value == 100_000]
    assert (len(found), right) == (4, [(word, byte)])
    assert [(one.word_order, one.byte_order) for one in found if one.chosen] == [("big", "big")]


def test_what_is_no_value_in_an_order_is_none() -> None:
    """Bytes that are no number in an order are shown as none, and the others as they are."""
    metric = ModbusMetric(
        name="t", register="input:0", type="float32", scale=2, word_order="little"
    )
    found = orders(metric, struct.pack(">f", float("nan")))
    assert found[0].value is None
    assert [one.chosen for one in found] == [False, True, False, False]


def test_one_register_has_no_orders_of_words() -> None:
    """A single register, a bit and a text have nothing to compare."""
    for register in ("holding:0", "coil:0"):
        metric = ModbusMetric(name="m", register=register)
        assert orders(metric, b"\x00\x01") == ()
