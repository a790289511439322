"""The vectors of orders, approvals, starts and ends: docs/protocol/order.md."""

from collections.abc import Callable
from dataclasses import asdict, replace

import cbor2

from gateway.activities import approval, execution, order, wording
from gateway.activities.approval import Approval, Verdict
from gateway.activities.execution import End, Outcome, Start
from gateway.activities.order import Expected, Order
from gateway.errors import TextDiffers
from gateway.records import cbor, cose
from gateway.records.cose import SigningKey
from tests.damage import refusal
from tests.people import party, run_of, seed

BUYER, MAKER = party("buyer"), party("maker")
ANNA, LI = SigningKey(seed("Anna")), SigningKey(seed("Li"))
BUYERS_RUN, MAKERS_RUN = run_of(BUYER), run_of(MAKER)
ORDER = Order(
    seed("order 1")[:16],
    seed("activity"),
    MAKER.node.id,
    "maker-gw",
    "press-1.pressure",
    180,
    (seed("feed of the maker's run"), 17),
    "kPa",
    (Expected("press-1", "temperature", "<", 80),),
)
PLAIN = replace(ORDER, expected=())
UNDER = replace(
    PLAIN, id=seed("order 2")[:16], value=2.5, unit="l", mandate=seed("a mandate"), depth=1
)
ORDERS = {
    "an order": (ANNA, ORDER),
    "an order in Chinese": (LI, replace(ORDER, language="zh")),
    "a truth, for ten minutes": (ANNA, replace(PLAIN, value=True, unit="", validity_ms=600_000)),
    "a text with quotes": (ANNA, replace(PLAIN, value='"B" \\ 压机', unit="")),
    "a number that is small": (ANNA, replace(PLAIN, value=-0.0000025)),
    "under a mandate, by a run": (BUYERS_RUN.key, UNDER),
    "under a mandate, in Chinese": (BUYERS_RUN.key, replace(UNDER, language="zh", depth=3)),
}
SIGNED = order.sign(ANNA, ORDER)
SHOWN = order.text(ORDER, "zh")
APPROVALS = {
    "an approval, in Chinese": (LI, order.decode(SIGNED).hash, Verdict.APPROVE, SHOWN, "zh"),
    "a refusal": (LI, order.decode(SIGNED).hash, Verdict.REFUSE, order.text(ORDER, "en"), "en"),
    "a cancellation": (
        ANNA,
        order.decode(SIGNED).hash,
        Verdict.CANCEL,
        order.text(ORDER, "en"),
        "en",
    ),
    "an approval of an update": (
        LI,
        seed("record"),
        Verdict.APPROVE,
        approval.update_text(
            seed("activity"),
            seed("record"),
            {"lot": "A-7", "quantity": 40, "drawing": b"\x07" * 32},
            "en",
        ),
        "en",
    ),
}
ENDS = {
    "done": End(seed("order"), Outcome.DONE, 180),
    "failed": End(seed("order"), Outcome.FAILED, None, "move.refused"),
    "refused": End(seed("order"), Outcome.REFUSED, None, "order.stale"),
    "indeterminate": End(seed("order"), Outcome.INDETERMINATE),
    "cancelled": End(seed("order"), Outcome.CANCELLED, None, "order.cancelled"),
}


def expect_order(encoded: bytes) -> dict[str, object]:
    """Give what an order says, as JSON; raise where its text is another than was shown."""
    found = order.decode(encoded)
    if not found.is_as_shown:
        raise TextDiffers
    said = asdict(found.order)
    said |= {name: said[name].hex() for name in ("id", "activity", "target")}
    said["mandate"] = said["mandate"] and said["mandate"].hex()
    said["expected"] = list(said["expected"])
    said["quoted"] = [said["quoted"][0].hex(), said["quoted"][1]]
    texts = {language: order.text(found.order, language) for language in wording.LANGUAGES}
    return {"hash": found.hash.hex(), "says": said, "texts": texts}


def expect_approval(encoded: bytes) -> dict[str, object]:
    """Give what an approval says, as JSON."""
    found = approval.decode(encoded).approval
    said: dict[str, object] = {
        "about": found.about.hex(),
        "verdict": found.verdict.name.lower(),
    }
    return said | {"shown": found.shown.hex(), "language": found.language}


def expect_end(content: bytes) -> dict[str, object]:
    """Give what an end says, as JSON."""
    found = execution.decode_end(content)
    said: dict[str, object] = {
        "order": found.order.hex(),
        "outcome": found.outcome.name.lower(),
    }
    return said | {"value": found.value, "reason": found.reason}


def expect_start(content: bytes) -> dict[str, object]:
    """Give what a start says, as JSON."""
    found = execution.decode_start(content)
    return {"order": found.order.hex(), "value": found.value}


READ: dict[str, Callable[[bytes], dict[str, object]]] = {
    "order": expect_order,
    "approval": expect_approval,
    "start": expect_start,
    "end": expect_end,
}


def build() -> dict[str, object]:
    """Give the vectors as the JSON says them."""
    good = [
        {"name": name, "what": what, "hex": encoded.hex(), "expect": READ[what](encoded)}
        for name, what, encoded in _good()
    ]
    bad = [
        {
            "name": name,
            "what": what,
            "hex": encoded.hex(),
            "error": refusal(lambda what=what, encoded=encoded: READ[what](encoded)),  # type: ignore[misc]
        }
        for name, what, encoded in _bad()
    ]
    return {"noun": "order", "chapter": "docs/protocol/order.md", "good": good, "bad": bad}


def approved(by: SigningKey, about: bytes, verdict: Verdict, subject: str, language: str) -> bytes:
    """Sign a verdict on a text."""
    chosen: wording.Language = "zh" if language == "zh" else "en"
    shown = wording.digest(approval.text(verdict, subject, chosen))
    return approval.sign(by, Approval(about, verdict, shown, chosen))


