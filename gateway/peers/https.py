"""HTTPS between two gateways: what both ends of such a link have in common.

In: this run, who may be at the other end, chance. Out: proofs judged, and a thread with a loop of
its own for each link. `dialling` is the one end, `listening` the other. docs/protocol/links.md.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from gateway.errors import LinkDoubled
from gateway.peers.guests import Guest, Guests
from gateway.records.run import Run
from gateway.sync.link import Meeting, Proof, Side

GREET: Final = "/hl/1/greet"
SAY: Final = "/hl/1/say"
HEAR: Final = "/hl/1/hear"
# Shorter than what routers on the way take for a connection that nobody uses.
POLL_S: Final = 25.0
ABSENT: Final = "link.absent"  # counted: who it is to is not linked now
FLOODING: Final = "link.flooding"
_CODE_CHARS_MAX: Final = 64
_STOP_S_MAX: Final = 5.0


@dataclass(frozen=True, slots=True)
class Own:
    """This gateway, as its links need it; `guests` and `unix_ms` are asked from any thread."""

    run: Run
    guests: Callable[[], Guests]
    unix_ms: Callable[[], int]  # 0 while the clock is not set
    random: Callable[[int], bytes]
    met: dict[bytes, object] = field(default_factory=dict)  # listeners, by their certificates

    def chance(self) -> float:
        """Draw a number from [0, 1)."""
        return int.from_bytes(self.random(4), "big") / (1 << 32)

    @contextmanager
    def alone(self, certificate: bytes) -> Iterator[None]:
        """Have a listener for one link of this run; raise LinkDoubled where another has it."""
        mine = object()
        if self.met.setdefault(certificate, mine) is not mine:
            raise LinkDoubled
        try:
            yield
        finally:
            del self.met[certificate]

    def judge(self, proof: Proof, side: Side, meeting: Meeting) -> Guest:
        """Say who proves to be there: in our conversation, admitted, and signing now; or raise."""
        proof.check(side, meeting)
        guest = self.guests().admit(proof.credentials, self.unix_ms() // 1000)
        proof.verify()
        return guest


class Thread:
    """A loop in a thread of its own, that runs one thing until it is stopped."""

    def __init__(self, name: str, main: Callable[[], Awaitable[None]]) -> None:
        self._main = main
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._lock = threading.Lock()
        self._stopping = False

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Cancel it, and wait for its end."""
        with self._lock:
            self._stopping = True
            loop, task = self._loop, self._task
            if loop is not None and task is not None:
                loop.call_soon_threadsafe(task.cancel)
        if self._thread.is_alive():
            self._thread.join(_STOP_S_MAX)  # It may sit in a look-up of a name.

    def call(self, act: Callable[[], object]) -> None:
        """Have the loop do something soon, from any thread; nothing where it does not run."""
        with self._lock:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(act)

    def _run(self) -> None:
        with suppress(asyncio.CancelledError):
            asyncio.run(self._until_stopped())

    async def _until_stopped(self) -> None:
        with self._lock:
            if self._stopping:
                return
            self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        try:
            await self._main()
        finally:
            with self._lock:
                self._loop = self._task = None


async def first(*things: Awaitable[None]) -> None:
    """Do several things until one of them ends, and raise what that one raises."""
    tasks = [asyncio.ensure_future(each) for each in things]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


def code_in(status: int, body: bytes) -> str:
    """Read why we were refused; whoever says it is not known yet, so it is only a code."""
    said = body[:_CODE_CHARS_MAX].decode("ascii", "replace")
    letters = said.replace(".", "").replace("-", "")
    return said if letters.isalnum() and letters.isascii() else f"HTTP {status}"
