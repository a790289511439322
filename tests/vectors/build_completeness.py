"""The vectors of what an answer rests on: heads and their digest. docs/protocol/query.md."""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.completeness import digest
from gateway.records.feed import Head
from tests.people import seed

HEADS = sorted(
    (Head(seed(f"feed {at}"), 1 + 7 * at, seed(f"root {at}")) for at in range(5)),
    key=lambda head: head.feed,
)


def read(vector: Mapping[str, Any]) -> str:
    """Give the digest of a vector's heads."""
    rows = (
        (bytes.fromhex(feed), size, bytes.fromhex(root)) for feed, size, root in vector["heads"]
    )
    return digest([Head(*row) for row in rows]).hex()


def build() -> dict[str, object]:
    """Build the vectors; a bad one has not the digest that it says."""
    return {
        "noun": "completeness",
        "chapter": "docs/protocol/query.md",
        "good": [_vector(f"{count} feeds", HEADS[:count], HEADS[:count]) for count in (0, 1, 2, 5)],
        "bad": [
            _vector("out of order", HEADS[::-1], HEADS),
            _vector("one twice", [*HEADS[:2], HEADS[1]], HEADS[:2]),
            _vector("another root", [Head(HEADS[0].feed, HEADS[0].size, seed("x"))], HEADS[:1]),
            _vector("another size", [Head(HEADS[0].feed, 99, HEADS[0].root)], HEADS[:1]),
        ],
    }


def _vector(name: str, heads: Sequence[Head], of: Sequence[Head]) -> dict[str, object]:
    rows = [[each.feed.hex(), each.size, each.root.hex()] for each in heads]
    return {"name": name, "heads": rows, "expect": digest(of).hex()}
