"""Modbus on a line: one question, one answer, over RTU, RTU over TCP, or TCP.

In: a unit, a request, how many bytes of values it asks for. Out: the answer as it followed the
unit's number, or an AnswerError, or that the way is gone. pymodbus writes the frames and checks
them; whose bytes are believed, and until when, is decided here: its own client takes what comes
late, and looks for a frame within noise. It never asks twice, and never opens the way again.
Chapter: docs/devices/modbus.md.
"""

import asyncio
from collections.abc import Callable, Iterator
from typing import Final, Protocol

from pymodbus.framer import FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU
from pymodbus.pdu.bit_message import (
    ReadCoilsRequest,
    ReadDiscreteInputsRequest,
    WriteSingleCoilRequest,
)
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadInputRegistersRequest,
    WriteMultipleRegistersRequest,
    WriteSingleRegisterRequest,
)

from gateway.config import Bus, SerialLine, TcpBus
from gateway.errors import (
    AnswerError,
    BusUnreachable,
    LongAnswer,
    NoAnswer,
    ShortAnswer,
    WrongCount,
    WrongCrc,
    WrongFunction,
    WrongHeader,
    WrongUnit,
)
from gateway.transport.serial import Port

_REQUESTS: Final = {
    1: ReadCoilsRequest,
    2: ReadDiscreteInputsRequest,
    3: ReadHoldingRegistersRequest,
    4: ReadInputRegistersRequest,
}
# The functions that write; each is answered by what was asked for, in so many bytes.
_WRITES: Final = (5, 6, 16)
_ECHO_BYTES: Final = 3
_REFUSAL: Final = 0x80
_REFUSAL_BYTES: Final = 5  # of a refusal as an RTU frame
_HEADER_BYTES: Final = 6  # of TCP, before the unit's number
_FRAME_BYTES_MAX: Final = 260
# A line that never falls silent is asked all the same; what it says is refused then.
_HUSH_S_MAX: Final = 1.0
_CONNECT_S: Final = 3.0
_LETTER_BITS: Final = 11
# Above 19200 baud the specification fixes the silence between frames; USB adapters need more.
_SILENCE_S_MIN: Final = 0.00175
_SILENCE_LETTERS: Final = 3.5
_SILENCE_TCP_S: Final = 0.002


class Stream(Protocol):
    """Bytes both ways: a serial line, or a TCP connection."""

    async def read(self) -> bytes:
        """Wait for bytes; raise an OperatorError when the way is gone."""

    def drain(self) -> bytes:
        """Take what has come, without waiting."""

    def write(self, said: bytes) -> None:
        """Say bytes."""

    def close(self) -> None:
        """Give it back."""


class Wire(Protocol):
    """A way to units. `numbered` says that answers carry the number of their question."""

    numbered: bool
    strays: int  # frames that nobody waited for any more, since it was opened

    async def ask(self, unit: int, request: bytes, size: int, patience_s: float) -> bytes:
        """Ask, and give the answer from its function on; raise an AnswerError."""

    async def hush(self, silence_s: float) -> int:
        """Throw away what comes until nothing has come for so long; give how many bytes."""

    def flush(self) -> int:
        """Throw away what has come; give how many bytes."""

    def close(self) -> None:
        """Give it back."""


def request(function: int, start: int, count: int) -> bytes:
    """Write a request to read, from its function on."""
    return bytes([function]) + _REQUESTS[function](address=start, count=count).encode()


def command(function: int, start: int, said: bytes) -> bytes:
    """Write a request to write a coil, a register or several, from its function on."""
    words = [int.from_bytes(said[at : at + 2]) for at in range(0, len(said), 2)]
    match function:
        case 5:
            encoded = WriteSingleCoilRequest(address=start, bits=[bool(words[0])]).encode()
        case 6:
            encoded = WriteSingleRegisterRequest(address=start, registers=words).encode()
        case _:
            several = WriteMultipleRegistersRequest(
                address=start, count=len(words), registers=words
            )
            encoded = several.encode()
    return bytes([function]) + encoded


async def open_wire(bus: Bus, heard: Callable[[], None], numbers: Iterator[int]) -> Wire:
    """Open the way to a bus; raise a SerialError or BusUnreachable.

    `heard` is called in the moment in which an answer is complete. `numbers` are from 0 to 65535
    and go on over connections: some converters say on a new one what is left of the last.
    """
    if isinstance(bus, SerialLine):
        return Rtu(Port(bus), heard, _LETTER_BITS / bus.baud)
    stream = await connect(bus)
    return Rtu(stream, heard, 0.0) if bus.rtu else Tcp(stream, heard, numbers)