def _good() -> list[tuple[str, str, bytes]]:
    start = execution.encode_start(Start(seed("order"), 180))
    return [
        *((name, "order", order.sign(key, said)) for name, (key, said) in ORDERS.items()),
        *((name, "approval", approved(*each)) for name, each in APPROVALS.items()),
        ("a start", "start", start),
        *((name, "end", execution.encode_end(each)) for name, each in ENDS.items()),
    ]


def _bad() -> list[tuple[str, str, bytes]]:
    signed = approved(*APPROVALS["a refusal"])
    start, end = (
        execution.encode_start(Start(seed("order"), 180)),
        execution.encode_end(ENDS["failed"]),
    )
    return [
        *((name, "order", each) for name, each in _bad_orders().items()),
        *_changed("approval", signed, _WRONG_APPROVALS),
        *_changed("start", start, _WRONG_STARTS),
        *_changed("end", end, _WRONG_ENDS),
        ("an approval as an order", "order", signed),
        ("an order as an approval", "approval", SIGNED),
        ("a start cut", "start", start[:-1]),
        ("a start of nothing", "start", cbor.encode({0: seed("order")})),
        ("an end with a byte more", "end", end + b"\x00"),
    ]


def _bad_orders() -> dict[str, bytes]:
    found = {name: each for name, _, each in _changed("order", SIGNED, _WRONG_ORDERS)}
    other = wording.digest(order.text(replace(ORDER, value=18), "en"))
    found["another value than was shown"] = _again(SIGNED, "order", {12: other})
    found["the text in another language"] = _again(SIGNED, "order", {10: "zh"})
    found |= {"empty": b"", "cut": SIGNED[:-1], "a byte more": SIGNED + b"\x00"}
    found["a field missing"] = _again(SIGNED, "order", {}, less=8)
    found["too long"] = _again(SIGNED, "order", {4: "p" * 4096})
    return found


_E = ["press-1", "temperature", "<", 80]
_WRONG_ORDERS: dict[str, dict[int, object]] = {
    "version 2": {0: 2},
    "an id of 15 bytes": {1: bytes(15)},
    "an activity of 31 bytes": {2: bytes(31)},
    "a target without a name": {3: [MAKER.node.id, ""]},
    "a target whose name has a line end": {3: [MAKER.node.id, "maker\ngw"]},
    "a target whose name turns the letters": {3: [MAKER.node.id, "maker\u202e"]},
    "a target whose name has 65 letters": {3: [MAKER.node.id, "n" * 65]},
    "a point without a name": {4: ""},
    "no value": {5: None},
    "a value of bytes": {5: b"180"},
    "an integer beyond 2^53": {5: 1 << 53},
    "an infinite value": {5: float("inf")},
    "a number that nobody can read": {5: 1e-10},
    "a text of two lines": {5: "180\nkPa", 6: ""},
    "a text of 257 bytes": {5: "t" * 257, 6: ""},
    "a truth with a unit": {5: True},
    "a unit of 33 letters": {6: "u" * 33},
    "nine expectations": {7: [_E] * 9},
    "an expectation without a value": {7: [_E[:3]]},
    "an unknown relation": {7: [[*_E[:2], "=~", 80]]},
    "a text that is less": {7: [[*_E[:3], "80"]]},
    "valid for no time": {8: 0},
    "valid for more than a week": {8: 7 * 86_400_000 + 1},
    "valid for true": {8: True},
    "a quoted feed of 31 bytes": {9: [bytes(31), 17]},
    "a quoted number below 0": {9: [bytes(32), -1]},
    "a language that is not known": {10: "de"},
    "a mandate without a depth": {11: [bytes(32)]},
    "a depth of 0": {11: [bytes(32), 0]},
    "a mandate of 31 bytes": {11: [bytes(31), 1]},
    "a text hash of 31 bytes": {12: bytes(31)},
    "a field more": {13: 0},
}
_WRONG_APPROVALS: dict[str, dict[int, object]] = {
    "an approval of version 2": {0: 2},
    "an approval of 31 bytes": {1: bytes(31)},
    "an unknown verdict": {2: 3},
    "a verdict that is true": {2: True},
    "an approval without a text": {3: None},
    "an approval in no language": {4: ""},
    "an approval with more": {5: 0},
}
_WRONG_STARTS: dict[str, dict[int, object]] = {
    "a start of 31 bytes": {0: bytes(31)},
    "a start with nothing to write": {1: None},
    "a start with more": {2: 0},
}
_WRONG_ENDS: dict[str, dict[int, object]] = {
    "an end of no order": {0: None},
    "an unknown outcome": {1: 5},
    "an outcome that is true": {1: True},
    "a value of a list": {2: [180]},
    "a reason of two lines": {3: "order\nstale"},
    "a reason that is no text": {3: 7},
    "a reason too long": {3: "r" * 65},
    "an end with more": {4: 0},
}


def _changed(
    what: str, encoded: bytes, wrong: dict[str, dict[int, object]]
) -> list[tuple[str, str, bytes]]:
    if what in ("order", "approval"):
        return [(name, what, _again(encoded, what, each)) for name, each in wrong.items()]
    said = cbor2.loads(encoded)
    return [(name, what, cbor.encode(said | each)) for name, each in wrong.items()]


def _again(encoded: bytes, what: str, change: dict[int, object], less: int | None = None) -> bytes:
    """Sign a payload again with something else in it."""
    said: dict[int, object] = cbor2.loads(cose.decode(encoded, what).payload)
    kept = {key: value for key, value in said.items() if key != less}
    return cose.sign(ANNA, what, cbor.encode(kept | change))
