"""Journals: an entry is under a checkpoint or it is not, and a journal grows when it is to."""

from itertools import product
from typing import Any

import pytest

from gateway.errors import ProofFails
from gateway.records import journal
from gateway.records.journal import RULE, due
from tests.damage import refusal
from tests.vectors import load
from tests.vectors.build_journal import HEADS, at, check, entry

VECTORS = load("journal")


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda vector: vector["name"])
def test_good_entries_hold(vector: dict[str, Any]) -> None:
    """Each good vector's path leads to its checkpoint's root."""
    check(vector)


@pytest.mark.parametrize("vector", VECTORS["bad"], ids=lambda vector: vector["name"])
def test_bad_entries_are_refused(vector: dict[str, Any]) -> None:
    """Each bad vector is refused with its code."""
    assert refusal(lambda: check(vector), ProofFails) == vector["error"]


def test_every_entry_holds_under_every_checkpoint_that_has_it_and_under_no_other() -> None:
    """A head is under the checkpoints from its own leaf on, each by its own path alone."""
    sizes = range(1, len(HEADS) + 1)
    for size, index, other in product(sizes, range(len(HEADS)), sizes):
        if index < size == other:
            entry(index, size).check(at(size))
        elif index < size:
            with pytest.raises(ProofFails):
                entry(index, size).check(at(other))


def test_leaves_differ_by_each_field() -> None:
    """Two heads have one leaf only if they are one."""
    assert len({journal.leaf(head) for head in HEADS}) == len(HEADS)


@pytest.mark.parametrize(
    ("records", "waited_ms", "reachable", "grows"),
    [
        (0, 10**9, True, False),
        (1, RULE.heard_ms - 1, True, False),
        (1, RULE.heard_ms, True, True),
        (1, RULE.heard_ms, False, False),
        (1, RULE.silent_ms, False, True),
        (RULE.records - 1, 0, True, False),
        (RULE.records, 0, False, True),
    ],
)
def test_a_journal_grows_when_it_is_due(
    records: int, waited_ms: int, reachable: bool, grows: bool
) -> None:
    """At a thousand records; else after a minute with a witness, after an hour without one."""
    assert due(records, waited_ms, reachable) is grows
