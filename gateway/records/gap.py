"""What a gap record says: readings that there were and that nobody will get. docs/protocol/gap.md.

In: a gap as a source knows it, or the content of a body from anywhere. Out: the one as the other.
It never guesses: what is not known of a gap is not in it.
"""

from gateway.errors import MalformedCbor, MalformedGap
from gateway.readings.names import is_name
from gateway.readings.reading import Gap, GapReason, Numbers
from gateway.records import cbor
from gateway.records.record import FIXED_BODY_BYTES_MAX

METRICS_MAX = 256
_BOOT_BYTES = 8
_NUMBER_MAX = (1 << 63) - 1
_TIME_MS_MAX = 253_402_300_799_999  # the end of the year 9999


def encode(gap: Gap) -> bytes:
    """Write the content of a gap record's body."""
    numbers = gap.numbers
    return cbor.encode(
        {
            0: gap.device,
            1: list(gap.metrics),
            2: int(gap.reason),
            3: gap.count,
            4: None if numbers is None else [numbers.boot, numbers.start, numbers.stop],
            5: _known(gap.after_ms),
            6: _known(gap.before_ms),
        }
    )


def decode(content: bytes) -> Gap:
    """Read the content of a gap record's body; raise MalformedGap."""
    try:
        said = cbor.decode(content, FIXED_BODY_BYTES_MAX)
    except MalformedCbor as fault:
        raise MalformedGap(reason=fault) from None
    match said:
        case {
            0: str() as device,
            1: list() as metrics,
            2: int() as reason,
            3: int() as count,
            4: numbers,
            5: after_ms,
            6: before_ms,
            **more,
        } if not more:
            if type(reason) is not int or reason not in tuple(GapReason):
                raise MalformedGap(reason="an unknown reason")
            if not is_name(device) or not 1 <= _number(count) <= _NUMBER_MAX:
                raise MalformedGap(reason="no device that can be named so, or a count below 1")
            times = _time(after_ms), _time(before_ms)
            return Gap(
                device, _names(metrics), GapReason(reason), count, _numbers(numbers, count), *times
            )
    raise MalformedGap(reason="fields are missing, unknown, or of the wrong type")


def _names(metrics: list[object]) -> tuple[str, ...]:
    names = tuple(each for each in metrics if isinstance(each, str) and is_name(each))
    if (
        not 0 < len(metrics) <= METRICS_MAX
        or list(names) != metrics
        or metrics != sorted(set(names))
    ):
        raise MalformedGap(reason="metrics are none, too many, not named so, repeated or unsorted")
    return names


def _numbers(numbers: object, count: int) -> Numbers | None:
    match numbers:
        case None:
            return None
        case [bytes() as boot, int() as start, int() as stop] if len(boot) == _BOOT_BYTES:
            if 0 <= _number(start) < _number(stop) <= _NUMBER_MAX and stop - start == count:
                return Numbers(boot, start, stop)
    raise MalformedGap(reason="its numbers are no range of one boot, or not as many as it counts")


def _time(value: object) -> int | None:
    if value is None or (isinstance(value, int) and 0 < _number(value) <= _TIME_MS_MAX):
        return value
    raise MalformedGap(reason="a time is not Unix milliseconds")


def _known(time_ms: int | None) -> int | None:
    """Leave out a time that no reader would take: nothing is lost for its wall time (I4)."""
    return time_ms if time_ms is not None and 0 < time_ms <= _TIME_MS_MAX else None


def _number(value: int) -> int:
    """Give an integer that is no bool, which CBOR tells apart from it; else one out of bounds."""
    return value if type(value) is int else -1
