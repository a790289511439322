"""One serial line, opened and owned: pyserial sets it up, the event loop waits on its descriptor.

In: a line's address, bytes to say. Out: bytes as they come, or an error of the operator's branch:
absent, busy, not permitted, unsuitable, gone. A second owner is refused. Nothing here opens a line
again by itself, and nothing knows what the bytes mean.
"""

import asyncio
import errno
import fcntl
import os
import termios
from contextlib import suppress
from pathlib import Path

import serial
from serial.rs485 import RS485Settings

from gateway.config import HalfDuplex, SerialLine
from gateway.errors import (
    SerialAbsent,
    SerialBusy,
    SerialError,
    SerialGone,
    SerialPermission,
    SerialUnsuitable,
)

_READ_BYTES_MAX = 4096
# How often a silent line's path is looked at: a link by id may come to name another device.
_LOOK_S = 0.5
_PSEUDO_TERMINALS = range(136, 144)  # majors of the kernel's devices.txt
_ABSENT = (errno.ENOENT, errno.ENXIO, errno.ENODEV, errno.EIO, errno.ENOTDIR)
_BUSY = (errno.EBUSY, errno.EAGAIN)
_DENIED = (errno.EACCES, errno.EPERM)


class Port:
    """An open line. Made in a running loop, or not at all: raises a SerialError."""

    def __init__(self, line: SerialLine) -> None:
        self._path = line.path
        try:
            # exclusive is flock: it holds against root too, where TIOCEXCL does not.
            self._serial = serial.Serial(
                port=line.path,
                baudrate=line.baud,
                bytesize=line.letter_bits,
                parity=line.parity,
                stopbits=line.stop_bits,
                timeout=0,
                exclusive=True,
            )
        except (OSError, ValueError, termios.error) as fault:
            raise _explained(line.path, fault) from fault
        self._descriptor: int = self._serial.fileno()
        if line.rs485 is not None:
            self._switch_by_rts(line.rs485)
        # A pseudo-terminal keeps the mark after its owner died, and would never open again.
        if os.major(os.fstat(self._descriptor).st_rdev) not in _PSEUDO_TERMINALS:
            fcntl.ioctl(self._descriptor, termios.TIOCEXCL)

    async def read(self) -> bytes:
        """Wait for bytes; raise SerialGone when the line went away or its path names another."""
        while not await self._readable():
            if self._moved():
                raise SerialGone(path=self._path)
        try:
            said = os.read(self._descriptor, _READ_BYTES_MAX)
        except BlockingIOError:
            return b""
        except OSError as fault:
            raise SerialGone(path=self._path) from fault
        if not said:  # ready to be read and nothing there: hung up
            raise SerialGone(path=self._path)
        return said

    def drain(self) -> bytes:
        """Take what has come and nobody read, at most one buffer of it, without waiting."""
        with suppress(OSError):
            return os.read(self._descriptor, _READ_BYTES_MAX)
        return b""

    def write(self, said: bytes) -> None:
        """Say bytes as far as the line takes them now; whoever needs an answer says them again."""
        with suppress(OSError):
            os.write(self._descriptor, said)

    def close(self) -> None:
        """Give the line back."""
        with suppress(OSError):
            self._serial.close()

    async def _readable(self) -> bool:
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()
        loop.add_reader(self._descriptor, _settle, ready)
        try:
            async with asyncio.timeout(_LOOK_S):
                await ready
        except TimeoutError:
            return False
        finally:
            loop.remove_reader(self._descriptor)
        return True

    def _switch_by_rts(self, how: HalfDuplex) -> None:
        """Let the kernel switch the driver of a half-duplex line; raise SerialUnsuitable."""
        try:
            self._serial.rs485_mode = RS485Settings(
                rts_level_for_tx=how.high_while_sending,
                rts_level_for_rx=not how.high_while_sending,
                delay_before_tx=(how.before_ms + 0.5) / 1000,
                delay_before_rx=(how.after_ms + 0.5) / 1000,
            )
        except (OSError, ValueError) as fault:
            self.close()
            raise _explained(self._path, fault) from fault

    def _moved(self) -> bool:
        try:
            return Path(self._path).stat().st_rdev != os.fstat(self._descriptor).st_rdev
        except OSError:
            return True


def _settle(ready: "asyncio.Future[None]") -> None:
    if not ready.done():
        ready.set_result(None)


def _explained(path: str, fault: Exception) -> SerialError:
    match getattr(fault, "errno", None):
        case number if number in _ABSENT:
            return SerialAbsent(path=path)
        case number if number in _BUSY:
            return SerialBusy(path=path)
        case number if number in _DENIED:
            return SerialPermission(path=path)
    return SerialUnsuitable(path=path, reason=fault)
