"""A disk with a temper: a store in memory that is full at times, fails, and loses power.

In: jobs, as the store's writer takes them. Out: a future for each, resolved; or PowerCut, when
whoever asked is dead. What SQLite says of a commit is taken as it says it: a commit that returned
is durable, one that did not changed nothing.
"""

import random
from concurrent.futures import Future
from typing import Final, TypeVar

import apsw

from gateway.errors import GatewayError, StoreFull, StoreUnwritable
from gateway.store import database
from gateway.store.writer import Job

T = TypeVar("T")
# What may become of a commit: the power goes before it is durable, or right after; or it fails.
LOST: Final = "lost"
KEPT: Final = "kept"
TORN: Final = "torn"
_TEMPLATE: list[apsw.Connection] = []


class PowerCut(Exception):
    """The process is gone; `is_kept` says whether its last commit was durable before."""

    def __init__(self, is_kept: bool) -> None:
        self.is_kept = is_kept
        super().__init__("the power is cut")


class Desk:
    """The writer, on the spot: a job is one commit; now and then the disk is full."""

    def __init__(self, connection: apsw.Connection, dice: random.Random, failing: float) -> None:
        self._connection, self._dice, self.failing = connection, dice, failing
        self.is_full = False
        self.coming: list[str] = []  # what becomes of the next commits

    def submit(self, job: Job[T]) -> "Future[T]":
        """Do a job in one commit."""
        future: Future[T] = Future()
        comes = self.coming.pop(0) if self.coming else ""
        try:
            with self._connection:
                result = job(self._connection)
                if comes == LOST:
                    raise PowerCut(False)
                if comes == TORN:
                    raise StoreUnwritable(path=database.MEMORY, reason="it is torn")
                if self.is_full or self._dice.random() < self.failing:
                    raise StoreFull(path=database.MEMORY)
        except GatewayError as fault:
            future.set_exception(fault)
        else:
            future.set_result(result)
        if comes == KEPT:
            raise PowerCut(future.exception() is None)
        return future


def empty() -> apsw.Connection:
    """Give an empty store, as a first start makes it."""
    if not _TEMPLATE:
        _TEMPLATE.append(database.connect(database.MEMORY))
    return copy_of(_TEMPLATE[0])


def copy_of(db: apsw.Connection) -> apsw.Connection:
    """Copy a store as it is at this moment."""
    copied = database.opened(database.MEMORY)
    with copied.backup("main", db, "main") as backup:
        while not backup.done:
            backup.step()
    copied.pragma("foreign_keys", "on")
    return copied
