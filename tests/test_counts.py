"""Counts that one thread shows while others count."""

import threading
from collections import Counter

from gateway.company import together


def test_counts_are_added_up_while_another_thread_counts_what_is_new() -> None:
    """Every code that comes for the first time makes a counter grow under whoever looks at it."""
    counts, is_over = Counter[str](), threading.Event()

    def count() -> None:
        while not is_over.is_set():
            for number in range(3_000):
                counts[f"code {number}"] += 1
            counts.clear()

    thread = threading.Thread(target=count)
    thread.start()
    try:
        for _ in range(500):
            assert sum(together(counts, counts).values()) >= 0
    finally:
        is_over.set()
        thread.join()
    assert together(Counter(a=1), Counter(a=2, b=1)) == {"a": 3, "b": 1}
    assert together(Counter(none=0)) == {}
