"""A link that listens by HTTPS: members dial in, and are carried to each other too.

In: where to listen, this run. Out: arrivals to the ear, each with its proven sender; a state with a
reason; who is linked. Who does not prove to be one of those that are known hears nothing but a
code. Protocol: docs/protocol/links.md.
"""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from gateway.errors import (
    AuthorError,
    BadProof,
    GatewayError,
    GroupError,
    LinkUnbindable,
    PeerError,
)
from gateway.peers.announcing import announce
from gateway.peers.https import FLOODING, GREET, HEAR, POLL_S, Own, Thread
from gateway.peers.link import CONNECTING, DOWN, UP, Ear
from gateway.peers.seats import Seat, Seats
from gateway.peers.waiting import WAITING_BYTES_MAX, total
from gateway.peers.wire import Arrived, Outgoing
from gateway.sync import link
from gateway.sync.link import Heard, Meeting, Parcel, Side
from gateway.sync.retry import NEVER_TRIED, Pace
from gateway.transport.http import Request, Response
from gateway.transport.http_server import Listening, Server, Visit

PACE: Final = Pace(1_000, 30_000)
SWEEP_S: Final = 5.0
# A post waits for room so long, then is said again later.
HELD_S_MAX: Final = 5.0
_LOOK_S: Final = 0.5
_BUSY_S: Final = 1
_TOKEN_PREFIX: Final = "Bearer "  # noqa: S105  # RFC 6750; no secret
UNKNOWN_TOKEN: Final = "link.token"  # noqa: S105
CROWDED: Final = "link.crowded"


class Listener:
    """A link to all that dial in."""

    kind = "listen"
    claimed = frozenset[bytes]()

    def __init__(self, name: str, at: Listening, own: Own, announces: bool = False) -> None:
        self.name, self.own, self._at, self._announces = name, own, at, announces
        self._announcing: asyncio.Task[None] | None = None
        self.state, self.reason = CONNECTING, ""
        self.counts: Counter[str] = Counter()
        self._thread, self._room = Thread(f"link {name}", self._main), asyncio.Event()
        self.seats = Seats(own, self.counts, self._thread.call)
        self._server = Server(at, self._meet, self.counts)
        self._ear: Ear | None = None
        self._told: tuple[str, frozenset[bytes]] = ("", frozenset())

    @property
    def certificate(self) -> bytes:
        """Give the SHA-256 of the certificate that it shows."""
        return self._server.certificate

    @property
    def direct(self) -> frozenset[bytes]:
        """Name the nodes that are linked now."""
        return self.seats.nodes if self.state == UP else frozenset()

    def start(self, ear: Ear) -> None:
        """Begin to listen."""
        self._ear = ear
        self._thread.start()

    def stop(self) -> None:
        """Close all connections."""
        self._ear = None
        self._thread.stop()

    def say(self, said: Sequence[Outgoing]) -> None:
        """Queue for those linked whom it is for."""
        self.seats.say([Parcel(each.topic, each.payload, each.backlog) for each in said])

    def has_room(self) -> bool:
        """Say whether somebody who is linked takes backlog now."""
        return self.seats.has_room(WAITING_BYTES_MAX // 4)

    def resume(self) -> None:
        """Go on to take what nodes say."""
        self._thread.call(self._room.set)

    async def take_soon(self, parcels: Sequence[Parcel], by: Seat) -> bool:
        """Take what a node says, for us and for others; False if there is long no room for ours."""
        until_s = time.monotonic() + HELD_S_MAX
        while not self._take(parcels, by):
            self._room.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._room.wait(), _LOOK_S)
            if time.monotonic() >= until_s:
                return False
        return True

    def _meet(self, visit: Visit) -> "Caller":
        return Caller(self, visit)

    async def _main(self) -> None:
        retry = NEVER_TRIED
        sweeping = asyncio.create_task(self._sweep())
        try:
            while True:
                try:
                    await self._server.serve(self._listens)
                except LinkUnbindable as fault:
                    self.state, self.reason = DOWN, str(fault)
                    self.counts[fault.code] += 1
                    self.changed()
                retry = retry.again(0, PACE, self.own.chance())
                await asyncio.sleep(retry.due_ms / 1000)
        finally:
            sweeping.cancel()
            if self._announcing is not None:
                self._announcing.cancel()
                await asyncio.gather(self._announcing, return_exceptions=True)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            self.seats.sweep(time.monotonic())
            self.changed()

    def _listens(self) -> None:
        self.state, self.reason = UP, ""
        if self._announces and self._announcing is None:
            said = f"hulian-{self.own.random(8).hex()}", self._at.host, self._at.port
            self._announcing = asyncio.create_task(announce(*said, self.counts))
        self.changed()

    def changed(self) -> None:
        """Tell the ear and those linked, if who is linked has changed."""
        now = self.state, self.direct
        if now == self._told:
            return
        self._told = now
        self.seats.wake_all()
        if self._ear is not None:
            self._ear.changed(self)

    def _take(self, parcels: Sequence[Parcel], by: Seat) -> bool:
        mine = self.seats.for_us(parcels, by)
        arrivals = [Arrived(each.topic, each.envelope, self.name, by.guest.node) for each in mine]
        if arrivals and (self._ear is None or not self._ear.heard(self, arrivals)):
            return False
        self.seats.say(parcels, by)
        return True


