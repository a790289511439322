"""Frames: every vector both ways, noise of every kind, and never anything else than an error."""

import json
from dataclasses import asdict
from itertools import pairwise
from typing import Any

import pytest
from cobs import cobs
from hypothesis import given, strategies as some

from gateway.errors import FrameError, LongFrame
from gateway.readings.frame import (
    AGE_MS_MAX,
    CODED_BYTES_MAX,
    SEQUENCE_END,
    Ack,
    Ask,
    Command,
    Frame,
    Metric,
    Refused,
    Result,
    Sample,
    Samples,
    Splitter,
    Table,
    decode,
    encode,
)
from tests.mutate import known, mutations
from tests.vectors import load
from tests.vectors.build_frame import GOOD, expect, seal

VECTORS: dict[str, Any] = load("frame")

boots = some.binary(min_size=8, max_size=8)
numbers = some.integers(0, (1 << 32) - 1)
sequences = some.integers(0, SEQUENCE_END - 1)
texts = some.text(some.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=16)
samples = some.builds(
    Sample,
    metric=some.integers(0, 255),
    quality=some.integers(0, 255),
    exponent=some.integers(-128, 127),
    mantissa=some.integers(-SEQUENCE_END, SEQUENCE_END - 1),
    age_ms=some.integers(0, AGE_MS_MAX),
)


@some.composite
def samples_frames(draw: some.DrawFn) -> Samples:
    """Any SAMPLES frame that the format allows."""
    said = tuple(draw(some.lists(samples, min_size=1, max_size=14)))
    following = draw(some.integers(len(said), SEQUENCE_END - 1))
    first = draw(some.integers(0, following - len(said)))
    return Samples(
        draw(boots), draw(some.integers(0, first)), following, draw(numbers), first, said
    )


@some.composite
def tables(draw: some.DrawFn) -> Table:
    """Any TABLE frame that the format allows and that fits."""
    rows = tuple(draw(some.lists(some.builds(Metric, texts.filter(bool), texts), min_size=1)))[:5]
    total = draw(some.integers(len(rows), 255))
    first = draw(some.integers(0, total - len(rows)))
    return Table(draw(boots), total, first, draw(texts.filter(bool)), rows)


frames: some.SearchStrategy[Frame] = some.one_of(
    some.just(Ask()),
    some.builds(Ack, boots, sequences),
    some.builds(Result, boots, numbers, some.integers(0, 4), some.binary(max_size=200)),
    some.builds(Command, boots, numbers, numbers, some.binary(max_size=200)),
    samples_frames(),
    tables(),
)


def heard(wire: bytes) -> list[Frame | Refused]:
    """Split what came at once."""
    return list(Splitter().feed(wire))


def outcome(coded: bytes) -> str:
    """Say what decoding ends in: "" or the code; anything but a FrameError escapes."""
    try:
        decode(coded)
    except FrameError as error:
        assert str(error).startswith(error.code)
        return error.code
    return ""


