"""A board's power cut in the middle of a frame, again and again: real Cortex-M3 firmware in qemu.

What must hold: of each start the store holds its first samples, each once and in order; none that
the gateway acknowledged is missing; and no two starts ever have one boot id.
"""

import asyncio
import logging
import random
import tempfile
from pathlib import Path

from gateway.readings.frame import Ack, Splitter
from gateway.sources.framed import FramedListener
from tests.emulator import Board, build, by_start
from tests.on_a_line import heard, listening, until, wired
from tests.station import Station
from tests.wire import Wire

TIMES, TIMES_LONG, SEED = 200, 5000, 11
# So often the power is cut while the board starts: perhaps while it counts its start.
_STARTING = 0.1


def run(long: bool) -> str:
    """Cut so often."""
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        return campaign(Path(folder), TIMES_LONG if long else TIMES)


def campaign(folder: Path, times: int) -> str:
    """Cut the power `times` times in the middle of a frame; check the store; give the figures."""
    station = Station(folder)
    try:
        return asyncio.run(_story(folder, station, times))
    finally:
        station.close()


async def _story(folder: Path, station: Station, times: int) -> str:
    dice, early = random.Random(SEED), 0
    async with wired(folder, SEED) as wire, listening(station, wire.link) as it:
        board = Board(folder, build(folder), wire.device)
        try:
            for _ in range(times):
                early += await _start_in_vain(board, wire, dice)
                await _live(board, wire, dice, it)
            board.power_on()
            stored = it.counts["stored"]
            await until(lambda: it.counts["stored"] >= stored + 50)
        finally:
            board.cut_power()
        await asyncio.sleep(0.5)
        broken = sum(it.counts[code] for code in it.counts if code.startswith("frame."))
        doubted = it.counts["frame.boot"] + it.counts["dropped"] + it.counts["quarantined"]
    assert doubted == 0, it.counts
    assert broken > times / 2, it.counts
    return _judge(station, wire, times, early)


async def _start_in_vain(board: Board, wire: Wire, dice: random.Random) -> int:
    """Now and then cut the power while the board starts; say how often."""
    times = 0
    while dice.random() < _STARTING:
        board.power_on()
        await asyncio.sleep(0.05 * dice.random())
        board.cut_power()
        wire.cut(0)
        times += 1
    return times


async def _live(board: Board, wire: Wire, dice: random.Random, it: FramedListener) -> None:
    """Switch the board on, let it say some samples, and cut its power in the middle of a frame."""
    wanted = it.counts["stored"] + dice.randrange(60)
    board.power_on()
    await until(lambda: it.counts["stored"] >= wanted)
    while not (places := wire.within_frame()):
        await asyncio.sleep(0.0005)
    at = dice.choice(places)
    board.cut_power()
    wire.cut(at)


def _judge(station: Station, wire: Wire, times: int, early: int) -> str:
    """Compare what the gateway acknowledged with what it holds."""
    found = by_start(heard(station))
    acknowledged: dict[int, int] = {}
    for said in Splitter().feed(bytes(wire.answers)):
        if isinstance(said, Ack):
            acknowledged[int.from_bytes(said.boot[4:])] = said.next
    for start, numbers in found.items():
        assert numbers == list(range(len(numbers))), f"seed {SEED}, start {start}: {numbers}"
    for start, following in acknowledged.items():
        assert following <= len(found[start]), f"seed {SEED}, start {start}: acknowledged, lost"
    assert list(found) == sorted(found) and len(found) > times / 2
    return (
        f"{times} power cuts in the middle of a frame and {early} while starting: "
        f"{len(found)} starts heard, each under its own boot id; "
        f"{sum(acknowledged.values())} samples acknowledged, "
        f"{sum(map(len, found.values()))} stored, lost 0, doubled 0"
    )
