"""Checkpoints that are kept, this node's and others', with the cosignatures under them.

In: checkpoints and lines that were verified. Out: the same, and up to where feeds are cosigned. Of
a run only those stay that no later one makes useless. Protocol: docs/protocol/journal.md.
"""

from dataclasses import dataclass

import apsw

from gateway.groups import finality
from gateway.groups.finality import Witnesses
from gateway.records import checkpoint, note
from gateway.records.checkpoint import Checkpoint
from gateway.store import membership, standing
from gateway.store.chain import rosters

# So many of a run's newest stay whatever is under them: a witness may be about to cosign one.
NEWEST_MAX = 8


@dataclass(frozen=True, slots=True)
class Kept:
    """A checkpoint with its number in this file, the note, and the cosignatures under it."""

    number: int
    checkpoint: Checkpoint
    encoded: bytes
    cosignatures: tuple[str, ...]

    @property
    def names(self) -> frozenset[str]:
        """Give the names under which it is cosigned."""
        return frozenset(note.parse_line(line).name for line in self.cosignatures)


def keep(db: apsw.Connection, run: bytes, size: int, encoded: bytes) -> int:
    """Keep a run's checkpoint, verified, unless one of that size is there; give its number."""
    db.execute(
        "INSERT INTO checkpoints (run, size, encoded) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (run, size, encoded),
    )
    return int(
        db.execute("SELECT number FROM checkpoints WHERE run = ? AND size = ?", (run, size)).get
    )


def cosign(db: apsw.Connection, number: int, line: str) -> bool:
    """Keep a cosignature, verified, under a checkpoint; say whether it is that witness's first."""
    name = note.parse_line(line).name
    present = db.execute(
        "SELECT 1 FROM cosignatures WHERE checkpoint = ? AND name = ?", (number, name)
    ).fetchone()
    db.execute(
        "INSERT INTO cosignatures VALUES (?, ?, ?)"
        " ON CONFLICT (checkpoint, name) DO UPDATE SET line = excluded.line",
        (number, name, line),
    )
    return present is None


def of_run(db: apsw.Connection, run: bytes) -> list[Kept]:
    """Give the checkpoints kept of a run, the newest first."""
    rows = db.execute(
        "SELECT number, encoded FROM checkpoints WHERE run = ? ORDER BY size DESC", (run,)
    )
    return [_kept(db, number, encoded) for number, encoded in list(rows)]


def load(db: apsw.Connection, number: int) -> Kept:
    """Give one by its number."""
    encoded = db.execute("SELECT encoded FROM checkpoints WHERE number = ?", (number,)).get
    return _kept(db, number, encoded)


def prune(db: apsw.Connection, run: bytes, newest_max: int = NEWEST_MAX) -> None:
    """Forget a run's checkpoints that a later one, cosigned by the same and more, replaces."""
    later: list[frozenset[str]] = []
    for place, each in enumerate(of_run(db, run)):
        if place >= newest_max and any(each.names <= names for names in later):
            db.execute("DELETE FROM checkpoints WHERE number = ?", (each.number,))
        later.append(each.names)


def witnesses(db: apsw.Connection, identity: bytes) -> Witnesses:
    """Give the witnesses that count in a group now."""
    ((_founding, of),) = db.execute(
        "SELECT g.founding, r.consortium FROM groups g JOIN rosters r ON r.hash = g.roster"
        " WHERE g.id = ?",
        (identity,),
    )
    newest = max(rosters(db, bytes(of)).values(), key=lambda each: each.number)
    members = {each.organisation for each in membership.load(db, identity).members}
    return finality.witnesses((), members, newest)


def settle(db: apsw.Connection, number: int) -> None:
    """Say of the feeds under a checkpoint up to where they are cosigned, if enough did."""
    kept = load(db, number)
    every = db.execute("SELECT id FROM groups g WHERE number IN (SELECT in_group FROM feeds)")
    for (identity,) in list(every):
        by = witnesses(db, bytes(identity))
        if by.suffice(finality.cosigned(kept.checkpoint, kept.cosignatures, by)):
            for feed, size in _under(db, kept, bytes(identity)):
                standing.cosigned(db, feed, size)


def _under(db: apsw.Connection, kept: Kept, identity: bytes) -> list[tuple[bytes, int]]:
    """Give the feeds of a group with a head under a checkpoint beyond what is cosigned of them."""
    rows = db.execute(
        "SELECT f.id, max(coalesce((SELECT max(e.size) FROM journal_entries e JOIN journals j"
        "   ON j.number = e.journal WHERE e.feed = f.number AND j.run = ?1 AND e.position < ?2"
        "   AND e.size > coalesce(s.cosigned, 0)), 0), coalesce((SELECT n.size FROM noted n"
        "   WHERE n.feed = f.number AND n.checkpoint = ?3), 0)) AS covered"
        " FROM feeds f JOIN groups g ON g.number = f.in_group"
        " JOIN heads h ON h.feed = f.number LEFT JOIN standing s ON s.feed = f.number"
        " WHERE g.id = ?4 AND h.size > coalesce(s.cosigned, 0) AND covered > 0",
        (kept.checkpoint.run, kept.checkpoint.size, kept.number, identity),
    )
    return [(bytes(feed), int(size)) for feed, size in rows]


def _kept(db: apsw.Connection, number: int, encoded: bytes) -> Kept:
    lines = db.execute(
        "SELECT line FROM cosignatures WHERE checkpoint = ? ORDER BY name", (number,)
    )
    _, found = checkpoint.read(encoded)
    return Kept(number, found, encoded, tuple(str(line) for (line,) in lines))
