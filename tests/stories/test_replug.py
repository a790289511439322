"""Replug: adapters come back under another tty, and their instruments are heard again at once."""

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw

from gateway.readings import senml
from gateway.readings.reading import Reading
from gateway.records import record
from gateway.records.record import Kind
from gateway.store import database
from tests.agents import AgentProcess
from tests.on_an_instrument import example, sics, toledo
from tests.wire import Wire

TIMES = 50
_AGAIN_S_MAX = 5.0
_PERIOD_S = 0.05


class _Heard:
    """What the agent's store holds, read as it grows by somebody who is not the agent."""

    def __init__(self, path: Path) -> None:
        self._db: apsw.Connection = database.connect_to_read(str(path))
        self._place = -1
        self.readings: list[Reading] = []

    def of(self, device: str) -> int:
        """Count the readings of a device."""
        rows: list[tuple[Any, ...]] = self._db.execute(
            "SELECT place, encoded, body FROM records WHERE place > ? ORDER BY place",
            (self._place,),
        ).fetchall()
        for place, encoded, body in rows:
            parsed, self._place = record.parse(encoded), int(place)
            if parsed.kind is Kind.OBSERVATION:
                self.readings += senml.decode(record.check_body(parsed, body))
        return sum(one.device == device for one in self.readings)


def _weights() -> Iterator[int]:
    number = 0
    while True:
        number += 1
        yield number


async def _speak(wire: Wire, say: Callable[[int], bytes], said: list[int]) -> None:
    """Say one telegram after the other, whether anybody listens or not."""
    for number in _weights():
        said.append(number)
        wire.inject(say(number))
        await asyncio.sleep(_PERIOD_S)


async def _until(heard: _Heard, device: str, more_than: int) -> float:
    started = time.monotonic()
    while heard.of(device) <= more_than:
        assert time.monotonic() - started < _AGAIN_S_MAX, f"{device} is not heard again"
        await asyncio.sleep(0.02)
    return time.monotonic() - started


async def _story(folders: tuple[Path, Path], agent: AgentProcess) -> tuple[float, int, int]:
    """Replug one adapter after the other; give the slowest return, and how many were stored."""
    dice = random.Random(50)
    wires = {"truck-scale": Wire(folders[0], 1), "balance-3": Wire(folders[1], 2)}
    says = {"truck-scale": toledo, "balance-3": lambda number: sics(number / 100)}
    said: dict[str, list[int]] = {name: [] for name in wires}
    # Both are absent when the agent starts, and that is no fault.
    await asyncio.to_thread(agent.start)
    at_first = (await asyncio.to_thread(agent.status))["sources"]
    assert [each["state"] for each in at_first] == ["absent", "absent"]
    tasks = [
        asyncio.create_task(_speak(wire, says[name], said[name])) for name, wire in wires.items()
    ]
    heard, slowest_s = _Heard(agent.state_dir / "store.db"), 0.0
    try:
        for name, wire in wires.items():
            wire.plug()
            await _until(heard, name, 0)
        for turn in range(TIMES):
            name = list(wires)[turn % len(wires)]
            wire, before = wires[name], wires[name].name
            wire.unplug()
            await asyncio.sleep(0.05 + dice.random() / 4)
            count = heard.of(name)
            wire.plug()
            assert wire.name != before
            slowest_s = max(slowest_s, await _until(heard, name, count))
        shown = await asyncio.to_thread(agent.status)
        assert {each["name"]: each["state"] for each in shown["sources"]} == dict.fromkeys(
            wires, "connected"
        )
        assert {each["name"] for each in shown["devices"] if each["state"] == "fresh"} == set(wires)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for wire in wires.values():
            wire.close()
    await asyncio.to_thread(agent.stop)
    for name in wires:
        _was_said(heard, name, said[name])
    return slowest_s, len(heard.readings), sum(map(len, said.values()))


def _was_said(heard: _Heard, name: str, said: list[int]) -> None:
    """What is stored was said, each once, in order: no half telegram, nothing doubled."""
    heard.of(name)
    read = [
        round(100 * float(one.value))
        for one in heard.readings
        if one.device == name and one.metric == "weight"
    ]
    assert read == sorted(set(read))
    assert set(read) <= set(said)


def test_instruments_are_heard_again_under_another_name(
    tmp_path: Path, figures: Callable[..., None]
) -> None:
    """Fifty replugs behind a by-id link: heard again within 5 s each, nothing wrong or doubled."""
    folders = (tmp_path / "one", tmp_path / "two")
    for folder in folders:
        folder.mkdir()
    scale = example("scale-toledo", folders[0] / "by-id")
    balance = example("scale-sics", folders[1] / "by-id")
    balance = "\n".join(
        line
        for line in balance.split("\n")
        if not line.startswith(("ask", "poll_ms", "timeout_ms", "late_ms_max"))
    )
    sources = "\n".join("[[source]]" + text.partition("[[source]]")[2] for text in (scale, balance))
    agent = AgentProcess(tmp_path, "loading", sources)
    try:
        slowest_s, stored, said = asyncio.run(_story(folders, agent))
    finally:
        agent.kill()
    figures(replugs=TIMES, slowest_s=round(slowest_s, 2), readings=stored, telegrams=said)
