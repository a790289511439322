"""Whole consortia of real stores, signatures and exchanges on a network with a temper."""

import pytest

from tests.faults import worlds
from tests.sim.consortium import Consortium, live, options_of
from tests.sim.device import Device


def test_two_hundred_seeded_worlds_converge() -> None:
    """Whatever is lost, doubled, late or cut off: all members end up with the same, signed for."""
    assert "converged 200," in worlds.campaign(range(200))


def test_a_world_is_the_same_each_time() -> None:
    """A seed is the whole world, so a failure can be run again."""
    assert live(5) == live(5)
    assert options_of(5) == options_of(5)


def test_a_failure_names_its_seed_and_what_it_stands_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sees a failure can run that world again, and knows its temper."""
    monkeypatch.setattr(Consortium, "agreed", lambda _world: False)
    monkeypatch.setattr("tests.sim.consortium.SETTLING_MS_MAX", 10_000)
    with pytest.raises(AssertionError, match=r"make worlds SEED=5: \{'seed': 5, 'nodes'"):
        live(5)


def test_a_release_without_an_ack_is_seen() -> None:
    """The simulator's own eyes are open: a cursor moved by anything but an ACK fails the world."""
    world = Consortium(options_of(5))
    gateway, peer = world.gateways[:2]
    gateway.say(world.groups[0], Device("press", world.dice).say(0))
    gateway.db.execute(
        "INSERT INTO acks SELECT f.number, ?, h.size, zeroblob(32), x'' FROM feeds f"
        " JOIN heads h ON h.feed = f.number LIMIT 1",
        (peer.node,),
    )
    with pytest.raises(AssertionError, match="released without an ACK"):
        world.check(gateway)
