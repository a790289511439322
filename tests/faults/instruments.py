"""Instruments on a noisy line that is unplugged again and again, and replugged under another name.

What must hold: heard again within 5 s each time; what is stored was said, each once and in order,
in spite of telegrams that are cut in two by a pause, cut short by a plug, or follow noise. Digits
are not changed here: against that only a checksum helps.
"""

import asyncio
import logging
import random
import tempfile
from itertools import count
from pathlib import Path

from gateway.sources.serial import SerialListener
from tests.on_a_line import until
from tests.on_an_instrument import heard_by, settings
from tests.station import Station
from tests.wire import Wire

TIMES, TIMES_LONG, SEED = 50, 2000, 10
_AGAIN_S_MAX = 5.0
_FRAMINGS = {
    "lines": 'gap_ms = 30\n[source.framing]\nby = "delimiter"\nend = "\\r\\n"\n',
    "stx-etx": 'gap_ms = 30\n[source.framing]\nby = "stx-etx"\n',
    "fixed": 'gap_ms = 10\n[source.framing]\nby = "fixed"\nsize = 9\nend = "\\r"\n',
}
_SAYS = {
    "lines": b"+%d.%07d\r\n",
    "stx-etx": b"\x02+%d.%07d\x03",
    "fixed": b"%d%07d\r",
}


def run(long: bool) -> str:
    """Replug each kind of instrument so often."""
    logging.disable(logging.WARNING)  # each unplug is one
    told = [
        asyncio.run(_story(kind, TIMES_LONG if long else TIMES, random.Random(SEED)))
        for kind in _FRAMINGS
    ]
    return "; ".join(told)


async def _story(kind: str, times: int, dice: random.Random) -> str:
    with tempfile.TemporaryDirectory() as folder:
        station, wire = Station(Path(folder)), Wire(Path(folder), SEED)
        said: set[float] = set()
        wire.plug()
        speaking = asyncio.create_task(_speak(wire, kind, said, dice))
        try:
            async with heard_by(station, settings(wire.link, _FRAMINGS[kind])) as it:
                slowest_s = max([await _replug(wire, it, dice) for _ in range(times)])
                lost = sum(it.counts[code] for code in it.counts if code.startswith("line."))
        finally:
            speaking.cancel()
            await asyncio.wait((speaking,))
            wire.close()
            station.close()
        read = [float(one.value) for one in station.stored()]
    assert read == sorted(set(read)) and set(read) <= said
    return (
        f"{kind}: {times} replugs, heard again after {slowest_s:.2f} s at most,"
        f" {len(read)} of {len(said)} telegrams stored, {lost} broken, wrong 0, doubled 0"
    )


async def _replug(wire: Wire, it: SerialListener, dice: random.Random) -> float:
    """Plug in under another name and listen on; give the seconds until the next reading."""
    before = it.counts["stored"]
    wire.plug()
    again_s = await until(lambda: it.counts["stored"] > before, _AGAIN_S_MAX)
    await asyncio.sleep(0.3 * dice.random())
    return again_s


async def _speak(wire: Wire, kind: str, said: set[float], dice: random.Random) -> None:
    """Say numbers; every tenth telegram is cut in two by a pause, cut short, or follows noise."""
    for number in count(1):
        telegram = _SAYS[kind] % (1, number)
        said.add(float(telegram.strip(b"\x02\x03\r\n+")))
        cut = dice.randrange(1, len(telegram))
        match dice.randrange(30):
            case 0:
                wire.inject(telegram[:cut])
                await asyncio.sleep(0.08)
                wire.inject(telegram[cut:])
            case 1:
                wire.inject(telegram[:cut])
                await asyncio.sleep(0.05)
            case 2:
                wire.inject(b"\xff\x00#" + telegram)
            case _:
                wire.inject(telegram)
        await asyncio.sleep(0.04)
