"""This node's journals, one a run: which heads are in them, and the proofs of it.

In: the run, which signs; lines of witnesses, verified. Out: checkpoints, entries with their paths,
consistency proofs; all in a few look-ups however large a journal is. What a run signs is committed
with the leaves it speaks of, so it leaves this machine only when it is durable. Another run's
journal is never added to. Protocol: docs/protocol/journal.md.
"""

from collections.abc import Sequence

import apsw

from gateway.errors import ProofFails
from gateway.records import checkpoint, journal, merkle
from gateway.records.cose import key_id
from gateway.records.feed import Head
from gateway.records.journal import Entry
from gateway.records.merkle import Frontier, Subtree, node_hash
from gateway.records.run import Run
from gateway.store import checkpoints, feeds, noted
from gateway.store.checkpoints import Kept

_HASH_BYTES = 32
_NO_JOURNAL = Frontier()


def lacking(db: apsw.Connection, run: Run) -> int:
    """Count the records of a run's own feeds that its journal lacks."""
    row = db.execute(
        "SELECT total(h.size - coalesce((SELECT max(e.size) FROM journal_entries e JOIN journals j"
        "   ON j.number = e.journal WHERE e.feed = f.number AND j.run = ?1), 0))"
        " FROM feeds f JOIN heads h ON h.feed = f.number WHERE f.node = ?2 AND f.run_key = ?3",
        (run.key.id, run.node, run.key.public),
    ).get
    return int(row)


def tails(db: apsw.Connection, run: Run) -> list[Head]:
    """Give the heads of closed runs' feeds that nothing cosigned covers and its journal lacks.

    What is cosigned under a run that has no feed in the group covers nothing: members never met
    it, and cannot tell whose journal it is. Where a group has no witness at all, there is nothing
    to complete.
    """
    rows = list(
        db.execute(
            "SELECT f.id, g.id, h.size > coalesce(s.cosigned, 0),"
            " (SELECT group_concat(hex(c.run)) FROM noted n JOIN checkpoints c"
            "   ON c.number = n.checkpoint WHERE n.feed = f.number AND n.size >= h.size)"
            " FROM feeds f JOIN heads h ON h.feed = f.number"
            " JOIN groups g ON g.number = f.in_group LEFT JOIN standing s ON s.feed = f.number"
            " WHERE f.node = ?1 AND f.run_key <> ?2"
            " AND NOT EXISTS (SELECT 1 FROM journal_entries e JOIN journals j"
            "   ON j.number = e.journal WHERE e.feed = f.number AND j.run = ?3"
            "   AND e.size >= h.size) ORDER BY f.id",
            (run.node, run.key.public, run.key.id),
        )
    )
    groups = {bytes(identity) for _, identity, *_ in rows}
    known = {
        group: {key_id(key).hex().upper() for key, _ in feeds.runs_of(db, group)}
        for group in groups
        if checkpoints.witnesses(db, group).keys
    }
    lacking = (
        feeds.head(db, bytes(feed))
        for feed, group, is_beyond, runs in rows
        if group in known and (is_beyond or known[group].isdisjoint((runs or "").split(",")))
    )
    return [head for head in lacking if head is not None]


def grow(db: apsw.Connection, run: Run, with_tails: bool = True) -> int | None:
    """Take all heads that the journal lacks and sign a checkpoint, in one commit; give its size.

    None where nothing is lacking. Tails of closed runs are left for when somebody can cosign them.
    """
    own = list(
        db.execute(
            "SELECT f.id FROM feeds f JOIN heads h ON h.feed = f.number WHERE f.node = ?1"
            " AND f.run_key = ?2 AND NOT EXISTS (SELECT 1 FROM journal_entries e JOIN journals j"
            "   ON j.number = e.journal WHERE e.feed = f.number AND j.run = ?3"
            "   AND e.size >= h.size)",
            (run.node, run.key.public, run.key.id),
        )
    )
    heads = [head for (feed,) in own if (head := feeds.head(db, bytes(feed))) is not None]
    heads += tails(db, run) if with_tails else []
    if not heads:
        return None
    grown = append(db, run.key.id, sorted(heads))
    note = checkpoint.sign(run.key, grown.size, grown.root())
    checkpoints.keep(db, run.key.id, grown.size, note)
    checkpoints.prune(db, run.key.id)
    return grown.size


