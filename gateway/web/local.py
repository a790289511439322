"""The running agent's door for commands on this computer: a Unix socket of mode 0600.

In: one line of JSON, {"ask": "status"}, {"ask": "live"}, or {"ask": "act", "act": NAME, ...}. Out:
one line with the answer, or a line for each reading until the asker leaves. A slow asker of `live`
loses readings, and is told so. An act is answered when it is committed, or by what refused it.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from gateway.errors import AskedWrongly, GatewayError, StoreUnwritable
from gateway.readings.reading import Reading

SOCKET = "agent.sock"
# A group of 64 whose names are as long as names get, every letter of them escaped, is below this;
# so are the envelopes of a bundle that are taken in at once.
LINE_BYTES_MAX = 1024 * 1024
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
            server = await asyncio.start_unix_server(self._answer, self._path, limit=LINE_BYTES_MAX)
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
            line = await _line(reader)
            asked = {} if line is None else json.loads(line or b"{}")
            if line is None:
                await _refuse(reader, writer)
            elif asked == {"ask": "status"}:
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
            return _error(fault)

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


def _error(fault: GatewayError) -> dict[str, object]:
    facts = {name: str(fact) for name, fact in fault.facts.items()}
    return {"error": {"code": fault.code, "facts": facts}}


async def _line(reader: asyncio.StreamReader) -> bytes | None:
    """Read a line; None where it is longer than any that can be meant."""
    try:
        return await reader.readline()
    except ValueError:
        return None


async def _refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say that a line is too long, and let its rest pass: whoever still writes reads nothing."""
    reason = f"it is longer than {LINE_BYTES_MAX} bytes"
    writer.write(json.dumps(_error(AskedWrongly(reason=reason))).encode() + b"\n")
    while await reader.read(LINE_BYTES_MAX):
        continue


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
