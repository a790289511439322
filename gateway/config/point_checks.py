"""What the keys of a point come to together: its limits, where it is written, and who hears that.

In: the values of one table that have the right types. Out: faults, added to the list. Reference:
docs/config.md.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from gateway.config.addresses import broker
from gateway.config.checks import topic_fault
from gateway.config.faults import Faults
from gateway.config.lines import Path
from gateway.config.modbus import WORDS, ModbusPoint, ModbusSource
from gateway.config.outward import meet
from gateway.config.points import MqttPoint, Point, SparkplugPoint
from gateway.config.settings import MqttSource, Source
from gateway.config.sparkplug import SparkplugSource
from gateway.errors import BadPayload, BadTopic, HeardCommand, MissingKey, NoEffect, OutOfRange

VALUE: Final = "{value}"
_ADDRESSES: Final = 65_536
_NUMBER_MAX: Final = 1e30
# The numbers that a type of register can hold.
RANGES: Final[dict[str, tuple[int, int]]] = {
    **{f"int{bits}": (-(1 << bits - 1), (1 << bits - 1) - 1) for bits in (16, 32, 64)},
    **{"uint16": (0, 0xFFFF), "uint32": (0, 0xFFFF_FFFF), "uint64": (0, (1 << 63) - 1)},
}
# What others say on a broker, and no machine is moved by.
_NOT_MACHINES: Final = ("$", "spBv1.0/", "hl/1/")


def check(faults: Faults, at: Path, point: Point) -> None:
    """Check one point by itself."""
    for key in ("min", "max", "step"):
        number = getattr(point, key)
        if number is not None and not _usable(number):
            faults.add(OutOfRange, (*at, key), expected="a number other than nan and inf")
    if point.kind == "bool":
        for key in ("min", "max", "step"):
            if getattr(point, key) is not None:
                faults.add(NoEffect, (*at, key), reason="it is true or false")
    else:
        for key in ("min", "max"):
            if getattr(point, key) is None:
                faults.add(MissingKey, (*at, key))
    if point.min is not None and point.max is not None and point.min > point.max:
        faults.add(OutOfRange, (*at, "max"), expected="at least min")
    if point.step is not None and point.step <= 0:
        faults.add(OutOfRange, (*at, "step"), expected="a number above 0")
    if point.organisations > max(1, point.approvals):
        faults.add(OutOfRange, (*at, "organisations"), expected="at most approvals")
    match point:
        case ModbusPoint():
            _check_register(faults, at, point)
        case MqttPoint():
            _check_message(faults, at, point)


def _usable(number: int | float) -> bool:
    return abs(number) <= _NUMBER_MAX  # never so of nan, and exact for a number of 400 digits


def _check_register(faults: Faults, at: Path, point: ModbusPoint) -> None:
    single = point.register.startswith("coil:")
    if single != (point.kind == "bool"):
        reason = "a coil is bool, and a register is not"
        faults.add(NoEffect, (*at, "type"), reason=reason)
        return
    words = WORDS[point.kind]
    for key, reason in _idle(point, single, words):
        faults.add(NoEffect, (*at, key), reason=reason)
    if point.metric.address + words > _ADDRESSES:
        faults.add(OutOfRange, (*at, "register"), expected="at most 65535 at its last register")
    if point.scale is not None and (not _usable(point.scale) or point.scale == 0):
        faults.add(OutOfRange, (*at, "scale"), expected="a number other than 0, nan and inf")
        return
    for key in ("min", "max"):
        limit, within = getattr(point, key), RANGES.get(point.kind)
        if within is None or limit is None or not _usable(limit):
            continue
        if not within[0] <= limit / (point.scale or 1) <= within[1]:
            expected = f"what {point.kind} can hold, scaled"
            faults.add(OutOfRange, (*at, key), expected=expected)


def _idle(point: ModbusPoint, single: bool, words: int) -> Iterator[tuple[str, str]]:
    """Name the keys that can have no effect beside the others, and why."""
    if point.word_order != "big" and words == 1:
        yield "word_order", "its type has one register"
    if point.byte_order != "big" and single:
        yield "byte_order", "it is one bit"
    if point.scale is not None and single:
        yield "scale", "it is not a number"
    if point.multiple and (single or words > 1):
        yield "multiple", "only one register can be written in two ways"


def _check_message(faults: Faults, at: Path, point: MqttPoint) -> None:
    reason = topic_fault(point.topic)
    if not reason and re.search("[+#]", point.topic):
        reason = "'+' and '#' are for listening"
    if not reason and point.topic.startswith(_NOT_MACHINES):
        reason = "it is not a machine's"
    if reason:
        faults.add(BadTopic, (*at, "topic"), reason=reason)
    if point.payload.count(VALUE) != 1:
        faults.add(BadPayload, (*at, "payload"))
    if point.device is not None and point.readback is None:
        faults.add(NoEffect, (*at, "device"), reason="there is no 'readback' beside it")
    if point.step is not None and point.readback is None:
        reason = "without 'readback' nobody knows where it stands"
        faults.add(NoEffect, (*at, "step"), reason=reason)


def check_all(faults: Faults, sources: Sequence[Source | None]) -> None:
    """Check points beside their sources, and that no source takes a command for a reading."""
    for place, source in enumerate(sources):
        for number, point in enumerate(getattr(source, "point", ())):
            at: Path = ("source", place, "point", number)
            _check_beside(faults, at, point, source)
            if isinstance(source, MqttSource):
                _check_loop(faults, at, source, sources)


def _check_beside(faults: Faults, at: Path, point: Point, source: Source | None) -> None:
    """Check what a point names of its source."""
    match source, point:
        case ModbusSource() | MqttSource(), _:
            _check_readback(faults, at, point, source.metric)
        case SparkplugSource(), SparkplugPoint():
            if not {"+", point.device.partition("/")[0]} & {*source.groups}:
                expected = "of one of the source's groups"
                faults.add(OutOfRange, (*at, "device"), expected=expected)


def _check_readback(
    faults: Faults, at: Path, point: Point, metrics: Iterable[msgspec.Struct]
) -> None:
    known = [str(getattr(metric, "name", "")) for metric in metrics]
    if known and point.readback is not None and point.readback not in known:
        faults.choice((*at, "readback"), point.readback, known)


def _check_loop(
    faults: Faults, at: Path, source: MqttSource, sources: Sequence[Source | None]
) -> None:
    """See that a command is not heard as a reading, unless it is said to be."""
    point = source.point[int(at[-1])]
    if point.heard:
        return
    for other in sources:
        if not isinstance(other, MqttSource) or not _same(source, other):
            continue
        for heard in other.topics:
            plain = re.sub(r"\A\$share/[^/]+/", "", heard)
            if meet(plain.split("/"), point.topic.split("/")):
                faults.add(HeardCommand, (*at, "topic"), source=other.name)
                return


def _same(one: MqttSource, other: MqttSource) -> bool:
    try:
        here, there = broker(one.url), broker(other.url)
    except ValueError:
        return False  # An address is a fault already.
    return (here.host, here.port) == (there.host, there.port)
