"""What every source does with what it heard: sign it, commit it, then let it be acknowledged.

In: batches of readings from one source. Out: a future for each, resolved after the fsynced commit
that holds its readings as records, its unreadable payloads, and how far the source is acknowledged.
Readings go to the groups their routes name, otherwise to the organisation's own group (chapter 6).
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Final

from msgspec import structs

from gateway.config import joined
from gateway.config.settings import Route
from gateway.errors import GatewayError, StoreClosed, UnknownGroup
from gateway.readings import senml
from gateway.readings.presence import Instant
from gateway.readings.reading import (
    Attestation,
    Batch,
    Delivered,
    Gap,
    Position,
    Provenance,
    Reading,
)
from gateway.readings.repeats import Repeat
from gateway.readings.senml import Pack, encode_attested
from gateway.records import gap
from gateway.records.feed import CBOR_TYPE
from gateway.records.record import ClockSource, Kind, Said
from gateway.store import arrivals, authoring, devices, observations, quarantine, state
from gateway.store.authoring import Author, Venue
from gateway.store.database import Connection
from gateway.store.writer import Writer

_HEARD_MS = 1000
NOBODY: Final[Mapping[str, Venue]] = {}


def check_routes(routes: Sequence[Route], groups: Collection[str]) -> None:
    """See that every group that a route names is here; raise UnknownGroup."""
    for route in routes:
        if route.group not in groups:
            raise UnknownGroup(group=route.group)


class Routes:
    """Which group a reading goes to: that of the activity to which its device belongs, else by the
    first route that matches, else the own group."""

    def __init__(self, routes: Sequence[Route], venues: dict[str, Venue]) -> None:
        self._routes = tuple(routes)
        self.move(venues)

    def move(self, venues: dict[str, Venue], bound: Mapping[str, Venue] = NOBODY) -> None:
        """Write elsewhere from now on: this node left a group, or came back, or a device was bound
        to an activity, or is no more; from any thread."""
        known: dict[tuple[str, str], Venue] = {}
        self._venues = venues, bound, known

    def venue(self, device: str, metric: str) -> Venue:
        """Give where readings of a device's metric are written."""
        venues, bound, known = self._venues
        venue = known.get((device, metric))
        if venue is None:
            if len(known) > 100_000:  # Devices come and go; the answers are kept bounded.
                known.clear()
            venue = bound.get(device) or venues[self._find(device, metric)]
            known[device, metric] = venue
        return venue

    def _find(self, device: str, metric: str) -> str:
        for route in self._routes:
            if any(fnmatchcase(device, pattern) for pattern in route.devices) and any(
                fnmatchcase(metric, pattern) for pattern in route.metrics
            ):
                return route.group
        return state.OWN


@dataclass(frozen=True, slots=True)
class Desk:
    """What all intakes share: who signs, the one writer, the routes, whom to tell of records."""

    author: Author
    writer: Writer
    routes: Routes
    written: Callable[[frozenset[bytes], Sequence[Reading]], None]


