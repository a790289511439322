"""History in a sealed group: who gives earlier keys to a newcomer, and that no wrong key counts."""

from typing import Any

import pytest

from gateway.errors import BadShare, HistoryNotShared, NotAMember
from gateway.groups import announcement
from gateway.groups.announcement import SenderKey
from gateway.groups.group import Group, Policies
from gateway.records.feed import CBOR_TYPE, View
from gateway.records.record import Kind, Said
from gateway.store import authoring, checking, keyring, projections
from tests.damage import refusal
from tests.people import group_of, party, roster_of, seed
from tests.sealed import Gateway, count, values

MAKER, BUYER, THIRD, OUTSIDER = (party(each) for each in ("maker", "buyer", "third", "outsider"))
EVERYBODY = (roster_of(MAKER, BUYER, THIRD, OUTSIDER),)
GROUP = group_of(MAKER, BUYER, THIRD, clear=False, chain=EVERYBODY)
SHARING = group_of(
    MAKER, BUYER, THIRD, clear=False, chain=EVERYBODY, policies=Policies(history=True)
)


def _newcomer(group: Group = SHARING) -> tuple[Gateway, Gateway, Gateway]:
    """Give maker and buyer who spoke before the third had a key, and the third, with all records.

    That nothing was sealed to the third yet is as if it was no member when they announced.
    """
    maker, buyer, third = (Gateway(each, group) for each in (MAKER, BUYER, THIRD))
    for each in (maker, buyer):
        with each.db:
            each.db.execute("DELETE FROM members WHERE node = ?", (THIRD.node.id,))
    maker.strokes(1)
    with maker.db:
        authoring.announce(maker.db, maker.author, maker.venue)
    maker.strokes(2)
    buyer.strokes(3)
    for one, other in ((maker, buyer), (buyer, maker), (third, maker), (third, buyer)):
        one.hear(other)  # which folds the members anew: the third is one again
    return maker, buyer, third


def test_history_is_shared_where_the_policy_allows_it_and_indexed_when_it_comes() -> None:
    """A newcomer has headers alone, then every key held of the group, each of them a record."""
    maker, buyer, third = _newcomer()
    assert (values(third, maker.feed), values(third, buyer.feed)) == ([], [])
    assert (count(third.db, "unread"), count(third.db, "observations")) == (3, 0)
    unread = projections.unread(third.db, third.group.id)
    assert unread == {MAKER.node.id: 2, BUYER.node.id: 1}
    with maker.db:
        given = authoring.share_history(maker.db, maker.author, maker.venue, THIRD.node.id)
        again = authoring.share_history(maker.db, maker.author, maker.venue, THIRD.node.id)
    assert (given, again) == (3, 0)
    third.hear(maker)
    assert (values(third, maker.feed), values(third, buyer.feed)) == ([1, 2], [3])
    assert (count(third.db, "unread"), count(third.db, "observations")) == (0, 3)
    assert projections.unread(third.db, third.group.id) == {}
    assert int(third.db.execute("SELECT value FROM totals WHERE name = 'readings'").get) == 3
    assert (third.faults, checking.keys(third.db), checking.indexes(third.db)) == ([], [], [])


def test_history_is_not_shared_against_the_policy_but_by_each_author() -> None:
    """Who wrote it may give it away; nobody else may, and nothing is given to who is no member."""
    maker, buyer, third = _newcomer(GROUP)
    share = (maker.db, maker.author, maker.venue)
    refusal(lambda: authoring.share_history(*share, THIRD.node.id), HistoryNotShared)
    refusal(lambda: authoring.share_history(*share, OUTSIDER.node.id, insist=True), NotAMember)
    with maker.db:
        assert authoring.share_history(*share, THIRD.node.id, insist=True) == 2
    third.hear(maker)
    assert (values(third, maker.feed), values(third, buyer.feed)) == ([1, 2], [])
    assert count(third.db, "unread") == 1


def test_a_share_that_came_first_waits_for_what_it_repeats() -> None:
    """Whichever feed arrives first, the key counts once its own feed has announced it."""
    maker, buyer, _ = _newcomer()
    with maker.db:
        authoring.share_history(maker.db, maker.author, maker.venue, THIRD.node.id)
    late = Gateway(THIRD, SHARING)
    late.hear(maker)
    assert values(late, maker.feed) == [1, 2]
    assert keyring.find(late.db, buyer.feed, 1) is None
    late.hear(buyer)
    assert values(late, buyer.feed) == [3]


def test_a_wrong_key_cannot_be_put_under_somebody_elses_records() -> None:
    """A share counts only with the hash that the feed itself announced, whoever came first."""
    maker, buyer, third = _newcomer()
    wrong = SenderKey(SHARING.id, buyer.feed, 1, seed("a wrong key"))
    view = View(SHARING.roster.hash)
    lie = announcement.announce(wrong, view, [THIRD.encryption.public], [seed("ephemeral")])
    maker.say(Said(Kind.ANNOUNCEMENT, announcement.encode(lie), CBOR_TYPE))
    third.hear(maker)
    assert [type(each) for each in third.faults] == [BadShare]
    assert keyring.find(third.db, buyer.feed, 1) is None
    late = Gateway(THIRD, SHARING)
    late.hear(maker)
    late.hear(buyer)
    assert keyring.find(late.db, buyer.feed, 1) is None
    with maker.db:
        authoring.share_history(maker.db, maker.author, maker.venue, THIRD.node.id)
    for each in (late, third):
        each.hear(maker)
        assert values(each, buyer.feed) == [3]
        assert checking.keys(each.db) == []


def test_shares_without_end_cost_each_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A member that shares one key again and again has none of the earlier ones read again."""
    maker, buyer, third = _newcomer()
    given = keyring.find(buyer.db, buyer.feed, 1)
    assert given is not None
    sender, view = SenderKey(SHARING.id, buyer.feed, 1, given), View(SHARING.roster.hash)
    for _ in range(30):
        again = announcement.announce(sender, view, [OUTSIDER.encryption.public], [seed("e")])
        maker.say(Said(Kind.ANNOUNCEMENT, announcement.encode(again), CBOR_TYPE))
    looked: list[announcement.Announcement] = []
    opened = announcement.open_share

    def open_share(found: announcement.Announcement, *more: Any) -> SenderKey | None:
        looked.append(found)
        return opened(found, *more)

    monkeypatch.setattr(announcement, "open_share", open_share)
    third.hear(maker)
    assert len(looked) == 30
