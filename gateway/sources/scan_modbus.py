"""Look for Modbus units: ask each number, on each setting of the line, for one register.

In: addresses of one bus, numbers, patience. Out: the units that answered, by a value or a refusal,
and which registers they let be read. It never writes, asks one question at a time with a pause
between two, and ends when its time is over. Chapter: docs/devices/modbus.md.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count, product
from time import monotonic
from typing import Final, Literal

from gateway.config import Bus, TcpBus
from gateway.errors import (
    AnswerError,
    BusUnreachable,
    ExceptionAnswer,
    NoAnswer,
    SerialError,
    WrongUnit,
)
from gateway.readings.registers import FUNCTIONS, Inquiry, answer
from gateway.transport.modbus import Wire, open_wire, request

# Of what a unit may have, where tables of registers often begin; one register of each is enough.
_STARTS: Final = (0, 1, 100, 256, 1000, 4096, 30000, 40000)
_BANKS: Final = ("holding", "input", "coil", "discrete")
# The converter says that there is nobody: that is no unit.
_NOBODY: Final = (10, 11)
# Many a server of several units says so of numbers that it does not have.
_FAILED: Final = 4
# Most units have a low number, so all settings are tried with these first.
_LIKELY: Final = 10
_LOST_MAX: Final = 3
_SILENCE_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class Plan:
    """Where to look, and how patiently. `urls` are settings of one line, the likeliest first."""

    urls: tuple[tuple[str, Bus], ...]
    units: tuple[int, ...]
    timeout_ms: int
    delay_ms: int
    seconds: float


@dataclass(frozen=True, slots=True)
class UnitFound:
    """A unit that answered: where, which registers it lets be read, and how fast it was."""

    url: str
    unit: int
    registers: tuple[tuple[str, int], ...]
    answer_ms: int


@dataclass(slots=True)
class Found:
    """What a search found so far; it is told to its end, however it ends."""

    planned: int
    asked: int = 0
    at: str = ""
    units: list[UnitFound] = field(default_factory=list)
    noise: Counter[str] = field(default_factory=Counter)
    fault: SerialError | BusUnreachable | None = None
    ended: Literal["all", "time", "stopped"] = "stopped"

    @property
    def any_number(self) -> bool:
        """Say whether it answers to whatever number: then it is one device behind TCP."""
        return len(self.units) > _LIKELY and len(self.units) == self.asked


class Search:
    """One search. Run it, look at what it found, cancel it."""

    def __init__(self, plan: Plan, tell: Callable[[Found], None]) -> None:
        self._plan, self._tell = plan, tell
        self.found = Found(planned=len(plan.urls) * len(plan.units))
        self._numbers = (number & 0xFFFF for number in count(int(monotonic() * 1000)))
        self._lost = 0

    async def run(self) -> None:
        """Ask all; give up when the time is over, or the way to the bus is gone for good."""
        try:
            async with asyncio.timeout(self._plan.seconds):
                await self._all()
            self.found.ended = "all"
        except TimeoutError:
            self.found.ended = "time"
        except (SerialError, BusUnreachable) as fault:
            self.found.fault = fault

    async def _all(self) -> None:
        urls = self._plan.urls
        for numbers in self._rounds():
            for url, bus in urls:
                self.found.at = url
                await self._line(url, bus, numbers)
                if self.found.units and len(urls) > 1:
                    # All units of a bus share its setting: nobody is asked in another.
                    urls = ((url, bus),)
                    left = [one for one in self._plan.units if one not in numbers]
                    self.found.planned = self.found.asked + len(left) * (numbers != tuple(left))
                    break

    def _rounds(self) -> Iterator[tuple[int, ...]]:
        units = self._plan.units
        if len(self._plan.urls) == 1:
            yield units
            return
        yield from (one for one in (units[:_LIKELY], units[_LIKELY:]) if one)

    async def _line(self, url: str, bus: Bus, units: tuple[int, ...]) -> None:
        wire = await self._open(bus)
        try:
            if not wire.numbered:
                await wire.hush(_SILENCE_S)
            for unit in units:
                wire = await self._unit(wire, url, bus, unit)
        finally:
            wire.close()

    async def _open(self, bus: Bus) -> Wire:
        return await open_wire(bus, lambda: None, self._numbers)

    async def _unit(self, wire: Wire, url: str, bus: Bus, unit: int) -> Wire:
        """Ask one number; a host that hangs up is called again, but not for ever."""
        self._tell(self.found)
        try:
            await self._ask(wire, url, unit)
            self._lost = 0
        except BusUnreachable:
            self._lost += 1
            wire.close()
            if self._lost > _LOST_MAX or not isinstance(bus, TcpBus):
                raise
            wire = await self._open(bus)
        self.found.asked += 1
        self._tell(self.found)
        return wire

    async def _ask(self, wire: Wire, url: str, unit: int) -> None:
        """Ask one number whether it is there, and only then what it lets be read."""
        began_s = monotonic()
        first = await self._reply(wire, unit, "holding", 0)
        if first is None:
            return
        answer_ms = round(1000 * (monotonic() - began_s)) - self._plan.delay_ms
        readable, codes = await self._readable(wire, unit, first)
        if not readable and codes == {_FAILED}:
            self.found.noise[f"{ExceptionAnswer.code} {_FAILED}"] += 1
            return
        found = tuple((bank, readable[bank]) for bank in _BANKS if bank in readable)
        self.found.units.append(UnitFound(url, unit, found, max(0, answer_ms)))

    async def _readable(
        self, wire: Wire, unit: int, first: int
    ) -> tuple[dict[str, int], set[int | None]]:
        """Find one register of each kind that a unit lets be read; and how it replied at all."""
        readable: dict[str, int] = {}
        codes: set[int | None] = set()
        for start, bank in product(_STARTS, _BANKS):
            if bank in readable or (start and codes == {_FAILED}):
                continue
            known = (bank, start) == ("holding", 0)
            code = first if known else await self._reply(wire, unit, bank, start)
            codes.add(code)
            if code == 0:
                readable[bank] = start
        return readable, codes

    async def _reply(self, wire: Wire, unit: int, bank: str, start: int) -> int | None:
        """Ask for one value: 0 for a value, the code of a refusal, None where nobody is."""
        inquiry = Inquiry(unit, FUNCTIONS[bank], start, 1)
        await asyncio.sleep(self._plan.delay_ms / 1000)
        wire.flush()
        patience_s = self._plan.timeout_ms / 1000
        asked = request(inquiry.function, start, 1)
        try:
            answer(inquiry, await wire.ask(unit, asked, inquiry.size, patience_s))
        except ExceptionAnswer as refusal:
            code = int(str(refusal.facts["exception"]))
            return None if code in _NOBODY else code
        except NoAnswer:
            return None
        except AnswerError as fault:
            self._noted(fault)
            await wire.hush(_SILENCE_S)
            return None
        return 0

    def _noted(self, fault: AnswerError) -> None:
        """Count what is no answer, for it says that somebody speaks there."""
        named = fault.code
        if isinstance(fault, WrongUnit):
            named = f"{fault.code} {fault.facts['found']}"
        self.found.noise[named] += 1
