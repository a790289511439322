"""The vectors of frames: docs/protocol/frame.md."""

from dataclasses import asdict
from zlib import crc32

from cobs import cobs

from gateway.errors import FrameError
from gateway.readings.frame import (
    AGE_MS_MAX,
    Ack,
    Ask,
    Command,
    Frame,
    Metric,
    Refused,
    Result,
    Sample,
    Samples,
    Splitter,
    Table,
    encode,
)

BOOT = bytes.fromhex("b007000000000001")
ROWS = (Metric("temperature", "Cel"), Metric("strokes", ""))
WARM = Sample(metric=0, quality=0, exponent=-1, mantissa=215, age_ms=40)
STROKE = Sample(metric=1, quality=0, exponent=0, mantissa=1200, age_ms=12)
LAST = (1 << 63) - 1

GOOD: dict[str, Frame] = {
    "ask": Ask(),
    "ack of the first sample": Ack(BOOT, 1),
    "ack of nothing": Ack(BOOT, 0),
    "ack of the highest number": Ack(b"\xff" * 8, LAST),
    "table": Table(BOOT, 2, 0, "mcu-7", ROWS),
    "table, the rest of a table": Table(BOOT, 2, 1, "mcu-7", ROWS[1:]),
    "table with the longest texts": Table(
        BOOT, 255, 253, "n" * 32, (Metric("m" * 48, "u" * 16), Metric("~" * 48, "!"))
    ),
    "samples, one": Samples(BOOT, 0, 1, 0, 0, (WARM,)),
    "samples, two of three, the first acknowledged": Samples(BOOT, 1, 3, 0, 1, (WARM, STROKE)),
    "samples after two were dropped": Samples(BOOT, 2, 4, 2, 2, (WARM, STROKE)),
    "samples, the second of two frames": Samples(BOOT, 0, 2, 0, 1, (STROKE,)),
    "samples, as many as fit": Samples(BOOT, 0, 14, 0, 0, (WARM,) * 14),
    "samples with no zero byte, as many as fit": Samples(
        b"\x01" * 8,
        0x0101010101010101,
        0x0202020202020202,
        0x01010101,
        0x0101010101010102,
        (Sample(1, 1, 1, 0x0101010101010101, 0x01010101),) * 14,
    ),
    "samples at the edges of every number": Samples(
        b"\xff" * 8,
        LAST - 3,
        LAST,
        AGE_MS_MAX,
        LAST - 3,
        (
            Sample(255, 255, -128, -(1 << 63), AGE_MS_MAX),
            Sample(255, 2, 127, LAST, 0),
            Sample(0, 1, 0, 0, 0),
        ),
    ),
    "result": Result(BOOT, 7, 1, b""),
    "result with bytes": Result(BOOT, (1 << 32) - 1, 4, b"\x00jam\x00"),
    "command": Command(BOOT, 7, 5000, b""),
    "command with bytes": Command(BOOT, 7, 0, b"\x00open valve\x00\xff"),
}


def build() -> dict[str, object]:
    """Give the vectors as the JSON says them."""
    return {
        "noun": "frame",
        "chapter": "docs/protocol/frame.md",
        "good": [
            {"name": name, "hex": encode(frame).hex(), "expect": expect(frame)}
            for name, frame in GOOD.items()
        ],
        "bad": [
            {"name": name, "hex": wire.hex(), "error": _error(wire)}
            for name, wire in _bad().items()
        ],
    }


def expect(frame: Frame) -> dict[str, object]:
    """Give a frame's fields as JSON: bytes in hex."""
    return {"type": type(frame).__name__.upper(), **_plain(asdict(frame))}


def _plain(fields: dict[str, object]) -> dict[str, object]:
    return {
        key: value.hex() if isinstance(value, bytes) else value for key, value in fields.items()
    }


def _error(wire: bytes) -> str:
    match list(Splitter().feed(wire)):
        case [Refused(_, FrameError() as error)]:
            return error.code
        case other:
            raise AssertionError(f"not one refused frame: {other}")


def seal(raw: bytes) -> bytes:
    """Close any bytes as if they were version, type and body."""
    coded: bytes = cobs.encode(raw + crc32(raw).to_bytes(4))
    return b"\x00" + coded + b"\x00"


def _raw(name: str) -> bytes:
    raw: bytes = cobs.decode(encode(GOOD[name])[1:-1])
    return raw[:-4]


def _bad() -> dict[str, bytes]:
    one = encode(GOOD["samples, one"])
    return {**_bad_line(one), **_bad_body(), **_bad_table()}