class Caller:
    """One connection to a listener: what it may ask, and what it is answered."""

    def __init__(self, at: Listener, visit: Visit) -> None:
        self._at, self._visit = at, visit
        self._challenge, self._is_flood = b"", False
        self._seated: tuple[Seat, ...] = ()
        self._told_s, self._told_bytes = 0.0, 0

    def room(self, request: Request) -> int | Response:
        """Bound the body: a proof of anybody, a batch of who has a token."""
        match request.method, request.target:
            case "POST", "/hl/1/greet":
                return link.PROOF_BYTES_MAX
            case ("POST", "/hl/1/say") | ("GET", "/hl/1/hear"):
                seat = self._seat(request)
                if seat is None:
                    return Response(401, UNKNOWN_TOKEN.encode(), is_last=True)
                return self._admitted(request, seat)
        return Response(404, b"link.http", is_last=True)

    async def answer(self, request: Request) -> Response:
        """Answer a request whose head was found good."""
        if request.target == GREET:
            try:
                return self._greet(request.body)
            except (PeerError, GroupError, AuthorError) as fault:
                self._at.counts[fault.code] += 1
                return Response(403, fault.code.encode(), is_last=True)
        seat = self._seat(request)
        if seat is None:  # It was taken away while the body was read.
            return Response(401, UNKNOWN_TOKEN.encode(), is_last=True)
        if request.target == HEAR:
            return await self._hear(seat)
        return await self._say(seat, request.body)

    def gone(self) -> None:
        """Note that a node has a connection less."""
        for seat in self._seated:
            if self._visit in seat.visits:
                seat.visits.remove(self._visit)
                self._at.changed()

    def _seat(self, request: Request) -> Seat | None:
        said = request.headers.get("authorization", "")
        with suppress(ValueError):
            return self._at.seats.of_token(bytes.fromhex(said.removeprefix(_TOKEN_PREFIX)))
        return None

    def _admitted(self, request: Request, seat: Seat) -> int | Response:
        now_s = time.monotonic()
        seat.heard_s = now_s
        self._sit(seat)
        if request.target == HEAR:
            return 0
        self._is_flood = not seat.may_post(now_s)
        if self._is_flood:
            self._at.counts[FLOODING] += 1
        if seat.is_deaf:
            self._at.seats.bar(seat, now_s)
            self._at.changed()
            return self._wait(_BUSY_S)
        return link.BATCH_BYTES_MAX

    def _sit(self, seat: Seat) -> None:
        seat.take_visit(self._visit)
        self._seated = (seat,)

    def _greet(self, body: bytes) -> Response:
        """Challenge who says nothing yet; then judge its proof, and prove who we are."""
        own = self._at.own
        if not body:
            self._challenge = own.random(link.CHALLENGE_BYTES)
            return Response(200, link.encode_challenge(self._challenge))
        challenge, self._challenge = self._challenge, b""
        proof = link.decode(body)
        if not challenge:
            raise BadProof(reason="it was not challenged on this connection")
        meeting = Meeting(self._at.certificate, challenge, proof.meeting.dialler)
        guest = own.judge(proof, Side.DIALLER, meeting)
        now_s = time.monotonic()
        if barred_s := self._at.seats.barred_s(guest.node, now_s):
            return self._wait(math.ceil(barred_s))
        seat = self._at.seats.sit(guest, proof.credentials, now_s)
        if seat is None:
            return Response(503, CROWDED.encode(), is_last=True)
        self._sit(seat)
        self._at.changed()
        return Response(200, link.sign(own.run, Side.LISTENER, meeting, seat.token))

    async def _say(self, seat: Seat, body: bytes) -> Response:
        if self._is_flood:  # Read, so that the connection can go on, and not looked at.
            return self._wait(_BUSY_S, is_last=False)
        try:
            parcels = link.decode_batch(body)
        except GatewayError as fault:  # To find that out cost more than to say it.
            self._at.counts[fault.code] += 1
            self._at.seats.bar(seat, time.monotonic())
            self._at.changed()
            return Response(400, fault.code.encode(), is_last=True)
        if not await self._at.take_soon(parcels, seat):
            return self._wait(_BUSY_S, is_last=False)
        return Response(200)

    async def _hear(self, seat: Seat) -> Response:
        """Wait for something to tell, as long as a poll lasts."""
        now_s = time.monotonic()
        if self._told_bytes:
            seat.flow.took(self._told_bytes, now_s - self._told_s)
        until_s = now_s + POLL_S
        while True:
            seat.news.clear()
            present = self._at.seats.present(seat)
            parcels = seat.waiting.take(seat.flow.bytes_max)
            left_s = until_s - time.monotonic()
            if parcels or present != seat.told or left_s <= 0:
                break
            await self._quiet(seat, left_s)
            if not seat.token:
                return Response(401, UNKNOWN_TOKEN.encode(), is_last=True)
        seat.told, seat.heard_s = present, time.monotonic()
        self._told_s, self._told_bytes = seat.heard_s, total(parcels)
        return Response(200, link.encode_heard(Heard(present, tuple(parcels))))

    async def _quiet(self, seat: Seat, seconds: float) -> None:
        """Wait for news; who hangs up, or speaks out of turn, is cut."""
        news = asyncio.ensure_future(seat.news.wait())
        gone = asyncio.ensure_future(self._visit.gone())
        try:
            async with asyncio.timeout(seconds):
                done, _ = await asyncio.wait({news, gone}, return_when=asyncio.FIRST_COMPLETED)
            if gone in done:
                self._visit.cut()
                await asyncio.sleep(0)
        except TimeoutError:
            pass
        finally:
            news.cancel()
            gone.cancel()
            await asyncio.gather(news, gone, return_exceptions=True)

    def _wait(self, seconds: int, is_last: bool = True) -> Response:
        retry = (("Retry-After", str(seconds)),)
        return Response(429, FLOODING.encode(), retry, is_last)
