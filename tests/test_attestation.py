"""What a pack claims that its device signed: every vector, every bit, and a gateway that lies."""

import dataclasses
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cbor2
import pytest

from gateway.errors import MalformedPack, UnprovenPack
from gateway.readings import senml
from gateway.readings.frame import Sample
from gateway.readings.reading import Attestation, Batch, Provenance, Reading
from gateway.records import attestation
from tests.mutate import mutations
from tests.station import Station
from tests.vectors import load
from tests.vectors.build_attestation import GOOD, MS, OLD, expect, lot, pack
from tests.vectors.build_frame import STROKE, WARM
from tests.vectors.build_signed import DEVICE, NAME

VECTORS: dict[str, Any] = load("attestation")


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    opened = Station(tmp_path)
    yield opened
    opened.close()


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda vector: vector["name"])
def test_good_vectors_prove_what_they_say(vector: dict[str, Any]) -> None:
    """A good pack proves exactly the samples that its vector names."""
    assert expect(bytes.fromhex(vector["hex"])) == vector["expect"]


@pytest.mark.parametrize("vector", VECTORS["bad"], ids=lambda vector: vector["name"])
def test_bad_vectors_are_refused(vector: dict[str, Any]) -> None:
    """What does not prove its claim is refused with its code."""
    with pytest.raises((UnprovenPack, MalformedPack)) as refused:
        attestation.check(bytes.fromhex(vector["hex"]))
    assert refused.value.code == vector["error"]


def test_every_bit_of_what_is_signed_counts() -> None:
    """Whatever bit of key, signature or testimony is flipped, the pack proves nothing."""
    whole = pack(lot((WARM, STROKE)))
    (first, second) = cbor2.loads(whole)
    flips = 0
    for label in ("dk", "ds"):
        for bit in range(8 * len(first[label])):
            flipped = bytearray(first[label])
            flipped[bit // 8] ^= 1 << bit % 8
            body = cbor2.dumps([first | {label: bytes(flipped)}, second], canonical=True)
            with pytest.raises(UnprovenPack):
                attestation.check(body)
            flips += 1
    assert flips == 8 * (32 + 64 + len(lot((WARM, STROKE))[0].testimony))


def test_every_bit_of_a_pack_that_a_gateway_may_not_change_is_found() -> None:
    """A flipped bit is refused, or changes only what is the gateway's own word: wall and place."""
    whole = pack(lot((WARM, STROKE)))
    before = [one.reading for one in senml.decode_attested(whole)]
    for bit in range(8 * len(whole)):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            proved = attestation.check(bytes(flipped))
        except (UnprovenPack, MalformedPack):
            continue
        after = senml.decode_attested(bytes(flipped))
        if {one.provenance for one in after} == {Provenance.DEVICE_SIGNED}:
            assert proved
            assert [_devices_word(one.reading) for one in after] == [
                _devices_word(each) for each in before
            ]


def _devices_word(reading: Reading) -> tuple[object, ...]:
    return reading.device, reading.metric, repr(reading.value), reading.unit, reading.quality


def test_mutated_packs_prove_nothing_else() -> None:
    """No mutation of a good pack proves a sample that its device did not sign."""
    known = list(GOOD.values())
    signed = {_testimony(one) for body in known for one in attestation.check(body)}
    for said in mutations(known, 3000, 9):
        try:
            proved = attestation.check(said)
        except (UnprovenPack, MalformedPack):
            continue
        assert {_testimony(one) for one in proved} <= signed


def _testimony(proved: attestation.Proved) -> tuple[bytes, object]:
    return proved.key, proved.testimony


def test_a_pack_without_a_claim_proves_nothing_and_is_no_fault() -> None:
    """Lesser provenances need no signature."""
    for provenance in set(Provenance) - {Provenance.DEVICE_SIGNED}:
        (made,) = senml.encode([Reading("d", "m", 1, "", MS)], provenance)
        assert attestation.check(made.encoded) == ()
    (claimed,) = senml.encode([Reading("d", "m", 1, "", MS)], Provenance.DEVICE_SIGNED)
    with pytest.raises(UnprovenPack):
        attestation.check(claimed.encoded)


def test_an_intake_writes_what_it_can_show(station: Station) -> None:
    """Signed lots are stored as they were signed, many in one pack, and all are proved."""
    lots = [lot((WARM, STROKE), 2 * number) for number in range(40)]
    _submit(station, lots)
    proved = [it for body in station.packs() for it in attestation.check(body)]
    assert [it.testimony.samples.first for it in proved] == list(range(0, 80, 2))
    assert len(station.stored()) == 80


def _submit(station: Station, lots: list[tuple[Attestation, list[Reading]]]) -> None:
    readings = tuple(reading for _, its in lots for reading in its)
    batch = Batch(readings, attestations=tuple(each for each, _ in lots))
    station.intake(NAME).submit(batch).result()


def test_packs_are_filled_and_no_lot_is_divided() -> None:
    """Thousands of samples become packs of a bounded size, each of which proves itself."""
    dice = random.Random(4)
    lots, first = [], 0
    for _ in range(600):
        count = dice.randrange(1, 10)
        samples = tuple(
            Sample(
                dice.randrange(2), dice.randrange(3), dice.randrange(-9, 9), dice.randrange(99), 5
            )
            for _ in range(count)
        )
        lots.append(lot(samples, first))
        first += count
    packs = senml.encode_attested(lots)
    assert len(packs) > 1
    assert all(len(each.encoded) <= senml.PACK_BYTES_MAX for each in packs)
    proved = [it for each in packs for it in attestation.check(each.encoded)]
    assert len(proved) == 600
    assert sum(each.count for each in packs) == first
    for each in packs:
        assert each.spans == senml.spans(senml.decode(each.encoded))


def test_a_gateway_that_alters_a_value_is_found(station: Station) -> None:
    """One digit changed after the device signed: the pack is stored, and proves nothing."""
    attested, (warm, stroke) = lot((WARM, STROKE))
    hotter = Reading(warm.device, warm.metric, 91.5, warm.unit, warm.time_ms)
    _submit(station, [(attested, [hotter, stroke])])
    (body,) = station.packs()
    with pytest.raises(UnprovenPack, match="another value of temperature"):
        attestation.check(body)


def test_a_whole_lot_may_be_moved_in_time_and_nothing_within_it() -> None:
    """When it was by the wall is the gateway's word: the device has no such clock."""
    attested, readings = lot((WARM, STROKE, OLD))
    for moved, held in (((0, 0, 0), True), ((7, 7, 7), True), ((0, 7, 0), False)):
        times = [
            Reading(each.device, each.metric, each.value, each.unit, (each.time_ms or 0) + ms)
            for each, ms in zip(readings, moved, strict=True)
        ]
        (made,) = senml.encode_attested([(attested, times)])
        if held:
            assert attestation.check(made.encoded)
        else:
            with pytest.raises(UnprovenPack, match="between its samples"):
                attestation.check(made.encoded)


def test_equipment_is_the_gateways_word() -> None:
    """Where it was measured is what the config says, and may stand beside what is signed."""
    attested, (warm,) = lot((WARM,))
    placed = Reading(
        warm.device, warm.metric, warm.value, warm.unit, warm.time_ms, equipment="a/b/c"
    )
    (made,) = senml.encode_attested([(attested, [placed])])
    (proved,) = attestation.check(made.encoded)
    assert proved.key == DEVICE.public
    assert dataclasses.asdict(proved.testimony)["name"] == NAME
