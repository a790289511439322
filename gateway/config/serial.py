"""A serial source: an instrument that speaks a protocol of its own, read from the config alone.

In: values that `load` has checked. Out: the same, by name. Reference: docs/devices/serial.md.
"""

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from gateway.config.addresses import SerialLine, instrument
from gateway.config.devices import STALE_MS, Equipment, StaleMs
from gateway.config.names import Name, Short, Text, Unit

# Bytes, written as a TOML text of ASCII with its escapes, or as "hex:0D 0A".
Octets = Annotated[
    str,
    Meta(
        pattern=r"\A(hex:( ?[0-9A-Fa-f]{2}){1,256}|(?!hex:)[\x00-\x7f]{1,256})\Z",
        description="1 to 256 letters of ASCII, or bytes written as hex:0D 0A",
    ),
]
Pattern = Annotated[
    str, Meta(min_length=1, max_length=512, description="a pattern of 1 to 512 letters")
]
Order = Literal["big", "little"]
FramingKind = Literal["delimiter", "stx-etx", "fixed", "length", "slip", "cobs"]
ChecksumType = Literal[
    "crc-8/smbus",
    "crc-8/maxim-dow",
    "crc-8/sae-j1850",
    "crc-16/arc",
    "crc-16/modbus",
    "crc-16/ibm-3740",
    "crc-16/xmodem",
    "crc-16/kermit",
    "crc-16/ibm-sdlc",
    "crc-16/spi-fujitsu",
    "crc-16/dnp",
    "crc-32/iso-hdlc",
    "crc-32/bzip2",
    "crc-32/mpeg-2",
    "lrc",
    "xor",
    "sum",
    "sum-16",
    "toledo",
    "nmea",
]
SerialFormat = Literal["text", "json", "binary"]
FieldType = Literal[
    "number",
    "text",
    "hex",
    "degrees",
    "int8",
    "uint8",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "uint64",
    "float32",
    "float64",
    "bcd",
    "string",
]
TEXT_TYPES: Final = ("number", "text", "hex", "degrees")
# How many bytes a value of a type has; bcd and string have as many as their `length` says.
WIDTHS: Final[dict[str, int]] = {
    **{"int8": 1, "uint8": 1, "int16": 2, "uint16": 2, "int32": 4, "uint32": 4},
    **{"int64": 8, "uint64": 8, "float32": 4, "float64": 8},
}
TELEGRAM_BYTES_MAX: Final = 16_384
_Size = Annotated[int, Meta(ge=1, le=TELEGRAM_BYTES_MAX, description="from 1 to 16384")]
_Place = Annotated[int, Meta(ge=0, le=TELEGRAM_BYTES_MAX, description="from 0 to 16384")]


class Framing(Struct, frozen=True, kw_only=True):
    """How an instrument says where a telegram begins and ends."""

    by: FramingKind
    # None: a telegram begins where the one before it ended; of stx-etx the byte 02.
    begin: Octets | None = None
    # None: of stx-etx the byte 03; slip and cobs have theirs.
    end: Octets | None = None
    # None: begin and end never stand within a telegram.
    escape: Octets | None = None
    # 0: the byte after an escape is meant as it is. PPP has 32.
    escape_xor: Annotated[int, Meta(ge=0, le=255, description="from 0 to 255")] = 0
    # None: only a fixed length has one; of the whole telegram, begin and end within.
    size: _Size | None = None
    # Of the length within a telegram, counted from its first byte.
    offset: _Place = 0
    width: Annotated[int, Meta(ge=1, le=4, description="from 1 to 4")] = 1
    order: Order = "big"
    # None: the length counts what follows it. Otherwise: the whole telegram less what it says.
    adjust: Annotated[int, Meta(ge=-64, le=1024, description="from -64 to 1024")] | None = None


class Checksum(Struct, frozen=True, kw_only=True):
    """What an instrument adds to a telegram so that a broken one is known."""

    type: ChecksumType
    # None: big, but little for CRCs that count from the lowest bit, as they are sent usually.
    order: Order | None = None
    hex: bool = False
    # Where it stands: last of what is between begin and end, or behind the end.
    after_end: bool = False
    with_begin: bool = False
    with_end: bool = False
    # Bytes after begin that it does not cover.
    skip: _Place = 0


