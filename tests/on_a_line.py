"""A device, a cable and a source on one line: what tests and campaigns of it share.

In: paths. Out: the real C device as a process, the source as a task, and what the store then holds.
"""

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from gateway.config import FramedSource
from gateway.records.record import Moment
from gateway.sources.framed import FramedListener
from tests.station import Station, now
from tests.wire import Wire


@dataclass
class Child:
    """The real device in a process of its own."""

    process: "subprocess.Popen[bytes]"
    out: Path

    def said(self, what: str) -> list[int]:
        """Give the numbers of the lines that begin so."""
        lines = (line.split() for line in self.out.read_text().splitlines())
        return [int(words[1]) for words in lines if words[0] == what]

    def gone(self) -> bool:
        return self.process.poll() is not None


@contextmanager
def running(program: Path, path: Path, *options: str) -> Iterator[Child]:
    """Run the device on a line."""
    out = path.with_suffix(".out")
    with out.open("wb") as file:
        process = subprocess.Popen((program, path, "--name", "mcu", *options), stdout=file)
    try:
        yield Child(process, out)
    finally:
        process.kill()
        process.wait()


@asynccontextmanager
async def listening(
    station: Station,
    path: Path,
    clock: Callable[[], Moment] = now,
    source: FramedSource | None = None,
) -> AsyncIterator[FramedListener]:
    """Run a source until the block ends; its task must not have ended before.

    `source` says more of it than that it is `mcu-7`; its url is not looked at.
    """
    url = f"serial://{path}?baud=115200"
    config = FramedSource(name="mcu-7", url=url) if source is None else replace(source, url=url)
    listener = FramedListener(config, station.intake(config.name), clock, 20)
    task = asyncio.create_task(listener.run())
    try:
        yield listener
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        await asyncio.wait((task,))


@asynccontextmanager
async def wired(folder: Path, seed: int = 0, noise: float = 0.0) -> AsyncIterator[Wire]:
    wire = Wire(folder, seed, noise)
    wire.plug()
    try:
        yield wire
    finally:
        wire.close()


async def until(holds: Callable[[], bool], seconds: float = 20.0) -> float:
    """Wait until something holds; give the seconds that it took."""
    start = time.monotonic()
    while not holds():
        assert time.monotonic() - start < seconds, "it did not come to hold in time"
        await asyncio.sleep(0.01)
    return time.monotonic() - start


async def stores(it: FramedListener, count: int) -> None:
    """Wait until a source has stored so many."""
    await until(lambda: it.counts["stored"] >= count)


async def replug(wire: Wire, it: FramedListener, away_s: float) -> float:
    """Unplug, and plug in under another name; give the seconds until the next reading is stored."""
    before = wire.name
    wire.unplug()
    await until(lambda: it.state == "absent", 5)
    await asyncio.sleep(away_s)
    stored = it.counts["stored"]
    wire.plug()
    assert wire.name != before
    return await until(lambda: it.counts["stored"] > stored, 5)


def reading_of(number: int) -> tuple[str, float]:
    """Say what the device samples under a number (port/posix.c)."""
    return ("strokes", number) if number % 2 else ("temperature", (200 + number % 100) / 10)


def heard(station: Station) -> list[tuple[str, object]]:
    return [(reading.metric, reading.value) for reading in station.stored()]
