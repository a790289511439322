"""A device's power cut in the middle of a frame, again and again.

All cuts are of real Cortex-M3 firmware in qemu, three in four without a key and the others with
one; a quarter as many again are of the same bridge.c as a process that signs. What must hold: of
each start the store holds its first samples, each once and in order; none that the gateway
acknowledged is missing; no two starts ever have one boot id; and what was signed is proved by what
is stored.
"""

import asyncio
import logging
import random
import tempfile
from pathlib import Path

from gateway.config import FramedSource
from gateway.readings.frame import Ack, Splitter
from gateway.sources.framed import FramedListener
from tests import signing_device
from tests.emulator import Board, build, by_start
from tests.on_a_line import heard, listening, until, wired
from tests.station import Station
from tests.vectors.build_keyed import KEY
from tests.wire import Wire

TIMES, TIMES_LONG, SEED = 200, 5000, 11
# So often the power is cut while the board starts: perhaps while it counts its start.
_STARTING = 0.1
_PATIENCE_S = 60.0  # an emulated board on a busy machine


def run(long: bool) -> str:
    """Cut so often."""
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        return campaign(Path(folder), TIMES_LONG if long else TIMES)


def campaign(folder: Path, times: int) -> str:
    """Cut the power `times` times in the middle of a frame; check the store; give the figures."""
    share = times // 4
    told = [_world(folder / "bare", times - share), _world(folder / "keyed", share, KEY)]
    return "; ".join((*told, signing_device.campaign(folder / "signed", share)))


def _world(folder: Path, times: int, key: bytes | None = None) -> str:
    folder.mkdir()
    station = Station(folder)
    try:
        return asyncio.run(_story(folder, station, times, key))
    finally:
        station.close()


def _keyed(folder: Path, key: bytes) -> tuple[FramedSource, str]:
    """Bring a key to the gateway and to the board."""
    file = folder / "press.key"
    file.write_text(key.hex())
    file.chmod(0o600)
    flags = f"-DBRIDGE_KEYED -DBOARD_KEY={','.join(str(byte) for byte in key)}"
    return FramedSource(name="mcu-7", url="", key_file=str(file)), flags


async def _story(folder: Path, station: Station, times: int, key: bytes | None) -> str:
    dice, early = random.Random(SEED), 0
    source, flags = (None, "") if key is None else _keyed(folder, key)
    async with (
        wired(folder, SEED) as wire,
        listening(station, wire.link, source=source) as it,
    ):
        board = Board(folder, build(folder, flags), wire.device)
        try:
            for _ in range(times):
                early += await _start_in_vain(board, wire, dice)
                await _live(board, wire, dice, it)
            board.power_on()
            stored = it.counts["stored"]
            await until(lambda: it.counts["stored"] >= stored + 50, _PATIENCE_S)
        finally:
            board.cut_power()
        await asyncio.sleep(0.5)
        broken = sum(it.counts[code] for code in it.counts if code.startswith("frame."))
        doubted = it.counts["frame.boot"] + it.counts["dropped"] + it.counts["quarantined"]
    assert doubted == 0, it.counts
    assert broken > times / 2, it.counts
    said = f"{times} power cuts {'without' if key is None else 'with'} a key"
    return f"{said}, each in the middle of a frame, {_judge(station, wire, early, key)}"


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
    await until(lambda: it.counts["stored"] >= wanted, _PATIENCE_S)
    while not (places := wire.within_frame()):
        await asyncio.sleep(0.0005)
    at = dice.choice(places)
    board.cut_power()
    wire.cut(at)


def _judge(station: Station, wire: Wire, early: int, key: bytes | None) -> str:
    """Compare what the gateway acknowledged with what it holds."""
    found = by_start(heard(station))
    acknowledged: dict[int, int] = {}
    for said in Splitter(key).feed(bytes(wire.answers)):
        if isinstance(said, Ack):
            acknowledged[int.from_bytes(said.boot[4:])] = said.next
    for start, numbers in found.items():
        assert numbers == list(range(len(numbers))), f"seed {SEED}, start {start}: {numbers}"
    for start, following in acknowledged.items():
        assert following <= len(found[start]), f"seed {SEED}, start {start}: acknowledged, lost"
    assert list(found) == sorted(found)
    return (
        f"and {early} while starting: {len(found)} starts heard, each under its own boot id; "
        f"{sum(acknowledged.values())} samples acknowledged, "
        f"{sum(map(len, found.values()))} stored, lost 0, doubled 0"
    )
