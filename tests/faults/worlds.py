"""Ways that lose, double and are cut, disks that fail, copies restored, a member that lies; seeded.

Every world converges. At no moment of it an outbox lets go of a record without its peer's ACK,
what was signed for is lost, or who is honest is accused. Seeds that ever failed come first.
"""

from collections.abc import Iterable

from tests.sim.many import lived
from tests.sim.mishaps import live
from tests.sim.seeds import kept


def run(long: bool) -> str:
    """Live through 2,000 worlds, or 200,000; raise AssertionError at the first that fails."""
    return campaign([*kept(), *range(200_000 if long else 2_000)])


def campaign(seeds: Iterable[int]) -> str:
    """Live through the worlds of these seeds; give what they came to."""
    worlds = records = messages = lost = slowest_s = 0
    hours = 0.0
    for figures in lived(live, seeds):
        worlds += 1
        records += figures.records
        messages += figures.messages
        lost += figures.lost
        hours += figures.hours
        slowest_s = max(slowest_s, figures.settled_s)
    assert worlds, "no world was lived through"
    return (
        f"worlds {worlds}, converged {worlds}, at most {slowest_s} s after all was mended,"
        f" records {records}, messages {messages}, lost on the way {lost},"
        f" virtual days {hours / 24:.0f}"
    )
