"""Framing: every vector, any cut of a stream the same, the catalogue's checksums, no escape."""

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from gateway.config import Checksum, SerialSource, load as load_config
from gateway.config.serial import ChecksumType
from gateway.readings import checksums
from gateway.readings.framing import Splitter, splitter
from gateway.readings.telegram import Piece, Spoilt, Telegram
from tests.mutate import mutations
from tests.vectors import load

VECTORS = load("framing")
EVERY = [*VECTORS["good"], *VECTORS["bad"]]
SOURCE = """[gateway]
name = "press-shop"
state_dir = "state"
[[source]]
name = "scale"
type = "serial"
url = "serial:///dev/ttyUSB0"
"""
# Of the catalogue of parametrised CRC algorithms: the CRC of the text 123456789.
CHECKS = {
    **{"crc-8/smbus": "f4", "crc-8/maxim-dow": "a1", "crc-8/sae-j1850": "4b"},
    **{"crc-16/arc": "bb3d", "crc-16/modbus": "4b37", "crc-16/ibm-3740": "29b1"},
    **{"crc-16/xmodem": "31c3", "crc-16/kermit": "2189", "crc-16/ibm-sdlc": "906e"},
    **{"crc-16/spi-fujitsu": "e5cc", "crc-16/dnp": "ea82", "crc-32/iso-hdlc": "cbf43926"},
    **{"crc-32/bzip2": "fc891918", "crc-32/mpeg-2": "0376e6e7"},
    # 477 is the sum of these letters, 0x31 what they come to by XOR.
    **{"sum": "dd", "sum-16": "01dd", "lrc": "23", "toledo": "23", "xor": "31"},
}


def source(said: str) -> SerialSource:
    """Load a source whose framing and checksum are written as tables of their own."""
    tables = said.replace("[framing]", "[source.framing]").replace(
        "[checksum]", "[source.checksum]"
    )
    [loaded] = load_config(SOURCE + tables).source
    assert isinstance(loaded, SerialSource)
    return loaded


def _fed(cutter: Splitter, stream: Iterable[bytes | None]) -> Iterator[Piece]:
    for said in stream:
        yield from cutter.quiet() if said is None else cutter.feed(said)


def _stream(vector: dict[str, Any]) -> list[bytes | None]:
    words = vector["stream"].split()
    return [None if word == "quiet" else bytes.fromhex(word) for word in words]


def _told(pieces: Iterable[Piece]) -> list[str]:
    return [
        piece.payload.hex() if isinstance(piece, Telegram) else piece.error.code for piece in pieces
    ]


def _expected(vector: dict[str, Any]) -> list[str]:
    found: list[str] = vector["pieces"] if "pieces" in vector else vector["expect"]["pieces"]
    return found


@pytest.mark.parametrize("vector", EVERY, ids=lambda vector: vector["name"])
def test_each_stream_is_cut_as_its_vector_says(vector: dict[str, Any]) -> None:
    """A stream gives its telegrams and what is none, in order, and nothing else."""
    cutter = splitter(source(vector["settings"]))
    assert _told(_fed(cutter, _stream(vector))) == _expected(vector)


@pytest.mark.parametrize("vector", EVERY, ids=lambda vector: vector["name"])
def test_a_stream_cut_into_bytes_gives_the_same(vector: dict[str, Any]) -> None:
    """One byte at a time is as good as all at once."""
    stream = [
        piece
        for said in _stream(vector)
        for piece in ([None] if said is None else [bytes((byte,)) for byte in said])
    ]
    assert _told(_fed(splitter(source(vector["settings"])), stream)) == _expected(vector)


