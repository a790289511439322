"""A copied store, started beside the original or in its place: real stores, runs and exchanges."""

from dataclasses import replace

import pytest

from gateway.errors import ClonedNode
from gateway.store import alarms
from gateway.sync.clones import Alarm, Runs
from tests.faults import copies
from tests.sim.copies import Copied, Copy, cloned, options_with_copy, restored


def test_clones_are_known_at_every_member_and_restored_copies_are_none() -> None:
    """In seeded worlds: each clone raises, no restart and no restore does, and nothing is lost."""
    assert "cloned 20," in copies.campaign(range(20))


def test_without_a_challenge_a_clone_may_stay_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worlds tell: that both answer what was drawn before shows nothing."""
    monkeypatch.setattr(Runs, "due", property(lambda _runs: False))
    monkeypatch.setattr("tests.sim.consortium.SETTLING_MS_MAX", 60_000)
    with pytest.raises(AssertionError, match="cloned world"):
        for seed in range(20):
            cloned(seed)


def test_an_alarm_at_any_second_run_is_seen_to_be_false(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worlds tell: a rule that takes a restored copy for a clone fails."""
    answered = Runs.answered

    def hasty(runs: Runs, run: bytes, challenge: int, drawn: int) -> tuple[Runs, tuple[Alarm, ...]]:
        after, _ = answered(runs, run, challenge, drawn)
        others = [each.run for each in after.seen if each.run != run]
        return after, tuple(Alarm(runs.node, each, run) for each in others)

    monkeypatch.setattr(Runs, "answered", hasty)
    with pytest.raises(AssertionError, match="restored world"):
        for seed in range(20):
            restored(seed)


def test_an_alarm_outlives_a_full_disk() -> None:
    """It is raised once only: where the commit fails, the next one keeps it."""
    world = Copied(replace(options_with_copy(0), loss=0.0, doubling=0.0, failing=0.0))
    Copy(world.victim, world)
    other = world.others[0]
    other.desk.failing = 1.0
    world.clock.run(60_000)
    assert other.exchange.counts[ClonedNode.code] == 1
    assert alarms.load(other.db) == []
    other.desk.failing = 0.0
    world.clock.run(1_000_000)
    assert [each.alarm.node for each in alarms.load(other.db)] == [world.victim.node]
