"""Mandates: what a machine may ask of another one, and when that is used up."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.activities import allowance, mandate, wording
from gateway.activities.standing import Use
from gateway.errors import BadSignature, MalformedMandate
from tests.damage import all_refused, flips, never_escapes, refusal, truncations
from tests.mutate import known, mutations, vectors
from tests.people import BOOT, moment
from tests.vectors.build_mandate import MANDATE, SIGNED, expect
from tests.vectors.build_order import ANNA, LI

EARLIER_BOOT = b"earlier!"


@pytest.mark.parametrize("vector", vectors("mandate"), ids=lambda vector: vector["name"])
def test_every_vector_is_read_or_refused(vector: dict[str, Any]) -> None:
    """A good one says what the vector says, its texts among it; a bad one has its code."""
    encoded = bytes.fromhex(vector["hex"])
    if "error" in vector:
        assert refusal(lambda: expect(encoded)) == vector["error"]
    else:
        assert expect(encoded) == vector["expect"]


def test_no_bytes_escape_the_decoder() -> None:
    """Any bytes are a mandate or its own error; what is cut short is never one."""
    all_refused(mandate.decode, truncations(SIGNED), MalformedMandate)
    never_escapes(mandate.decode, flips(SIGNED), MalformedMandate)
    never_escapes(mandate.decode, mutations(known("mandate"), 1000, seed=7), MalformedMandate)


def test_a_mandate_is_its_givers() -> None:
    """It verifies under the key of who gave it, and of nobody else."""
    found = mandate.decode(SIGNED)
    found.verify(LI.public)
    with pytest.raises(BadSignature):
        found.verify(ANNA.public)


def test_every_bound_of_a_mandate_is_in_its_text() -> None:
    """Two mandates that differ in what they allow are shown differently, in both languages."""
    changed = {
        "id": b"i" * 16,
        "asking": b"a" * 16,
        "device": "tank-2",
        "target": b"t" * 16,
        "target_name": "other-gw",
        "point": "pump-2.refill",
        "unit": "m3",
        "rate_count": 3,
        "window_s": 60,
        "orders_max": 1,
        "bounds": None,
        "sum_max": None,
        "depth_max": 2,
        "end_s": None,
    }
    for language in wording.LANGUAGES:
        texts = {
            mandate.text(replace(MANDATE, **{name: value}), language)  # type: ignore[arg-type]
            for name, value in changed.items()
        }
        assert len(texts | {mandate.text(MANDATE, language)}) == len(changed) + 1


def test_what_is_recent_is_counted_by_the_monotonic_clock() -> None:
    """Of this boot by its age, to the millisecond; a window has room again once it is over."""
    now = moment(100)
    uses = [Use(BOOT, now.monotonic_ms - ago_ms, 1) for ago_ms in (0, 999, 1000, 5000)]
    assert allowance.recent(uses, 1000, now) == 2
    assert allowance.recent(uses, 1001, now) == 3


def test_an_earlier_boot_is_recent_until_this_one_has_lasted_as_long() -> None:
    """Nobody knows how long ago it was: at least as long as this boot lasts, and no clock helps."""
    use = [Use(EARLIER_BOOT, 10_000_000, 1)]
    now = moment()
    assert allowance.recent(use, now.monotonic_ms + 1, now) == 1
    assert allowance.recent(use, now.monotonic_ms, now) == 0


def test_the_size_of_a_value_is_what_a_budget_loses() -> None:
    """Moving back and forth is not for nothing, and a switch has no size."""
    assert [allowance.amount(each) for each in (-2.5, 2, True, "on")] == [2.5, 2, 0, 0]
