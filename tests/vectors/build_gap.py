"""The vectors of a gap record's content: docs/protocol/gap.md."""

import cbor2

from gateway.readings.reading import Gap, GapReason, Numbers
from gateway.records import gap

MS = 1_763_726_400_000
BOOT = bytes.fromhex("b007000000000001")
OVERRUN = GapReason.DEVICE_OVERRUN
GOOD = {
    "a ring that overran": Gap(
        "mcu-7",
        ("strokes", "temperature"),
        OVERRUN,
        35,
        Numbers(BOOT, 16, 51),
        MS,
        MS + 40_000,
    ),
    "only the count is known": Gap("mcu-7", ("strokes",), OVERRUN, 3),
    "nobody knows when it began": Gap("压机 1", ("a b",), OVERRUN, 1, None, None, MS),
}


def expect(said: Gap) -> dict[str, object]:
    """Give what a gap says, as JSON."""
    numbers = said.numbers
    return {
        "device": said.device,
        "metrics": list(said.metrics),
        "reason": said.reason.told,
        "count": said.count,
        "numbers": None if numbers is None else [numbers.boot.hex(), numbers.start, numbers.stop],
        "after_ms": said.after_ms,
        "before_ms": said.before_ms,
    }


def build() -> dict[str, object]:
    """Give the vectors as the JSON says them."""
    good = [
        {"name": name, "hex": gap.encode(said).hex(), "expect": expect(said)}
        for name, said in GOOD.items()
    ]
    bad = [
        {"name": name, "hex": content.hex(), "error": "gap.malformed"}
        for name, content in _bad(gap.encode(GOOD["a ring that overran"]))
    ]
    return {"noun": "gap", "chapter": "docs/protocol/gap.md", "good": good, "bad": bad}


def _bad(content: bytes) -> list[tuple[str, bytes]]:
    said: dict[int, object] = cbor2.loads(content)
    wrong: dict[str, tuple[int, object]] = {
        "device without a name": (0, ""),
        "device is bytes": (0, b"mcu-7"),
        "device name of 129 bytes": (0, "d" * 129),
        "no metrics": (1, []),
        "metrics not sorted": (1, ["temperature", "strokes"]),
        "a metric twice": (1, ["strokes", "strokes"]),
        "a metric that is a number": (1, ["strokes", 1]),
        "a metric with a line end": (1, ["strokes\n"]),
        "257 metrics": (1, [f"m{number:03}" for number in range(257)]),
        "an unknown reason": (2, 1),
        "reason is false": (2, False),
        "nothing is missing": (3, 0),
        "count is true": (3, True),
        "fewer than nothing": (3, -1),
        "more numbers than it counts": (4, [BOOT, 16, 52]),
        "numbers of no boot": (4, [BOOT[:7], 16, 51]),
        "numbers backwards": (4, [BOOT, 51, 16]),
        "numbers below 0": (4, [BOOT, -1, 34]),
        "numbers without an end": (4, [BOOT, 16]),
        "a time as text": (5, "2025-11-21T12:00:00Z"),
        "a time of 0": (5, 0),
        "a time that is true": (6, True),
        "a time beyond the year 9999": (6, 253_402_300_800_000),
        "an unknown field": (7, 0),
    }
    changed = [
        (name, cbor2.dumps({**said, key: value}, canonical=True))
        for name, (key, value) in wrong.items()
    ]
    less = {key: value for key, value in said.items() if key != 6}
    return [
        ("empty", b""),
        ("cut", content[:-1]),
        ("a byte more", content + b"\x00"),
        ("a field missing", cbor2.dumps(less, canonical=True)),
        *changed,
    ]
