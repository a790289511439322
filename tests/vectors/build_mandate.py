"""The vectors of mandates: docs/protocol/mandate.md."""

from dataclasses import asdict, replace

import cbor2

from gateway.activities import mandate, wording
from gateway.activities.mandate import Mandate
from gateway.errors import MandateGiver
from gateway.records import cbor, cose
from tests.damage import refusal
from tests.people import seed
from tests.vectors.build_order import BUYER, LI, MAKER

MANDATE = Mandate(
    seed("mandate 1")[:16],
    LI.id,
    BUYER.node.id,
    "tank-1",
    MAKER.node.id,
    "maker-gw",
    "pump-1.refill",
    "l",
    rate_count=2,
    window_s=3600,
    orders_max=100,
    bounds=(0, 50.5),
    sum_max=2000,
    end_s=1_830_000_000,
)
MANDATES = {
    "a mandate": MANDATE,
    "a mandate in Chinese": replace(MANDATE, language="zh"),
    "any value, without an end": replace(MANDATE, bounds=None, sum_max=None, end_s=None, unit=""),
    "a chain of three": replace(MANDATE, depth_max=3, window_s=90),
}
SIGNED = mandate.sign(LI, MANDATE)


def expect(encoded: bytes) -> dict[str, object]:
    """Give what a mandate says, as JSON; raise where its text is another than was shown."""
    found = mandate.decode(encoded)
    if not found.is_as_shown:
        raise MandateGiver
    said = asdict(found.mandate)
    said |= {name: said[name].hex() for name in ("id", "issuer", "asking", "target")}
    said["bounds"] = said["bounds"] and list(said["bounds"])
    texts = {language: mandate.text(found.mandate, language) for language in wording.LANGUAGES}
    return {"hash": found.hash.hex(), "says": said, "texts": texts}


def build() -> dict[str, object]:
    """Give the vectors as the JSON says them."""
    good = [
        {"name": name, "hex": wire.hex(), "expect": expect(wire)}
        for name, each in MANDATES.items()
        for wire in [mandate.sign(LI, each)]
    ]
    bad = [
        {"name": name, "hex": wire.hex(), "error": refusal(lambda wire=wire: expect(wire))}  # type: ignore[misc]
        for name, wire in _bad().items()
    ]
    return {"noun": "mandate", "chapter": "docs/protocol/mandate.md", "good": good, "bad": bad}


_WRONG: dict[str, dict[int, object]] = {
    "an issuer in capitals": {1: LI.id.hex().upper()},
    "an asking node of 15 bytes": {2: LI.id.hex()[:30]},
    "an end of 0": {4: 0},
    "an end beyond the year 9999": {4: 253_402_300_800},
    "an id of 15 bytes": {7: bytes(15)},
    "a device without a name": {-1: ""},
    "a target without a name": {-2: [MAKER.node.id]},
    "a target whose name has a line end": {-2: [MAKER.node.id, "a\nb"]},
    "a point that is a number": {-3: 7},
    "a unit of 33 letters": {-4: "u" * 33},
    "bounds upside down": {-5: [50, 0]},
    "one bound": {-5: [0]},
    "a bound that is infinite": {-5: [0, float("inf")]},
    "a bound that is true": {-5: [False, True]},
    "a rate of nothing": {-6: [0, 3600]},
    "a rate in no time": {-6: [2, 0]},
    "a rate in more than a year": {-6: [2, 366 * 86_400 + 1]},
    "a budget of nothing": {-7: [0, None]},
    "a budget without a count": {-7: [None, 2000]},
    "a sum of nothing": {-7: [100, 0]},
    "a depth of 0": {-8: 0},
    "a depth that is true": {-8: True},
    "a language that is not known": {-9: "de"},
    "a text hash of 31 bytes": {-10: bytes(31)},
    "a claim more": {-11: 0},
    "a wider bound than was shown": {-5: [0, 5000]},
    "the text in another language": {-9: "zh"},
}


def _bad() -> dict[str, bytes]:
    said: dict[int, object] = cbor2.loads(cose.decode(SIGNED, "mandate").payload)
    less = {key: value for key, value in said.items() if key != -7}
    changed = {name: _signed(said | each) for name, each in _WRONG.items()}
    return {
        **changed,
        "empty": b"",
        "cut": SIGNED[:-1],
        "a byte more": SIGNED + b"\x00",
        "no budget": _signed(less),
        "no claims": cose.sign(LI, "mandate", cbor.encode([])),
        "of another type": cose.sign(LI, "order", cose.decode(SIGNED, "mandate").payload),
        "too long": _signed(said | {-3: "p" * 2048}),
    }


def _signed(claims: dict[int, object]) -> bytes:
    return cose.sign(LI, "mandate", cbor.encode(claims))
