"""Signed notes: what is signed under a name is what was signed, and not a bit of it is another."""

from typing import Any

import pytest
from hypothesis import given, settings, strategies as some

from gateway.errors import AuthorError, BadNote, MalformedNote
from gateway.records import checkpoint, cose, note
from gateway.records.checkpoint import Checkpoint, run_name
from tests.damage import all_refused, flips, never_escapes, refusal, truncations
from tests.mutate import known, mutations
from tests.vectors import load
from tests.vectors.build_note import COSIGNED, KEY, NAME, SIGNED, TEXT, TIME_S, WITNESS, check

VECTORS = load("note")
HASHES = some.binary(min_size=32, max_size=32)


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda vector: vector["name"])
def test_good_notes_say_what_they_say(vector: dict[str, Any]) -> None:
    """Each good vector holds, and reads as the vector expects."""
    assert check(vector) == vector["expect"]


@pytest.mark.parametrize("vector", VECTORS["bad"], ids=lambda vector: vector["name"])
def test_bad_notes_are_refused(vector: dict[str, Any]) -> None:
    """Each bad vector is refused with its code."""
    assert refusal(lambda: check(vector), AuthorError) == vector["error"]


def test_a_checkpoint_with_any_bit_flipped_is_refused() -> None:
    """No bit of a checkpoint can be changed."""
    codes = all_refused(
        lambda said: checkpoint.verify(said, KEY.public), flips(SIGNED), AuthorError
    )
    assert codes == {"checkpoint.malformed", "note.signature"}


def test_a_checkpoint_cut_short_is_refused() -> None:
    """No beginning of a checkpoint is one."""
    cut = truncations(SIGNED)
    all_refused(lambda said: checkpoint.verify(said, KEY.public), cut, AuthorError)


def test_a_cosignature_with_any_bit_flipped_is_refused() -> None:
    """No bit of a cosignature can be changed, its time included."""

    def read(said: bytes) -> int:
        line = said.decode(errors="replace")
        return note.check_cosignature(TEXT, line, NAME, WITNESS.public)

    assert read(COSIGNED.encode()) == TIME_S
    all_refused(read, flips(COSIGNED.encode()), AuthorError)


@given(HASHES, some.integers(0, checkpoint.SIZE_MAX))
@settings(max_examples=100)
def test_a_checkpoint_reads_back(root: bytes, size: int) -> None:
    """What is signed is what is read, and the run is known by the origin."""
    found = checkpoint.verify(checkpoint.sign(KEY, size, root), KEY.public)
    assert found == Checkpoint(run_name(KEY.id), size, root)
    assert found.run == KEY.id


@given(some.integers(0, note.TIME_S_MAX))
@settings(max_examples=50)
def test_a_cosignature_says_its_time(unix_s: int) -> None:
    """A cosignature holds at every time that can be said."""
    line = note.cosign(NAME, WITNESS, TEXT, unix_s)
    assert note.check_cosignature(TEXT, line, NAME, WITNESS.public) == unix_s


def test_a_note_is_never_what_is_signed_as_cose() -> None:
    """The same key's COSE signature over the same text is no signature of the note."""
    signed = cose.decode(cose.sign(KEY, "record", TEXT.encode()), "record")
    kid = note.kid_of(run_name(KEY.id), note.ED25519, KEY.public)
    line = note.Signature(run_name(KEY.id), kid, signed.signature).line
    with pytest.raises(BadNote):
        checkpoint.verify(note.assemble(TEXT, [line]), KEY.public)


def test_nothing_escapes_the_decoder() -> None:
    """Mutated notes are notes or MalformedNote, and a note is written as it was read."""

    def read(said: bytes) -> None:
        assert note.parse(said).encoded == said

    assert never_escapes(read, mutations(known("note"), 3_000, 5), MalformedNote) > 1_000
