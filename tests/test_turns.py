"""Turns on a bus in virtual time; and no late answer taken for another, whatever is lost."""

import random
from itertools import pairwise
from typing import Final

from hypothesis import given, settings, strategies as st

from gateway.readings.registers import Inquiry
from gateway.readings.turns import LATE_MS_MAX, Turn, Unanswered, choose
from tests.on_a_bus import unit

ANSWER_MS: Final = 20


def _turns(count: int, poll_ms: int, timeout_ms: int, backoff_ms_max: int) -> list[Turn]:
    pace = {"poll_ms": poll_ms, "timeout_ms": timeout_ms, "backoff_ms_max": backoff_ms_max}
    first = {"register": "holding:0"}
    return [Turn(unit("tcp://h", f"u{n}", first, unit_id=n, **pace)) for n in range(count)]


def _live(
    turns: list[Turn], dead: set[int], until_ms: int, now_ms: int = 0
) -> dict[int, list[int]]:
    """Poll until so late, one question a turn; give when each unit was asked."""
    asked: dict[int, list[int]] = {at: [] for at in range(len(turns))}
    while now_ms < until_ms:
        choice = choose(turns, now_ms)
        if choice.turn is None:
            assert choice.wait_ms > 0
            now_ms += choice.wait_ms
            continue
        at = turns.index(choice.turn)
        asked[at].append(now_ms)
        now_ms += choice.turn.source.timeout_ms if at in dead else ANSWER_MS
        choice.turn.failed(now_ms) if at in dead else choice.turn.answered(now_ms)
    return asked


def test_a_dead_unit_is_asked_between_the_others() -> None:
    """With time to spare, nobody's period changes by a millisecond while one of five is dead."""
    turns = _turns(5, poll_ms=250, timeout_ms=100, backoff_ms_max=2000)
    asked = _live(turns, {2}, 60_000)
    for at in (0, 1, 3, 4):
        settled = asked[at][8:]  # the first rounds: nobody knew yet that it is dead
        assert {after - before for before, after in pairwise(settled)} == {250}
    pauses = [after - before for before, after in pairwise(asked[2])]
    assert pauses[0] <= 500 and 2000 <= pauses[-1] <= 2500
    assert pauses == sorted(pauses)


def test_a_dead_unit_costs_a_full_bus_one_time_out_now_and_then() -> None:
    """Without time to spare, the dead one is still asked, and costs little more than nothing."""
    turns = _turns(5, poll_ms=60, timeout_ms=100, backoff_ms_max=6000)
    asked = _live(turns, {2}, 120_000)
    for at in (0, 1, 3, 4):
        mean_ms = (asked[at][-1] - asked[at][0]) / (len(asked[at]) - 1)
        assert 80 <= mean_ms <= 80 * 1.1
        assert max(after - before for before, after in pairwise(asked[at])) <= 80 + 100 + ANSWER_MS
    assert 10 <= len(asked[2]) < 40


def test_units_that_all_are_dead_are_asked_all_the_same() -> None:
    """When everybody is dead, each is asked at its own pace, and comes back to its period."""
    turns = _turns(3, poll_ms=100, timeout_ms=50, backoff_ms_max=800)
    asked = _live(turns, {0, 1, 2}, 30_000)
    for times in asked.values():
        assert max(after - before for before, after in pairwise(times)) <= 2 * 800 + 200
    again = _live(turns, set(), 35_000, 30_000)
    assert all(len(times) > 30 for times in again.values())


@settings(max_examples=50)
@given(st.integers(1, 6), st.sets(st.integers(0, 5)), st.integers(10, 400), st.integers(5, 300))
def test_nobody_starves(count: int, dead: set[int], poll_ms: int, timeout_ms: int) -> None:
    """Every unit is asked again within its back-off twice and a round of the bus."""
    turns = _turns(count, poll_ms=poll_ms, timeout_ms=timeout_ms, backoff_ms_max=2000)
    asked = _live(turns, dead, 40_000)
    round_ms = count * (timeout_ms + ANSWER_MS) + poll_ms
    for at, times in asked.items():
        longest = 2 * max(2000, poll_ms) if at in dead else poll_ms
        gaps = [after - before for before, after in pairwise([0, *times, 40_000])]
        assert max(gaps) <= longest + 2 * round_ms


@settings(max_examples=300)
@given(
    st.lists(st.tuples(st.sampled_from((3, 4, 1)), st.integers(1, 4)), min_size=1), st.integers()
)
def test_no_answer_is_taken_for_that_of_another_question(
    own: list[tuple[int, int]], seed: int
) -> None:
    """Whatever is lost, late or refused, a value that is taken is of the question just asked."""
    dice = random.Random(seed)
    inquiries = [Inquiry(3, function, 10 * at, count) for at, (function, count) in enumerate(own)]
    unanswered, waiting = Unanswered(), list[tuple[int, Inquiry, bool]]()
    for number in range(200):
        doubtful = unanswered.doubtful
        asked = unanswered.probe(inquiries, number) if doubtful else dice.choice(inquiries)
        if asked is None:
            break
        waiting.append((number, asked, dice.random() < 0.2))
        # It answers some of what it was asked, in that order; some it never answers.
        waiting = [each for each in waiting if dice.random() < 0.9]
        come = dice.randint(0, len(waiting))
        said, waiting = waiting[:come], waiting[come:]
        fit = [
            (made, refused)
            for made, of, refused in said
            if of.function == asked.function and (refused or of.shape == asked.shape)
        ]
        if not fit:
            unanswered.failed(asked, number)
            continue
        made, refused = fit[0]
        if doubtful:
            unanswered.settled(asked, number, refused)
        elif not refused:
            assert made == number


def test_what_is_open_is_forgotten_when_no_answer_can_come_any_more() -> None:
    """A unit whose every question is open is asked again after the longest time an answer takes."""
    own = [Inquiry(3, function, 0, 1) for function in (1, 2, 3, 4)]
    unanswered = Unanswered()
    asked_ms = 0
    while (probe := unanswered.probe(own, asked_ms)) is not None:
        unanswered.failed(probe, asked_ms)
        asked_ms += 1
    assert unanswered.probe(own, asked_ms + LATE_MS_MAX) is not None
    assert unanswered.doubtful


def test_a_refusal_settles_only_what_it_can_be_of() -> None:
    """While a question of one function is open, a refusal of that function shows nothing."""
    unanswered, first = Unanswered(), Inquiry(3, 3, 0, 2)
    unanswered.failed(first, 0)
    probe = unanswered.probe([first], 1)
    assert probe is not None and probe.shape != first.shape
    assert not unanswered.settled(Inquiry(3, 3, 0, 1), 2, refused=True)
    assert unanswered.settled(Inquiry(3, 4, 0, 1), 3, refused=True)
    assert not unanswered.doubtful
