"""A shelf: what a source heard and nobody will say again, until a commit holds it.

In: readings and what could not be read. Out: batches for the intake, one at a time. What cannot be
stored now is tried again, in its order; beyond a bound the oldest is dropped, and counted. What
waits when the source ends is handed over once more.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Final

from gateway.errors import GatewayError, StoreClosed
from gateway.readings.reading import Batch, Reading, Unreadable
from gateway.sources.intake import Intake

# Hours of ten metrics a second apart.
_READINGS_MAX: Final = 100_000
_BATCH_MAX: Final = 10_000
_UNREADABLE_MAX: Final = 64
_RETRY_S: Final = 1.0

Told = Callable[[GatewayError | None], None]


class Shelf:
    """What waits for its commit; `told` hears of each commit, and why one failed."""

    def __init__(self, intake: Intake, commit_ms: int, counts: Counter[str], told: Told) -> None:
        self._intake, self._commit_ms = intake, commit_ms
        self._counts, self._told = counts, told
        self._readings: deque[Reading] = deque()
        self._unreadable: list[Unreadable] = []
        self._some = asyncio.Event()

    def put(self, readings: Iterable[Reading]) -> None:
        """Keep readings until they are committed; the oldest go where they are too many."""
        self._readings.extend(readings)
        while len(self._readings) > _READINGS_MAX:
            self._readings.popleft()
            self._counts["dropped"] += 1
        self._some.set()

    def put_unreadable(self, one: Unreadable) -> bool:
        """Keep what could not be read, or count that there was too much at once; say which."""
        if len(self._unreadable) >= _UNREADABLE_MAX:
            self._counts["unreadable_dropped"] += 1
            return False
        self._unreadable.append(one)
        self._some.set()
        return True

    async def run(self) -> None:
        """Commit one batch after another, until cancelled; then hand over the rest."""
        try:
            while True:
                await self._some.wait()
                await asyncio.sleep(self._commit_ms / 1000)
                await self._clear()
        finally:
            while self._readings or self._unreadable:
                try:
                    self._intake.submit(self._batch())
                except StoreClosed:
                    break

    async def _clear(self) -> None:
        self._some.clear()
        batch = self._batch()
        fault = await self._intake.commit(batch)
        if fault is None:
            self._counts["stored"] += len(batch.readings)
            self._counts["quarantined"] += len(batch.unreadable)
            self._told(None)
            return
        self._put_back(batch)
        self._told(fault)
        await asyncio.sleep(_RETRY_S)

    def _put_back(self, batch: Batch) -> None:
        self._readings.extendleft(reversed(batch.readings))
        self._unreadable[:0] = batch.unreadable
        self._some.set()

    def _batch(self) -> Batch:
        """Take what is waiting, at most so much of it."""
        count = min(len(self._readings), _BATCH_MAX)
        readings = tuple(self._readings.popleft() for _ in range(count))
        unreadable, self._unreadable = tuple(self._unreadable), []
        if self._readings:
            self._some.set()
        return Batch(readings, unreadable)
