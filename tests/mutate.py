"""A seeded mutator of test vectors: what a decoder is fed when it must not fall over.

In: known inputs (bytes or text), a count and a seed. Out: that many inputs, the same for the same
seed: flipped bits, cut and doubled pieces, two vectors spliced, heads of CBOR with huge lengths,
deep nests, numbers at the edges, broken UTF-8. Never random noise alone: a mutated vector comes
deep into a decoder, noise is refused at the first byte.
"""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import AnyStr

VECTORS = Path(__file__).parent / "vectors"

# Pieces that decoders have stumbled over: CBOR heads, COBS and CRC edges, JSON and TOML tokens.
PIECES = (
    *(bytes([byte]) for byte in (0x00, 0x01, 0x17, 0x18, 0x20, 0x40, 0x60, 0x7F, 0x80, 0xA0)),
    *(bytes([byte]) for byte in (0x9F, 0xBF, 0x5F, 0xC0, 0xD2, 0xF4, 0xF6, 0xF7, 0xFE, 0xFF)),
    bytes.fromhex("1bffffffffffffffff"),
    bytes.fromhex("3bffffffffffffffff"),
    bytes.fromhex("5bffffffffffffffff"),
    bytes.fromhex("9bffffffffffffffff"),
    bytes.fromhex("bb7fffffffffffffff"),
    bytes.fromhex("f97e00"),
    bytes.fromhex("fb7ff0000000000000"),
    bytes.fromhex("fb7ff8000000000001"),
    bytes.fromhex("fb8000000000000000"),
    bytes.fromhex("c249010000000000000000"),
    b"\x81" * 40,
    b"\xa1\x00" * 40,
    b"\x00" * 8,
    b"\xff" * 254,
    b"\xc3\x28",
    b"\xed\xa0\x80",
    "\ufeff\u202e\u0000é".encode(),
    *(b"[", b"]", b"{", b"}", b'"', b"'", b",", b":", b"\\", b"\n", b"=", b"#", b".", b"*", b"[["),
    *(b"null", b"true", b"NaN", b"-Infinity", b"1e999", b"-0.0", b"0x10", b"1_0", b"--1"),
    *(b"9223372036854775808", b"-9223372036854775809", b"1" * 400, b"1e308", b"0.1e-400"),
    b"\\ud800",
    b"\\u0000",
    b"[" * 60,
    b'{"a":' * 60,
    b'"""',
    b"'''",
)


def _flip(dice: random.Random, said: bytearray, _others: Sequence[bytes]) -> None:
    for _ in range(dice.choice((1, 1, 1, 2, 8))):
        said[dice.randrange(len(said))] ^= 1 << dice.randrange(8)


def _replace(dice: random.Random, said: bytearray, _others: Sequence[bytes]) -> None:
    said[dice.randrange(len(said))] = dice.randrange(256)


def _truncate(dice: random.Random, said: bytearray, _others: Sequence[bytes]) -> None:
    del said[dice.randrange(len(said)) :]


def _cut(dice: random.Random, said: bytearray, _others: Sequence[bytes]) -> None:
    at = dice.randrange(len(said))
    del said[at : at + dice.randint(1, 1 + len(said) // 4)]


def _double(dice: random.Random, said: bytearray, _others: Sequence[bytes]) -> None:
    at = dice.randrange(len(said))
    piece = said[at : at + dice.randint(1, 1 + len(said) // 4)]
    said[at:at] = piece


def _insert(dice: random.Random, said: bytearray, _others: Sequence[bytes]) -> None:
    at = dice.randint(0, len(said))
    said[at:at] = dice.choice(PIECES)


def _overwrite(dice: random.Random, said: bytearray, _others: Sequence[bytes]) -> None:
    at = dice.randrange(len(said))
    piece = dice.choice(PIECES)
    said[at : at + len(piece)] = piece


def _splice(dice: random.Random, said: bytearray, others: Sequence[bytes]) -> None:
    other = dice.choice(others)
    said[dice.randint(0, len(said)) :] = other[dice.randint(0, len(other)) :]


def _swap(dice: random.Random, said: bytearray, _others: Sequence[bytes]) -> None:
    one, two = sorted((dice.randrange(len(said)), dice.randrange(len(said))))
    said[:] = said[two:] + said[one:two] + said[:one]


Mutation = Callable[[random.Random, bytearray, Sequence[bytes]], None]
MUTATIONS: tuple[Mutation, ...] = (
    *(_flip, _flip, _replace, _truncate, _cut, _double, _insert, _insert, _overwrite),
    *(_splice, _swap),
)


def mutations(vectors: Sequence[AnyStr], count: int, seed: int) -> Iterator[AnyStr]:
    """Give `count` mutated inputs, bytes for bytes and text for text, decided by `seed`."""
    dice = random.Random(seed)
    text = isinstance(vectors[0], str)
    known = [item.encode() if isinstance(item, str) else bytes(item) for item in vectors]
    for _ in range(count):
        said = bytearray(dice.choice(known))
        for _ in range(dice.choice((1, 1, 1, 2, 3))):
            if said:
                dice.choice(MUTATIONS)(dice, said, known)
            else:
                said += dice.choice(PIECES)
        yield said.decode(errors="replace") if text else bytes(said)  # type: ignore[misc]


def known(noun: str) -> list[bytes]:
    """Give the bytes of every vector of a noun that is written in hex, good and bad."""
    return [bytes.fromhex(vector["hex"]) for vector in vectors(noun) if "hex" in vector]


def known_text(noun: str, key: str) -> list[str]:
    """Give the text under `key` of every vector of a noun, good and bad."""
    return [vector[key] for vector in vectors(noun) if key in vector]


def vectors(noun: str) -> list[dict[str, str]]:
    """Read the vectors of a noun, good and bad."""
    read = json.loads((VECTORS / f"{noun}.json").read_text(encoding="utf-8"))
    return [*read["good"], *read["bad"]]
