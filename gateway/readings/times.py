"""When a machine says it was: text and numbers to Unix milliseconds. Protocol: mapping.md.

In: what a payload has for a time. Out: milliseconds since 1970, None of a clock that was never set,
or ValueError with the reason. It knows no zone but the one it is given, and no "now".
"""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from gateway.errors import BadTime
from gateway.readings.reading import Arrival

# SenML reads smaller times as relative to now (RFC 8428, 4.5.3), and no machine of today was
# running in June 1978: such a clock was never set.
TIME_MS_MIN: Final = 2**28 * 1000
TIME_MS_MAX: Final = 253_402_300_799_999  # The end of the year 9999.

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_DIGITS: Final = re.compile(r"[0-9]{9,20}")
_OFFSET: Final = re.compile(r"([+-])([0-9]{2}):([0-9]{2})")
# Milliseconds in a unit, as a fraction.
_UNITS: Final = {"s": (1000, 1), "ms": (1, 1), "us": (1, 1000), "ns": (1, 1_000_000)}
# Below 1e11 seconds (the year 5138), above 1e11 milliseconds (1973), and so on.
_AUTO: Final = ((10**11, "s"), (10**14, "ms"), (10**17, "us"), (10**20, "ns"))


def zone(said: str | None) -> timezone | None:
    """Read the config's time_zone: Z, or an offset such as +08:00."""
    if said is None or (offset := _OFFSET.fullmatch(said)) is None:
        return UTC if said else None
    minutes = int(offset[2]) * 60 + int(offset[3])
    return timezone(timedelta(minutes=-minutes if offset[1] == "-" else minutes))


def unix_ms(said: object, unit: str, assumed: timezone | None) -> int | None:
    """Read a time; None where its clock was never set; ValueError says why it is none."""
    if isinstance(said, str):
        number = _DIGITS.fullmatch(said)
        time_ms = _from_number(int(said), unit) if number else _from_text(said, assumed)
    elif isinstance(said, int | float) and not isinstance(said, bool):
        time_ms = _from_number(said, unit)
    else:
        raise ValueError("it is neither a text nor a number")
    if time_ms > TIME_MS_MAX:
        raise ValueError("it is beyond the year 9999")
    return time_ms if time_ms >= TIME_MS_MIN else None


def of_senml(seconds: int | float | None, arrival: Arrival) -> tuple[int | None, int | None]:
    """Give Unix and monotonic ms of a SenML time; from 2^28 s on it is absolute, else from now.

    Where now is not known by the clock of the wall, it is known by the monotonic one; and a time
    before the start of that one is not known at all.
    """
    if seconds is not None and seconds * 1000 >= TIME_MS_MIN:
        time_ms = round(seconds * 1000) if abs(seconds) < 1e12 else TIME_MS_MAX + 1
        if time_ms > TIME_MS_MAX:
            raise BadTime(reason="it is beyond the year 9999")
        return time_ms, None
    since = round((seconds or 0) * 1000) if abs(seconds or 0) < 1e12 else -TIME_MS_MAX
    if arrival.unix_ms is None:
        monotonic_ms = arrival.monotonic_ms + since
        return None, (monotonic_ms if monotonic_ms >= 0 else None)
    if not TIME_MS_MIN <= arrival.unix_ms + since <= TIME_MS_MAX:
        raise BadTime(reason="it is before July 1978, or beyond the year 9999")
    return arrival.unix_ms + since, None


def _from_number(said: int | float, unit: str) -> int:
    if abs(said) >= _AUTO[-1][0] or said != said:
        raise ValueError("no time is a number of this size")
    if unit == "auto":
        unit = next(name for bound, name in _AUTO if abs(said) < bound)
    times, by = _UNITS[unit]
    if isinstance(said, int):
        return (2 * said * times + by) // (2 * by)
    return round(said * times / by)


def _from_text(said: str, assumed: timezone | None) -> int:
    try:
        moment = datetime.fromisoformat(said.strip())
        if moment.tzinfo is None:
            if assumed is None:
                raise ValueError("it does not say its zone, and the source has no 'time_zone'")
            moment = moment.replace(tzinfo=assumed)
        return ((moment - _EPOCH) // _MICROSECOND + 500) // 1000
    except OverflowError:
        raise ValueError("it is beyond the years 1 to 9999") from None
