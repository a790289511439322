"""The rosters that are held, each verified by the one before it: every reader of them is here.

In: a consortium, or none for all. Out: its rosters, by hash. It keeps none: `groups.keep_roster`
does, because a new one changes who is a member.
"""

from functools import lru_cache

import apsw

from gateway.records import roster
from gateway.records.roster import Roster


def rosters(db: apsw.Connection, consortium: bytes | None = None) -> dict[bytes, Roster]:
    """Give the rosters held of a consortium, or of all, by hash, from the first upwards."""
    wanted = _consortia(db) if consortium is None else [consortium]
    return {each.hash: each for one in wanted for each in _chain(_encoded(db, one))}


def _consortia(db: apsw.Connection) -> list[bytes]:
    return [bytes(each) for (each,) in db.execute("SELECT DISTINCT consortium FROM rosters")]


def _encoded(db: apsw.Connection, consortium: bytes) -> tuple[bytes, ...]:
    rows = db.execute(
        "SELECT encoded FROM rosters WHERE consortium = ? ORDER BY number", (consortium,)
    )
    return tuple(bytes(encoded) for (encoded,) in rows)


@lru_cache(maxsize=16)
def _chain(encoded: tuple[bytes, ...]) -> tuple[Roster, ...]:
    """Verify rosters once: the same bytes give the same rosters."""
    return roster.decode_chain(encoded)
