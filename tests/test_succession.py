"""Rosters after number 0: signed by a quorum, by whoever changes, and never going back."""

from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from gateway.errors import AuthorError, GatewayError, MalformedRoster, RosterSigned
from gateway.records import roster, succession
from gateway.records.roster import ORGANISATIONS_MAX, Roster
from gateway.records.succession import Vote
from tests.damage import all_refused, flips, never_escapes, refusal, truncations
from tests.mutate import known, mutations
from tests.people import party, roster_of
from tests.vectors import load
from tests.vectors.build_roster import expect
from tests.vectors.build_succession import (
    FOUNDED,
    FOUR,
    NEWCOMER,
    ONE,
    QUORUM,
    ROWS,
    SECOND,
    WITH_NEWCOMER,
    follow,
    quorum_of,
    signed,
)

VECTORS: dict[str, Any] = load("succession")
CHAINS = [vector for vector in VECTORS["good"] if "hex" in vector]
PARTIES = tuple(party(f"member {number}") for number in range(7))


def _before(vector: dict[str, Any]) -> Roster:
    return roster.decode_chain([bytes.fromhex(each) for each in vector["before"]])[-1]


def _read(vector: dict[str, Any]) -> object:
    before = _before(vector)
    if "hex" in vector:
        found = roster.decode_next(bytes.fromhex(vector["hex"]), before)
        more = {"number": found.number, "attempt": found.attempt}
        return expect(found) | more | {"consortium": found.consortium.hex()}
    earlier = [Vote(one, two, bytes.fromhex(hash_)) for one, two, hash_ in vector["earlier"]]
    shown = [bytes.fromhex(each) for each in vector["shown"]]
    succession.may_sign(before, earlier, bytes.fromhex(vector["payload"]), shown)
    return "sign"


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda vector: vector["name"])
def test_a_good_vector_is_read(vector: dict[str, Any]) -> None:
    """Every reader finds the same roster, and every root may sign the same."""
    assert _read(vector) == vector["expect"]


@pytest.mark.parametrize("vector", VECTORS["bad"], ids=lambda vector: vector["name"])
def test_a_bad_vector_is_refused(vector: dict[str, Any]) -> None:
    """What does not follow, or was not signed by who must, is refused with the chapter's code."""
    assert refusal(lambda: _read(vector)) == vector["error"]


def test_every_flipped_bit_and_every_truncation_is_refused() -> None:
    """No bit of a roster that follows another can change."""
    whole = SECOND.encoded
    damaged = [*flips(whole), *truncations(whole)]
    all_refused(lambda each: roster.decode_next(each, FOUNDED), damaged, AuthorError)


def test_mutated_rosters_raise_only_their_own_errors() -> None:
    """Fed anything, the decoders raise errors of the author's branch alone."""
    wires = [bytes.fromhex(vector["hex"]) for vector in VECTORS["bad"] + CHAINS if "hex" in vector]
    for decode in (roster.decode_next, succession.decode):
        damaged = mutations(wires, 2000, seed=7)
        assert never_escapes(lambda each: decode(each, FOUNDED), damaged, AuthorError)  # noqa: B023
    assert never_escapes(roster.decode, mutations(known("roster"), 500, seed=8), AuthorError)


@pytest.mark.parametrize("count", range(1, ORGANISATIONS_MAX + 1))
def test_two_quorums_share_an_honest_organisation(count: int) -> None:
    """With less than a third of liars, two quorums share an honest one, and one can be reached."""
    liars, decides = (count - 1) // 3, roster.quorum(count)
    assert 2 * decides - count > liars
    assert decides <= count - liars
    assert 2 * (decides - 1) - count <= liars  # one fewer would not do


@pytest.mark.parametrize("count", range(1, 7))
def test_exactly_the_quorums_are_enough(count: int) -> None:
    """Any set of the roots before it that is a quorum makes the roster, and no smaller one does."""
    members = PARTIES[:count]
    before = roster_of(*members, name="ring")
    payload = roster.compose_next(before, [each.organisation for each in members])
    sets = [by for size in range(count + 1) for by in combinations(members, size)]
    for by in sets:
        wire = signed(payload, *(each.root for each in by))
        lacking = roster.missing(payload, roster.take_apart(wire)[1], before)
        assert bool(lacking) == (len(by) < roster.quorum(count))
        assert len(lacking.among) == count - len(by)
        assert _is_good(wire, before) is not bool(lacking)


def _is_good(wire: bytes, before: Roster) -> bool:
    try:
        return roster.decode_next(wire, before).number == 1
    except MalformedRoster:
        return False


