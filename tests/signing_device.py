"""A device that signs loses its power in the middle of a frame: bridge.c, libsodium and kill -9.

In: a folder, and how often. Out: the figures, for `firmware`, whose campaign this is a part of. No
board's Ed25519 is to be had here, so the device is a process; each start draws its boot id.
"""

import asyncio
import random
from pathlib import Path

from gateway.config import FramedSource
from gateway.readings.frame import Ack, Splitter
from gateway.records import attestation
from gateway.sources.framed import FramedListener
from tests.bridge_c import build_signing_device, has_sodium
from tests.on_a_line import listening, running, until, wired
from tests.people import seed
from tests.station import Station
from tests.vectors.build_signed import DEVICE
from tests.wire import Wire

SEED = 12


def campaign(folder: Path, times: int) -> str:
    """Kill the device so often while it signs; check what is stored."""
    if not has_sodium():
        return f"{times} power cuts with signatures left out: libsodium-dev is missing"
    folder.mkdir()
    station = Station(folder)
    try:
        return asyncio.run(_story(folder, station, times))
    finally:
        station.close()


async def _story(folder: Path, station: Station, times: int) -> str:
    dice, program = random.Random(SEED), build_signing_device(folder)
    (folder / "seed").write_text(seed("a device that signs").hex())
    source = FramedSource(name="mcu", url="", public_key=DEVICE.public.hex())
    async with wired(folder, SEED) as wire, listening(station, wire.link, source=source) as it:
        for _ in range(times):
            await _live(folder, program, wire, it, dice)
        await asyncio.sleep(0.5)
        broken = it.counts["frame.crc"] + it.counts["frame.cobs"] + it.counts["frame.short"]
        doubted = it.counts["frame.signature"] + it.counts["dropped"] + it.counts["quarantined"]
    assert doubted == 0, it.counts
    assert broken > times / 2, it.counts
    return f"{times} power cuts with signatures, {_judge(station, wire)}"


async def _live(
    folder: Path, program: Path, wire: Wire, it: FramedListener, dice: random.Random
) -> None:
    """Let the device say some samples, and end it in the middle of a frame."""
    wanted = it.counts["stored"] + dice.randrange(1, 60)
    options = ("--seed", str(folder / "seed"), "--period-ms", "5")
    with running(program, wire.device, *options):
        await until(lambda: it.counts["stored"] >= wanted)
        while not (places := wire.within_frame()):
            await asyncio.sleep(0.0005)
        at = dice.choice(places)
    wire.cut(at)


def _judge(station: Station, wire: Wire) -> str:
    """Compare what was acknowledged with what is stored, start by start, as it was signed."""
    found: dict[bytes, int] = {}
    for pack in station.packs():
        for proved in attestation.check(pack):
            said = proved.testimony.samples
            assert said.first == found.get(said.boot, 0), f"seed {SEED}: {said.first}"
            found[said.boot] = said.first + len(said.samples)
    acknowledged: dict[bytes, int] = {}
    for answer in Splitter(signed=True).feed(bytes(wire.answers)):
        if isinstance(answer, Ack):
            acknowledged[answer.boot] = answer.next
    for boot, following in acknowledged.items():
        assert following <= found.get(boot, 0), f"seed {SEED}: acknowledged, lost"
    assert sum(found.values()) == len(station.stored())
    return (
        f"{len(found)} starts heard; {sum(acknowledged.values())} samples acknowledged, "
        f"{sum(found.values())} stored and proved to be the device's, lost 0, doubled 0"
    )
