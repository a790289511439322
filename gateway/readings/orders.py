"""Orders: what the bytes of several registers mean in each order that devices use.

In: a metric of a Modbus unit and its bytes as they stood on the line. Out: its value in all four
orders of words and bytes, the config's own among them, so that a person sees which is right. It
chooses none. Chapter: docs/devices/modbus.md.
"""

from dataclasses import dataclass
from typing import Final

import msgspec

from gateway.config.modbus import WORDS, ModbusMetric, Order
from gateway.errors import DeviceError
from gateway.readings.reading import Value
from gateway.readings.registers import decode

_BIG: Final[Order] = "big"
_LITTLE: Final[Order] = "little"
ALL: Final = ((_BIG, _BIG), (_LITTLE, _BIG), (_BIG, _LITTLE), (_LITTLE, _LITTLE))


@dataclass(frozen=True, slots=True)
class Ordered:
    """A value in one order, None where the bytes are none in it; `chosen` is the config's."""

    metric: str
    word_order: str
    byte_order: str
    value: Value | None
    chosen: bool


def orders(metric: ModbusMetric, said: bytes) -> tuple[Ordered, ...]:
    """Give a metric's value in all orders; nothing where there is but one register."""
    if WORDS[metric.kind] < 2:
        return ()
    return tuple(_ordered(metric, said, word, byte) for word, byte in ALL)


def _ordered(metric: ModbusMetric, said: bytes, word: Order, byte: Order) -> Ordered:
    other = msgspec.structs.replace(metric, word_order=word, byte_order=byte)
    chosen = (word, byte) == (metric.word_order, metric.byte_order)
    try:
        return Ordered(metric.name, word, byte, decode(other, said), chosen)
    except DeviceError:
        return Ordered(metric.name, word, byte, None, chosen)
