"""A testimony: what a device signs. Protocol: docs/protocol/frame.md, "With a signature".

In: a frame of a device that signs, and the names of what the frame only numbers; or a testimony's
bytes from anywhere. Out: the bytes that the signature is over; or the samples that they say. It
has all that a third party needs to read the samples, and is what a record keeps. Nothing is
verified here.
"""

from dataclasses import dataclass

from gateway.errors import MalformedFrame
from gateway.readings import frame
from gateway.readings.frame import (
    CLOCK_BYTES,
    METRIC_BYTES_MAX,
    NAME_BYTES_MAX,
    UNIT_BYTES_MAX,
    VERSION_SIGNED,
    Metric,
    Samples,
    Signed,
)

DOMAIN = b"hulian/1/device"
BYTES_MAX = 512
_SAMPLES = 0x02


@dataclass(frozen=True, slots=True)
class Testimony:
    """Samples as a device signed them: under its own name, each with its metric, at its own time.

    now_ms is the device's own time since its start, at which the ages of the samples end.
    """

    name: str
    now_ms: int
    samples: Samples
    rows: tuple[Metric, ...]


def encode(said: bytes, name: str, rows: tuple[Metric, ...] = ()) -> bytes:
    """Give what a device called so signs for a frame; `rows` are the metrics of its samples."""
    named = b"".join(frame.text(row.name) + frame.text(row.unit) for row in rows)
    return DOMAIN + bytes((len(said),)) + said + frame.text(name) + named


def decode(message: bytes) -> Testimony:
    """Read what a device signed of its samples; raise a FrameError, mostly MalformedFrame."""
    start = len(DOMAIN) + 1
    if not start < len(message) <= BYTES_MAX or not message.startswith(DOMAIN):
        raise MalformedFrame(kind=_SAMPLES, reason="no device signs so")
    end = start + message[start - 1]
    said = message[start:end]
    if len(said) != end - start or said[:2] != bytes((VERSION_SIGNED, _SAMPLES)):
        raise MalformedFrame(kind=_SAMPLES, reason="not a frame of version 3 with samples")
    signed = frame.read_signed(said + bytes(frame.SIGNATURE_BYTES))
    assert isinstance(signed, Signed) and isinstance(signed.frame, Samples), "by its type"
    name, at = frame.read_text(message, end, (1, NAME_BYTES_MAX))
    rows = []
    for _ in signed.frame.samples:
        metric, at = frame.read_text(message, at, (1, METRIC_BYTES_MAX))
        unit, at = frame.read_text(message, at, (0, UNIT_BYTES_MAX))
        rows.append(Metric(metric, unit))
    if at != len(message):
        raise MalformedFrame(kind=_SAMPLES, reason="bytes trail the names of its metrics")
    now_ms = int.from_bytes(said[2 : 2 + CLOCK_BYTES])
    return Testimony(name, now_ms, signed.frame, tuple(rows))
