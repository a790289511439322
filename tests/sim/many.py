"""Many seeded worlds, each lived through in one of two processes.

In: what lives through a world, and seeds. Out: what each came to, as it comes. The first world that
fails ends it: raises AssertionError with its text, which names the seed.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from multiprocessing import get_context
from typing import TypeVar

_PROCESSES = 2
T = TypeVar("T")


def lived(live: Callable[[int], T], seeds: Iterable[int], chunk: int = 4) -> Iterator[T]:
    """Live through the worlds of these seeds."""
    with get_context("spawn").Pool(_PROCESSES) as pool:
        for figures in pool.imap_unordered(partial(_attempt, live), seeds, chunksize=chunk):
            if isinstance(figures, _Failed):
                raise AssertionError(figures.text)
            yield figures


class _Failed:
    """A world that failed: its text names the seed; the fault itself may not travel."""

    def __init__(self, text: str) -> None:
        self.text = text


def _attempt(live: Callable[[int], T], seed: int) -> T | _Failed:
    try:
        return live(seed)
    except AssertionError as fault:
        return _Failed(str(fault))
