"""Gateways that are cloned, and old copies that take a gateway's place, in seeded worlds.

Every clone is known at every other member, no restored copy is taken for one, no two records share
a feed and a number, and what a peer held comes back.
"""

from collections.abc import Iterable

from tests.sim.copies import Cloned, Restored, cloned, restored
from tests.sim.many import lived


def run(long: bool) -> str:
    """Live through 50 worlds twice, or 20,000; raise AssertionError at the first that fails."""
    return campaign(range(20_000 if long else 50))


def campaign(seeds: Iterable[int]) -> str:
    """Live through the worlds of these seeds, each with a clone and with a restored copy."""
    worlds = alarms = slowest_ms = returned = lost = 0
    for figures in lived(_twice, seeds, chunk=2):
        clone, copy = figures
        worlds += 1
        alarms += clone.alarms
        slowest_ms = max(slowest_ms, clone.alarm_ms)
        returned += copy.returned
        lost += copy.lost
    assert worlds and returned, "nothing was shown"
    return (
        f"worlds {worlds}, cloned {worlds}, alarms {alarms}, the last {slowest_ms / 1000:.0f} s"
        f" after the ways were mended, restored {worlds}, false alarms 0,"
        f" records given back {returned}, held by nobody {lost}"
    )


def _twice(seed: int) -> tuple[Cloned, Restored]:
    return cloned(seed), restored(seed)
