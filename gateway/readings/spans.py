"""Spans: of which devices a body speaks, and of when, so that a question opens no other. Chapter 6.

In: readings. Out: for each device its first and last time and how many there are. Nothing else of
a reading is looked at.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from gateway.readings.reading import Reading


class Span(NamedTuple):
    """What a pack holds of one device: its first and last time, None where no clock was set."""

    device: str
    first_ms: int | None
    last_ms: int | None
    count: int  # type: ignore[assignment] # Nobody wants tuple's own method of this name.


@dataclass(slots=True)
class _Tally:
    """A span that is still counted."""

    first_ms: int | None
    last_ms: int | None
    count: int


class Spans:
    """Count readings by device, in the order in which the devices come."""

    __slots__ = ("tallies",)

    def __init__(self) -> None:
        self.tallies: dict[str, _Tally] = {}

    def add(self, device: str, time_ms: int | None) -> None:
        """Count one reading."""
        tally = self.tallies.get(device)
        if tally is None:
            self.tallies[device] = _Tally(time_ms, time_ms, 1)
            return
        tally.count += 1
        if time_ms is not None:
            if tally.first_ms is None or time_ms < tally.first_ms:
                tally.first_ms = time_ms
            if tally.last_ms is None or time_ms > tally.last_ms:
                tally.last_ms = time_ms

    def done(self) -> list[Span]:
        """Give what was counted."""
        tallies = self.tallies.items()
        return [Span(device, one.first_ms, one.last_ms, one.count) for device, one in tallies]


def spans(readings: Iterable[Reading]) -> list[Span]:
    """Say what readings there are of which devices, as `encode` says it of its packs."""
    found = Spans()
    for reading in readings:
        found.add(reading.device, reading.time_ms)
    return found.done()
