"""A witness over HTTP: C2SP tlog-witness, and the two questions by which it learns of a run.

In: a witness, a clock. Out: answers, each with a status of its own; counts by code. Connections,
bodies and times are bounded by the listener, asking by origin and by address here; the store has a
thread of its own, one request at a time. Protocol: docs/protocol/witness.md.
"""

import asyncio
import json
import math
import re
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from gateway.errors import (
    AuthorError,
    BadNote,
    GatewayError,
    JournalForked,
    JournalRewritten,
    OtherSize,
    StateError,
    StoreError,
    StrangeRoster,
    StrangeRun,
    TooManyRuns,
    UnknownJournal,
    WitnessBusy,
    WitnessClockUnset,
)
from gateway.groups import witnessing
from gateway.groups.witnessing import INTRODUCTION_BYTES_MAX, SUBMISSION_BYTES_MAX
from gateway.records import note
from gateway.records.roster import ROSTER_BYTES_MAX
from gateway.store import database
from gateway.store.witness import Witness
from gateway.transport.http import Request, Response
from gateway.transport.http_server import Listening, Server
from gateway.web.allowance import Allowance, Limit

ADD: Final = "/add-checkpoint"
RUN: Final = "/hl/1/run"
ROSTER: Final = "/hl/1/roster/"
HEALTH: Final = "/health"
SIZE_TYPE: Final = "text/x.tlog.size"
TEXT: Final = "text/plain; charset=utf-8"
# A gateway asks once a minute, and each thousand records: a run that asks more has to wait.
BY_ORIGIN: Final = Limit(burst=60, each_s=1.0)
# A factory's gateways come from one address, a proxy's from one too.
BY_ADDRESS: Final = Limit(burst=600, each_s=0.05)
NAMES_MAX: Final = 10_000
_STATUS: Final[tuple[tuple[type[GatewayError], int], ...]] = (
    (UnknownJournal, 404),
    (BadNote, 403),
    (StrangeRun, 403),
    (TooManyRuns, 403),
    (StrangeRoster, 403),
    (OtherSize, 409),
    (JournalForked, 409),
    (JournalRewritten, 422),
    (WitnessBusy, 429),
    (WitnessClockUnset, 503),
    (StoreError, 503),
    (StateError, 503),
    (AuthorError, 400),
)
_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Clock:
    """The times that a witness needs: Unix seconds, 0 while unset, and one that never jumps."""

    unix_s: Callable[[], int]
    monotonic_s: Callable[[], float]


