"""A listener for HTTP(S) that strangers cannot fill: connections, times and sizes are bounded.

In: an address, who answers. Out: one task a connection, in the loop of its caller; counts by
reason. A stranger is who was not yet welcomed: few of them at a time, for seconds each, and an
address with many makes room first. It knows nothing of what is carried. docs/protocol/links.md.
"""

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

import h11

from gateway.errors import (
    BadHttp,
    LinkSlow,
    LinkTooLarge,
    LinkUnbindable,
    LinkUnreachable,
)
from gateway.transport import tls
from gateway.transport.http import Conversation, Request, Response

STRANGERS_MAX: Final = 64
STRANGERS_PER_ADDRESS_MAX: Final = 16
STRANGER_S_MAX: Final = 10.0
IDLE_S_MAX: Final = 60.0
BUFFER_BYTES: Final = 64 * 1024
_BACKLOG: Final = 128
_EXHAUSTED_S: Final = 0.2
CROWDED: Final = "link.crowded"
LATE: Final = "link.late"  # a stranger that stayed one
TLS: Final = "link.tls"
DEFECT: Final = "link.defect"


class Visitor(Protocol):
    """Who answers on one connection."""

    def room(self, request: Request) -> int | Response:
        """Say by the head of how many bytes a body may be; or refuse before it is read."""

    async def answer(self, request: Request) -> Response:
        """Answer a request."""

    def gone(self) -> None:
        """Take notice that the connection is closed."""


@dataclass(frozen=True, slots=True)
class Listening:
    """Where to listen, and what the certificate is made from; None: without TLS."""

    host: str
    port: int
    seed: bytes | None

    @property
    def shown(self) -> str:
        """Give the address as people write it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Visit:
    """One connection, as the server holds it."""

    def __init__(self, accepted: socket.socket, address: str, number: int) -> None:
        self.address, self.number, self.stranger = address, number, True
        self.accepted: socket.socket | None = accepted  # until TLS takes it
        self.task: asyncio.Task[None] | None = None
        self.conversation: Conversation | None = None
        self.patience: asyncio.Timeout | None = None

    def welcome(self) -> None:
        """Make it a stranger no more: from now on its answers are its limits."""
        self.stranger = False
        if self.patience is not None:
            self.patience.reschedule(None)

    def cut(self) -> None:
        """End it from outside."""
        if self.task is not None:
            self.task.cancel()

    async def gone(self) -> None:
        """Wait until the other end closes, or speaks out of turn."""
        if self.conversation is not None:
            await self.conversation.gone()


class Server:
    """A listener; `serve` runs until cancelled."""

    def __init__(
        self, at: Listening, meet: Callable[[Visit], Visitor], counts: Counter[str]
    ) -> None:
        self._at, self._meet, self._counts = at, meet, counts
        self._context: ssl.SSLContext | None = None
        self.certificate = b""
        if at.seed is not None:
            self._context, self.certificate = tls.listening_context(at.seed)
        self._visits: set[Visit] = set()
        self._number = 0

    async def serve(self, listening: Callable[[], None]) -> None:
        """Accept connections; raise LinkUnbindable where the address cannot be had."""
        with self._bound() as sock:
            listening()
            try:
                await self._accept(sock)
            finally:
                tasks = [visit.task for visit in self._visits if visit.task is not None]
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    def _bound(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._at.host else socket.AF_INET
        where = self._at.host, self._at.port
        try:
            sock = socket.create_server(where, family=family, backlog=_BACKLOG)
        except OSError as fault:
            reason = fault.strerror or fault
            raise LinkUnbindable(address=self._at.shown, reason=reason) from fault
        sock.setblocking(False)
        return sock

    async def _accept(self, sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, address = await loop.sock_accept(sock)
            except OSError:  # No descriptors left, or gone before it was taken.
                await asyncio.sleep(_EXHAUSTED_S)
                continue
            self._make_room(str(address[0]))
            self._number += 1
            visit = Visit(accepted, str(address[0]), self._number)
            self._visits.add(visit)
            visit.task = loop.create_task(self._visit(visit, accepted))
            visit.task.add_done_callback(partial(self._left, visit))
            await asyncio.sleep(0)  # Who was let in has its turn, however many knock.

    def _left(self, visit: Visit, task: asyncio.Task[None]) -> None:
        """Forget a connection; what nobody expected ends it alone, and is told and counted."""
        self._visits.discard(visit)
        if visit.accepted is not None:  # It was cut before TLS began.
            visit.accepted.close()
        fault = None if task.cancelled() else task.exception()
        if fault is not None:
            self._counts[DEFECT] += 1
            said = {"message": "a connection ended in a defect", "exception": fault}
            asyncio.get_running_loop().call_exception_handler(said)

    def _make_room(self, address: str) -> None:
        """Cut the oldest stranger of the address with most, so that nobody can lock others out."""
        strangers = [each for each in self._visits if each.stranger]
        crowd = Counter(each.address for each in strangers)
        if crowd[address] >= STRANGERS_PER_ADDRESS_MAX:
            most = address
        elif len(strangers) >= STRANGERS_MAX:
            most = crowd.most_common(1)[0][0]
        else:
            return
        oldest = min((each.number, each) for each in strangers if each.address == most)[1]
        oldest.stranger = False
        oldest.cut()
        self._counts[CROWDED] += 1

    async def _visit(self, visit: Visit, accepted: socket.socket) -> None:
        """Serve one connection from its first byte to its end."""
        visitor = self._meet(visit)
        try:
            async with asyncio.timeout(STRANGER_S_MAX) as visit.patience:
                visit.conversation = await self._handshake(visit, accepted)
                await self._converse(visit.conversation, visitor)
        except TimeoutError:
            self._counts[LATE] += 1
        except OSError:  # ssl's errors among them
            self._counts[TLS] += 1
        except LinkSlow as fault:  # It takes no answer.
            self._counts[fault.code] += 1
        except LinkUnreachable:
            pass  # It is gone: there is nobody to tell.
        finally:
            visitor.gone()
            if visit.conversation is not None:
                visit.conversation.close()

    async def _handshake(self, visit: Visit, accepted: socket.socket) -> Conversation:
        tls.watch(accepted)
        await _speaks(accepted)
        visit.accepted = None
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=BUFFER_BYTES)
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await loop.connect_accepted_socket(
            lambda: protocol,
            accepted,
            ssl=self._context,
            ssl_handshake_timeout=None if self._context is None else tls.HANDSHAKE_S_MAX,
        )
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        return Conversation(reader, writer, h11.SERVER)

    async def _converse(self, conversation: Conversation, visitor: Visitor) -> None:
        while True:
            try:
                request = await conversation.request(IDLE_S_MAX, visitor.room)
                if request is None:
                    return
                response = (
                    await visitor.answer(request) if isinstance(request, Request) else request
                )
            except (BadHttp, LinkSlow, LinkTooLarge) as fault:
                self._counts[fault.code] += 1
                response = refusal(fault)
            if not await conversation.respond(response):
                return


def refusal(fault: BadHttp | LinkSlow | LinkTooLarge) -> Response:
    """Say to the other end what was wrong with how it spoke, and close."""
    match fault:
        case LinkSlow():
            status = 408
        case LinkTooLarge():
            status = 431 if fault.facts["part"] == "head" else 413
        case _:
            status = 400
    return Response(status, fault.code.encode(), is_last=True)


async def _speaks(accepted: socket.socket) -> None:
    """Wait for the first byte: until then a connection costs next to nothing."""
    loop, spoken = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(accepted, spoken.set)
    try:
        await spoken.wait()
    finally:
        loop.remove_reader(accepted)
