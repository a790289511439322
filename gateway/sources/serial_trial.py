"""A trial of an instrument on a serial line: its telegrams beside what is made of them.

In: a source's settings. Out: what was heard first of each metric and of each fault, or why nothing
was. Nothing is stored. A question of the config is asked, for without it many say nothing.
Chapter: docs/devices/serial.md.
"""

from collections import Counter
from collections.abc import Callable, Sequence

from gateway.config import SerialSource
from gateway.errors import DeviceError, LineNoise, NoReply, SerialError
from gateway.readings.fields import reader
from gateway.readings.reading import Reading
from gateway.readings.telegram import Piece, Spoilt, Telegram
from gateway.records.record import Moment
from gateway.sources.serial import Ear
from gateway.sources.source import arrived
from gateway.sources.trial import Fault, Findings, Heard
from gateway.transport.serial import Port


class SerialTrial:
    """A trial of one source; run it, cancel it, read what it found."""

    def __init__(self, source: SerialSource, now: Callable[[], Moment]) -> None:
        self.found = Findings()
        self._source, self._now = source, now
        self._read = reader(source)

    async def run(self) -> None:
        """Listen until cancelled, or until the line cannot be read."""
        try:
            port = Port(self._source.serial_line)
        except SerialError as fault:
            self.found.fault = fault
            return
        try:
            async for piece in Ear(self._source, port, Counter()).hear():
                self._show(piece)
        except SerialError as fault:
            self.found.fault = fault
        finally:
            port.close()

    def _show(self, piece: Piece | NoReply) -> None:
        match piece:
            case Telegram(raw, payload):
                try:
                    mapped = self._read(payload, arrived(self._now()))
                except DeviceError as fault:
                    self._add(raw, (), (fault,))
                else:
                    readings, faults = ((), ()) if mapped is None else mapped
                    self._add(raw, readings, faults)
            case Spoilt(raw, error) if self.found.heard or not isinstance(error, LineNoise):
                self._add(raw, (), (error,))
            case _:
                pass  # The end of a telegram begun without us, or silence: told if it stays so.

    def _add(self, raw: bytes, readings: Sequence[Reading], faults: Sequence[DeviceError]) -> None:
        told = tuple(Fault(each.code, str(each)) for each in faults)
        self.found.add(Heard(self._source.serial_line.path, raw, tuple(readings), told))
