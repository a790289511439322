"""From telegrams to readings: every vector, strangers' sentences, patterns that cannot be slow."""

import re
import time
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st

from gateway.config import SerialSource, load as load_config
from gateway.config.patterns import compiled
from gateway.errors import ConfigFaults, PayloadError
from gateway.readings import senml
from gateway.readings.fields import Read, reader
from gateway.readings.reading import Arrival, Provenance, Reading
from tests.mutate import mutations
from tests.vectors import load

VECTORS = load("fields")
EVERY = [*VECTORS["good"], *VECTORS["bad"]]
ARRIVAL = Arrival(1_763_726_401_500, 815)
SOURCE = """[gateway]
name = "press-shop"
state_dir = "state"
[[source]]
name = "scale"
type = "serial"
url = "serial:///dev/ttyUSB0"
"""


def reading_of(settings: str) -> Read:
    """Compile the fields of a source with these settings."""
    [source] = load_config(SOURCE + settings).source
    assert isinstance(source, SerialSource)
    return reader(source)


def _said(reading: Reading, keys: Iterable[str]) -> dict[str, object]:
    """Give of a reading what a vector says of it; where a machine stands is the config's to say."""
    said = msgspec.structs.asdict(reading) | {"quality": reading.quality.value}
    return {key: said[key] for key in keys}


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda vector: vector["name"])
def test_good_vectors_are_read(vector: dict[str, Any]) -> None:
    """A telegram gives the readings that its vector says, or none where no metric asks for it."""
    mapped = reading_of(vector["settings"])(bytes.fromhex(vector["hex"]), ARRIVAL)
    expected = vector["expect"]["readings"]
    if expected is None:
        assert mapped is None
        return
    assert mapped is not None and mapped.faults == []
    assert [_said(one, expected[0]) for one in mapped.readings] == expected
    assert [type(one.value) for one in mapped.readings] == [type(one["value"]) for one in expected]


@pytest.mark.parametrize("vector", VECTORS["bad"], ids=lambda vector: vector["name"])
def test_bad_vectors_are_refused(vector: dict[str, Any]) -> None:
    """A telegram of which nothing can be read is refused with its code."""
    with pytest.raises(PayloadError) as refused:
        reading_of(vector["settings"])(bytes.fromhex(vector["hex"]), ARRIVAL)
    assert refused.value.code == vector["error"]
    assert str(refused.value).startswith(f"{vector['error']}: ")


def test_one_bad_field_leaves_the_others() -> None:
    """The fault of one metric is told beside the readings of the others."""
    [settings] = {one["settings"] for one in EVERY if one["name"] == "fields"}
    mapped = reading_of(settings)(b"x;---;RUN", ARRIVAL)
    assert mapped is not None
    assert [one.metric for one in mapped.readings] == ["state"]
    assert [fault.code for fault in mapped.faults] == ["payload.number"]


def test_without_a_clock_the_time_is_since_boot() -> None:
    """Where neither instrument nor gateway knows the time, the order is kept all the same."""
    settings = next(one["settings"] for one in EVERY if one["name"] == "a number alone")
    mapped = reading_of(settings)(b"1", Arrival(None, 815))
    assert mapped is not None
    assert (mapped.readings[0].time_ms, mapped.readings[0].monotonic_ms) == (None, 815)


def test_no_payload_escapes() -> None:
    """Mutated telegrams give readings that a body can hold, nothing, or a PayloadError."""
    readers = [reading_of(said) for said in sorted({one["settings"] for one in EVERY})]
    known = [bytes.fromhex(one["hex"]) for one in EVERY if len(one["hex"]) < 2_000]
    for place, payload in enumerate(mutations(known, 20_000, seed=12)):
        try:
            mapped = readers[place % len(readers)](payload, ARRIVAL)
        except PayloadError as fault:
            assert str(fault)
        else:
            if mapped is not None and place % 50 == 0:
                packs = senml.encode(mapped.readings, Provenance.UNAUTHENTICATED_LINE)
                found = [one for pack in packs for one in senml.decode(pack.encoded)]
                assert found == mapped.readings


@pytest.mark.timeout(30)
@given(
    st.lists(
        st.sampled_from(["a*", "[ab]+", "(?:a|b)*", "(?:a+)+", "(a|ab)?", "a{0,9}", "[^c]*"]),
        min_size=1,
        max_size=12,
    ),
    st.sampled_from([b"a", b"ab", b"b"]),
)
def test_no_text_makes_a_pattern_slow(parts: list[str], letters: bytes) -> None:
    """Repeats beside and within each other take a long text once, whatever it says."""
    text = (letters * 16_384).decode() + "!"
    started = time.perf_counter()
    compiled("".join(parts) + "c").match(text)
    assert time.perf_counter() - started < 2


