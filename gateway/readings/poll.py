"""A poll: when an instrument is asked, and which telegram is the answer. docs/devices/serial.md.

In: when a question was said, a telegram heard, a time-out seen. Out: when to ask next, and what a
telegram is: the answer, one that nobody can be sure of, or one that nobody asked for. The telegrams
of an instrument have no number, so a late answer looks like the answer to the next question. There
is no next question while an answer can still come, and the first answer after a time-out is thrown
away. Nothing here asks or waits.
"""

from dataclasses import dataclass
from enum import Enum

from gateway.config.serial import SerialSource


class Answer(Enum):
    """What a telegram is to the questions."""

    TAKEN = "taken"
    UNPROVED = "unproved"  # the first after a time-out, or on a line just opened
    LATE = "late"
    UNASKED = "unasked"


@dataclass(slots=True)
class _Open:
    """A question whose answer may still come, and whether its time is over."""

    asked_ms: int
    over: bool = False


@dataclass(slots=True)
class _Rules:
    """What the config says of one source's questions."""

    poll_ms: int
    timeout_ms: int
    late_ms_max: int


class Poll:
    """The questions on one line, since it was opened."""

    def __init__(self, source: SerialSource, now_ms: int) -> None:
        self._rules = _Rules(source.poll_ms, source.timeout_ms, source.late_ms_max)
        self._due_ms = now_ms
        self._open: _Open | None = None
        # Nobody knows what was asked before us, by whoever had the line.
        self._doubtful = True

    @property
    def wait_until_ms(self) -> int:
        """Give when there is something to do: a time-out to see, or a question to ask."""
        rules, question = self._rules, self._open
        if question is None:
            return self._due_ms
        if not question.over:
            return question.asked_ms + rules.timeout_ms
        return max(self._due_ms, question.asked_ms + rules.late_ms_max)

    @property
    def waiting(self) -> bool:
        """Say whether an answer is waited for, in its time."""
        return self._open is not None and not self._open.over

    def asked(self, now_ms: int) -> None:
        """Take note of a question; the next is due in step with this one."""
        self._open = _Open(now_ms)
        self._due_ms = max(self._due_ms + self._rules.poll_ms, now_ms)

    def postponed(self, now_ms: int) -> None:
        """Take note that nothing could be asked now."""
        self._due_ms = now_ms + self._rules.poll_ms

    def heard(self) -> Answer:
        """Say what a telegram is that came now."""
        question, self._open = self._open, None
        if question is None:
            return Answer.UNASKED
        if question.over:
            # No other question is open, so this was the one: the next answer is the next one's.
            self._doubtful = False
            return Answer.LATE
        doubtful, self._doubtful = self._doubtful, False
        return Answer.UNPROVED if doubtful else Answer.TAKEN

    def timed_out(self) -> None:
        """Take note that the answer did not come in its time; it may still come."""
        if self._open is not None:
            self._open.over = True
        self._doubtful = True
