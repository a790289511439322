"""Virtual time: what is to happen, in order, and nobody waits for it."""

import heapq
from collections.abc import Callable
from itertools import count


class Clock:
    """Monotonic milliseconds that pass only when the next event is due."""

    def __init__(self) -> None:
        self.now_ms = 0
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._order = count()

    def at(self, due_ms: int, event: Callable[[], None]) -> None:
        """Have something happen then, or now if that is past."""
        heapq.heappush(self._events, (max(due_ms, self.now_ms), next(self._order), event))

    def after(self, wait_ms: float, event: Callable[[], None]) -> None:
        """Have something happen later."""
        self.at(self.now_ms + int(wait_ms), event)

    def run(self, until_ms: int) -> None:
        """Let everything happen that is due until then."""
        while self._events and self._events[0][0] <= until_ms:
            self.now_ms, _, event = heapq.heappop(self._events)
            event()
        self.now_ms = max(self.now_ms, until_ms)
