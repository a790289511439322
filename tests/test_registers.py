"""Registers: every vector, every type and order, every plan, and nothing that escapes."""

import contextlib
import itertools
import struct
from typing import Any, Final

import pytest
from hypothesis import given, strategies as st

from gateway.config import ModbusMetric, ModbusSource
from gateway.config.modbus import WORDS
from gateway.errors import AnswerError, DeviceError
from gateway.readings.reading import Arrival, Quality
from gateway.readings.registers import FUNCTIONS, Inquiry, Part, answer, decode, plan, read
from tests.mutate import known, mutations
from tests.vectors import load

VECTORS = load("registers")
ALL: Final = [*VECTORS["good"], *VECTORS["bad"]]
NOW: Final = Arrival(1_795_262_400_000, 815)


def part_of(vector: dict[str, Any]) -> Part:
    """Give the question and the metrics of a vector."""
    metrics = tuple(ModbusMetric(**metric) for metric in vector["metrics"])
    return Part(Inquiry(*vector["question"]), metrics)


def heard(part: Part, said: bytes) -> dict[str, object]:
    """Give the values of an answer, or raise what is wrong with it."""
    found = read(part, "press-1", answer(part.inquiry, said), NOW)
    for fault in found.faults:
        raise fault
    return {each.metric: each.value for each in found.readings}


def decode_any(said: bytes) -> object:
    """Decode under a question chosen by the bytes, so that a fall can be run again."""
    return heard(PARTS[sum(said) % len(PARTS)], said)


PARTS: Final = [part_of(vector) for vector in ALL]


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda vector: vector["name"])
def test_good_vectors_are_read(vector: dict[str, Any]) -> None:
    """An answer gives the values that its vector says, of the same types."""
    values = heard(part_of(vector), bytes.fromhex(vector["hex"]))
    assert values == vector["expect"]
    assert [type(values[name]) for name in values] == [
        type(vector["expect"][name]) for name in values
    ]


@pytest.mark.parametrize("vector", VECTORS["bad"], ids=lambda vector: vector["name"])
def test_bad_vectors_are_refused(vector: dict[str, Any]) -> None:
    """An answer is refused with the code that its vector says."""
    with pytest.raises(DeviceError) as refused:
        heard(part_of(vector), bytes.fromhex(vector["hex"]))
    assert refused.value.code == vector["error"]
    assert str(refused.value)


FORMS: Final = {
    **{"int16": "h", "uint16": "H", "int32": "i", "uint32": "I", "int64": "q", "uint64": "Q"},
    **{"float32": "f", "float64": "d"},
}


@given(
    st.sampled_from(sorted(FORMS)), st.binary(min_size=8, max_size=8), st.booleans(), st.booleans()
)
def test_orders_are_what_they_are_called(
    kind: str, said: bytes, words_swapped: bool, bytes_swapped: bool
) -> None:
    """Both orders little is little-endian, both big is big-endian; each swap undoes itself."""
    said = said[: 2 * WORDS[kind]]
    order = {True: "little", False: "big"}
    metric = ModbusMetric(
        name="x",
        register="holding:0",
        type=kind,  # type: ignore[arg-type]
        word_order=order[words_swapped],  # type: ignore[arg-type]
        byte_order=order[bytes_swapped],  # type: ignore[arg-type]
    )
    words = [said[at : at + 2] for at in range(0, len(said), 2)]
    words = [word[::-1] for word in words] if bytes_swapped else words
    words = words[::-1] if words_swapped else words
    (expected,) = struct.unpack(f">{FORMS[kind]}", b"".join(words))
    if words_swapped and bytes_swapped:
        assert struct.unpack(f"<{FORMS[kind]}", said)[0] in (expected,) or expected != expected
    try:
        assert decode(metric, said) == expected
    except DeviceError:
        assert expected != expected or abs(expected) >= 1 << 63 or abs(expected) == float("inf")


@st.composite
def sources(draw: st.DrawFn) -> ModbusSource:
    """Draw a unit with any metrics."""
    metrics = []
    for number in range(draw(st.integers(1, 30))):
        bank = draw(st.sampled_from(sorted(FUNCTIONS)))
        kind = draw(st.sampled_from(sorted(FORMS))) if bank in ("holding", "input") else "bool"
        at = draw(st.integers(0, 300) | st.integers(65_000, 65_532))
        metrics.append(
            ModbusMetric(name=str(number), register=f"{bank}:{at}", type=kind)  # type: ignore[arg-type]
        )
    return ModbusSource(
        name="press-1",
        url="tcp://localhost",
        gap_max=draw(st.integers(0, 124)),
        count_max=draw(st.integers(4, 125)),
        metric=tuple(metrics),
    )


