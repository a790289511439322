"""The vectors of frames that carry a tag: docs/protocol/frame.md, "With a key"."""

from dataclasses import replace
from hashlib import sha256

from cobs import cobs

from gateway.errors import FrameError
from gateway.readings.frame import (
    CHALLENGE_BYTES,
    TAG_BYTES,
    Ask,
    Frame,
    Refused,
    Samples,
    Splitter,
    Table,
    encode,
    tag,
)
from tests.vectors.build_frame import BOOT, GOOD as PLAIN, WARM, expect, seal

KEY = sha256(b"key of a device in the vectors").digest()
OTHER = sha256(b"key of another device").digest()
CHALLENGE = bytes.fromhex("c4a11e46e0000001")
_LONG = ("samples, as many as fit", "samples with no zero byte, as many as fit")


def _challenged(frame: Frame, challenge: bytes = CHALLENGE) -> Frame:
    match frame:
        case Ask():
            return Ask(challenge)
        case Table():
            return replace(frame, challenge=challenge)
    return frame


GOOD: dict[str, Frame] = {
    **{name: _challenged(frame) for name, frame in PLAIN.items() if name not in _LONG},
    "table before any ask": _challenged(PLAIN["table"], bytes(CHALLENGE_BYTES)),
    "samples, as many as fit": Samples(BOOT, 0, 13, 0, 0, (WARM,) * 13),
}


def build() -> dict[str, object]:
    """Give the vectors as the JSON says them, each with its key."""
    return {
        "noun": "keyed",
        "chapter": "docs/protocol/frame.md",
        "good": [
            {
                "name": name,
                "key": KEY.hex(),
                "hex": encode(frame, KEY).hex(),
                "expect": expect(frame),
            }
            for name, frame in GOOD.items()
        ],
        "bad": [
            {"name": name, "key": KEY.hex(), "hex": wire.hex(), "error": _error(wire)}
            for name, wire in _bad().items()
        ],
    }


def _error(wire: bytes) -> str:
    match list(Splitter(KEY).feed(wire)):
        case [Refused(_, FrameError() as error)]:
            return error.code
        case other:
            raise AssertionError(f"not one refused frame: {other}")


def tagged(raw: bytes, key: bytes = KEY) -> bytes:
    """Close any bytes as if they were version, type and body of a frame with a good tag."""
    return seal(raw + tag(key, raw))


def _said(frame: Frame) -> bytes:
    raw: bytes = cobs.decode(encode(frame, KEY)[1:-1])
    return raw[:-4]


def _bad() -> dict[str, bytes]:
    said = _said(GOOD["samples, one"])
    raw, its = said[:-TAG_BYTES], said[-TAG_BYTES:]
    untagged = {f"without a tag: {name}": encode(frame) for name, frame in PLAIN.items()}
    aged = raw[:-1] + bytes([raw[-1] ^ 1])
    return {
        **untagged,
        "the tag under another key": encode(GOOD["samples, one"], OTHER),
        "the tag of another frame": seal(raw + _said(GOOD["ack of nothing"])[-TAG_BYTES:]),
        "the tag without what begins it": seal(raw + _bare(raw)),
        "the tag reversed": seal(raw + its[::-1]),
        "a tag of zeros": seal(raw + bytes(TAG_BYTES)),
        "the tag's last bit changed": seal(raw + its[:-1] + bytes([its[-1] ^ 1])),
        "the tag cut": seal(said[:-1]),
        "no tag, but the version": seal(raw),
        "only a version and a type": seal(b"\x02\x81"),
        "a good tag under version 1": seal(b"\x01" + said[1:]),
        "an age changed": seal(aged + its),
        "version 3": tagged(b"\x03\x81" + CHALLENGE),
        "type 0": tagged(b"\x02\x00"),
        "ask without a challenge": tagged(b"\x02\x81"),
        "ask with a challenge cut": tagged(b"\x02\x81" + CHALLENGE[:-1]),
        "ask with a byte more": tagged(b"\x02\x81" + CHALLENGE + b"\x00"),
        "table without a challenge": tagged(b"\x02" + _plain("table")[1:]),
        "samples without a sample": tagged(raw[:-15]),
        "ack cut": tagged(b"\x02" + _plain("ack of nothing")[1:-1]),
    }


def _plain(name: str) -> bytes:
    raw: bytes = cobs.decode(encode(PLAIN[name])[1:-1])
    return raw[:-4]


def _bare(raw: bytes) -> bytes:
    """Tag it without the words that separate this use of the key from any other."""
    inner = sha256(bytes(byte ^ 0x36 for byte in KEY.ljust(64, b"\0")) + raw).digest()
    return sha256(bytes(byte ^ 0x5C for byte in KEY.ljust(64, b"\0")) + inner).digest()[:TAG_BYTES]
