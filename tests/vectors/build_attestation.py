"""Vectors of packs that a device signed: docs/protocol/observation.md, "Signed by the device"."""

from collections.abc import Callable
from typing import Any

import cbor2

from gateway.errors import GatewayError
from gateway.readings import frame, senml, testimony
from gateway.readings.frame import Metric, Sample, Samples
from gateway.readings.line import Take, to_readings
from gateway.readings.reading import Arrival, Attestation, Position, Reading
from gateway.records import attestation
from gateway.records.cose import SigningKey
from tests.vectors.build_frame import BOOT, ROWS, STROKE, WARM
from tests.vectors.build_signed import DEVICE, NAME, NOW_MS, OTHER

MS = 1_763_726_400_000
SET, UNSET, JUST_BOOTED = Arrival(MS, 90_000), Arrival(None, 90_000), Arrival(None, 20)
OLD = Sample(metric=0, quality=0, exponent=0, mantissa=7, age_ms=1000)
NO_READING = Sample(metric=0, quality=3, exponent=0, mantissa=7, age_ms=1)
_LOW = bytes(32)
Lot = tuple[Attestation, list[Reading]]


def lot(
    samples: tuple[Sample, ...],
    first: int = 0,
    heard: Arrival = SET,
    key: SigningKey = DEVICE,
    name: str = NAME,
) -> Lot:
    """Sign samples as the device does, and read them as the gateway does."""
    said = Samples(BOOT, first, first + len(samples), 0, first, samples)
    rows: tuple[Metric, ...] = tuple(ROWS[it.metric] for it in samples)
    message = testimony.encode(frame.to_be_signed(said, NOW_MS), name, rows)
    taken = Take(name, ROWS, samples, Position(BOOT, first))
    readings, _ = to_readings(taken, name, "tty", heard)
    return Attestation(key.public, message, key.signature(message), len(readings)), readings


def pack(*lots: Lot) -> bytes:
    """Write what was read and signed as one pack."""
    (made,) = senml.encode_attested(lots)
    return made.encoded


Entries = list[dict[object, Any]]


def changed(encoded: bytes, change: Callable[[Entries], object]) -> bytes:
    """Change a pack as a gateway could, and write it as it must be written."""
    entries: Entries = cbor2.loads(encoded)
    change(entries)
    return cbor2.dumps(entries, canonical=True)


GOOD: dict[str, bytes] = {
    "one sample": pack(lot((WARM,))),
    "two samples under one signature": pack(lot((WARM, STROKE))),
    "nine samples, then one more": pack(lot((WARM,) * 9), lot((STROKE,), 9)),
    "a clock that is not set": pack(lot((WARM, STROKE), heard=UNSET)),
    "a sample from before the gateway's boot": pack(lot((OLD, STROKE), heard=JUST_BOOTED)),
    "a sample older than its age can say": pack(lot((Sample(0, 0, 0, 7, 0xFFFFFFFF), WARM))),
    "a sample that is no reading among others": pack(lot((WARM, NO_READING, STROKE))),
    "readings of which nobody says when": changed(
        pack(lot((WARM, STROKE))), lambda it: (it[0].update({-3: 0}), it[1].pop(6))
    ),
    "two devices of one name": pack(lot((WARM,)), lot((WARM,), key=OTHER)),
}


def build() -> dict[str, object]:
    """Give the vectors; what a good one proves was found by reading it, not by writing it."""
    good = [
        {"name": name, "hex": encoded.hex(), "expect": expect(encoded)}
        for name, encoded in GOOD.items()
    ]
    bad = [
        {"name": name, "hex": encoded.hex(), "error": _error(encoded)}
        for name, encoded in _bad().items()
    ]
    chapter = "docs/protocol/observation.md"
    return {"noun": "attestation", "chapter": chapter, "good": good, "bad": bad}


