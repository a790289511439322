"""How much work in vain a link may cause: as long as it cost, it then rests. docs/protocol/sync.md.

In: what was spent on what a link brought and led to nothing, the present time. Out: which links are
not listened to now. So whatever comes over one, half the time at least is left for everything else.
"""

from typing import Final

# So much is spent in vain before the link it came from rests, for as long as that took.
WASTE_MS: Final = 50.0
REST_MS_MAX: Final = 2_000.0


class Duty:
    """What links have cost in vain, and which of them rest."""

    def __init__(self) -> None:
        self._spent_ms: dict[str, float] = {}
        self._until_ms: dict[str, float] = {}

    def spent(self, link: str, cost_ms: float, now_ms: int) -> None:
        """Note what was spent in vain on what a link brought."""
        spent_ms = self._spent_ms.get(link, 0.0) + cost_ms
        if spent_ms >= WASTE_MS:
            self._until_ms[link] = now_ms + min(spent_ms, REST_MS_MAX)
            spent_ms = 0.0
        self._spent_ms[link] = spent_ms

    def resting(self, now_ms: int) -> frozenset[str]:
        """Name the links that are not listened to now."""
        return frozenset(link for link, until_ms in self._until_ms.items() if now_ms < until_ms)

    def due_ms(self, now_ms: int) -> int | None:
        """Say when the next link may be listened to again; None while all are."""
        ends = [until_ms for until_ms in self._until_ms.values() if now_ms < until_ms]
        return int(min(ends)) + 1 if ends else None
