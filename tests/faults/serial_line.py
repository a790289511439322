"""A serial line that is unplugged again and again, and replugged under another name, in noise.

What must hold: it reads again within 5 s each time, and in the end the store holds each reading of
the real device once and in order.
"""

import asyncio
import logging
import random
import tempfile
from pathlib import Path

from tests.bridge_c import build_device
from tests.on_a_line import heard, listening, reading_of, replug, running, until, wired
from tests.station import Station

TIMES, TIMES_LONG, SEED = 50, 2000, 9
_AGAIN_S_MAX = 5.0


def run(long: bool) -> str:
    """Replug so often."""
    logging.disable(logging.WARNING)  # each unplug is one
    with tempfile.TemporaryDirectory() as folder:
        station = Station(Path(folder))
        try:
            return asyncio.run(_story(Path(folder), station, TIMES_LONG if long else TIMES))
        finally:
            station.close()


async def _story(folder: Path, station: Station, times: int) -> str:
    dice, slowest_s = random.Random(SEED), 0.0
    program = build_device(folder)
    async with wired(folder, SEED, noise=0.02) as wire, listening(station, wire.link) as it:
        options = ("--period-ms", "50", "--ring", "4096")
        with running(program, wire.device, *options) as device:
            for _ in range(times):
                again_s = await replug(wire, it, away_s=dice.random())
                slowest_s = max(slowest_s, again_s)
            wire.noise = 0.0
            sampled = len(device.said("sampled"))
            await until(lambda: it.counts["stored"] >= sampled, 60)
    got = heard(station)
    assert got == [reading_of(number) for number in range(len(got))]
    assert slowest_s < _AGAIN_S_MAX
    return (
        f"{times} replugs, each under another name: reading again after {slowest_s:.2f} s at most;"
        f" {len(got)} readings stored, lost 0, doubled 0"
    )