class Door:
    """What answers: `serve` runs until cancelled, `counts` may be read from anywhere."""

    def __init__(self, witness: Witness, clock: Clock) -> None:
        self.counts: Counter[str] = Counter()
        self._witness, self._clock = witness, clock
        self._by_origin = Allowance(BY_ORIGIN, NAMES_MAX)
        self._by_address = Allowance(BY_ADDRESS, NAMES_MAX)
        self._store = ThreadPoolExecutor(max_workers=1, thread_name_prefix="witness")

    async def serve(self, at: Listening, listening: Callable[[], None]) -> None:
        """Answer whoever asks; raise LinkUnbindable where the address cannot be had."""
        server = Server(at, lambda visit: _Caller(self, visit.address), self.counts)
        try:
            await server.serve(listening)
        finally:
            self._store.shutdown()

    def admit(self, address: str) -> None:
        """Let an address ask once more; raise WitnessBusy."""
        self._take(self._by_address, address, "address")

    async def answer(self, request: Request, address: str) -> Response:
        """Do what is asked."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._store, self._answered, request, address)
        except GatewayError as fault:
            self.counts[fault.code] += 1
            return refusal(fault)

    def _answered(self, request: Request, address: str) -> Response:
        """Do what is asked, in the store's own thread."""
        with database.explained(self._witness.path):
            return self._done(request, address)

    def _done(self, request: Request, address: str) -> Response:
        match request.method, request.target:
            case "POST", target if target == ADD:
                return self._cosign(request.body, address)
            case "POST", target if target == RUN:
                self._witness.introduce(request.body)
                self.counts["introduced"] += 1
                return Response(200, headers=(("Content-Type", TEXT),))
            case "POST", target:
                consortium = bytes.fromhex(target.removeprefix(ROSTER))
                number = self._witness.take_roster(consortium, request.body)
                return Response(200, f"{number}\n".encode(), (("Content-Type", TEXT),))
        return self._health()

    def _cosign(self, body: bytes, address: str) -> Response:
        asked = witnessing.decode(body)
        known = self._witness.journal(asked.checkpoint.origin)
        if known is None:
            raise UnknownJournal(origin=asked.checkpoint.origin[:80])
        # First whose it is: else any stranger could ask so often that the run itself has to wait.
        note.check(asked.note, known.origin, known.run_key)
        self._take(self._by_origin, f"{known.origin} {address}", "journal")
        unix_s = self._clock.unix_s()
        if not unix_s:
            raise WitnessClockUnset
        line = self._witness.cosign(asked, unix_s)
        self.counts["cosigned"] += 1
        return Response(200, f"{line}\n".encode(), (("Content-Type", TEXT),))

    def _health(self) -> Response:
        """Say how the witness is; 503 where it could not cosign now."""
        counted, is_set = self._witness.counted(), bool(self._clock.unix_s())
        said = {
            "state": "signing" if is_set else "clock",
            "name": self._witness.name,
            "key": self._witness.public.hex(),
            "named": self._witness.is_named(),
            "journals": counted.journals,
            "cosigned": counted.cosigned,
            "forks": counted.forks,
            "counts": dict(self.counts),
        }
        body = json.dumps(said).encode() + b"\n"
        return Response(200 if is_set else 503, body, (("Content-Type", "application/json"),))

    def _take(self, allowance: Allowance, name: str, who: str) -> None:
        wait_s = allowance.wait_s(name, self._clock.monotonic_s())
        if wait_s:
            raise WitnessBusy(who=who, seconds=math.ceil(wait_s))


class _Caller:
    """One connection."""

    def __init__(self, door: Door, address: str) -> None:
        self._door, self._address = door, address

    def room(self, request: Request) -> int | Response:
        """Say by the head how long a body may be; refuse who asks too much, or for nothing."""
        known = {
            ("POST", ADD): SUBMISSION_BYTES_MAX,
            ("POST", RUN): INTRODUCTION_BYTES_MAX,
            ("GET", HEALTH): 0,
        }
        size_max = known.get((request.method, request.target))
        tail = request.target.removeprefix(ROSTER)
        if request.method == "POST" and tail != request.target and _HEX.fullmatch(tail):
            size_max = ROSTER_BYTES_MAX
        if size_max is None:
            return Response(404, b"witness.nothing-here", (("Content-Type", TEXT),), is_last=True)
        try:
            self._door.admit(self._address)
        except WitnessBusy as fault:
            self._door.counts[fault.code] += 1
            return refusal(fault, is_last=True)
        return size_max

    async def answer(self, request: Request) -> Response:
        """Answer a request."""
        return await self._door.answer(request, self._address)

    def gone(self) -> None:
        """Nothing is kept of a connection."""


def refusal(fault: GatewayError, is_last: bool = False) -> Response:
    """Say why not: by the status, and in the body by a code, or a size where C2SP says so."""
    status = next((number for kind, number in _STATUS if isinstance(fault, kind)), 503)
    match fault:
        case OtherSize(facts={"size": size}):
            return Response(status, f"{size}\n".encode(), (("Content-Type", SIZE_TYPE),))
        case WitnessBusy(facts={"seconds": seconds}):
            headers = [("Content-Type", TEXT), ("Retry-After", str(seconds))]
        case _:
            headers = [("Content-Type", TEXT)]
    return Response(status, f"{fault.code}\n".encode(), tuple(headers), is_last)
