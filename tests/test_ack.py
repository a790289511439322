"""An ACK: what is signed is held from 0 on, and not a bit of it can be changed."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings, strategies as some

from gateway.errors import BadAck
from gateway.groups import agreement
from gateway.groups.agreement import Ack, Entry, Ranges, read_ranges
from gateway.records.feed import Head
from tests.damage import all_refused, flips, never_escapes, refusal, truncations
from tests.mutate import known, mutations
from tests.people import run_of
from tests.vectors import load
from tests.vectors.build_ack import KEY, ack, expect, read
from tests.vectors.build_message import BUYER, FEED, HIGHEST, MAKER, ROOT, feeds

VECTORS = load("ack")
SIGNED = agreement.sign(KEY, ack(Entry(FEED, ((0, 1),))))
HASHES = some.binary(min_size=32, max_size=32)


def _ranges(numbers: set[int]) -> Ranges:
    """Pair numbers in order; what is left over is left out. Separate, as they are apart."""
    ordered = sorted(numbers)
    return tuple(zip(ordered[::2], ordered[1::2], strict=False))


RANGES = some.sets(some.integers(0, 999), max_size=40).map(_ranges)
ENTRIES = some.builds(
    lambda feed, size, root, ranges: Entry(Head(feed, size, root), ranges),
    HASHES,
    some.integers(999, HIGHEST),
    HASHES,
    RANGES,
)
ACKS = some.builds(
    lambda counter, entries: ack(
        *sorted({one.head.feed: one for one in entries}.values(), key=lambda one: one.head.feed),
        counter=counter,
    ),
    some.integers(1, HIGHEST),
    some.lists(ENTRIES, min_size=1, max_size=5),
)


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda vector: vector["name"])
def test_a_good_vector_is_read(vector: dict[str, Any]) -> None:
    """Every reader finds the same group, receiver, counter and entries."""
    assert expect(read(bytes.fromhex(vector["hex"]))) == vector["expect"]


@pytest.mark.parametrize("vector", VECTORS["bad"], ids=lambda vector: vector["name"])
def test_a_bad_vector_is_refused(vector: dict[str, Any]) -> None:
    """What is malformed, or is not signed by that run, releases nothing."""
    assert refusal(lambda: read(bytes.fromhex(vector["hex"])), BadAck) == vector["error"]


@given(ACKS)
@settings(max_examples=50)
def test_an_ack_is_read_as_it_was_signed(said: Ack) -> None:
    """Entries, ranges and counter come back."""
    assert read(agreement.sign(KEY, said)) == said


def test_every_flipped_bit_and_truncation_is_refused() -> None:
    """Nobody makes a size larger, a receiver another, or an owed body a held one."""
    all_refused(read, [*flips(SIGNED), *truncations(SIGNED)], BadAck)


def test_mutated_acks_raise_only_their_own_error() -> None:
    """Fed anything, the decoder gives a claim or raises BadAck."""
    few = [each for each in known("ack") if len(each) < 4096]
    assert never_escapes(agreement.decode, mutations(few, 2000, seed=3), BadAck)


def test_an_ack_is_believed_under_its_signers_key_alone() -> None:
    """Neither the receiver, nor another run of the same node, can say it."""
    claim = agreement.decode(SIGNED)
    assert claim.kid == KEY.id[:8]
    assert claim.verify(KEY.public) == claim.ack
    for other in (run_of(BUYER, 1), run_of(MAKER)):
        all_refused(lambda _, by=other: claim.verify(by.key.public), [b""], BadAck)  # type: ignore[misc]


def test_the_bounds_of_acks_are_kept() -> None:
    """500 entries and 100 ranges are read; one more of either is refused."""
    entries = tuple(Entry(Head(name, 1, ROOT)) for name in feeds(501))
    holes = tuple((at, at + 1) for at in range(0, 202, 2))
    most = ack(*entries[:500]), ack(Entry(Head(ROOT, 999, ROOT), holes[:100]))
    more = ack(*entries), ack(Entry(Head(ROOT, 999, ROOT), holes)), ack()
    for said in most:
        assert read(agreement.sign(KEY, said)) == said
    all_refused(read, [agreement.sign(KEY, said) for said in more], BadAck)


@given(
    some.lists(some.tuples(some.integers(-1, 20), some.integers(-1, 20)), max_size=4),
    some.integers(0, 3),
    some.integers(0, 20),
)
def test_ranges_are_ascending_separate_and_within_bounds(
    pairs: list[tuple[int, int]], low: int, high: int
) -> None:
    """What is read names each number at most once, within bounds, in one way."""
    read_back = read_ranges([list(pair) for pair in pairs], low, high)
    held = [number for start, stop in pairs for number in range(start, stop)]
    joined = any(one[1] >= two[0] for one, two in pairwise(pairs))
    is_good = all(low <= start < stop <= high for start, stop in pairs) and not joined
    assert (read_back is not None) == is_good
    if read_back is not None:
        assert sorted(set(held)) == held
