"""What of a membership's records is idle: no number of them makes a fold long, or changes it."""

import dataclasses
import itertools
import time
import tracemalloc

import pytest

from gateway.groups.group import Role
from gateway.groups.history import FEED_ACTS_MAX, after_pasts
from gateway.groups.membership import Add, Approve, Roles
from tests.histories import FOUNDERS, Histories, approvals, known, names
from tests.vectors.build_fold import added

EVERY = set(FOUNDERS)


def test_each_comes_after_what_it_names_however_long_the_chain() -> None:
    """What is unknown is left out, and takes nothing of what is known with it."""
    links = [number.to_bytes(2, "big") for number in range(3000)]
    chain = {after: [before] for before, after in itertools.pairwise(links)}
    backwards = dict(reversed(chain.items())) | {b"at last": [b"unknown", links[-1]]}
    assert after_pasts(backwards) == [*chain, b"at last"]


@pytest.mark.parametrize("named", ["the proposal", "nothing", "the one before"])
def test_approvals_without_end_cost_a_moment_and_change_nothing(named: str) -> None:
    """Of 3,000 of one feed the fold keeps one; whoever names what is there pays for it alone."""
    history = Histories({**FOUNDERS, "dyne": Role.OBSERVER})
    proposal = history.add("ace", "east")
    history.tell("ace", "dyne")
    last = proposal
    for _ in range(3_000):
        approved = {"the proposal": proposal, "nothing": bytes(32), "the one before": last}[named]
        last = history.say("dyne", Approve(approved))
        # As it stands in the store: it names the one before it, and its view.
        said = history.changes[last]
        before = frozenset({proposal, *list(history.changes)[-2:-1]})
        history.changes[last] = dataclasses.replace(said, past=before)
    tracemalloc.start()
    started = time.process_time()
    folded = history.fold()
    took_s, (_, peak_bytes) = time.process_time() - started, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert took_s < 2 and peak_bytes < 20_000_000  # Watched: twice and more of what it takes alone.
    (waiting,) = folded.pending
    assert len(waiting.approved) == (1 if named == "nothing" else 2)
    assert len(folded.newest) == 1


def test_the_first_approval_of_a_feed_is_its_word() -> None:
    """A second by the same feed does not enter; by another feed it does."""
    history = added("bolt")
    (proposal,) = (one.id for one in history.changes.values() if isinstance(one.act, Add))
    (first,) = history.fold().newest
    history.say("bolt", Approve(proposal))
    assert history.fold().newest == (first,)
    history.begin("bolt")
    again = history.say("bolt", Approve(proposal))
    assert history.fold().newest == (again,)


def test_an_approval_of_what_it_does_not_know_is_idle() -> None:
    """Its proposal must be in its own past, and be one: else it is not even named in a view."""
    history = Histories(FOUNDERS, approvals(2))
    proposal, left = history.add("ace", "east"), history.leave("dyne")
    history.say("bolt", Approve(proposal))
    history.tell("dyne", "coil")
    history.say("coil", Approve(left))
    assert history.fold().newest == tuple(sorted({proposal, left}))
    assert "east" not in names(history.fold())


def test_acts_of_one_feed_count_up_to_a_bound() -> None:
    """The last that may counts, the next does not; a new feed begins to count anew."""
    history = Histories(FOUNDERS, approvals(1))
    for number in range(FEED_ACTS_MAX - 1):
        history.say("ace", Roles(known("bolt").node.id, (Role(number % 2),)))
    history.add("ace", "east")
    assert names(history.fold()) == EVERY | {"east"}
    history.add("ace", "flux")
    assert names(history.fold()) == EVERY | {"east"}
    history.begin("ace")
    history.add("ace", "flux")
    assert names(history.fold()) == EVERY | {"east", "flux"}


def test_what_follows_something_idle_follows_its_past() -> None:
    """What is left out is a link all the same: pasts go through it, and it is waited for."""
    history = Histories(FOUNDERS, approvals(1))
    first = history.add("ace", "east")
    history.tell("ace", "bolt")
    idle = history.say("bolt", Approve(bytes(range(32))))
    last = history.say("bolt", Roles(known("coil").node.id, (Role.OBSERVER,)))
    for name, past in ((idle, first), (last, idle)):
        history.changes[name] = dataclasses.replace(history.changes[name], past=frozenset({past}))
    assert history.fold().newest == (last,)
    without = [each for each in history.changes.values() if each.id != idle]
    assert history.fold(without).newest == (first,)
