"""What leads to nothing, charged to whose it is; who is over its budget is cut for a while.

In: identities, what came of theirs and what it led to, the present time, chance. Out: whether what
comes next may pass. Who proved itself is dropped whole while it is cut. Who did not prove itself
may be anybody, and honest ones speak under the same name: of that a little always passes. It knows
no messages and no links. Protocol: docs/protocol/sync.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from gateway.sync.retry import NEVER_TRIED, Pace, Retry

# A budget of what leads to nothing: at once, and what comes back each second.
MESSAGES_MAX: Final = 1_024
MESSAGES_A_S: Final = 8
BYTES_MAX: Final = 4 * 1024 * 1024
BYTES_A_S: Final = 64 * 1024
# What is useful gives back so many times what it is: over several links it comes several times.
EARNED: Final = 4
CUT: Final = Pace(10_000, 600_000)
# After so long without another cut, the next one begins short again.
FORGIVEN_MS: Final = 3_600_000
# Of what nobody proved to be his, while it is cut.
SHARE_A_S: Final = 16
KNOWN_MAX: Final = 1_024


class Kind(Enum):
    """Whose something is, from who signed it to where it came from."""

    PEER = "peer"  # by its signature in a session
    TOPIC = "topic"  # said to all on this node's topic, by anybody who may publish there
    GROUP = "group"  # sealed under a group's secret
    LINK = "link"  # none of these

    @property
    def is_proven(self) -> bool:
        """Say whether nobody else can speak under such a name."""
        return self is Kind.PEER


@dataclass(frozen=True, slots=True)
class Who:
    """An identity: its kind, its name, and the way over which it is heard where that matters."""

    kind: Kind
    name: bytes
    way: str = ""


@dataclass(frozen=True, slots=True)
class Cut:
    """Who is cut, until when."""

    who: Who
    until_ms: int


@dataclass(frozen=True, slots=True)
class _Budget:
    messages: float = MESSAGES_MAX
    size: float = BYTES_MAX
    seen_ms: int = 0
    retry: Retry = NEVER_TRIED  # `due_ms` is when the cut ends
    share: float = SHARE_A_S

    def at(self, now_ms: int) -> "_Budget":
        """Give it as it is now."""
        passed_s = max(now_ms - self.seen_ms, 0) / 1000
        messages = min(self.messages + passed_s * MESSAGES_A_S, MESSAGES_MAX)
        size = min(self.size + passed_s * BYTES_A_S, BYTES_MAX)
        share = min(self.share + passed_s * SHARE_A_S, SHARE_A_S)
        is_forgiven = now_ms - self.retry.due_ms > FORGIVEN_MS
        retry = NEVER_TRIED if is_forgiven else self.retry
        return _Budget(messages, size, now_ms, retry, share)

    @property
    def is_whole(self) -> bool:
        """Say whether it is as if nothing had ever been charged."""
        full = self.messages >= MESSAGES_MAX and self.size >= BYTES_MAX
        return full and self.retry == NEVER_TRIED


class Meter:
    """The budgets of all that is heard."""

    def __init__(self) -> None:
        self._known: dict[Who, _Budget] = {}

    def is_cut(self, who: Who, now_ms: int) -> bool:
        """Say whether an identity is cut now."""
        known = self._known.get(who)
        return known is not None and known.retry.attempt > 0 and now_ms < known.retry.due_ms

    def passes(self, who: Who, now_ms: int) -> bool:
        """Say whether something that nobody asked for may pass; counts what does while cut."""
        if not self.is_cut(who, now_ms):
            return True
        known = self._known[who].at(now_ms)
        if who.kind.is_proven or known.share < 1:
            self._known[who] = known
            return False
        self._known[who] = replace(known, share=known.share - 1)
        return True

    def charge(self, who: Who, size: float, now_ms: int, chance: float, weight: float = 1) -> bool:
        """Charge something that led to nothing; say whether a cut begins with it."""
        if self.is_cut(who, now_ms):
            return False
        known = self._budget(who, now_ms)
        left = replace(known, messages=known.messages - weight, size=known.size - size * weight)
        if left.messages >= 0 and left.size >= 0:
            self._known[who] = left
            return False
        # After the cut half of a budget is there: whoever goes on is cut again, for longer.
        retry = left.retry.again(now_ms, CUT, chance)
        self._known[who] = _Budget(MESSAGES_MAX / 2, BYTES_MAX / 2, now_ms, retry)
        return True

    def earn(self, who: Who, size: int, now_ms: int) -> None:
        """Give back for something useful, over whichever way it came."""
        for other in [each for each in self._known if (each.kind, each.name) == _same(who)]:
            known = self._budget(other, now_ms)
            messages = min(known.messages + EARNED, MESSAGES_MAX)
            earned = min(known.size + EARNED * size, BYTES_MAX)
            self._known[other] = replace(known, messages=messages, size=earned)

    def cuts(self, now_ms: int) -> Sequence[Cut]:
        """Give who is cut now."""
        cut = [who for who in self._known if self.is_cut(who, now_ms)]
        return [Cut(who, self._known[who].retry.due_ms) for who in cut]

    def _budget(self, who: Who, now_ms: int) -> _Budget:
        if who not in self._known and len(self._known) >= KNOWN_MAX:
            self._forget(now_ms)
        return self._known.get(who, _Budget(seen_ms=now_ms)).at(now_ms)

    def _forget(self, now_ms: int) -> None:
        """Let go of those who owe nothing; else of whoever was known first."""
        kept = {who: each.at(now_ms) for who, each in self._known.items()}
        self._known = {who: each for who, each in kept.items() if not each.is_whole}
        if len(self._known) >= KNOWN_MAX:
            del self._known[next(iter(self._known))]


def _same(who: Who) -> tuple[Kind, bytes]:
    return who.kind, who.name
