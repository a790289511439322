"""What must hold after every event of a world, whoever lies in it and whatever fails.

In: what goes over the network, and gateways that have just done something. Out: nothing; or an
AssertionError. Only what changed since the last look is looked at.

- Released: no cursor of an outbox is ahead of the ACKs and receipts that its peer really signed.
- Signed: no honest ACK or receipt says more than its signer has committed.
- Kept: a store never holds less of a feed than it once held. Where an old copy takes its place,
  this begins anew: what another honest store holds must come back, so that what was acknowledged
  is lost only where every store that ever held it was replaced by an older one.
- One history: no two records of an honest author share a feed and a number, in whichever stores.
- Nobody accused: only feeds of who lies are frozen; and where nobody lies no history is doubted.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from gateway.errors import BadAck, GatewayError
from gateway.groups import agreement
from gateway.groups.agreement import Claim
from gateway.groups.group import Group
from gateway.peers.wire import Outgoing
from gateway.records.feed import Head
from gateway.records.record import SALT_BYTES, Kind
from gateway.store import feeds, freezing, islands
from gateway.sync import envelope, message
from gateway.sync.envelope import Seal
from tests.sim.gateway import Gateway

_ACK_START = bytes((0x82, message.Type.ACK))
_TO_ALL = "hl/1/g/"
_ALL = b""  # in the place of a receiver: a receipt record is to all
# The records held of a feed from one on, with their numbers.
_FROM = (
    "SELECT r.place & 4294967295, r.id FROM records r JOIN feeds f ON f.number = r.place >> 32"
    " WHERE f.id = ?1 AND r.place >= (f.number << 32) + ?2"
)
# The checkpoints under which heads are noted, which others are told of.
_TOLD = (
    "SELECT c.run, c.size, c.encoded FROM checkpoints c"
    " WHERE c.number IN (SELECT checkpoint FROM noted)"
)


class Safety:
    """The eyes of a world."""

    def __init__(self, groups: Sequence[Group]) -> None:
        self._groups = {group.tag: group for group in groups}
        self.liars: set[bytes] = set()  # nodes
        self.false_witnesses: set[bytes] = set()  # organisations
        # The most that a node signed to another for a feed, as it went over the network.
        self._signed: dict[tuple[bytes, bytes, bytes], int] = {}
        self._committed: dict[tuple[str, bytes], int] = {}
        self._records: dict[tuple[bytes, int], bytes] = {}
        self._seen: dict[str, tuple[int, int]] = {}

    def published(self, gateway: Gateway, outgoing: Outgoing) -> None:
        """Look at what goes over the network: an ACK of who is honest is true."""
        if outgoing.topic.startswith(_TO_ALL):
            return
        try:
            content = self._opened(outgoing)
            if not content.startswith(_ACK_START):
                return
            said = message.decode(content)
        except GatewayError:
            assert gateway.node in self.liars, "what it says cannot be read"
            return
        assert isinstance(said, Claim)
        is_own = said.kid == gateway.run.key.id[:8]
        assert is_own or gateway.node in self.liars, "signed with another's key"
        for entry in said.ack.entries if is_own else ():
            if gateway.node not in self.liars:
                _check_held(gateway, entry.head)
            key = (gateway.node, said.ack.receiver, entry.head.feed)
            self._signed[key] = max(self._signed.get(key, 0), entry.head.size)

    def _opened(self, outgoing: Outgoing) -> bytes:
        """Open what goes over the network in a group; what is sealed to a node stays shut."""
        sent = envelope.decode(outgoing.payload)
        if sent.seal is Seal.NODE or sent.tag is None:
            return b""
        group = self._groups[sent.tag]
        if sent.seal is Seal.NONE:
            return sent.content
        return envelope.open_in(group.secret, group.id, sent)

    def check(self, gateway: Gateway) -> None:
        """Hold a gateway that did something against what was signed and committed."""
        if gateway.node in self.liars:
            return
        self._check_accused(gateway)
        seen = id(gateway.db), gateway.db.total_changes()
        if self._seen.get(gateway.name) == seen:
            return
        self._seen[gateway.name] = seen
        assert islands.faults(gateway.db) == [], "an island is not what is there"
        rows = gateway.db.execute(
            "SELECT f.id, f.number, f.node, h.size FROM heads h JOIN feeds f ON f.number = h.feed"
        )
        for feed, number, node, size in list(rows):
            before = self._committed.get((gateway.name, feed), 0)
            if size < before:  # Its author signed two histories: it ends where they part.
                is_frozen = freezing.frozen(gateway.db, feed) == size
                assert node in self.liars and is_frozen, "what was committed is gone"
                self._committed[gateway.name, feed] = size
            if size > before:
                self._committed[gateway.name, feed] = size
                if node not in self.liars:
                    self._check_records(gateway, feed, number, (before, size))
                if node == gateway.node or node in self.liars:
                    start = feeds.place(number, 0)
                    self._receipts(gateway, node, (start + before, start + size))
        self._check_released(gateway)

    def _check_released(self, gateway: Gateway) -> None:
        rows = gateway.db.execute(
            "SELECT f.id, a.node, a.size FROM acks a JOIN feeds f ON f.number = a.feed"
        )
        for feed, peer, size in rows:
            by_ack = self._signed.get((peer, gateway.node, feed), 0)
            signed = max(by_ack, self._signed.get((peer, _ALL, feed), 0))
            assert size <= signed, "released without an ACK"

    def _receipts(self, gateway: Gateway, author: bytes, span: tuple[int, int]) -> None:
        """Look at receipt records of its own feeds, or of who lies: each is an ACK to all.

        What it wrote before its store was replaced is more than it may hold now.
        """
        rows = gateway.db.execute(
            "SELECT place, body FROM records WHERE place >= ? AND place < ? AND kind = ?",
            (*span, int(Kind.RECEIPT)),
        )
        for place, body in list(rows):
            try:
                entries = agreement.decode_receipt(body[SALT_BYTES:])
            except BadAck:
                assert author in self.liars, "its receipt cannot be read"
                continue
            for head in (entry.head for entry in entries):
                if _is_of_this_run(gateway, place):
                    _check_held(gateway, head)
                key = (author, _ALL, head.feed)
                self._signed[key] = max(self._signed.get(key, 0), head.size)

    def replaced(self, gateway: Gateway) -> None:
        """Begin anew with a gateway that now has another store, over which no run began yet."""
        self._seen.pop(gateway.name, None)
        for name, feed in [key for key in self._committed if key[0] == gateway.name]:
            del self._committed[name, feed]

    def _check_records(
        self, gateway: Gateway, feed: bytes, number: int, span: tuple[int, int]
    ) -> None:
        """No two records, of whichever stores, share a feed and a number (I3)."""
        start = feeds.place(number, 0)
        rows = gateway.db.execute(
            "SELECT place, id FROM records WHERE place >= ? AND place < ?",
            (start + span[0], start + span[1]),
        )
        for place, record in rows:
            known = self._records.setdefault((feed, place - start), record)
            assert known == record, "two records share a number"

    def _check_accused(self, gateway: Gateway) -> None:
        exchange = gateway.exchange
        assert self.liars or not exchange.forks, "a history is doubted where nobody lies"
        if not self.liars:
            return
        rows = list(gateway.db.execute("SELECT node, organisation FROM evidence"))
        accused = {node for node, _ in rows if node is not None}
        assert accused <= self.liars, "an honest node is accused"
        witnesses = {organisation for node, organisation in rows if node is None}
        assert witnesses <= self.false_witnesses, "an honest witness is accused"
        for feed in exchange.frozen:  # Perhaps it is not held: evidence may come before its feed.
            held = feeds.load(gateway.db, feed)
            assert held is None or held.node in self.liars, "an honest feed is frozen"


def _is_of_this_run(gateway: Gateway, place: int) -> bool:
    number, _ = feeds.parted(place)
    key = gateway.db.execute("SELECT run_key FROM feeds WHERE number = ?", (number,)).get
    return bool(key == gateway.run.key.public)


def _check_held(gateway: Gateway, head: Head) -> None:
    held = feeds.head(gateway.db, head.feed)
    assert held is not None and held.size >= head.size, "signed for too much"
    assert feeds.root_at(gateway.db, held.feed, head.size) == head.root


def sizes(gateways: Sequence[Gateway], groups: Sequence[Group]) -> dict[bytes, int]:
    """Give of each feed of these groups how much any of these gateways holds."""
    most: dict[bytes, int] = {}
    for gateway, group in product(gateways, groups):
        for head in gateway.heads(group) if group in gateway.groups else ():
            most[head.feed] = max(most.get(head.feed, 0), head.size)
    return most


def lacking(gateways: Sequence[Gateway], besides: frozenset[bytes]) -> Iterator[str]:
    """Say which of these gateways lacks another's ACK, but for some feeds."""
    nodes = {each.node: each.name for each in gateways}
    for gateway in gateways:
        rows = gateway.db.execute(
            "SELECT f.id, m.node FROM feeds f JOIN heads h ON h.feed = f.number"
            " JOIN members m ON m.in_group = f.in_group AND m.node <> f.node AND m.node <> ?"
            " LEFT JOIN acks a ON a.feed = f.number AND a.node = m.node"
            " WHERE h.size > coalesce(a.size, 0)",
            (gateway.node,),
        )
        for feed, node in rows:
            if node in nodes and feed not in besides:
                yield f"{gateway.name} has no ACK of {nodes[node]} for {feed.hex()[:8]}"


