"""What is asked of one peer: bounded in bytes, repeated, given up at last. docs/protocol/sync.md.

In: what is lacking, what has come, the present time, chance. Out: the WANTs to be said. Feeds take
turns: one whose credit is used up goes behind those that wait. What is given up is asked for again
when the peer next says that it holds it, so nothing that cannot be had stands in anybody's way.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from gateway.records.record import BODY_BYTES_MAX, RECORD_BYTES_MAX
from gateway.sync.message import Want
from gateway.sync.retry import NEVER_TRIED, Pace, Retry

RECORD_WITH_BODY_MAX: Final = RECORD_BYTES_MAX + BODY_BYTES_MAX
CREDIT_MAX: Final = 512 * 1024
CREDIT_TOTAL_MAX: Final = 2 * 1024 * 1024
WAITING_MAX: Final = 4096
ATTEMPTS_MAX: Final = 4
PATIENCE: Final = Pace(2_000, 30_000)
# After a gap: what is missing may only be late.
LATE_MS: Final = 300


@dataclass(frozen=True, slots=True)
class Asked:
    """Records [start, stop) of a feed that are asked for, and the bytes that may still come."""

    group: bytes
    want: Want
    granted: int = 0
    retry: Retry = NEVER_TRIED


class Asking:
    """What one peer is asked for."""

    __slots__ = ("_open", "_waiting")

    def __init__(self) -> None:
        self._open: dict[bytes, Asked] = {}
        self._waiting: dict[bytes, Asked] = {}

    def asks(self, feed: bytes) -> bool:
        """Say whether a feed is asked for, or waits to be."""
        return feed in self._open or feed in self._waiting

    def asks_now(self, feed: bytes) -> bool:
        """Say whether an answer is being waited for that was not missed yet."""
        asked = self._open.get(feed)
        return asked is not None and asked.retry.attempt <= 1

    def want(self, group: bytes, feed: bytes, start: int, stop: int) -> None:
        """Ask for records when there is room; what is asked for already is asked for further."""
        where = self._open if feed in self._open else self._waiting
        known = where.get(feed)
        if known is not None:
            stop = max(stop, known.want.stop)
            where[feed] = replace(known, want=replace(known.want, stop=stop))
        elif len(self._waiting) < WAITING_MAX:
            self._waiting[feed] = Asked(group, Want(feed, start, stop, 1))

    def came(self, feed: bytes, size: int, came_bytes: int, now_ms: int) -> None:
        """Note that a feed is now held up to a size, by so many bytes."""
        if feed in self._waiting and self._waiting[feed].want.stop <= size:
            del self._waiting[feed]
        asked = self._open.get(feed)
        if asked is None or size <= asked.want.start:
            return
        del self._open[feed]
        left = asked.granted - came_bytes
        moved = replace(asked, want=replace(asked.want, start=size), granted=left)
        if size >= asked.want.stop:
            return
        if left > 0:
            self._open[feed] = replace(moved, retry=Retry(now_ms + PATIENCE.first_ms, 1))
        else:
            self._waiting[feed] = replace(moved, granted=0, retry=NEVER_TRIED)

    def missed(self, feed: bytes, now_ms: int) -> None:
        """Note that records came with a gap before them: ask again soon."""
        asked = self._open.get(feed)
        if asked is not None:
            due_ms = min(asked.retry.due_ms, now_ms + LATE_MS)
            self._open[feed] = replace(asked, retry=replace(asked.retry, due_ms=due_ms))

    def give_up(self, feed: bytes) -> None:
        """Ask no more for a feed, until the peer offers it again."""
        self._open.pop(feed, None)
        self._waiting.pop(feed, None)

    def hurry(self) -> None:
        """Ask again at once: the way to the peer was gone, and is back."""
        self._open = {feed: replace(each, retry=NEVER_TRIED) for feed, each in self._open.items()}

    def due_ms(self) -> int | None:
        """Say when something is next to be asked; None for never."""
        if self._waiting and self._room() > 0:
            return 0
        return min((each.retry.due_ms for each in self._open.values()), default=None)

    def take(self, now_ms: int, chance: float) -> Sequence[tuple[bytes, Want]]:
        """Give what is to be asked now, each with its group."""
        said = []
        for feed, asked in list(self._open.items()):
            if asked.retry.due_ms <= now_ms:
                del self._open[feed]
                if asked.retry.attempt < ATTEMPTS_MAX:
                    said.append(self._say(asked, now_ms, chance))
        while self._waiting and self._room() > 0:
            feed = next(iter(self._waiting))
            said.append(self._say(self._waiting.pop(feed), now_ms, chance))
        return said

    def _room(self) -> int:
        return CREDIT_TOTAL_MAX - sum(each.granted for each in self._open.values())

    def _say(self, asked: Asked, now_ms: int, chance: float) -> tuple[bytes, Want]:
        most = (asked.want.stop - asked.want.start) * RECORD_WITH_BODY_MAX
        credit = min(most, CREDIT_MAX)
        want = replace(asked.want, credit=credit)
        retry = asked.retry.again(now_ms, PATIENCE, chance)
        self._open[want.feed] = Asked(asked.group, want, credit, retry)
        return asked.group, want
