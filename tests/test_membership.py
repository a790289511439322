"""Membership: whatever order records come in, the same members; and each rule of chapter 5."""

import dataclasses
import itertools
import random
import time
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from gateway.errors import MalformedMembership, NotAMember
from gateway.groups import membership
from gateway.groups.fold import fold
from gateway.groups.group import Role
from gateway.groups.membership import ENDLESS, Approve, Leave, Remove, Roles
from tests.damage import all_refused, never_escapes, refusal, truncations
from tests.faults import memberships
from tests.histories import FOUNDERS, Histories, addition, approvals, by_chance, known, names
from tests.mutate import mutations, vectors
from tests.vectors import build_fold, memberships as written
from tests.vectors.build_fold import added, approved_late, mutual, readmitted, removed, revoked
from tests.vectors.build_membership import GOOD, expect

SUPERVISED = build_fold.SUPERVISED
EVERY = set(FOUNDERS)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 1 << 32))
def test_any_order_of_arrival_gives_the_same_members(seed: int) -> None:
    """Members, cuts, newest records, and to whom keys are owed are a function of the set alone."""
    memberships.check(seed)


@pytest.mark.parametrize("seed", range(20))
def test_a_part_of_a_history_is_folded_as_if_it_were_all(seed: int) -> None:
    """What lacks its past changes nothing, until it is all there; then nothing is left out."""
    history = by_chance(seed)
    arriving = list(history.changes.values())
    random.Random(seed).shuffle(arriving)
    for count in range(len(arriving) + 1):
        held = {change.id: change for change in arriving[:count]}
        whole = [change for change in held.values() if change.past <= held.keys()]
        assert history.fold(held.values()) == history.fold(whole)
        assert set(history.fold(whole).newest) <= held.keys()
    assert history.fold(arriving) == history.fold()


def test_who_has_heard_more_never_judges_an_old_act_otherwise() -> None:
    """An act is judged in its own past: what others do meanwhile does not make it valid or not."""
    history = added("bolt", "coil")
    before = names(history.fold())
    history.say("dyne", Roles(known("dyne").node.id, (Role.INITIATOR,)))
    history.say("dyne", Remove(known("coil").node.id, ()))
    assert names(history.fold()) == before == EVERY | {"east"}


def test_five_hundred_changes_fold_in_well_under_a_second() -> None:
    """A long membership costs a moment, also one in which everybody contests everybody."""
    history, number = by_chance(5, 800), itertools.count()
    assert len(history.changes) > 500
    calm = Histories(FOUNDERS, approvals(2))
    while len(calm.changes) < 500:
        proposal = calm.add("ace", "east", Role(next(number) % 2))
        calm.tell("ace", "bolt")
        calm.say("bolt", Approve(proposal))
        if len(calm.changes) % 7 == 0:
            calm.remove("ace", "east")
        calm.tell("ace", "bolt")
    for each in (history, calm):
        started = time.process_time()
        each.fold()
        assert time.process_time() - started < 1


def test_a_quorum_is_of_organisations_and_not_of_nodes() -> None:
    """Of four organisations three must be for it, however many nodes one of them has."""
    assert names(added("bolt").fold()) == EVERY
    assert names(added("bolt", "coil").fold()) == EVERY | {"east"}
    crowd = build_fold.BAD["approvals of nodes, not of organisations"]().fold()
    (waiting,) = crowd.pending
    assert (len(waiting.approved), waiting.needed) == (2, 3)
    assert "east" not in names(crowd)


def test_a_proposal_says_who_is_for_it_until_it_is_settled() -> None:
    """What waits names the organisations that are for it, and waits no more once they suffice."""
    (waiting,) = added("bolt").fold().pending
    assert waiting.approved == tuple(sorted({known("ace").root.id, known("bolt").root.id}))
    assert (waiting.needed, waiting.node) == (3, known("ace").node.id)
    assert added("bolt", "coil").fold().pending == ()


def test_the_initiator_removes_at_once() -> None:
    """No approval is needed, and what the removed had said until then counts."""
    history = removed("ace")
    folded, dyne = history.fold(), history.actors["dyne"]
    assert names(folded) == EVERY - {"dyne"}
    assert [folded.counts(dyne.feeds[0], seq, dyne.node) for seq in (0, 3, 4)] == [
        True,
        True,
        False,
    ]
    with pytest.raises(NotAMember):
        folded.member(dyne.node)


def test_a_receiver_removes_nobody_else() -> None:
    """Who may not remove writes a record that changes nothing."""
    assert names(removed("bolt").fold()) == EVERY


