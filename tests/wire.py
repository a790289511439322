"""A bad cable between two pseudo-terminals: a device at one end, a gateway's port at the other.

In: a folder, a seed, how noisy it is. Out: two paths to open. It splits, loses and flips bytes, can
be unplugged, and is plugged in again under another name behind the same link, as udev does it.
"""

import asyncio
import os
import pty
import random
import termios
import tty
from contextlib import suppress
from pathlib import Path


class Wire:
    """Both ends are opened by path; runs in the loop in which it was made."""

    def __init__(self, folder: Path, seed: int = 0, noise: float = 0.0) -> None:
        self.device, self.link = folder / "device", folder / "by-id"
        self.noise, self.deaf = noise, False
        self._dice = random.Random(seed)
        self._ends: tuple[int, int] | None = None
        self._before = ""
        self._loop = asyncio.get_running_loop()
        self._to_gateway = bytearray()
        self.answers = bytearray()  # all that the gateway's end said and the device's end got
        self._far = _open()
        self.device.symlink_to(os.ttyname(self._far[1]))
        self._loop.add_reader(self._far[0], self._from_device)
        self._task = self._loop.create_task(self._forward())

    @property
    def name(self) -> str:
        """Name what the link stands for now."""
        return str(self.link.readlink())

    def plug(self) -> None:
        """Make the gateway's end under a name that it did not have before."""
        self.unplug()
        fresh = _open()
        if os.ttyname(fresh[1]) == self._before:  # the kernel gives the lowest free name
            taken, fresh = fresh, _open()
            _close(taken)
        self._ends, self._before = fresh, os.ttyname(fresh[1])
        self.link.symlink_to(self._before)
        self._loop.add_reader(fresh[0], self._from_gateway)

    def unplug(self) -> None:
        """Take the gateway's end away; what is said meanwhile is lost."""
        self.link.unlink(missing_ok=True)
        if self._ends is not None:
            self._loop.remove_reader(self._ends[0])
            _close(self._ends)
        self._ends = None

    def inject(self, said: bytes) -> None:
        """Let the gateway hear bytes that no device said."""
        self._to_gateway += said

    def within_frame(self) -> list[int]:
        """Say after how many of the bytes on their way the next is inside a frame."""
        said = self._to_gateway
        return [at for at in range(1, len(said)) if said[at - 1] != 0 and said[at] != 0]

    def cut(self, count: int) -> None:
        """Lose all that is on its way, both ways, but for `count` bytes to the gateway."""
        del self._to_gateway[count:]
        termios.tcflush(self._far[1], termios.TCIOFLUSH)
        self._from_device()
        del self._to_gateway[count:]

    def close(self) -> None:
        """End it."""
        self._task.cancel()
        self.unplug()
        self._loop.remove_reader(self._far[0])
        _close(self._far)

    def _from_device(self) -> None:
        with suppress(BlockingIOError):
            self._to_gateway += self._hurt(os.read(self._far[0], 4096))

    def _from_gateway(self) -> None:
        assert self._ends is not None
        said = os.read(self._ends[0], 4096)
        if not self.deaf:
            with suppress(BlockingIOError):
                hurt = self._hurt(said)
                self.answers += hurt[: os.write(self._far[0], hurt)]

    async def _forward(self) -> None:
        """Hand on what was said in small pieces, so that frames are split anywhere."""
        while True:
            count = self._dice.randrange(1, 40)
            piece, self._to_gateway = self._to_gateway[:count], self._to_gateway[count:]
            if piece and self._ends is not None:
                with suppress(BlockingIOError):
                    os.write(self._ends[0], piece)
            await asyncio.sleep(0.001 if self._to_gateway else 0.005)

    def _hurt(self, said: bytes) -> bytes:
        hurt = bytearray(said)
        if self._dice.random() < self.noise:
            at = self._dice.randrange(len(hurt))
            hurt[at] ^= 1 << self._dice.randrange(8)
        if self._dice.random() < self.noise:
            hurt += self._dice.randbytes(self._dice.randrange(1, 30))
        if self._dice.random() < self.noise:
            del hurt[self._dice.randrange(len(hurt)) :]
        return bytes(hurt)


def _open() -> tuple[int, int]:
    """Make a pseudo-terminal; both ends stay open, so that neither side's leaving hangs it up."""
    near, far = pty.openpty()
    tty.setraw(far)
    os.set_blocking(near, False)
    return near, far


def _close(ends: tuple[int, int]) -> None:
    for end in ends:
        os.close(end)
