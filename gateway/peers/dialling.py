"""A link that calls out by HTTPS: it works behind NAT, and reaches all that are linked there.

In: where somebody listens, this run. Out: arrivals to the ear; a state with a reason. Two
connections under one proof: one hears by long poll, one says. What did not get through goes to the
front of what waits. Whatever fails, it is tried again with back-off. docs/protocol/links.md.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from gateway.errors import (
    AuthorError,
    GatewayError,
    GroupError,
    LinkChanged,
    LinkIntercepted,
    LinkRefused,
    PeerError,
)
from gateway.peers.guests import Guest
from gateway.peers.https import (
    FLOODING,
    GREET,
    HEAR,
    POLL_S,
    SAY,
    Own,
    Thread,
    code_in,
    first,
)
from gateway.peers.link import CONNECTING, DOWN, FULL, UP, Ear
from gateway.peers.waiting import Flow, Waiting, total
from gateway.peers.wire import Arrived, Outgoing, whom
from gateway.records.feed import Credentials
from gateway.sync import link
from gateway.sync.link import Meeting, Parcel, Side
from gateway.sync.retry import NEVER_TRIED, Pace
from gateway.transport.http import Request, Response, body_s_max
from gateway.transport.http_client import Address, Connection, connected

PACE: Final = Pace(1_000, 60_000)
# An answer comes at once, or the listener is gone.
ANSWER_S_MAX: Final = 10.0
KEEP_S: Final = 30.0
# What was said and is not through: beyond it backlog waits in the store.
ROOM_BYTES: Final = 512 * 1024
RETRY_S_MAX: Final = 300.0
CODE_BYTES_MAX: Final = 256
# What comes within it goes as one batch.
POST_S_MIN: Final = 0.02
_RESUME_S: Final = 5.0


class Dialled:
    """A link to a listener."""

    kind = "https"

    def __init__(self, name: str, address: Address, own: Own, thread: Thread | None = None) -> None:
        self.name, self.address, self._own = name, address, own
        self.state, self.reason = CONNECTING, ""
        self.counts: Counter[str] = Counter()
        self._direct: frozenset[bytes] = frozenset()
        self.listener = b""  # its node, while this is up
        self._waiting, self._flow = Waiting(), Flow()
        self._thread = thread or Thread(f"link {name}", self._main)
        self._news, self._room = asyncio.Event(), asyncio.Event()
        self._ear: Ear | None = None
        self.was_up, self._has_changed, self.asked_s = False, False, 0.0

    @property
    def direct(self) -> frozenset[bytes]:
        """Name the listener and who else is linked to it."""
        return self._direct

    @property
    def claimed(self) -> frozenset[bytes]:
        """Name who is linked there by the listener's word."""
        return self._direct - {self.listener}

    def start(self, ear: Ear) -> None:
        """Begin to call."""
        self._ear = ear
        self._thread.start()

    def stop(self) -> None:
        """Hang up."""
        self._ear = None
        self._thread.stop()

    def say(self, said: Sequence[Outgoing]) -> None:
        """Queue what can be carried there."""
        if self.state != UP:
            return
        for each in said:
            if is_reached(each.topic, self._direct):
                self._drop(self._waiting.put(Parcel(each.topic, each.payload, each.backlog)))
        self._thread.call(self._news.set)

    def has_room(self) -> bool:
        """Say whether little waits, by how fast it goes."""
        return self._waiting.has_room(min(2 * self._flow.bytes_max, ROOM_BYTES))

    def resume(self) -> None:
        """Go on to hear."""
        self._thread.call(self._room.set)

    async def once(self, ear: Ear | None) -> GatewayError | None:
        """Be linked once, until it ends; say why it did, and note if and how long to wait."""
        self._ear, self.was_up, self.asked_s = ear, False, 0.0
        try:
            await self._once()
        except (PeerError, GroupError, AuthorError) as fault:
            return self._fail(fault)
        return None

    async def _main(self) -> None:
        retry = NEVER_TRIED
        while True:
            await self.once(self._ear)
            if self.was_up:
                retry = NEVER_TRIED
            retry = retry.again(0, PACE, self._own.chance())
            await asyncio.sleep(max(retry.due_ms / 1000, self.asked_s))

    async def _once(self) -> None:
        """Be linked once, until it ends."""
        async with connected(self.address, None) as hearing:
            with self._own.alone(hearing.certificate):
                await self._meet(hearing)

    async def _meet(self, hearing: Connection) -> None:
        guest, credentials, token = await self._greet(hearing)
        async with connected(self.address, hearing.certificate) as saying:
            headers = {"Authorization": f"Bearer {token.hex()}"}
            self._change(guest.node, ())
            await first(
                self._hear(hearing, headers, guest, credentials),
                self._say(saying, headers),
            )

    async def _greet(self, connection: Connection) -> tuple[Guest, Credentials, bytes]:
        """Prove who we are, and see who is there; raise what is wrong."""
        challenged = await self._ask(connection, Request("POST", GREET))
        theirs = link.decode_challenge(challenged.body)
        ours = self._own.random(link.CHALLENGE_BYTES)
        meeting = Meeting(connection.certificate, theirs, ours)
        said = link.sign(self._own.run, Side.DIALLER, meeting)
        answered = await self._ask(connection, Request("POST", GREET, {}, said))
        proof = link.decode(answered.body)
        guest = self._own.judge(proof, Side.LISTENER, meeting)
        return guest, proof.credentials, proof.token

    async def _hear(
        self,
        connection: Connection,
        headers: dict[str, str],
        guest: Guest,
        credentials: Credentials,
    ) -> None:
        known = self._own.guests()
        while True:
            response = await connection.ask(
                Request("GET", HEAR, headers), POLL_S + ANSWER_S_MAX, link.HEARD_BYTES_MAX
            )
            if response.status == 429:
                await self._wait_for(response)
                continue
            heard = link.decode_heard(_good(response).body)
            if self._own.guests() is not known:
                known = self._own.guests()
                known.admit(credentials, self._own.unix_ms() // 1000)
            self._change(guest.node, heard.present)
            ours = [each for each in heard.parcels if not each.is_carried]
            await self._hand_over(ours, guest.node)
            carried = [each for each in heard.parcels if each.is_carried]
            await self._hand_over(carried, None)

    async def _hand_over(self, parcels: Sequence[Parcel], sender: bytes | None) -> None:
        """Give to the ear; while it has no room, read no further."""
        arrivals = [Arrived(each.topic, each.envelope, self.name, sender) for each in parcels]
        while arrivals and self._ear is not None:
            self._room.clear()
            if self._ear.heard(self, arrivals):
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._room.wait(), _RESUME_S)

    async def _say(self, connection: Connection, headers: dict[str, str]) -> None:
        parcels: list[Parcel] = []  # Nothing at first: until it shows its token it is a stranger.
        while True:
            body = link.encode_batch(parcels)
            began_s = time.monotonic()
            try:
                response = await connection.ask(
                    Request("POST", SAY, headers, body), body_s_max(len(body)), CODE_BYTES_MAX
                )
                if response.status != 429:
                    _good(response)
            except GatewayError:
                self._drop(self._waiting.put_back(parcels))
                raise
            if response.status == 429:
                self._drop(self._waiting.put_back(parcels))
                await self._wait_for(response)
            else:
                took_s = time.monotonic() - began_s
                self._flow.took(total(parcels), took_s)
                await asyncio.sleep(max(0.0, POST_S_MIN - took_s))
            parcels = await self._next()

    async def _next(self) -> list[Parcel]:
        """Wait for something to say; nothing, now and then, so that the way stays open."""
        self._news.clear()
        parcels = self._waiting.take(self._flow.bytes_max)
        if not parcels:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), KEEP_S)
            parcels = self._waiting.take(self._flow.bytes_max)
        return parcels

    async def _ask(self, connection: Connection, request: Request) -> Response:
        response = await connection.ask(request, ANSWER_S_MAX, link.PROOF_BYTES_MAX)
        if response.status == 429:  # Not let in for a while.
            self.asked_s = self._wait_s(response)
        return _good(response)

    async def _wait_for(self, response: Response) -> None:
        """We say too much: wait as long as is asked for, and a little more."""
        self.counts[FLOODING] += 1
        await asyncio.sleep(self._wait_s(response))

    def _wait_s(self, response: Response) -> float:
        asked = response.header("retry-after")
        seconds = float(asked) if asked.isdecimal() else 1.0
        return min(seconds, RETRY_S_MAX) * (1 + self._own.chance() / 2)

    def _change(self, listener: bytes, present: Sequence[bytes]) -> None:
        """Note who is reached now; tell the ear if that is news."""
        direct = frozenset({listener, *present} - {self._own.run.node})
        if self.state == UP and direct == self._direct:
            return
        self.listener, self._direct = listener, direct
        self.state, self.reason = UP, ""
        self.was_up, self._has_changed = True, False
        self._tell()

    def _fail(self, fault: GatewayError) -> GatewayError:
        if isinstance(fault, LinkChanged):
            # A listener that starts between two connections does so once, who sits there always.
            fault = LinkIntercepted() if self._has_changed else fault
            self._has_changed = True
        self.state, self.reason, self._direct = DOWN, str(fault), frozenset()
        self.counts[fault.code] += 1
        self._tell()
        return fault

    def _drop(self, count: int) -> None:
        if count:
            self.counts[FULL] += count

    def _tell(self) -> None:
        if self._ear is not None:
            self._ear.changed(self)


def is_reached(topic: str, nodes: frozenset[bytes]) -> bool:
    """Say whether something under a topic can be for one of these nodes."""
    node = whom(topic)
    return node is None or node in nodes


def _good(response: Response) -> Response:
    """Give an answer that is one; raise LinkRefused."""
    if response.status != 200:
        said = code_in(response.status, response.body)
        # Whoever is in between may say it too, and then says the truth.
        raise LinkIntercepted if said == LinkIntercepted.code else LinkRefused(said=said)
    return response
