"""Loss, doubling, reordering, partitions, restarts, full disks and days without a broker, seeded.

Every world converges, and at no moment of it an outbox lets go of a record without its peer's ACK.
"""

from collections.abc import Iterable

from tests.sim.consortium import live
from tests.sim.many import lived


def run(long: bool) -> str:
    """Live through 2,000 worlds, or 200,000; raise AssertionError at the first that fails."""
    return campaign(range(200_000 if long else 2_000))


def campaign(seeds: Iterable[int]) -> str:
    """Live through the worlds of these seeds; give what they came to."""
    worlds = records = messages = lost = 0
    hours = 0.0
    for figures in lived(live, seeds):
        worlds += 1
        records += figures.records
        messages += figures.messages
        lost += figures.lost
        hours += figures.hours
    assert worlds, "no world was lived through"
    return (
        f"worlds {worlds}, converged {worlds}, records {records}, messages {messages}, "
        f"lost on the way {lost}, virtual days {hours / 24:.0f}"
    )
