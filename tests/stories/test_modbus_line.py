"""Five units on a bus at 19200 baud, one of them dead, a second bus beside; and bad answers."""

import asyncio
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from statistics import mean
from typing import Final

from gateway.readings.reading import Quality, Reading
from tests.agents import HULIAN, AgentProcess
from tests.faults import modbus as faults
from tests.modbus_peer import Units, units

BAUD: Final = 19_200
DEAD: Final = 3
POLL_MS: Final = 400
_BAD: Final = 2_000
# The bus carries five units, and between their polls there is time for one time-out.
_SOURCE: Final = """
[[source]]
name = "{name}"
type = "modbus"
url = "{url}"
unit_id = {number}
poll_ms = {poll_ms}
timeout_ms = 100
backoff_ms_max = 3200
stale_ms = 5000
[[source.metric]]
name = "strokes"
register = "holding:0"
type = "uint32"
[[source.metric]]
name = "last"
register = "holding:9"
"""


@contextmanager
def _buses(folder: Path) -> Iterator[tuple[Units, Units]]:
    """Run five units on a paced line, and one on a line of its own, in a thread of their own."""
    ready, stop = threading.Event(), threading.Event()
    made: list[Units] = []

    async def serve() -> None:
        async with AsyncExitStack() as stack:
            for numbers in ((1, 2, DEAD, 4, 5), (9,)):
                made.append(
                    await stack.enter_async_context(units("rtu", folder, *numbers, baud=BAUD))
                )
            ready.set()
            while not stop.is_set():
                await asyncio.sleep(0.05)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(20)
    try:
        yield made[0], made[1]
    finally:
        stop.set()
        thread.join()


def _config(shared: Units, own: Units) -> str:
    listed = [(f"unit-{number}", shared.url, number) for number in (1, 2, DEAD, 4, 5)]
    return "".join(
        _SOURCE.format(name=name, url=url, number=number, poll_ms=POLL_MS)
        for name, url, number in (*listed, ("beside", own.url, 9))
    )


def _period_ms(readings: list[Reading], device: str, since_ms: int, until_ms: int) -> float:
    """Give the mean period of a device between two moments."""
    times = [
        each.time_ms
        for each in readings
        if each.device == device and each.metric == "strokes" and each.time_ms is not None
    ]
    return mean(two - one for one, two in pairwise(times) if since_ms < one and two < until_ms)


def _show_that_the_last_values_are_bad(agent: AgentProcess) -> None:
    """See in a query that the dead unit's last row of each metric is bad, and only that."""

    def ask(shape: str) -> str:
        asked = ["query", "--device", f"unit-{DEAD}", "--format", shape]
        said = [*HULIAN, "--config", str(agent.config), *asked]
        return subprocess.run(said, capture_output=True, text=True, check=True, timeout=60).stdout

    rows = [json.loads(line) for line in ask("jsonl").splitlines()]
    for metric in ("strokes", "last"):
        qualities = [each["quality"] for each in rows if each.get("metric") == metric]
        assert qualities[-1] == "bad" and set(qualities[:-1]) == {"good"}
    shown = [line.split() for line in ask("table").splitlines() if f"unit-{DEAD}" in line]
    assert ["bad" in line for line in shown] == [*(False for _ in shown[2:]), True, True]


def test_a_dead_unit_leaves_its_bus_and_the_other_in_step(
    tmp_path: Path, figures: Callable[..., None]
) -> None:
    """One of five units dies: the others' period stays within 10 %, and that of another bus too."""
    with _buses(tmp_path) as (shared, own):
        agent = AgentProcess(tmp_path, "line", _config(shared, own))
        agent.start()
        try:
            agent.listen()
            all_ms = time.time_ns() // 1_000_000
            time.sleep(8)
            died_ms = time.time_ns() // 1_000_000
            shared.deaf.add(DEAD)
            time.sleep(12)
            status = agent.status()
            states = {each["name"]: each["state"] for each in status["sources"]}
            presence = {each["name"]: each["state"] for each in status["devices"]}
            _show_that_the_last_values_are_bad(agent)
            end_ms = time.time_ns() // 1_000_000
        finally:
            agent.stop()
    assert states == {
        f"unit-{n}": "silent" if n == DEAD else "connected" for n in (1, 2, 3, 4, 5)
    } | {"beside": "connected"}
    readings = agent.readings()
    sound = [f"unit-{n}" for n in (1, 2, 4, 5)]
    alive = [_period_ms(readings, each, all_ms, died_ms) for each in (*sound, "beside")]
    with_dead = [_period_ms(readings, each, died_ms, end_ms) for each in (*sound, "beside")]
    for period_ms in (*alive, *with_dead):
        assert abs(period_ms / POLL_MS - 1) < 0.1, (alive, with_dead)
    # Its last values were said once more, as bad, and are no sign of life.
    late = [
        each
        for each in readings
        if each.device == f"unit-{DEAD}" and (each.time_ms or 0) > died_ms + 100
    ]
    assert sorted((each.metric, each.quality) for each in late) == [
        ("last", Quality.BAD),
        ("strokes", Quality.BAD),
    ]
    assert presence[f"unit-{DEAD}"] == "stale" and presence["unit-1"] == "fresh"
    figures(
        others_period_ms=round(mean(with_dead[:4]), 1),
        other_bus_period_ms=round(with_dead[4], 1),
        wanted_period_ms=POLL_MS,
    )


def test_bad_answers_sign_nothing_wrong(figures: Callable[..., None]) -> None:
    """2,000 answers late, of others, broken, short, long or refused: 0 wrong values are signed."""
    told = faults.campaign(_BAD, faults.SEED)
    assert " 0 wrong" in told
    figures(bad_answers=int(told.split()[0]), wrong_values=0)
