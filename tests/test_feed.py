"""Feeds: a chain without gaps, from the roster and itself, that no other run can continue."""

from typing import Any

import pytest

from gateway.errors import AuthorError, ForkedFeed
from gateway.records import feed, merkle, roster
from gateway.records.feed import Genesis
from gateway.records.record import SALT_BYTES
from tests.damage import all_refused, flips, never_escapes, refusal, truncations
from tests.mutate import mutations
from tests.people import after, chain, opened
from tests.vectors import load
from tests.vectors.build_feed import GROUP, ROSTER, RUN, Records, expect, read

VECTORS: dict[str, Any] = load("feed")
FIRST = opened(RUN, GROUP)


def _records(vector: dict[str, Any]) -> Records:
    return [(bytes.fromhex(encoded), bytes.fromhex(body)) for encoded, body in vector["records"]]


def _open(encoded: bytes) -> object:
    return feed.open_feed(encoded, FIRST.body, {ROSTER.hash: ROSTER})


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda vector: vector["name"])
def test_a_good_vector_is_read(vector: dict[str, Any]) -> None:
    """Every reader finds the same author, size and root."""
    found = read(bytes.fromhex(vector["roster"]), _records(vector))
    assert expect(found) == vector["expect"]


@pytest.mark.parametrize("vector", VECTORS["bad"], ids=lambda vector: vector["name"])
def test_a_bad_vector_is_refused(vector: dict[str, Any]) -> None:
    """A feed with a gap, a fork, or an author that the roster does not carry is refused."""
    encoded = bytes.fromhex(vector["roster"])
    assert refusal(lambda: read(encoded, _records(vector)), AuthorError) == vector["error"]


def test_every_flipped_bit_and_truncation_of_a_genesis_is_refused() -> None:
    """Nobody opens a feed with a changed genesis."""
    all_refused(_open, [*flips(FIRST.encoded), *truncations(FIRST.encoded)], AuthorError)


def test_mutated_geneses_raise_only_their_own_errors() -> None:
    """Fed anything, the decoder of a genesis raises errors of the author's branch alone."""
    contents = [_records(vector)[0][1][SALT_BYTES:] for vector in VECTORS["good"]]
    assert never_escapes(feed.decode_genesis, mutations(contents, 2000, seed=4), AuthorError)


def test_a_genesis_is_read_as_it_was_written() -> None:
    """Certificates, predecessors and view come back as they were said."""
    for vector in VECTORS["good"]:
        content = _records(vector)[0][1][SALT_BYTES:]
        found = feed.decode_genesis(content)
        assert isinstance(found, Genesis)
        assert feed.encode_genesis(found) == content


def test_writer_and_reader_agree_on_every_head() -> None:
    """The root is that of the records' ids, at every size."""
    written = chain(RUN, GROUP, 40)
    _, held, _ = feed.open_feed(FIRST.encoded, FIRST.body, {ROSTER.hash: ROSTER})
    for number, each in enumerate(written[1:], 1):
        _, held = held.accept(each.encoded)
        assert held == each.feed
        ids = [one.id for one in written[: number + 1]]
        assert held.head().root == merkle.frontier(len(ids), merkle.subtrees_of(ids)).root()


def test_a_fork_is_named() -> None:
    """A run that signed two histories is caught by the first record after the second."""
    one, two = after(RUN, FIRST.feed, 1), after(RUN, FIRST.feed, 2)
    _, held, _ = feed.open_feed(FIRST.encoded, FIRST.body, {ROSTER.hash: ROSTER})
    _, held = held.accept(one.encoded)
    with pytest.raises(ForkedFeed):
        held.accept(after(RUN, two.feed, 3).encoded)


def test_a_group_admits_only_its_members() -> None:
    """A member of the group opens a feed; the roster alone does not admit anyone."""
    within = roster.decode(ROSTER.encoded)
    _, held, _ = feed.open_feed(FIRST.encoded, FIRST.body, {within.hash: within})
    GROUP.admit(held)
