"""At most once, never stale, never after a restore: orders in worlds where all goes wrong."""

from tests.faults import orders


def test_no_mishap_moves_a_machine_twice_or_late() -> None:
    """Doubled, late, replayed, cancelled, crashed upon and restored: each order moves once at most.

    And when all have heard all, every member tells the same.
    """
    assert "moved" in orders.campaign(20)
