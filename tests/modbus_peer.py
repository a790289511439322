"""Units that we did not write: pymodbus's servers, over TCP, over RTU, and over RTU within TCP.

In: which of the three, and a folder. Out: a url that a source takes, and units whose registers a
test sets. Units may be made deaf. They run in the loop of the test.
"""

import asyncio
import os
import pty
import socket
import tty
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pymodbus.framer import FramerType
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

WAYS: Final = ("rtu", "rtu+tcp", "tcp")
REGISTERS: Final = 200
_BITS_A_LETTER: Final = 11


@dataclass
class Units:
    """What stands behind a url; its holding registers and coils are set at any time."""

    url: str
    server: ModbusTcpServer | ModbusSerialServer
    deaf: set[int] = field(default_factory=set)
    asked: deque[bytes] = field(default_factory=lambda: deque(maxlen=10_000))

    async def put(self, unit: int, start: int, *words: int) -> None:
        """Set holding registers."""
        await self.server.async_setValues(unit, 16, start, list(words))

    async def switch(self, unit: int, start: int, *coils: bool) -> None:
        """Set coils."""
        await self.server.async_setValues(unit, 15, start, list(coils))

    def trace(self, sending: bool, said: bytes) -> bytes:
        """Keep what is asked; say nothing in the name of deaf units."""
        if not sending:
            self.asked.append(said)
        at = 6 if self.url.startswith("tcp:") else 0
        if sending and len(said) > at and said[at] in self.deaf:
            return b""
        return said


def _device(unit: int) -> SimDevice:
    bits = [SimData(0, values=[False] * 64, datatype=DataType.BITS)]
    inputs = [SimData(0, values=[True, False] * 32, datatype=DataType.BITS)]
    holding = [SimData(0, values=[0] * REGISTERS, datatype=DataType.REGISTERS)]
    read_only = [SimData(0, values=list(range(7, 7 + REGISTERS)), datatype=DataType.REGISTERS)]
    return SimDevice(unit, (bits, inputs, holding, read_only))


@asynccontextmanager
async def units(
    way: str, folder: Path, *numbers: int, baud: int = 0, port: int = 0
) -> AsyncIterator[Units]:
    """Run units with these numbers; `baud` paces a serial line, `port` is not any free one."""
    devices = [_device(number) for number in numbers]
    if way == "rtu":
        async with cable(folder, baud) as (near, far):
            server = ModbusSerialServer(devices, port=str(far), baudrate=baud or 19200, parity="N")
            url = f"serial://{near}?baud={baud or 19200}&parity=N"
            async with _serving(Units(url, server)) as running:
                yield running
        return
    if not port:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
    framer = FramerType.SOCKET if way == "tcp" else FramerType.RTU
    tcp = ModbusTcpServer(devices, framer=framer, address=("127.0.0.1", port))
    async with _serving(Units(f"{way}://127.0.0.1:{port}", tcp)) as running:
        yield running


@asynccontextmanager
async def _serving(running: Units) -> AsyncIterator[Units]:
    running.server.trace_packet = running.trace
    await running.server.serve_forever(background=True)
    try:
        yield running
    finally:
        await running.server.shutdown()  # type: ignore[no-untyped-call]


@asynccontextmanager
async def cable(folder: Path, baud: int = 0) -> AsyncIterator[tuple[Path, Path]]:
    """Join two serial ports; with a baud rate, each byte takes its time."""
    ends = [_end(), _end()]
    paths = [folder / f"{name}-{ends[0][0]}" for name in ("near", "far")]
    for path, (_, slave) in zip(paths, ends, strict=True):
        path.symlink_to(os.ttyname(slave))
    masters = [master for master, _ in ends]
    tasks = [
        asyncio.create_task(_carry(one, other, baud)) for one, other in (masters, masters[::-1])
    ]
    try:
        yield paths[0], paths[1]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        for path, end in zip(paths, ends, strict=True):
            path.unlink()
            os.close(end[0])
            os.close(end[1])


def _end() -> tuple[int, int]:
    master, slave = pty.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    return master, slave


async def _carry(source: int, sink: int, baud: int) -> None:
    """Carry bytes one way, at once or at the line's pace."""
    loop = asyncio.get_running_loop()
    some, waiting, free_s = asyncio.Event(), bytearray(), 0.0

    def take() -> None:
        with suppress(BlockingIOError):
            waiting.extend(os.read(source, 4096))
        some.set()

    loop.add_reader(source, take)
    letter_s = _BITS_A_LETTER / baud if baud else 0.0
    try:
        while True:
            await some.wait()
            some.clear()
            free_s = max(free_s, loop.time())
            while waiting:
                # As many letters as a millisecond has: a timer is no finer.
                count = len(waiting) if not letter_s else max(1, int(0.001 / letter_s))
                piece = bytes(waiting[:count])
                del waiting[:count]
                free_s += letter_s * len(piece)
                await asyncio.sleep(max(0.0, free_s - loop.time()))
                os.write(sink, piece)
    finally:
        loop.remove_reader(source)
