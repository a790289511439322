"""A secret key in a file of its own, for what authenticates with one.

In: a path. Out: 32 bytes, or an error that says what is wrong with the file. A file that anybody
else on this computer could read is refused, for a key that is known proves nothing.
"""

import os
import re
import stat
from pathlib import Path

from gateway.errors import KeyUnusable

_HEX = re.compile(r"[0-9a-fA-F]{64}\n?")
_FILE_BYTES_MAX = 66


def read_key(path: str) -> bytes:
    """Read a key of 64 hexadecimal digits from a file of mode 0600; raise KeyUnusable."""
    try:
        with Path(path).open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(_FILE_BYTES_MAX).decode("ascii", "replace")
    except OSError as fault:
        raise KeyUnusable(path=path, reason=fault.strerror or str(fault)) from fault
    if stat.S_IMODE(mode) & 0o077:
        reason = f"its mode {stat.S_IMODE(mode):04o} lets others read or change it"
        raise KeyUnusable(path=path, reason=reason)
    if not _HEX.fullmatch(text):
        raise KeyUnusable(path=path, reason="it does not hold 64 hexadecimal digits and no more")
    return bytes.fromhex(text.strip())
