"""Signatures of many records checked at once, on two cores where there are two.

In: records as they came, which one run must have signed. Out: the records in their order, up to the
first that is wrong, whose fault is raised in its place. Most of the time of catching up goes into
signatures, and checking one keeps no other thread from running. docs/protocol/sync.md.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from gateway.errors import AuthorError
from gateway.records import record
from gateway.records.record import Record
from gateway.sync.message import Carried

# Fewer are checked sooner than a second thread is woken.
SHARED_MIN: Final = 8
_BESIDE: Final = ThreadPoolExecutor(max_workers=1, thread_name_prefix="verifying")


def verified(carried: Sequence[Carried], run_key: bytes) -> Iterator[Record]:
    """Give records, each verified as that run's; raise an AuthorError at the first that is not."""
    half = len(carried) // 2 if len(carried) >= SHARED_MIN else len(carried)
    beside = _BESIDE.submit(_checked, carried[half:], run_key) if half < len(carried) else None
    for each in _checked(carried[:half], run_key):
        yield _right(each)
    for each in beside.result() if beside else ():
        yield _right(each)


def _checked(carried: Sequence[Carried], run_key: bytes) -> list[Record | AuthorError]:
    """Check one after another until one is wrong."""
    checked: list[Record | AuthorError] = []
    for each in carried:
        try:
            checked.append(record.decode(each.record, run_key))
        except AuthorError as fault:
            checked.append(fault)
            break
    return checked


def _right(checked: Record | AuthorError) -> Record:
    if isinstance(checked, AuthorError):
        raise checked
    return checked
