"""What is asked of one peer: bounded in bytes, repeated, given up at last. docs/protocol/sync.md.

In: what is lacking, what has come, the present time, chance. Out: the WANTs to be said. Feeds take
turns: one whose credit is used up, or that is not answered, goes behind those that wait. What is
given up is asked for again when the peer next says that it holds it. What was only heard of, and
may be nowhere, waits apart and has half of the credit, so it stands in nobody's way.
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
# What the peer did not itself offer in a session: it must leave room for what it did.
CREDIT_HEARD_MAX: Final = CREDIT_TOTAL_MAX // 2
WAITING_MAX: Final = 4096
HEARD_MAX: Final = 1024
ATTEMPTS_MAX: Final = 4
PATIENCE: Final = Pace(2_000, 30_000)
# After a gap: what is missing may only be late.
LATE_MS: Final = 300


@dataclass(frozen=True, slots=True)
class Asked:
    """Records [start, stop) of a feed that are asked for, and the bytes that may still come.

    Up to `shown` the peer itself signed that it holds them.
    """

    group: bytes
    want: Want
    granted: int = 0
    retry: Retry = NEVER_TRIED
    offered: bool = True
    shown: int = 0


class Asking:
    """What one peer is asked for."""

    __slots__ = ("_heard", "_open", "_waiting")

    def __init__(self) -> None:
        self._open: dict[bytes, Asked] = {}
        self._waiting: dict[bytes, Asked] = {}
        self._heard: dict[bytes, Asked] = {}

    def asks(self, feed: bytes) -> bool:
        """Say whether a feed is asked for, or waits to be."""
        return feed in self._open or feed in self._waiting or feed in self._heard

    def asks_now(self, feed: bytes) -> bool:
        """Say whether an answer is being waited for that was not missed yet."""
        asked = self._open.get(feed)
        return asked is not None and asked.retry.attempt <= 1

    def shown(self, group: bytes, feed: bytes) -> int:
        """Say up to where the peer signed that it holds a feed of a group; 0 if it is not asked."""
        known = self._known(feed)
        return known.shown if known is not None and known.group == group else 0

    def offered(self, group: bytes, feed: bytes, start: int, stop: int) -> None:
        """Ask, when there is room, for what the peer says in a session that it holds."""
        known = self._known(feed)
        if known is not None and not known.offered:  # Its word counts more than what was heard.
            self.give_up(feed)
            known = None
        self._want(Asked(group, Want(feed, start, stop, 1), shown=stop), known)

    def heard_of(self, group: bytes, feed: bytes, start: int, stop: int) -> None:
        """Ask for what the peer may hold, though it did not say so in a session."""
        known = self._known(feed)
        if known is None or known.group == group:
            self._want(Asked(group, Want(feed, start, stop, 1), offered=False), known)

    def came(self, feed: bytes, size: int, came_bytes: int, now_ms: int) -> None:
        """Note that a feed is now held up to a size, by so many bytes."""
        known = self._known(feed)
        if known is None or size <= known.want.start:
            return
        where = self._place(feed)
        left = known.granted - came_bytes
        moved = replace(known, want=replace(known.want, start=size), granted=left)
        if size >= known.want.stop:
            del where[feed]
        elif where is not self._open:
            where[feed] = replace(moved, granted=0, retry=NEVER_TRIED)
        elif left > 0:
            where[feed] = replace(moved, retry=Retry(now_ms + PATIENCE.first_ms, 1))
        else:
            self._step_back(replace(moved, retry=NEVER_TRIED))

    def missed(self, feed: bytes, now_ms: int) -> None:
        """Note that records came with a gap before them: ask again soon."""
        asked = self._open.get(feed)
        if asked is not None:
            due_ms = min(asked.retry.due_ms, now_ms + LATE_MS)
            self._open[feed] = replace(asked, retry=replace(asked.retry, due_ms=due_ms))

    def give_up(self, feed: bytes) -> None:
        """Ask no more for a feed, until the peer offers it again."""
        for where in (self._open, self._waiting, self._heard):
            where.pop(feed, None)

    def hurry(self) -> None:
        """Ask again at once: the way to the peer was gone, and is back."""
        self._open = {feed: replace(each, retry=NEVER_TRIED) for feed, each in self._open.items()}

    def due_ms(self) -> int | None:
        """Say when something is next to be asked; None for never."""
        if self._next() is not None:
            return 0
        return min((each.retry.due_ms for each in self._open.values()), default=None)

    def take(self, now_ms: int, chance: float) -> Sequence[tuple[bytes, Want]]:
        """Give what is to be asked now, each with its group."""
        for asked in list(self._open.values()):
            if asked.retry.due_ms <= now_ms:
                if asked.retry.attempt < ATTEMPTS_MAX:
                    self._step_back(asked)
                else:
                    del self._open[asked.want.feed]
        said = []
        while (following := self._next()) is not None:
            self.give_up(following.want.feed)
            said.append(self._say(following, now_ms, chance))
        return said

    def _known(self, feed: bytes) -> Asked | None:
        return self._place(feed).get(feed)

    def _place(self, feed: bytes) -> dict[bytes, Asked]:
        places = (self._open, self._waiting, self._heard)
        return next((where for where in places if feed in where), self._open)

    def _queue(self, asked: Asked) -> dict[bytes, Asked]:
        return self._waiting if asked.offered else self._heard

    def _want(self, asked: Asked, known: Asked | None) -> None:
        """Have it wait its turn; what is asked for already is asked for further."""
        feed, stop = asked.want.feed, asked.want.stop
        queue, most = self._queue(asked), WAITING_MAX if asked.offered else HEARD_MAX
        if known is not None:
            want = replace(known.want, stop=max(stop, known.want.stop))
            shown = max(known.shown, asked.shown if asked.group == known.group else 0)
            self._place(feed)[feed] = replace(known, want=want, shown=shown)
        elif len(queue) < most:
            queue[feed] = asked

    def _step_back(self, asked: Asked) -> None:
        """Put what is open behind all that waits."""
        del self._open[asked.want.feed]
        self._queue(asked)[asked.want.feed] = replace(asked, granted=0)

    def _next(self) -> Asked | None:
        """Give what comes first of that for which there is room."""
        granted = sum(each.granted for each in self._open.values())
        if granted >= CREDIT_TOTAL_MAX:
            return None
        if self._waiting:
            return next(iter(self._waiting.values()))
        heard = sum(each.granted for each in self._open.values() if not each.offered)
        if self._heard and heard < CREDIT_HEARD_MAX:
            return next(iter(self._heard.values()))
        return None

    def _say(self, asked: Asked, now_ms: int, chance: float) -> tuple[bytes, Want]:
        most = (asked.want.stop - asked.want.start) * RECORD_WITH_BODY_MAX
        credit = min(most, CREDIT_MAX)
        want = replace(asked.want, credit=credit)
        retry = asked.retry.again(now_ms, PATIENCE, chance)
        self._open[want.feed] = replace(asked, want=want, granted=credit, retry=retry)
        return asked.group, want
