"""What is known of each device's life: first and last heard, births and deaths, over restarts.

In: which devices a source heard, in the commit that holds what they said; which it found silent.
Out: the same, by source. It is bounded: of more devices than that, those heard longest ago are let
go of. docs/protocol/observation.md.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import apsw

from gateway.readings.presence import Instant

# Far above what one gateway serves; a machine that invents names costs no more than this.
DEVICES_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Known:
    """One device of one source; times are Unix ms, None where no clock was set."""

    source: str
    device: str
    first_ms: int | None
    born_ms: int | None
    heard: Instant
    died_ms: int | None
    births: int


def hear(db: apsw.Connection, source: str, devices: Iterable[str], now: Instant) -> None:
    """Remember that these were heard now; one that was dead is born again."""
    unix_ms = now.unix_ms
    db.executemany(
        "INSERT INTO devices VALUES (?, ?, ?, ?, ?, ?, ?, NULL, 1, 1)"
        " ON CONFLICT DO UPDATE SET births = births + (alive = 0),"
        " first_ms = coalesce(first_ms, excluded.first_ms),"
        " born_ms = CASE WHEN alive AND born_ms IS NOT NULL THEN born_ms ELSE excluded.born_ms END,"
        " heard_ms = excluded.heard_ms, boot = excluded.boot,"
        " monotonic_ms = excluded.monotonic_ms, alive = 1",
        [
            (source, device, unix_ms, unix_ms, unix_ms, now.boot, now.monotonic_ms)
            for device in devices
        ],
    )


def bury(db: apsw.Connection, source: str, device: str, died_ms: int | None) -> None:
    """Remember that a device is no longer heard."""
    db.execute(
        "UPDATE devices SET alive = 0, died_ms = ? WHERE source = ? AND device = ? AND alive",
        (died_ms, source, device),
    )


def let_go(db: apsw.Connection, devices_max: int = DEVICES_MAX) -> None:
    """Forget those heard longest ago, as far as there are too many."""
    db.execute(
        "DELETE FROM devices WHERE (source, device) IN"
        " (SELECT source, device FROM devices ORDER BY alive DESC, heard_ms DESC, monotonic_ms DESC"
        " LIMIT -1 OFFSET ?)",
        (devices_max,),
    )


def known(db: apsw.Connection) -> list[Known]:
    """Give every device, by source and name."""
    rows = db.execute(
        "SELECT source, device, first_ms, born_ms, heard_ms, boot, monotonic_ms, died_ms, births"
        " FROM devices ORDER BY source, device"
    )
    return [
        Known(source, device, first, born, Instant(heard, boot, monotonic), died, births)
        for source, device, first, born, heard, boot, monotonic, died, births in rows
    ]