@given(sources())
def test_a_plan_reads_every_metric_once_and_asks_for_no_more_than_allowed(
    source: ModbusSource,
) -> None:
    """Each metric lies within exactly one question, of its kind; no question is too large."""
    parts = plan(source)
    found = [metric.name for part in parts for metric in part.metrics]
    assert sorted(found) == sorted(metric.name for metric in source.metric)
    for part in parts:
        asked = part.inquiry
        bits = asked.function in (1, 2)
        assert asked.count <= (min(2000, 16 * source.count_max) if bits else source.count_max)
        wanted: set[int] = set()
        for metric in part.metrics:
            assert FUNCTIONS[metric.bank] == asked.function
            wanted |= set(range(metric.address, metric.address + WORDS[metric.kind]))
        assert min(wanted) == asked.start and max(wanted) == asked.start + asked.count - 1
        ordered = sorted(wanted)
        gaps = [two - one - 1 for one, two in itertools.pairwise(ordered)]
        assert max(gaps, default=0) <= source.gap_max * (16 if bits else 1)


@given(sources(), st.randoms())
def test_each_value_is_taken_from_its_own_registers(source: ModbusSource, dice: Any) -> None:
    """A register that says its own address is read as that address, whatever the plan."""
    plain = tuple(
        ModbusMetric(name=metric.name, register=metric.register) for metric in source.metric
    )
    whole = ModbusSource(
        name="x", url="tcp://h", gap_max=source.gap_max, count_max=source.count_max, metric=plain
    )
    wanted = {metric.name: metric for metric in plain}
    for part in plan(whole):
        asked = part.inquiry
        if asked.function in (1, 2):
            on = set(range(asked.start % 3, 70_000, 3))
            bits = [asked.start + at in on for at in range(asked.count)]
            values = bytes(
                sum(bit << place for place, bit in enumerate(bits[at : at + 8]))
                for at in range(0, len(bits), 8)
            )
        else:
            values = b"".join((asked.start + at).to_bytes(2) for at in range(asked.count))
        for each in read(part, "x", values, NOW).readings:
            address = wanted[each.metric].address
            assert each.value == (address in on if asked.function in (1, 2) else address)


def test_values_beyond_what_the_sensor_can_say_are_kept_and_flagged() -> None:
    """A value beyond min or max is a reading of quality bad; within them it is good."""
    metric = ModbusMetric(
        name="t", register="holding:0", type="int16", min=-40, max=120.5, scale=0.5
    )
    part = Part(Inquiry(1, 3, 0, 1), (metric,))
    found = {
        number: read(part, "x", number.to_bytes(2, signed=True), NOW).readings[0].quality
        for number in (-32768, -81, -80, 0, 241, 242, 32767)
    }
    assert [number for number, quality in found.items() if quality is Quality.GOOD] == [-80, 0, 241]
    assert set(found.values()) == {Quality.GOOD, Quality.BAD}


def test_a_metric_that_cannot_be_read_does_not_hide_its_neighbours() -> None:
    """Of one answer the other values are readings, and the fault names its metric."""
    metrics = (
        ModbusMetric(name="a", register="holding:0"),
        ModbusMetric(name="b", register="holding:1", type="bcd16"),
        ModbusMetric(name="c", register="holding:2"),
    )
    found = read(Part(Inquiry(1, 3, 0, 3), metrics), "x", b"\0\1\0\x0a\0\3", Arrival(None, 7))
    assert [(each.metric, each.value) for each in found.readings] == [("a", 1), ("c", 3)]
    assert [fault.facts["name"] for fault in found.faults] == ["b"]
    assert {(each.time_ms, each.monotonic_ms) for each in found.readings} == {(None, 7)}


def test_no_answer_escapes() -> None:
    """Mutated answers give values, or are refused in the device's branch."""
    for said in mutations(known("registers"), 4_000, seed=11):
        with contextlib.suppress(DeviceError):
            decode_any(said)


@given(st.sampled_from(PARTS), st.binary(max_size=300))
def test_no_noise_escapes(part: Part, said: bytes) -> None:
    """Noise that is taken has exactly the function and the size that were asked for."""
    try:
        values = answer(part.inquiry, said)
    except AnswerError:
        return
    assert said == bytes((part.inquiry.function, part.inquiry.size)) + values
    assert len(values) == part.inquiry.size
