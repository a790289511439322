"""When to try again: exponential back-off with jitter. Time and chance are arguments.

In: now, and a number drawn from [0, 1). Out: when it is due. Protocol: docs/protocol/sync.md.
"""

from dataclasses import dataclass

_ATTEMPT_MAX = 16


@dataclass(frozen=True, slots=True)
class Pace:
    """How long to wait at first, and at most."""

    first_ms: int
    longest_ms: int


@dataclass(frozen=True, slots=True)
class Retry:
    """How often something was tried in vain, and when it is due again."""

    due_ms: int = 0
    attempt: int = 0

    def again(self, now_ms: int, pace: Pace, chance: float) -> "Retry":
        """Give what follows an attempt: twice the wait, a quarter more or less."""
        wait_ms = min(pace.first_ms << self.attempt, pace.longest_ms)
        due_ms = now_ms + int(wait_ms * (0.75 + chance / 2))
        return Retry(due_ms, min(self.attempt + 1, _ATTEMPT_MAX))


NEVER_TRIED = Retry()
