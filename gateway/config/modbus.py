"""A Modbus source: one unit on a bus, and which of its registers are which metric.

In: values that `load` has checked. Out: the same, by name. Reference: docs/devices/modbus.md.
"""

import re
from collections.abc import Mapping as Table
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from gateway.config.addresses import Bus, bus
from gateway.config.devices import STALE_MS, Equipment, StaleMs
from gateway.config.faults import Faults
from gateway.config.lines import Path
from gateway.config.names import Name, Short, Text, Unit
from gateway.config.points import Point
from gateway.errors import BadUrl, MissingKey, NoEffect, OutOfRange

Order = Literal["big", "little"]
RegisterType = Literal[
    "bool",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "uint64",
    "float32",
    "float64",
    "bcd16",
    "bcd32",
    "string",
]
WritableType = Literal[
    "bool", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"
]
# How many registers of 16 bits a value of a type has; a text has as many as its `length` says.
WORDS: Final[dict[str, int]] = {
    **{"bool": 1, "int16": 1, "uint16": 1, "bcd16": 1, "string": 0},
    **{"int32": 2, "uint32": 2, "float32": 2, "bcd32": 2},
    **{"int64": 4, "uint64": 4, "float64": 4},
}
REGISTERS_MAX: Final = 125  # of one question, by the specification
BITS_MAX: Final = 2000
_ADDRESSES: Final = 65_536
_SINGLE_BITS: Final = ("coil", "discrete")


class ModbusMetric(Struct, frozen=True, kw_only=True):
    """One metric of a unit: where it is, and what its registers mean."""

    name: Short
    register: Annotated[
        str,
        Meta(
            pattern=r"\A(coil|discrete|input|holding):(0|[1-9][0-9]{0,4})\Z",
            description="coil, discrete, input or holding, a colon, and an address from 0 to 65535",
        ),
    ]
    # None: bool of a coil or a discrete input, uint16 of a register.
    type: RegisterType | None = None
    # Of values of several registers: which comes first. The specification knows only one register.
    word_order: Order = "big"
    # Of the two bytes of a register. The specification says big; some devices do not obey.
    byte_order: Order = "big"
    # None: the whole register. Bits are counted from 0, the lowest.
    bit: Annotated[int, Meta(ge=0, le=63, description="from 0 to 63")] | None = None
    # 1: one bit is true or false; more are a number.
    bit_count: Annotated[int, Meta(ge=1, le=63, description="from 1 to 63")] = 1
    # None: only a text has a length, in registers.
    length: Annotated[int, Meta(ge=1, le=REGISTERS_MAX, description="from 1 to 125")] | None = None
    unit: Unit = ""
    scale: Annotated[int | float | None, Meta(description="a number other than 0")] = None
    # None: whatever is read is good. Beyond them a value is kept, and flagged bad.
    min: Annotated[int | float | None, Meta(description="a number")] = None
    max: Annotated[int | float | None, Meta(description="a number")] = None

    @property
    def bank(self) -> str:
        """Give which of a unit's four kinds of registers it is in."""
        return self.register.partition(":")[0]

    @property
    def address(self) -> int:
        """Give its first address, from 0, as it goes over the line."""
        return int(self.register.partition(":")[2])

    @property
    def kind(self) -> str:
        """Give its type, the default filled in."""
        return self.type or ("bool" if self.bank in _SINGLE_BITS else "uint16")


class ModbusPoint(Point, frozen=True, kw_only=True):
    """A coil or a value in holding registers that may be written."""

    register: Annotated[
        str,
        Meta(
            pattern=r"\A(coil|holding):(0|[1-9][0-9]{0,4})\Z",
            description="coil or holding, a colon, and an address from 0 to 65535",
        ),
    ]
    # None: as of a metric.
    type: WritableType | None = None
    word_order: Order = "big"
    byte_order: Order = "big"
    scale: Annotated[int | float | None, Meta(description="a number other than 0")] = None
    # false: function 6 writes one register; some units know only 16, which writes several.
    multiple: bool = False

    @property
    def metric(self) -> ModbusMetric:
        """Give the metric that reads what this writes."""
        return ModbusMetric(
            name=self.name,
            register=self.register,
            type=self.type,
            word_order=self.word_order,
            byte_order=self.byte_order,
            unit=self.unit,
            scale=self.scale,
        )

    @property
    def kind(self) -> str:
        """Give the type of its values."""
        return self.metric.kind


