"""Files of the state directory: whole or not there at all, and their owner's alone.

In: a path and its bytes. Out: the bytes again. It never reads a file that others may read too, and
never leaves half of one under its name.
"""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.errors import StateDamaged, StateOpen, StateUnwritable

FILE_BYTES_MAX = 1024 * 1024


def make(path: Path) -> None:
    """Make a folder that only its owner may enter; raise StateUnwritable."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as fault:
        raise StateUnwritable(path=path, reason=fault.strerror) from fault


def read_own(path: Path) -> bytes:
    """Read what only its owner may read; raise StateOpen where others may too, or StateDamaged."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as fault:
        raise StateDamaged(path=path, reason=fault.strerror) from fault
    if mode & 0o077:
        raise StateOpen(path=path, mode=f"{mode:04o}")
    return read(path)


def read(path: Path) -> bytes:
    """Read a file that is no secret; raise StateDamaged or StateUnwritable."""
    try:
        with path.open("rb") as file:
            return file.read(FILE_BYTES_MAX)
    except PermissionError as fault:
        raise StateUnwritable(path=path, reason=fault.strerror) from fault
    except OSError as fault:
        raise StateDamaged(path=path, reason=fault.strerror) from fault


def keep(path: Path, content: bytes) -> None:
    """Write a file that is whole and durable under its name, or not there: 0600."""
    draft = path.with_name(path.name + ".new")
    try:
        draft.unlink(missing_ok=True)  # so that the new file has its mode from the first byte
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as fault:
        raise StateUnwritable(path=path, reason=fault.strerror) from fault


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Be the only one who changes a folder for as long as this lasts; wait for one's turn."""
    try:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as fault:
        raise StateUnwritable(path=path, reason=fault.strerror) from fault
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
