"""The one SQLite file: opened, brought to its schema, and given out as connections.

Durability is here and nowhere else: WAL with synchronous=FULL, so a commit that returned has been
fsynced. What SQLite raises leaves as the operator's errors.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import resources
from pathlib import Path

import apsw
from apsw import Connection as Connection, Error as Error

from gateway.errors import (
    StateOpen,
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreNewer,
    StoreUnwritable,
)

MEMORY = ":memory:"
# A checkpoint writes a page once for many commits; 4,000 pages of 4 KiB bound the WAL to 16 MiB.
_WAL_PAGES_MAX = 4000
_BUSY_MS_MAX = 10_000
_NEW = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
# Kept prepared: all that one process asks, with room.
_STATEMENTS = 256


def connect(path: str) -> apsw.Connection:
    """Open the store, making or upgrading it; raise an OperatorError if it cannot be used."""
    if path != MEMORY:
        _keep_private(path)
    with explained(path):
        connection = opened(path)
        connection.pragma("journal_mode", "wal")
        connection.pragma("synchronous", "full")
        connection.pragma("foreign_keys", "on")
        connection.pragma("wal_autocheckpoint", _WAL_PAGES_MAX)
        _upgrade(connection, path)
    return connection


def connect_to_read(path: str) -> apsw.Connection:
    """Open an existing store for questions only; raise an OperatorError if it cannot be read."""
    with explained(path):
        connection = opened(path, apsw.SQLITE_OPEN_READWRITE)
        connection.pragma("query_only", "on")
        found = connection.pragma("user_version")
        if found != len(_schema()):
            raise StoreNewer(path=path, found=found, known=len(_schema()))
    return connection


def opened(path: str, flags: int = _NEW) -> apsw.Connection:
    """Open a file as every connection is; raise apsw.Error.

    A statement is planned once, and not anew for each value that is bound to it: else SQLite looks
    each time whether the value fits an index of part of a table. Where such an index is wanted, its
    condition is written out in the statement.
    """
    connection = apsw.Connection(path, flags=flags, statementcachesize=_STATEMENTS)
    connection.set_busy_timeout(_BUSY_MS_MAX)
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    return connection


def _keep_private(path: str) -> None:
    """Make the file readable by its owner alone before anything is in it; raise StateOpen.

    It holds the keys of others' records, so one that others could read is no secret any more.
    """
    with suppress(OSError):  # SQLite says what is wrong with a file that cannot be made.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        mode = stat.S_IMODE(Path(path).stat().st_mode)
        if mode & 0o077:
            raise StateOpen(path=path, mode=f"{mode:04o}")


@contextmanager
def explained(path: str) -> Iterator[None]:
    """Turn what SQLite raises into errors that say what to do."""
    try:
        yield
    except apsw.Error as fault:
        raise named(fault, path) from fault


def named(fault: apsw.Error, path: str) -> StoreError:
    """Give the operator's error for what SQLite raised."""
    match _first(fault):
        case apsw.FullError():
            return StoreFull(path=path)
        case apsw.CorruptError() | apsw.NotADBError() as first:
            return StoreDamaged(path=path, reason=first)
        case first:
            return StoreUnwritable(path=path, reason=f"{type(first).__name__}: {first}")


def _first(fault: BaseException) -> BaseException:
    """Give what failed first: it ends the transaction, and then the savepoints in it fail too."""
    while isinstance(fault.__context__, apsw.Error):
        fault = fault.__context__
    return fault


def _schema() -> list[str]:
    """Give the numbered schema files, in order; file n brings version n - 1 to n."""
    folder = resources.files("gateway.store").joinpath("schema")
    files = sorted((entry.name, entry) for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [entry.read_text(encoding="utf-8") for _, entry in files]


def _upgrade(connection: apsw.Connection, path: str) -> None:
    steps = _schema()
    found = connection.pragma("user_version")
    assert isinstance(found, int)
    if found > len(steps):
        raise StoreNewer(path=path, found=found, known=len(steps))
    for number in range(found, len(steps)):
        with connection:  # one transaction: an upgrade killed half-way leaves the old version
            connection.execute(steps[number])
            connection.pragma("user_version", number + 1)
