"""The vectors of frames that a device signs: docs/protocol/frame.md, "With a signature"."""

from dataclasses import asdict, replace

from cobs import cobs

from gateway.errors import BadSignature
from gateway.readings import frame, testimony
from gateway.readings.frame import (
    Ask,
    Frame,
    Metric,
    Refused,
    Result,
    Sample,
    Samples,
    Signed,
    Splitter,
    Table,
    encode,
)
from gateway.readings.line import Line, Refuse, Signer
from gateway.records import cose
from gateway.records.cose import SigningKey
from tests.people import seed
from tests.vectors.build_frame import BOOT, GOOD as PLAIN, LAST, ROWS, STROKE, WARM, seal

NAME = "mcu-7"
DEVICE, OTHER = SigningKey(seed("a device that signs")), SigningKey(seed("another device"))
CHALLENGE = bytes.fromhex("c4a11e46e0000001")
NOW_MS = 90_040
TABLE = Table(BOOT, 2, 0, NAME, ROWS, CHALLENGE)
ONE = Samples(BOOT, 0, 1, 0, 0, (WARM,))


def holds(message: bytes, signature: bytes) -> bool:
    """Verify as a gateway does that has this device's public key."""
    try:
        cose.verify("testimony", DEVICE.public, message, signature)
    except BadSignature:
        return False
    return True


def message_of(said: Table | Samples | Result, rows: tuple[Metric, ...] = ROWS) -> bytes:
    """Give what the device signs for a frame."""
    named = tuple(rows[it.metric] for it in said.samples) if isinstance(said, Samples) else ()
    name = said.name if isinstance(said, Table) else NAME
    return testimony.encode(frame.to_be_signed(said, NOW_MS), name, named)


def sign(
    said: Table | Samples | Result, key: SigningKey = DEVICE, rows: tuple[Metric, ...] = ROWS
) -> Signed:
    """Sign a frame as a device with this key and table does."""
    signature = key.signature(message_of(said, rows))
    return Signed(said, frame.to_be_signed(said, NOW_MS), signature)


def outcome(coded: bytes) -> str:
    """Say what a gateway that knows this device's table makes of a frame: "" or the code."""
    line = Line(None, lambda: CHALLENGE, Signer(NAME, holds))
    line.opened(0)
    line.hear(sign(TABLE), 0)
    (found,) = Splitter(signed=True).feed(coded + b"\x00")
    if isinstance(found, Refused):
        return found.error.code
    codes = [it.error.code for it in line.hear(found, 0) if isinstance(it, Refuse)]
    return codes[0] if codes else ""


GOOD: dict[str, Frame] = {
    "ask": Ask(CHALLENGE),
    "ack of the first sample": PLAIN["ack of the first sample"],
    "command with bytes": PLAIN["command with bytes"],
    "table": sign(TABLE),
    "table before any ask": sign(replace(TABLE, challenge=bytes(8))),
    "samples, one": sign(ONE),
    "samples, two of three": sign(Samples(BOOT, 1, 3, 0, 1, (WARM, STROKE))),
    "samples after two were dropped": sign(Samples(BOOT, 2, 4, 2, 2, (WARM, STROKE))),
    "samples, as many as one signature covers": sign(Samples(BOOT, 0, 9, 0, 0, (WARM,) * 9)),
    "samples at the edges of every number": sign(
        Samples(BOOT, LAST - 1, LAST, 0, LAST - 1, (Sample(1, 2, 127, -(1 << 63), 0xFFFFFFFF),))
    ),
    "result": sign(Result(BOOT, 7, 1, b"")),
}


def build() -> dict[str, object]:
    """Give the vectors as the JSON says them, each with the device's public key and name."""
    with_whom = {"public_key": DEVICE.public.hex(), "device": NAME}
    good = [
        {"name": name, "hex": encode(said, signed=True).hex(), "expect": expect(said), **with_whom}
        for name, said in GOOD.items()
    ]
    bad = [
        {"name": name, "hex": wire.hex(), "error": outcome(wire[1:-1]), **with_whom}
        for name, wire in _bad().items()
    ]
    assert all(each["error"] for each in bad), "a bad vector is taken"
    return {"noun": "signed", "chapter": "docs/protocol/frame.md", "good": good, "bad": bad}


