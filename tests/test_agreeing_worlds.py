"""Worlds in which a member lies about agreement, and what sees that something final is lost."""

from collections import Counter
from dataclasses import replace

import apsw
import pytest

from gateway.groups.evidence import Kind as Broken
from gateway.store import evidence
from tests.sim.mishaps import Mishaps
from tests.sim.options import Options, plain_options
from tests.sim.witness import HONEST

_CALM = replace(
    plain_options(5),
    nodes=4,
    groups=1,
    sayings=8,
    loss=0.0,
    doubling=0.0,
    failing=0.0,
    days_down=0,
    restarts=0,
    cuts=0,
    cut_ms_max=60_000,
    receipts=True,
    witnesses=(HONEST,) * 4,
)


def _worded(seed: int, word: str) -> Options:
    return replace(_CALM, seed=seed, lies=("withholds",), words=(word,), wordings=4)


def _found(world: Mishaps) -> Counter[Broken]:
    """Count at how many honest members there is evidence of each kind, all against who lies."""
    held = [each.finding for one in world.honest for each in evidence.held(one.db)]
    assert {each.node for each in held} <= world.safety.liars
    return Counter(each.kind for each in held)


def test_two_journals_of_one_run_are_evidence_at_all_who_are_honest() -> None:
    """Witnesses that were shown one each, and members that were told one each: it comes out.

    Whatever it forks, the records of the others are final as ever, and the same everywhere.
    """
    found = Counter[Broken]()
    for seed in range(3):
        world = Mishaps(_worded(seed, "forks its journal"))
        world.live()
        assert len(world.finals)
        found += _found(world)
        forks = [each.exchange.journal_forks for each in world.honest]
        if any(forks):
            assert _found(world)[Broken.JOURNAL_FORK] == len(world.honest)
    assert found[Broken.JOURNAL_FORK]


def test_receipts_of_what_is_not_held_accuse_nobody_and_part_nobody() -> None:
    """Of other roots, of more than there is, of what it lacks: all honest members stand alike."""
    doubted = 0
    for seed in range(3):
        world = Mishaps(_worded(seed, "false receipts"))
        world.live()
        assert not _found(world)
        assert not any(each.exchange.frozen for each in world.honest)
        doubted += sum(bool(each.exchange.forks) for each in world.honest)
    assert doubted, "no root was another one"


@pytest.fixture(scope="module")
def lived() -> Mishaps:
    """Give a world that was lived through, in which records are final."""
    world = Mishaps(replace(_CALM, seed=1))
    world.live()
    assert len(world.finals) > 8
    return world


def _spoiled(world: Mishaps, change: str) -> None:
    """Change what one member holds, see what the ledger of final records says, and undo it."""
    db: apsw.Connection = world.honest[1].db
    db.execute("SAVEPOINT spoiled")
    try:
        db.execute(change)
        world.finals.look(world.honest[1])
        world.finals.check(world.honest)
    finally:
        db.execute("ROLLBACK TO spoiled")
        db.execute("RELEASE spoiled")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE records SET id = zeroblob(32) WHERE place & 4294967295 = 2", "lost or changed"),
        ("DELETE FROM records WHERE place & 4294967295 = 0", "lost or changed"),
        ("UPDATE standing SET cosigned = cosigned - 1", "final is final no more"),
        ("UPDATE standing SET agreed = 0", "final is final no more"),
        ("DELETE FROM standing", "final is final no more"),
        ("UPDATE feeds SET id = randomblob(32) WHERE number = 2", "final is final no more"),
    ],
)
def test_a_final_record_that_is_lost_or_changed_is_seen(
    lived: Mishaps, change: str, said: str
) -> None:
    """The ledger's own eyes are open: what is planted in one member's store fails the world."""
    _spoiled(lived, "SELECT 1")
    with pytest.raises(AssertionError, match=said):
        _spoiled(lived, change)
