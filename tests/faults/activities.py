"""Histories of activities, written by chance by nodes that hear late of one another, in any order.

What must hold: whatever the order in which entries come, one at a time, doubled, in heaps, before
what they rest on, every fold of the same entries has the same state, rejected ones, values,
approvals and all; and what is given out on the way is a state as well.
"""

import random

from tests.activity_histories import History, by_chance, new

ORDERS, ORDERS_LONG = 10_000, 100_000
ENTRIES = 24
_PER_HISTORY = 20


def run(long: bool) -> str:
    """Fold in 10,000 random orders, or 100,000; raise at the first that comes out otherwise."""
    return campaign(ORDERS_LONG if long else ORDERS)


def campaign(orders: int) -> str:
    """Fold every history in many orders; give how many there were."""
    rejected, beside, corrected = 0, 0, 0
    for seed in range(orders // _PER_HISTORY):
        history = by_chance(seed, ENTRIES)
        expected = history.fold().state
        assert not expected.parked
        for number in range(_PER_HISTORY):
            _fold(history, seed, number)
        rejected += len(expected.rejected)
        given = [expected.given(name) for name in expected.fields]
        beside += any(len(values) > 1 for values in given)
        corrected += any(each.before for values in given for each in values)
    assert rejected and beside and corrected
    return (
        f"{orders} orders of {orders // _PER_HISTORY} histories of {ENTRIES} entries: one state"
        f" each; {rejected} entries rejected, values corrected in {corrected} histories"
    )


def _fold(history: History, seed: int, number: int) -> None:
    """Fold a history in one random order and compare."""
    dice = random.Random(f"{seed} {number}")
    entries = [*history.entries[1:], *dice.sample(history.entries, 3)]
    dice.shuffle(entries)
    fold = new(history)
    while entries:
        heap = dice.choice((1, 1, 1, 4))
        fold.add(entries[:heap])
        del entries[:heap]
        if dice.random() < 0.3:
            assert fold.state.count + len(fold.state.parked) <= len(history.entries)
    assert fold.state == history.fold().state, f"seed {seed}, order {number}"
