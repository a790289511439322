"""The store's journals against themselves: leaves, subtrees, and what is noted under checkpoints.

In: a connection for reading. Out: what is wrong, in words. It trusts the feeds that are held, which
others check, and changes nothing. Protocol: docs/protocol/journal.md.
"""

from collections.abc import Iterator

import apsw

from gateway.errors import GatewayError
from gateway.records import journal as leaves
from gateway.records.feed import Head
from gateway.records.merkle import Frontier, node_hash
from gateway.store import feeds, noted


def journals(db: apsw.Connection) -> list[str]:
    """Compute every journal anew from its heads, and check each head noted of a feed."""
    return [*_trees(db), *_noted(db)]


def _trees(db: apsw.Connection) -> Iterator[str]:
    for number, size, roots in list(db.execute("SELECT number, size, frontier FROM journals")):
        hashes = {
            (level, at): bytes(kept)
            for level, at, kept in db.execute(
                "SELECT level, number, hash FROM journal_hashes WHERE journal = ?", (number,)
            )
        }
        rows = db.execute(
            "SELECT f.id, e.size, e.root FROM journal_entries e JOIN feeds f ON f.number = e.feed"
            " WHERE e.journal = ? ORDER BY e.position",
            (number,),
        )
        tree = Frontier().extended(leaves.leaf(Head(*row)) for row in rows)
        if tree.size != size or b"".join(tree.roots) != roots:
            yield f"journal {number}: its heads are not those of its root"
        for (level, at), kept in hashes.items():
            below = hashes.get((level - 1, 2 * at)), hashes.get((level - 1, 2 * at + 1))
            if level and (None in below or node_hash(below[0] or b"", below[1] or b"") != kept):
                yield f"journal {number}: subtree {at} of level {level} is not its leaves' root"


def _noted(db: apsw.Connection) -> Iterator[str]:
    for (feed,) in list(
        db.execute("SELECT id FROM feeds WHERE number IN (SELECT feed FROM noted)")
    ):
        held = feeds.head(db, bytes(feed))
        for each in noted.of_feed(db, bytes(feed)):
            head = each.entry.head
            try:
                each.entry.check(each.kept.checkpoint)
            except GatewayError as fault:
                yield f"feed {feed.hex()[:16]}: {fault}"
            if held is None or held.size < head.size:
                yield f"feed {feed.hex()[:16]}: a checkpoint has more of it than is held"
            elif feeds.root_at(db, bytes(feed), head.size) != head.root:
                yield f"feed {feed.hex()[:16]}: a checkpoint has another root of it"