def _bad_line(one: bytes) -> dict[str, bytes]:
    """What a line makes of a good frame, and what another protocol sends."""
    return {
        "a bit flipped": one[:20] + bytes([one[20] ^ 0x10]) + one[21:],
        "the last byte lost": one[:-2] + b"\x00",
        "the first byte lost": b"\x00" + one[2:],
        "a byte in the middle lost": one[:30] + one[31:],
        "a byte doubled": one[:30] + one[29:],
        "two frames without a delimiter": one[:-1] + one[1:],
        "a code past the end": bytes.fromhex("00 05 01 81 00"),
        "only a code": bytes.fromhex("00 ff 00"),
        "one byte": bytes.fromhex("00 01 00"),
        "five bytes": b"\x00" + cobs.encode(b"\x01\x81\x00\x00\x00") + b"\x00",
        "only zeros": b"\x00" + cobs.encode(bytes(6)) + b"\x00",
        "255 bytes": b"\x00" + b"U" * 255 + b"\x00",
        "a thousand bytes": b"\x00" + b"U" * 1000 + b"\x00",
        "254 bytes of another protocol": b"\x00" + b"U" * 254 + b"\x00",
        "a line of text": b"\x00boot: ready, waiting for the gateway to ask\r\n\x00",
        "the longest COBS block": b"\x00\xff" + b"\x01" * 253 + b"\x00",
        "the checksum little-endian": one[:1] + cobs.encode(_swapped()) + b"\x00",
        "version 0": seal(b"\x00\x81"),
        "version 2": seal(b"\x02\x81"),
        "type 0": seal(b"\x01\x00"),
        "type 4": seal(b"\x01\x04"),
        "type 0x80": seal(b"\x01\x80"),
        "type 0xff": seal(b"\x01\xff"),
    }


def _swapped() -> bytes:
    raw = _raw("samples, one")
    return raw + crc32(raw).to_bytes(4, "little")


def _bad_body() -> dict[str, bytes]:
    samples, ack = _raw("samples, one"), _raw("ack of the first sample")
    result, command = _raw("result"), _raw("command")
    return {
        "ask with a byte": seal(b"\x01\x81\x00"),
        "ack cut": seal(ack[:-1]),
        "ack with a byte more": seal(ack + b"\x00"),
        "ack above the highest number": seal(ack[:10] + b"\x80" + ack[11:]),
        "command cut": seal(command[:-1]),
        "result cut": seal(result[:-1]),
        "result of unknown outcome": seal(result[:14] + b"\x05"),
        "samples without a sample": seal(samples[:-15]),
        "samples cut": seal(samples[:-1]),
        "samples with a byte more": seal(samples + b"\x00"),
        "samples cut in the header": seal(samples[:20]),
        "oldest above first": _numbers(oldest=1, following=1, first=0),
        "first above next": _numbers(oldest=0, following=1, first=2),
        "more samples than next allows": _numbers(oldest=0, following=5, first=5),
        "next above the highest number": _numbers(oldest=0, following=1 << 63, first=0),
        "numbers that overflow": _numbers(oldest=0, following=LAST, first=(1 << 64) - 1),
    }


def _numbers(oldest: int, following: int, first: int) -> bytes:
    head = BOOT + oldest.to_bytes(8) + following.to_bytes(8) + bytes(4) + first.to_bytes(8)
    return seal(b"\x01\x02" + head + WARM.encode())


def _bad_table() -> dict[str, bytes]:
    def table(total: int, first: int, rest: bytes) -> bytes:
        return seal(b"\x01\x01" + BOOT + bytes((total, first)) + rest)

    return {
        "table cut before its name": seal(b"\x01\x01" + BOOT + b"\x01"),
        "table without a name": table(1, 0, b""),
        "table with an empty name": table(1, 0, b"\x00\x01m\x00"),
        "table with a name of 33": table(1, 0, b"\x21" + b"n" * 33 + b"\x01m\x00"),
        "table with a name cut": table(1, 0, b"\x05mcu"),
        "table with a name in UTF-8": table(1, 0, b"\x02\xc3\xa9\x01m\x00"),
        "table with a space": table(1, 0, b"\x03a b\x01m\x00"),
        "table without metrics": table(1, 0, b"\x01n"),
        "table of no metrics": table(0, 0, b"\x01n"),
        "table with an empty metric": table(1, 0, b"\x01n\x00\x00"),
        "table with a metric of 49": table(1, 0, b"\x01n\x31" + b"m" * 49 + b"\x00"),
        "table without the unit": table(1, 0, b"\x01n\x01m"),
        "table with a unit of 17": table(1, 0, b"\x01n\x01m\x11" + b"u" * 17),
        "table with a unit cut": table(1, 0, b"\x01n\x01m\x03Ce"),
        "table with a control byte": table(1, 0, b"\x01n\x01\x7f\x00"),
        "table with more metrics than announced": table(1, 0, b"\x01n\x01m\x00\x01m\x00"),
        "table beyond its table": table(2, 2, b"\x01n\x01m\x00"),
    }
