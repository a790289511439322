"""The kernel's clocks as a `Moment`: what time it is, how sure that is, and since when we count.

In: nothing. Out: moments. Whether the wall clock is set is the kernel's word (adjtimex); a clock
that stands before this program was written is unset, whoever says otherwise. Protocol chapter 3.
"""

import ctypes
import os
import time
from pathlib import Path

from gateway.records.record import ClockSource, Moment

# A wall clock before this is not set: the first day of the year in which this was written.
_PLAUSIBLE_MS = 1_767_225_600_000
_TIME_ERROR = 5
# A clock that nobody disciplines, but that somebody or a battery has set, may be this wrong.
_BY_HAND_UNCERTAINTY_MS = 60_000


class _Timex(ctypes.Structure):
    """struct timex of adjtimex(2), as far as it is read here, with room for the rest."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror_us", ctypes.c_long),
        ("rest", ctypes.c_byte * 256),
    )


class KernelClock:
    """This computer's clocks."""

    def __init__(self) -> None:
        text = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
        self._boot = bytes.fromhex(text.strip().replace("-", ""))[:8]
        self._adjtimex = getattr(ctypes.CDLL(None, use_errno=True), "adjtimex", None)
        self._judged_ms = -10_000
        self._judgement = (ClockSource.UNSET, 0)

    def now(self) -> Moment:
        """Give the present moment."""
        monotonic_ms = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
        unix_ms = time.time_ns() // 1_000_000
        if monotonic_ms - self._judged_ms >= 1_000:
            self._judgement, self._judged_ms = self._judge(), monotonic_ms
        source, uncertainty_ms = self._judgement
        if unix_ms < _PLAUSIBLE_MS:
            source = ClockSource.UNSET
        if source is ClockSource.UNSET:
            return Moment(0, 0, source, self._boot, monotonic_ms)
        return Moment(unix_ms, uncertainty_ms, source, self._boot, monotonic_ms)

    def _judge(self) -> tuple[ClockSource, int]:
        """Ask the kernel who disciplines the clock, and how wrong it may be."""
        timex = _Timex()
        state = self._adjtimex(ctypes.byref(timex)) if self._adjtimex else _TIME_ERROR
        if state < 0 or state == _TIME_ERROR:
            return ClockSource.BY_HAND, _BY_HAND_UNCERTAINTY_MS
        return ClockSource.NTP, max(1, timex.maxerror_us // 1000)


def random_bytes(count: int) -> bytes:
    """Give bytes that nobody can guess."""
    return os.urandom(count)