def expect(encoded: bytes) -> dict[str, object]:
    """Say what a pack proves, as JSON."""
    return {
        "proved": [
            {
                "key": it.key.hex(),
                "device": it.testimony.name,
                "boot": it.testimony.samples.boot.hex(),
                "first": it.testimony.samples.first,
                "samples": len(it.testimony.samples.samples),
                "device_ms": it.testimony.now_ms,
            }
            for it in attestation.check(encoded)
        ]
    }


def _error(encoded: bytes) -> str:
    try:
        attestation.check(encoded)
    except GatewayError as fault:
        return fault.code
    raise AssertionError(f"taken: {encoded.hex()}")


def _put(place: int, label: object, said: object) -> Callable[[Entries], object]:
    return lambda entries: entries[place].update({label: said})


def _bad() -> dict[str, bytes]:
    two = pack(lot((WARM, STROKE)))
    first: dict[object, Any] = cbor2.loads(two)[0]
    changes: dict[str, Callable[[Entries], object]] = {
        "another value": _put(0, 2, 21.6),
        "an integer where the device said a decimal": _put(0, 2, 21),
        "a decimal where the device said an integer": _put(1, 2, 1200.0),
        "another metric": _put(0, 0, "pressure"),
        "another unit": _put(0, 1, "K"),
        "another device": _put(0, -2, "urn:dev:hulian:mcu-8/"),
        "another interval": _put(1, 6, 0.5),
        "the time of one alone left out": lambda it: (it[1].update({-3: 0}), it[1].pop(6)),
        "monotonic time beside the time of the wall": lambda it: (
            it[1].update({-3: 0, "m": 5}),
            it[1].pop(6, None),
        ),
        "worse than the device said": _put(0, "q", "uncertain"),
        "retained": _put(0, "r", True),
        "a reading left out": lambda it: it.pop(),
        "a reading added": lambda it: it.append(dict(it[1])),
        "readings in the other order": lambda it: it.append(
            {key: said for key, said in it.pop(1).items() if key != 6} | {0: "temperature"}
        ),
        "no signature": lambda it: (it[0].pop("dk"), it[0].pop("ds")),
        "no key": lambda it: it[0].pop("dk"),
        "another key": _put(0, "dk", OTHER.public),
        "a weak key": _put(0, "dk", _LOW),
        "a signature changed": _put(0, "ds", b"\xff" + first["ds"][1:]),
        "what is signed cut": _put(0, "ds", first["ds"][:-1]),
        "a signature and nothing signed": _put(0, "ds", first["ds"][:64]),
        "a key that is too short": _put(0, "dk", DEVICE.public[:-1]),
        "a signature under a lesser provenance": _put(0, "bp", "device-authenticated"),
        "the second reading claims less": _put(1, "bp", "gateway-attested"),
        "the signature at the second reading": lambda it: it[1].update(
            {"dk": it[0].pop("dk"), "ds": it[0].pop("ds")}
        ),
    }
    again = lot((WARM,))
    return {
        **{name: changed(two, change) for name, change in changes.items()},
        "one lot twice": pack(again, again),
        "two lots in the other order": pack(lot((STROKE,), 1), lot((WARM,))),
        "two lots that overlap": pack(lot((WARM, STROKE)), lot((STROKE,), 1)),
        "times out of step before the clock was set": changed(
            pack(lot((WARM, STROKE), heard=UNSET)), _put(1, "m", 5)
        ),
        "a time for what had none": changed(
            pack(lot((WARM, STROKE), heard=UNSET)),
            lambda it: (it[1].pop("m"), it[1].update({-3: MS // 1000})),
        ),
        "the signature of a table": _other_testimony(),
        "a sample that is no reading, said as one": changed(
            pack(lot((WARM, NO_READING))), lambda it: it.append({0: "temperature", 1: "Cel", 2: 7})
        ),
        "not a pack": two[:-1],
    }


def _other_testimony() -> bytes:
    """Put beside a reading what the same key signed of something else."""
    said = frame.to_be_signed(frame.Result(BOOT, 1, 0, bytes(32)), 0)
    message = testimony.encode(said, NAME)
    attested, readings = lot((WARM,))
    signature = DEVICE.signature(message)
    return pack((Attestation(attested.key, message, signature, 1), readings))
