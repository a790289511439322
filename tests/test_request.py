"""Requests to a root, and its answers: every flipped bit, every malformed one."""

from typing import Any

import pytest

from gateway.errors import AuthorError
from gateway.records import request
from tests.damage import all_refused, flips, never_escapes, refusal, truncations
from tests.mutate import known, mutations
from tests.vectors import load
from tests.vectors.build_request import NODE, expect

VECTORS: dict[str, Any] = load("request")


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda vector: vector["name"])
def test_a_good_vector_is_read(vector: dict[str, Any]) -> None:
    """Every reader finds the same request, and writes it as the same bytes."""
    encoded = bytes.fromhex(vector["hex"])
    assert expect(encoded) == vector["expect"]
    if "what" in vector["expect"]:
        assert request.encode(request.decode(encoded)) == encoded
    else:
        assert request.encode_answer(request.decode_answer(encoded)) == encoded


@pytest.mark.parametrize("vector", VECTORS["bad"], ids=lambda vector: vector["name"])
def test_a_bad_vector_is_refused(vector: dict[str, Any]) -> None:
    """What a person could not be told before signing is refused."""
    encoded = bytes.fromhex(vector["hex"])
    assert refusal(lambda: expect(encoded), AuthorError) == vector["error"]


def test_no_bit_of_a_node_request_can_change() -> None:
    """The new gateway's key, name and encryption key are under its signature."""
    all_refused(request.decode, [*flips(NODE), *truncations(NODE)], AuthorError)


def test_mutated_requests_raise_only_their_own_errors() -> None:
    """Fed anything, the decoders raise errors of the author's branch alone."""
    for decode in (request.decode, request.decode_answer):
        assert never_escapes(decode, mutations(known("request"), 2000, seed=9), AuthorError)
