"""A telegram: one whole message of an instrument, taken out of its frame and its checksum seen.

In: the bytes of one frame. Out: what they carry, or why they are not used. Where a frame begins and
ends in a stream is `framing`'s question, and what the payload means is `fields`'.
Chapter: docs/devices/serial.md.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cobs import cobs

from gateway.config.serial import Checksum, SerialSource, octets
from gateway.errors import BadEscape, BadStuffing, ChecksumDiffers, LineError, NoEnd
from gateway.readings.checksums import matches, width

_SLIP: Final = re.compile(rb"\xdb(.?)", re.DOTALL)
_SLIP_MEANT: Final = {b"\xdc": b"\xc0", b"\xdd": b"\xdb"}


@dataclass(frozen=True, slots=True)
class Telegram:
    """One whole message of an instrument: its bytes on the line, and what they carry."""

    raw: bytes
    payload: bytes


@dataclass(frozen=True, slots=True)
class Spoilt:
    """What is no telegram, and why; its bytes where it was whole."""

    raw: bytes
    error: LineError


Piece = Telegram | Spoilt


@dataclass(frozen=True, slots=True)
class Shape:
    """What all telegrams of a source have in common."""

    begin: bytes
    end: bytes
    escape: bytes
    decode: Callable[[bytes], bytes]
    checksum: Checksum | None
    bytes_max: int

    @classmethod
    def of(cls, source: SerialSource) -> "Shape":
        """Take from a source's settings what concerns one telegram."""
        framing = source.framing
        begin, end = octets(framing.begin or ""), octets(framing.end or "")
        escape = octets(framing.escape or "")
        decode: Callable[[bytes], bytes] = _plain
        match framing.by:
            case "stx-etx":
                begin, end = begin or b"\x02", end or b"\x03"
            case "slip":
                end, decode = b"\xc0", _from_slip
            case "cobs":
                end, decode = b"\x00", _from_cobs
        if escape:
            strict = begin.startswith(escape) or end.startswith(escape)
            decode = _unescape(escape, framing.escape_xor, strict)
        return cls(begin, end, escape, decode, source.checksum, source.telegram_bytes_max)

    @property
    def tail(self) -> int:
        """Give how many bytes of checksum follow the end."""
        behind = self.checksum is not None and self.checksum.after_end
        return width(self.checksum) if behind else 0

    def open(self, raw: bytes) -> Piece:
        """Take a telegram out of its frame, and see that it is whole."""
        size, stop = len(raw), len(raw) - self.tail
        if not raw[:stop].endswith(self.end):
            return Spoilt(raw, NoEnd(size=size))
        try:
            content = self.decode(raw[len(self.begin) : stop - len(self.end)])
        except LineError as fault:
            return Spoilt(raw, fault)
        if self.checksum is None:
            return Telegram(raw, content)
        inside = 0 if self.checksum.after_end else width(self.checksum)
        payload = content[: len(content) - inside]
        said = raw[stop:] if self.checksum.after_end else content[len(payload) :]
        skip = self.checksum.skip
        covered = payload[skip:]
        if self.checksum.with_begin:
            covered = self.begin + covered
        if self.checksum.with_end:
            covered += self.end
        if len(content) < inside + skip or not matches(self.checksum, covered, said):
            return Spoilt(raw, ChecksumDiffers(size=size))
        return Telegram(raw, payload)


def _plain(said: bytes) -> bytes:
    return said


def _from_slip(said: bytes) -> bytes:
    def meant(escaped: "re.Match[bytes]") -> bytes:
        try:
            return _SLIP_MEANT[escaped[1]]
        except KeyError:
            raise BadEscape(size=len(said)) from None

    return _SLIP.sub(meant, said)


def _from_cobs(said: bytes) -> bytes:
    try:
        decoded: bytes = cobs.decode(said)
    except cobs.DecodeError as fault:
        raise BadStuffing(reason=str(fault)) from None
    return decoded


def _unescape(escape: bytes, flip: int, strict: bool) -> Callable[[bytes], bytes]:
    """Say how to take escapes out; strictly, an escape escapes nothing but itself."""
    pairs = re.compile(re.escape(escape) + b"(.?)", re.DOTALL)

    def decode(said: bytes) -> bytes:
        def meant(pair: "re.Match[bytes]") -> bytes:
            if not pair[1] or (strict and pair[1] != escape):
                raise BadEscape(size=len(said))
            return bytes((pair[1][0] ^ flip,))

        return pairs.sub(meant, said)

    return decode
