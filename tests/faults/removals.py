"""Members removed while others are away, who go on with their keys and date back, in seeded worlds.

No key that the removed one holds opens a record whose view includes its removal; what it had agreed
to counts at every member, what it says after counts at none.
"""

from collections.abc import Iterable

from tests.sim.many import lived
from tests.sim.removal import removed


def run(long: bool) -> str:
    """Live through 150 worlds, or 20,000; raise AssertionError at the first that fails."""
    return campaign(range(20_000 if long else 150))


def campaign(seeds: Iterable[int]) -> str:
    """Live through the worlds of these seeds; give what they came to."""
    worlds = records = shut = readable = kept = rejected = cut_off = 0
    for figures in lived(removed, seeds):
        worlds += 1
        records += figures.records
        shut += figures.shut
        readable += figures.readable
        kept += figures.kept
        rejected += figures.rejected
        cut_off += figures.cut_off
    assert shut and readable and kept and rejected, "nothing was shown"
    return (
        f"worlds {worlds}, records {records}, said after a removal and opened by none of its keys"
        f" {shut}, opened by them from before {readable}, of its records kept {kept}, rejected"
        f" {rejected}, taken with it by who might itself remove {cut_off}"
    )
