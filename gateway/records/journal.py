"""A run's journal: a log of the heads of its node's feeds. Protocol: docs/protocol/journal.md.

In: heads; or an entry with its path and a checkpoint. Out: leaves, whether an entry holds, and when
a journal is to grow. Where leaves are kept is the store's to know; time is an argument.
"""

from dataclasses import dataclass
from typing import Final

from gateway.errors import ProofFails
from gateway.records import cbor, merkle
from gateway.records.checkpoint import Checkpoint
from gateway.records.feed import Head

PATH_MAX: Final = 53


@dataclass(frozen=True, slots=True)
class Rule:
    """When a journal grows: at so many new records, or so long after it could first have."""

    records: int = 1_000
    heard_ms: int = 60_000
    silent_ms: int = 3_600_000


RULE: Final = Rule()


@dataclass(frozen=True, slots=True)
class Entry:
    """A head as the leaf of that index, and the path from it to a checkpoint's root."""

    index: int
    head: Head
    path: tuple[bytes, ...]

    def check(self, against: Checkpoint) -> None:
        """See that the head is in the journal whose checkpoint this is; raise ProofFails."""
        root = merkle.root_by_inclusion(leaf(self.head), self.index, against.size, self.path)
        if root != against.root:
            raise ProofFails(reason="the path of a head does not lead to the checkpoint's root")


def leaf(head: Head) -> bytes:
    """Give a head's leaf hash."""
    return merkle.leaf_hash(cbor.encode([head.feed, head.size, head.root]))


def due(records: int, waited_ms: int, reachable: bool, rule: Rule = RULE) -> bool:
    """Say whether a journal is to grow: it lacks so many records, the first for so long.

    `reachable` says whether a witness could be asked now: without one it need not be often.
    """
    if records == 0:
        return False
    bound_ms = rule.heard_ms if reachable else rule.silent_ms
    return records >= rule.records or waited_ms >= bound_ms
