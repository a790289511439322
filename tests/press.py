"""A press on a serial line of its own, which answers in a thread and remembers every write.

In: nothing. Out: a url, the config of its source with a point that people of birch may order, what
was written to it, and what its register holds.
"""

import asyncio
import struct
import threading
from typing import Final

from tests.modbus_slave import Slave

ADDRESS: Final = 40
WRITES: Final = (5, 6, 16)
# Longer than a test takes to stop a broker, shorter than its gateway's patience.
SLOW_MS: Final = 1500.0
SOURCE: Final = """
[[source]]
name = "press-1"
type = "modbus"
url = "{url}"
poll_ms = 400
timeout_ms = 4000
backoff_ms_max = 400

[[source.metric]]
name = "set_point"
register = "holding:40"
type = "float64"
unit = "kPa"

[[source.point]]
name = "pressure"
register = "holding:40"
type = "float64"
unit = "kPa"
min = 100
max = 250
orders_from = ["birch"]
approvals = 1
organisations = 1
"""


class Press:
    """The press: a unit on a serial line of its own, in a thread of its own."""

    def __init__(self) -> None:
        self.slave = Slave("rtu", 1, 0.0, late_ms=(0.0, SLOW_MS))
        words = struct.unpack(">4H", struct.pack(">d", 120.0))
        for at, word in enumerate(words):
            self.slave.held[1, "holding", ADDRESS + at] = word
        self._ready, self._ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()
        assert self._ready.wait(20)

    async def _serve(self) -> None:
        await self.slave.start()
        self._ready.set()
        while not self._ended.is_set():
            await asyncio.sleep(0.05)
        await self.slave.stop()

    def stop(self) -> None:
        """Say nothing more."""
        self._ended.set()
        self._thread.join()

    @property
    def written(self) -> list[float]:
        """Give every value that was ever written to it, in order."""
        said = [each for each in self.slave.asked.copy() if each.function in WRITES]
        assert all((each.function, each.start) == (16, ADDRESS) for each in said)
        return [struct.unpack(">d", each.said)[0] for each in said]

    @property
    def shows(self) -> float:
        """Give what is in its register."""
        words = [self.slave.held[1, "holding", ADDRESS + at] for at in range(4)]
        return float(struct.unpack(">d", struct.pack(">4H", *words))[0])

    def polled(self) -> int:
        """Count how often it was asked for anything."""
        return len(self.slave.asked)
