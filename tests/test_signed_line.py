"""A device that signs on a real line: what is stored proves its word; nothing else is stored."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.config import FramedSource, load
from gateway.errors import ConfigFaults, PublicKeyUnusable
from gateway.readings import senml
from gateway.readings.frame import CHALLENGE_BYTES, Samples, Table, encode
from gateway.readings.reading import Provenance
from gateway.records import attestation
from gateway.sources.framed import FramedListener, provenance
from gateway.sources.trial import FramedTrial, Heard
from tests.bridge_c import build_signing_device, needs_sodium
from tests.on_a_line import Child, reading_of, running, until, wired
from tests.people import seed
from tests.station import Station, now
from tests.vectors.build_frame import BOOT, ROWS, WARM
from tests.vectors.build_signed import DEVICE, NAME

URL = "serial:///dev/ttyS0?baud=9600"
_KEY = DEVICE.public.hex()


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    opened = Station(tmp_path)
    yield opened
    opened.close()


@asynccontextmanager
async def listening(
    station: Station, path: Path, name: str = "mcu"
) -> AsyncIterator[FramedListener]:
    """Run a source that knows the device's public key."""
    key = DEVICE.public.hex()
    config = FramedSource(name=name, url=f"serial://{path}?baud=115200", public_key=key)
    listener = FramedListener(config, station.intake(name), now, 20)
    task = asyncio.create_task(listener.run())
    try:
        yield listener
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        await asyncio.wait((task,))


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Child]:
    yield from _device(tmp_path, seed("a device that signs"))


def _device(folder: Path, secret: bytes) -> Iterator[Child]:
    """Run the device that signs by libsodium, on a line called `device`."""
    (folder / "seed").write_text(secret.hex() + "\n")
    options = ("--seed", str(folder / "seed"), "--period-ms", "10", "--count", "200")
    with running(build_signing_device(folder), folder / "device", *options) as child:
        yield child


@needs_sodium
def test_what_a_real_device_signs_can_be_shown(station: Station, tmp_path: Path) -> None:
    """Over a noisy line: each sample is stored once, and every pack proves the device's word."""

    async def story() -> None:
        async with wired(tmp_path, seed=3, noise=0.02) as wire, listening(station, wire.link) as it:
            for child in _device(tmp_path, seed("a device that signs")):
                await until(child.gone, 60)
            assert it.counts["acknowledged"] == 200

    asyncio.run(story())
    stored = [(it.metric, it.value) for it in station.stored()]
    assert stored == [reading_of(number) for number in range(200)]
    packs = station.packs()
    proved = [it for body in packs for it in attestation.check(body)]
    assert sum(len(it.testimony.samples.samples) for it in proved) == 200
    assert {it.key for it in proved} == {DEVICE.public}
    told = {it.provenance for body in packs for it in senml.decode_attested(body)}
    assert told == {Provenance.DEVICE_SIGNED}


@needs_sodium
def test_what_another_device_signs_is_kept_as_unreadable(station: Station, tmp_path: Path) -> None:
    """Counted, quarantined with its bytes, and nothing of it acknowledged or stored."""

    async def story() -> None:
        async with wired(tmp_path) as wire, listening(station, wire.link) as it:
            for child in _device(tmp_path, seed("another device")):
                await until(lambda: it.counts["quarantined"] >= 2)
                assert child.said("acknowledged") == []
            assert it.counts["frame.signature"] >= 2

    asyncio.run(story())
    assert station.stored() == []
    kept = station.quarantined()
    assert {it.what.code for it in kept} == {"frame.signature"}
    assert all(it.what.payload[:2] == b"\x03\x01" for it in kept)


def test_what_is_not_signed_is_kept_as_unreadable(station: Station, tmp_path: Path) -> None:
    """A device of version 1 on a line whose source has a public key is not heard."""

    async def story() -> None:
        async with wired(tmp_path) as wire, listening(station, wire.link, NAME) as it:
            await until(lambda: len(wire.answers) > CHALLENGE_BYTES)
            wire.inject(encode(Table(BOOT, 2, 0, NAME, ROWS)))
            wire.inject(encode(Samples(BOOT, 0, 1, 0, 0, (WARM,))))
            await until(lambda: it.counts["quarantined"] == 2)

    asyncio.run(story())
    assert station.stored() == []
    assert {it.what.code for it in station.quarantined()} == {"frame.signature"}


@needs_sodium
@pytest.mark.parametrize(
    ("secret", "metrics", "codes"),
    [
        ("a device that signs", {"temperature", "strokes"}, set()),
        ("another device", set(), {"frame.signature"}),
    ],
)
def test_a_trial_shows_what_is_signed_and_why_another_is_not(
    tmp_path: Path, secret: str, metrics: set[str], codes: set[str]
) -> None:
    """`hulian test` reads what this device signed; of another it says what is wrong."""
    config = FramedSource(name="mcu", url=f"serial://{tmp_path}/by-id", public_key=_KEY)

    async def story() -> list[Heard]:
        async with wired(tmp_path):
            trial = FramedTrial(config, now)
            task = asyncio.create_task(trial.run())
            for _ in _device(tmp_path, seed(secret)):
                await until(lambda: len(trial.found.kept) >= 1 and trial.found.heard >= 2)
            task.cancel()
            await asyncio.wait((task,))
            return trial.found.kept

    found = asyncio.run(story())
    assert {reading.metric for it in found for reading in it.readings} == metrics
    assert {fault.code for it in found for fault in it.faults} == codes


# -- what a config says ------------------------------------------------------------------------


def test_only_a_source_with_a_public_key_claims_that_the_device_signed() -> None:
    """device-signed comes of a public key and of nothing else."""
    plain = FramedSource(name=NAME, url=URL)
    signing = FramedSource(name=NAME, url=URL, public_key=DEVICE.public.hex())
    assert provenance(plain) is Provenance.UNAUTHENTICATED_LINE
    assert provenance(signing) is Provenance.DEVICE_SIGNED


@pytest.mark.parametrize("weak", ["00" * 32, "01" + "00" * 31, "ff" * 32])
def test_a_weak_public_key_is_refused(station: Station, weak: str) -> None:
    """Under such a key one signature holds for everything: the source does not start."""
    config = FramedSource(name=NAME, url=URL, public_key=weak)
    with pytest.raises(PublicKeyUnusable, match=r"^config\.public-key: .*mcu-7"):
        FramedListener(config, station.intake(NAME), now, 20)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (f'public_key = "{_KEY}"\nkey_file = "a"', "config.no-effect"),
        (f'public_key = "{_KEY[:-2]}"', "config.range"),
    ],
)
def test_a_config_knows_a_device_in_one_way(said: str, code: str) -> None:
    """By a key or by its signature: what is written beside it would mislead."""
    gateway = '[gateway]\nname = "g"\nstate_dir = "/tmp"\n'
    text = f'{gateway}[[source]]\nname = "a"\ntype = "framed"\nurl = "{URL}"\n{said}\n'
    with pytest.raises(ConfigFaults) as refused:
        load(text)
    assert [fault.code for fault in refused.value.faults] == [code]


@needs_sodium
def test_the_device_refuses_a_seed_that_is_none(tmp_path: Path) -> None:
    """Without its own key it does not start unsigned."""
    (tmp_path / "seed").write_text("77" * 31)
    program = build_signing_device(tmp_path)
    command = (program, tmp_path / "tty", "--pty", "--seed", tmp_path / "seed")
    assert subprocess.run(command, capture_output=True, timeout=10).returncode == 2
