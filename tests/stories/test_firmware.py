"""Firmware: a Cortex-M3's readings reach the store through resets, power cuts and kills, once."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import cbor2

from gateway.readings.reading import Reading
from gateway.records import record
from gateway.records.record import ClockSource, Kind, Moment
from gateway.store import database
from tests.agents import AgentProcess
from tests.emulator import PERIOD_MS, Board, build, by_start, needs_board, symbols
from tests.on_a_line import listening, stores
from tests.station import Station, now
from tests.vectors.build_keyed import KEY, OTHER

pytestmark = needs_board

# Where bridge.h keeps `oldest`, the number below which all is acknowledged, on a Cortex-M3.
_OLDEST_AT, _NEXT_AT = 16, 32
_SOURCE = """
[[source]]
name = "press-m3"
type = "framed"
url = "serial://{path}?baud=115200"
"""


def test_a_board_is_heard_through_resets_power_cuts_and_kills(
    tmp_path: Path, figures: Callable[..., None]
) -> None:
    """Of each start the store holds the first samples, once, in order; at least what was ACKed."""
    elf = build(tmp_path)
    board, agent = Board(tmp_path, elf), AgentProcess(tmp_path, "m3", "")
    agent.config.write_text(agent.config.read_text() + _SOURCE.format(path=board.tty))
    acknowledged, lost_in_ram = [], 0
    board.power_on()
    agent.start()
    try:
        for turn in range(9):
            _until_more(agent, 40)
            if turn % 3 == 2:
                agent.kill()
                agent.start()
                continue
            board.halt()
            oldest, following = _numbers(board, elf)
            acknowledged.append(oldest)
            lost_in_ram += following - oldest
            if turn % 3 == 0:
                board.reset()
                board.ask("cont")
            else:
                board.cut_power()
                board.power_on()
        _until_more(agent, 40)
        board.halt()
        acknowledged.append(_numbers(board, elf)[0])
        agent.stop()
    finally:
        board.cut_power()
        agent.end()
    readings = agent.readings()
    found = by_start([(it.metric, it.value) for it in readings])
    assert list(found) == list(range(1, 8))
    for numbers, known in zip(found.values(), acknowledged, strict=True):
        assert numbers == list(range(len(numbers)))
        assert known <= len(numbers)
    _check_times(readings)
    figures(starts=len(found), stored=len(readings), acknowledged=sum(acknowledged))
    figures(acknowledged_and_lost=0, doubled=0, waiting_in_ram_when_cut=lost_in_ram)


def test_a_board_heard_before_the_clock_is_set_is_heard_on(tmp_path: Path) -> None:
    """Samples without a time and then with one: none missing between, and each at its own time."""
    board, station, moments = (
        Board(tmp_path, build(tmp_path)),
        Station(tmp_path),
        [ClockSource.UNSET],
    )

    def clock() -> Moment:
        moment = now()
        if moments[-1] is ClockSource.UNSET:
            return Moment(0, 0, ClockSource.UNSET, moment.boot, moment.monotonic_ms)
        return moment

    async def story() -> None:
        async with listening(station, board.tty, clock) as it:
            await stores(it, 50)
            moments.append(ClockSource.NTP)
            await stores(it, 150)

    board.power_on()
    try:
        asyncio.run(story())
    finally:
        board.cut_power()
        station.close()
    readings = station.stored()
    (numbers,) = by_start([(it.metric, it.value) for it in readings]).values()
    assert numbers == list(range(len(readings)))
    set_at = next(at for at, it in enumerate(readings) if it.time_ms is not None)
    assert set_at >= 50
    assert all(it.time_ms is None and it.monotonic_ms is not None for it in readings[:set_at])
    assert all(it.time_ms is not None and it.monotonic_ms is None for it in readings[set_at:])
    _check_times(readings[set_at:])
    # Both clocks are this computer's: what was heard before belongs where monotonic time says.
    moment, first, last = now(), readings[set_at].time_ms, readings[set_at - 1].monotonic_ms
    assert first is not None and last is not None
    told_ms = first - (moment.unix_ms - moment.monotonic_ms) - last
    assert abs(told_ms - PERIOD_MS) < 250


def test_only_the_board_with_the_key_is_believed_to_be_the_device(
    tmp_path: Path, figures: Callable[..., None]
) -> None:
    """Under another key nothing is stored; under its own each reading is device-authenticated."""
    key_file = tmp_path / "press.key"
    key_file.write_text(OTHER.hex())
    key_file.chmod(0o600)
    numbers = ",".join(str(byte) for byte in KEY)
    board = Board(tmp_path, build(tmp_path, f"-DBRIDGE_KEYED -DBOARD_KEY={numbers}"))
    agent = AgentProcess(tmp_path, "m3", "")
    keyed = _SOURCE.format(path=board.tty) + f'key_file = "{key_file}"\n'
    agent.config.write_text(agent.config.read_text() + keyed)
    board.power_on()
    agent.start()
    try:
        time.sleep(3)  # three times the device's pause between two tries
        assert agent.readings() == []
        agent.stop()
        key_file.write_text(KEY.hex())
        agent.start()
        _until_more(agent, 300)
        board.cut_power()
        board.power_on()
        _until_more(agent, 100)
        agent.stop()
    finally:
        board.cut_power()
        agent.end()
    readings = agent.readings()
    found = by_start([(it.metric, it.value) for it in readings])
    assert list(found) == [1, 2]
    # Where the gateway is slow to start, the board's memory fills: what it drops is said.
    missing = sum(numbers[-1] + 1 - len(numbers) for numbers in found.values())
    assert all(numbers == sorted(set(numbers)) for numbers in found.values())
    assert missing <= agent.missed()
    assert _provenances(agent) == {"device-authenticated"}
    figures(device_authenticated=len(readings))


def _provenances(agent: AgentProcess) -> set[str]:
    """Give who stands for the readings, of all that the store holds."""
    db = database.connect_to_read(str(agent.state_dir / "store.db"))
    rows = db.execute("SELECT body FROM records WHERE kind = ?", (int(Kind.OBSERVATION),))
    packs = [cbor2.loads(bytes(body)[record.SALT_BYTES :]) for (body,) in rows]
    db.close()
    return {entry["bp"] for pack in packs for entry in pack if "bp" in entry}


def _until_more(agent: AgentProcess, count: int) -> None:
    """Wait until so many more readings are stored."""
    until = time.monotonic() + 30
    wanted = len(agent.readings()) + count
    while len(agent.readings()) < wanted:
        assert time.monotonic() < until, agent.log()
        time.sleep(0.05)


def _numbers(board: Board, elf: Path) -> tuple[int, int]:
    """Ask the board's own memory what it has let go of, and what it would number next."""
    memory = board.memory(symbols(elf)["b"], _NEXT_AT + 8)
    oldest, following = memory[_OLDEST_AT : _OLDEST_AT + 8], memory[_NEXT_AT:]
    return int.from_bytes(oldest, "little"), int.from_bytes(following, "little")


def _check_times(readings: list[Reading]) -> None:
    """Within a start samples are PERIOD_MS apart, as far as a shared computer lets them be."""
    starts: dict[int, list[int]] = {}
    for it in readings:
        (start,) = by_start([(it.metric, it.value)])
        assert it.time_ms is not None
        starts.setdefault(start, []).append(it.time_ms)
    for times in starts.values():
        late = [at_ms - times[0] - number * PERIOD_MS for number, at_ms in enumerate(times)]
        assert max(map(abs, late)) < 500, late
