"""Last values said once more as bad: which, how often, and never as anything else."""

import asyncio
from itertools import pairwise
from pathlib import Path
from typing import Final

from hypothesis import given, strategies as st
from msgspec import structs

from gateway.readings import senml
from gateway.readings.reading import Arrival, Provenance, Quality, Reading
from gateway.readings.repeats import EACH_MS_MIN, Repeat, Repeats
from gateway.readings.sparkplug_edge import Edge
from gateway.readings.sparkplug_payload import decode
from gateway.store import devices
from gateway.store.database import connect_to_read
from tests.modbus_slave import Slave
from tests.on_a_bus import hearing, unit
from tests.on_a_line import until
from tests.station import Station, now

NAMES: Final = ("a", "b", "c")
_METRICS: Final = st.lists(st.sampled_from(NAMES), min_size=1, unique=True)
# After so many ms: so many metrics were read, good or bad, or missed, by silence or otherwise.
_STEPS: Final = st.lists(
    st.tuples(st.integers(0, 1500), _METRICS, st.sampled_from(("good", "bad", "missed", "silent")))
)


def _read(metric: str, value: int, at_ms: int, quality: Quality = Quality.GOOD) -> Reading:
    return Reading("press-1", metric, value, "Cel", at_ms, None, quality)


def _missed(repeats: Repeats, at_ms: int, once: bool = False) -> tuple[Reading, ...]:
    return repeats.missed(NAMES, Arrival(at_ms, at_ms), once)


@given(_STEPS)
def test_a_reader_sees_when_a_value_holds_no_more(
    steps: list[tuple[int, list[str], str]],
) -> None:
    """Repeats are bad, of the last value, and a second apart; who missed a value sees one."""
    repeats, now_ms = Repeats(), 0
    told: dict[str, list[Reading]] = {name: [] for name in NAMES}
    for number, (pause_ms, metrics, event) in enumerate(steps):
        now_ms += pause_ms
        if event in ("good", "bad"):
            came = [_read(each, number, now_ms, Quality(event)) for each in metrics]
            repeats.came(came)
            for each in came:
                told[each.metric].append(each)
            continue
        had = {name: list(told[name]) for name in NAMES}
        for each in repeats.missed(metrics, Arrival(now_ms, now_ms), event == "silent"):
            told[each.metric].append(each)
        for name in metrics:
            _holds(had[name], told[name], now_ms, event)


def _holds(had: list[Reading], told: list[Reading], now_ms: int, event: str) -> None:
    """See that what is told of a metric that was missed now is right, given what was before."""
    repeated = [each for each in had if isinstance(each, Repeat)]
    is_known = any(each.quality is Quality.GOOD for each in had)
    is_soon = bool(repeated) and now_ms - (repeated[-1].time_ms or 0) < EACH_MS_MIN
    stands = event == "silent" and bool(had) and isinstance(had[-1], Repeat)
    new = told[len(had) :]
    if not is_known or is_soon or stands:
        assert not new
        return
    last = had[-1]
    assert new == [
        Repeat(last.device, last.metric, last.value, "Cel", now_ms, quality=Quality.BAD),
    ]


def test_silence_is_told_once_and_bad_answers_each_second() -> None:
    """Ten seconds of silence are one repeat; ten seconds of bad answers are ten."""
    repeats = Repeats()
    repeats.came([_read("a", 7, 0)])
    silent = [each for at in range(100, 10_100, 100) for each in _missed(repeats, at, once=True)]
    assert [each.time_ms for each in silent] == [100]
    bad = [each for at in range(10_100, 20_100, 100) for each in _missed(repeats, at)]
    assert [each.time_ms for each in bad] == list(range(10_100, 20_100, 1000))
    assert {(each.metric, each.value, each.quality) for each in bad} == {("a", 7, Quality.BAD)}


def test_silence_soon_after_a_repeat_is_told_when_the_second_is_over() -> None:
    """A value read between two repeats is not left standing as good when its unit dies."""
    repeats = Repeats()
    repeats.came([_read("a", 7, 0)])
    assert len(_missed(repeats, 100)) == 1
    repeats.came([_read("a", 8, 200)])
    assert [len(_missed(repeats, at, once=True)) for at in (300, 1000, 1100, 2200)] == [0, 0, 1, 0]


def test_without_a_wall_clock_a_repeat_has_none() -> None:
    """While the clock is unset, a repeat has the monotonic time, as every reading has then."""
    repeats = Repeats()
    repeats.came([_read("a", 7, 5)])
    (repeat,) = repeats.missed(NAMES, Arrival(None, 900), once=False)
    assert (repeat.time_ms, repeat.monotonic_ms) == (None, 900)


