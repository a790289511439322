"""What links heard and the exchange has not yet taken: bounded, and in turns.

In: arrivals of a link, of one sender where it is known. Out: portions in which every sender has its
share, or no for what has no room. It never drops: whoever is told no offers again. Any thread may
use it.
"""

import threading
from collections import deque
from collections.abc import Sequence
from typing import Final

from gateway.peers.wire import Arrived

LINK_BYTES_MAX: Final = 4 * 1024 * 1024
SENDER_BYTES_MAX: Final = 1024 * 1024
# What one sender has at a time, before the next has its turn.
TURN_BYTES: Final = 64 * 1024

Whose = tuple[str, bytes | None]


class Inbox:
    """The arrivals of all links."""

    def __init__(self) -> None:
        self._queues: dict[Whose, deque[Arrived]] = {}
        self._sizes: dict[Whose, int] = {}
        self._refused: set[str] = set()
        self._lock = threading.Lock()

    def __bool__(self) -> bool:
        return bool(self._queues)

    def put(self, link: str, arrivals: Sequence[Arrived]) -> bool:
        """Take arrivals of one sender; False if its place, or its link's, is full already."""
        with self._lock:
            return self._put(link, arrivals)

    def waits(self, without: frozenset[str] = frozenset()) -> bool:
        """Say whether anything is there of other links than these."""
        with self._lock:
            return self._first(without) is not None

    def take(self, bytes_max: int, without: frozenset[str] = frozenset()) -> list[Arrived]:
        """Take a portion of about so many bytes, of other links than these; senders have turns."""
        with self._lock:
            return self._take(bytes_max, without)

    def resumed(self, without: frozenset[str] = frozenset()) -> frozenset[str]:
        """Name the links that were told no; once, after there is room again.

        Of these links nothing is taken now, so there is none: they are named later.
        """
        with self._lock:
            resumed = frozenset(self._refused - without)
            self._refused -= resumed
            return resumed

    def _put(self, link: str, arrivals: Sequence[Arrived]) -> bool:
        sender = arrivals[0].sender if arrivals else None
        own = self._sizes.get((link, sender), 0)
        whole = sum(size for (name, _), size in self._sizes.items() if name == link)
        size = sum(len(each.topic) + len(each.payload) for each in arrivals)
        most = LINK_BYTES_MAX if sender is None else SENDER_BYTES_MAX
        if (own and own + size > most) or (whole and whole + size > LINK_BYTES_MAX):
            self._refused.add(link)
            return False
        if arrivals:
            self._queues.setdefault((link, sender), deque()).extend(arrivals)
            self._sizes[link, sender] = own + size
        return True

    def _first(self, without: frozenset[str]) -> Whose | None:
        return next((each for each in self._queues if each[0] not in without), None)

    def _take(self, bytes_max: int, without: frozenset[str]) -> list[Arrived]:
        taken: list[Arrived] = []
        while bytes_max > 0 and (whose := self._first(without)) is not None:
            queue = self._queues.pop(whose)
            turn_bytes = 0
            while queue and turn_bytes < TURN_BYTES:
                taken.append(queue.popleft())
                turn_bytes += len(taken[-1].topic) + len(taken[-1].payload)
            self._sizes[whose] -= turn_bytes
            bytes_max -= turn_bytes
            if queue:
                self._queues[whose] = queue
            else:
                del self._sizes[whose]
        return taken
