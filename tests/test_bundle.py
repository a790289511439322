"""A file carried by hand: whole or refused, no bit of it can be changed, no memory by its size."""

import os
import tracemalloc
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as some

from gateway.errors import BundleUnreadable, BundleUnwritable, DamagedBundle, GatewayError
from gateway.peers import bundle as files
from gateway.peers.bundle import BYTES_MIN, Frame, Parts
from gateway.sync import bundle
from gateway.sync.bundle import Entry, Head, Trailer
from tests.damage import refusal
from tests.mutate import known, mutations
from tests.vectors import load
from tests.vectors.build_bundle import HEAD, LONG, MAKERS, NAME, SHORT, read, write
from tests.vectors.build_message import BUYER

VECTORS = load("bundle")
SMALL = write(HEAD, [Entry(BUYER.node.id, SHORT), Entry(None, SHORT)])
ENTRIES = some.lists(
    some.builds(
        Entry, some.none() | some.binary(min_size=16, max_size=16), some.binary(max_size=300)
    ),
    max_size=8,
)


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda vector: vector["name"])
def test_a_whole_file_says_this(vector: dict[str, Any]) -> None:
    """Head, entries and trailer are read as they were written, and verify."""
    assert read(bytes.fromhex(vector["hex"])) == vector["expect"]


@pytest.mark.parametrize("vector", VECTORS["bad"], ids=lambda vector: vector["name"])
def test_what_is_no_whole_file_is_refused(vector: dict[str, Any]) -> None:
    """It ends in its code, before any envelope is opened."""
    encoded = bytes.fromhex(vector["hex"])
    assert refusal(lambda: read(encoded), GatewayError) == vector["error"]


@settings(deadline=None, max_examples=50)
@given(ENTRIES, some.booleans())
def test_what_is_written_is_read(entries: list[Entry], has_more: bool) -> None:
    """Any envelopes come out as they went in, in their order."""
    written = write(HEAD, entries, has_more)
    assert list(bundle.entries(BytesIO(written).read)) == entries
    assert bundle.survey(BytesIO(written).read).bytes == len(written)


def test_not_a_bit_can_be_changed() -> None:
    """Every bit flipped, and every length cut off, is refused."""
    for place in range(len(SMALL) * 8):
        changed = bytearray(SMALL)
        changed[place // 8] ^= 1 << place % 8
        assert refusal(lambda it=bytes(changed): read(it), GatewayError)  # type: ignore[misc]
    for size in range(len(SMALL)):
        assert refusal(lambda it=SMALL[:size]: read(it), GatewayError)  # type: ignore[misc]


def test_nothing_escapes_from_malformed_files() -> None:
    """Mutated files end in a survey or in DamagedBundle."""
    for said in mutations([each for each in known("bundle") if len(each) < 4_096], 2_000, 26):
        try:
            bundle.survey(BytesIO(said).read)
        except DamagedBundle:
            continue


class Endless:
    """A file of two gigabytes that is never in memory: elements repeated, or zeros."""

    def __init__(self, piece: bytes, times: int, first: bytes = b"") -> None:
        self._piece, self._left, self._rest = piece, times, first

    def read(self, size: int) -> bytes:
        """Give the next bytes."""
        while len(self._rest) < size and self._left:
            self._left -= 1
            self._rest += self._piece
        given, self._rest = self._rest[:size], self._rest[size:]
        return given


def test_a_long_file_is_read_in_flat_memory() -> None:
    """Thousands of entries, and gigabytes of zeros, cost an element's memory."""
    zeros = Endless(bytes(65_536), 32_768)
    assert refusal(lambda: bundle.survey(zeros.read), DamagedBundle) == "bundle.damaged"
    binding = bundle.Binding()
    head, entry = binding.head(HEAD), binding.entry(Entry(None, LONG * 30))
    tracemalloc.start()
    many = Endless(entry, 2_000, head)
    with pytest.raises(DamagedBundle, match="it ends before its trailer"):
        bundle.survey(many.read)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * 1024 * 1024


def _sign(said: Trailer) -> bytes:
    return bundle.sign(MAKERS.key, said)


def _parts(path: Path, bytes_max: int | None = None) -> Parts:
    preamble = [Entry(BUYER.node.id, SHORT)]
    return Parts(path, Frame(Head(NAME, HEAD.sender, HEAD.receivers), preamble, _sign), bytes_max)


def test_parts_are_whole_files_of_one_bundle(tmp_path: Path) -> None:
    """Each is below the bound, begins alike, and says whether another follows; nothing is lost."""
    said = [Entry(None, sha256(bytes((number,))).digest() * 1_000) for number in range(40)]
    with _parts(tmp_path / "out.hulian", BYTES_MIN) as parts:
        for each in said:
            parts.add(each)
    names = [each.name for each in parts.written]
    assert len(names) > 2 and names == [
        "out.hulian",
        *(f"out-{n}.hulian" for n in range(2, len(names) + 1)),
    ]
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted(names)
    found: list[Entry] = []
    for number, path in enumerate(parts.written, 1):
        with files.opened(path) as opened:
            whole = bundle.survey(opened.read)
            opened.rewind()
            first, *rest = bundle.entries(opened.read)
        assert (whole.head.part, whole.head.name) == (number, NAME)
        assert whole.trailer.has_more == (number < len(names)) and first.envelope == SHORT
        assert path.stat().st_size == whole.bytes <= BYTES_MIN
        found += rest
    assert found == said


def test_a_file_has_its_name_only_when_it_is_whole(tmp_path: Path) -> None:
    """What fails on the way leaves nothing behind, and the file that was there."""
    out = tmp_path / "out.hulian"
    out.write_bytes(b"before")
    with pytest.raises(ZeroDivisionError), _parts(out) as parts:
        parts.add(Entry(None, SHORT))
        raise ZeroDivisionError
    assert [each.name for each in tmp_path.iterdir()] == ["out.hulian"]
    assert out.read_bytes() == b"before"


def test_nothing_is_followed_or_waited_for(tmp_path: Path) -> None:
    """A link, a pipe, a folder and nothing at all are refused, for reading and for writing."""
    secret, link, pipe = (tmp_path / name for name in ("secret", "link", "pipe"))
    secret.write_bytes(b"a key")
    link.symlink_to(secret)
    os.mkfifo(pipe)
    for path in (link, pipe, tmp_path, tmp_path / "nothing"):
        with pytest.raises(BundleUnreadable), files.opened(path):
            pass
    (tmp_path / "out.part").symlink_to(secret)
    with pytest.raises(BundleUnwritable), _parts(tmp_path / "out") as parts:
        parts.add(Entry(None, SHORT))
    assert secret.read_bytes() == b"a key"
    with _parts(link) as parts:  # The name is taken from the link, and what it led to stays.
        parts.add(Entry(None, SHORT))
    assert secret.read_bytes() == b"a key" and not link.is_symlink()
