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
from tempfile import mkstemp

from gateway.errors import StateDamaged, StateOpen, StateUnwritable

FILE_BYTES_MAX = 1024 * 1024
DRAFT = "new"  # how the name ends of a file that is not whole yet


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
    try:
        # Under a name of its own: two who write at once leave one of two whole files.
        handle, draft = mkstemp(f".{DRAFT}", f"{path.name}.", path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(draft).rename(path)
        except OSError:
            Path(draft).unlink()
            raise
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