class SerialMetric(Struct, frozen=True, kw_only=True):
    """One metric of an instrument: where it is in a telegram, and what it means."""

    name: Short
    # text: a field by its number, from 0, or by its name in the pattern. None: the first.
    field: Annotated[
        int | str | None,
        Meta(description="a number of a field from 0 to 999, or its name in 'pattern'"),
    ] = None
    # json: a JMESPath.
    path: Text | None = None
    # binary: where it begins, counted from the first byte after begin.
    offset: _Place | None = None
    # None: number of a field; a binary value has none of its own accord.
    type: FieldType | None = None
    length: Annotated[int, Meta(ge=1, le=1024, description="from 1 to 1024")] | None = None
    byte_order: Order = "big"
    # None: the whole number. Bits are counted from 0, the lowest.
    bit: Annotated[int, Meta(ge=0, le=63, description="from 0 to 63")] | None = None
    bit_count: Annotated[int, Meta(ge=1, le=63, description="from 1 to 63")] = 1
    unit: Unit = ""
    scale: Annotated[int | float | None, Meta(description="a number other than 0")] = None
    # None: it is in every telegram. Otherwise only in those whose beginning matches.
    match: Pattern | None = None
    # The value is meant below zero, doubtful, or no value to trust, where the telegram matches.
    negative: Pattern | None = None
    uncertain: Pattern | None = None
    bad: Pattern | None = None

    @property
    def kind(self) -> str:
        """Give its type, the default filled in."""
        return self.type or "number"


class SerialSource(Struct, frozen=True, kw_only=True, tag_field="type", tag="serial"):
    """An instrument on a serial line, with its own framing, checksum and fields."""

    name: Name
    url: Text
    # None: the source's own name. Nobody on a line can prove one.
    device: Short | None = None
    # Far above what instruments say at once, and little memory.
    telegram_bytes_max: _Size = 1024
    # Above the pauses that USB adapters make (16 ms), below those between two telegrams of most.
    gap_ms: Annotated[int, Meta(ge=5, le=60_000, description="from 5 to 60000")] = 100
    # None: it speaks by itself.
    ask: Octets | None = None
    poll_ms: Annotated[int, Meta(ge=10, le=86_400_000, description="from 10 to 86400000")] = 1000
    timeout_ms: Annotated[int, Meta(ge=5, le=60_000, description="from 5 to 60000")] = 500
    # Ten time-outs: who is that late has forgotten the question.
    late_ms_max: Annotated[int, Meta(ge=0, le=600_000, description="from 0 to 600000")] = 5000
    format: SerialFormat = "text"
    # None: the whole text is one field, unless there is a pattern. A blank: any run of blanks.
    separator: (
        Annotated[str, Meta(min_length=1, max_length=8, description="1 to 8 letters")] | None
    ) = None
    pattern: Pattern | None = None
    # None: the time of arrival. text: fields, such as "9 1", joined by a blank; json: a JMESPath.
    time: Text | None = None
    # None: in every telegram. Otherwise only in those whose beginning matches.
    time_match: Pattern | None = None
    # None: the time is ISO 8601 or a number.
    time_format: Text | None = None
    time_unit: Literal["auto", "s", "ms", "us", "ns"] = "auto"
    time_zone: (
        Annotated[
            str,
            Meta(
                pattern=r"\A(Z|[+-](0\d|1[0-4]):[0-5]\d)\Z",
                description="Z, or an offset such as +08:00",
            ),
        ]
        | None
    ) = None
    framing: Framing
    # None: what the line changes is not noticed.
    checksum: Checksum | None = None
    metric: tuple[SerialMetric, ...] = ()
    stale_ms: StaleMs = STALE_MS
    equipment: Equipment = ""

    @property
    def serial_line(self) -> SerialLine:
        """Which line it is, and how it is set up."""
        return instrument(self.url)


def octets(said: str) -> bytes:
    """Read bytes as the config writes them."""
    if said.startswith("hex:"):
        return bytes.fromhex(said.removeprefix("hex:"))
    return said.encode("ascii")
