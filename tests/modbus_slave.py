"""Units that answer badly on purpose, over a pty or TCP: what a line, a slow unit or a liar does.

In: a seed, and how often an answer is bad; what becomes of the next writes. Out: a url, and what
was done to whom. Every value says of which register it is and which request made it, so a reading
can be seen to be of another question, or of another moment; what was written stays. Its frames are
written here, by no library.
"""

import asyncio
import os
import pty
import random
import tty
from collections import Counter, deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

BAD: Final = (
    *("late", "held", "silent", "unit", "crc", "short", "long", "exception", "other", "noise"),
    *("number", "foreign"),
)
# What may become of a write: done and said so; done and answered badly or not; not done at all.
WRITTEN: Final = ("good", "late", "silent", "crc", "short", "long", "echo", "dies", "clamped")
_READS: Final = (1, 2, 3, 4)
_COIL, _REGISTER, _REGISTERS = 5, 6, 16


def crc16(said: bytes) -> bytes:
    """Give the checksum of a frame, bit by bit as the specification describes it."""
    crc = 0xFFFF
    for byte in said:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return crc.to_bytes(2, "little")


@dataclass(frozen=True)
class Asked:
    """A request as a unit heard it."""

    number: int
    unit: int
    function: int
    start: int
    count: int
    transaction: bytes
    at_ms: float
    said: bytes = b""  # what is to be written


