"""What one more update of an activity costs after a thousand of them, and after a hundred thousand.

Both activities have the same parties and template and every merge in it, and are folded in full.
Then updates come to both, in turn, as they come from a member that knows all there is: each is
added and the state it comes to is read. Late ones are timed beside: of a member that was away
while the last hundred were said. Everything is in memory: nothing is signed or stored.
"""

import statistics
import time
from collections.abc import Callable
from hashlib import sha256

from gateway.activities.activity import Update
from gateway.activities.fold import Fold
from gateway.activities.state import Entry
from tests.activity_histories import History, named, new

FEW, MANY = 1_000, 100_000
TIMES = 2
_ROUNDS, _ROUNDS_LATE = 400, 40
_LATE = 100
_SAYERS = ("ace", "bolt", "coil")


class Activity:
    """One activity, how many entries it has, and its last ones."""

    def __init__(self, size: int) -> None:
        self._history = History("benchmark", {"ordered": 1 << 40})
        self.fold: Fold = new(self._history)
        self._written = 0
        self._ids = [self._history.opened.id]
        self.fold.add(self._next() for _ in range(size))
        assert self.fold.state.count == size + 1
        assert not self.fold.state.rejected

    def one_more_us(self) -> float:
        """Add an update that sorts last, and read the state."""
        return self._us(self._next())

    def late_us(self) -> float:
        """Add one of somebody who had not heard the last hundred, and read the state."""
        return self._us(self._entry(self._ids[-_LATE]))

    def _us(self, entry: Entry) -> float:
        before, began = self.fold.state.count, time.perf_counter()
        self.fold.add([entry])
        count = self.fold.state.count
        took = (time.perf_counter() - began) * 1e6
        assert count == before + 1
        return took

    def _next(self) -> Entry:
        entry = self._entry(self._ids[-1])
        self._ids.append(entry.id)
        return entry

    def _entry(self, after: bytes) -> Entry:
        self._written += 1
        number = self._written
        who = _SAYERS[number % 3]
        said: Update = (
            Update({"ordered": (1 << 40) + number}),
            Update({"made": number, "lot": f"lot {number}"}),
            Update({"note": f"note {number}", "lot": f"lot {number}"}),
        )[number % 3]
        noted = self._ids[-3:] if number % 3 == 2 else []
        id = sha256(f"update {number}".encode()).digest()
        deps = tuple(sorted({after, *noted}))
        return Entry(id, named(f"{who}.1"), named(who), said, deps, None, (), number)


def run() -> list[str]:
    """Fold both, then time both in turn."""
    few, many = Activity(FEW), Activity(MANY)
    grown = _in_turn(few.one_more_us, many.one_more_us, _ROUNDS)
    late = _in_turn(few.late_us, many.late_us, _ROUNDS_LATE)
    began = time.perf_counter()
    whole = Activity(FEW)
    per = (time.perf_counter() - began) * 1e6 / FEW
    assert whole.fold.state.count == FEW + 1
    return [
        _told("one more update", *grown, f" ({TIMES} promised)"),
        _told(f"one that comes {_LATE} late", *late, ""),
        f"folded in full: {per:.0f} µs an update",
        "bound: Python's judging of one entry, and a path of each tree that it changes",
    ]


def _in_turn(
    one: Callable[[], float], other: Callable[[], float], rounds: int
) -> tuple[float, float]:
    """Time two things in turn; give the median of each."""
    pairs = [(one(), other()) for _ in range(rounds)]
    return statistics.median(first for first, _ in pairs), statistics.median(
        second for _, second in pairs
    )


def _told(name: str, few_us: float, many_us: float, promised: str) -> str:
    return (
        f"{name}: {few_us:.0f} µs after {FEW:,}, {many_us:.0f} µs after {MANY:,}:"
        f" ratio {many_us / few_us:.2f}{promised}"
    )