@pytest.mark.parametrize("by", ["ace", "bolt", "coil"])
def test_members_cannot_remove_a_supervisor(by: str) -> None:
    """Not the initiator, not another supervisor, not all of them together (I6)."""
    history = removed(by, {**SUPERVISED, "coil": Role.SUPERVISOR})
    for name in ("ace", "bolt", "coil"):
        history.remove(name, "dyne")
    assert "dyne" in names(history.fold())
    assert history.fold().has_required_supervisor


def test_members_cannot_take_a_supervisors_role_away() -> None:
    """Not by a change of roles, and not by adding it again as something less (I6)."""
    history = build_fold.BAD["a supervisor's role taken away"]()
    again = history.say("ace", addition("dyne", Role.OBSERVER))
    for name in ("bolt", "coil"):
        history.tell("ace", name)
        history.say(name, Approve(again))
    assert Role.SUPERVISOR in history.fold().member(known("dyne").node.id).roles


def test_the_consortium_removes_a_supervisor() -> None:
    """Its own organisation's revocation does, written by any member; nobody else's does."""
    assert names(revoked("dyne").fold()) == EVERY - {"dyne"}
    assert names(revoked("coil").fold()) == EVERY
    expelled = build_fold.GOOD["a supervisor whose organisation was expelled"]().fold()
    assert names(expelled) == EVERY - {"dyne"}


def test_a_group_without_its_required_supervisor_says_so() -> None:
    """A supervisor may leave, and then nothing can be agreed; no supervisor may be meant at all."""
    history = Histories(SUPERVISED)
    assert history.fold().has_required_supervisor
    history.leave("dyne")
    assert not history.fold().has_required_supervisor
    assert Histories(FOUNDERS).fold().has_required_supervisor


def test_two_who_remove_each_other_are_both_removed() -> None:
    """Where nothing says which came first, nobody gains by being quick."""
    assert names(mutual(receipt=False).fold()) == {"coil", "dyne"}


def test_a_receipt_says_which_of_two_removals_was_there() -> None:
    """A third who had one removal, and knew of no other, decides between two."""
    assert names(mutual(receipt=True).fold()) == EVERY - {"bolt"}


def test_an_old_quarrel_does_not_settle_a_new_one() -> None:
    """A removal that nobody contests does not decide between two that contest each other."""
    history = mutual(receipt=False)
    history.remove("ace", "dyne")
    assert names(history.fold()) == {"coil"}


@pytest.mark.parametrize("below", [True, False])
def test_an_approval_of_the_removed_counts_below_the_cut_alone(below: bool) -> None:
    """What the removed signs after its cut, dated back, completes nothing (I7)."""
    folded = approved_late(below=below).fold()
    assert ("east" in names(folded)) == below
    assert len(folded.pending) == (not below)


@pytest.mark.parametrize(("receipt", "counts"), [("coil", True), ("dyne", False), ("!coil", False)])
def test_another_organisations_receipt_keeps_a_cut_from_erasing(receipt: str, counts: bool) -> None:
    """A receipt vouches if it is another's and its view knows of no removal (I7)."""
    assert ("east" in names(approved_late(below=False, receipt=receipt).fold())) == counts


def test_only_who_may_vouch_vouches() -> None:
    """Not a node of the same organisation, not a stranger, and not one itself cut off before."""
    for voucher, counts in (("coil", True), ("dyne.2", False), ("flux", False), ("bolt", False)):
        history = Histories({**FOUNDERS, "dyne.2": Role.RECEIVER})
        history.begin("flux")
        early = history.cut("bolt")
        history.speak("dyne")
        history.receipt(voucher, "dyne")
        history.remove("ace", "dyne", sizes={})
        history.say("ace", Remove(known("bolt").node.id, early))
        dyne = history.actors["dyne"]
        assert history.fold().counts(dyne.feeds[0], 1, dyne.node) == counts, voucher


def test_a_receipt_decides_nothing_once_it_knows_or_its_author_is_contested() -> None:
    """It must know of no removal that contests, and be of an organisation nobody else removes."""
    knowing = mutual(receipt=False)
    knowing.tell("bolt", "coil")
    knowing.receipt("coil", "ace")
    assert names(knowing.fold()) == {"coil", "dyne"}
    contested = mutual(receipt=True)
    contested.begin("dyne")
    contested.remove("ace", "coil")
    assert names(contested.fold()) == {"dyne"}


def test_a_removal_that_surely_counts_defeats_what_it_contests() -> None:
    """Also where it was contested itself, by one that is defeated."""
    founders = dict.fromkeys(FOUNDERS, Role.INITIATOR) | {"east": Role.RECEIVER}
    history = Histories(founders)
    history.remove("ace", "bolt")
    history.remove("bolt", "coil", sizes={})
    history.remove("coil", "dyne", sizes={})
    history.remove("dyne", "east")
    assert names(history.fold()) == {"ace", "coil", "east"}


