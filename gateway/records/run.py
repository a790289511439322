"""A run: one start of the agent, which signs with a key that dies with the process (I3).

In: the node's keys, and what is to be said where. Out: records with their bodies, and the feed
after them. Moments, salts, keys and nonces are arguments. Protocol: docs/protocol/identity.md and
feed.md.
"""

from dataclasses import dataclass

from gateway.records import feed, identity, record
from gateway.records.cose import SigningKey
from gateway.records.feed import CBOR_TYPE, Credentials, Feed, Genesis, Head, View
from gateway.records.merkle import leaf_hash
from gateway.records.record import Kind, Moment, Place, Said
from gateway.records.sealing import Sealing


@dataclass(frozen=True, slots=True)
class Written:
    """A record just signed: its bytes, its body's, its id, and the feed that now ends in it."""

    encoded: bytes
    body: bytes
    id: bytes
    feed: Feed


@dataclass(frozen=True, slots=True)
class Origin:
    """How a feed of a run begins: its node's earlier heads, the view, perhaps the founding."""

    predecessors: tuple[Head, ...]
    view: View
    founding: bytes | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """A run: its key and its certificates."""

    key: SigningKey
    credentials: Credentials

    @property
    def node(self) -> bytes:
        """Name the node this is a run of."""
        return self.credentials.node.subject

    def begin(self, group: bytes, origin: Origin, moment: Moment, salt: bytes) -> Written:
        """Open this run's feed in a group with its genesis."""
        genesis = Genesis(self.credentials, origin.predecessors, origin.founding, origin.view)
        said = Said(Kind.GENESIS, feed.encode_genesis(genesis), CBOR_TYPE)
        return self.write(feed.begin(genesis, group), said, moment, salt)

    def write(
        self,
        after: Feed,
        said: Said,
        moment: Moment,
        salt: bytes,
        sealing: Sealing | None = None,
    ) -> Written:
        """Sign what comes next in a feed of this run, sealed where its kind may be."""
        place = Place(after.id, after.size, after.last, after.group, sealing)
        encoded, body = record.sign(self.key, place, said, moment, salt)
        leaf = leaf_hash(encoded)
        return Written(encoded, body, leaf, after.extended(leaf))


def start(node_key: SigningKey, node: bytes, encryption: bytes, seed: bytes) -> Run:
    """Start a run of a node: certify a fresh key; `node`, `encryption` are its certificates."""
    key = SigningKey(seed)
    subject = identity.decode(node, "node").subject
    run = identity.issue_run(node_key, subject, key.public)
    return Run(key, feed.decode_credentials(node, run, encryption))
