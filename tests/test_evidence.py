"""Evidence: whoever broke a rule is named by what it signed itself, and nobody else ever is."""

from itertools import islice
from typing import Any

import pytest

from gateway.errors import AuthorError, EvidenceFails, MalformedEvidence, UnknownOrganisation
from gateway.groups import evidence
from gateway.groups.evidence import Kind
from tests.damage import all_refused, flips, never_escapes, refusal, truncations
from tests.mutate import known, mutations
from tests.people import after, chain, roster_of, run_of
from tests.vectors import load
from tests.vectors.build_evidence import (
    BUYER,
    GROUP,
    KNOWN,
    MAKER,
    ROSTER,
    RUN,
    STRANGER,
    author,
    expect,
    forked,
    journal_fork,
    parsed,
    read,
    rewrite,
    signed_twice,
    whole_file,
    witness_fork,
    wrong_body,
)

VECTORS = load("evidence")
EVERY = (
    forked(),
    wrong_body(),
    wrong_body(is_sealed=True),
    signed_twice(),
    journal_fork(),
    rewrite(),
    witness_fork(),
)


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda vector: vector["name"])
def test_a_good_vector_accuses(vector: dict[str, Any]) -> None:
    """Every reader finds the same rule broken by the same node, with the same feed."""
    assert expect(read(bytes.fromhex(vector["hex"]))) == vector["expect"]


@pytest.mark.parametrize("vector", VECTORS["bad"], ids=lambda vector: vector["name"])
def test_a_bad_vector_accuses_nobody(vector: dict[str, Any]) -> None:
    """What is malformed, forged, or no contradiction is refused under its code."""
    encoded = bytes.fromhex(vector["hex"])
    assert refusal(lambda: read(encoded), AuthorError) == vector["error"]


@pytest.mark.parametrize("said", EVERY, ids=lambda said: type(said).__name__)
def test_evidence_is_read_as_it_was_written(said: evidence.Evidence) -> None:
    """It has one encoding, and its id is that of these bytes."""
    encoded = evidence.encode(said)
    assert evidence.decode(encoded) == said
    assert evidence.encode(evidence.decode(encoded)) == encoded


@pytest.mark.parametrize("said", EVERY, ids=lambda said: type(said).__name__)
def test_damaged_evidence_accuses_nobody(said: evidence.Evidence) -> None:
    """Nobody makes evidence out of evidence: what is changed, in any byte, is refused."""
    encoded = evidence.encode(said)
    damaged = [*islice(flips(encoded), 0, None, 7), *islice(truncations(encoded), 0, None, 5)]
    all_refused(read, damaged, AuthorError)


def test_mutated_evidence_raises_only_its_own_branch() -> None:
    """Fed anything, the decoder gives evidence that holds, or raises an AuthorError."""
    assert never_escapes(read, mutations(known("evidence"), 1000, seed=5), AuthorError)


def test_no_two_records_of_an_honest_run_are_evidence() -> None:
    """A feed as it was written accuses nobody, whichever two of its records are shown."""
    written = [parsed(each) for each in chain(RUN, GROUP, 12)]
    pairs = [(one, other) for one in written for other in written]
    said = [evidence.encode(evidence.record_fork(author(), one, other)) for one, other in pairs]
    assert all_refused(read, said, EvidenceFails) == {EvidenceFails.code}


def test_a_restored_backup_and_a_clone_are_no_evidence() -> None:
    """Runs of one node that went on from one state sign in feeds of their own (I3)."""
    first, second = (chain(run_of(MAKER, number), GROUP, 6) for number in (1, 2))
    pairs = [(parsed(one), parsed(other)) for one in first for other in second]
    for run in (run_of(MAKER, 1), run_of(MAKER, 2)):
        said = [evidence.encode(evidence.record_fork(author(run), *pair)) for pair in pairs]
        assert all_refused(read, said, EvidenceFails) == {EvidenceFails.code}


def test_any_two_records_beyond_a_fork_are_evidence() -> None:
    """Histories differ from the fork on: one number, or a record and one that follows another."""
    ours, theirs = chain(RUN, GROUP, 6), chain(RUN, GROUP, 3)
    for number in (77, 78, 79):
        theirs.append(after(RUN, theirs[-1].feed, number))
    for seq in (3, 4, 5):
        same = evidence.record_fork(author(), parsed(ours[seq]), parsed(theirs[seq]))
        assert read(evidence.encode(same)).seq == seq
    for seq in (3, 4):
        follows = evidence.record_fork(author(), parsed(ours[seq]), parsed(theirs[seq + 1]))
        assert read(evidence.encode(follows)).seq == seq
    before = evidence.record_fork(author(), parsed(ours[2]), parsed(theirs[3]))
    assert refusal(lambda: read(evidence.encode(before))) == EvidenceFails.code


def test_an_unknown_node_is_accused_once_a_roster_vouches_for_it() -> None:
    """Evidence against a stranger is none here, and holds wherever its organisation is known."""
    encoded = evidence.encode(forked(run_of(STRANGER)))
    assert refusal(lambda: read(encoded)) == UnknownOrganisation.code
    theirs = roster_of(STRANGER, BUYER)
    found = evidence.verify(evidence.decode(encoded), KNOWN | {theirs.hash: theirs})
    assert (found.node, found.kind) == (STRANGER.node.id, Kind.RECORD_FORK)


def test_a_file_holds_the_rosters_and_the_evidence() -> None:
    """It is told from a proof by how it begins, and is read as it was written."""
    encoded = whole_file()
    rosters, content = evidence.decode_file(encoded)
    assert rosters == (ROSTER.encoded,)
    assert read(content).node == MAKER.node.id
    assert evidence.is_file(encoded)
    assert not evidence.is_file(b"\xa7\x00\x01")
    all_refused(evidence.decode_file, truncations(encoded), MalformedEvidence)
