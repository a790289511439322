"""An attestation: that a device signed what a pack says of it. docs/protocol/observation.md.

In: an observation's body from anywhere. Out: for each signature in it the device's key and what
it signed; or an error, where a reading claims a device's signature and does not have it, or is not
what the device signed. So no gateway can change a name, value, unit, quality or interval of what a
device signed, nor leave one of its readings out. Where the machine stands, and what the time of
the wall was, is the gateway's own word. Nothing here trusts a key: it says which it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.errors import AuthorError, FrameError, UnprovenPack
from gateway.readings import senml, testimony
from gateway.readings.frame import AGE_MS_MAX, Metric, Sample
from gateway.readings.line import QUALITIES, value_of
from gateway.readings.reading import Arrival, Provenance, Quality, Reading
from gateway.readings.testimony import Testimony
from gateway.readings.times import TIME_MS_MAX, TIME_MS_MIN
from gateway.records import cose


@dataclass(frozen=True, slots=True)
class Proved:
    """What a device signed under a key: it verified, and the pack says the same."""

    key: bytes
    testimony: Testimony


@dataclass(slots=True)
class _Claim:
    """One signature, and the readings that stand under it."""

    key: bytes
    signed: bytes
    readings: list[Reading] = field(default_factory=list)


def claims(encoded: bytes) -> bool:
    """Say whether anything in a pack claims a device's signature; raise MalformedPack."""
    return any(
        one.signed or one.provenance is Provenance.DEVICE_SIGNED
        for one in senml.decode_attested(encoded)
    )


def check(encoded: bytes) -> tuple[Proved, ...]:
    """Read a pack and prove all that claims a device's signature; MalformedPack, UnprovenPack."""
    found = tuple(_proved(claim) for claim in _claims(senml.decode_attested(encoded)))
    following: dict[tuple[bytes, bytes], int] = {}
    for each in found:
        said = each.testimony.samples
        if said.first < following.get((each.key, said.boot), 0):
            raise UnprovenPack(reason="it says a sample twice")
        following[each.key, said.boot] = said.first + len(said.samples)
    return found


def _claims(entries: Sequence[senml.Attested]) -> list[_Claim]:
    claims: list[_Claim] = []
    is_open = False
    for one in entries:
        is_signed = one.provenance is Provenance.DEVICE_SIGNED
        if one.signed:
            claims.append(_Claim(one.key, one.signed))
        if is_signed != bool(one.signed or (is_signed and is_open)):
            raise UnprovenPack(reason="a reading and a signature do not belong together")
        is_open = is_signed
        if is_signed:
            claims[-1].readings.append(one.reading)
    return claims


def _proved(claim: _Claim) -> Proved:
    signature = claim.signed[: senml.SIGNATURE_BYTES]
    message = claim.signed[senml.SIGNATURE_BYTES :]
    try:
        cose.check_public(claim.key)
        cose.verify("testimony", claim.key, message, signature)
        said = testimony.decode(message)
    except (AuthorError, FrameError) as fault:
        raise UnprovenPack(reason=fault) from None
    expected = [
        (sample, row)
        for sample, row in zip(said.samples.samples, said.rows, strict=True)
        if sample.quality < len(QUALITIES)  # others are no readings
    ]
    if len(expected) != len(claim.readings):
        raise UnprovenPack(reason="the device signed more or fewer readings")
    for (sample, row), reading in zip(expected, claim.readings, strict=True):
        _compare(said.name, sample, row, reading)
    _compare_times([sample for sample, _ in expected], claim.readings)
    return Proved(claim.key, said)


def _compare(name: str, sample: Sample, row: Metric, reading: Reading) -> None:
    """Refuse a reading that is not what its sample says."""
    value, quality = value_of(sample), QUALITIES[sample.quality]
    same = {
        "device": reading.device == name,
        "metric": reading.metric == row.name,
        "unit": reading.unit == row.unit,
        "value": type(reading.value) is type(value) and reading.value == value,
        "quality": reading.quality is quality or _is_unplaced(sample, quality, reading),
        "retained": not reading.retained,
    }
    if False in same.values():
        part = next(part for part, held in same.items() if not held)
        raise UnprovenPack(reason=f"the device signed another {part} of {row.name}")


def _is_unplaced(sample: Sample, signed: Quality, reading: Reading) -> bool:
    """Say whether a gateway may call a good reading uncertain: older than its time can say."""
    unplaced = sample.age_ms == AGE_MS_MAX or reading.monotonic_ms == 0
    return unplaced and signed is Quality.GOOD and reading.quality is Quality.UNCERTAIN


def _compare_times(samples: Sequence[Sample], readings: Sequence[Reading]) -> None:
    """Refuse times that are not as far apart as the device's: all were heard at one moment."""
    pairs = list(zip(samples, readings, strict=True))
    by_wall = {each.time_ms + sample.age_ms for sample, each in pairs if each.time_ms is not None}
    # 0 says: before the gateway's boot.
    by_boot = {each.monotonic_ms + sample.age_ms for sample, each in pairs if each.monotonic_ms}
    heard = Arrival(next(iter(by_wall), None), next(iter(by_boot), 0))
    if by_wall or by_boot:
        times = [(each.time_ms, each.monotonic_ms) for each in readings]
        if times != [_time(sample, heard) for sample in samples]:
            raise UnprovenPack(reason="the device signed other times between its samples")


def _time(sample: Sample, heard: Arrival) -> tuple[int | None, int | None]:
    """Give the time of a sample that was heard then, as a pack writes it."""
    if heard.unix_ms is None:
        return None, max(0, heard.monotonic_ms - sample.age_ms)
    time_ms = heard.unix_ms - sample.age_ms
    return time_ms if TIME_MS_MIN <= time_ms <= TIME_MS_MAX else None, None
