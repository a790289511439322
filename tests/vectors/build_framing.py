"""Vectors of framing: a source's framing and checksum, a stream, and the telegrams in it.

`quiet` in a stream of hex stands for a silence of more than gap_ms. The sums are made here by other
means than the gateway's.
"""

import binascii
import zlib

CHAPTER = "docs/devices/serial.md"
LINE = '[framing]\nby = "delimiter"\nend = "\\r\\n"\n'
NMEA = '[framing]\nby = "delimiter"\nbegin = "$"\nend = "\\r\\n"\n[checksum]\ntype = "nmea"\n'
STX = '[framing]\nby = "stx-etx"\n'
BCC = STX + '[checksum]\ntype = "xor"\nafter_end = true\nwith_end = true\n'
DLE = '[framing]\nby = "stx-etx"\nbegin = "hex:10 02"\nend = "hex:10 03"\nescape = "hex:10"\n'
PPP = (
    '[framing]\nby = "delimiter"\nend = "~"\nescape = "}"\nescape_xor = 32\n'
    '[checksum]\ntype = "crc-16/ibm-sdlc"\n'
)
TOLEDO = (
    '[framing]\nby = "stx-etx"\nend = "\\r"\n'
    '[checksum]\ntype = "toledo"\nafter_end = true\nwith_begin = true\nwith_end = true\n'
)
FIXED = '[framing]\nby = "fixed"\nsize = 6\n'
MARKED = (
    '[framing]\nby = "fixed"\nsize = 6\nbegin = "hex:AA"\n'
    '[checksum]\ntype = "sum"\nwith_begin = true\n'
)
LENGTH = (
    '[framing]\nby = "length"\nbegin = "hex:55"\noffset = 1\nwidth = 2\n'
    'order = "little"\nadjust = 7\n'
    '[checksum]\ntype = "crc-32/iso-hdlc"\nwith_begin = true\n'
)
MODBUS = '[framing]\nby = "fixed"\nsize = 8\n[checksum]\ntype = "crc-16/modbus"\n'
SLIP = '[framing]\nby = "slip"\n[checksum]\ntype = "crc-16/xmodem"\n'
COBS = '[framing]\nby = "cobs"\n'
SHORT = "telegram_bytes_max = 8\n"

Streams = list[tuple[str, str, str, list[str]]]


def build() -> dict[str, object]:
    """Build the vectors."""
    good = [_vector(*one) for one in (*_marked(), *_sized())]
    bad = [_vector(*one) for one in (*_spoilt(), *_lost())]
    return {
        "noun": "framing",
        "chapter": CHAPTER,
        "good": [one | {"expect": {"pieces": pieces}} for one, pieces in good],
        "bad": [one | {"error": _first(pieces), "pieces": pieces} for one, pieces in bad],
    }


def _first(pieces: list[str]) -> str:
    return next(piece for piece in pieces if "." in piece)


def _vector(
    name: str, settings: str, stream: str, pieces: list[str]
) -> tuple[dict[str, object], list[str]]:
    return {"name": name, "settings": settings, "stream": stream}, pieces


def _hex(*said: bytes | None) -> str:
    """Write a stream; None is a silence."""
    return " ".join("quiet" if one is None else one.hex() for one in said if one != b"")


def _nmea(said: bytes) -> bytes:
    total = 0
    for byte in said:
        total ^= byte
    return b"$%s*%02X\r\n" % (said, total)


def _toledo(said: bytes) -> bytes:
    whole = b"\x02" + said + b"\r"
    return whole + bytes((128 - sum(whole) % 128 & 127,))


def _length(said: bytes) -> bytes:
    whole = b"\x55" + len(said).to_bytes(2, "little") + said
    return whole + zlib.crc32(whole).to_bytes(4, "little")


def _slip(said: bytes) -> bytes:
    whole = said + binascii.crc_hqx(said, 0).to_bytes(2)
    return whole.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc") + b"\xc0"


def _sum(said: bytes) -> bytes:
    return said + bytes((sum(said) % 256,))


RMC = b"GPRMC,120000.00,A,3113.8000,N,12128.2000,E,0.5,54.7,211125,,,A"
WEIGHT = b"<0 001234000000"
# The example of a single register in the specification of Modbus over serial lines.
RTU = bytes.fromhex("1106000100039a9b")


def _marked() -> Streams:
    return [
        ("lines", LINE, _hex(None, b"+1.5\r\n", b"\r\n+1.6\r\n"), [_p(b"+1.5"), _p(b"+1.6")]),
        ("a line cut anywhere", LINE, _hex(None, b"+1", b".5\r", b"\n"), [_p(b"+1.5")]),
        ("an NMEA sentence", NMEA, _hex(_nmea(RMC)), [_p(RMC)]),
        (
            "lower digits",
            NMEA,
            _hex(_nmea(b"GPGGA,7").lower().replace(b"gpgga", b"GPGGA")),
            [_p(b"GPGGA,7")],
        ),
        ("blanks between", STX, _hex(b"\x02A\x03\r\n\x02B\x03\r\n"), [_p(b"A"), _p(b"B")]),
        ("BCC over ETX", BCC, _hex(b"\x02AB\x03" + bytes((0x41 ^ 0x42 ^ 3,))), [_p(b"AB")]),
        (
            "BCC that looks like STX",
            BCC,
            _hex(b"\x02\x01\x03\x02\x02\x01\x03\x02"),
            [_p(b"\x01")] * 2,
        ),
        (
            "DLE within",
            DLE,
            _hex(b"x\x10\x02a\x10\x10\x03\x10\x03"),
            ["line.garbage", _p(b"a\x10\x03")],
        ),
        ("PPP", PPP, _hex(None, b"123456789\x6e\x90~", b"1\x7d\x5d23456789"), [_p(b"123456789")]),
        ("a scale", TOLEDO, _hex(_toledo(WEIGHT)), [_p(WEIGHT)]),
        ("SLIP", SLIP, _hex(b"\xc0", _slip(b"\xc0a\xdb")), [_p(b"\xc0a\xdb")]),
        ("COBS", COBS, _hex(b"\0", bytes.fromhex("0311220233"), b"\0"), [_p(b"\x11\x22\0\x33")]),
    ]


