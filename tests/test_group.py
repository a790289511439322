"""Groups: no bit of a founding or a group file can change; members alone are admitted."""

import dataclasses
from typing import Any

import pytest

from gateway.errors import GatewayError, MalformedGroupFile, NotAMember
from gateway.groups import group
from gateway.groups.group import Group, Policies
from gateway.records import feed
from tests.damage import all_refused, flips, never_escapes, refusal, truncations
from tests.mutate import mutations, vectors
from tests.people import admitted, group_of, opened, party, roster_of, run_of
from tests.vectors.build_group import expect, verified

MAKER, BUYER, STRANGER = party("maker"), party("buyer"), party("stranger")
GROUP = group_of(MAKER, BUYER)
FILE = group.encode_file(GROUP)


def _verify(founding: bytes) -> Group:
    return group.verify(founding, GROUP.founder, GROUP.roster, GROUP.secret)


def test_a_group_file_is_read_as_it_was_written() -> None:
    """A member gets the whole group from its file."""
    assert group.decode_file(FILE) == GROUP


def test_a_group_founded_under_a_later_roster_brings_those_before() -> None:
    """Whoever has the file can check the group from the consortium's first roster on."""
    first = roster_of(MAKER)
    second = admitted(first, BUYER, by=(MAKER,))
    made = group_of(MAKER, BUYER, chain=(first, second))
    assert group.decode_file(group.encode_file(made)) == made
    assert made.chain == (first, second) and made.founding.consortium == first.hash
    with pytest.raises(MalformedGroupFile):
        group.decode_file(group.encode_file(dataclasses.replace(made, earlier=())))


def test_every_flipped_bit_and_truncation_of_a_founding_is_refused() -> None:
    """Nobody changes what was agreed."""
    all_refused(_verify, [*flips(GROUP.encoded), *truncations(GROUP.encoded)], GatewayError)


def test_every_truncation_of_a_group_file_is_refused() -> None:
    """A damaged file raises one error and nothing else."""
    all_refused(group.decode_file, truncations(FILE), MalformedGroupFile)
    assert never_escapes(group.decode_file, mutations([FILE], 500, seed=7), MalformedGroupFile)


def test_only_members_are_admitted() -> None:
    """A node outside the founding opens no feed that counts."""
    genesis = opened(run_of(STRANGER), GROUP)
    with pytest.raises(NotAMember):
        GROUP.admit(genesis.feed)
    own = opened(run_of(BUYER), GROUP)
    GROUP.admit(feed.open_feed(own.encoded, own.body, {GROUP.roster.hash: GROUP.roster})[1])


def test_a_group_never_shows_its_secret() -> None:
    """What is logged of a group does not open its messages; its tag depends on the secret."""
    assert GROUP.secret.hex() not in repr(GROUP)
    assert dataclasses.replace(GROUP, secret=bytes(32)).tag != GROUP.tag


def test_policies_are_part_of_what_was_agreed() -> None:
    """They are read as they were founded; the defaults leave a founding's bytes as they were."""
    policies = Policies(2, True, GROUP.id)
    governed = group_of(MAKER, BUYER, policies=policies)
    assert group.decode_file(group.encode_file(governed)).founding.policies == policies
    assert group.parse(governed.encoded) == governed.founding
    assert group.parse(GROUP.encoded).policies == Policies(0, False, None)
    assert group_of(MAKER, BUYER, policies=Policies(0, False)).encoded == GROUP.encoded


@pytest.mark.parametrize("vector", vectors("group"), ids=lambda vector: vector["name"])
def test_every_vector_is_read_or_refused(vector: dict[str, Any]) -> None:
    """A good file gives its group; a bad one is refused with the chapter's code."""
    file = bytes.fromhex(vector["hex"])
    if "error" in vector:
        assert refusal(lambda: group.decode_file(file), MalformedGroupFile) == vector["error"]
        if "founding" in vector:
            assert refusal(lambda: verified(file)) == vector["founding"]
    else:
        assert expect(group.decode_file(file)) == vector["expect"]
