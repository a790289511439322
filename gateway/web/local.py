"""The running agent's door for commands on this computer: a Unix socket of mode 0600.

In: one line of JSON, {"ask": "status"}, {"ask": "live"}, or {"ask": "act", "act": NAME, ...}. Out:
one line with the answer, or a line for each reading until the asker leaves. A slow asker of `live`
loses readings, and is told so. An act is answered when it is committed, or by what refused it.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from gateway.errors import GatewayError, StoreUnwritable
from gateway.readings.reading import Reading

SOCKET = "agent.sock"
_LINE_BYTES_MAX = 4096
_WAITING_MAX = 1000

Status = Callable[[], dict[str, object]]
Act = Callable[[dict[str, object]], dict[str, object]]


class Door:
    """The server. `show` may be called from any thread; everything else from the loop."""

    def __init__(self, state_dir: Path, status: Status, act: Act) -> None:
        self._path, self._status, self._act = state_dir / SOCKET, status, act
        self._watchers: set[asyncio.Queue[str]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def serve(self) -> None:
        """Answer until cancelled."""
        self._loop = asyncio.get_running_loop()
        self._path.unlink(missing_ok=True)
        try:
            server = await asyncio.start_unix_server(
                self._answer, self._path, limit=_LINE_BYTES_MAX
            )
        except OSError as fault:
            raise StoreUnwritable(path=self._path, reason=fault) from fault
        self._path.chmod(0o600)
        async with server:
            await server.serve_forever()

    def show(self, readings: Sequence[Reading]) -> None:
        """Give committed readings to whoever watches."""
        if self._watchers and self._loop is not None:
            lines = [json.dumps(as_row(reading), ensure_ascii=False) for reading in readings]
            self._loop.call_soon_threadsafe(self._spread, lines)

    def tell(self, device: str, state: str) -> None:
        """Tell whoever watches that a device stands otherwise now; from the loop alone."""
        if self._watchers:
            self._spread([json.dumps({"device": device, "state": state}, ensure_ascii=False)])

    def _spread(self, lines: Sequence[str]) -> None:
        for waiting in self._watchers:
            room = waiting.maxsize - waiting.qsize() - 1
            for line in lines[:room]:
                waiting.put_nowait(line)
            if len(lines) > room >= 0:
                waiting.put_nowait(json.dumps({"skipped": len(lines) - room}))

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            asked = json.loads(await reader.readline() or b"{}")
            if asked == {"ask": "status"}:
                writer.write(json.dumps(self._status()).encode() + b"\n")
                await writer.drain()
            elif asked == {"ask": "live"}:
                await self._stream(reader, writer)
            elif isinstance(asked, dict) and asked.get("ask") == "act":
                answer = await asyncio.to_thread(self._done, asked)
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except (ValueError, ConnectionError):
            return  # Whoever asked has gone, or asked nonsense.
        finally:
            writer.close()

    def _done(self, asked: dict[str, object]) -> dict[str, object]:
        """Do what is asked; an error travels by its code and facts."""
        try:
            return {"done": self._act(asked)}
        except GatewayError as fault:
            facts = {name: str(fact) for name, fact in fault.facts.items()}
            return {"error": {"code": fault.code, "facts": facts}}

    async def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        waiting: asyncio.Queue[str] = asyncio.Queue(_WAITING_MAX)
        self._watchers.add(waiting)
        gone = asyncio.ensure_future(reader.read(1))
        try:
            while not gone.done():
                line = asyncio.ensure_future(waiting.get())
                await asyncio.wait((line, gone), return_when=asyncio.FIRST_COMPLETED)
                if line.done():
                    writer.write(line.result().encode() + b"\n")
                    await writer.drain()
                else:
                    line.cancel()
        finally:
            self._watchers.discard(waiting)
            gone.cancel()


def as_row(reading: Reading) -> dict[str, object]:
    """Give a reading as `live` prints it."""
    return {
        "device": reading.device,
        "metric": reading.metric,
        "value": reading.value,
        "unit": reading.unit,
        "time_ms": reading.time_ms,
        "quality": reading.quality.value,
        "retained": reading.retained,
        "equipment": reading.equipment,
    }
