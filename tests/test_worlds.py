"""Whole consortia of real stores, signatures and exchanges, in which anything may fail or lie."""

from dataclasses import replace

import apsw
import pytest

from gateway.store.writer import Job
from tests.faults import worlds
from tests.sim import disk
from tests.sim.consortium import Consortium
from tests.sim.device import Device
from tests.sim.disk import Desk
from tests.sim.liar import _LIES, Liar
from tests.sim.mishaps import Mishaps, live
from tests.sim.options import LIES, WORDS, Options, options_of, plain_options
from tests.sim.seeds import kept
from tests.sim.witness import NATURES

_CALM = replace(plain_options(5), loss=0.0, doubling=0.0, failing=0.0, days_down=0)


def test_a_hundred_seeded_worlds_converge() -> None:
    """Whatever is lost, late, cut off, full, dead, restored or a lie: honest members agree."""
    seeds = [*kept(), *range(100)]
    assert f"converged {len(seeds)}," in worlds.campaign(seeds)


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


def test_the_seeds_stand_for_all_there_is() -> None:
    """Among the first two thousand: 2 to 7 members, many links, each fault and each lie."""
    drawn = [options_of(seed) for seed in range(2_000)]
    assert {each.nodes for each in drawn} == set(range(2, 8))
    assert {each.links for each in drawn} == {1, 2, 3}
    assert {lie for each in drawn for lie in each.lies} == set(LIES)
    assert {word for each in drawn for word in each.words} == set(WORDS)
    assert {*LIES, *WORDS} == _LIES.keys()
    natures = {nature for each in drawn for nature in each.witnesses}
    assert natures == {*NATURES, ""}
    for name in (
        "cuts",
        "crashes",
        "tears",
        "fills",
        "restores",
        "clock_steps",
        "is_relentless",
        "witnesses",
    ):
        assert {bool(getattr(each, name)) for each in drawn} == {True, False}
    assert 0.3 < sum(bool(each.lies) for each in drawn) / len(drawn) < 0.6


def test_a_release_without_an_ack_is_seen() -> None:
    """The simulator's own eyes are open: a cursor moved by anything but an ACK fails the world."""
    world = Consortium(_CALM)
    gateway, peer = world.gateways[:2]
    gateway.say(world.groups[0], Device("press", world.dice).say(0))
    gateway.db.execute(
        "INSERT INTO acks SELECT f.number, ?, h.size, zeroblob(32), x'' FROM feeds f"
        " JOIN heads h ON h.feed = f.number LIMIT 1",
        (peer.node,),
    )
    with pytest.raises(AssertionError, match="released without an ACK"):
        world.safety.check(gateway)


def test_what_is_signed_for_and_lost_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worlds tell: a store that answers before its commit is durable fails them."""

    def hasty(self: Desk, job: Job[object]) -> object:
        before = disk.copy_of(self._connection)
        future = submit(self, job)
        if self._dice.random() < 0.2:
            with self._connection.backup("main", before, "main") as backup:
                backup.step()
        return future

    submit = Desk.submit
    monkeypatch.setattr(Desk, "submit", hasty)
    monkeypatch.setattr("tests.sim.consortium.SETTLING_MS_MAX", 60_000)
    with pytest.raises((AssertionError, apsw.Error)):
        for seed in range(5):
            live(seed)


def _lying(seed: int, *lies: str) -> Options:
    return replace(_CALM, seed=seed, nodes=3, groups=1, lies=lies, lyings=8, restarts=0, cuts=0)


def test_a_fork_is_seen_by_the_honest_and_parts_only_itself() -> None:
    """Two histories of the hostile one's feed: the feed alone is frozen or doubted, by somebody."""
    seen = 0
    for seed in range(4):
        world = Mishaps(_lying(seed, "forks"))
        world.live()
        assert world.forked()
        seen += sum(bool(each.exchange.forks) for each in world.honest)
    assert seen


@pytest.mark.parametrize("lie", LIES)
def test_each_lie_by_itself_harms_nobody(lie: str) -> None:
    """A hostile member that does one thing only, again and again."""
    world = Mishaps(_lying(1, lie))
    world.live()
    (liar,) = [each for each in world.gateways if isinstance(each, Liar)]
    assert liar.lies_told == 8
