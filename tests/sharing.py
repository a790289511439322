"""A store that shares a feed with peers: the chain and the ACKs of the proofs' vectors.

In: an empty store. Out: the same, holding the chain and what two peers have signed of it.
"""

from gateway.records import record
from gateway.store import feeds, groups, outbox, peers
from gateway.store.database import Connection
from tests.vectors.build_proof import BUYERS, CARRIERS, CHAIN, GROUP, LONG, SHORT, receipt


def shared_with_peers(db: Connection) -> None:
    """Have a store hold the chain of the proofs' vectors, with the ACKs of two peers."""
    with db:
        groups.register(db, "pressing", GROUP)
        for written in CHAIN:
            feeds.append(db, record.parse(written.encoded), written.body, written.feed)
        for by, size in ((BUYERS, LONG), (CARRIERS, SHORT)):
            outbox.acknowledged(
                db, by.node, CHAIN[size - 1].feed.head(), receipt(by, 0, size).signed
            )
            peers.remember(db, by.credentials)