@settings(max_examples=300)
@given(st.data())
def test_any_cut_of_any_stream_gives_the_same_telegrams(drawn: st.DataObject) -> None:
    """How the system hands bytes over changes nothing: telegrams, faults, and their order."""
    configured = source(drawn.draw(st.sampled_from(sorted({one["settings"] for one in EVERY}))))
    known = [said for vector in EVERY for said in _stream(vector) if said]
    pieces = drawn.draw(st.lists(st.sampled_from(known) | st.binary(max_size=12), max_size=8))
    stream = b"".join(pieces)
    cuts = sorted(drawn.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    parts = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    quiet = [None] * drawn.draw(st.integers(0, 2))
    whole = list(_fed(splitter(configured), [*quiet, stream]))
    assert list(map(repr, _fed(splitter(configured), [*quiet, *parts]))) == list(map(repr, whole))
    for piece in whole:
        assert not isinstance(piece, Telegram) or piece.raw in stream


_line = st.text("+-.0123456789", min_size=1, max_size=6).map(str.encode)


@settings(max_examples=200)
@given(st.lists(_line, min_size=2, max_size=6), st.data())
def test_no_part_of_a_line_is_ever_given_as_a_line(
    lines: list[bytes], drawn: st.DataObject
) -> None:
    """Heard from anywhere, silent anywhere after the first byte: what is given was said so."""
    stream = b"".join(line + b"\r\n" for line in lines)
    start = drawn.draw(st.integers(1, len(lines[0])))
    cut = drawn.draw(st.integers(start + 1, len(stream)))
    silences = [None] * drawn.draw(st.integers(1, 3))
    cutter = splitter(source('[framing]\nby = "delimiter"\nend = "\\r\\n"\n'))
    heard = _fed(cutter, [stream[start:cut], *silences, stream[cut:]])
    given_ = [piece.payload for piece in heard if isinstance(piece, Telegram)]
    left = iter(lines[1:])
    assert all(line in left for line in given_), (given_, lines)


@pytest.mark.parametrize(("kind", "check"), CHECKS.items())
def test_checksums_are_those_of_the_catalogue(kind: ChecksumType, check: str) -> None:
    """Each has the published value of its check text, and a changed bit is noticed."""
    wanted = bytes.fromhex(check)
    for order, said in (("big", wanted), ("little", wanted[::-1])):
        checksum = Checksum(type=kind, order=order)  # type: ignore[arg-type]
        assert checksums.matches(checksum, b"123456789", said)
        assert not checksums.matches(checksum, b"123456788", said)
        digits = Checksum(type=kind, order=order, hex=True)  # type: ignore[arg-type]
        assert checksums.matches(digits, b"123456789", said.hex().encode())
        assert checksums.width(digits) == 2 * checksums.width(checksum) == 2 * len(said)


@given(st.binary(max_size=300))
def test_the_quick_xor_is_the_plain_one(said: bytes) -> None:
    """Folding a long number in halves gives what one byte after the other gives."""
    plain = 0
    for byte in said:
        plain ^= byte
    assert checksums.matches(Checksum(type="xor"), said, bytes((plain,)))


@pytest.mark.timeout(60)
def test_no_stream_escapes_or_is_kept() -> None:
    """Mutated streams end in telegrams or LineErrors, and no more than a telegram is kept."""
    known = [said for vector in EVERY for said in _stream(vector) if said]
    cutters = [splitter(source(said)) for said in sorted({one["settings"] for one in EVERY})]
    for place, said in enumerate(mutations(known, 20_000, seed=11)):
        cutter = cutters[place % len(cutters)]
        for piece in (*cutter.feed(said), *(cutter.quiet() if place % 7 == 0 else ())):
            assert isinstance(piece, Telegram | Spoilt)
        assert len(cutter._kept) <= 1024 + len(said)  # type: ignore[attr-defined]


@pytest.mark.timeout(20)
def test_noise_made_to_be_slow_is_not() -> None:
    """A megabyte of the worst for each framing takes seconds, not minutes."""
    slow = b"telegram_bytes_max = 16384\n".decode()
    for said, worst in (
        (
            '[framing]\nby = "fixed"\nbegin = "\\u0002"\nsize = 4096\n[checksum]\ntype = "xor"\n',
            b"\2",
        ),
        ('[framing]\nby = "stx-etx"\nescape = "hex:1B"\n', b"\x1b"),
        ('[framing]\nby = "stx-etx"\n', b"\2"),
        ('[framing]\nby = "delimiter"\nend = "\\r\\n"\n', b"\r"),
    ):
        cutter = splitter(source(slow + said))
        for _ in range(10):
            assert all(cutter.feed(worst * 4096))
