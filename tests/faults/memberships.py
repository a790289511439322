"""Random histories of a group's membership, in several orders of arrival each.

Whoever holds the same records computes the same members, cuts and newest records, and owes its keys
to the same.
"""

import random
from collections.abc import Iterable
from multiprocessing import get_context

from gateway.groups.fold import fold
from tests.histories import by_chance, owed

COUNT, COUNT_LONG = 10_000, 1_000_000
_ORDERS = 4
_PROCESSES = 2


def check(seed: int) -> tuple[int, int]:
    """Fold one history in several orders; give how many changes it had, and how many members."""
    history, chance = by_chance(seed), random.Random(seed)
    first = history.fold()
    for _ in range(_ORDERS):
        changes, vouchers = list(history.changes.values()), list(history.vouchers)
        changes += chance.sample(changes, len(changes) // 2)  # Some come twice.
        beginnings = list(history.beginnings.items())
        for each in (changes, vouchers, beginnings):
            chance.shuffle(each)
        again = fold(history.founding, changes, vouchers, dict(beginnings))
        assert again == first, f"history {seed}: another order gives other members"
        assert owed(again) == owed(first), f"history {seed}: keys are owed to others"
    return len(history.changes), len(first.members)


def run(long: bool) -> str:
    """Fold 10,000 histories, or a million; raise AssertionError at the first that differs."""
    return campaign(range(COUNT_LONG if long else COUNT))


def campaign(seeds: Iterable[int]) -> str:
    """Fold the histories of these seeds; give what they came to."""
    changes = members = histories = 0
    with get_context("spawn").Pool(_PROCESSES) as pool:
        for said, left in pool.imap_unordered(check, seeds, chunksize=50):
            histories += 1
            changes += said
            members += left
    assert changes > 10 * histories, "the histories say next to nothing"
    return (
        f"histories {histories}, in {_ORDERS + 1} orders each, changes {changes}, "
        f"members in the end {members}, different 0"
    )
