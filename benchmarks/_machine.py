"""Which machine it is: no figure means anything without it."""

import os
import platform
import statistics
import tempfile
import time
from pathlib import Path

_FSYNCS = 200


def described() -> str:
    """Name processor, cores, kernel and Python, and time the disk's fsync."""
    parts = [
        _processor(),
        f"{os.cpu_count()} cores",
        f"{platform.system()} {platform.release()}",
        f"{platform.python_implementation()} {platform.python_version()}",
        f"4 KiB write and fsync {fsync_ms():.2f} ms (median of {_FSYNCS})",
    ]
    return ", ".join(parts)


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def fsync_ms() -> float:
    """Time the smallest durable append where temporary files are, as the store's commits do it."""
    took: list[float] = []
    with tempfile.TemporaryFile() as file:
        for _ in range(_FSYNCS):
            started = time.perf_counter()
            file.write(bytes(4096))
            file.flush()
            os.fdatasync(file.fileno())
            took.append((time.perf_counter() - started) * 1000)
    return statistics.median(took)


def resident_mib(process: int) -> float:
    """Give the memory that a process really holds, in MiB."""
    status = Path(f"/proc/{process}/status").read_text("utf-8")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024
