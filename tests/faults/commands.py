"""A line is cut while its device is told to do something, and the device's power with it.

What must hold: nothing is ever done twice; what ended as moved was done, and what ended as surely
not moved was not, however the line or the device went away in between.
"""

import asyncio
import logging
import random
import tempfile
from contextlib import ExitStack
from pathlib import Path

from gateway.config import FramedPoint, FramedSource
from gateway.errors import NotMoved, Unsure
from gateway.sources.framed import FramedListener
from tests.bridge_c import build_device
from tests.on_a_line import Child, listening, running, until, wired
from tests.station import Station
from tests.vectors.build_keyed import KEY
from tests.wire import Wire

TIMES, TIMES_LONG, SEED = 200, 900, 17
# Of the cuts, so many take the device's power; of the others half unplug the line.
_POWER = 0.2
_LEVEL = FramedPoint(name="level", command=1, min=0, max=100, wait_ms=700)


def run(long: bool) -> str:
    """Cut so often."""
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        return campaign(Path(folder), TIMES_LONG if long else TIMES)


def campaign(folder: Path, times: int) -> str:
    """Cut a line or its device so often during a command; check what was done; give the figures."""
    key = folder / "mcu-7.key"
    key.write_text(KEY.hex())
    key.chmod(0o600)
    station = Station(folder)
    try:
        return asyncio.run(_story(folder, station, key, times))
    finally:
        station.close()


class _Device:
    """The real device, started again under another boot id whenever its power was cut."""

    def __init__(self, program: Path, key: Path, wire: Wire) -> None:
        self._program, self._key, self._wire = program, key, wire
        self._life = ExitStack()
        self.done: list[int] = []
        self.starts = 0

    def start(self) -> None:
        """Switch it on."""
        options = ("--key", str(self._key), "--period-ms", "50")
        child: Child = self._life.enter_context(running(self._program, self._wire.device, *options))
        self._life.callback(self._note, child)
        self.starts += 1

    def stop(self) -> None:
        """Cut its power, and note what it had done in this start."""
        self._life.close()

    def _note(self, child: Child) -> None:
        child.process.kill()
        child.process.wait()
        lines = (line.split() for line in child.out.read_text().splitlines())
        self.done += [int(words[2].partition("e")[0]) for words in lines if words[0] == "moved"]


async def _story(folder: Path, station: Station, key: Path, times: int) -> str:
    dice, program = random.Random(SEED), build_device(folder, commanded=True)
    source = FramedSource(name="mcu-7", url="", key_file=str(key), point=(_LEVEL,))
    ends: list[bool | None] = []
    async with wired(folder, SEED) as wire, listening(station, wire.link, source=source) as it:
        device = _Device(program, key, wire)
        device.start()
        try:
            await until(lambda: it.counts["stored"] > 0)
            for number in range(times):
                ends.append(await _cut_during(number, it, device, wire, dice))
        finally:
            device.stop()
    return _judge(ends, device)


async def _cut_during(
    number: int, it: FramedListener, device: _Device, wire: Wire, dice: random.Random
) -> bool | None:
    """Tell the device something, and cut in the middle of it; give how it ended."""
    moving = asyncio.create_task(it.move("level", number / 10))
    await asyncio.sleep(0.06 * dice.random())
    fate = dice.random()
    wire.cut(0)
    if fate < _POWER:
        device.stop()
        device.start()
    elif fate < (1 + _POWER) / 2:
        wire.unplug()
        await asyncio.sleep(0.1 * dice.random())
        wire.plug()
    try:
        await moving
    except NotMoved:
        return False
    except Unsure:
        return None
    finally:
        await until(lambda: it.state == "connected")
    return True


def _judge(ends: list[bool | None], device: _Device) -> str:
    """Compare what was said of each with what the device did."""
    done = device.done
    assert len(done) == len(set(done)), f"seed {SEED}: done twice"
    for number, moved in enumerate(ends):
        assert moved is None or moved == (number in done), f"seed {SEED}: {number} {moved}"
    unsure = [number for number, moved in enumerate(ends) if moved is None]
    return (
        f"{len(ends)} cuts during commands, {device.starts - 1} of the power: {ends.count(True)} "
        f"moved, {ends.count(False)} surely not, {len(unsure)} unsure, of which "
        f"{len(set(unsure) & set(done))} were done; done twice 0, said wrongly 0"
    )