def unshown(gateways: Sequence[Gateway]) -> Iterator[str]:
    """Say at whom two journals of a run are no evidence, of those who hold one and tell of it."""
    held: dict[tuple[bytes, int], dict[bytes, list[Gateway]]] = {}
    for gateway in gateways:
        for run, size, signed in list(gateway.db.execute(_TOLD)):
            held.setdefault((run, size), {}).setdefault(signed, []).append(gateway)
    for (run, size), each in held.items():
        for gateway in (one for some in each.values() for one in some):
            proof = gateway.db.execute("SELECT 1 FROM evidence WHERE thing = ?", (run,)).fetchone()
            if len(each) > 1 and proof is None:
                yield f"{gateway.name} has no evidence of two journals of {run.hex()[:6]} at {size}"


def unproven(gateways: Sequence[Gateway], forked: Mapping[bytes, int]) -> Iterator[str]:
    """Say at whom a fork is no evidence, of those who hold what conflicts with another's."""
    for feed, start in forked.items():
        held: dict[int, dict[bytes, set[str]]] = {}
        for gateway in gateways:
            for seq, name in list(gateway.db.execute(_FROM, (feed, start))):
                held.setdefault(seq, {}).setdefault(name, set()).add(gateway.name)
        parted = {
            who for each in held.values() if len(each) > 1 for some in each.values() for who in some
        }
        for gateway in gateways:
            proof = gateway.db.execute("SELECT 1 FROM evidence WHERE thing = ?", (feed,)).fetchone()
            if gateway.name in parted and proof is None:
                yield f"{gateway.name} has no evidence that {feed.hex()[:6]} is forked"
