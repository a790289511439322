"""From payloads to readings: every vector, JMESPath's own answers, and no escape."""

import json
from typing import Any

import jmespath
import msgspec
import pytest
from hypothesis import given, strategies as st

from gateway.config import MqttSource, load as load_config
from gateway.errors import PayloadError
from gateway.readings import paths, payloads, senml
from gateway.readings.mapping import Mapping
from gateway.readings.names import is_name
from gateway.readings.reading import Arrival, Provenance, Reading
from tests.mutate import mutations
from tests.vectors import load

VECTORS = {
    kind: [one for noun in ("mapping", "payload", "pack") for one in load(noun)[kind]]
    for kind in ("good", "bad")
}
ARRIVAL = Arrival(1_763_726_400_000, 815)
SOURCE = """[gateway]
name = "press-shop"
state_dir = "state"
[[source]]
name = "meters"
type = "mqtt"
url = "mqtt://127.0.0.1"
topics = ["factory/+/telemetry"]
"""
plain_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda within: st.lists(within, max_size=4) | st.dictionaries(st.text(max_size=4), within),
)


def mapping(settings: str) -> Mapping:
    """Compile the mapping of a source with these settings."""
    [source] = load_config(SOURCE + settings).source
    assert isinstance(source, MqttSource)
    return Mapping.of(source)


def _hear(vector: dict[str, Any]) -> tuple[str, bytes, Arrival, bool]:
    arrival = Arrival(vector["heard_ms"], vector["monotonic_ms"])
    return vector["topic"], bytes.fromhex(vector["hex"]), arrival, vector["retained"]


def _said(reading: Reading) -> dict[str, object]:
    fields = msgspec.structs.asdict(reading) | {"quality": reading.quality.value}
    return {key: said for key, said in fields.items() if key != "equipment" or said}


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda vector: vector["name"])
def test_good_vectors_are_mapped(vector: dict[str, Any]) -> None:
    """A message gives the readings and the faults that its vector says, and no other."""
    mapped = mapping(vector["settings"]).read(*_hear(vector))
    assert [_said(one) for one in mapped.readings] == vector["expect"]["readings"]
    assert [type(one.value) for one in mapped.readings] == [
        type(one["value"]) for one in vector["expect"]["readings"]
    ]
    assert [fault.code for fault in mapped.faults] == vector["expect"]["faults"]
    assert mapping(vector["settings"]).map(*_hear(vector)) == mapped.readings


@pytest.mark.parametrize("vector", VECTORS["bad"], ids=lambda vector: vector["name"])
def test_bad_vectors_are_refused(vector: dict[str, Any]) -> None:
    """A message of which nothing can be read is refused with its code, and says why."""
    with pytest.raises(PayloadError) as refused:
        mapping(vector["settings"]).map(*_hear(vector))
    assert refused.value.code == vector["error"]
    assert str(refused.value).startswith(f"{vector['error']}: ")


@pytest.mark.parametrize("path", ["a", "a.b", 'a."b c".d', '"a"'])
@given(payload=plain_json)
def test_the_short_way_finds_what_jmespath_finds(path: str, payload: object) -> None:
    """A plain path followed directly gives what the interpreter gives, whatever the payload."""
    assert paths.plain(path) is not None
    assert repr(paths.find(path, "m")(payload)) == repr(jmespath.search(path, payload))


@given(payload=plain_json)
def test_what_is_mapped_can_be_recorded(payload: object) -> None:
    """Any JSON is refused, or gives readings with names and values that a body can hold."""
    text = json.dumps(payload).encode()
    try:
        said = mapping('device = "topic[0]"').map("press-1", text, ARRIVAL)
    except PayloadError:
        return
    assert said
    assert all(is_name(one.metric) for one in said)
    packs = senml.encode(said, Provenance.GATEWAY_ATTESTED)
    assert [one for pack in packs for one in senml.decode(pack.encoded)] == said


@pytest.mark.timeout(20)
def test_a_wide_payload_stays_quick() -> None:
    """Payloads made to be slow, within the bound of size, hold nobody up."""
    every = mapping('device = "topic[0]"')
    names = b",".join(b'"%d":1' % place for place in range(20_000))
    for payload in (
        b"{" + names + b"}",
        b"{" + names + b',"7":1}',
        b"[" + b"1," * 100_000 + b"1]",
        b'{"a":"' + b":" * 200_000 + b'"}',
        b'{"a":"' + b"\\\\" * 100_000 + b'"}',
        b"[" + b'"' * 200_000 + b"]",
        b"9" * 200_000,
    ):
        try:
            every.map("press-1", payload, ARRIVAL)
        except PayloadError as fault:
            assert fault.code


def test_no_payload_escapes() -> None:
    """Mutated payloads give readings or a PayloadError, under every vector's settings."""
    known = [*VECTORS["good"], *VECTORS["bad"]]
    payloads = [bytes.fromhex(vector["hex"]) for vector in known if len(vector["hex"]) < 2_000]
    mappings = [mapping(settings) for settings in {vector["settings"] for vector in known}]
    for place, payload in enumerate(mutations(payloads, 10_000, seed=7)):
        try:
            assert mappings[place % len(mappings)].map("factory/press-1/x", payload, ARRIVAL)
        except PayloadError as fault:
            assert str(fault)


@given(st.binary(max_size=200))
def test_no_noise_escapes(payload: bytes) -> None:
    """Noise gives readings or a PayloadError, as JSON and as text."""
    for settings in ('device = "topic[0]"', 'device = "topic[0]"\nformat = "text"'):
        try:
            mapping(settings).map("press-1", payload, ARRIVAL)
        except PayloadError as fault:
            assert fault.code.startswith("payload.")


@pytest.mark.parametrize(
    ("number", "scale", "expected"),
    [(1237, 0.01, 12.37), (3, 0.1, 0.3), (0.07, 100, 7.0), (7, 3, 21), (1e308, 1e-300, 1e8)],
)
def test_a_scale_multiplies_as_decimals_do(
    number: int | float, scale: int | float, expected: int | float
) -> None:
    """What is signed is the number a person would write, not what binary fractions make of it."""
    found = payloads.checked(number, "n", scale)
    assert (found, type(found)) == (expected, type(expected))
