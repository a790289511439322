"""Bodies in pieces: the grid they stand on, and what is had of each. docs/protocol/sync.md.

In: a body's length, a piece as it came. Out: which piece it is, and what is lacking still. It holds
no bytes, and verifies none: a piece alone has nothing that it could be checked by.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from gateway.sync.message import PIECE_BYTES, Body, Bwant, Part
from gateway.sync.retry import NEVER_TRIED, Retry

EARLIER: Final = b""  # gave pieces in an earlier run: nobody knows who it was


def count_of(length: int) -> int:
    """Say in how many pieces a body of this length travels."""
    return -(-length // PIECE_BYTES)


def is_part(said: Body) -> bool:
    """Say whether it is a part of something longer, as no roster is."""
    return said.offset > 0 or len(said.piece) == PIECE_BYTES


def number_of(length: int, offset: int, size: int) -> int | None:
    """Say which piece of a body this is; None where it is not one of its grid."""
    number, rest = divmod(offset, PIECE_BYTES)
    if rest or offset >= length or size != min(PIECE_BYTES, length - offset):
        return None
    return number


@dataclass(frozen=True, slots=True)
class Wanted:
    """A body that is owed, and how it stands with it."""

    place: int  # of its record in the store: names it here
    group: bytes
    feed: bytes
    seq: int
    author: bytes
    hash: bytes
    length: int
    had: frozenset[int] = frozenset()
    givers: frozenset[bytes] = frozenset()  # who gave what is had
    giver: bytes | None = None  # who is asked now
    open: frozenset[int] = frozenset()  # asked of it, and not come
    is_giving: bool = False  # something came of what was asked last
    asked: frozenset[bytes] = frozenset()  # who was asked in this run, and may still give
    passed: frozenset[bytes] = frozenset()  # who gave nothing in this round
    barred: frozenset[bytes] = frozenset()  # who gave a wrong one, alone
    holders: frozenset[bytes] = frozenset()  # who signed to hold it
    alone: bool = False  # whether all of it must come from one
    retry: Retry = NEVER_TRIED

    @property
    def is_begun(self) -> bool:
        """Say whether some of it is had or asked for."""
        return bool(self.had or self.open)

    @property
    def is_slow(self) -> bool:
        """Say whether nobody gave any of it when all were asked last."""
        return self.retry.attempt > 0 and not self.is_giving

    def lacking(self, most: int) -> list[int]:
        """Give the first pieces that are neither had nor asked for."""
        found: list[int] = []
        for number in range(count_of(self.length)):
            if len(found) >= most:
                break
            if number not in self.had and number not in self.open:
                found.append(number)
        return found

    def rank(self, node: bytes) -> tuple[int, bytes]:
        """Order whom to ask: who signed to hold it, the author, the others."""
        return (0 if node in self.holders else 1 if node == self.author else 2), node


@dataclass(frozen=True, slots=True)
class Near:
    """A peer in a session: the groups that both are in; busy where records are asked of it."""

    node: bytes
    groups: frozenset[bytes]
    is_busy: bool


@dataclass(frozen=True, slots=True)
class Request:
    """Ask a peer for these parts."""

    node: bytes
    group: bytes
    parts: Bwant


@dataclass(frozen=True, slots=True)
class Drop:
    """Let go of the pieces of a body: they are asked for again."""

    place: int


def parts_of(wanted: Wanted, numbers: Sequence[int]) -> Iterator[Part]:
    """Join pieces that follow each other to parts."""
    for _, run in groupby(enumerate(numbers), lambda item: item[1] - item[0]):
        pieces = [number for _, number in run]
        stop = min((pieces[-1] + 1) * PIECE_BYTES, wanted.length)
        yield Part(wanted.hash, pieces[0] * PIECE_BYTES, stop)
