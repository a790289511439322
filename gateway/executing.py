"""Carrying orders out: decided in the writer's own commit, moved by a source, told as records.

In: the store, the points that sources can move, the newest readings. Out: for each order to this
gateway a start that is durable before anything moves, and an end; or an end alone that says why
not. What was started and not ended when this run began is indeterminate, and is never tried again.
It decides nothing: `execution.decide` does, by what `weighing` finds.
Protocol: docs/protocol/order.md.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from gateway.activities import execution
from gateway.activities.execution import (
    Begin,
    Decision,
    End,
    Outcome,
    Refuse,
    Settled,
    Start,
    Wait,
)
from gateway.activities.standing import Found, Rights
from gateway.config.devices import STALE_MS
from gateway.errors import GatewayError, NotMoved, UnknownGroup, Unsure
from gateway.readings.reading import Quality, Reading, Value
from gateway.readings.repeats import Repeat
from gateway.records.feed import CBOR_TYPE
from gateway.records.record import ClockSource, Kind, Moment, Said
from gateway.sources.source import Moves
from gateway.store import authoring, membership, orders, weighing
from gateway.store.authoring import Author, Venue
from gateway.store.database import Connection
from gateway.store.orders import Held, Sighting
from gateway.store.weighing import Here
from gateway.store.writer import Writer

_LOG = logging.getLogger(__name__)
_LOOK_S: Final = 1.0
# Metrics of which the newest reading is remembered: far above what one gateway serves.
_READINGS_MAX: Final = 10_000
_BUSY: Final = "busy"  # another order is being done by the same source
_LEFT: Final = "order.interrupted"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Begun:
    """An order whose start is in the log: which point of which source is to move to which value."""

    held: Held
    sighting: Sighting
    start: bytes
    source: Moves
    value: Value


@dataclass(frozen=True, slots=True)
class Around:
    """What is around an execution: who writes, where, what there is to move, and whom to tell."""

    author: Author
    venues: Callable[[], Mapping[bytes, Venue]]  # of the groups that are here, by their ids
    rights: Callable[[Connection, bytes], Rights | None]
    sources: Sequence[Moves]
    written: Callable[[Sequence[bytes]], None] = lambda _groups: None
    stale_ms: Callable[[str], int] = lambda _device: STALE_MS
    forget: Callable[[], None] = lambda: None  # what `rights` read in a commit that failed


class Executing:
    """One run's execution of orders. What takes a connection is done inside a commit."""

    def __init__(self, around: Around, writer: Writer) -> None:
        self._around, self._writer = around, writer
        self._sources = {name: each for each in around.sources for name in each.points}
        self._newest = Newest(around.stale_ms)
        self._opened: set[bytes] = set()
        self._moving: dict[bytes, Begun] = {}  # by the record of the start
        self._owed: list[tuple[Begun, End]] = []  # ends that the disk did not take yet
        self._told: str | None = None

    def show(self, readings: Iterable[Reading]) -> None:
        """Remember what was just read, from any thread."""
        if self._sources:
            self._newest.take(readings, self._around.author.now())

    async def run(self) -> None:
        """Look each second until cancelled; what moves then is left as indeterminate."""
        async with asyncio.TaskGroup() as moves:
            while True:
                for begun in await self._look():
                    moves.create_task(self._carry(begun))
                await asyncio.sleep(_LOOK_S)

    async def once(self) -> None:
        """Look once, and wait for all that is begun by it."""
        await asyncio.gather(*(self._carry(begun) for begun in await self._look()))

    async def _look(self) -> list[Begun]:
        """Tell what is owed, and decide each order that is open, each in a commit of its own."""
        begun: list[Begun] = []
        failed: GatewayError | None = None
        named: list[bytes] = []
        try:
            owed, self._owed = self._owed, []
            for one, end in owed:
                await self._tell(one, end)
            named = await self._commit(self.open)
        except GatewayError as fault:  # Nothing was begun by it, and nothing moves.
            self._around.forget()
            failed = fault
        for each in named:
            try:
                found = await self._commit(partial(self.decide, named=each))
            except GatewayError as fault:  # What is wrong with one order holds up no other.
                self._around.forget()
                failed = fault
                continue
            if found is not None:
                self._moving[found.start] = found
                begun.append(found)
        if failed is not None and self._told != failed.code:
            _LOG.warning("orders: %s", failed)
        self._told = None if failed is None else failed.code
        return begun

    def open(self, db: Connection) -> list[bytes]:
        """Open this run's feeds, end what an earlier one left, and name the orders to decide."""
        node, begun = self._around.author.run.node, self._known()
        for group, venue in self._around.venues().items() if self._sources else ():
            if group not in self._opened and membership.load(db, group).has(node):
                authoring.begin(db, self._around.author, venue)
                self._opened.add(group)
        for named, start in orders.unended(db, node):
            # In a group that is here no more nothing can be said, and it holds up no other.
            if start.by.record.id not in begun and start.by.record.group in self._around.venues():
                self._end_left(db, named, start)
        return orders.open_for(db, node)

    def decide(self, db: Connection, named: bytes) -> Begun | None:
        """Decide about an order by all that is so in this commit, and say it in the same."""
        held = orders.load(db, named)
        here = Here(
            self._around.author.run,
            {name: each.points[name] for name, each in self._sources.items()},
            self._newest.found(self._around.author.now()),
            self._around.rights,
        )
        now = self._around.author.now()
        found = [
            (execution.decide(weighing.weigh(db, here, now, (held, each))), each)
            for each in held.sightings
        ]
        decision, sighting = min(found, key=lambda one: _WEIGHT[type(one[0])])
        match decision:
            case Begin(value=value):
                return self._begin(db, (held, sighting), value)
            case Wait(reason=reason):
                self._wait(db, held, reason)
            case Refuse(code=code, outcome=outcome):
                end = End(named, outcome, None, code)
                self._say_end(db, sighting, end, (sighting.by.record.id,))
            case Settled():
                pass
        return None

    def end(self, db: Connection, begun: Begun, end: End) -> None:
        """Say what came of what was begun."""
        self._say_end(db, begun.sighting, end, (begun.sighting.by.record.id, begun.start))

    async def _carry(self, begun: Begun) -> None:
        """Move a point, whose start is durable; whatever happens to us meanwhile, say so."""
        order = begun.held.said
        end = End(order.hash, Outcome.INDETERMINATE, None, Unsure.code)
        try:
            moved = await begun.source.move(order.order.point, begun.value)
            end = End(order.hash, Outcome.DONE, moved.read_back, None)
        except NotMoved as fault:
            end = End(order.hash, Outcome.FAILED, None, fault.code)
        except GatewayError as fault:  # Unsure, or what no source should raise: it may have moved.
            end = End(order.hash, Outcome.INDETERMINATE, None, fault.code)
        except asyncio.CancelledError:
            self._writer.submit(lambda db: self.end(db, begun, end))
            raise
        await self._tell(begun, end)

    async def _tell(self, begun: Begun, end: End) -> None:
        """Commit an end; what the disk does not take now is told later, or is indeterminate."""
        try:
            await self._commit(lambda db: self.end(db, begun, end))
        except GatewayError as fault:
            _LOG.warning("orders: the end of %s waits: %s", end.order.hex(), fault)
            self._owed.append((begun, end))
        else:
            del self._moving[begun.start]
            self._around.written([begun.sighting.by.record.group])

    def _begin(self, db: Connection, about: tuple[Held, Sighting], value: Value) -> Begun | None:
        held, sighting = about
        source = self._sources[held.said.order.point]
        if any(each.source is source for each in self._moving.values()):
            self._wait(db, held, _BUSY)
            return None
        start = execution.encode_start(Start(held.said.hash, value))
        deps = (sighting.by.record.id,)
        record = self._say(db, sighting, (Kind.EXECUTION_START, start), deps)
        return Begun(held, sighting, record, source, value)

    def _end_left(self, db: Connection, named: bytes, start: orders.Start) -> None:
        """Say that nobody knows what came of a start that another run left, or that was lost."""
        end = End(named, Outcome.INDETERMINATE, None, _LEFT)
        told = Said(
            Kind.EXECUTION_END,
            execution.encode_end(end),
            CBOR_TYPE,
            start.by.record.activity,
            tuple(sorted({*start.by.record.deps, start.by.record.id})),
        )
        self._write(db, start.by.record.group, told)

    def _say_end(
        self, db: Connection, sighting: Sighting, end: End, deps: tuple[bytes, ...]
    ) -> None:
        self._say(db, sighting, (Kind.EXECUTION_END, execution.encode_end(end)), deps)

    def _say(
        self, db: Connection, sighting: Sighting, what: tuple[Kind, bytes], deps: tuple[bytes, ...]
    ) -> bytes:
        """Write what is said of an order, in the group and activity in which it stands."""
        about = sighting.by.record
        told = Said(what[0], what[1], CBOR_TYPE, about.activity, tuple(sorted(deps)))
        return self._write(db, about.group, told)

    def _write(self, db: Connection, group: bytes, told: Said) -> bytes:
        venue = self._around.venues().get(group)
        if venue is None:
            raise UnknownGroup(group=group.hex()[:16])
        place = authoring.say(db, self._around.author, venue, told)
        return orders.by_of(db, place).record.id

    def _wait(self, db: Connection, held: Held, reason: str) -> None:
        if held.waits != reason:
            orders.wait(db, held.said.hash, reason)

    def _known(self) -> set[bytes]:
        return {*self._moving, *(begun.start for begun, _ in self._owed)}

    async def _commit(self, job: Callable[[Connection], T]) -> T:
        return await asyncio.wrap_future(self._writer.submit(job))


