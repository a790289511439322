"""Whether a device is there: fresh, stale or absent, by what was last heard of it. observation.md.

In: when a device was last heard, by both clocks, and now. Out: how long ago that is, and a word.
It never trusts the clock of the wall where the monotonic one knows better, and reads neither.
"""

from dataclasses import dataclass
from enum import StrEnum


class Presence(StrEnum):
    """How a device stands."""

    FRESH = "fresh"  # heard within its source's stale_ms
    STALE = "stale"  # heard, but not within it
    ABSENT = "absent"  # never heard, or it has said that it goes


@dataclass(frozen=True, slots=True)
class Instant:
    """A moment by both clocks: Unix ms, None while unset, and ms of a boot's monotonic clock."""

    unix_ms: int | None
    boot: bytes
    monotonic_ms: int

    def at(self, monotonic_ms: int) -> "Instant":
        """Give the moment that this boot's monotonic clock calls so."""
        since = monotonic_ms - self.monotonic_ms
        unix_ms = None if self.unix_ms is None else self.unix_ms + since
        return Instant(unix_ms, self.boot, monotonic_ms)

    def age_ms(self, now: "Instant") -> int | None:
        """Say how long ago it is; None where neither clock can tell."""
        if self.boot == now.boot:
            return max(0, now.monotonic_ms - self.monotonic_ms)
        if self.unix_ms is None or now.unix_ms is None:
            return None
        return max(0, now.unix_ms - self.unix_ms)


def presence(heard: Instant | None, now: Instant, stale_ms: int) -> Presence:
    """Say how a device stands; one of which no clock can tell how long it is silent is stale."""
    if heard is None:
        return Presence.ABSENT
    age_ms = heard.age_ms(now)
    return Presence.FRESH if age_ms is not None and age_ms <= stale_ms else Presence.STALE
