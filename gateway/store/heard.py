"""What is held of a group that says who is a member, read for the fold.

In: a group's stored membership records, geneses, announcements and receipts. Out: what was heard in
it. It judges nothing, and writes nothing. Protocol: docs/protocol/membership.md.
"""

import apsw

from gateway.errors import UnknownGroup
from gateway.groups import group
from gateway.groups.heard import Author, Heard, Names, Reading
from gateway.store import feeds
from gateway.store.chain import rosters


def hear(db: apsw.Connection, identity: bytes) -> Heard:
    """Gather all that is held of a group and says who is a member; raise UnknownGroup."""
    row = db.execute("SELECT number, founding FROM groups WHERE id = ?", (identity,)).fetchone()
    if row is None:
        raise UnknownGroup(group=identity.hex()[:16])
    number, founding = int(row[0]), group.parse(row[1])
    reading = Reading(rosters(db, founding.consortium))
    rows = db.execute(
        "SELECT f.number, h.size, f.id, f.node, f.organisation FROM feeds f"
        " JOIN heads h ON h.feed = f.number WHERE f.in_group = ?",
        (number,),
    )
    for feed, size, *author in list(rows):
        said = db.execute(
            "SELECT place - ?1, kind, encoded, body FROM records"
            " WHERE place >= ?1 AND place < ?2 AND kind <= 3 ORDER BY place",
            (feeds.place(feed, 0), feeds.place(feed, size)),
        )
        reading.read(Author(*author), said)
    return reading.conclude(founding, lambda names: _others(db, number, names))


def _others(db: apsw.Connection, number: int, names: Names) -> Names:
    """Give which of these records are held in the group.

    Not all members hold what is in another group: it is never known.
    """
    wanted = "SELECT 1 FROM records r JOIN feeds f ON f.number = r.place >> 32"
    wanted += " WHERE r.id = ? AND f.in_group = ?"
    return frozenset(name for name in names if db.execute(wanted, (name, number)).fetchone())
