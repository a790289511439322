"""Ways of stored records to checkpoints: which head of a journal stands for one, and who cosigned.

In: a record that is held. Out: the way to the checkpoint that most witnesses of its group cosigned,
with the lines that a reader of a proof can check; or none. Protocol: docs/protocol/journal.md.
"""

from collections.abc import Iterator
from contextlib import suppress

import apsw

from gateway.errors import AuthorError, StoreDamaged
from gateway.groups import finality
from gateway.records import feed, merkle, note, record
from gateway.records.checkpoint import witness_name
from gateway.records.cose import key_id
from gateway.records.feed import Credentials, Head
from gateway.records.journal import Entry
from gateway.records.proof import Certificates, Journaled
from gateway.records.record import Record
from gateway.records.roster import Roster
from gateway.store import checkpoints, feeds, freezing, journal, peers
from gateway.store.checkpoints import Kept

_HASH_BYTES = 32


def of(db: apsw.Connection, said: Record, node: bytes, newest: Roster) -> Journaled | None:
    """Give the way of a record by a node to the checkpoint that most of its witnesses cosigned.

    Of several the newest; None where no journal has the record, or whose it is cannot be shown.
    """
    found: tuple[int, Kept, Entry, Credentials] | None = None
    counting = checkpoints.witnesses(db, said.group)
    for kept, entry in _entries(db, said):
        credentials = _run(db, node, kept.checkpoint.run)
        if credentials is not None:
            lines = _lines(kept, newest)
            count = len(finality.cosigned(kept.checkpoint, lines, counting))
            if found is None or count > found[0]:
                found = count, kept, entry, credentials
    if found is None:
        return None
    _, kept, entry, credentials = found
    path = merkle.inclusion(said.seq, entry.head.size, feeds.subtree(db, said.feed))
    signed, own = kept.encoded, certificates(credentials)
    lines = _lines(kept, newest)
    return Journaled(path, entry.head, entry.index, entry.path, signed, own, lines)


def opened(db: apsw.Connection, name: bytes) -> Credentials:
    """Give the certificates in the genesis of a held feed; raise StoreDamaged without one."""
    first = feeds.slice_of(db, name, 0, 1, 1)
    if not first or first[0].body is None:
        raise StoreDamaged(path=db.filename, reason="a feed without its genesis")
    begun = record.parse(first[0].encoded)
    return feed.decode_genesis(record.check_body(begun, first[0].body)).credentials


def certificates(credentials: Credentials) -> Certificates:
    """Give a run's three certificates as a proof carries them."""
    node, run, encryption = credentials.encoded()
    return node, run, encryption


def _entries(db: apsw.Connection, said: Record) -> Iterator[tuple[Kept, Entry]]:
    """Give the heads above a record that checkpoints kept here are over, the newest first."""
    rows = db.execute(
        "SELECT j.run FROM journals j JOIN feeds f ON f.id = ? WHERE EXISTS (SELECT 1"
        " FROM journal_entries e WHERE e.feed = f.number AND e.journal = j.number AND e.size > ?)"
        " ORDER BY j.number DESC",
        (said.feed, said.seq),
    )
    own = (kept for (run,) in list(rows) for kept in checkpoints.of_run(db, bytes(run)))
    for kept in own:
        entry = journal.entry_of(db, kept, said.feed)
        if entry is not None and entry.head.size > said.seq:
            yield kept, entry
    noted = db.execute(
        "SELECT n.checkpoint, n.size, n.root, n.position, n.path FROM noted n"
        " JOIN feeds f ON f.number = n.feed"
        " WHERE f.id = ? AND n.size > ? AND n.size <= ? ORDER BY n.size DESC",
        (said.feed, said.seq, freezing.reach(db, said.feed)),
    )
    for number, size, root, position, hashes in list(noted):
        starts = range(0, len(hashes), _HASH_BYTES)
        path = tuple(bytes(hashes[at : at + _HASH_BYTES]) for at in starts)
        head = Head(said.feed, int(size), bytes(root))
        if head.root == feeds.root_at(db, said.feed, head.size):
            yield checkpoints.load(db, number), Entry(int(position), head, path)


def _lines(kept: Kept, newest: Roster) -> tuple[str, ...]:
    """Give the cosignatures under a checkpoint by witnesses that the newest roster has."""
    keys = {witness_name(each.id): each.witness for each in newest.organisations}
    return tuple(line for line in kept.cosignatures if _holds(kept, line, keys))


def _holds(kept: Kept, line: str, keys: dict[str, bytes | None]) -> bool:
    name = note.parse_line(line).name
    key = keys.get(name)
    if key is not None:
        with suppress(AuthorError):  # an earlier key's, which counts nothing any more
            note.check_cosignature(kept.checkpoint.text, line, name, key)
            return True
    return False


def _run(db: apsw.Connection, node: bytes, run: bytes | None) -> Credentials | None:
    """Give the certificates of a node's run, by one of its feeds or as they were heard."""
    if run is None:
        return None
    rows = db.execute("SELECT id, run_key FROM feeds WHERE node = ?", (node,))
    for name, key in list(rows):
        if key_id(key) == run:
            return opened(db, bytes(name))
    heard = (each for each in peers.runs(db, run[:8]) if each.node.subject == node)
    return next((each for each in heard if each.run.subject == run), None)