def expect(said: Frame) -> dict[str, object]:
    """Give a frame's fields as JSON; where it is signed with what was signed."""
    bare = said.frame if isinstance(said, Signed) else said
    fields: dict[str, object] = {"type": type(bare).__name__.upper()}
    if isinstance(said, Signed):
        fields |= {"signed": message_of(said.frame).hex(), "signature": said.signature.hex()}
    for key, value in asdict(bare).items():
        fields[key] = value.hex() if isinstance(value, bytes) else value
    return fields


def _bad() -> dict[str, bytes]:
    raw = sign(ONE).said
    two = Samples(BOOT, 0, 2, 0, 0, (WARM, STROKE))
    swapped = replace(two, samples=(STROKE, WARM))
    return {
        **{f"not signed: {name}": encode(said) for name, said in PLAIN.items() if name != "ask"},
        **_bad_signatures(raw),
        "two samples in the other order": encode(
            Signed(swapped, frame.to_be_signed(swapped, NOW_MS), sign(two).signature)
        ),
        "a table whose units were others": encode(sign(ONE, rows=(Metric("temperature", "K"),))),
        "another name": encode(sign(replace(TABLE, name="mcu-8"))),
        "a metric beyond the table": encode(
            sign(replace(ONE, samples=(replace(WARM, metric=2),)), rows=(*ROWS, ROWS[0]))
        ),
        "type 0": seal(b"\x03\x00"),
        "type 4": seal(b"\x03\x04" + bytes(80)),
        "type 0x84": seal(b"\x03\x84"),
        "version 4": seal(b"\x04\x81" + CHALLENGE),
        "ask without a challenge": seal(b"\x03\x81"),
        "ask with a byte more": seal(b"\x03\x81" + CHALLENGE + b"\x00"),
        "ack cut": seal(b"\x03" + _plain("ack of nothing")[1:-1]),
        "samples that end within the signature": seal(raw + bytes(63)[: 63 - len(raw) + 10]),
        "samples without a sample": seal(raw[:-15] + bytes(64)),
        "samples without the device's time": seal(raw[:2] + raw[10:] + bytes(64)),
        "result cut": seal(sign(Result(BOOT, 7, 1, b"")).said[:-1] + bytes(64)),
        "a bit flipped without its checksum": encode(sign(ONE))[:-3] + b"\x01\x01\x00",
    }


def _bad_signatures(raw: bytes) -> dict[str, bytes]:
    """Take one frame, and signatures that are not this device's over it."""
    message, signature = message_of(ONE), sign(ONE).signature
    later = frame.to_be_signed(ONE, NOW_MS + 1)
    bare = DEVICE.signature(raw)
    order = (
        int.from_bytes(signature[32:], "little") + 2**252 + 27742317777372353535851937790883648493
    )
    return {
        "the signature of another device": encode(sign(ONE, OTHER)),
        "the signature of another frame": seal(raw + sign(TABLE).signature),
        "the signature of the frame alone": seal(raw + bare),
        "the signature with another domain": seal(raw + DEVICE.signature(b"x" + message[1:])),
        "a signature of zeros": seal(raw + bytes(64)),
        "the signature's last bit changed": seal(
            raw + signature[:-1] + bytes([signature[-1] ^ 0x80])
        ),
        "the signature with the group's order added": seal(
            raw + signature[:32] + order.to_bytes(32, "little")
        ),
        "another time of the device": seal(later + signature),
        "an age changed": seal(raw[:-1] + bytes([raw[-1] ^ 1]) + signature),
        "a good signature under version 1": seal(b"\x01" + raw[1:] + signature),
    }


def _plain(name: str) -> bytes:
    raw: bytes = cobs.decode(encode(PLAIN[name])[1:-1])
    return raw[:-4]
