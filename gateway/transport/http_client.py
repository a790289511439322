"""A dialler's connection for HTTP(S): opened, pinned to a certificate where one is known, asked.

In: an address, perhaps the SHA-256 of the certificate that must be shown. Out: a connection that
answers one request after the other, or an error that says why there is none. It proves nothing
itself. Protocol: docs/protocol/links.md.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import h11

from gateway.errors import LinkChanged, LinkSlow, LinkUnreachable
from gateway.transport import tls
from gateway.transport.http import Conversation, Request, Response
from gateway.transport.http_server import BUFFER_BYTES

CONNECT_S_MAX: Final = 10.0


@dataclass(frozen=True, slots=True)
class Address:
    """Where a listener is."""

    host: str
    port: int
    tls: bool = True

    @property
    def shown(self) -> str:
        """Give it as a request names it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Connection:
    """One connection to a listener; `certificate` is the SHA-256 of what it showed, if any."""

    def __init__(self, conversation: Conversation, address: Address) -> None:
        self._conversation, self._address = conversation, address
        self.certificate = tls.seen_certificate(conversation.writer) if address.tls else b""

    async def ask(self, request: Request, patience_s: float, size_max: int) -> Response:
        """Say a request and give its answer; raise a PeerError, after which it is of no use."""
        headers = {"Host": self._address.shown, **request.headers}
        asked = Request(request.method, request.target, headers, request.body)
        return await self._conversation.ask(asked, patience_s, size_max)


@asynccontextmanager
async def connected(address: Address, pinned: bytes | None) -> AsyncIterator[Connection]:
    """Connect, for as long as the context lasts; raise LinkUnreachable or LinkChanged."""
    try:
        async with asyncio.timeout(CONNECT_S_MAX):
            reader, writer = await asyncio.open_connection(
                address.host,
                address.port,
                ssl=tls.dialling_context() if address.tls else None,
                limit=BUFFER_BYTES,
            )
    except TimeoutError:
        raise LinkSlow(seconds=round(CONNECT_S_MAX)) from None
    except OSError as fault:
        raise LinkUnreachable(reason=fault.strerror or fault) from fault
    tls.watch(writer.get_extra_info("socket"))
    conversation = Conversation(reader, writer, h11.CLIENT)
    try:
        connection = Connection(conversation, address)
        if pinned is not None and connection.certificate != pinned:
            raise LinkChanged
        yield connection
    finally:
        conversation.close()
