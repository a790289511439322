"""Loss, doubling, reordering, partitions, restarts, full disks and days without a broker, seeded.

Every world converges, and at no moment of it an outbox lets go of a record without its peer's ACK.
"""

from collections.abc import Iterable
from multiprocessing import get_context

from tests.sim.consortium import Figures, live

_PROCESSES = 2


def run(long: bool) -> str:
    """Live through 2,000 worlds, or 200,000; raise AssertionError at the first that fails."""
    return campaign(range(200_000 if long else 2_000))


def campaign(seeds: Iterable[int]) -> str:
    """Live through the worlds of these seeds; give what they came to."""
    worlds = records = messages = lost = 0
    hours = 0.0
    with get_context("spawn").Pool(_PROCESSES) as pool:
        for figures in pool.imap_unordered(_live, seeds, chunksize=4):
            assert isinstance(figures, Figures), figures
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


def _live(seed: int) -> Figures | str:
    try:
        return live(seed)
    except AssertionError as fault:  # Its text names the seed; the fault itself may not travel.
        return str(fault)
