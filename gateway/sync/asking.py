"""What is asked of one peer: bounded in bytes, repeated, given up at last. docs/protocol/sync.md.

In: what is lacking, what has come, the present time, chance. Out: the WANTs to be said. Feeds take
turns: one whose credit is used up, or that is not answered, goes behind those that wait. What is
given up waits in a slow queue and is asked for once more now and then, or when the peer next says
that it holds it. What was only heard of, and may be nowhere, waits apart and has half of the
credit, so it stands in nobody's way. How much is under way follows the rate at which it comes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from gateway.records.record import CARRIED_BODY_BYTES_MAX, RECORD_BYTES_MAX
from gateway.sync.message import Want
from gateway.sync.rate import CREDIT_TOTAL_MAX, UNDER_WAY_MS, Lately, Rate
from gateway.sync.retry import NEVER_TRIED, Pace, Retry

RECORD_WITH_BODY_MAX: Final = RECORD_BYTES_MAX + CARRIED_BODY_BYTES_MAX
# What the peer did not itself offer in a session: it must leave room for what it did.
CREDIT_HEARD_MAX: Final = CREDIT_TOTAL_MAX // 2
WAITING_MAX: Final = 4096
HEARD_MAX: Final = 1024
ATTEMPTS_MAX: Final = 4
PATIENCE: Final = Pace(2_000, 30_000)
# After a gap: what is missing may only be late.
LATE_MS: Final = 300
# When so much is under way and nothing comes, it is waited for once more: a message in it may
# take as long at 64 kbit/s.
MUCH_BYTES: Final = 32 * 1024
SLOWED_MS: Final = 8_000
# What was given up: how much of it is kept, how often some of it is asked for again, once.
SLOW_MAX: Final = 1024
SLOW_HEARD_MAX: Final = 256
SLOW_AT_ONCE: Final = 64
SLOW: Final = Pace(300_000, 300_000)


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

    __slots__ = ("_heard", "_open", "_slow", "_slow_turn", "_waiting", "lately", "rate")

    def __init__(self) -> None:
        self._open: dict[bytes, Asked] = {}
        self._waiting: dict[bytes, Asked] = {}
        self._heard: dict[bytes, Asked] = {}
        self._slow: dict[bytes, Asked] = {}
        self._slow_turn: Retry | None = None  # None while nothing is slow
        self.rate, self.lately = Rate(), Lately()

    def asks(self, feed: bytes) -> bool:
        """Say whether a feed is asked for, or waits to be."""
        return self._known(feed) is not None

    @property
    def is_open(self) -> bool:
        """Say whether an answer is being waited for."""
        return bool(self._open)

    def asks_now(self, feed: bytes) -> bool:
        """Say whether an answer is being waited for that was not missed yet."""
        asked = self._open.get(feed)
        return asked is not None and asked.retry.attempt <= 1

    def awaits(self, feed: bytes) -> bool:
        """Say whether a WANT for a feed was said and may still be answered."""
        return feed in self._open

    def asks_again(self, feed: bytes) -> bool:
        """Say whether what a feed is asked for was asked for in vain before."""
        asked = self._open.get(feed)
        return asked is not None and asked.retry.attempt > 1

    def shown(self, group: bytes, feed: bytes) -> int:
        """Say up to where the peer signed that it holds a feed of a group; 0 if it is not asked."""
        known = self._known(feed)
        return known.shown if known is not None and known.group == group else 0

    def offered(self, group: bytes, feed: bytes, start: int, stop: int) -> bool:
        """Ask, when there is room, for what the peer says in a session that it holds.

        Says whether that is new: a feed that is asked for no further than before is not.
        """
        known = self._known(feed)
        if known is not None and not known.offered:  # Its word counts more than what was heard.
            self.give_up(feed)
            known = None
        return self._want(Asked(group, Want(feed, start, stop, 1), shown=stop), known)

    def heard_of(self, group: bytes, feed: bytes, start: int, stop: int) -> bool:
        """Ask for what the peer may hold, though it did not say so in a session; as `offered`."""
        known = self._known(feed)
        if known is not None and known.group != group:
            return False
        return self._want(Asked(group, Want(feed, start, stop, 1), offered=False), known)

    def came(self, feed: bytes, size: int, came_bytes: int, now_ms: int) -> None:
        """Note that a feed is now held up to a size, by so many bytes."""
        known = self._known(feed)
        if known is None or size <= known.want.start:
            return
        count, where = size - known.want.start, self._place(feed)
        self.lately = self.lately.came(count, now_ms)
        if self._open:
            self.rate = self.rate.came(came_bytes, count, now_ms)
        left = known.granted - came_bytes
        moved = replace(known, want=replace(known.want, start=size), granted=left)
        if size >= known.want.stop:
            del where[feed]
        elif where is not self._open:
            del where[feed]
            self._queue(moved)[feed] = replace(moved, granted=0, retry=NEVER_TRIED)
        elif left > 0:
            due_ms = now_ms + PATIENCE.first_ms + self.rate.drain_ms(self._expected())
            where[feed] = replace(moved, retry=Retry(due_ms, 1))
        else:
            self._step_back(replace(moved, retry=NEVER_TRIED))
        drain_ms = self.rate.drain_ms(self._expected())
        if drain_ms > 2 * UNDER_WAY_MS:  # Slower than when it was asked for: it is on its way.
            self._wait_until(now_ms + PATIENCE.first_ms + drain_ms)
        self._settle(now_ms)

    def missed(self, feed: bytes, now_ms: int) -> bool:
        """Note that records came with a gap before them: ask again soon; False if none waits."""
        asked = self._open.get(feed)
        if asked is not None:
            due_ms = min(asked.retry.due_ms, now_ms + LATE_MS)
            self._open[feed] = replace(asked, retry=replace(asked.retry, due_ms=due_ms))
        return asked is not None

    def give_up(self, feed: bytes) -> None:
        """Ask no more for a feed, until the peer offers it again."""
        for where in self._places():
            where.pop(feed, None)

    def hurry(self) -> None:
        """Ask again at once: the way to the peer was gone, and is back, or is another."""
        self.rate = self.rate.anew()
        self._open = {feed: replace(each, retry=NEVER_TRIED) for feed, each in self._open.items()}

    def due_ms(self) -> int | None:
        """Say when something is next to be asked; None for never."""
        if self._next() is not None:
            return 0
        due = [each.retry.due_ms for each in self._open.values()]
        if self._slow and self._slow_turn is not None:
            due.append(self._slow_turn.due_ms)
        return min(due, default=None)

    def take(self, now_ms: int, chance: float) -> Sequence[tuple[bytes, Want]]:
        """Give what is to be asked now, each with its group."""
        self._bear_with_it(now_ms)
        for asked in list(self._open.values()):
            if asked.retry.due_ms <= now_ms:
                if asked.retry.attempt < ATTEMPTS_MAX:
                    self._step_back(asked)
                else:
                    self._slow_down(asked)
        self._turn_slow(now_ms, chance)
        said = []
        while (following := self._next()) is not None:
            self.give_up(following.want.feed)
            said.append(self._say(following, now_ms, chance))
        self._settle(now_ms)
        return said

    def _bear_with_it(self, now_ms: int) -> None:
        """Wait once more, where much is under way and all of a sudden nothing comes.

        The line may have become slow. What is asked for again then would only come twice.
        """
        missed = any(0 < each.retry.due_ms <= now_ms for each in self._open.values())
        if missed and self.rate.bytes_s and self.lately.is_still(now_ms, PATIENCE.first_ms):
            much = self._expected() > MUCH_BYTES
            self.rate = self.rate.anew()
            if much:
                self._wait_until(now_ms + SLOWED_MS)

    def _wait_until(self, due_ms: int) -> None:
        for feed, each in self._open.items():
            retry = replace(each.retry, due_ms=max(each.retry.due_ms, due_ms))
            self._open[feed] = replace(each, retry=retry)

    def _places(self) -> tuple[dict[bytes, Asked], ...]:
        return self._open, self._waiting, self._heard, self._slow

    def _known(self, feed: bytes) -> Asked | None:
        return self._place(feed).get(feed)

    def _place(self, feed: bytes) -> dict[bytes, Asked]:
        return next((where for where in self._places() if feed in where), self._open)

    def _queue(self, asked: Asked) -> dict[bytes, Asked]:
        return self._waiting if asked.offered else self._heard

    def _want(self, asked: Asked, known: Asked | None) -> bool:
        """Have it wait its turn; what is asked for already is asked for further."""
        feed, stop = asked.want.feed, asked.want.stop
        queue, most = self._queue(asked), WAITING_MAX if asked.offered else HEARD_MAX
        if known is not None:
            # A commit may have failed of what had come: then it is asked for from before that.
            start = min(asked.want.start, known.want.start)
            want = replace(known.want, start=start, stop=max(stop, known.want.stop))
            shown = max(known.shown, asked.shown if asked.group == known.group else 0)
            further = replace(known, want=want, shown=shown)
            place = self._place(feed)
            if place is self._slow:  # It is said to be there: a fresh attempt.
                del place[feed]
                place, further = self._queue(further), replace(further, retry=NEVER_TRIED)
            place[feed] = further
            return want.stop > known.want.stop
        if len(queue) < most:
            queue[feed] = asked
            return True
        return False

    def _step_back(self, asked: Asked) -> None:
        """Put what is open behind all that waits."""
        del self._open[asked.want.feed]
        self._queue(asked)[asked.want.feed] = replace(asked, granted=0)

    def _slow_down(self, asked: Asked) -> None:
        """Keep what was not answered for later; where there is no room the oldest is let go of."""
        del self._open[asked.want.feed]
        alike = [feed for feed, each in self._slow.items() if each.offered == asked.offered]
        if len(alike) >= (SLOW_MAX if asked.offered else SLOW_HEARD_MAX):
            del self._slow[alike[0]]
        self._slow[asked.want.feed] = replace(asked, granted=0)

    def _turn_slow(self, now_ms: int, chance: float) -> None:
        """Have some of what was given up wait for one more attempt, the longest given up first."""
        if not self._slow:
            self._slow_turn = None
        elif self._slow_turn is None:
            self._slow_turn = NEVER_TRIED.again(now_ms, SLOW, chance)
        elif self._slow_turn.due_ms <= now_ms:
            self._slow_turn = NEVER_TRIED.again(now_ms, SLOW, chance)
            for feed in list(self._slow)[:SLOW_AT_ONCE]:
                asked = self._slow.pop(feed)
                self._queue(asked)[feed] = replace(asked, retry=Retry(0, ATTEMPTS_MAX - 1))

    def _expected(self, offered_only: bool = False) -> int:
        """Say how many bytes are likely to be under way."""
        every = (each for each in self._open.values() if each.offered or not offered_only)
        return sum(min(each.granted, self._likely(each)) for each in every)

    def _likely(self, asked: Asked) -> int:
        return self.rate.expected(asked.want.stop - asked.want.start)

    def _next(self) -> Asked | None:
        """Give what comes first of that for which there is room."""
        if sum(each.granted for each in self._open.values()) >= CREDIT_TOTAL_MAX:
            return None
        if self._waiting and self._expected(offered_only=True) < self.rate.window:
            return next(iter(self._waiting.values()))
        if self._heard and not self._waiting and self._room_for_heard() > 0:
            return next(iter(self._heard.values()))
        return None

    def _room_for_heard(self) -> int:
        """Say how much may be granted to what was only heard of."""
        heard = sum(each.granted for each in self._open.values() if not each.offered)
        return min(CREDIT_HEARD_MAX, self.rate.window // 2) - heard

    def _say(self, asked: Asked, now_ms: int, chance: float) -> tuple[bytes, Want]:
        most = (asked.want.stop - asked.want.start) * RECORD_WITH_BODY_MAX
        under_way = self._expected()
        room = self.rate.window - under_way if asked.offered else self._room_for_heard()
        waiting = len(self._queue(asked)) + 1
        credit = min(most, self.rate.credit(room, waiting))
        want = replace(asked.want, credit=credit)
        drain_ms = self.rate.drain_ms(under_way + min(credit, self._likely(asked)))
        pace = Pace(PATIENCE.first_ms + drain_ms, PATIENCE.longest_ms + drain_ms)
        retry = asked.retry.again(now_ms, pace, chance)
        self._open[want.feed] = replace(asked, want=want, granted=credit, retry=retry)
        return asked.group, want

    def _settle(self, now_ms: int) -> None:
        """Let only the time count in which something is waited for."""
        self.rate = self.rate.began(now_ms) if self._open else self.rate.rested(now_ms)