class Intake:
    """One source's way into the store."""

    def __init__(
        self, desk: Desk, source: str, provenance: Provenance, equipment: str = ""
    ) -> None:
        self._desk, self._source, self._provenance = desk, source, provenance
        self._equipment = equipment
        self._heard: dict[str, int] = {}  # when each device was last written down

    def submit(self, batch: Batch) -> "Future[None]":
        """Queue a batch for the next commit; raise StoreClosed while the agent stops."""
        readings_placed = self._placed(batch.readings)
        packs = self._packs(batch.attestations, readings_placed)
        gaps = [part for missed in batch.gaps for part in self._parts(missed)]
        groups = frozenset(venue.group for venue, _ in (*packs, *gaps))
        future = self._desk.writer.submit(lambda db: self._keep(db, batch, packs, gaps))
        if groups:
            future.add_done_callback(lambda done: self._tell(done, groups, readings_placed))
        return future

    def _placed(self, readings: tuple[Reading, ...]) -> tuple[Reading, ...]:
        """Say of each reading where in the plant it was measured, as far as the config does."""
        place = self._equipment
        if not place:
            return readings
        return tuple(
            structs.replace(each, equipment=joined(place, each.equipment)) for each in readings
        )

    async def commit(self, batch: Batch) -> GatewayError | None:
        """Wait until a batch is durable; give the fault if it is not; a defect is raised."""
        try:
            done = asyncio.wrap_future(self.submit(batch))
        except GatewayError as refusal:
            return refusal
        # Unlike `await done`, this leaves the commit alone when the source is cancelled.
        await asyncio.wait((done,))
        if done.cancelled():
            return StoreClosed()
        fault = done.exception()
        if fault is not None and not isinstance(fault, GatewayError):
            raise fault
        return fault

    def expected(self) -> list[list[Delivered]]:
        """Give, batch by batch in order, the deliveries that a resumed session may repeat."""
        return self._desk.writer.submit(
            lambda db: arrivals.perhaps_unacknowledged(db, self._source)
        ).result()

    def forget_expected(self) -> None:
        """Forget them: the broker has no session of ours, so nothing will be repeated."""
        self._desk.writer.submit(lambda db: arrivals.settle(db, self._source)).result()

    def position(self) -> Position | None:
        """Give how far a framed device was heard, over restarts."""
        return self._desk.writer.submit(lambda db: arrivals.position(db, self._source)).result()

    def _packs(
        self, attestations: Sequence[Attestation], readings: Sequence[Reading]
    ) -> list[tuple[Venue, Pack]]:
        """Write readings for the groups they go to, with what their device signed of them."""
        signed: dict[Venue, list[tuple[Attestation, Sequence[Reading]]]] = {}
        unsigned, provenance = readings, self._provenance
        if attestations:
            # Whom a part goes to may not see the rest, and without it the signature shows nothing.
            signed, unsigned = self._undivided(attestations, readings)
            provenance = Provenance.DEVICE_AUTHENTICATED
        packs = [(venue, pack) for venue, said in signed.items() for pack in encode_attested(said)]
        for venue, said in self._by_venue(unsigned).items():
            packs += [(venue, pack) for pack in senml.encode(said, provenance)]
        return packs

    def _undivided(
        self, attestations: Sequence[Attestation], readings: Sequence[Reading]
    ) -> tuple[dict[Venue, list[tuple[Attestation, Sequence[Reading]]]], list[Reading]]:
        """Tell what goes to one group with all that its device signed from what does not."""
        whole: dict[Venue, list[tuple[Attestation, Sequence[Reading]]]] = {}
        divided: list[Reading] = []
        start = 0
        for each in attestations:
            about = readings[start : start + each.count]
            start += each.count
            venues = self._by_venue(about)
            if len(venues) == 1:
                whole.setdefault(next(iter(venues)), []).append((each, about))
            else:
                divided += about
        return whole, divided

    def _by_venue(self, readings: Sequence[Reading]) -> dict[Venue, list[Reading]]:
        sorted_out: dict[Venue, list[Reading]] = {}
        for reading in readings:
            venue = self._desk.routes.venue(reading.device, reading.metric)
            sorted_out.setdefault(venue, []).append(reading)
        return sorted_out

    def _parts(self, missed: Gap) -> list[tuple[Venue, Gap]]:
        """Tell each group of a gap only the metrics that it gets."""
        metrics: dict[Venue, list[str]] = {}
        for metric in missed.metrics:
            venue = self._desk.routes.venue(missed.device, metric)
            metrics.setdefault(venue, []).append(metric)
        return [(venue, replace(missed, metrics=tuple(its))) for venue, its in metrics.items()]

    def _keep(
        self,
        db: Connection,
        batch: Batch,
        packs: Sequence[tuple[Venue, Pack]],
        gaps: Sequence[tuple[Venue, Gap]],
    ) -> None:
        author, source = self._desk.author, self._source
        for venue, missed in gaps:
            said = Said(Kind.GAP, gap.encode(missed), CBOR_TYPE, venue.activity)
            place = authoring.say(db, author, venue, said)
            observations.keep(db, place, observations.spans_of_gap(missed))
        for venue, pack in packs:
            content_type = senml.CONTENT_TYPE
            said = Said(Kind.OBSERVATION, pack.encoded, content_type, venue.activity)
            place = authoring.say(db, author, venue, said)
            observations.keep(db, place, pack.spans)
        self._hear(db, batch)
        if batch.unreadable:
            quarantine.keep(db, source, author.now().unix_ms, batch.unreadable)
        if batch.settled:
            arrivals.settle(db, source, batch.settled)
        if batch.delivered:
            arrivals.expect_acknowledged(db, source, batch.delivered)
        if batch.position is not None:
            arrivals.move_position(db, source, batch.position)

    def _hear(self, db: Connection, batch: Batch) -> None:
        """Remember which devices live; what was kept by a broker or repeated by us is no sign."""
        moment, before = self._desk.author.now(), self._heard
        now_ms = moment.monotonic_ms
        said = (each for each in batch.readings if not isinstance(each, Repeat))
        heard = {each.device for each in said if not each.retained}
        # Once a second is enough of who speaks all the time.
        due = [one for one in heard if now_ms - before.get(one, -_HEARD_MS) >= _HEARD_MS]
        if not due:
            return
        unix_ms = None if moment.source is ClockSource.UNSET else moment.unix_ms
        devices.hear(db, self._source, due, Instant(unix_ms, moment.boot, now_ms))
        if any(one not in before for one in due):
            devices.let_go(db)
        if len(before) > devices.DEVICES_MAX:
            before.clear()
        before |= dict.fromkeys(due, now_ms)

    def _tell(
        self, done: "Future[None]", groups: frozenset[bytes], readings: Sequence[Reading]
    ) -> None:
        if not done.cancelled() and done.exception() is None:
            self._desk.written(groups, readings)