class ModbusSource(Struct, frozen=True, kw_only=True, tag_field="type", tag="modbus"):
    """One unit on a Modbus bus; units whose url is the same share the bus, and one asks for all."""

    name: Name
    url: Text
    # 1: what most devices are delivered with.
    unit_id: Annotated[int, Meta(ge=0, le=255, description="from 0 to 255")] = 1
    # A second is what people expect to see; a bus of 9600 baud reads some 300 registers in it.
    poll_ms: Annotated[int, Meta(ge=10, le=86_400_000, description="from 10 to 86400000")] = 1000
    # Of the unit alone, the time on the line comes on top; far above what units need.
    timeout_ms: Annotated[int, Meta(ge=5, le=60_000, description="from 5 to 60000")] = 500
    # 0: the silence that the specification asks for is kept anyway.
    delay_ms: Annotated[int, Meta(ge=0, le=60_000, description="from 0 to 60000")] = 0
    # A minute: what comes back is heard soon, and a dead unit costs its bus next to nothing.
    backoff_ms_max: Annotated[
        int, Meta(ge=10, le=86_400_000, description="from 10 to 86400000")
    ] = 60_000
    # 0: many units refuse to have registers read that they do not have.
    gap_max: Annotated[int, Meta(ge=0, le=124, description="from 0 to 124")] = 0
    # All that the specification allows; some units allow less.
    count_max: Annotated[int, Meta(ge=4, le=REGISTERS_MAX, description="from 4 to 125")] = (
        REGISTERS_MAX
    )
    stale_ms: StaleMs = STALE_MS
    equipment: Equipment = ""
    metric: Annotated[tuple[ModbusMetric, ...], Meta(min_length=1, description="at least one")]
    # (): nothing is ever written.
    point: tuple[ModbusPoint, ...] = ()

    @property
    def bus(self) -> Bus:
        """Where the bus is, and how it is set up."""
        return bus(self.url)


def check_source(faults: Faults, at: Path, said: Table[str, object]) -> None:
    """Check a bus's address, and that there is something to read."""
    match said.get("url"):
        case str() as url:
            try:
                bus(url)
            except ValueError as fault:
                example = "serial:///dev/ttyUSB0?baud=19200&parity=E, or tcp://10.0.0.5:502"
                faults.add(BadUrl, (*at, "url"), reason=str(fault), example=example)
            unit = said.get("unit_id")
            if url.startswith("serial:") and isinstance(unit, int) and not 1 <= unit <= 247:
                faults.add(OutOfRange, (*at, "unit_id"), expected="from 1 to 247 on a serial line")


def check_metric(faults: Faults, at: Path, said: Table[str, object], count_max: object) -> None:
    """Check what the keys of one metric come to together."""
    needed = ModbusMetric.__struct_fields__
    if any(key not in said for key in needed):
        return  # Something is wrong with it already.
    metric = ModbusMetric(**said)  # type: ignore[arg-type]
    for key, reason in _without_effect(metric):
        faults.add(NoEffect, (*at, key), reason=reason)
    words = metric.length or WORDS[metric.kind]
    if metric.kind == "string" and metric.length is None:
        faults.add(MissingKey, (*at, "length"))
    elif metric.address + words > _ADDRESSES:
        faults.add(OutOfRange, (*at, "register"), expected="at most 65535 at its last register")
    elif isinstance(count_max, int) and words > count_max:
        faults.add(OutOfRange, (*at, "length"), expected="at most count_max registers")
    for key in ("scale", "min", "max"):
        number = getattr(metric, key)
        if number is not None and not abs(number) <= 1e30:
            faults.add(OutOfRange, (*at, key), expected="a number other than nan and inf")
    if metric.scale == 0:
        faults.add(OutOfRange, (*at, "scale"), expected="a number other than 0, nan and inf")
    if metric.min is not None and metric.max is not None and metric.min > metric.max:
        faults.add(OutOfRange, (*at, "max"), expected="at least min")
    if metric.bit is not None and metric.bit + metric.bit_count > 16 * WORDS[metric.kind]:
        faults.add(OutOfRange, (*at, "bit"), expected="bits that its type has")


def _without_effect(metric: ModbusMetric) -> list[tuple[str, str]]:
    """Name the keys that can have no effect beside the others, and why."""
    found = []
    single, kind = metric.bank in _SINGLE_BITS, metric.kind
    number = metric.bit is None or metric.bit_count > 1
    if single != (kind == "bool"):
        reason = "a coil or discrete input is bool, and a register is not; bit= picks a bit of one"
        return [("type", reason)]
    if metric.word_order != "big" and WORDS[kind] == 1:
        found.append(("word_order", "its type has one register"))
    if metric.byte_order != "big" and single:
        found.append(("byte_order", "it is one bit"))
    if metric.bit is not None and not re.fullmatch(r"uint\d\d", kind):
        found.append(("bit", "bits are picked from uint16, uint32 and uint64"))
    if metric.bit is None and metric.bit_count != 1:
        found.append(("bit_count", "there is no 'bit' beside it"))
    if metric.length is not None and kind != "string":
        found.append(("length", "only a string has a length"))
    if kind in ("bool", "string") or not number:
        keys = [key for key in ("scale", "min", "max") if getattr(metric, key) is not None]
        found += [(key, "it is not a number") for key in keys]
    return found
