"""A feed: what one run says in one group, a Merkle log that only grows. docs/protocol/feed.md.

In: a feed's state and the next record's bytes. Out: the record and the next state, or an error that
says why it does not follow. A genesis opens a feed from certificates and a roster alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from gateway.errors import (
    BrokenChain,
    ForkedFeed,
    MalformedCbor,
    MalformedGenesis,
    UnknownRoster,
    WrongFeed,
)
from gateway.records import cbor, identity, record
from gateway.records.identity import Certificate
from gateway.records.merkle import Frontier
from gateway.records.record import FIXED_BODY_BYTES_MAX, Record
from gateway.records.roster import Roster

CBOR_TYPE = "application/cbor"

Rosters = Mapping[bytes, Roster]


@dataclass(frozen=True, slots=True, order=True)
class Head:
    """How far a feed goes: its id, size and root; what receipts and journals speak of."""

    feed: bytes
    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Credentials:
    """The three certificates that say who a run is and how to seal to its node."""

    node: Certificate
    run: Certificate
    encryption: Certificate

    def verify(self, roster: Roster) -> None:
        """Check the chain from the roster's organisation down; raise an AuthorError."""
        organisation = roster.organisation(self.node.issuer)
        self.node.verify(organisation.id, organisation.root)
        self.run.verify(self.node.subject, self.node.key)
        self.encryption.verify(self.node.subject, self.node.key)

    def encoded(self) -> list[bytes]:
        """Give the certificates as they travel."""
        return [self.node.encoded, self.run.encoded, self.encryption.encoded]


@dataclass(frozen=True, slots=True)
class View:
    """What an author knew of the group: a roster's hash, and the membership records."""

    roster: bytes
    membership: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Genesis:
    """What the first record of a feed says: who writes it, and after which feeds of its node."""

    credentials: Credentials
    predecessors: tuple[Head, ...]
    founding: bytes | None
    view: View


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed as far as it is held without a gap."""

    id: bytes
    group: bytes
    run_key: bytes
    node: bytes
    organisation: bytes
    frontier: Frontier
    last: bytes

    @property
    def size(self) -> int:
        """Count the records held without a gap."""
        return self.frontier.size

    def head(self) -> Head:
        """Say how far it goes."""
        return Head(self.id, self.size, self.frontier.root())

    def accept(self, encoded: bytes) -> tuple[Record, "Feed"]:
        """Verify the next record and give it with the feed that holds it; raise an AuthorError."""
        following = record.decode(encoded, self.run_key)
        return following, self.followed(following)

    def followed(self, following: Record) -> "Feed":
        """Give the feed with a next record, verified to be its run's; raise an AuthorError."""
        if following.feed != self.id or following.group != self.group:
            raise WrongFeed(part="feed" if following.feed != self.id else "group")
        if following.seq != self.size:
            raise BrokenChain(seq=following.seq, previous=self.size - 1, wanted=self.size)
        if following.previous != self.last:
            raise ForkedFeed(seq=self.size - 1, feed=self.id.hex()[:16])
        return self.extended(following.id)

    def extended(self, leaf: bytes) -> "Feed":
        """Give the feed with one more record, whose id is given."""
        return Feed(
            self.id,
            self.group,
            self.run_key,
            self.node,
            self.organisation,
            self.frontier.append(leaf),
            leaf,
        )


def feed_id(run_key: bytes, group: bytes) -> bytes:
    """Name the feed of a run in a group."""
    return sha256(b"hulian/1/feed" + run_key + group).digest()


def begin(genesis: Genesis, group: bytes) -> Feed:
    """Give the feed that a genesis is about to open, with nothing in it yet."""
    node, run_key = genesis.credentials.node, genesis.credentials.run.key
    name = feed_id(run_key, group)
    return Feed(name, group, run_key, node.subject, node.issuer, Frontier(), record.NO_RECORD)


def open_feed(encoded: bytes, body: bytes, rosters: Rosters) -> tuple[Record, Feed, Genesis]:
    """Verify a genesis and its author's certificates; raise an AuthorError.

    Whether that author is a member of the group is for the group to say.
    """
    first = record.parse(encoded)
    if first.kind is not record.Kind.GENESIS:
        raise BrokenChain(seq=first.seq, previous="none", wanted=0)
    genesis = decode_genesis(record.check_body(first, body))
    roster = rosters.get(genesis.view.roster)
    if roster is None:
        raise UnknownRoster(roster=genesis.view.roster.hex())
    genesis.credentials.verify(roster)
    verified, feed = begin(genesis, first.group).accept(encoded)
    return verified, feed, genesis


def encode_genesis(genesis: Genesis) -> bytes:
    """Write the content of a genesis body."""
    node, run, encryption = genesis.credentials.encoded()
    return cbor.encode(
        {
            0: node,
            1: run,
            2: encryption,
            3: sorted([head.feed, head.size, head.root] for head in genesis.predecessors),
            4: genesis.founding,
            5: [genesis.view.roster, sorted(genesis.view.membership)],
        }
    )


def decode_genesis(content: bytes) -> Genesis:
    """Read the content of a genesis body; raise MalformedGenesis or a certificate's error."""
    try:
        said = cbor.decode(content, FIXED_BODY_BYTES_MAX)
    except MalformedCbor as fault:
        raise MalformedGenesis(reason=fault) from None
    match said:
        case {
            0: bytes() as node,
            1: bytes() as run,
            2: bytes() as encryption,
            3: list() as predecessors,
            4: None | bytes() as founding,
            5: [bytes() as roster, list() as membership],
            **more,
        } if not more:
            return Genesis(
                decode_credentials(node, run, encryption),
                _heads(predecessors),
                founding,
                View(_hash(roster), _sorted_hashes(membership)),
            )
    raise MalformedGenesis(reason="fields are missing, unknown, or of the wrong type")


def decode_credentials(node: bytes, run: bytes, encryption: bytes) -> Credentials:
    """Read the three certificates, not yet verified; raise MalformedCertificate or WeakKey."""
    return Credentials(
        identity.decode(node, "node"),
        identity.decode(run, "run"),
        identity.decode(encryption, "encryption"),
    )


def decode_head(row: object) -> Head:
    """Read [feed, size, root]; raise MalformedGenesis, which callers of other nouns replace."""
    match row:
        case [feed, int() as size, root] if type(size) is int and 0 < size < 1 << 53:
            return Head(_hash(feed), size, _hash(root))
    raise MalformedGenesis(reason="not a head of feed, size and root")


def _heads(rows: list[object]) -> tuple[Head, ...]:
    heads = tuple(decode_head(row) for row in rows)
    if list(heads) != sorted({head.feed: head for head in heads}.values()):
        raise MalformedGenesis(reason="predecessors are not sorted, or one is there twice")
    return heads


def _sorted_hashes(rows: list[object]) -> tuple[bytes, ...]:
    hashes = tuple(_hash(row) for row in rows)
    if list(hashes) != sorted(set(hashes)):
        raise MalformedGenesis(reason="membership is not sorted, or has repeats")
    return hashes


def _hash(value: object) -> bytes:
    if isinstance(value, bytes) and len(value) == 32:
        return value
    raise MalformedGenesis(reason="a hash is not 32 bytes")
