"""A frame: what a device and its gateway say over a serial line. Protocol: docs/protocol/frame.md.

In: bytes as they come from a line, split anywhere and full of noise. Out: frames, and an error for
each piece that is none. The twin of firmware_bridge/bridge.c, tested against it on every vector.
With a key, frames are of version 2: each carries a tag that only who has the key can make. Of a
device that signs they are of version 3; whether a signature holds is for `line` to see.
Nothing here opens a port, reads a clock, or knows what was said before: that is `line`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from hmac import compare_digest, digest
from struct import Struct
from zlib import crc32

from cobs import cobs

from gateway.errors import (
    BadCobs,
    BadCrc,
    BadTag,
    FrameError,
    LongFrame,
    MalformedFrame,
    ShortFrame,
    UnknownFrameType,
    UnknownFrameVersion,
    UnsignedFrame,
)

VERSION, VERSION_KEYED, VERSION_SIGNED = 1, 2, 3
KEY_BYTES, TAG_BYTES, CHALLENGE_BYTES, SIGNATURE_BYTES = 32, 16, 8, 64
RAW_BYTES_MAX = 253
CODED_BYTES_MAX = RAW_BYTES_MAX + 1  # COBS adds exactly one byte up to 253
RAW_BYTES_MIN = 6
SAMPLES_MAX = 14
SEQUENCE_END = 1 << 63
AGE_MS_MAX = (1 << 32) - 1

NAME_BYTES_MAX = 32
METRIC_BYTES_MAX = 48
UNIT_BYTES_MAX = 16

OUTCOMES = ("done", "unsupported", "refused", "expired", "failed")

# What the tag is over begins with this, so that no other use of the key gives a frame.
_DOMAIN = b"hulian/1/frame"
# Types that carry a challenge when they are keyed: TABLE answers that of the ASK.
_CHALLENGED = (0x01, 0x81)
# Where the frames of the gateway begin.
_GATEWAY = 0x80
_TYPES = (0x01, 0x02, 0x03, 0x81, 0x82, 0x83)
CLOCK_BYTES = 8

_SAMPLE = Struct(">BBbqI")
_SAMPLES = Struct(">8sQQIQ")
_TABLE = Struct(">8sBB")
_RESULT = Struct(">8sIB")
_ACK = Struct(">8sQ")
_COMMAND = Struct(">8sII")


@dataclass(frozen=True, slots=True)
class Metric:
    """A row of a device's table: what a metric is called, and its unit ("" for none)."""

    name: str
    unit: str


@dataclass(frozen=True, slots=True)
class Sample:
    """A number under a metric's index: mantissa * 10 ** exponent, taken age_ms before sending."""

    metric: int
    quality: int
    exponent: int
    mantissa: int
    age_ms: int

    def encode(self) -> bytes:
        """Give its 15 bytes."""
        return _SAMPLE.pack(self.metric, self.quality, self.exponent, self.mantissa, self.age_ms)


@dataclass(frozen=True, slots=True)
class Table:
    """From the device: its name, and rows of its table from `first` on, of `total`.

    `challenge` is that of the ASK heard last, zeros before; empty without a key.
    """

    boot: bytes
    total: int
    first: int
    name: str
    metrics: tuple[Metric, ...]
    challenge: bytes = b""


@dataclass(frozen=True, slots=True)
class Samples:
    """From the device: samples numbered from `first` on, and what its ring keeps and dropped."""

    boot: bytes
    oldest: int
    next: int
    dropped: int
    first: int
    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """From the device: what became of a command."""

    boot: bytes
    number: int
    outcome: int
    said: bytes


@dataclass(frozen=True, slots=True)
class Ask:
    """From the gateway: say who you are, and all that is not acknowledged."""

    challenge: bytes = b""


@dataclass(frozen=True, slots=True)
class Ack:
    """From the gateway: all samples below `next` are stored."""

    boot: bytes
    next: int


@dataclass(frozen=True, slots=True)
class Command:
    """From the gateway: do this within valid_ms, or not at all; `command` knows what it says."""

    boot: bytes
    number: int
    valid_ms: int
    said: bytes


@dataclass(frozen=True, slots=True)
class Signed:
    """From a device that signs: a frame, its bytes up to the signature, and that, not verified."""

    frame: Table | Samples | Result
    said: bytes
    signature: bytes


Frame = Table | Samples | Result | Ask | Ack | Command | Signed


@dataclass(frozen=True, slots=True)
class Refused:
    """What stood between two delimiters and is no frame, and why."""

    said: bytes
    error: FrameError


