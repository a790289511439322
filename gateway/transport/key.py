"""A key in a file of its own, for what authenticates or signs with one.

In: a path. Out: 32 bytes, or an error that says what is wrong with the file. A secret that anybody
else on this computer could read is refused, for a key that is known proves nothing; and so is a
public key that anybody else could replace.
"""

import os
import re
import stat
from pathlib import Path

from gateway.errors import KeyUnusable, PublicKeyUnusable

_HEX = re.compile(r"[0-9a-fA-F]{64}\n?")
_FILE_BYTES_MAX = 66


def read_key(path: str) -> bytes:
    """Read a key of 64 hexadecimal digits from a file of mode 0600; raise KeyUnusable."""
    try:
        return _read(path, 0o077, "lets others read or change it")
    except ValueError as fault:
        raise KeyUnusable(path=path, reason=fault) from fault


def read_public_key(source: str, path: str) -> bytes:
    """Read a public key that only its owner can change; raise PublicKeyUnusable."""
    try:
        return _read(path, 0o022, "lets others change it")
    except ValueError as fault:
        raise PublicKeyUnusable(source=source, reason=f"{path}: {fault}") from fault


def _read(path: str, forbidden: int, why: str) -> bytes:
    """Read 64 hexadecimal digits; raise ValueError with what a person can do something about."""
    try:
        with Path(path).open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            text = file.read(_FILE_BYTES_MAX).decode("ascii", "replace")
    except OSError as fault:
        raise ValueError(fault.strerror or str(fault)) from fault
    if mode & forbidden:
        raise ValueError(f"its mode {mode:04o} {why}")
    if not _HEX.fullmatch(text):
        raise ValueError("it does not hold 64 hexadecimal digits and no more")
    return bytes.fromhex(text.strip())
