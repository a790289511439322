"""Last values said once more as bad: which, how often, and never as anything else."""

from typing import Final

from hypothesis import given, strategies as st
from msgspec import structs

from gateway.readings import senml
from gateway.readings.reading import Arrival, Provenance, Quality, Reading
from gateway.readings.repeats import EACH_MS_MIN, Repeat, Repeats
from gateway.readings.sparkplug_edge import Edge
from gateway.readings.sparkplug_payload import decode

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