class Newest:
    """The newest reading of each metric, as far as an order can expect something of it."""

    def __init__(self, stale_ms: Callable[[str], int]) -> None:
        self._stale_ms = stale_ms
        self._last: dict[tuple[str, str], tuple[Reading, int]] = {}

    def take(self, readings: Iterable[Reading], now: Moment) -> None:
        """Remember readings that were heard now; one that is older than what is known is not."""
        for each in readings:
            key = each.device, each.metric
            before = self._last.get(key)
            if before is not None and (before[0].time_ms or 0) > (each.time_ms or now.unix_ms):
                continue
            if before is None and len(self._last) >= _READINGS_MAX:
                del self._last[next(iter(self._last))]
            self._last[key] = each, now.monotonic_ms

    def found(self, now: Moment) -> dict[tuple[str, str], Found]:
        """Give each with whether it is good: said well, by the device itself, and not stale."""
        return {
            key: Found(each.value, self._is_good(each, heard_ms, now))
            for key, (each, heard_ms) in self._last.copy().items()
        }

    def _is_good(self, each: Reading, heard_ms: int, now: Moment) -> bool:
        if each.quality is not Quality.GOOD or each.retained or isinstance(each, Repeat):
            return False
        age_ms = now.monotonic_ms - heard_ms
        if each.time_ms is not None and now.source is not ClockSource.UNSET:
            age_ms = max(age_ms, now.unix_ms - each.time_ms)
        return age_ms <= self._stale_ms(each.device)


# Of several records in which one order stands the best counts: who copies it spoils nothing.
_WEIGHT: Final[dict[type[Decision], int]] = {Settled: 0, Begin: 1, Wait: 2, Refuse: 3}