def pieces(count: int, seed: int) -> list[bytes]:
    """Give mutated frames without delimiters; every second one is closed with a good checksum."""
    bare = [cobs.decode(encode(frame)[1:-1])[1:-4] for frame in GOOD.values()]
    inside = (seal(b"\x01" + body[:240])[1:-1] for body in mutations(bare, count // 2, seed))
    outside = mutations(known("frame"), count - count // 2, seed)
    return [*inside, *(piece.replace(b"\x00", b"") or b"\x01" for piece in outside)]


def campaign(count: int, seed: int) -> dict[str, int]:
    """Feed so many mutated inputs: each is a frame that re-encodes, or a FrameError; tally them."""
    tally: dict[str, int] = {}
    for coded in pieces(count, seed):
        code = outcome(coded)
        tally[code] = tally.get(code, 0) + 1
        if not code:
            assert encode(decode(coded)) == b"\x00" + coded + b"\x00", coded.hex()
    return tally


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda vector: vector["name"])
def test_good_vectors_read_and_write_the_same(vector: dict[str, Any]) -> None:
    """A good vector is the frame it says, and that frame is those bytes."""
    wire = bytes.fromhex(vector["hex"])
    (frame,) = heard(wire)
    assert not isinstance(frame, Refused)
    assert json.loads(json.dumps(expect(frame))) == vector["expect"]
    assert encode(frame) == wire


@pytest.mark.parametrize("vector", VECTORS["bad"], ids=lambda vector: vector["name"])
def test_bad_vectors_are_refused_by_their_own_error(vector: dict[str, Any]) -> None:
    """A bad vector is one refusal with the code it says, and its bytes are kept for quarantine."""
    wire = bytes.fromhex(vector["hex"])
    (refused,) = heard(wire)
    assert isinstance(refused, Refused)
    assert refused.error.code == vector["error"]
    assert wire[1:-1].startswith(refused.said)


@given(frames)
def test_any_frame_survives_the_line(frame: Frame) -> None:
    """Encoding loses nothing."""
    assert heard(encode(frame)) == [frame]


@given(some.lists(frames, max_size=5), some.lists(some.integers(0, 600)), some.binary(max_size=20))
def test_splitting_anywhere_changes_nothing(
    said: list[Frame], cuts: list[int], noise: bytes
) -> None:
    """However a line cuts its bytes, and whatever noise went before, each frame is heard once."""
    line = noise + b"".join(map(encode, said))
    splitter, edges = Splitter(), sorted({0, len(line), *(cut % (len(line) + 1) for cut in cuts)})
    got = [item for a, b in pairwise(edges) for item in splitter.feed(line[a:b])]
    assert [item for item in got if not isinstance(item, Refused)][-len(said) or None :] == said


@given(some.binary(max_size=600))
def test_any_bytes_give_frames_or_errors(noise: bytes) -> None:
    """Nothing that comes over a line escapes as another exception."""
    for item in Splitter().feed(noise + b"\x00"):
        assert not isinstance(item, Refused) or item.error.code.startswith("frame.")


def test_mutated_frames_give_frames_or_errors() -> None:
    """The campaign in small: mutated vectors reach every check and none falls over."""
    reached = campaign(4000, seed=4)
    codes = ("long", "cobs", "short", "crc", "version", "type", "body")
    assert reached.keys() == {"", *(f"frame.{code}" for code in codes)}


@pytest.mark.parametrize("name", GOOD)
def test_no_single_bit_passes(name: str) -> None:
    """A frame with one bit flipped is never taken for a frame."""
    coded = encode(GOOD[name])[1:-1]
    for bit in range(8 * len(coded)):
        flipped = bytearray(coded)
        flipped[bit // 8] ^= 1 << bit % 8
        assert not [it for it in heard(bytes(flipped) + b"\0") if not isinstance(it, Refused)]


def test_a_splitter_keeps_one_frame_at_most() -> None:
    """A line that never sends a delimiter costs no memory, and the next frame is heard."""
    splitter = Splitter()
    for _ in range(1000):
        assert list(splitter.feed(b"U" * 4096)) == []
    assert len(splitter._kept) == CODED_BYTES_MAX + 1
    refused, frame = splitter.feed(encode(Ask()))
    assert isinstance(refused, Refused) and isinstance(refused.error, LongFrame)
    assert frame == Ask()


def test_a_frame_that_is_too_long_is_not_made() -> None:
    """Encoding refuses what the other side would refuse."""
    with pytest.raises(LongFrame):
        encode(Command(bytes(8), 1, 1, bytes(240)))


def test_the_fields_of_a_vector_are_all_there() -> None:
    """A vector says every field that the frame has."""
    for vector, frame in zip(VECTORS["good"], GOOD.values(), strict=True):
        assert vector["expect"].keys() == {"type", *asdict(frame)}
