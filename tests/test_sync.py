"""What follows from a message, what is asked of a peer, and how long it is waited for."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings, strategies as some
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.errors import PeerError
from gateway.groups.agreement import Ack, Entry
from gateway.records.feed import Head
from gateway.sync.asking import (
    ATTEMPTS_MAX,
    CREDIT_HEARD_MAX,
    HEARD_MAX,
    WAITING_MAX,
    Asking,
)
from gateway.sync.decide import (
    Acknowledge,
    Append,
    Ask,
    Ignore,
    Island,
    Ours,
    Release,
    SendRecords,
    decide,
)
from gateway.sync.message import Carried, Heads, Listed, Recs, Want
from gateway.sync.rate import CREDIT_MAX, CREDIT_TOTAL_MAX, Rate
from gateway.sync.retry import NEVER_TRIED, Pace, Retry
from tests.damage import refusal
from tests.people import seed
from tests.vectors import load
from tests.vectors.build_message import GROUP, HIGHEST, MAKER, feeds
from tests.vectors.build_sync import decided

VECTORS = load("sync")
FEED = seed("a feed")
SIZES = some.integers(1, 40)


def _root(size: int) -> bytes:
    """Give the root that an honest feed has at a size."""
    return seed(f"root at {size}")


def _held(vector: dict[str, Any]) -> dict[bytes, Ours]:
    rows = vector["ours"]
    return {bytes.fromhex(feed): Ours(size, bytes.fromhex(root)) for feed, size, root in rows}


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda vector: vector["name"])
def test_a_message_leads_to_these_actions(vector: dict[str, Any]) -> None:
    """What is held and what was said decide what is done, and nothing else does."""
    assert decided(_held(vector), bytes.fromhex(vector["hex"])) == vector["expect"]


@pytest.mark.parametrize("vector", VECTORS["bad"], ids=lambda vector: vector["name"])
def test_a_message_out_of_bounds_leads_to_nothing(vector: dict[str, Any]) -> None:
    """It is refused before anything is decided on it."""
    encoded = bytes.fromhex(vector["hex"])
    assert refusal(lambda: decided(_held(vector), encoded), PeerError) == vector["error"]


@given(some.integers(0, 40), SIZES)
def test_heads_ask_for_exactly_what_is_lacking(ours: int, theirs: int) -> None:
    """Of an honest feed either the missing records are asked for, or what both hold is signed."""
    held = {FEED: Ours(ours, _root(min(ours, theirs)))} if ours else {}
    (action,) = decide(held, Heads((Listed(Head(FEED, theirs, _root(theirs))),)))
    if theirs > ours:
        assert action == Ask(FEED, ours, theirs)
    else:
        assert action == Acknowledge(Head(FEED, theirs, _root(theirs)))


@given(some.integers(0, 40), SIZES, some.booleans())
def test_only_a_root_that_is_ours_releases(ours: int, theirs: int, is_true: bool) -> None:
    """No ACK ahead of what is held, or of another root, lets go of anything (I10)."""
    held = {FEED: Ours(ours, _root(min(ours, theirs)))} if ours else {}
    root = _root(theirs) if is_true else seed("a lie")
    said = Ack(GROUP.id, MAKER.node.id, 1, (Entry(Head(FEED, theirs, root)),))
    (action,) = decide(held, said)
    assert (action == Release(Head(FEED, theirs, root))) == (is_true and theirs <= ours)
    assert is_true or not isinstance(action, Release)


@given(some.integers(0, 40), some.integers(0, 40), some.integers(1, 9))
def test_records_are_appended_without_gap_or_repeat(ours: int, start: int, count: int) -> None:
    """What is appended begins where we are; the rest is asked for, and kept apart where known."""
    records = tuple(Carried(bytes([number]), None) for number in range(count))
    action, *more = decide({FEED: Ours(ours)} if ours else {}, Recs(FEED, start, records))
    assert more == ([Island(FEED, start, records)] if 0 < ours < start else [])
    match action:
        case Append(_, at, taken):
            assert at == ours and taken == records[ours - start :] and taken
        case Ask(_, first, stop):
            assert first == ours < start and stop == start + count
        case Ignore():
            assert start + count <= ours
        case _:
            raise AssertionError(action)


@given(some.integers(0, 40), some.integers(0, HIGHEST - 1), SIZES, some.integers(1, HIGHEST))
def test_a_want_is_answered_within_what_is_held(
    ours: int, start: int, count: int, credit: int
) -> None:
    """However much is wanted, no more is promised than is there and was asked for."""
    want = Want(FEED, start, min(start + count, HIGHEST), credit)
    (action,) = decide({FEED: Ours(ours)} if ours else {}, want)
    if isinstance(action, SendRecords):
        assert start <= action.start < action.stop <= min(ours, want.stop)
        assert action.credit == credit
    else:
        assert isinstance(action, Ignore) and start >= ours


class AskingMachine(RuleBasedStateMachine):
    """One peer is asked for feeds in any order, and answers now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.asking, self.now_ms = Asking(), 0
        self.granted: dict[bytes, int] = {}
        self.wanted: dict[bytes, int] = {}

    @rule(
        feed=some.sampled_from(feeds(9)),
        start=some.integers(0, 99),
        count=SIZES,
        is_offered=some.booleans(),
    )
    def want(self, feed: bytes, start: int, count: int, is_offered: bool) -> None:
        """Something is lacking."""
        ask = self.asking.offered if is_offered else self.asking.heard_of
        ask(GROUP.id, feed, start, start + count)
        self.wanted[feed] = max(self.wanted.get(feed, 0), start + count)

    @rule(
        feed=some.sampled_from(feeds(9)), size=some.integers(0, 150), came=some.integers(1, 1 << 20)
    )
    def came(self, feed: bytes, size: int, came: int) -> None:
        """Records came, from whomever."""
        self.asking.came(feed, size, came, self.now_ms)

    @rule(wait_ms=some.integers(0, 40_000), chance=some.floats(0, 1, exclude_max=True))
    def take(self, wait_ms: int, chance: float) -> None:
        """Time passes; what is said keeps to the bounds of one WANT."""
        self.now_ms += wait_ms
        for group, want in self.asking.take(self.now_ms, chance):
            assert group == GROUP.id
            assert 0 < want.credit <= CREDIT_MAX
            assert want.start < want.stop <= self.wanted[want.feed]

    @rule(feed=some.sampled_from(feeds(9)))
    def give_up(self, feed: bytes) -> None:
        """A feed is frozen: nobody asks for it any more."""
        self.asking.give_up(feed)
        assert not self.asking.asks(feed)

    @invariant()
    def credit_is_bounded(self) -> None:
        """What may be on the way at once stays within the total and one WANT."""
        granted = sum(each.granted for each in self.asking._open.values())
        assert granted < CREDIT_TOTAL_MAX + CREDIT_MAX

    @invariant()
    def something_is_due(self) -> None:
        """Whatever is asked for is due at some time: nothing waits for ever."""
        has_any = any(self.asking.asks(feed) for feed in feeds(9))
        assert (self.asking.due_ms() is not None) == has_any


AskingMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30)
TestAsking = AskingMachine.TestCase


def _asked(asking: Asking, now_ms: int = 0) -> list[Want]:
    return [want for _, want in asking.take(now_ms, 0.5)]


def _seconds(asking: Asking, until_ms: int) -> Iterator[tuple[int, Want]]:
    """Ask each second, and give when what was asked."""
    for now_ms in range(0, until_ms, 1_000):
        for want in _asked(asking, now_ms):
            yield now_ms, want


def test_what_waits_is_bounded() -> None:
    """A peer that names feeds without end is heard as far as there is room."""
    asking = Asking()
    for number in range(WAITING_MAX + 50):
        asking.offered(GROUP.id, number.to_bytes(32, "big"), 0, HIGHEST)
    assert not asking.asks(WAITING_MAX.to_bytes(32, "big"))
    said = _asked(asking)
    assert sum(want.credit for want in said) <= CREDIT_TOTAL_MAX


def test_an_answer_that_does_not_come_is_asked_for_again_and_given_up_at_last() -> None:
    """Four times, ever later; then the peer must offer it anew."""
    asking = Asking()
    asking.offered(GROUP.id, FEED, 0, 9)
    said = [now_ms for now_ms, _ in _seconds(asking, 200_000)]
    waits = [two - one for one, two in pairwise(said)]
    assert len(said) == ATTEMPTS_MAX
    assert waits == sorted(waits)
    assert not asking.awaits(FEED)
    asking.offered(GROUP.id, FEED, 0, 9)
    assert [(want.start, want.stop) for want in _asked(asking, 200_000)] == [(0, 9)]


