"""The observation's body: every vector, a round trip of anything, sizes, and no escape."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st

from gateway.errors import MalformedPack, RecordTooLarge
from gateway.readings import names, senml
from gateway.readings.reading import Provenance, Quality, Reading
from gateway.readings.times import TIME_MS_MAX, TIME_MS_MIN
from tests.mutate import known, mutations
from tests.vectors import load

MS = 1_763_726_400_000
VECTORS = load("senml")
_UNSAID = ("equipment", "repeated")

values = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(senml.INT_MIN, senml.INT_MAX),
    st.booleans(),
    st.text(max_size=40),
)
called = st.text(min_size=1, max_size=30).filter(names.is_name)
when = st.one_of(
    st.tuples(st.integers(TIME_MS_MIN, TIME_MS_MAX), st.none()),
    st.tuples(st.none(), st.none() | st.integers(0, 2**63 - 1)),
)
readings = st.builds(
    lambda device, metric, value, unit, moment, more: Reading(
        device, metric, value, unit, *moment, *more
    ),
    *(called, called, values, st.text(max_size=8), when),
    st.tuples(
        st.sampled_from(Quality), st.booleans(), st.sampled_from(["", "a", "a/b/c/d/e", "ä b/温"])
    ),
)


def _said(attested: senml.Attested) -> dict[str, object]:
    fields = msgspec.structs.asdict(attested.reading) | {
        "quality": attested.reading.quality.value,
        "provenance": attested.provenance.value,
    }
    # Only where it is something; `repeated` is no part of a pack.
    return {key: said for key, said in fields.items() if said or key not in _UNSAID}


def _exactly(said: dict[str, object]) -> list[tuple[str, str]]:
    """Tell 1 from 1.0 and 0.0 from -0.0, and the order of keys from nothing."""
    return sorted((key, repr(one)) for key, one in said.items())


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda vector: vector["name"])
def test_good_vectors_are_read_and_written(vector: dict[str, Any]) -> None:
    """A pack gives the readings that its vector says, and ours are written to the same bytes."""
    attested = senml.decode_attested(bytes.fromhex(vector["hex"]))
    expect = vector["expect"]
    assert [_exactly(_said(one)) for one in attested] == [
        _exactly(one) for one in expect["readings"]
    ]
    if expect["written_so_by_us"]:
        [pack] = senml.encode([one.reading for one in attested], attested[0].provenance)
        assert pack.encoded.hex() == vector["hex"]


@pytest.mark.parametrize("vector", VECTORS["bad"], ids=lambda vector: vector["name"])
def test_bad_vectors_are_refused(vector: dict[str, Any]) -> None:
    """What is no such pack is refused with its code."""
    with pytest.raises(MalformedPack) as refused:
        senml.decode(bytes.fromhex(vector["hex"]))
    assert refused.value.code == vector["error"]


@given(st.lists(readings, max_size=40), st.sampled_from(Provenance), st.integers(2_000, 40_000))
def test_what_is_written_is_read_again(
    said: list[Reading], provenance: Provenance, bytes_max: int
) -> None:
    """Any readings come back the same, in order, from packs that keep to the size asked for."""
    packs = senml.encode(said, provenance, bytes_max)
    heard = [one for pack in packs for one in senml.decode_attested(pack.encoded)]
    assert repr([one.reading for one in heard]) == repr(said)
    assert {one.provenance for one in heard} <= {provenance}
    assert all(len(pack.encoded) <= bytes_max for pack in packs)
    assert sum(pack.count for pack in packs) == len(said)
    for pack in packs:
        assert pack.spans == senml.spans(senml.decode(pack.encoded))


def test_a_pack_is_filled_to_the_size() -> None:
    """A new pack is begun only when the next reading would not fit, at every edge of the head."""
    said = [Reading("d", "m", place, "", MS) for place in range(400)]
    for bytes_max in range(100, 1500):
        packs = senml.encode(said, Provenance.GATEWAY_ATTESTED, bytes_max)
        for pack in packs[:-1]:
            assert bytes_max - 12 < len(pack.encoded) <= bytes_max


def test_spans_say_which_device_and_when() -> None:
    """A span has a device's first and last time by value, not by place, and counts all."""
    said = [
        Reading("a", "m", 1, "", MS + 5),
        Reading("b", "m", 1, "", None, 7),
        Reading("a", "m", 1, "", MS - 5),
        Reading("a", "m", 1, "", None, 8),
    ]
    [pack] = senml.encode(said, Provenance.GATEWAY_ATTESTED)
    assert pack.spans == [("a", MS - 5, MS + 5, 3), ("b", None, None, 1)]


def test_a_time_that_senml_cannot_say_is_left_out() -> None:
    """A time of 1970, or beyond the year 9999, is written as unknown and never as relative."""
    for time_ms in (0, 5, TIME_MS_MIN - 1, TIME_MS_MAX + 1, -1):
        [pack] = senml.encode([Reading("a", "m", 1, "", time_ms, 9)], Provenance.GATEWAY_ATTESTED)
        assert senml.decode(pack.encoded) == [Reading("a", "m", 1, "", None, 9)]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**63, -(2**63) - 1])
def test_a_number_that_cannot_be_written_is_refused(value: float) -> None:
    """NaN, infinity and integers beyond 64 bits never reach a record."""
    with pytest.raises(MalformedPack):
        senml.encode([Reading("a", "m", value, "", MS)], Provenance.GATEWAY_ATTESTED)


def test_sizes_are_bounded() -> None:
    """A reading that fits no pack, and bytes beyond the bound, are refused."""
    with pytest.raises(RecordTooLarge):
        senml.encode([Reading("a", "m", "x" * 500, "", MS)], Provenance.GATEWAY_ATTESTED, 400)
    with pytest.raises(MalformedPack):
        senml.decode(b"\x81" + b"\x60" * senml.DECODED_BYTES_MAX)
    assert senml.encode([], Provenance.GATEWAY_ATTESTED) == []


@given(called, called)
def test_names_are_one_to_one(device: str, metric: str) -> None:
    """A SenML name has the letters that RFC 8428 allows, and gives back both names."""
    full = names.prefix(device) + names.escape_metric(metric)
    assert set(full) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-:./_")
    assert names.split(full) == (device, metric)


def test_no_bytes_escape() -> None:
    """Mutated vectors give readings or the decoder's own refusal, and what is read is canonical."""
    for said in mutations(known("senml"), 5_000, seed=6):
        try:
            heard = senml.decode_attested(said)
        except MalformedPack:
            continue
        assert heard


@given(st.binary(max_size=300))
def test_no_noise_escapes(said: bytes) -> None:
    """Noise is refused, and nothing else is raised."""
    with pytest.raises(MalformedPack):
        senml.decode(said)
