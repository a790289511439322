"""Whom to ask for what is lacking: the peer that has it, unless another is just giving it.

In: what a peer was heard to hold, what geneses name. Out: ranges in that peer's asking. What is
beyond the end of a feed is asked of nobody. Protocol: docs/protocol/sync.md.
"""

from collections import Counter
from typing import Final

from gateway.errors import ForkedFeed, WrongFeed
from gateway.groups.group import Group
from gateway.peers.circle import Circle
from gateway.peers.doubts import Doubts
from gateway.peers.relation import Relation
from gateway.peers.staging import Staged
from gateway.store import feeds
from gateway.store.database import Connection
from gateway.sync.decide import Ask

ASKED_ELSEWHERE: Final = "sync.asked-elsewhere"


class Wanting:
    """All of one exchange."""

    def __init__(
        self, circle: Circle, doubts: Doubts, read: Connection, counts: Counter[str]
    ) -> None:
        self._circle, self._doubts, self._read, self._counts = circle, doubts, read, counts

    def ask(
        self, staged: Staged, ask: Ask, relation: Relation, group: Group, is_offered: bool
    ) -> bool:
        """Ask a peer; say whether what was said led to a question, here or elsewhere."""
        others = [each for each in self._circle.relations.values() if each is not relation]
        held, stop = staged.feed(ask.feed), self._doubts.end(ask.feed, ask.stop)
        if held is not None and held.group != group.id:
            self._counts[WrongFeed.code] += 1
        elif stop <= ask.start:
            self._counts[ForkedFeed.code] += 1
        elif any(each.asking.asks_now(ask.feed) for each in others):
            self._counts[ASKED_ELSEWHERE] += 1
            return True
        else:
            wants = relation.asking.offered if is_offered else relation.asking.heard_of
            return wants(group.id, ask.feed, ask.start, stop)
        return False

    def missing(self, relation: Relation, group: bytes) -> None:
        """Ask for the earlier feeds that a genesis names: heads list only the last ones."""
        for lacking in feeds.missing(self._read, group):
            relation.asking.heard_of(group, lacking.feed, lacking.start, lacking.stop)
