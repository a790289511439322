"""The one writer: group commit. What arrived while the last fsync ran is committed next, together.

In: jobs, functions of a connection. Out: a future for each, resolved after the fsync of the commit
that holds the job's changes, or failed with nothing of that job changed. A job that fails disturbs
no other in its commit; a commit that fails, fails all of its jobs.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import TypeVar

import apsw

from gateway.errors import GatewayError, StoreClosed
from gateway.store.database import explained

T = TypeVar("T")
Job = Callable[[apsw.Connection], T]
Queued = tuple[Job[object], "Future[object]"]


class Writer:
    """A thread that owns the writing connection. Submit from anywhere; close drains."""

    def __init__(self, connection: apsw.Connection, path: str) -> None:
        self._connection, self._path = connection, path
        self._jobs: list[Queued] = []
        self._wake = threading.Condition()
        self._closing = False
        self.commits = 0
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def submit(self, job: Job[T]) -> "Future[T]":
        """Queue a job for the next commit; raise StoreClosed after close."""
        future: Future[T] = Future()
        with self._wake:
            if self._closing:
                raise StoreClosed
            self._jobs.append((job, future))  # type: ignore[arg-type]
            self._wake.notify()
        return future

    def close(self) -> None:
        """Commit what was submitted, then end the thread and close the connection."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        jobs: list[Queued] = []
        try:
            while jobs := self._take():
                self._commit(jobs)
        finally:  # Only a defect of ours leaves jobs here: nobody may wait for them for ever.
            with self._wake:
                self._closing = True
                jobs += self._jobs
            for _, future in jobs:
                future.cancel()

    def _take(self) -> "list[Queued]":
        with self._wake:
            while not self._jobs and not self._closing:
                self._wake.wait()
            jobs, self._jobs = self._jobs, []
            return jobs

    def _commit(self, jobs: "list[Queued]") -> None:
        settled: list[Callable[[], None]] = []
        try:
            with explained(self._path):
                self._connection.execute("BEGIN IMMEDIATE")
                for job, future in jobs:
                    settled.append(_attempt(self._connection, job, future))
                self._connection.execute("COMMIT")
                self.commits += 1
        except GatewayError as fault:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            for _, future in jobs:
                future.set_exception(fault)
            return
        for settle in settled:
            settle()


def _attempt(
    connection: apsw.Connection, job: Job[object], future: "Future[object]"
) -> Callable[[], None]:
    """Do one job in a savepoint; give what is to be told once the commit is durable."""
    try:
        with connection:  # Inside a transaction this is a savepoint.
            result = job(connection)
    except GatewayError as fault:
        return partial(future.set_exception, fault)
    return partial(future.set_result, result)
