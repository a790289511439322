"""How devices and metrics are named: what a name may be, and how SenML writes it. Chapter 6.

In: a name as a machine or the config gives it, or a SenML name. Out: the other. A name is 1 to 128
bytes of printable text, so that no terminal, page or log can be led astray by one. SenML allows
few letters, and wants a letter or digit first; other bytes are written as ":" and two hex digits.
"""

from functools import lru_cache
from typing import Final

NAME_BYTES_MAX: Final = 128
URN: Final = "urn:dev:hulian:"

_KEPT: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")


@lru_cache(maxsize=8192)
def is_name(name: str) -> bool:
    """Say whether a device or metric may be called so."""
    return name.isprintable() and 0 < len(name.encode(errors="replace")) <= NAME_BYTES_MAX


@lru_cache(maxsize=8192)
def escape(name: str) -> str:
    """Write a device's name with the letters that SenML allows, one to one."""
    kept = (chr(byte) if byte in _KEPT else f":{byte:02X}" for byte in name.encode())
    return "".join(kept)


@lru_cache(maxsize=8192)
def escape_metric(metric: str) -> str:
    """Write a metric's name so; its first letter too where it is neither letter nor digit."""
    if metric[:1] in ("-", ".", "_"):
        return f":{ord(metric[0]):02X}{escape(metric[1:])}"
    return escape(metric)


@lru_cache(maxsize=8192)
def prefix(device: str) -> str:
    """Give the SenML base name of a device."""
    return f"{URN}{escape(device)}/"


@lru_cache(maxsize=8192)
def split(full: str) -> tuple[str, str] | None:
    """Read device and metric from a full SenML name; None where we would not have written it."""
    before, slash, after = full.partition("/")
    device, metric = _unescape(before.removeprefix(URN)), _unescape(after)
    if not slash or not is_name(device) or not is_name(metric):
        return None
    return (device, metric) if prefix(device) + escape_metric(metric) == full else None


def _unescape(escaped: str) -> str:
    """Read what `escape` wrote; some text that `escape` does not write for all else."""
    try:
        head, *rest = escaped.encode("ascii").split(b":")
        return (head + b"".join(bytes.fromhex(p[:2].decode()) + p[2:] for p in rest)).decode()
    except ValueError:
        return ""
