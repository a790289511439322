"""What is said of a record beside its status: pending, contested, late.

In: stored records. Out: the names of their marks. A mark refuses nothing, and says only what is
held here now. Protocol: docs/protocol/agreement.md.
"""

from typing import Final

import apsw

from gateway.records.feed import decode_genesis
from gateway.records.record import SALT_BYTES, ClockSource, Record
from gateway.store import feeds, freezing

PENDING: Final = "pending"  # it answers a record that is not held
CONTESTED: Final = "contested"  # its feed was forked before it, or it answers such a record
LATE: Final = "late"  # a certificate of its author had expired when it was written
# Who set the clock for it to be believed of an expiry; people and peers may be wrong together.
_TRUSTED: Final = frozenset({ClockSource.NTP, ClockSource.PTP, ClockSource.GNSS})


class Marks:
    """The marks of records, as one reading of the store finds them."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db
        self._expiries: dict[bytes, int | None] = {}

    def of(self, said: Record) -> tuple[str, ...]:
        """Give the marks of a stored record."""
        held = {
            PENDING: self._is_pending(said),
            CONTESTED: freezing.is_contested(self._db, said.feed, said.seq),
            LATE: self._is_late(said),
        }
        return tuple(mark for mark, holds in held.items() if holds)

    def _is_pending(self, said: Record) -> bool:
        wanted = "SELECT 1 FROM records WHERE id = ?"
        return any(self._db.execute(wanted, (dep,)).fetchone() is None for dep in said.deps)

    def _is_late(self, said: Record) -> bool:
        if said.moment.source not in _TRUSTED:
            return False
        if said.feed not in self._expiries:
            self._expiries[said.feed] = self._expiry_s(said.feed)
        expiry_s = self._expiries[said.feed]
        return expiry_s is not None and said.moment.unix_ms >= expiry_s * 1000

    def _expiry_s(self, feed: bytes) -> int | None:
        """Say when the first of the certificates of a feed's author expires; None for never."""
        first = feeds.slice_of(self._db, feed, 0, 1, 1)
        if not first or first[0].body is None:
            return None
        certified = decode_genesis(first[0].body[SALT_BYTES:]).credentials
        ends = (certified.node.validity.expires_s, certified.run.validity.expires_s)
        return min((each for each in ends if each is not None), default=None)
