"""Whoever is removed reads nothing more and takes nothing back, whatever it does from then on."""

from dataclasses import replace

import pytest

from gateway.groups import ring
from gateway.store import feeds, membership
from tests.faults import removals
from tests.sim.device import Device
from tests.sim.removal import Removal, fate_of, options_with_members, removed


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


def test_who_was_away_when_it_was_removed_is_told_when_it_speaks() -> None:
    """It gets the feed of its removal up to that, and nothing that was said after."""
    fate = replace(fate_of(0), members=3, outsiders=0, rebel=1, way="initiator", is_strong=False)
    calm = replace(options_with_members(0), nodes=3, groups=1, loss=0.0, doubling=0.0, failing=0.0)
    world = Removal(calm, fate)
    first, away = world.gateways[0], world.gateways[2]
    world.clock.run(20_000)
    world.network.cut.add(away.name)
    assert world.removes(first, away)
    for each in (first, away):
        each.say(world.sealed, Device("press", world.dice).say(0))
    world.clock.run(60_000)
    assert away.is_member(world.sealed)
    world.network.cut.discard(away.name)
    away.reconnect()
    world.clock.run(90_000)
    assert not away.is_member(world.sealed)
    ((feed, seq),) = membership.removals(first.db, world.sealed.id, away.node)
    heads = [feeds.head(each.db, feed) for each in (away, first)]
    assert [head.size > seq + 1 for head in heads if head] == [False, True]
