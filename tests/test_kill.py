"""The first promise, on real processes: what is acknowledged is stored, once."""

from tests.faults import kill


def test_nothing_acknowledged_is_lost_or_doubled_by_kill_9() -> None:
    """After 20 kills at random instants every acknowledged message is in the store, once."""
    print(kill.campaign(20, seed=1))
