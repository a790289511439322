"""Alarms: two runs of one node that both went on, for people to see, kept over restarts.

In: an alarm as thought raised it, and when. Out: all of them. Bounded: the last of
each node.
"""

from dataclasses import dataclass

import apsw

from gateway.store import groups, peers
from gateway.sync.clones import Alarm

ALARMS_MAX = 64


@dataclass(frozen=True, slots=True)
class Kept:
    """An alarm, the node's organisation by name, and when it was raised.

    `heard_ms` is Unix ms, 0 where no clock was set.
    """

    alarm: Alarm
    organisation: str
    heard_ms: int


def keep(db: apsw.Connection, alarm: Alarm, heard_ms: int) -> None:
    """Keep an alarm; one of these two runs that is there stays as it was.

    After a restart of ours the same two may be heard first in the other order. Of each node the
    last 64 alarms stay.
    """
    db.execute(
        "INSERT OR IGNORE INTO alarms SELECT ?1, ?2, ?3, ?4 WHERE NOT EXISTS"
        " (SELECT 1 FROM alarms WHERE node = ?1 AND older = ?3 AND newer = ?2)",
        (alarm.node, alarm.older, alarm.newer, heard_ms),
    )
    db.execute(
        "DELETE FROM alarms WHERE node = ?1 AND (older, newer) NOT IN (SELECT older, newer"
        " FROM alarms WHERE node = ?1 ORDER BY heard_ms DESC, older, newer LIMIT ?2)",
        (alarm.node, ALARMS_MAX),
    )


def load(db: apsw.Connection) -> list[Kept]:
    """Give all alarms, the newest first."""
    rows = db.execute(
        "SELECT node, older, newer, heard_ms FROM alarms ORDER BY heard_ms DESC, node, older, newer"
    )
    return [
        Kept(Alarm(node, older, newer), _organisation(db, node, newer), heard_ms)
        for node, older, newer, heard_ms in rows
    ]


def _organisation(db: apsw.Connection, node: bytes, run: bytes) -> str:
    """Give the name of the organisation that certified a node; its id where no roster has it."""
    found = next((each for each in peers.runs(db, run[:8]) if each.node.subject == node), None)
    if found is None:
        return ""
    for known in groups.rosters(db).values():
        for each in known.organisations:
            if each.id == found.node.issuer:
                return each.name
    return found.node.issuer.hex()
