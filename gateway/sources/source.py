"""What can be asked of every source, whatever it listens to."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from gateway.config import Point
from gateway.readings.reading import Arrival, Value
from gateway.records.record import ClockSource, Moment


class Source(Protocol):
    """A config entry that hears: its name, how it stands and why, what it counted, its devices."""

    name: str
    state: str
    reason: str
    counts: Counter[str]
    devices: dict[str, int]  # each device's last reading, monotonic ms

    async def run(self) -> None:
        """Hear until cancelled; then commit and acknowledge what was heard, and leave."""


class Life(Protocol):
    """A device that says when it comes and goes; times are monotonic ms, None for never."""

    device: str
    born_ms: int | None
    died_ms: int | None

    @property
    def state(self) -> str:
        """Say how it stands, in a word."""


@runtime_checkable
class Lives(Protocol):
    """A source whose devices say when they come and go."""

    def lives(self) -> Iterable[Life]:
        """Give every device that was heard of."""


@dataclass(frozen=True, slots=True)
class Moved:
    """A point took its value; `read_back` is what it shows now, None where nothing shows it."""

    read_back: Value | None


@runtime_checkable
class Moves(Protocol):
    """A source that can move what its points name, and nothing else."""

    points: Mapping[str, Point]

    async def move(self, point: str, value: Value) -> Moved:
        """Tell the machine, once; raise NotMoved (surely nothing moved) or Unsure (it may have).

        Who may order it, and whether it is still wanted, is decided before; the limits of the
        point are checked here once more, as the last thing before the wire.
        """


def arrived(moment: Moment) -> Arrival:
    """Say when something came that is heard now: without a time of day while the clock is unset."""
    known = moment.source is not ClockSource.UNSET
    return Arrival(moment.unix_ms if known else None, moment.monotonic_ms)
