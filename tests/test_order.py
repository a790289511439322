"""Orders and approvals: what is signed is what was shown, and nothing else can be read."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from gateway.activities import approval, execution, order, wording
from gateway.activities.approval import Verdict
from gateway.errors import (
    BadSignature,
    MalformedApproval,
    MalformedExecution,
    MalformedOrder,
)
from gateway.records import cbor, cose
from tests.damage import all_refused, flips, never_escapes, refusal, truncations
from tests.mutate import known, mutations, vectors
from tests.vectors.build_order import ANNA, LI, ORDER, READ, SIGNED, approved


@pytest.mark.parametrize("vector", vectors("order"), ids=lambda vector: vector["name"])
def test_every_vector_is_read_or_refused(vector: dict[str, Any]) -> None:
    """A good one says what the vector says, its texts among it; a bad one has its code."""
    read, encoded = READ[vector["what"]], bytes.fromhex(vector["hex"])
    if "error" in vector:
        assert refusal(lambda: read(encoded)) == vector["error"]
    else:
        assert read(encoded) == vector["expect"]


DECODERS: list[tuple[Callable[[bytes], object], bytes, Any]] = [
    (order.decode, SIGNED, MalformedOrder),
    (
        approval.decode,
        approved(LI, order.decode(SIGNED).hash, Verdict.APPROVE, order.text(ORDER, "en"), "en"),
        MalformedApproval,
    ),
    (
        execution.decode_end,
        execution.encode_end(
            execution.End(order.decode(SIGNED).hash, execution.Outcome.DONE, 180.5)
        ),
        MalformedExecution,
    ),
    (
        execution.decode_start,
        execution.encode_start(execution.Start(order.decode(SIGNED).hash, 180.5)),
        MalformedExecution,
    ),
]


@pytest.mark.parametrize(("decode", "whole", "branch"), DECODERS, ids=lambda each: "")
def test_no_bytes_escape_the_decoders(
    decode: Callable[[bytes], object], whole: bytes, branch: Any
) -> None:
    """Any bytes are the noun or its own error; what is cut short is never one."""
    all_refused(decode, truncations(whole), branch)
    never_escapes(decode, flips(whole), branch)
    never_escapes(decode, mutations(known("order"), 1000, seed=7), branch)


def test_a_flipped_bit_is_not_what_anybody_signed() -> None:
    """Each single bit that changes is seen: by form, by signature, or by the text's hash."""
    for each in flips(SIGNED):
        try:
            found = order.decode(each)
            found.verify(ANNA.public)
        except (MalformedOrder, BadSignature):
            continue
        raise AssertionError(f"a flipped bit went through: {each.hex()}")


def test_every_field_of_an_order_is_in_its_text_or_beside_it() -> None:
    """Two orders that differ in what they ask for are shown differently, in both languages."""
    changed = {
        "id": b"i" * 16,
        "activity": b"a" * 32,
        "target": b"t" * 16,
        "target_name": "other-gw",
        "point": "press-2.pressure",
        "value": 181,
        "unit": "hPa",
        "quoted": (b"f" * 32, 17),
        "expected": (),
        "validity_ms": 60_000,
        "mandate": b"m" * 32,
    }
    for language in wording.LANGUAGES:
        texts = {
            order.text(replace(ORDER, **{name: value}), language)  # type: ignore[arg-type]
            for name, value in changed.items()
        }
        assert len(texts | {order.text(ORDER, language)}) == len(changed) + 1


def test_no_value_can_be_taken_for_another_line_or_another_value() -> None:
    """A text stands quoted in one line; numbers that differ are written differently."""
    tricky = replace(ORDER, value='1" \\ "2', unit="")
    assert r'"1\" \\ \"2"' in order.text(tricky, "en")
    assert order.text(tricky, "en").count("\n") == order.text(ORDER, "en").count("\n")
    for value in ("a\nb", "a\u2028b", "a\u202eb", "a\x1b[2Jb"):
        with pytest.raises(MalformedOrder):
            order.encode(replace(ORDER, value=value, unit=""))
    shown = [wording.number(each) for each in (1, 1.0, 0.1, 1e15, 1e-9, 123456.789, -3)]
    assert shown == ["1", "1.0", "0.1", "1000000000000000.0", "0.000000001", "123456.789", "-3"]


def test_a_duration_is_written_by_its_parts() -> None:
    """Nothing is rounded away in what a person reads of how long an order holds."""
    told = [wording.span(each, "en") for each in (1, 999, 60_000, 90_061_001)]
    assert told == ["1 ms", "999 ms", "1 min", "1 d 1 h 1 min 1 s 1 ms"]
    assert wording.span(28_800_000, "zh") == "8 小时"


def test_an_order_that_no_reader_takes_is_never_signed() -> None:
    """What would be refused everywhere is refused to its author."""
    for wrong in (
        replace(ORDER, validity_ms=0),
        replace(ORDER, point=""),
        replace(ORDER, value=float("nan")),
        replace(ORDER, expected=ORDER.expected * 9),
    ):
        with pytest.raises(MalformedOrder):
            order.sign(ANNA, wrong)


def test_an_approval_is_of_one_text_under_one_verdict() -> None:
    """A verdict is on the text of one order in one language, and on nothing else."""
    asked = order.decode(SIGNED)
    word = approval.decode(approved(LI, asked.hash, Verdict.APPROVE, order.text(ORDER, "zh"), "zh"))
    word.verify(LI.public)
    assert word.is_of(order.text(ORDER, "zh"))
    assert not word.is_of(order.text(ORDER, "en"))
    assert not word.is_of(order.text(replace(ORDER, value=18), "zh"))
    turned = replace(word, approval=replace(word.approval, verdict=Verdict.REFUSE))
    assert not turned.is_of(order.text(ORDER, "zh"))
    with pytest.raises(BadSignature):
        word.verify(ANNA.public)


def test_a_payload_is_what_its_order_says() -> None:
    """A gateway can hand over only what it would have written: the text is the order's own."""
    payload = order.encode(ORDER)
    assert order.read(payload) == ORDER
    assert cose.decode(SIGNED, "order").payload == payload
    assert cbor.decode(payload, 4096) is not None