def test_a_long_feed_takes_turns_with_those_that_wait() -> None:
    """When its credit is used up, the others come first."""
    asking, names = Asking(), feeds(6)
    asking.rate = Rate(1_000_000)
    for name in names:
        asking.offered(GROUP.id, name, 0, 10_000)
    first = _asked(asking)
    assert [want.feed for want in first] == names[:4]
    asking.came(names[0], 500, CREDIT_MAX, 0)
    assert [want.feed for want in _asked(asking)] == [names[4]]
    asking.came(names[1], 500, CREDIT_MAX, 0)
    assert [want.feed for want in _asked(asking)] == [names[5]]
    asking.came(names[2], 500, CREDIT_MAX, 0)
    assert [(want.feed, want.start) for want in _asked(asking)] == [(names[0], 500)]


def test_what_was_only_heard_of_leaves_room_for_what_is_offered() -> None:
    """Whatever is said to be somewhere: what a peer offers in a session is asked for at once."""
    asking = Asking()
    for number in range(HEARD_MAX + 50):
        asking.heard_of(GROUP.id, number.to_bytes(32, "big"), 0, HIGHEST)
    assert not asking.asks(HEARD_MAX.to_bytes(32, "big"))
    assert sum(want.credit for want in _asked(asking)) <= CREDIT_HEARD_MAX
    asking.offered(GROUP.id, FEED, 0, HIGHEST)
    assert [want.feed for want in _asked(asking)] == [FEED]


def test_what_is_not_answered_goes_behind_what_waits() -> None:
    """A peer that names many feeds which are nowhere cannot hide one that is there for long."""
    asking, nowhere = Asking(), feeds(40)
    for name in (*nowhere, FEED):
        asking.offered(GROUP.id, name, 0, HIGHEST)
    when_ms = next(now_ms for now_ms, want in _seconds(asking, 300_000) if want.feed == FEED)
    assert when_ms <= 40_000


def test_an_offer_counts_more_than_what_was_heard_of_another_group() -> None:
    """A feed that was placed in a wrong group is asked for in the one in which it is offered."""
    asking = Asking()
    asking.heard_of(seed("another group"), FEED, 0, 99)
    asking.heard_of(GROUP.id, FEED, 0, 100)
    assert [group for group, _ in asking.take(0, 0.5)] == [seed("another group")]
    asking.offered(GROUP.id, FEED, 0, 9)
    said = asking.take(0, 0.5)
    assert [(group, want.stop) for group, want in said] == [(GROUP.id, 9)]


@given(
    some.integers(1, 10_000),
    some.integers(0, 20),
    some.lists(some.floats(0, 1, exclude_max=True), min_size=1, max_size=40),
)
def test_a_retry_waits_ever_longer_up_to_its_pace(
    first_ms: int, doublings: int, chances: list[float]
) -> None:
    """Each wait is twice the one before, a quarter more or less, and never beyond the longest."""
    pace, retry, now_ms = Pace(first_ms, first_ms << doublings), NEVER_TRIED, 0
    for attempt, chance in enumerate(chances):
        retry = retry.again(now_ms, pace, chance)
        # Attempts are counted up to 16: a pace of more doublings is not used.
        wanted_ms = min(first_ms << min(attempt, 16), pace.longest_ms)
        assert 0.75 * wanted_ms - 1 <= retry.due_ms - now_ms <= 1.25 * wanted_ms
        now_ms = retry.due_ms
    assert retry == Retry(now_ms, min(len(chances), 16))
