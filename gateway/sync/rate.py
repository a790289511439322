"""How fast a peer really gives what it is asked for, and what follows: how much is asked at once.

In: when something is being waited for, what came of it, the present time. Out: how many bytes may
be under way to us, so that over a slow link they are some seconds' worth and a fast one is kept
busy; records a second lately, and how long the rest takes at that rate. docs/protocol/sync.md.
"""

from dataclasses import dataclass, replace
from math import exp
from typing import Final

# Under way while nothing is known, and the least later: a second's worth at 64 kbit/s.
WINDOW_MIN: Final = 8 * 1024
CREDIT_MIN: Final = 2 * 1024
CREDIT_MAX: Final = 512 * 1024
# Where there is room for more, a WANT is not for less than this: each costs a signature.
CREDIT_WORTH_IT: Final = 64 * 1024
# Among so many feeds what may be under way is shared: one that is nowhere then holds up no other.
SHARES: Final = 4
CREDIT_TOTAL_MAX: Final = 2 * 1024 * 1024
# So much of what comes in a second may be under way.
UNDER_WAY_MS: Final = 4_000
RECORD_BYTES_GUESS: Final = 1_024
SAMPLE_MS: Final = 1_000
FIRST_SAMPLE_MS: Final = 250
DRAIN_MS_MAX: Final = 30_000
# What "lately" means, and after how long of nothing there is no estimate.
LATELY_MS: Final = 30_000
STALLED_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class Rate:
    """Bytes a second, of what is asked, over the time in which something was waited for."""

    bytes_s: float = 0.0  # 0 while it is not known
    record_bytes: float = RECORD_BYTES_GUESS
    since_ms: int | None = None  # None: nothing is waited for
    waited_ms: int = 0
    came_bytes: int = 0

    @property
    def window(self) -> int:
        """Give how many bytes may be under way at once; at first twice as many as came."""
        wanted = int(self.bytes_s * UNDER_WAY_MS / 1000) if self.bytes_s else 2 * self.came_bytes
        return min(max(wanted, WINDOW_MIN), CREDIT_TOTAL_MAX)

    def credit(self, room_bytes: int, waiting: int) -> int:
        """Give how many bytes one WANT is for, where so many feeds wait for what there is room."""
        least = min(max(self.window // SHARES, CREDIT_MIN), CREDIT_WORTH_IT)
        share = self.window // min(max(waiting, 1), SHARES)
        return max(min(room_bytes, share, CREDIT_MAX), least)

    def drain_ms(self, under_way_bytes: int) -> int:
        """Say how long what is under way takes to come, if the rate is known."""
        if not self.bytes_s:
            return 0
        return min(int(under_way_bytes * 1000 / self.bytes_s), DRAIN_MS_MAX)

    def expected(self, count: int) -> int:
        """Say how many bytes so many records are likely to have."""
        return int(count * self.record_bytes)

    def began(self, now_ms: int) -> "Rate":
        """Note that something is waited for."""
        return self if self.since_ms is not None else replace(self, since_ms=now_ms)

    def rested(self, now_ms: int) -> "Rate":
        """Note that nothing is waited for any more: that time says nothing about the rate."""
        if self.since_ms is None:
            return self
        return replace(self, since_ms=None, waited_ms=self.waited_ms + now_ms - self.since_ms)

    def anew(self) -> "Rate":
        """Begin anew: it may be another way, or slower now; records have the size that they had."""
        return Rate(record_bytes=self.record_bytes)

    def came(self, came_bytes: int, count: int, now_ms: int) -> "Rate":
        """Note that so many bytes of so many records came."""
        since_ms = now_ms if self.since_ms is None else self.since_ms
        waited_ms = self.waited_ms + now_ms - since_ms
        each = self.record_bytes + (came_bytes / max(count, 1) - self.record_bytes) / 8
        total = self.came_bytes + came_bytes
        if waited_ms < (SAMPLE_MS if self.bytes_s else FIRST_SAMPLE_MS):
            return Rate(self.bytes_s, each, now_ms, waited_ms, total)
        seen = total * 1000 / waited_ms
        return Rate((self.bytes_s + seen) / 2 if self.bytes_s else seen, each, now_ms)


@dataclass(frozen=True, slots=True)
class Lately:
    """Records a second over the last half minute; what is longer ago counts ever less."""

    weight: float = 0.0
    began_ms: int = 0
    came_ms: int | None = None

    def came(self, count: int, now_ms: int) -> "Lately":
        """Note that so many records came."""
        if self.is_stalled(now_ms):
            return Lately(count, now_ms, now_ms)
        return Lately(self._faded(now_ms) + count, self.began_ms, now_ms)

    def is_stalled(self, now_ms: int) -> bool:
        """Say whether nothing has come for so long that nothing is to be estimated."""
        return self.is_still(now_ms, STALLED_MS + 1)

    def is_still(self, now_ms: int, wait_ms: int) -> bool:
        """Say whether nothing has come for so long."""
        return self.came_ms is None or now_ms - self.came_ms >= wait_ms

    def per_s(self, now_ms: int) -> float:
        """Give records a second lately; 0 where none came."""
        if self.is_stalled(now_ms):
            return 0.0
        # What it would weigh had one a second come since the beginning.
        whole_s = LATELY_MS / 1000 * (1 - exp(-max(now_ms - self.began_ms, 1_000) / LATELY_MS))
        return self._faded(now_ms) / whole_s

    def eta_s(self, lacking: int, now_ms: int) -> int | None:
        """Say how many seconds so many records take at this rate; None while nothing moves."""
        rate = self.per_s(now_ms)
        return None if rate <= 0 else round(lacking / rate)

    def _faded(self, now_ms: int) -> float:
        return self.weight * exp(-(now_ms - (self.came_ms or 0)) / LATELY_MS)
