"""An instrument's line and the source that reads it: what tests and campaigns of it share.

In: a config of configs/instruments, or settings. Out: a source as a task on a real pty, and bytes
as instruments say them, made here by other means than the gateway's.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.config import SerialSource, load
from gateway.records.record import Moment
from gateway.sources.serial import SerialListener
from tests.station import Station, now

CONFIGS = Path(__file__).parent.parent / "configs" / "instruments"
SOURCE = """[gateway]
name = "press-shop"
state_dir = "state"
[[source]]
name = "{name}"
type = "serial"
url = "serial://{path}?baud=115200"
"""


def example(name: str, path: Path) -> str:
    """Give an example config, its line changed to this one."""
    text = (CONFIGS / f"{name}.toml").read_text("utf-8")
    return re.sub(r"serial:///dev/serial/by-id/[^?]+", f"serial://{path}", text)


def settings(path: Path, said: str, name: str = "scale") -> str:
    """Write a config of one source with these settings."""
    return SOURCE.format(name=name, path=path) + said


@asynccontextmanager
async def heard_by(
    station: Station, config: str, clock: Callable[[], Moment] = now
) -> AsyncIterator[SerialListener]:
    """Run the source of a config until the block ends; its task must not have ended before."""
    [source] = load(config).source
    assert isinstance(source, SerialSource)
    listener = SerialListener(source, station.intake(source.name), clock, 20)
    task = asyncio.create_task(listener.run())
    try:
        yield listener
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        await asyncio.wait((task,))


def toledo(weight: int, status: str = "0", tare: int = 0) -> bytes:
    """Say a weight in hundredths of a kilogram as a scale does continuously."""
    whole = f"\x02<{status} {weight:6d}{tare:06d}\r".encode()
    return whole + bytes((-sum(whole) % 128,))


def sics(weight: float, state: str = "S") -> bytes:
    """Answer as a balance does."""
    return f"S {state} {weight:10.2f} g\r\n".encode()
