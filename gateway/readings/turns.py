"""Whose turn it is on a Modbus bus, and which of its questions may still be answered.

In: when a unit is to be polled, and what became of each question, with the time. Out: who is asked
next, and on a line without transaction numbers, which question cannot be taken for another. A unit
that fails is asked less and less often, and only when nobody else has to wait for it. Nothing here
asks or waits. Chapter: docs/devices/modbus.md.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.config.modbus import ModbusSource
from gateway.readings.registers import Inquiry
from gateway.readings.writes import Write

# How late an answer may be. Within it none is taken for another, whatever the unit does.
LATE_MS_MAX: Final = 30_000
_DOUBLINGS_MAX: Final = 20
# Enough shapes for every try within that time.
_FOREIGN_MAX: Final = 32
_BITS_MAX: Final = 2  # functions up to this one read bits


class Turn:
    """When one source is to be polled next."""

    __slots__ = ("due_ms", "failures", "source")

    def __init__(self, source: ModbusSource, due_ms: int = 0) -> None:
        self.source, self.due_ms, self.failures = source, due_ms, 0

    @property
    def pause_ms(self) -> int:
        """Give how long a unit that failed so often is left alone."""
        poll_ms = self.source.poll_ms
        doubled = poll_ms << min(max(self.failures - 1, 0), _DOUBLINGS_MAX)
        return min(doubled, max(self.source.backoff_ms_max, poll_ms))

    def answered(self, now_ms: int) -> bool:
        """Plan the next poll of a unit that answered; say whether the bus kept up."""
        self.failures = 0
        self.due_ms += self.source.poll_ms
        kept_up = self.due_ms >= now_ms
        self.due_ms = max(self.due_ms, now_ms)
        return kept_up

    def failed(self, now_ms: int) -> None:
        """Plan the next try of a unit that did not, in step with its polls."""
        self.failures += 1
        poll_ms = self.source.poll_ms
        steps = max(1, (now_ms - self.due_ms + self.pause_ms) // poll_ms)
        self.due_ms += steps * poll_ms


@dataclass(frozen=True, slots=True)
class Choice:
    """Who is asked now, if anybody, and else when to choose again."""

    turn: Turn | None
    wait_ms: int = 0


def choose(turns: Sequence[Turn], now_ms: int) -> Choice:
    """Choose who is asked: of those who answer the longest due; else who failed, if there is time.

    Who failed is asked once nobody else is due within its time-out, or once it has waited for as
    long again as it was left alone.
    """
    sound = min((each for each in turns if not each.failures), key=_due, default=None)
    if sound is not None and sound.due_ms <= now_ms:
        late = [each for each in turns if each.failures and now_ms >= each.due_ms + each.pause_ms]
        return Choice(min((sound, *late), key=_due))
    wait_ms = 1000 if sound is None else sound.due_ms - now_ms
    for each in sorted((each for each in turns if each.failures), key=_due):
        if each.due_ms > now_ms:
            return Choice(None, min(wait_ms, each.due_ms - now_ms))
        if sound is None or now_ms + each.source.timeout_ms <= sound.due_ms:
            return Choice(each)
        wait_ms = min(wait_ms, max(1, each.due_ms + each.pause_ms - now_ms))
        if now_ms >= each.due_ms + each.pause_ms:
            return Choice(each)
    return Choice(None, wait_ms)


def _due(turn: Turn) -> int:
    return turn.due_ms


class Unanswered:
    """The questions to one unit that nobody saw answered, on a line that does not number them.

    A unit answers in the order in which it was asked. So an answer that fits none of the open
    questions, but only the last one, shows that none of the open ones is answered any more.
    """

    __slots__ = ("_open", "doubtful")

    def __init__(self) -> None:
        # Nothing is open, and yet the first answer is not trusted: nobody knows what was before.
        self.doubtful = True
        self._open: dict[tuple[int, int], int] = {}

    def failed(self, inquiry: Inquiry | Write, now_ms: int) -> None:
        """Remember a question whose answer did not come, or came broken."""
        self.doubtful = True
        self._open[inquiry.shape] = now_ms

    def settled(self, inquiry: Inquiry, now_ms: int, refused: bool = False) -> bool:
        """Take note of an answer that fits its question; say whether nothing is open any more.

        A refusal shows only the function: while a question of that function is open, it may be the
        answer to that one, and then this one is open too.
        """
        if refused and any(function == inquiry.function for function, _ in self._open):
            self.failed(inquiry, now_ms)
            return False
        self._open.clear()
        self.doubtful = False
        return True

    def probe(self, own: Sequence[Inquiry], now_ms: int) -> Inquiry | None:
        """Give a question whose answer fits none of the open ones; None while there is none."""
        self._open = {
            shape: asked_ms
            for shape, asked_ms in self._open.items()
            if now_ms - asked_ms <= LATE_MS_MAX
        }
        return next((each for each in _probes(own) if each.shape not in self._open), None)


def _probes(own: Sequence[Inquiry]) -> Iterator[Inquiry]:
    """Give questions that do no harm: a unit's own, their beginnings, and other functions.

    A unit without such registers refuses the last kind, which shows as much as an answer.
    """
    yield from own
    for each in own:
        step = 8 if each.function <= _BITS_MAX else 1
        counts = range(step, each.count, step)
        yield from (Inquiry(each.unit, each.function, each.start, count) for count in counts)
    first, used = own[0], {each.function for each in own}
    for size in range(1, _FOREIGN_MAX):
        for function in (4, 3, 2, 1):
            if function not in used:
                count = 8 * size if function <= _BITS_MAX else size
                yield Inquiry(first.unit, function, 0, count)
