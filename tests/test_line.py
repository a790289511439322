"""What a sample becomes: a value, a unit, a time and how sure it is."""

from dataclasses import replace

import pytest

from gateway.readings.frame import AGE_MS_MAX, Sample
from gateway.readings.line import to_reading
from gateway.readings.reading import Arrival, Quality
from tests.vectors.build_frame import ROWS, WARM


@pytest.mark.parametrize(
    ("sample", "value"),
    [
        (Sample(0, 0, 0, -7, 0), -7),
        (Sample(0, 0, 3, 5, 0), 5000),
        (Sample(0, 0, -1, 215, 0), 21.5),
        (Sample(0, 0, -3, 100, 0), 0.1),
        (Sample(0, 0, -128, 1, 0), 1e-128),
        (Sample(0, 0, 127, 1, 0), 1e127),
        (Sample(0, 0, 0, (1 << 63) - 1, 0), (1 << 63) - 1),
        (Sample(0, 0, 1, (1 << 63) - 1, 0), float((1 << 63) - 1) * 10),
    ],
    ids=str,
)
def test_a_number_is_the_nearest_that_can_be_said(sample: Sample, value: float) -> None:
    """An integer stays one while 64 bits hold it; else it is the nearest double."""
    said = to_reading(sample, ROWS, "mcu-7", Arrival(1_790_000_000_000, 5))
    assert (said.value, type(said.value)) == (value, type(value))


def test_times_that_cannot_be_known_make_a_reading_uncertain() -> None:
    """Older than an age can say, or before our boot with an unset clock: uncertain, never wrong."""
    unset, known = Arrival(None, 1000), Arrival(1_790_000_000_000, 1000)
    young, old = replace(WARM, age_ms=400), replace(WARM, age_ms=1400)
    told = [
        to_reading(sample, ROWS, "mcu-7", arrival)
        for sample, arrival in (
            *((young, known), (young, unset), (old, unset)),
            (replace(WARM, age_ms=AGE_MS_MAX), known),
        )
    ]
    assert [(it.time_ms, it.monotonic_ms, it.quality) for it in told] == [
        (1_789_999_999_600, None, Quality.GOOD),
        (None, 600, Quality.GOOD),
        (None, 0, Quality.UNCERTAIN),
        (1_790_000_000_000 - AGE_MS_MAX, None, Quality.UNCERTAIN),
    ]