@dataclass
class Slave:
    """All units behind one way; each answers in the order in which it is asked."""

    way: str
    seed: int
    share: float
    late_ms: tuple[float, float] = (0.0, 100.0)
    done: Counter[str] = field(default_factory=Counter)
    asked: list[Asked] = field(default_factory=list)
    did: list[str] = field(default_factory=list)  # what became of the answer to each of them
    kinds: tuple[str, ...] = BAD
    # What becomes of the next writes, in order, then all are good; a number is an exception.
    writing: deque[str] = field(default_factory=deque)
    held: dict[tuple[int, str, int], int] = field(default_factory=dict)  # what was written
    clamp: int = 0
    url: str = ""

    async def start(self) -> None:
        """Begin to answer."""
        self._loop, self._dice = asyncio.get_running_loop(), random.Random(self.seed)
        self._free_s: dict[int, float] = {}
        self._held: dict[int, list[bytes]] = {}
        self._said, self._dead = b"", False
        self._writer: asyncio.StreamWriter | None = None
        self._serving: set[asyncio.Task[None]] = set()
        if self.way == "rtu":
            self._master, self._slave = pty.openpty()
            tty.setraw(self._slave)
            os.set_blocking(self._master, False)
            self._loop.add_reader(self._master, self._from_line)
            self.url = f"serial://{os.ttyname(self._slave)}?baud=115200&parity=N"
            return
        self._server = await asyncio.start_server(self._from_host, "127.0.0.1", 0)
        self.url = f"{self.way}://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        """Say nothing more."""
        if self._dead:
            return
        self._dead = True
        if self.way == "rtu":
            self._loop.remove_reader(self._master)
            os.close(self._master)
            os.close(self._slave)
            return
        self._server.close()
        if self._writer is not None:
            self._writer.close()
        for task in self._serving:
            task.cancel()

    def _from_line(self) -> None:
        with suppress(BlockingIOError):
            self._heard(os.read(self._master, 4096))

    async def _from_host(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer, self._said = writer, b""
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        with suppress(ConnectionError):
            while said := await reader.read(4096):
                self._heard(said)
        writer.close()

    def _heard(self, said: bytes) -> None:
        self._said += said
        head, tail = (6, 0) if self.way == "tcp" else (0, 2)
        while len(self._said) >= head + 6 + tail:
            many = self._said[head + 1] == _REGISTERS and len(self._said) > head + 6
            length = head + (7 + self._said[head + 6] if many else 6) + tail
            if len(self._said) < length:
                return
            frame, self._said = self._said[:length], self._said[length:]
            body = frame[head : length - tail]
            assert self.way == "tcp" or crc16(body) == frame[-2:], frame.hex()
            self._answer(body, frame[:2])

    def _answer(self, body: bytes, transaction: bytes) -> None:
        start, count = int.from_bytes(body[2:4]), int.from_bytes(body[4:6])
        now_ms = 1000 * self._loop.time()
        said = body[7:] if body[1] == _REGISTERS else body[4:]
        asked = Asked(len(self.asked), body[0], body[1], start, count, transaction, now_ms, said)
        self.asked.append(asked)
        if asked.function in (_COIL, _REGISTER, _REGISTERS):
            self._write(asked)
            return
        bad = self._dice.choice(self.kinds) if self._dice.random() < self.share else "good"
        if bad == "number" and self.way != "tcp":
            bad = "late"
        self.done[bad] += 1
        self.did.append(bad)

        said = self._framed(asked, self._shown(asked), bad)
        held = self._held.setdefault(asked.unit, [])
        if bad == "held":
            held.append(said)
            return
        delay_s = self._dice.uniform(*self.late_ms) / 1000 if bad == "late" else 0.0
        self._say_in_turn(asked.unit, b"".join((*held, said)), delay_s)
        held.clear()

    def _say_in_turn(self, unit: int, said: bytes, delay_s: float) -> None:
        """Say one after another, as a unit does: what was held comes first."""
        at_s = max(self._loop.time() + delay_s, self._free_s.get(unit, 0.0))
        self._free_s[unit] = at_s
        self._loop.call_at(at_s, self._say, said)

    def _write(self, asked: Asked) -> None:
        """Do what is wanted, or not, and say so, or not; what came of it is in `did`."""
        became = self.writing.popleft() if self.writing else "good"
        self.did.append(became)
        right = bytes((asked.function,)) + asked.start.to_bytes(2)
        if asked.function == _REGISTERS:
            right += (len(asked.said) // 2).to_bytes(2)
        else:
            right += asked.said
        if became.isdecimal():
            right = bytes((asked.function | 0x80, int(became)))
        else:
            self._keep(asked, became)
        if became == "echo":
            right = right[:-1] + bytes((right[-1] ^ 1,))
        bad = became if became in ("silent", "crc", "short", "long") else "good"
        said = self._framed(asked, right, bad)
        if became == "dies":
            self._loop.call_soon(lambda: self._loop.create_task(self.stop()))
        else:
            late_s = self.late_ms[1] / 1000 if became == "late" else 0.0
            self._say_in_turn(asked.unit, said, late_s)

    def _keep(self, asked: Asked, became: str) -> None:
        if asked.function == _COIL:
            self.held[asked.unit, "coil", asked.start] = asked.said == b"\xff\x00"
            return
        for at in range(0, len(asked.said), 2):
            word = int.from_bytes(asked.said[at : at + 2])
            word = min(word, self.clamp) if became == "clamped" else word
            self.held[asked.unit, "holding", asked.start + at // 2] = word

    def _shown(self, asked: Asked) -> bytes:
        """Answer a question: what was written, and of all else which it is and when."""
        if asked.function == 1:
            bits = [self.held.get((asked.unit, "coil", asked.start + at), 0) for at in range(8)]
            return bytes((1, 1, sum(bool(bit) << at for at, bit in enumerate(bits))))
        right = bytearray(pdu(asked))
        if asked.function != 3:
            return bytes(right)
        for at in range(asked.count):
            word = self.held.get((asked.unit, "holding", asked.start + at))
            if word is not None:
                right[2 + 2 * at : 4 + 2 * at] = word.to_bytes(2)
        return bytes(right)

    def _framed(self, asked: Asked, right: bytes, bad: str) -> bytes:
        """Write an answer, or what became of it."""
        unit, dice = asked.unit, self._dice
        transaction = asked.transaction
        match bad:
            case "silent":
                return b""
            case "unit":
                unit = unit % 247 + 1
            case "exception":
                right = bytes((asked.function | 0x80, dice.choice((1, 2, 3, 4, 6, 11))))
            case "other":
                fewer = right[1] - 2 if right[1] > 2 else right[1] + 2
                right = bytes((right[0], fewer)) + (right[2:] + b"\x12\x34")[:fewer]
            case "foreign":
                right = bytes((7 - asked.function,)) + right[1:]
            case "number":
                transaction = (int.from_bytes(transaction) ^ 1).to_bytes(2)
        if self.way == "tcp":
            return self._over_tcp(transaction, bytes((unit,)) + right, bad)
        frame = bytes((unit,)) + right
        frame += crc16(frame)
        return _hurt(frame, bad, dice)

    def _over_tcp(self, transaction: bytes, body: bytes, bad: str) -> bytes:
        if bad in ("short", "long"):
            body = _hurt(body, bad, self._dice)
        frame = transaction + b"\0\0" + len(body).to_bytes(2) + body
        return frame if bad in ("short", "long", "crc") else _hurt(frame, bad, self._dice)

    def _say(self, said: bytes) -> None:
        if self.way != "rtu":
            if self._writer is not None and not self._writer.is_closing():
                self._writer.write(said)
            return
        with suppress(OSError):  # the campaign is over
            os.write(self._master, said)


def _hurt(frame: bytes, bad: str, dice: random.Random) -> bytes:
    """Do to a frame what a line does."""
    match bad:
        case "crc":
            at = dice.randrange(len(frame))
            return frame[:at] + bytes((frame[at] ^ 1 << dice.randrange(8),)) + frame[at + 1 :]
        case "short":
            return frame[: dice.randrange(1, len(frame))]
        case "long":
            return frame + dice.randbytes(dice.randrange(1, 9))
        case "noise":
            return dice.randbytes(dice.randrange(1, 30))
    return frame


def pdu(asked: Asked) -> bytes:
    """Answer as a unit should: each pair of registers says which it is, and when it was asked."""
    if asked.function not in _READS or asked.function != 3:
        return bytes((asked.function | 0x80, 1))
    words = b"".join(
        ((asked.number & 0xFFFF) if at % 2 else at).to_bytes(2)
        for at in range(asked.start, asked.start + asked.count)
    )
    return bytes((3, len(words))) + words
