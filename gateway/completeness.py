"""How much of a group an answer rests on, and what it is known to lack. docs/protocol/query.md.

In: the heads held, what members signed that they hold beyond them, when each was last heard. Out:
what is missing, on whose word, under the names that tools rely on. It verifies nothing, and makes
nobody's word a fact: what a member only says that it holds stays that member's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from gateway.records import cbor
from gateway.records.feed import Head
from gateway.records.merkle import Frontier, leaf_hash

# More feeds are shown by their digest alone, and more of what is missing by its numbers alone.
HEADS_SHOWN_MAX: Final = 500
ABSENT_SHOWN_MAX: Final = 500
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Hearing:
    """Another member of a group, and when it was last heard there in its own signed words."""

    node: bytes
    organisation: bytes
    heard_ms: int | None  # None: never, or while no clock was set


@dataclass(frozen=True, slots=True)
class Holder:
    """A member that signed that it holds a feed up to a size."""

    node: bytes
    size: int
    heard_ms: int | None


@dataclass(frozen=True, slots=True)
class Absent:
    """Records of one feed that are known of and not held, with all who say that there are some."""

    feed: bytes
    held: int
    holders: tuple[Holder, ...]  # who signed that they hold more
    named: tuple[Holder, ...]  # whose later feeds name this one as an earlier one, up to a size
    island: tuple[int, int] | None = None  # records that are held beyond a gap

    @property
    def size(self) -> int:
        """Give how many records there are by the furthest of these words."""
        return max(each.size for each in (*self.holders, *self.named))

    @property
    def records(self) -> int:
        """Count what is missing."""
        return self.below(self.size)

    def below(self, size: int) -> int:
        """Count what is missing of the feed's first so many records."""
        start, stop = self.island or (size, size)
        return size - self.held - max(min(stop, size) - start, 0)


@dataclass(frozen=True, slots=True)
class Extent:
    """What is held of a group, and what is known not to be."""

    group: str
    id: bytes
    heads: tuple[Head, ...]  # sorted by feed
    absent: tuple[Absent, ...]  # sorted by feed
    members: tuple[Hearing, ...]
    sealed: int = 0  # observations and gaps sealed under keys that are not held
    bodies: int = 0  # records that may hold readings, and whose body is not held

    @property
    def records(self) -> int:
        """Count the records that are held."""
        return sum(each.size for each in self.heads)

    @property
    def missing(self) -> int:
        """Count the records that are known to be missing."""
        return sum(each.records for each in self.absent)

    @property
    def complete(self) -> bool:
        """Say whether nothing is known to be missing."""
        return not (self.absent or self.sealed or self.bodies)

    def said_by(self) -> dict[bytes, int]:
        """Count, of each member, the missing records that it signed that it holds."""
        counts: dict[bytes, int] = {}
        for each in self.absent:
            for holder in each.holders:
                counts[holder.node] = counts.get(holder.node, 0) + each.below(holder.size)
        return counts

    def named(self) -> int:
        """Count the missing records of earlier feeds that later ones name."""
        return sum(
            each.below(max(one.size for one in each.named)) for each in self.absent if each.named
        )

    def shown(self, gaps: int = 0) -> dict[str, object]:
        """Give it under the names that tools rely on; `gaps` concern what was asked."""
        heads, said_by = self.heads, self.said_by()
        return {
            "group": self.group,
            "id": self.id.hex(),
            "complete": self.complete and not gaps,
            "feeds": len(heads),
            "records": self.records,
            "digest": digest(heads).hex(),
            "heads": _shown_heads(heads) if len(heads) <= HEADS_SHOWN_MAX else None,
            "feeds_missing": len(self.absent),
            "records_missing": self.missing,
            "missing": [_shown_absent(each) for each in self.absent[:ABSENT_SHOWN_MAX]],
            "bodies_missing": self.bodies,
            "sealed": self.sealed,
            "gaps": gaps,
            "members": [_shown_member(each, said_by.get(each.node, 0)) for each in self.members],
        }


def digest(heads: Sequence[Head]) -> bytes:
    """Give the root (RFC 6962) over heads sorted by feed, each a leaf as the journal has it."""
    leaves = (leaf_hash(cbor.encode([each.feed, each.size, each.root])) for each in heads)
    return Frontier().extended(leaves).root()


def show_time(unix_ms: int) -> str:
    """Write a time as RFC 3339 in UTC with milliseconds."""
    moment = _EPOCH + timedelta(milliseconds=unix_ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _shown_time(unix_ms: int | None) -> str | None:
    return None if unix_ms is None else show_time(unix_ms)


def _shown_heads(heads: Sequence[Head]) -> list[list[object]]:
    return [[each.feed.hex(), each.size, each.root.hex()] for each in heads]


def _shown_member(member: Hearing, records: int) -> dict[str, object]:
    return {
        "node": member.node.hex(),
        "org": member.organisation.hex(),
        "heard": _shown_time(member.heard_ms),
        "holds_missing": records,
    }


def _shown_absent(absent: Absent) -> dict[str, object]:
    return {
        "feed": absent.feed.hex(),
        "from": absent.held,
        "to": absent.size,
        "island": None if absent.island is None else list(absent.island),
        "held_by": [
            {"node": one.node.hex(), "to": one.size, "heard": _shown_time(one.heard_ms)}
            for one in absent.holders
        ],
        "named_by": [{"node": one.node.hex(), "to": one.size} for one in absent.named],
    }
