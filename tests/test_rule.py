"""Rules: when a machine asks by itself, and that it asks once for each crossing."""

import random
from itertools import pairwise

from gateway.activities import rule
from gateway.activities.rule import Condition, Watch
from gateway.config import load
from gateway.readings.reading import Value
from gateway.ruling import condition_of
from tests.vectors.rules import OPENS, RULE

LOW = Condition("tank-1", "level", 20, True, 40, 10_000)
HIGH = Condition("press-1", "temperature", 90.0, False, 70.0)


def fires(condition: Condition, *said: tuple[int, Value]) -> list[int]:
    """Give the seconds in which it fires, when it hears these values at these seconds."""
    watch, found = Watch(), []
    for second, value in said:
        watch, fired = rule.hear(condition, watch, value, second * 1000)
        found += [second] if fired else []
    return found


def test_it_fires_once_it_held_for_its_time() -> None:
    """Not at the first reading beyond the bound, and not a millisecond early."""
    assert fires(LOW, (0, 19), (9, 19), (10, 19), (11, 19)) == [10]
    watch, early = rule.hear(LOW, Watch(0), 19, 9_999)
    assert not early and watch == Watch(0)


def test_what_is_over_sooner_is_nothing() -> None:
    """One reading between that is not beyond the bound, and the time begins anew."""
    assert fires(LOW, (0, 19), (5, 20), (10, 19), (15, 19), (20, 19)) == [20]


def test_the_bound_itself_is_not_beyond() -> None:
    """Below is less, above is more."""
    assert fires(LOW, (0, 20), (99, 20)) == []
    assert fires(HIGH, (0, 90), (1, 90.1)) == [1]


def test_it_fires_again_only_after_it_was_over() -> None:
    """A value that trembles between the bound and the reset asks for nothing more."""
    there = [(0, 19), (10, 18), (20, 25), (30, 19), (40, 39), (50, 19)]
    assert fires(LOW, *there) == [10]
    assert fires(LOW, *there, (60, 40), (70, 19), (80, 19)) == [10, 80]


def test_while_it_goes_on_it_asks_again_where_that_is_wanted() -> None:
    """After its time, and only while it is beyond the bound."""
    again = Condition("tank-1", "level", 20, True, 40, 0, 60_000)
    assert fires(again, (0, 19), (59, 19), (60, 30), (61, 19), (100, 19), (121, 19)) == [0, 61, 121]


def test_what_is_no_number_says_nothing() -> None:
    """A truth and a text neither begin, nor end, nor interrupt anything."""
    assert fires(LOW, (0, 19), (5, True), (6, "19"), (10, 19)) == [10]
    assert fires(LOW, (0, False), (20, False)) == []
    assert fires(LOW, (0, 19), (10, 19), (11, "99"), (12, 19), (30, 19)) == [10]


def test_between_two_firings_it_was_over() -> None:
    """Whatever a machine says, in whatever order, without again: each firing is a crossing."""
    dice = random.Random(7)
    for condition in (Condition("tank-1", "level", 20, True, 40, 2_000), HIGH):
        said = [
            (second, dice.choice((0, 15, 20, 30, 40, 65, 70, 85, 95))) for second in range(5000)
        ]
        at = fires(condition, *said)
        assert len(at) > 50
        for first, second in pairwise(at):
            between = [value for when, value in said if first < when < second]
            assert any(map(condition.is_over, between))


def test_the_config_says_it_all() -> None:
    """A rule of the config is the condition that it describes, its defaults among it."""
    assert condition_of(load(RULE).rule[0]) == Condition("tank-1", "level", 20, True, 20, 60_000)
    opens = load(OPENS.replace("90.5\n", "90.5\nreset = 70\nfor_s = 0\nagain_s = 5\n")).rule[0]
    assert condition_of(opens) == Condition("tank-1", "level", 90.5, False, 70, 0, 5_000)