def test_who_lacks_is_named_with_the_root_that_must_sign() -> None:
    """A newcomer, and whoever is changed, are asked for by name whatever the quorum."""
    payload = roster.compose_next(FOUNDED, WITH_NEWCOMER)
    lacking = roster.missing(payload, [roster.sign(ONE.root, payload)], FOUNDED)
    assert lacking.must == (NEWCOMER.organisation,)
    assert (lacking.more, len(lacking.among)) == (2, 3)
    proposal = succession.decode(signed(payload, *QUORUM), FOUNDED)
    assert (proposal.missing.must, proposal.missing.more) == ((NEWCOMER.organisation,), 0)


def test_signatures_gathered_apart_make_the_roster() -> None:
    """Proposals that each have one signature join to the roster, in any order, all or double."""
    payload = roster.compose_next(FOUNDED, WITH_NEWCOMER)
    apart = [signed(payload, root) for root in (*QUORUM, NEWCOMER.root)]
    joined = succession.join([*apart, *apart[::-1]])
    assert joined == succession.join(apart[::-1]) == SECOND.encoded
    with pytest.raises(MalformedRoster):
        succession.join([*apart, signed(roster.compose_next(FOUNDED, ROWS), ONE.root)])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sets(st.integers(0, 6), min_size=1), min_size=1, max_size=5), st.data())
def test_nobody_goes_back_a_number(steps: list[set[int]], drawn: st.DataObject) -> None:
    """Along any chain, no roster follows any but the one right before it."""
    chain = [roster_of(*(PARTIES[at] for at in sorted(steps[0])), name="ring")]
    members = steps[0]
    for after in steps[1:]:
        rows = tuple(PARTIES[at].organisation for at in sorted(after))
        by = {PARTIES[at].root for at in members | after}
        chain.append(follow(chain[-1], rows, *by))
        members = after
    assert [each.number for each in chain] == list(range(len(chain)))
    assert {each.consortium for each in chain} == {chain[0].hash}
    assert roster.decode_chain([each.encoded for each in chain]) == tuple(chain)
    found, before = drawn.draw(st.sampled_from(chain)), drawn.draw(st.sampled_from(chain))
    if found.number != before.number + 1:
        with pytest.raises(GatewayError):
            roster.decode_next(found.encoded, before)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=12))
def test_a_root_never_signs_two_of_one_attempt(asked: list[tuple[int, bool]]) -> None:
    """In any order in which rosters are asked for, a root's votes differ in number or attempt."""
    votes: list[Vote] = []
    stuck = _splits(3)
    for attempt, admits in asked:
        rows = WITH_NEWCOMER if admits else ROWS[:3]
        payload = roster.compose_next(FOUNDED, rows, attempt)
        try:
            succession.may_sign(FOUNDED, votes, payload, stuck[attempt - 1] if attempt else ())
        except RosterSigned:
            continue
        vote = Vote(1, attempt, roster.roster_hash(payload))
        votes += [] if vote in votes else [vote]
    assert len({(vote.number, vote.attempt) for vote in votes}) == len(votes)
    assert [vote.attempt for vote in votes] == sorted(vote.attempt for vote in votes)


def _splits(attempts: int) -> list[tuple[bytes, ...]]:
    found: list[tuple[bytes, ...]] = []
    for attempt in range(attempts):
        one = roster.compose_next(FOUNDED, WITH_NEWCOMER, attempt)
        other = roster.compose_next(FOUNDED, ROWS[:3], attempt)
        half = [each.root for each in FOUR]
        found.append((signed(one, *half[:2]), signed(other, *half[2:])))
    return found


@pytest.mark.parametrize("count", range(1, 7))
def test_an_attempt_is_given_up_only_when_no_roster_of_it_can_succeed(count: int) -> None:
    """However the votes fall, no votes still to come can complete an attempt called stuck."""
    members = PARTIES[:count]
    before = roster_of(*members, name="ring")
    rows = [each.organisation for each in members]
    payloads = (roster.compose_next(before, rows), roster.compose_next(before, rows[:1]))
    for one in range(count + 1):
        for other in range(count + 1 - one):
            voters = (members[:one], members[one : one + other])
            shown = [
                signed(payload, *(each.root for each in by))
                for payload, by in zip(payloads, voters, strict=True)
            ]
            rest = count - one - other
            possible = max(one, other) + rest >= roster.quorum(count)
            assert succession.is_stuck(before, 0, shown) is not possible


def test_the_largest_consortium_fits() -> None:
    """Sixty-four organisations with the longest names, all signing, are within the limit."""
    every = tuple(party(f"member {number}") for number in range(ORGANISATIONS_MAX))
    rows = tuple(replace(each.organisation, name="𠮷" * 64) for each in every)
    payload = roster.compose("𠮷" * 64, rows)
    before = roster.decode(signed(payload, *(each.root for each in every)))
    after = follow(before, rows[:-1], *(each.root for each in every))
    assert len(after.encoded) < roster.ROSTER_BYTES_MAX
    assert follow(before, rows, *quorum_of(every)).number == 1
