"""Certificates of peers' runs, so that an ACK can be checked whoever brings it, and whenever.

In: credentials that were verified against a roster. Out: the same, by the start of the run key's id
that an ACK carries. Bounded: the last runs of each node.
"""

import apsw

from gateway.records import cbor, feed
from gateway.records.feed import Credentials
from gateway.records.identity import CERTIFICATE_BYTES_MAX

RUNS_MAX = 64
_ENCODED_BYTES_MAX = 4 * CERTIFICATE_BYTES_MAX


def remember(db: apsw.Connection, credentials: Credentials) -> None:
    """Keep the certificates of a peer's run; of each node the last 64 runs stay."""
    node, kid = credentials.node.subject, credentials.run.subject[:8]
    db.execute(
        "INSERT INTO peers (kid, node, heard, certificates)"
        " SELECT ?, ?, coalesce(max(heard), 0) + 1, ? FROM peers WHERE true"
        " ON CONFLICT (node, kid) DO UPDATE SET heard = excluded.heard,"
        " certificates = excluded.certificates",
        (kid, node, cbor.encode(credentials.encoded())),
    )
    db.execute(
        "DELETE FROM peers WHERE node = ?1 AND kid NOT IN"
        " (SELECT kid FROM peers WHERE node = ?1 ORDER BY heard DESC LIMIT ?2)",
        (node, RUNS_MAX),
    )


def runs(db: apsw.Connection, kid: bytes) -> list[Credentials]:
    """Give the runs whose key's id begins so; of several nodes only if somebody tries hard."""
    found = []
    for (encoded,) in db.execute("SELECT certificates FROM peers WHERE kid = ?", (kid,)):
        match cbor.decode(encoded, _ENCODED_BYTES_MAX):
            case [bytes() as node, bytes() as run, bytes() as encryption]:
                found.append(feed.decode_credentials(node, run, encryption))
    return found