class _Incoming:
    """What both kinds of frames share: bytes that came and are not yet a frame."""

    def __init__(self, stream: Stream, heard: Callable[[], None]) -> None:
        self._stream, self._heard, self._said = stream, heard, b""
        self._loop = asyncio.get_running_loop()
        self.strays = 0

    async def hush(self, silence_s: float) -> int:
        """Throw away what comes until nothing has come for so long; give how many bytes."""
        gone, until_s = self.flush(), self._loop.time() + _HUSH_S_MAX
        while self._loop.time() < until_s and await self._more(self._loop.time() + silence_s):
            gone += self.flush()
        return gone

    def flush(self) -> int:
        """Throw away what has come; give how many bytes."""
        gone, self._said = len(self._said), b""
        for _ in range(16):  # A line that babbles is not waited for here.
            said = self._stream.drain()
            if not said:
                break
            gone += len(said)
        return gone

    def close(self) -> None:
        """Give it back."""
        self._stream.close()

    async def _more(self, deadline_s: float) -> bool:
        """Wait for more bytes; say whether any came before the deadline."""
        try:
            async with asyncio.timeout_at(deadline_s):
                said = await self._stream.read()
        except TimeoutError:
            return False
        self._said += said
        return True


class Rtu(_Incoming):
    """Frames with a checksum and no number: after each, the line must be silent."""

    numbered = False

    def __init__(self, stream: Stream, heard: Callable[[], None], letter_s: float) -> None:
        super().__init__(stream, heard)
        self._letter_s = letter_s
        silence_s = max(_SILENCE_LETTERS * letter_s, _SILENCE_S_MIN)
        self._silence_s = silence_s if letter_s else _SILENCE_TCP_S
        self._framer = FramerRTU(DecodePDU(is_server=False))

    async def ask(self, unit: int, request: bytes, size: int, patience_s: float) -> bytes:
        """Ask, and give the answer from its function on; raise an AnswerError."""
        frame = self._framer.encode(request, unit, 0)
        self._stream.write(frame)
        on_the_line_s = self._letter_s * (len(frame) + _REFUSAL_BYTES + size)
        deadline_s = self._loop.time() + patience_s + on_the_line_s
        stray: AnswerError | None = None
        while True:
            answer = self._cut(unit)
            if answer is None:
                if not await self._more(deadline_s):
                    raise self._missing(unit, size, patience_s, stray)
                continue
            stray = _mistaken(unit, request[0], size, answer)
            if stray is None:
                break
            # Somebody's late answer, whole and sound: ours may still come.
            self.strays += 1
        self._heard()
        if self._said or await self._more(self._loop.time() + self._silence_s):
            raise LongAnswer(unit=unit, wanted=_REFUSAL_BYTES + size)
        return answer[1]

    def _cut(self, unit: int) -> tuple[int, bytes] | None:
        """Cut the first frame off what has come: its unit, and the rest; None if more is needed."""
        said = self._said
        if len(said) < _REFUSAL_BYTES:
            return None
        function = said[1] & ~_REFUSAL
        if function not in _REQUESTS and function not in _WRITES:
            raise WrongFunction(unit=unit, function="1 to 6 or 16", found=said[1])
        size = _ECHO_BYTES if function in _WRITES else said[2]
        length = _REFUSAL_BYTES + (0 if said[1] & _REFUSAL else size)
        if len(said) < length:
            return None
        frame, self._said = said[:length], said[length:]
        _, found, _, rest = self._framer.decode(frame)
        if not rest:
            raise WrongCrc(unit=unit, size=length)
        return found, rest

    def _missing(
        self, unit: int, size: int, patience_s: float, stray: AnswerError | None
    ) -> AnswerError:
        if self._said:
            return ShortAnswer(unit=unit, size=len(self._said), wanted=_REFUSAL_BYTES + size)
        return stray or NoAnswer(unit=unit, timeout_ms=round(1000 * patience_s))


def _mistaken(unit: int, function: int, size: int, answer: tuple[int, bytes]) -> AnswerError | None:
    """Say why a whole and sound frame cannot be the answer to this question."""
    found, said = answer
    if found != unit:
        return WrongUnit(unit=unit, found=found)
    if said[0] == function | _REFUSAL:
        return None
    if said[0] != function:
        return WrongFunction(unit=unit, function=function, found=said[0])
    if function not in _WRITES and said[1] != size:
        return WrongCount(unit=unit, size=said[1], wanted=size)
    return None