def test_a_repeat_is_bad_to_whoever_reads_it() -> None:
    """In a record and over Sparkplug, in data and in certificates, it is bad, never good."""
    repeats, good = Repeats(), _read("a", 7, 1_763_726_400_000)
    repeats.came([good])
    (repeat,) = repeats.missed(NAMES, Arrival(1_763_726_401_000, 1000), once=False)
    # The intake says where in the plant it was: it is a repeat all the same.
    assert isinstance(structs.replace(repeat, equipment="plant-1"), Repeat)
    (pack,) = senml.encode([repeat], Provenance.UNAUTHENTICATED_LINE)
    assert senml.decode(pack.encoded) == [
        Reading("press-1", "a", 7, "Cel", 1_763_726_401_000, quality=Quality.BAD)
    ]
    edge = Edge("plant", "press-shop", 0)
    said, dropped = edge.say([good, repeat], 1_763_726_402_000)
    assert not dropped
    for topic, payload in (*said, *edge.births(1_763_726_403_000)):
        told = [each for each in decode(payload, 65_536).metrics if each.said == 7]
        if "/NBIRTH/" in topic:
            continue
        assert told[-1].quality is Quality.BAD, topic
        assert [each.quality for each in told[:-1]] in ([], [Quality.GOOD])


# What is wrong with an answer, and how often in 2.2 s a metric may be repeated for it.
_TROUBLES: Final = {
    **dict.fromkeys(("unit", "crc", "short", "long", "exception", "other", "foreign"), (2, 3)),
    "silent": (1, 1),
}
# With gaps, a question can have many sizes: one that no late answer can be taken for is left.
_PACE: Final = {"poll_ms": 40, "timeout_ms": 60, "backoff_ms_max": 160, "gap_max": 100}


def test_what_cannot_be_read_is_said_to_be_bad(tmp_path: Path) -> None:
    """A bad answer repeats the last value as bad each second, silence once; then it is good again.

    Before there was a good value, nothing is said; and a repeat makes no device seen.
    """
    station = Station(tmp_path)
    try:
        began_ms, ended_ms = asyncio.run(_have_troubles(station))
    finally:
        station.close()
    stored = station.stored()
    for kind, (least, most) in _TROUBLES.items():
        for metric in ("a", "b"):
            told = [each for each in stored if (each.device, each.metric) == (kind, metric)]
            repeats = [each for each in told if each.quality is Quality.BAD]
            assert least <= len(repeats) <= most, (kind, metric, repeats)
            assert all(began_ms <= _ms(each) <= ended_ms + 200 for each in repeats)
            assert all(_ms(two) - _ms(one) >= EACH_MS_MIN for one, two in pairwise(repeats))
            before = told[told.index(repeats[0]) - 1]
            assert {each.value for each in repeats} == {before.value}
            between = [_ms(each) for each in told if began_ms + 100 < _ms(each) < ended_ms]
            assert between == [at for at in map(_ms, repeats) if began_ms + 100 < at < ended_ms]
            assert told[0].quality is told[-1].quality is Quality.GOOD
        assert "never" not in {each.metric for each in stored}


async def _have_troubles(station: Station) -> tuple[int, int]:
    """Have one unit for each trouble, on a line of its own; give when they began and ended."""
    slaves = [Slave("rtu", at, 0.0, kinds=(kind,)) for at, kind in enumerate(_TROUBLES)]
    for slave in slaves:
        await slave.start()
    metrics = [
        {"name": "a", "register": "holding:0", "type": "uint32"},
        {"name": "b", "register": "holding:60", "type": "uint64"},
        # What was never read has nothing to repeat.
        {"name": "never", "register": "input:0"},
    ]
    sources = [
        unit(slave.url, kind, *metrics, unit_id=3, **_PACE)
        for slave, kind in zip(slaves, _TROUBLES, strict=True)
    ]
    async with hearing(station, *sources) as listeners:
        await until(lambda: all(each.counts["received"] >= 6 for each in listeners))
        began_ms = now().unix_ms
        for slave in slaves:
            slave.share = 1.0
        await asyncio.sleep(2.2)
        assert {each.state for each in listeners} == {"degraded", "silent"}
        _nobody_was_seen(station, began_ms + 100)
        ended_ms = now().unix_ms
        for slave in slaves:
            slave.share = 0.0
        received = [each.counts["received"] for each in listeners]
        await until(
            lambda: all(
                each.counts["received"] > before + 3
                for each, before in zip(listeners, received, strict=True)
            )
        )
    for slave in slaves:
        await slave.stop()
    return began_ms, ended_ms


def _nobody_was_seen(station: Station, since_ms: int) -> None:
    known = devices.known(connect_to_read(station.path))
    assert {each.device for each in known} == set(_TROUBLES)
    seen = [each.heard.unix_ms or 0 for each in known]
    assert max(seen) < since_ms


def _ms(reading: Reading) -> int:
    assert reading.time_ms is not None
    return reading.time_ms