def append(db: apsw.Connection, run: bytes, heads: Sequence[Head]) -> Frontier:
    """Add heads to a run's journal, in the caller's commit; give the tree that it is now."""
    db.execute(
        "INSERT INTO journals (run, size, frontier) VALUES (?, 0, x'') ON CONFLICT DO NOTHING",
        (run,),
    )
    number, grown = _load(db, run)
    for head in heads:
        db.execute(
            "INSERT INTO journal_entries SELECT number, ?, ?, ?, ? FROM feeds WHERE id = ?",
            (number, head.size, head.root, grown.size, head.feed),
        )
        hashes = [journal.leaf(head)]
        while grown.size >> len(hashes) - 1 & 1:
            hashes.append(node_hash(grown.roots[-len(hashes)], hashes[-1]))
        db.executemany(
            "INSERT INTO journal_hashes VALUES (?, ?, ?, ?)",
            [(number, level, grown.size >> level, each) for level, each in enumerate(hashes)],
        )
        grown = grown.append(hashes[0])
    db.execute(
        "UPDATE journals SET size = ?, frontier = ? WHERE number = ?",
        (grown.size, b"".join(grown.roots), number),
    )
    return grown


def size(db: apsw.Connection, run: bytes) -> int:
    """Say how many leaves a run's journal has."""
    return _load(db, run)[1].size


def newest_checkpoint(db: apsw.Connection, run: bytes) -> bytes | None:
    """Give the newest checkpoint of a run's journal, signed; None where there is none yet."""
    row = db.execute(
        "SELECT encoded FROM checkpoints WHERE run = ? ORDER BY size DESC LIMIT 1", (run,)
    ).fetchone()
    return None if row is None else bytes(row[0])


def consistency(db: apsw.Connection, run: bytes, old: int, new: int) -> tuple[bytes, ...]:
    """Prove that a run's journal at size `new` extends that at size `old`; raise ProofFails."""
    number, now = _load(db, run)
    if not 0 <= old <= new <= now.size:
        raise ProofFails(reason="the journal never had these sizes")
    return merkle.consistency(old, new, _subtree(db, number)) if old else ()


def entries(db: apsw.Connection, kept: Kept, since: int = 0) -> list[Entry]:
    """Give the last head of each feed among the leaves from `since` on below a checkpoint."""
    number, _ = _load(db, kept.checkpoint.run or b"")
    rows = db.execute(
        "SELECT f.id, e.size, e.root, e.position, max(e.size) FROM journal_entries e"
        " JOIN feeds f ON f.number = e.feed"
        " WHERE e.journal = ? AND e.position >= ? AND e.position < ? GROUP BY e.feed",
        (number, since, kept.checkpoint.size),
    )
    subtree = _subtree(db, number)
    return [
        Entry(
            position,
            Head(bytes(feed), held, bytes(root)),
            merkle.inclusion(position, kept.checkpoint.size, subtree),
        )
        for feed, held, root, position, _ in list(rows)
    ]


def entry_of(db: apsw.Connection, kept: Kept, feed: bytes) -> Entry | None:
    """Give the last head of one feed below a checkpoint of this node's runs, if there is one."""
    number, _ = _load(db, kept.checkpoint.run or b"")
    rows = db.execute(
        "SELECT e.size, e.root, e.position FROM journal_entries e JOIN feeds f ON f.number = e.feed"
        " WHERE f.id = ? AND e.journal = ? AND e.position < ? ORDER BY e.size DESC LIMIT 1",
        (feed, number, kept.checkpoint.size),
    )
    for held, root, position in list(rows):
        path = merkle.inclusion(position, kept.checkpoint.size, _subtree(db, number))
        return Entry(position, Head(feed, held, bytes(root)), path)
    return None


def keep_cosignature(db: apsw.Connection, run: bytes, at: int, line: str) -> bool:
    """Keep a line by which a witness cosigned this run's checkpoint of a size, verified before.

    Says whether it is news; what is cosigned by it stands in the same commit. A checkpoint that is
    not kept any more needs none.
    """
    number = checkpoints.find(db, run, at)
    if number is None or not checkpoints.cosign(db, number, line):
        return False
    kept = checkpoints.load(db, number)
    earlier = (each for each in checkpoints.of_run(db, run) if each.checkpoint.size < at)
    since = next((one.checkpoint.size for one in earlier if kept.signers <= one.signers), 0)
    noted.keep(db, number, entries(db, kept, since))
    return True


def _load(db: apsw.Connection, run: bytes) -> tuple[int, Frontier]:
    row = db.execute("SELECT number, size, frontier FROM journals WHERE run = ?", (run,)).fetchone()
    if row is None:
        return 0, _NO_JOURNAL
    number, held, roots = row
    starts = range(0, len(roots), _HASH_BYTES)
    return number, Frontier(held, tuple(roots[at : at + _HASH_BYTES] for at in starts))


def _subtree(db: apsw.Connection, number: int) -> Subtree:
    def serve(level: int, index: int) -> bytes:
        found: bytes = db.execute(
            "SELECT hash FROM journal_hashes WHERE journal = ? AND level = ? AND number = ?",
            (number, level, index),
        ).get
        return found

    return serve
