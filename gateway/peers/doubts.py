"""Feeds of which two histories are signed, or said, to be: remembered, counted, asked for no more.

In: what a record or a peer showed. Out: which feeds are doubted. It judges nobody, and forgets all
when the process ends: what was signed is in the store. Protocol: docs/protocol/sync.md.
"""

from collections import Counter
from typing import Final

from gateway.errors import AuthorError, ForkedFeed, GroupError
from gateway.peers.circle import Circle
from gateway.sync.decide import Forked

FORKS_MAX: Final = 1024


class Doubts:
    """All of one exchange."""

    def __init__(self, circle: Circle, counts: Counter[str]) -> None:
        self._circle, self._counts = circle, counts
        # Claims of peers, by feed; and the feeds whose author signed two histories.
        self.forks: dict[bytes, Forked] = {}
        self.frozen: set[bytes] = set()
        # By run, two checkpoints of its journal that contradict each other: it signed both.
        self.journals: dict[bytes, tuple[bytes, bytes]] = {}

    def said(self, fork: Forked) -> None:
        """Remember a peer's word, which is not the author's: it is shown, and freezes nothing."""
        self._counts[ForkedFeed.code] += 1
        if len(self.forks) < FORKS_MAX:
            self.forks.setdefault(fork.ours.feed, fork)

    def forked(self, run: bytes, both: tuple[bytes, bytes]) -> None:
        """Remember that a run signed two journals."""
        self._counts[ForkedFeed.code] += 1
        if len(self.journals) < FORKS_MAX:
            self.journals.setdefault(run, both)

    def stopped(self, feed: bytes, fault: AuthorError | GroupError | None) -> None:
        """Count what was wrong with a record; what its author signed twice is asked for no more."""
        if fault is not None:
            self._counts[fault.code] += 1
        if isinstance(fault, ForkedFeed):
            if len(self.frozen) < FORKS_MAX:
                self.frozen.add(feed)
            for relation in self._circle.relations.values():
                relation.asking.give_up(feed)