class Tcp(_Incoming):
    """Frames with a number: an answer to an earlier question is known, and thrown away."""

    numbered = True

    def __init__(self, stream: Stream, heard: Callable[[], None], numbers: Iterator[int]) -> None:
        super().__init__(stream, heard)
        self._numbers = numbers
        self._framer = FramerSocket(DecodePDU(is_server=False))

    def flush(self) -> int:
        """Throw away nothing: half a frame gone would hide where the next one begins."""
        return 0

    async def hush(self, silence_s: float) -> int:
        """Wait for nothing: what comes late has its number."""
        return 0

    async def ask(self, unit: int, request: bytes, size: int, patience_s: float) -> bytes:
        """Ask, and give the answer from its function on; raise an AnswerError."""
        number = next(self._numbers)
        self._stream.write(self._framer.encode(request, unit, number))
        deadline_s = self._loop.time() + patience_s
        while True:
            frame = self._cut(unit)
            if frame is not None and int.from_bytes(frame[:2]) == number:
                break
            if frame is not None:
                self.strays += 1
            elif not await self._more(deadline_s):
                raise self._missing(unit, size, patience_s)
        self._heard()
        if frame[_HEADER_BYTES] != unit:
            raise WrongUnit(unit=unit, found=frame[_HEADER_BYTES])
        return frame[_HEADER_BYTES + 1 :]

    def _cut(self, unit: int) -> bytes | None:
        """Cut the first frame off what has come; None if more is needed."""
        said = self._said
        if len(said) < _HEADER_BYTES:
            return None
        length = int.from_bytes(said[4:6])
        if said[2:4] != b"\0\0" or not 2 <= length <= _FRAME_BYTES_MAX - _HEADER_BYTES:
            raise WrongHeader(unit=unit)
        end = _HEADER_BYTES + length
        if len(said) < end:
            return None
        self._said = said[end:]
        return said[:end]

    def _missing(self, unit: int, size: int, patience_s: float) -> NoAnswer | ShortAnswer:
        if self._said:
            wanted = _HEADER_BYTES + 3 + size
            return ShortAnswer(unit=unit, size=len(self._said), wanted=wanted)
        return NoAnswer(unit=unit, timeout_ms=round(1000 * patience_s))


class _Connection(asyncio.BufferedProtocol):
    """A TCP connection as a stream: bytes are kept until somebody reads them, and bounded."""

    _KEPT_BYTES_MAX: Final = 65_536

    def __init__(self, where: TcpBus) -> None:
        self._where, self._kept, self._lost = where, bytearray(), ""
        self._room = bytearray(4096)
        self._some = asyncio.Event()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember how to answer."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def get_buffer(self, sizehint: int) -> memoryview:
        """Say where bytes are to be put."""
        return memoryview(self._room)

    def buffer_updated(self, nbytes: int) -> None:
        """Keep bytes, the newest of them where nobody reads."""
        self._kept += self._room[:nbytes]
        del self._kept[: -self._KEPT_BYTES_MAX]
        self._some.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever reads."""
        self._lost = str(exc or "the connection was closed")
        self._some.set()

    async def read(self) -> bytes:
        """Wait for bytes; raise BusUnreachable when the connection is gone."""
        await self._some.wait()
        said = self.drain()
        if not said and self._lost:
            raise unreachable(self._where, self._lost)
        return said

    def drain(self) -> bytes:
        """Take what has come, without waiting."""
        said = bytes(self._kept)
        self._kept.clear()
        if not self._lost:
            self._some.clear()
        return said

    def write(self, said: bytes) -> None:
        """Say bytes."""
        assert self._transport is not None
        if not self._lost:
            self._transport.write(said)

    def close(self) -> None:
        """Give it back."""
        assert self._transport is not None
        self._transport.abort()


async def connect(where: TcpBus) -> Stream:
    """Connect to a bus behind TCP; raise BusUnreachable."""
    loop = asyncio.get_running_loop()
    made: Callable[[], _Connection] = lambda: _Connection(where)  # noqa: E731
    try:
        async with asyncio.timeout(_CONNECT_S):
            _, connection = await loop.create_connection(made, where.host, where.port)
    except (OSError, TimeoutError) as fault:
        raise unreachable(where, str(fault) or "it does not answer") from fault
    return connection


def unreachable(where: TcpBus, reason: str) -> BusUnreachable:
    """Say that a bus cannot be reached, and why."""
    return BusUnreachable(host=where.host, port=where.port, reason=reason)