@given(st.text(alphabet="ab01(){}[]^$*+?|\\.dsw,-:P<>=!", max_size=20))
def test_a_pattern_is_compiled_or_refused(said: str) -> None:
    """Whatever is written, it is a pattern or a ValueError, and repeats never give back."""
    try:
        pattern = compiled(said)
    except ValueError as fault:
        assert str(fault)
    else:
        assert isinstance(pattern, re.Pattern)


@pytest.mark.parametrize(
    ("settings", "key", "code"),
    [
        ("pattern = '.+kg'\n", "pattern", "config.path"),
        ("pattern = 'a**'\n", "pattern", "config.path"),
        ("poll_ms = 10\n", "poll_ms", "config.no-effect"),
        ("time_zone = 'Z'\n", "time_zone", "config.no-effect"),
        ("separator = ','\npattern = 'x'\n", "separator", "config.no-effect"),
        ("time = '0'\ntime_format = 'x'\ntime_zone = 'Z'\n", "time_format", "config.range"),
        ("time = '0'\ntime_format = '%H'\n", "time_zone", "config.missing"),
        ("format = 'binary'\n", "metric", "config.missing"),
        ("ask = 'hex:0'\n", "ask", "config.range"),
        ("ask = 'Gewicht\u00fc'\n", "ask", "config.range"),
        ("late_ms = 1\n", "late_ms", "config.unknown-key"),
    ],
)
def test_what_a_source_cannot_be_is_a_fault(settings: str, key: str, code: str) -> None:
    """Each mistake is named with the key that it is in."""
    framing = '[source.framing]\nby = "delimiter"\nend = "\\n"\n'
    _is_fault(settings + framing, f"source[0].{key}", code)


@pytest.mark.parametrize(
    ("tables", "key", "code"),
    [
        ("", "framing", "config.missing"),
        ('[source.framing]\nby = "lines"\n', "framing.by", "config.choice"),
        ('[source.framing]\nby = "delimiter"\n', "framing.end", "config.missing"),
        ('[source.framing]\nby = "fixed"\n', "framing.size", "config.missing"),
        ('[source.framing]\nby = "slip"\nend = "x"\n', "framing.end", "config.no-effect"),
        (
            '[source.framing]\nby = "cobs"\nescape_xor = 3\n',
            "framing.escape_xor",
            "config.no-effect",
        ),
        ('[source.framing]\nby = "stx-etx"\nend = "\\u0002"\n', "framing.end", "config.range"),
        ('[source.framing]\nby = "stx-etx"\nescape = "ab"\n', "framing.escape", "config.range"),
        (
            '[source.framing]\nby = "cobs"\n[source.checksum]\ntype = "crc-16/ccitt"\n',
            *("checksum.type", "config.choice"),
        ),
        (
            '[source.framing]\nby = "cobs"\n[source.checksum]\ntype = "xor"\nafter_end = true\n',
            *("checksum.after_end", "config.no-effect"),
        ),
        (
            '[source.framing]\nby = "cobs"\n[[source.metric]]\nname = "a"\ntype = "int8"\n',
            *("metric[0].type", "config.range"),
        ),
        (
            '[source.framing]\nby = "cobs"\n[[source.metric]]\nname = "a"\nfield = "b"\n',
            *("metric[0].field", "config.range"),
        ),
        (
            '[source.framing]\nby = "cobs"\n[[source.metric]]\nname = "a"\noffset = 1\n',
            *("metric[0].offset", "config.no-effect"),
        ),
        (
            '[source.framing]\nby = "cobs"\n[[source.metric]]\nname = "a"\nbit_count = 2\n',
            *("metric[0].bit_count", "config.no-effect"),
        ),
    ],
)
def test_what_tables_cannot_be_together_is_a_fault(tables: str, key: str, code: str) -> None:
    """A framing, a checksum and a metric say only what can have an effect."""
    _is_fault(tables, f"source[0].{key}", code)


def _is_fault(said: str, key: str, code: str) -> None:
    with pytest.raises(ConfigFaults) as refused:
        load_config(SOURCE + said)
    assert (key, code) in {(one.facts["key"], one.code) for one in refused.value.faults}
