"""How far each feed is agreed and cosigned, as a projection: two sizes, which only grow.

In: up to where the organisations that must have receipted a feed, and up to where witnesses stand
for it. Out: the status of its records, by a comparison. It judges nothing: `groups/status` and
`groups/finality` say what is agreed and what is final. Protocol: docs/protocol/agreement.md.
"""

from dataclasses import dataclass

import apsw


@dataclass(frozen=True, slots=True)
class Standing:
    """Up to which sizes a feed is agreed, and cosigned by a quorum of its group's witnesses."""

    agreed: int = 0
    cosigned: int = 0

    @property
    def final(self) -> int:
        """Give up to where its records are final."""
        return min(self.agreed, self.cosigned)


def of(db: apsw.Connection, feed: bytes) -> Standing:
    """Give how far a feed stands; a feed that is not known stands nowhere."""
    row = db.execute(
        "SELECT s.agreed, s.cosigned FROM standing s JOIN feeds f ON f.number = s.feed"
        " WHERE f.id = ?",
        (feed,),
    ).fetchone()
    return Standing() if row is None else Standing(*row)


def agreed(db: apsw.Connection, feed: bytes, size: int) -> None:
    """Keep that a held feed is agreed up to a size; it never falls."""
    _grow(db, feed, Standing(agreed=size))


def cosigned(db: apsw.Connection, feed: bytes, size: int) -> None:
    """Keep that a held feed is cosigned up to a size at which its root is ours; it never falls."""
    _grow(db, feed, Standing(cosigned=size))


def _grow(db: apsw.Connection, feed: bytes, by: Standing) -> None:
    db.execute(
        "INSERT INTO standing SELECT f.number, min(?1, coalesce(z.seq, ?1)),"
        " min(?2, coalesce(z.seq, ?2)) FROM feeds f LEFT JOIN frozen z ON z.feed = f.id"
        " WHERE f.id = ?3"
        " ON CONFLICT (feed) DO UPDATE SET agreed = max(agreed, excluded.agreed),"
        " cosigned = max(cosigned, excluded.cosigned)",
        (by.agreed, by.cosigned, feed),
    )
