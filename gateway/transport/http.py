"""HTTP/1.1 over one connection, with every limit before parsing: h11 underneath, which does no I/O.

In: an asyncio connection. Out: requests and responses whole, or an error. Heads, bodies and times
are bounded; a body's length must be said first. It knows nothing of what is carried.
Protocol: docs/protocol/links.md.
"""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import h11

from gateway.errors import BadHttp, LinkSlow, LinkTooLarge, LinkUnreachable

HEAD_BYTES_MAX: Final = 16 * 1024
HEAD_S_MAX: Final = 10.0
# Whoever is slower than this is cut: a link of 64 kbit/s is eight times as fast.
BYTES_PER_S_MIN: Final = 1024
BODY_S: Final = 10.0
_READ_BYTES: Final = 4 * 1024
_BODY_READ_BYTES: Final = 64 * 1024
TYPE: Final = "application/cbor"

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked; the names of headers in lower case."""

    method: str
    target: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """What is answered."""

    status: int
    body: bytes = b""
    headers: Headers = ()
    is_last: bool = False  # and the connection is closed

    def header(self, name: str) -> str:
        """Give a header by its name as it stands; "" where there is none."""
        return dict(self.headers).get(name, "")


def body_s_max(size: int) -> float:
    """Say how long so many bytes may take."""
    return BODY_S + size / BYTES_PER_S_MIN


class Conversation:
    """One connection, of either side: a request and its response, then the next."""

    def __init__(
        self,
        reader: StreamReader,
        writer: StreamWriter,
        side: "type[h11.CLIENT] | type[h11.SERVER]",
    ) -> None:
        self.reader, self.writer = reader, writer
        self._http = h11.Connection(side, max_incomplete_event_size=HEAD_BYTES_MAX)

    async def request(
        self, idle_s: float, room: Callable[[Request], int | Response]
    ) -> Request | Response | None:
        """Read the next request; None where there is none; raise BadHttp, LinkTooLarge, LinkSlow.

        `room` says by the head of how many bytes a body may be, or how the request is refused.
        """
        if not await self._wakes(idle_s):
            return None
        async with _within(HEAD_S_MAX):
            head = await self._event()
        if isinstance(head, h11.ConnectionClosed):
            return None
        if not isinstance(head, h11.Request):
            raise BadHttp(reason="it is no request")
        asked = Request(head.method.decode(), head.target.decode(), _headers(head.headers))
        length = _length(asked.headers)
        size_max = room(asked)
        if isinstance(size_max, Response):
            return size_max
        if length > size_max:
            raise LinkTooLarge(part="body", size_max=size_max)
        async with _within(body_s_max(length)):
            body = await self._body(length)
        if self._http.trailing_data[0]:
            raise BadHttp(reason="a request came before the answer to the one before")
        return Request(asked.method, asked.target, asked.headers, body)

    async def respond(self, response: Response) -> bool:
        """Answer the request, and say whether another may come; raise LinkSlow, LinkUnreachable."""
        headers = [
            ("Content-Length", str(len(response.body))),
            *([] if response.header("Content-Type") else [("Content-Type", TYPE)]),
            *response.headers,
            *([("Connection", "close")] if response.is_last else []),
        ]
        await self._send(h11.Response(status_code=response.status, headers=headers), response.body)
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        return True

    async def ask(self, request: Request, patience_s: float, size_max: int) -> Response:
        """Say a request and wait for the whole answer; raise a PeerError."""
        headers = [*request.headers.items(), ("Content-Length", str(len(request.body)))]
        said = h11.Request(method=request.method, target=request.target, headers=headers)
        await self._send(said, request.body)
        async with _within(patience_s):
            head = await self._event()
        if isinstance(head, h11.ConnectionClosed):
            raise LinkUnreachable(reason="the other end closed the connection")
        if not isinstance(head, h11.Response):
            raise BadHttp(reason="it is no answer")
        headers_back = _headers(head.headers)
        length = _length(headers_back)
        if length > size_max:
            raise LinkTooLarge(part="body", size_max=size_max)
        async with _within(body_s_max(length)):
            body = await self._body(length)
        with suppress(h11.LocalProtocolError):  # It closes: the next request will find that out.
            self._http.start_next_cycle()
        return Response(head.status_code, body, tuple(headers_back.items()))

    async def gone(self) -> None:
        """Wait until the other end closes, or says anything before it was answered."""
        with suppress(OSError):
            await self.reader.read(1)

    def close(self) -> None:
        """Close at once; what is under way is lost."""
        self.writer.transport.abort()

    async def _send(self, head: h11.Event, body: bytes) -> None:
        try:
            parts = [head, *([h11.Data(data=body)] if body else []), h11.EndOfMessage()]
            for part in parts:
                self.writer.write(self._http.send(part) or b"")
            async with _within(body_s_max(len(body))):
                await self.writer.drain()
        except h11.LocalProtocolError as fault:
            raise BadHttp(reason=fault) from None
        except OSError as fault:
            raise LinkUnreachable(reason=fault) from None

    async def _wakes(self, idle_s: float) -> bool:
        """Wait for the first bytes; False where the other end closes, or time is over."""
        try:
            async with asyncio.timeout(idle_s):
                heard = await self.reader.read(_READ_BYTES)
        except (TimeoutError, OSError):
            return False
        self._http.receive_data(heard)
        return bool(heard)

    async def _event(self, read_bytes: int = _READ_BYTES) -> object:
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                self._http.receive_data(await self.reader.read(read_bytes))
        except h11.RemoteProtocolError as fault:
            if fault.error_status_hint == 431:
                raise LinkTooLarge(part="head", size_max=HEAD_BYTES_MAX) from None
            raise BadHttp(reason=fault) from None
        except OSError as fault:
            raise LinkUnreachable(reason=fault) from None
        return event

    async def _body(self, size: int) -> bytes:
        parts: list[bytes] = []
        while True:
            event = await self._event(min(size + _READ_BYTES, _BODY_READ_BYTES))
            match event:
                case h11.Data(data=part) if size >= len(part):
                    size -= len(part)
                    parts.append(bytes(part))
                case h11.Data():  # It goes on until it ends: nobody said how long it is.
                    raise BadHttp(reason="the length of a body is not said before it")
                case h11.EndOfMessage():
                    return b"".join(parts)
                case _:
                    raise BadHttp(reason="it ends in the middle")


class _within:
    """Bound a wait: LinkSlow when it is over."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._timeout = asyncio.timeout(seconds)

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()

    async def __aexit__(self, *raised: object) -> None:
        try:
            await self._timeout.__aexit__(*raised)  # type: ignore[arg-type]
        except TimeoutError:
            raise LinkSlow(seconds=round(self._seconds)) from None


def _headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in raw}


def _length(headers: dict[str, str]) -> int:
    """Give the length of the body, which must be said; h11 has seen that it is a number."""
    if "transfer-encoding" in headers:
        raise BadHttp(reason="the length of a body is not said before it")
    return int(headers.get("content-length", "0"))
