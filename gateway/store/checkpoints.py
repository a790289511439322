"""Checkpoints that are kept, this node's and others', with the cosignatures under them.

In: checkpoints and lines that were verified. Out: the same, and whose witnesses count in a group. A
checkpoint stays as long as a head is noted under it; of this node's, the newest too. Protocol:
docs/protocol/journal.md.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

import apsw

from gateway.errors import AuthorError
from gateway.groups import finality, group
from gateway.groups.finality import Witnesses
from gateway.records import checkpoint, note
from gateway.records.checkpoint import Checkpoint
from gateway.store.chain import rosters

# So many of a run's newest stay whatever is under them: a witness may be about to cosign one.
NEWEST_MAX = 8
Signer = tuple[str, bytes]  # the name of a witness, and the id of its key


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
        return frozenset(name for name, _ in self.signers)

    @property
    def signers(self) -> frozenset[Signer]:
        """Give the witnesses by name and key: one whose key was renewed is another."""
        return signers(self.cosignatures)


def signers(lines: Iterable[str]) -> frozenset[Signer]:
    """Give by which names and keys lines are signed."""
    return frozenset((said.name, said.kid) for said in map(note.parse_line, lines))


def keep(db: apsw.Connection, run: bytes, size: int, encoded: bytes) -> int:
    """Keep a run's checkpoint, verified, unless one of that size is there; give its number."""
    db.execute(
        "INSERT INTO checkpoints (run, size, encoded) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (run, size, encoded),
    )
    number = find(db, run, size)
    assert number is not None
    return number


def drop(db: apsw.Connection, number: int) -> None:
    """Forget a checkpoint with all that is noted under it."""
    db.execute("DELETE FROM noted WHERE checkpoint = ?", (number,))
    db.execute("DELETE FROM cosignatures WHERE checkpoint = ?", (number,))
    db.execute("DELETE FROM checkpoints WHERE number = ?", (number,))


def find(db: apsw.Connection, run: bytes, size: int) -> int | None:
    """Give the number of a run's checkpoint of a size, if it is kept."""
    row = db.execute(
        "SELECT number FROM checkpoints WHERE run = ? AND size = ?", (run, size)
    ).fetchone()
    return None if row is None else int(row[0])


def cosign(db: apsw.Connection, number: int, line: str) -> bool:
    """Keep a cosignature, verified, under a checkpoint; say whether it is that witness's first."""
    (signer,) = signers([line])
    is_new = signer not in load(db, number).signers
    db.execute(
        "INSERT INTO cosignatures VALUES (?, ?, ?)"
        " ON CONFLICT (checkpoint, name) DO UPDATE SET line = excluded.line",
        (number, signer[0], line),
    )
    return is_new


def of_run(db: apsw.Connection, run: bytes) -> list[Kept]:
    """Give the checkpoints kept of a run, the newest first."""
    rows = db.execute("SELECT number FROM checkpoints WHERE run = ? ORDER BY size DESC", (run,))
    return [load(db, number) for (number,) in list(rows)]


def load(db: apsw.Connection, number: int) -> Kept:
    """Give one by its number."""
    encoded = db.execute("SELECT encoded FROM checkpoints WHERE number = ?", (number,)).get
    lines = db.execute(
        "SELECT line FROM cosignatures WHERE checkpoint = ? ORDER BY name", (number,)
    )
    _, found = checkpoint.read(encoded)
    return Kept(number, found, encoded, tuple(str(line) for (line,) in lines))


def signed(kept: Kept, by: Witnesses) -> set[bytes]:
    """Give the organisations whose witness of now stands for a checkpoint."""
    found: set[bytes] = set()
    for line in kept.cosignatures:
        with suppress(AuthorError):  # It was good under a key that looks like the one of now.
            found |= finality.cosigned(kept.checkpoint, (line,), by)
    return found


def prune(db: apsw.Connection, run: bytes, newest_max: int = NEWEST_MAX) -> None:
    """Forget a run's checkpoints under which nothing is noted, but for the newest."""
    db.execute(
        "DELETE FROM checkpoints WHERE run = ?1 AND number NOT IN (SELECT checkpoint FROM noted)"
        " AND size NOT IN (SELECT size FROM checkpoints WHERE run = ?1"
        "   ORDER BY size DESC LIMIT ?2)",
        (run, newest_max),
    )


def witnesses(db: apsw.Connection, identity: bytes) -> Witnesses:
    """Give the witnesses that count in a group now."""
    ((encoded, of),) = db.execute(
        "SELECT g.founding, r.consortium FROM groups g JOIN rosters r ON r.hash = g.roster"
        " WHERE g.id = ?",
        (identity,),
    )
    newest = max(rosters(db, bytes(of)).values(), key=lambda each: each.number)
    rows = db.execute(
        "SELECT DISTINCT organisation FROM members"
        " WHERE in_group = (SELECT number FROM groups WHERE id = ?)",
        (identity,),
    )
    members = {bytes(organisation) for (organisation,) in rows}
    return finality.witnesses(group.parse(encoded).policies.witnesses, members, newest)
