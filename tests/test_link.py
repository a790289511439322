"""What two ends of a link say to each other: proofs that hold once, and batches within limits."""

from typing import Any

import pytest

from gateway.errors import MalformedLink, PeerError
from gateway.records import cbor
from gateway.sync import link
from gateway.sync.link import Parcel, Side
from tests import mutate
from tests.damage import all_refused, flips, never_escapes, refusal, truncations
from tests.vectors import build_link
from tests.vectors.build_link import MEETING, RUN, TO_NODE, TOPIC

VECTORS = mutate.vectors("link")


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_a_vector_is_read_as_it_says(vector: dict[str, Any]) -> None:
    """Each vector gives what it expects, or its error's code."""
    said = bytes.fromhex(vector["hex"])
    if "error" in vector:
        code = refusal(lambda: build_link.take(vector["kind"], said), PeerError)
        assert code == vector["error"]
    else:
        assert build_link.take(vector["kind"], said) == vector["expect"]


def test_a_damaged_proof_is_refused() -> None:
    """Whatever single bit is flipped or end is cut off, a proof proves nothing."""
    good = link.sign(RUN, Side.DIALLER, MEETING)
    bad = (*flips(good), *truncations(good))
    codes = all_refused(lambda said: build_link.take("proof", said), bad, PeerError)
    assert codes == {"link.malformed", "link.proof", "link.intercepted"}


def test_a_proof_of_one_end_is_none_of_the_other() -> None:
    """What a dialler signed cannot be thrown back at it."""
    proof = link.decode(link.sign(RUN, Side.DIALLER, MEETING))
    assert refusal(lambda: proof.check(Side.LISTENER, MEETING)) == "link.proof"


@pytest.mark.parametrize("kind", ["challenge", "batch", "heard"])
def test_any_damage_is_read_or_refused(kind: str) -> None:
    """Whatever bit is flipped in what is carried, nothing but a PeerError comes of it."""
    good = [bytes.fromhex(each["hex"]) for each in VECTORS if each["name"].startswith(kind)]
    refused = [
        never_escapes(lambda said: build_link.take(kind, said), flips(each), PeerError)
        for each in good
    ]
    assert any(refused)


def test_a_batch_is_bounded() -> None:
    """More rows, bytes or bytes in one envelope than are allowed are refused unread."""
    for rows in (
        [[TO_NODE, 0, b""]] * (link.ROWS_MAX + 1),
        [[TOPIC, 0, bytes(65_537)]],
        [[TO_NODE, 0, bytes(60_000)]] * 5,
    ):
        with pytest.raises(MalformedLink):
            link.decode_batch(cbor.encode(rows))
    with pytest.raises(MalformedLink):
        link.decode_heard(cbor.encode([[], [[TO_NODE, 0, bytes(65_537)]]]))


def test_what_is_taken_into_a_batch_is_within_its_limits() -> None:
    """As many as fit, at least one, and each batch so made is read again."""
    parcels = [Parcel(TO_NODE, bytes(65_536 - number)) for number in range(9)]
    count = link.take(parcels, link.BATCH_BYTES_MAX)
    assert count == 3
    assert link.decode_batch(link.encode_batch(parcels[:count])) == tuple(parcels[:count])
    assert link.take(parcels, 1) == 1
    assert link.take([], 1) == 0
    many = [Parcel(TO_NODE, b"")] * (link.ROWS_MAX + 1)
    assert link.take(many, link.BATCH_BYTES_MAX) == link.ROWS_MAX
