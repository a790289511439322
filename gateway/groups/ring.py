"""When a feed's sender key is followed by another. Protocol: docs/protocol/sealing.md.

In: what a feed announced last, and what holds now. Out: why the next record must wait for another
announcement, or that it need not. It makes no key and keeps none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

from gateway.records import cbor
from gateway.records.feed import View

AGE_MS_MAX = 24 * 3600 * 1000
RECORDS_MAX = 10_000


class Due(StrEnum):
    """Why an announcement is due."""

    FIRST = "first"  # nothing was announced in this feed
    MEMBERSHIP = "membership"  # the members, or the roster, are not those it was announced to
    AGE = "age"
    COUNT = "count"


@dataclass(frozen=True, slots=True)
class Ring:
    """What a feed announced last: the key that seals now (0 is none), the view, when and where."""

    number: int
    view: bytes
    monotonic_ms: int
    seq: int


def view_hash(view: View) -> bytes:
    """Name a view: the roster, and the membership records that no other has in its past."""
    return hash_of(view.roster, view.membership)


def hash_of(roster: bytes, membership: Sequence[bytes]) -> bytes:
    """Name a view by its parts, in any order."""
    return sha256(cbor.encode([roster, sorted(membership)])).digest()


def due(ring: Ring | None, view: bytes, now_monotonic_ms: int, seq: int) -> Due | None:
    """Say why record `seq` must not be written before an announcement under the view so named."""
    if ring is None:
        return Due.FIRST
    if ring.view != view:
        return Due.MEMBERSHIP
    if ring.number and not 0 <= now_monotonic_ms - ring.monotonic_ms < AGE_MS_MAX:
        return Due.AGE  # A clock that went back says nothing of its age.
    if ring.number and seq - ring.seq > RECORDS_MAX:
        return Due.COUNT
    return None
