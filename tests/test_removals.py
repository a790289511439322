"""Whoever is removed reads nothing more and takes nothing back, whatever it does from then on."""

import pytest

from gateway.groups import ring
from gateway.store import membership
from tests.faults import removals
from tests.sim.removal import removed


def test_no_key_of_who_was_removed_opens_what_is_said_under_its_removal() -> None:
    """In seeded worlds with members away: old records count on, new ones are shut and rejected."""
    assert "worlds 20," in removals.campaign(range(20))


def test_a_world_is_the_same_each_time() -> None:
    """A seed is the whole world, so a failure can be run again."""
    assert removed(7) == removed(7)


def test_keys_that_do_not_change_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worlds tell: where nobody announces anew after a removal, a key of the removed opens."""
    due = ring.due
    monkeypatch.setattr(ring, "due", lambda now, *rest: due(now, *rest) if now is None else None)
    with pytest.raises(AssertionError, match="removal world"):
        for seed in range(20):
            removed(seed)


def test_what_is_dated_back_would_be_seen_to_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worlds tell: if all of a removed one's records counted, they would fail."""
    monkeypatch.setattr(membership, "counts", lambda *_: True)
    with pytest.raises(AssertionError, match="removal world"):
        for seed in range(20):
            removed(seed)
