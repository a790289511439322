"""What leads to a machine's own order: the record of a reading, and orders carried out before.

In: a group and a device of this node; the present moment. Out: the newest of its own records in
which that device speaks; how deep the chain is that may have led here. Protocol:
docs/protocol/mandate.md.
"""

from typing import Final

import apsw

from gateway.activities import order
from gateway.records.record import Moment
from gateway.store import orders

# An order that was carried out here within this time may be why a reading is as it is.
CHAIN_MS: Final = 3_600_000
_STARTS_MAX: Final = 256


def reading_of(db: apsw.Connection, group: bytes, node: bytes, device: str) -> bytes | None:
    """Name the newest record of a node in a group in which a device speaks; None: there is none."""
    row = db.execute(
        "SELECT r.id FROM observations o JOIN feeds f ON f.number = o.place >> 32"
        " JOIN groups g ON g.number = f.in_group JOIN records r ON r.place = o.place"
        " WHERE g.id = ? AND f.node = ? AND o.device = ? AND o.readings > 0"
        " ORDER BY f.number DESC, o.place DESC LIMIT 1",
        (group, node, device),
    ).fetchone()
    return None if row is None else bytes(row[0])


def depth(db: apsw.Connection, node: bytes, now: Moment) -> int:
    """Give the greatest depth of the orders that a node started within the last hour; else 0.

    Which of them moved what is not known here: each may have.
    """
    rows = db.execute(
        "SELECT e.place, o.encoded FROM executions e JOIN orders o ON o.hash = e.hash"
        " JOIN feeds f ON f.number = e.place >> 32"
        " WHERE e.outcome IS NULL AND f.node = ? AND o.mandate IS NOT NULL"
        " ORDER BY e.place DESC LIMIT ?",
        (node, _STARTS_MAX),
    )
    deepest = 0
    for place, encoded in list(rows):
        began = orders.by_of(db, place).record.moment
        if began.boot == now.boot and now.monotonic_ms - began.monotonic_ms <= CHAIN_MS:
            deepest = max(deepest, order.decode(encoded).order.depth)
    return deepest