def encode(frame: Frame, key: bytes | None = None, signed: bool = False) -> bytes:
    """Give the bytes for the line, with a delimiter before and after, and a tag under a key.

    `signed` says that the device signs: then frames are of version 3, and the gateway's bare.
    """
    raw = _raw(frame, signed) if key is None else _keyed(frame, key)
    if len(raw) + 4 > RAW_BYTES_MAX:
        raise LongFrame(size=len(raw) + 5, size_max=CODED_BYTES_MAX)
    coded: bytes = cobs.encode(raw + crc32(raw).to_bytes(4))
    return b"\x00" + coded + b"\x00"


def _raw(frame: Frame, signed: bool) -> bytes:
    if isinstance(frame, Signed):
        return frame.said + frame.signature
    return bytes((VERSION_SIGNED, *_challenged(frame))) if signed else bytes((1, *_body(frame)))


def _keyed(frame: Frame, key: bytes) -> bytes:
    raw = bytes((VERSION_KEYED, *_challenged(frame)))
    return raw + tag(key, raw)


def _challenged(frame: Frame) -> bytes:
    """Give type and body as versions 2 and 3 have them."""
    body = _body(frame)
    if isinstance(frame, Table | Ask):
        return body[:1] + frame.challenge + body[1:]
    return body


def to_be_signed(frame: Table | Samples | Result, now_ms: int) -> bytes:
    """Give a device's frame of version 3 up to its signature; now_ms is the device's own time."""
    body = _challenged(frame)
    if isinstance(frame, Samples):
        body = body[:1] + now_ms.to_bytes(CLOCK_BYTES) + body[1:]
    return bytes((VERSION_SIGNED, *body))


def tag(key: bytes, raw: bytes) -> bytes:
    """Give what proves version, type and body of a frame to who has the key."""
    return digest(key, _DOMAIN + raw, "sha256")[:TAG_BYTES]


def _body(frame: Frame) -> bytes:
    match frame:
        case Table(boot, total, first, name, metrics):
            rows = b"".join(text(metric.name) + text(metric.unit) for metric in metrics)
            return b"\x01" + _TABLE.pack(boot, total, first) + text(name) + rows
        case Samples(boot, oldest, following, dropped, first, samples):
            start = _SAMPLES.pack(boot, oldest, following, dropped, first)
            return b"\x02" + start + b"".join(sample.encode() for sample in samples)
        case Result(boot, number, outcome, said):
            return b"\x03" + _RESULT.pack(boot, number, outcome) + said
        case Ask():
            return b"\x81"
        case Ack(boot, following):
            return b"\x82" + _ACK.pack(boot, following)
        case Command(boot, number, valid_ms, said):
            return b"\x83" + _COMMAND.pack(boot, number, valid_ms) + said
        case Signed(said=said):
            return said[1:]


def text(said: str) -> bytes:
    """Write a text with its length before it."""
    return bytes((len(said),)) + said.encode("ascii")


def decode(coded: bytes, key: bytes | None = None, signed: bool = False) -> Frame:
    """Read what stood between two delimiters; raise a FrameError and nothing else.

    With a key, nothing is a frame that does not carry its tag; of a device that signs, nothing
    that does not have room for a signature.
    """
    if len(coded) > CODED_BYTES_MAX:
        raise LongFrame(size=len(coded), size_max=CODED_BYTES_MAX)
    try:
        raw = cobs.decode(coded)
    except cobs.DecodeError as error:
        raise BadCobs(reason=str(error)) from None
    if len(raw) < RAW_BYTES_MIN:
        raise ShortFrame(size=len(raw), size_min=RAW_BYTES_MIN)
    if crc32(raw[:-4]) != int.from_bytes(raw[-4:]):
        raise BadCrc(size=len(raw))
    said = raw[:-4]
    if key is not None and said[0] in (VERSION, VERSION_KEYED):
        return _read_keyed(said, key)
    if signed and said[0] in (VERSION, VERSION_KEYED):
        raise UnsignedFrame(reason=f"it is of version {said[0]}")
    if signed and said[0] == VERSION_SIGNED:
        return read_signed(said)
    if said[0] != VERSION:
        raise UnknownFrameVersion(version=said[0])
    return _read(said[1], said[2:])


def _read_keyed(said: bytes, key: bytes) -> Frame:
    raw, its = said[:-TAG_BYTES], said[-TAG_BYTES:]
    if said[0] != VERSION_KEYED or len(raw) < 2 or not compare_digest(tag(key, raw), its):
        raise BadTag(size=len(said))
    kind, body = raw[1], raw[2:]
    if kind not in _CHALLENGED:
        return _read(kind, body)
    if len(body) < CHALLENGE_BYTES:
        raise MalformedFrame(kind=kind, reason="it ends before its challenge")
    frame = _read(kind, body[CHALLENGE_BYTES:])
    assert isinstance(frame, Table | Ask)
    return replace(frame, challenge=body[:CHALLENGE_BYTES])


