"""What waits to go to one end of an HTTPS link: bounded, live before backlog, from any thread.

In: parcels, with who said them. Out: as many as one batch may hold, in order. What has no room is
dropped, which costs time and never truth: sync says it again. No single sender can fill it.
"""

import threading
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from typing import Final

from gateway.sync import link
from gateway.sync.link import Parcel

WAITING_BYTES_MAX: Final = 4 * 1024 * 1024
SENDER_BYTES_MAX: Final = 1024 * 1024  # of somebody else's, carried on
# One batch takes about a second: a slow link is never blocked by its own backlog for longer.
BATCH_BYTES_MIN: Final = 16 * 1024
BATCH_BYTES_FIRST: Final = 64 * 1024
_BATCH_S: Final = 1.0

Kept = tuple[Parcel, bytes]


class Flow:
    """How much goes into one batch, by how long the ones before took."""

    def __init__(self) -> None:
        self.bytes_max = BATCH_BYTES_FIRST

    def took(self, size: int, seconds: float) -> None:
        """Note that so many bytes were through after so long."""
        if seconds > _BATCH_S:
            self.bytes_max = max(BATCH_BYTES_MIN, int(size / seconds * _BATCH_S))
        elif 2 * size >= self.bytes_max:
            self.bytes_max = min(2 * self.bytes_max, link.BATCH_BYTES_MAX)


class Waiting:
    """A queue of two ranks."""

    def __init__(self) -> None:
        self._live: deque[Kept] = deque()
        self._backlog: deque[Kept] = deque()
        self._by_sender: Counter[bytes] = Counter()
        self._lock = threading.Lock()
        self.size = 0

    def has_room(self, size_max: int) -> bool:
        """Say whether less than that waits."""
        return self.size < size_max

    def size_of(self, sender: bytes) -> int:
        """Give the bytes that wait of what a sender said."""
        return self._by_sender[sender]

    def put(self, parcel: Parcel, sender: bytes = b"") -> int:
        """Queue a parcel, before backlog if it is none; give how many were dropped for it."""
        with self._lock:
            if sender and self._by_sender[sender] + parcel.size > SENDER_BYTES_MAX:
                return 1
            dropped = 0
            while not parcel.is_backlog and self._backlog and not self._fits(parcel):
                self._forget(self._backlog.pop())
                dropped += 1
            if not self._fits(parcel):
                return dropped + 1
            self._remember((parcel, sender))
            (self._backlog if parcel.is_backlog else self._live).append((parcel, sender))
            return dropped

    def take(self, size_max: int) -> list[Parcel]:
        """Take what goes into the next batch."""
        with self._lock:
            waiting = [each for each, _ in (*self._live, *self._backlog)]
            taken = waiting[: link.take(waiting, size_max)]
            for _ in taken:
                self._forget((self._live or self._backlog).popleft())
            return taken

    def put_back(self, parcels: Sequence[Parcel]) -> int:
        """Queue again, in front, what did not get through; give how many had no room."""
        with self._lock:
            dropped = 0
            for parcel in reversed(parcels):
                if not self._fits(parcel):
                    dropped += 1
                    continue
                self._remember((parcel, b""))
                (self._backlog if parcel.is_backlog else self._live).appendleft((parcel, b""))
            return dropped

    def _fits(self, parcel: Parcel) -> bool:
        return self.size + parcel.size <= WAITING_BYTES_MAX

    def _remember(self, kept: Kept) -> None:
        self.size += kept[0].size
        if kept[1]:
            self._by_sender[kept[1]] += kept[0].size

    def _forget(self, kept: Kept) -> None:
        self.size -= kept[0].size
        if kept[1]:
            self._by_sender[kept[1]] -= kept[0].size
            if not self._by_sender[kept[1]]:
                del self._by_sender[kept[1]]


def total(parcels: Iterable[Parcel]) -> int:
    """Give the bytes of parcels in a batch."""
    return sum(each.size for each in parcels)