def test_who_leaves_takes_no_removal_back() -> None:
    """What it did in a feed that its leaving does not name stays, if the leaving knows of it."""
    history = Histories(build_fold.TWO)
    history.remove("bolt", "coil")
    history.begin("bolt", named=False)
    history.leave("bolt")
    assert names(history.fold()) == {"ace", "dyne"}


def test_a_revocation_that_does_not_verify_removes_nobody() -> None:
    """The roster of its author's view judges it."""
    history = revoked("dyne")
    (said,) = history.changes.values()
    history.changes[said.id] = dataclasses.replace(said, sound=False)
    assert names(history.fold()) == EVERY


def test_a_feed_that_no_cut_names_counts_for_nothing() -> None:
    """A removed node cannot have had another feed all along (I7); its earlier ones are named."""
    history = build_fold.BAD["a feed that no cut names"]()
    folded, dyne = history.fold(), history.actors["dyne"]
    assert [folded.counts(feed, 0, dyne.node) for feed in dyne.feeds] == [True, False]
    history = build_fold.GOOD["an earlier feed that a named one names"]()
    folded, dyne = history.fold(), history.actors["dyne"]
    assert [folded.counts(feed, 0, dyne.node) for feed in dyne.feeds] == [True, True]


def test_anybody_may_leave_and_its_word_stays() -> None:
    """What it said until then counts, its acts too; nothing after does."""
    history = build_fold.GOOD["left"]()
    folded, dyne = history.fold(), history.actors["dyne"]
    assert names(folded) == EVERY - {"dyne"}
    assert [folded.counts(dyne.feeds[0], seq, dyne.node) for seq in (2, 3)] == [True, False]
    assert names(build_fold.GOOD["left, and what it did before stays"]().fold()) == {"ace", "dyne"}


def test_a_leaver_gains_no_time_by_naming_a_longer_feed() -> None:
    """The leaving itself is the last that counts, whatever size it names for its own feed."""
    history = Histories(FOUNDERS)
    feed = history.actors["dyne"].feeds[0]
    history.say("dyne", Leave(history.cut("dyne", {feed: 100})))
    assert not history.fold().counts(feed, 2, known("dyne").node.id)


def test_the_readmitted_begin_anew() -> None:
    """A feed whose genesis knows of the re-admission counts, the old one no further."""
    history = readmitted(begins=True)
    folded, dyne = history.fold(), history.actors["dyne"]
    assert names(folded) == EVERY | {"east"}
    assert folded.cuts[dyne.node][dyne.feeds[1]] == ENDLESS
    assert [folded.counts(feed, 5, dyne.node) for feed in dyne.feeds] == [False, True]
    old = readmitted(begins=False)
    assert names(old.fold()) == EVERY
    assert not old.fold().counts(dyne.feeds[0], 5, dyne.node)


def test_what_a_removed_one_brought_about_goes_with_it() -> None:
    """Whom it added behind the others' backs is no member, and what that one did is nothing."""
    folded = build_fold.BAD["added by one removed, and what the added did"]().fold()
    assert names(folded) == EVERY - {"dyne"}


def test_newest_are_the_records_that_no_other_knows_of() -> None:
    """A view names them alone, and by them all others."""
    history = Histories(FOUNDERS)
    first = history.add("ace", "east")
    one, other = history.leave("bolt"), history.leave("coil")
    assert history.fold().newest == tuple(sorted({first, one, other}))
    history.tell("ace", "bolt", "coil")
    last = history.add("ace", "flux")
    assert history.fold().newest == (last,)


def test_every_truncation_and_mutation_of_an_act_is_refused_or_read() -> None:
    """A decoder fed anything raises its own error, or gives an act."""
    contents = [membership.encode(act) for act in GOOD.values()]
    for content in contents:
        all_refused(membership.decode, truncations(content), MalformedMembership)
    assert never_escapes(membership.decode, mutations(contents, 500, seed=7), MalformedMembership)


@pytest.mark.parametrize("vector", vectors("membership"), ids=lambda vector: vector["name"])
def test_every_act_is_read_or_refused(vector: dict[str, Any]) -> None:
    """A good act is read and written as it was; a bad one is refused with the chapter's code."""
    content = bytes.fromhex(vector["hex"])
    if "error" in vector:
        assert refusal(lambda: membership.decode(content), MalformedMembership) == vector["error"]
    else:
        act = membership.decode(content)
        assert (expect(act), membership.encode(act)) == (vector["expect"], content)


@pytest.mark.parametrize("vector", vectors("fold"), ids=lambda vector: vector["name"])
def test_every_history_gives_its_members(vector: dict[str, Any]) -> None:
    """What the vectors tell of a history is enough to fold it."""
    made = written.read(vector)
    assert written.expect(fold(*made)) == vector["expect"]
