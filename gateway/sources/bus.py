"""A Modbus bus: its one owner, who asks all its units in turn and tells each source what it heard.

In: the sources whose url is the same, and what they want done between two questions. Out: to each
of them the values of its unit, or why there are none. One question is open at a time. A unit that
does not answer costs the others at most its own time-out, and less often each time. On a line
without transaction numbers the first answer after a failure is thrown away, and it is asked so that
no late answer can be taken for it; on TCP an answer with another number is. It writes only on an
errand, and never twice. Chapter: docs/devices/modbus.md.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Final, Protocol

from gateway.config import Bus as Address, ModbusSource, SerialLine
from gateway.errors import (
    AnswerError,
    BusUnreachable,
    ExceptionAnswer,
    GatewayError,
    NoAnswer,
    OperatorError,
    SerialError,
    WrongHeader,
)
from gateway.readings.reading import Arrival
from gateway.readings.registers import Inquiry, Part, answer
from gateway.readings.turns import Turn, Unanswered, choose
from gateway.readings.writes import Write, check_answer
from gateway.records.record import Moment
from gateway.sources.source import arrived
from gateway.transport.modbus import Wire, command, open_wire, request, unreachable

_LOOK_S_MIN: Final = 0.05
_LOOK_S_MAX: Final = {True: 0.5, False: 5.0}  # of a serial line, and of a host
# After a failure the line must be silent for so long: what is still being said is let out.
_SILENCE_S: Final = 0.02
# Before the first question it must be silent for one time-out, and nobody waits longer than this.
_OPENING_S_MAX: Final = 1.0
# A connection on which nobody answers may be dead without having been closed.
_UNANSWERED_MAX: Final = 3
# The converter says that the unit behind it does not answer.
_DEAD_BEHIND: Final = (10, 11)
_STATES: Final = {
    **{"serial.absent": "absent", "serial.gone": "absent", "serial.busy": "busy"},
    "modbus.unreachable": "unreachable",
}


class Member(Protocol):
    """A source on the bus."""

    source: ModbusSource
    parts: tuple[Part, ...]
    counts: Counter[str]

    def took(self, part: Part, values: bytes, arrival: Arrival) -> None:
        """Take the values of one answer."""

    def polled(self) -> None:
        """Take note that all was asked and answered, by values or by refusals."""

    def fell(
        self,
        state: str,
        fault: AnswerError | OperatorError,
        missed: Sequence[Part],
        when: Arrival,
    ) -> None:
        """Take note that there are no values, why, of which parts, and since when."""


class BusAway(Exception):
    """An errand was not begun: there is no way to the bus, or it was busy for too long."""


class BusEnded(Exception):
    """An errand was begun, and the bus ended before it did: nobody knows how far it came."""


@dataclass(frozen=True, slots=True)
class _Errand:
    """What somebody wants done between two questions, once, and until when it may begin."""

    run: Callable[[Wire], Awaitable[bytes]]
    done: "asyncio.Future[bytes]"
    begin_s: float


class Bus:
    """One bus, for as long as its sources listen."""

    def __init__(self, address: Address, now: Callable[[], Moment]) -> None:
        self._address, self._now = address, now
        self.members: list[Member] = []
        self._turns: list[Turn] = []
        self._unanswered: dict[int, Unanswered] = {}
        self._in_a_row, self._gave_up = 0, False
        self._heard = now()
        self._errands: deque[_Errand] = deque()
        self._wanted, self._polling = asyncio.Event(), False
        # Not from 0 after each start: what was asked before it may still be answered.
        self._numbers = (number & 0xFFFF for number in count(self._heard.monotonic_ms))

    def join(self, member: Member) -> bool:
        """Add a source before the bus runs; say whether it is the one to run it."""
        self.members.append(member)
        self._unanswered.setdefault(member.source.unit_id, Unanswered())
        return len(self.members) == 1

    async def run(self) -> None:
        """Open the bus and poll its units, until cancelled; look for it while it is away."""
        while True:
            wire = await self._open()
            self._polling = True
            try:
                await self._poll(wire)
            except (SerialError, BusUnreachable) as gone:
                self._tell(gone)
            finally:
                self._polling = False
                while self._errands:
                    _settle(self._errands.popleft().done, BusAway("the way to it is gone"))
                wire.close()

    async def errand(self, run: Callable[[Wire], Awaitable[bytes]], patience_s: float) -> bytes:
        """Have something done between two questions, with the bus for itself.

        Raise BusAway: it was never begun, and never will be; or BusEnded, or what `run` raised.
        """
        if not self._polling:
            raise BusAway("there is no way to it")
        loop = asyncio.get_running_loop()
        errand = _Errand(run, loop.create_future(), loop.time() + patience_s)
        self._errands.append(errand)
        self._wanted.set()
        return await errand.done

    async def _open(self) -> Wire:
        pause_s = _LOOK_S_MIN
        while True:
            try:
                return await open_wire(self._address, self._hear, self._numbers)
            except (SerialError, BusUnreachable) as fault:
                self._tell(fault)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LOOK_S_MAX[isinstance(self._address, SerialLine)])

    async def _poll(self, wire: Wire) -> None:
        """Ask one after the other, each when it is due."""
        self._in_a_row = 0
        if not wire.numbered:
            # Nobody knows what was asked before us, by whoever had the line.
            longest_s = max(each.source.timeout_ms for each in self.members) / 1000
            await wire.hush(min(longest_s, _OPENING_S_MAX))
            for unanswered in self._unanswered.values():
                unanswered.doubtful = True
        if not self._gave_up:  # Else who is dead is still left alone for as long as it was.
            self._turns = [Turn(each.source, self._ms()) for each in self.members]
        self._gave_up = False
        while True:
            while self._errands:
                await self._do(wire, self._errands.popleft())
            choice = choose(self._turns, self._ms())
            if choice.turn is None:
                await self._rest(choice.wait_ms / 1000)
                continue
            await self._have_turn(wire, choice.turn)

    async def _rest(self, seconds: float) -> None:
        """Wait until somebody is due, or wants something."""
        self._wanted.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wanted.wait()

    async def _do(self, wire: Wire, errand: _Errand) -> None:
        """Do an errand that somebody still waits for; go on without the way if it took that."""
        if errand.done.done():
            return
        if self._ms() > 1000 * errand.begin_s:
            _settle(errand.done, BusAway("the bus was busy"))
            return
        try:
            found = await errand.run(wire)
        except GatewayError as fault:
            _settle(errand.done, fault)
            for gone in (fault, fault.__cause__):
                if isinstance(gone, SerialError | BusUnreachable):
                    raise gone from None
        else:
            _settle(errand.done, found)
        finally:
            _settle(errand.done, BusEnded("the gateway stops"))

    async def _have_turn(self, wire: Wire, turn: Turn) -> None:
        """Poll one unit, and plan when it is polled next, whatever comes of it."""
        member, answered = self.members[self._turns.index(turn)], False
        try:
            answered = await self._round(wire, member)
        finally:
            if not answered:
                turn.failed(self._ms())
            elif not turn.answered(self._ms()):
                member.counts["overruns"] += 1
            if wire.strays:
                member.counts["strays"] += wire.strays
                wire.strays = 0

    async def _round(self, wire: Wire, member: Member) -> bool:
        """Ask a unit for all its parts; say whether it answers."""
        unanswered = self._unanswered[member.source.unit_id]
        for at in range(len(member.parts)):
            rest = member.parts[at:]
            doubtful = unanswered.doubtful and not wire.numbered
            if doubtful and not await self._settle(wire, member, rest):
                return False
            if not await self._read(wire, member, rest):
                return False
        member.polled()
        return True

    async def _read(self, wire: Wire, member: Member, rest: Sequence[Part]) -> bool:
        """Ask for the first part of what is left of a round; say whether the unit answers."""
        part = rest[0]
        try:
            values, arrival = await self._ask(wire, member.source, part.inquiry)
        except ExceptionAnswer as refusal:
            dead = refusal.facts["exception"] in _DEAD_BEHIND
            self._fell(member, refusal, rest if dead else rest[:1])
            return not dead
        except AnswerError as fault:
            self._fell(member, fault, rest)
            await self._failed(wire, part.inquiry, fault)
            return False
        member.took(part, values, arrival)
        return True

    async def sure(self, wire: Wire, member: Member) -> bool:
        """Say whether the next answer of a unit can be no late one; ask it first if need be."""
        doubtful = self._unanswered[member.source.unit_id].doubtful and not wire.numbered
        return not doubtful or await self._settle(wire, member, ())

    async def ask(self, wire: Wire, source: ModbusSource, inquiry: Inquiry) -> bytes:
        """Read within an errand; raise an AnswerError, after which an answer may still come."""
        try:
            values, _ = await self._ask(wire, source, inquiry)
        except ExceptionAnswer:
            raise
        except AnswerError as fault:
            await self._failed(wire, inquiry, fault)
            raise
        return values

    async def tell(self, wire: Wire, source: ModbusSource, told: Write) -> None:
        """Write within an errand, once; raise an AnswerError where it was not confirmed."""
        if source.delay_ms:
            await asyncio.sleep(source.delay_ms / 1000)
        wire.flush()
        asked = command(told.function, told.start, told.said)
        try:
            said = await wire.ask(told.unit, asked, told.size, source.timeout_ms / 1000)
            self._in_a_row = 0
            check_answer(told, asked, said)
        except ExceptionAnswer:
            raise
        except AnswerError as fault:
            await self._failed(wire, told, fault)
            raise

    async def _settle(self, wire: Wire, member: Member, rest: Sequence[Part]) -> bool:
        """Ask what no late answer can be taken for, and throw the answer away."""
        unanswered = self._unanswered[member.source.unit_id]
        probe = unanswered.probe([part.inquiry for part in member.parts], self._ms())
        if probe is None:
            return False
        try:
            await self._ask(wire, member.source, probe)
            settled = unanswered.settled(probe, self._ms())
        except ExceptionAnswer as refusal:
            settled = unanswered.settled(probe, self._ms(), refused=True)
            if not settled:
                self._fell(member, refusal, rest)
        except AnswerError as fault:
            self._fell(member, fault, rest)
            await self._failed(wire, probe, fault)
            return False
        member.counts["unproved"] += 1
        return settled

    async def _ask(
        self, wire: Wire, source: ModbusSource, inquiry: Inquiry
    ) -> tuple[bytes, Arrival]:
        """Ask, and give the values with the moment at which they were read."""
        if source.delay_ms:
            await asyncio.sleep(source.delay_ms / 1000)
        wire.flush()
        asked = request(inquiry.function, inquiry.start, inquiry.count)
        patience_s = source.timeout_ms / 1000
        said = await wire.ask(inquiry.unit, asked, inquiry.size, patience_s)
        self._in_a_row = 0
        return answer(inquiry, said), arrived(self._heard)

    async def _failed(self, wire: Wire, inquiry: Inquiry | Write, fault: AnswerError) -> None:
        """Remember that an answer may still come, and let out what comes now."""
        self._unanswered[inquiry.unit].failed(inquiry, self._ms())
        self._in_a_row += 1
        if not isinstance(self._address, SerialLine):
            mute = self._in_a_row > _UNANSWERED_MAX * len(self.members)
            self._gave_up = mute or isinstance(fault, WrongHeader)
            if self._gave_up:
                reason = "nobody answers there" if mute else "it does not speak Modbus over TCP"
                raise unreachable(self._address, reason)
        await wire.hush(_SILENCE_S)

    def _fell(self, member: Member, fault: AnswerError, missed: Sequence[Part]) -> None:
        """Count, and tell a source in this moment what it will not get of this round."""
        member.counts[fault.code] += 1
        state = "silent" if isinstance(fault, NoAnswer) else "degraded"
        member.fell(state, fault, missed, arrived(self._now()))

    def _tell(self, fault: SerialError | BusUnreachable) -> None:
        """Tell every source that there is no way to its unit."""
        for member in self.members:
            state = _STATES.get(fault.code, "unusable")
            member.fell(state, fault, member.parts, arrived(self._now()))

    def _hear(self) -> None:
        """Take the time of an answer, in the moment in which it is complete."""
        self._heard = self._now()

    def _ms(self) -> int:
        return round(1000 * asyncio.get_running_loop().time())


def _settle(done: "asyncio.Future[bytes]", what: bytes | Exception) -> None:
    """Tell whoever waits, if anybody still does."""
    if done.done():
        return
    if isinstance(what, bytes):
        done.set_result(what)
    else:
        done.set_exception(what)
