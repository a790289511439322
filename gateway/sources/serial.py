"""A serial source: an instrument with a protocol of its own, read as the config describes it.

In: bytes of a line. Out: batches for the intake. Where the config has a question, it is asked, and
only its own answer in its own time is believed. What broke off, is too long or lies outside of
telegrams is counted; a whole telegram that cannot be used is quarantined with its bytes. A line
that goes away is looked for until it is back, under whatever name its link leads to. An instrument
says nothing twice, so what was said while nobody listened is not had. Chapter:
docs/devices/serial.md.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Final

from gateway.config import SerialSource
from gateway.config.serial import octets
from gateway.errors import DeviceError, GatewayError, LineNoise, NoReply, SerialError, SerialGone
from gateway.readings.fields import reader
from gateway.readings.framing import splitter
from gateway.readings.poll import Answer, Poll
from gateway.readings.reading import Unreadable
from gateway.readings.telegram import Piece, Spoilt, Telegram
from gateway.records.record import Moment
from gateway.sources.intake import Intake
from gateway.sources.shelf import Shelf
from gateway.sources.source import arrived
from gateway.transport.serial import Port

_LOG = logging.getLogger(__name__)
# From unplugged to listening again: at most this.
_LOOK_S_MIN, _LOOK_S_MAX = 0.05, 0.5
# A line that does not fall silent for so long is not asked now.
_HUSH_S_MAX: Final = 1.0
# A line just opened may be in the pause of a telegram cut in two: it must be silent for longer.
_FIRST_GAPS: Final = 5
_STATES: Final = {"serial.absent": "absent", "serial.gone": "absent", "serial.busy": "busy"}


class Ear:
    """An open line, heard as pieces: telegrams, and what is none. Asks where the config says so."""

    def __init__(self, source: SerialSource, port: Port, counts: Counter[str]) -> None:
        self._source, self._port, self._counts = source, port, counts
        self._splitter = splitter(source)
        self._loop = asyncio.get_running_loop()
        self._gap_s, self._timeout_ms = source.gap_ms / 1000, source.timeout_ms
        self._ask = octets(source.ask) if source.ask is not None else None
        self._poll = Poll(source, self._ms())
        self._heard_s, self._heard_any = self._loop.time(), False

    async def hear(self) -> AsyncIterator[Piece | NoReply]:
        """Give what comes, until the line is gone: raises SerialGone."""
        while True:
            for piece in await self._next():
                yield piece

    async def _next(self) -> Sequence[Piece | NoReply]:
        """Ask if it is time to, otherwise listen; give what is to be believed."""
        if self._ask is None:
            return await self._pieces(None)
        if self._ms() < self._poll.wait_until_ms:
            return self._believed(await self._pieces(self._until_s()))
        if not self._poll.waiting:
            return await self._question(self._ask)
        self._poll.timed_out()
        return [NoReply(timeout_ms=self._timeout_ms)]

    async def _question(self, ask: bytes) -> list[Piece]:
        """Ask once the line is silent; what comes before is no answer."""
        until_s, before = self._loop.time() + _HUSH_S_MAX, list[Piece]()
        while (silent_s := self._heard_s + self._gap_s) > self._loop.time() < until_s:
            before += self._believed(await self._pieces(silent_s))
        before += self._believed(self._feed(self._port.drain()))
        if self._heard_s + self._gap_s > self._loop.time():
            self._counts["babbling"] += 1
            self._poll.postponed(self._ms())
            return before
        before += self._splitter.quiet()
        # After the silence, what comes is the beginning of something.
        self._splitter = splitter(self._source)
        list(self._splitter.quiet())
        self._port.write(ask)
        self._poll.asked(self._ms())
        return before

    async def _pieces(self, until_s: float | None) -> list[Piece]:
        """Wait for bytes, or for a silence that means something; give what ended by them."""
        gap_s = self._gap_s if self._heard_any else _FIRST_GAPS * self._gap_s
        silent_s = self._loop.time() + gap_s if self._splitter.pending else None
        ends = [each for each in (until_s, silent_s) if each is not None]
        try:
            async with asyncio.timeout_at(min(ends, default=None)):
                said = await self._port.read()
        except TimeoutError:
            # Bytes may have come while everybody was busy: then it was not silent.
            said = self._port.drain()
        if said:
            return self._feed(said)
        if silent_s is not None and self._loop.time() >= silent_s:
            self._heard_any = True
            return list(self._splitter.quiet())
        return []

    def _feed(self, said: bytes) -> list[Piece]:
        if said:
            self._heard_s, self._heard_any = self._loop.time(), True
        return list(self._splitter.feed(said))

    def _believed(self, pieces: Iterable[Piece]) -> list[Piece]:
        """Give of what came what was asked for, and what is no telegram at all."""
        return [one for one in pieces if isinstance(one, Spoilt) or self._is_answer(one)]

    def _is_answer(self, telegram: Telegram) -> bool:
        if telegram.raw == self._ask:
            self._counts["echoes"] += 1  # an adapter that hears itself
            return False
        answer = self._poll.heard()
        if answer is not Answer.TAKEN:
            self._counts[answer.value] += 1
        return answer is Answer.TAKEN

    def _until_s(self) -> float:
        return self._loop.time() + max(0, self._poll.wait_until_ms - self._ms()) / 1000

    def _ms(self) -> int:
        return int(1000 * self._loop.time())


class SerialListener:
    """One source. Run it as a task, look at its state, cancel it; what was heard is stored."""

    def __init__(
        self, source: SerialSource, intake: Intake, now: Callable[[], Moment], commit_ms: int
    ) -> None:
        self.name, self._source, self._now = source.name, source, now
        self._address = source.serial_line
        self._device = source.device or source.name
        self._read = reader(source)
        self.counts: Counter[str] = Counter()
        self._shelf = Shelf(intake, commit_ms, self.counts, self._committed)
        self.devices: dict[str, int] = {}
        self.state, self.reason = "connecting", ""
        self._told = ""

    async def run(self) -> None:
        """Hear the line and store what it says, until cancelled; then store the rest."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen())
            tasks.create_task(self._shelf.run())

    async def _listen(self) -> None:
        while True:
            port = await self._open()
            try:
                await self._hear(Ear(self._source, port, self.counts))
            except SerialGone as gone:
                self._tell("absent", gone)
            finally:
                port.close()

    async def _open(self) -> Port:
        """Look for the line until it is there and ours."""
        pause_s = _LOOK_S_MIN
        while True:
            try:
                port = Port(self._address)
            except SerialError as fault:
                self._tell(_STATES.get(fault.code, "unusable"), fault)
            else:
                self._well()
                return port
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LOOK_S_MAX)

    async def _hear(self, ear: Ear) -> None:
        async for piece in ear.hear():
            match piece:
                case Telegram():
                    self._take(piece)
                case Spoilt(raw, error):
                    self._refuse(raw, error)
                case NoReply():
                    self.counts[piece.code] += 1
                    self._tell("silent", piece)

    def _take(self, telegram: Telegram) -> None:
        """Keep what a telegram means; what of it cannot be read, with its bytes."""
        arrival = arrived(self._now())
        try:
            mapped = self._read(telegram.payload, arrival)
        except DeviceError as fault:
            self._refuse(telegram.raw, fault)
            return
        self.devices[self._device] = arrival.monotonic_ms
        if self.state == "silent":
            self._well()
        if mapped is None:
            self.counts["unmatched"] += 1
            return
        if mapped.faults:
            self._refuse(telegram.raw, mapped.faults[0])
        self.counts["received"] += len(mapped.readings)
        self._shelf.put(mapped.readings)

    def _refuse(self, raw: bytes, fault: DeviceError) -> None:
        """Count it; keep the bytes of what was whole."""
        self.counts[fault.code] += 1
        if not isinstance(fault, LineNoise):
            self._shelf.put_unreadable(Unreadable(self._address.path, raw, fault.code, str(fault)))

    def _committed(self, fault: GatewayError | None) -> None:
        if fault is not None:
            self._tell("waiting", fault)
        elif self.state == "waiting":
            self._well()

    def _well(self) -> None:
        self.state, self.reason, self._told = "connected", "", ""

    def _tell(self, state: str, fault: GatewayError) -> None:
        """Remember the state and why, and log what is new."""
        if fault.code != self._told:
            _LOG.warning("source %s: %s", self.name, fault)
        self.state, self.reason, self._told = state, str(fault), fault.code
