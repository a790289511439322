"""Rosters: signed by every organisation in them, and by nobody else."""

from typing import Any

import pytest

from gateway.errors import AuthorError, UnknownOrganisation
from gateway.records import roster
from tests.damage import all_refused, flips, never_escapes, refusal, truncations
from tests.mutate import known, mutations
from tests.people import roster_of
from tests.vectors import load
from tests.vectors.build_roster import ONE, THREE, TWO, expect

VECTORS: dict[str, Any] = load("roster")


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda vector: vector["name"])
def test_a_good_vector_is_read(vector: dict[str, Any]) -> None:
    """Every reader finds the same organisations and hash."""
    assert expect(roster.decode(bytes.fromhex(vector["hex"]))) == vector["expect"]


@pytest.mark.parametrize("vector", VECTORS["bad"], ids=lambda vector: vector["name"])
def test_a_bad_vector_is_refused(vector: dict[str, Any]) -> None:
    """A roster that not exactly its organisations signed is refused."""
    encoded = bytes.fromhex(vector["hex"])
    assert refusal(lambda: roster.decode(encoded), AuthorError) == vector["error"]


def test_every_flipped_bit_and_every_truncation_is_refused() -> None:
    """No bit of a roster can change."""
    whole = roster_of(ONE, TWO).encoded
    all_refused(roster.decode, [*flips(whole), *truncations(whole)], AuthorError)


def test_mutated_rosters_raise_only_their_own_errors() -> None:
    """Fed anything, the decoder raises errors of the author's branch alone."""
    assert never_escapes(roster.decode, mutations(known("roster"), 2000, seed=6), AuthorError)


def test_the_hash_is_the_same_whoever_writes_the_organisations_first() -> None:
    """A roster does not depend on the order in which organisations are named."""
    assert roster_of(ONE, TWO) == roster_of(TWO, ONE)


def test_only_its_organisations_are_found() -> None:
    """Who is not in the roster has no root that counts."""
    found = roster_of(ONE, TWO)
    assert found.organisation(ONE.root.id).root == ONE.root.public
    with pytest.raises(UnknownOrganisation):
        found.organisation(THREE.root.id)
