"""Redelivery: what was committed is known again, and no new reading is ever taken for it."""

import random

import pytest

from gateway.readings.reading import Delivered, digest
from gateway.readings.redelivery import Redelivery
from gateway.store import arrivals, database
from tests.vectors import load
from tests.vectors.build_redelivery import repeats

ROUNDS = 2_000


@pytest.mark.parametrize("vector", load("redelivery")["good"], ids=lambda vector: vector["name"])
def test_repeats_are_known_again(vector: dict[str, object]) -> None:
    """Each delivery of a good vector is a repeat, or new, as it says."""
    assert repeats(vector) == vector["expect"]
    assert any(repeats(vector))


@pytest.mark.parametrize("vector", load("redelivery")["bad"], ids=lambda vector: vector["name"])
def test_what_is_new_is_never_a_repeat(vector: dict[str, object]) -> None:
    """Nothing of a bad vector is taken for a repeat, so nothing of it is lost."""
    assert not any(repeats(vector))


def _expected(draw: random.Random, values: int) -> list[Delivered]:
    count = draw.randrange(8)
    return [Delivered(at + 1, digest("t", bytes([draw.randrange(values)]))) for at in range(count)]


def test_what_a_broker_repeats_exactly_is_stored_once() -> None:
    """Whatever suffix or part a broker of MQTT 5 repeats, exactly that is recognised."""
    draw = random.Random(3)
    for _ in range(ROUNDS):
        expected = _expected(draw, 3)
        again = [each for each in expected if draw.random() < 0.6]
        state = Redelivery(expected, exact=True)
        assert all(state.repeats(each.packet, True, each.digest) for each in again)
        fresh = digest("t", bytes([draw.randrange(3)]))
        assert not state.repeats(draw.randrange(1, 20), False, fresh)


def test_of_different_messages_every_repeat_is_recognised_whatever_the_broker_does() -> None:
    """A broker that renumbers, or clears DUP, and repeats the end: all known, the rest is new."""
    draw = random.Random(4)
    for _ in range(ROUNDS):
        expected = [Delivered(at + 1, digest("t", bytes([at]))) for at in range(draw.randrange(8))]
        start, marked = draw.randint(0, len(expected)), draw.random() < 0.5
        state = Redelivery(expected, exact=False)
        for at, each in enumerate(expected[start:]):
            assert state.repeats(at + 100, marked, each.digest)
        for value in range(100, 103):
            assert not state.repeats(value, False, digest("t", bytes([value])))


def test_no_more_are_repeats_than_were_committed() -> None:
    """For any deliveries, a digest is a repeat at most as often as it was committed."""
    draw = random.Random(5)
    for _ in range(ROUNDS):
        expected = _expected(draw, 2)
        state = Redelivery(expected, exact=draw.random() < 0.5)
        taken = []
        for _ in range(12):
            one = digest("t", bytes([draw.randrange(2)]))
            if state.repeats(draw.randrange(1, 9), draw.random() < 0.5, one):
                taken.append(one)
        committed = [each.digest for each in expected]
        assert all(taken.count(one) <= committed.count(one) for one in taken)


def test_what_is_expected_is_kept_in_order_until_it_is_settled() -> None:
    """The store gives deliveries back in order, of one source, and forgets the oldest batches."""
    db = database.connect(":memory:")
    batches = [
        [Delivered(at * 2 + n, digest("t", bytes([at, n]))) for n in (1, 2)] for at in (0, 1, 2)
    ]
    with db:
        for batch in batches:
            arrivals.expect_acknowledged(db, "meters", batch)
        arrivals.expect_acknowledged(db, "others", batches[0])
    cut = [[Delivered(each.packet, each.digest[:16]) for each in batch] for batch in batches]
    assert arrivals.perhaps_unacknowledged(db, "meters") == cut
    with db:
        arrivals.settle(db, "meters", 2)
    assert arrivals.perhaps_unacknowledged(db, "meters") == cut[2:]
    with db:
        arrivals.settle(db, "meters")
    assert arrivals.perhaps_unacknowledged(db, "meters") == []
    assert arrivals.perhaps_unacknowledged(db, "others") == cut[:1]
