"""A tank and a pump: two machines of two companies, joined by nothing but a pipe.

In: a folder. Out: the tank's level, said by firmware_bridge's code on a line; a Modbus unit on
another line whose one register takes litres, which then are in the tank. People may take out and
pour in by hand.
"""

import asyncio
import os
import pty
import select
import threading
import time
import tty
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from gateway.readings.frame import Metric, Sample
from tests.bridge_c import Device, build
from tests.modbus_slave import Slave

REFILL = 7  # the pump's register
_WRITES, _GOOD = (6, 16), 0
_PERIOD_S, _TURN_MS = 0.25, 5


@dataclass
class Plant:
    """Both machines; what is in the tank is what was there, came, and went."""

    tank_url: str
    pump: Slave
    by_hand: float

    def poured(self) -> list[int]:
        """Give what the pump was told to pour, in order, by what came over its line."""
        told = [each for each in self.pump.asked if each.function in _WRITES]
        return [int.from_bytes(each.said[:2]) for each in told if each.start == REFILL]

    @property
    def level(self) -> float:
        """Say what is in the tank, in litres."""
        return self.by_hand + sum(self.poured())

    def bring_to(self, level: float) -> None:
        """Take out, or pour in, by hand."""
        self.by_hand += level - self.level


@contextmanager
def plant(folder: Path, level: float) -> Iterator[Plant]:
    """Run both machines until the block ends."""
    with ExitStack() as ending:
        pump = ending.enter_context(_pump())
        line = _Line(folder)
        ending.callback(line.close)
        made = Plant(line.url, pump, level)
        firmware = build(folder)
        device = Device(firmware, b"tank-one", (Metric("level", "l"),), "tank-1")
        assert device.started == ""
        stop = threading.Event()
        thread = threading.Thread(target=_live, args=(device, line, made, stop))
        thread.start()
        ending.callback(thread.join)
        ending.callback(stop.set)
        yield made


class _Line:
    """A pseudo-terminal; it is said whether somebody is at its other end."""

    def __init__(self, folder: Path) -> None:
        self.near, far = pty.openpty()
        tty.setraw(far)
        os.set_blocking(self.near, False)
        path = folder / "tank"
        path.symlink_to(os.ttyname(far))
        os.close(far)  # from now on POLLHUP tells that nobody is there
        self.url = f"serial://{path}?baud=115200"
        self._poll = select.poll()
        self._poll.register(self.near, select.POLLIN)

    def close(self) -> None:
        os.close(self.near)

    def heard(self) -> bytes | None:
        """Give what came within a turn; None while nobody is there, who would hear it too late."""
        for _, event in self._poll.poll(_TURN_MS):
            if event & select.POLLHUP:
                time.sleep(_TURN_MS / 1000)
                return None
        with suppress(OSError):
            return os.read(self.near, 4096)
        return b""


def _live(device: Device, line: _Line, tank: Plant, stop: threading.Event) -> None:
    """Be the tank's board: sample its level, and speak and listen as it can."""
    due_s = time.monotonic()
    while not stop.is_set():
        heard, now_s = line.heard(), time.monotonic()
        device.now_ms = int(1000 * now_s)
        if now_s >= due_s:
            device.keep(Sample(0, _GOOD, -1, round(10 * tank.level), 0))
            due_s = now_s + _PERIOD_S
        if heard is not None:
            device.hear(heard)
            with suppress(OSError):
                os.write(line.near, device.say())


@contextmanager
def _pump() -> Iterator[Slave]:
    """Run the pump's controller in a thread of its own."""
    pump, ready, stop = Slave("rtu", 1, 0.0), threading.Event(), threading.Event()

    async def serve() -> None:
        await pump.start()
        pump.held[1, "holding", REFILL] = 0
        ready.set()
        while not stop.is_set():
            await asyncio.sleep(0.05)
        await pump.stop()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(20)
    try:
        yield pump
    finally:
        stop.set()
        thread.join()