def read_signed(said: bytes) -> Ask | Ack | Command | Signed:
    """Read version, type, body and signature; the signature is not verified here."""
    kind = said[1]
    if kind not in _TYPES:
        raise UnknownFrameType(kind=kind)
    before = CLOCK_BYTES if kind in _CHALLENGED or kind == 0x02 else 0
    end = len(said) - (SIGNATURE_BYTES if kind < _GATEWAY else 0)
    if end < 2 + before:
        raise MalformedFrame(kind=kind, reason="it ends before its signature")
    frame = _read(kind, said[2 + before : end])
    if isinstance(frame, Table | Ask):
        frame = replace(frame, challenge=said[2 : 2 + before])
    if isinstance(frame, Table | Samples | Result):
        return Signed(frame, said[:end], said[end:])
    return frame


def _read(kind: int, body: bytes) -> Table | Samples | Result | Ask | Ack | Command:
    match kind:
        case 0x01:
            return _read_table(body)
        case 0x02:
            return _read_samples(body)
        case 0x03 if len(body) >= _RESULT.size and body[12] < len(OUTCOMES):
            boot, number, outcome = _RESULT.unpack_from(body)
            return Result(boot, number, outcome, body[_RESULT.size :])
        case 0x81 if not body:
            return Ask()
        case 0x82 if len(body) == _ACK.size and body[8] < 0x80:
            return Ack(*_ACK.unpack(body))
        case 0x83 if len(body) >= _COMMAND.size:
            boot, number, valid_ms = _COMMAND.unpack_from(body)
            return Command(boot, number, valid_ms, body[_COMMAND.size :])
        case 0x03 | 0x81 | 0x82 | 0x83:
            raise MalformedFrame(kind=kind, reason="a field is missing, extra or out of bounds")
    raise UnknownFrameType(kind=kind)


def _read_samples(body: bytes) -> Samples:
    count, rest = divmod(len(body) - _SAMPLES.size, _SAMPLE.size)
    if rest or not 1 <= count <= SAMPLES_MAX:
        raise MalformedFrame(kind=2, reason="not a whole number of samples from 1 to 14")
    boot, oldest, following, dropped, first = _SAMPLES.unpack_from(body)
    if not oldest <= first <= first + count <= following < SEQUENCE_END:
        raise MalformedFrame(kind=2, reason="its sequence numbers contradict each other")
    samples = tuple(Sample(*fields) for fields in _SAMPLE.iter_unpack(body[_SAMPLES.size :]))
    return Samples(boot, oldest, following, dropped, first, samples)


def _read_table(body: bytes) -> Table:
    if len(body) < _TABLE.size:
        raise MalformedFrame(kind=1, reason="it ends before the device's name")
    boot, total, first = _TABLE.unpack_from(body)
    name, at = read_text(body, _TABLE.size, (1, NAME_BYTES_MAX))
    metrics = []
    while at < len(body):
        metric, at = read_text(body, at, (1, METRIC_BYTES_MAX))
        unit, at = read_text(body, at, (0, UNIT_BYTES_MAX))
        metrics.append(Metric(metric, unit))
    if not 1 <= len(metrics) <= total - first:
        raise MalformedFrame(kind=1, reason="its metrics are none or more than it announces")
    return Table(boot, total, first, name, tuple(metrics))


def read_text(body: bytes, at: int, bounds: tuple[int, int]) -> tuple[str, int]:
    """Read a text at a place; give it and where it ends; raise MalformedFrame."""
    length = body[at] if at < len(body) else -1
    found = body[at + 1 : at + 1 + length]
    if not bounds[0] <= length <= bounds[1] or len(found) != length:
        raise MalformedFrame(kind=1, reason="a text is missing, too short or too long")
    if any(not 0x21 <= byte <= 0x7E for byte in found):
        raise MalformedFrame(kind=1, reason="a text is not printable ASCII")
    return found.decode("ascii"), at + 1 + length


class Splitter:
    """Cuts a line's bytes at delimiters; keeps at most one frame's bytes between two calls."""

    def __init__(self, key: bytes | None = None, signed: bool = False) -> None:
        self._kept, self._key, self._signed = b"", key, signed

    def feed(self, heard: bytes) -> Iterator[Frame | Refused]:
        """Take the next bytes; give each frame, and each piece that is none, as it ends."""
        *ended, rest = (self._kept + heard).split(b"\x00")
        # One byte above the limit is kept, so that the piece is still known to be too long.
        self._kept = rest[: CODED_BYTES_MAX + 1]
        for coded in ended:
            if coded:
                yield _decoded(coded, self._key, self._signed)


def _decoded(coded: bytes, key: bytes | None, signed: bool) -> Frame | Refused:
    try:
        return decode(coded, key, signed)
    except FrameError as error:
        return Refused(coded[: CODED_BYTES_MAX + 1], error)