def _p(payload: bytes) -> str:
    return payload.hex()


def _sized() -> Streams:
    return [
        (
            "a fixed length after a silence",
            FIXED,
            _hex(None, b"abcdefghijkl"),
            [_p(b"abcdef"), _p(b"ghijkl")],
        ),
        ("RTU as a fixed length", MODBUS, _hex(None, RTU), [_p(RTU[:-2])]),
        (
            "found by its beginning",
            MARKED,
            _hex(b"x", _sum(b"\xaa1234")),
            ["line.garbage", _p(b"1234")],
        ),
        ("a length", LENGTH, _hex(_length(b"abc") + _length(b"")), [_p(b"\x03\0abc"), _p(b"\0\0")]),
        (
            "found again within what is none",
            MARKED,
            _hex(b"\xaa12", _sum(b"\xaa5678")),
            ["line.checksum", "line.garbage", _p(b"5678")],
        ),
    ]


def _spoilt() -> Streams:
    toledo, sentence = _toledo(WEIGHT), _nmea(RMC)
    return [
        (
            "a sentence with another checksum",
            NMEA,
            _hex(sentence.replace(b",A,", b",V,")),
            ["line.checksum"],
        ),
        ("a sentence without one", NMEA, _hex(b"$GPRMC,1,A\r\n"), ["line.checksum"]),
        (
            "a scale with a bit flipped",
            TOLEDO,
            _hex(toledo.replace(b"1234", b"1235")),
            ["line.checksum"],
        ),
        ("two digits that are none", NMEA, _hex(b"$GPRMC*G0\r\n"), ["line.checksum"]),
        ("a BCC without its ETX", BCC, _hex(b"\x02AB\x03\x03"), ["line.checksum"]),
        ("RTU with another CRC", MODBUS, _hex(None, RTU[:-1] + b"\0"), ["line.checksum"]),
        ("shorter than its checksum", SLIP, _hex(b"\xc0a\xc0"), ["line.checksum"]),
        ("SLIP: an escape of nothing", SLIP, _hex(b"\xc0a\xdbb\xc0"), ["line.escape"]),
        ("SLIP: an escape at the end", SLIP, _hex(b"\xc0a\xdb\xc0"), ["line.escape"]),
        (
            "DLE: an escape of a letter",
            DLE,
            _hex(b"x\x10\x02a\x10b\x10\x03"),
            ["line.garbage", "line.escape"],
        ),
        ("COBS: beyond its end", COBS, _hex(b"\0\x05\x11\0"), ["line.cobs"]),
        (
            "a fixed length without its end",
            '[framing]\nby = "fixed"\nsize = 4\nend = "\\r"\n',
            _hex(None, b"abcd", None, b"abc\r"),
            ["line.end", _p(b"abc")],
        ),
        (
            "a length beyond what may be",
            LENGTH,
            _hex(b"\x55\xff\xff", None),
            ["line.length", "line.garbage"],
        ),
        (
            "a length with another CRC",
            LENGTH,
            _hex(_length(b"abc")[:-1] + b"\0"),
            ["line.checksum"],
        ),
    ]


def _lost() -> Streams:
    return [
        ("begun before us", LINE, _hex(b"5\r\n+1.6\r\n"), ["line.garbage", _p(b"+1.6")]),
        (
            "begun before us, then a silence",
            LINE,
            _hex(b"5", None, b"6\r\n+1.7\r\n"),
            ["line.garbage", "line.garbage", _p(b"+1.7")],
        ),
        ("broken off", LINE, _hex(None, b"+1", None), ["line.gap"]),
        (
            "the rest of what broke off",
            LINE,
            _hex(None, b"+1", None, None, b".5\r\n+1.6\r\n"),
            ["line.gap", "line.garbage", _p(b"+1.6")],
        ),
        (
            "broken off after STX",
            STX,
            _hex(b"\x02A", None, b"B\x03\x02C\x03"),
            ["line.gap", "line.garbage", _p(b"C")],
        ),
        ("begun again", STX, _hex(b"\x02A\x02B\x03"), ["line.begun-again", _p(b"B")]),
        ("broken off before its checksum", BCC, _hex(b"\x02AB\x03", None), ["line.gap"]),
        (
            "too long",
            SHORT + LINE,
            _hex(None, b"123456789", b"\r\n+1.5\r\n"),
            ["line.long", "line.garbage", _p(b"+1.5")],
        ),
        (
            "too long after STX",
            SHORT + STX,
            _hex(b"\x02123456789\x03", None),
            ["line.long", "line.garbage"],
        ),
        (
            "a fixed length broken off",
            FIXED,
            _hex(None, b"abc", None, b"defghi", None, b"jklmno"),
            ["line.gap", "line.garbage", _p(b"jklmno")],
        ),
        (
            "a fixed length begun before us",
            FIXED,
            _hex(b"def", None, b"ghijkl"),
            ["line.garbage", _p(b"ghijkl")],
        ),
        ("half an escape before us", DLE, _hex(b"\x10\x02a\x10\x03", None), ["line.garbage"]),
        ("another protocol", NMEA, _hex(b"\x01\x03\x02\x00\x2a\x39\x9b", None), ["line.garbage"]),
    ]
