"""What came in and how far it is acknowledged: redelivery and line positions.

Kept in the commit that holds the readings themselves, so that neither can exist without the other.
"""

from collections.abc import Sequence

import apsw

from gateway.readings.reading import Delivered, Position

DIGEST_BYTES = 16
_DELIVERY_BYTES = 2 + DIGEST_BYTES


def expect_acknowledged(db: apsw.Connection, source: str, delivered: Sequence[Delivered]) -> None:
    """Remember deliveries whose acknowledgement is about to be sent."""
    packed = b"".join(
        each.packet.to_bytes(2, "big") + each.digest[:DIGEST_BYTES] for each in delivered
    )
    db.execute(
        "INSERT INTO unacknowledged (source, deliveries) VALUES (?, ?)",
        (source, packed),
    )


def settle(db: apsw.Connection, source: str, batches: int = -1) -> None:
    """Forget the oldest batches, or all: the broker has shown that it has their PUBACKs."""
    db.execute(
        "DELETE FROM unacknowledged WHERE number IN"
        " (SELECT number FROM unacknowledged WHERE source = ? ORDER BY number LIMIT ?)",
        (source, batches),
    )


def perhaps_unacknowledged(db: apsw.Connection, source: str) -> list[list[Delivered]]:
    """Give, batch by batch in order, what is committed and perhaps not acknowledged.

    Digests are cut to 16 bytes.
    """
    rows = db.execute(
        "SELECT deliveries FROM unacknowledged WHERE source = ? ORDER BY number", (source,)
    )
    return [_unpacked(packed) for (packed,) in rows]


def _unpacked(packed: bytes) -> list[Delivered]:
    return [
        Delivered(int.from_bytes(packed[at : at + 2], "big"), packed[at + 2 : at + _DELIVERY_BYTES])
        for at in range(0, len(packed), _DELIVERY_BYTES)
    ]


def move_position(db: apsw.Connection, source: str, position: Position) -> None:
    """Remember how far a framed device has been heard."""
    db.execute(
        "INSERT INTO positions VALUES (?, ?, ?)"
        " ON CONFLICT (source) DO UPDATE SET boot = excluded.boot, sequence = excluded.sequence",
        (source, position.boot, position.sequence),
    )


def position(db: apsw.Connection, source: str) -> Position | None:
    """Give how far a framed device was heard, or None."""
    row = db.execute("SELECT boot, sequence FROM positions WHERE source = ?", (source,)).fetchone()
    return None if row is None else Position(bytes(row[0]), int(row[1]))
