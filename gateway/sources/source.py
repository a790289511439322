"""What can be asked of every source, whatever it listens to."""

from collections import Counter
from typing import Protocol


class Source(Protocol):
    """A config entry that hears: its name, how it stands and why, what it counted, its devices."""

    name: str
    state: str
    reason: str
    counts: Counter[str]
    devices: dict[str, int]  # each device's last reading, monotonic ms

    async def run(self) -> None:
        """Hear until cancelled; then commit and acknowledge what was heard, and leave."""
