"""Units that answer badly on purpose, over a pty or TCP: what a line, a slow unit or a liar does.

In: a seed, and how often an answer is bad. Out: a url, and what was done to whom. Every value says
of which register it is and which request made it, so a reading can be seen to be of another
question, or of another moment. Its frames are written here, by no library.
"""

import asyncio
import os
import pty
import random
import tty
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

BAD: Final = (
    *("late", "held", "silent", "unit", "crc", "short", "long", "exception", "other", "noise"),
    *("number", "foreign"),
)
_READS: Final = (1, 2, 3, 4)


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
    url: str = ""

    async def start(self) -> None:
        """Begin to answer."""
        self._loop, self._dice = asyncio.get_running_loop(), random.Random(self.seed)
        self._free_s: dict[int, float] = {}
        self._held: dict[int, list[bytes]] = {}
        self._said = b""
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
        if self.way == "rtu":
            self._loop.remove_reader(self._master)
            os.close(self._master)
            os.close(self._slave)
            return
        self._server.close()
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
        length = head + 6 + tail
        while len(self._said) >= length:
            frame, self._said = self._said[:length], self._said[length:]
            body = frame[head : head + 6]
            assert self.way == "tcp" or crc16(body) == frame[-2:], frame.hex()
            self._answer(body, frame[:2])

    def _answer(self, body: bytes, transaction: bytes) -> None:
        start, count = int.from_bytes(body[2:4]), int.from_bytes(body[4:6])
        now_ms = 1000 * self._loop.time()
        asked = Asked(len(self.asked), body[0], body[1], start, count, transaction, now_ms)
        self.asked.append(asked)
        bad = self._dice.choice(self.kinds) if self._dice.random() < self.share else "good"
        if bad == "number" and self.way != "tcp":
            bad = "late"
        self.done[bad] += 1
        self.did.append(bad)

        said = self._framed(asked, pdu(asked), bad)
        held = self._held.setdefault(asked.unit, [])
        if bad == "held":
            held.append(said)
            return
        delay_s = self._dice.uniform(*self.late_ms) / 1000 if bad == "late" else 0.0
        # One after another, as a unit does: what was held comes first.
        at_s = max(self._loop.time() + delay_s, self._free_s.get(asked.unit, 0.0))
        self._free_s[asked.unit] = at_s
        self._loop.call_at(at_s, self._say, b"".join((*held, said)))
        held.clear()

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
