"""What this node says: messages signed, put in envelopes and given their topics.

In: a peer or a group, and what is to be said. Out: what goes over the links. It decides nothing.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from gateway.groups import agreement, seal
from gateway.groups.agreement import Ack, Entry
from gateway.groups.group import Group
from gateway.peers import enclosing, wire
from gateway.peers.circle import Me
from gateway.peers.relation import Relation
from gateway.peers.wire import Outgoing
from gateway.records.feed import Head
from gateway.records.roster import Roster
from gateway.records.sealing import NONCE_BYTES
from gateway.sync import envelope, message
from gateway.sync.envelope import Envelope, Seal
from gateway.sync.invitation import Invite
from gateway.sync.message import HEADS_MAX, Heads, Hello, Listed, Message


class Voice:
    """This node's way to speak."""

    def __init__(
        self, me: Me, rosters: Callable[[], Mapping[bytes, Roster]], random: Callable[[int], bytes]
    ) -> None:
        self._me, self._rosters, self._random = me, rosters, random
        self._acks = 0

    def chance(self) -> float:
        """Draw a number from [0, 1)."""
        return int.from_bytes(self._random(4), "big") / (1 << 32)

    def new_hello(self, relation: Relation) -> bytes:
        """Write a fresh HELLO to a peer, not yet sealed."""
        ours = {group.founding.consortium for group in relation.groups}  # And no others of ours.
        known = [each for each in self._rosters().values() if each.consortium in ours]
        newest = sorted(known, key=lambda each: each.number, reverse=True)
        rosters = sorted(each.hash for each in newest[: message.ROSTERS_MAX])
        nonce = self._random(message.NONCE_BYTES)
        return message.encode(Hello(self._me.run.credentials, tuple(rosters), nonce))

    def hello(self, relation: Relation, now_ms: int) -> Outgoing:
        """Greet a peer."""
        relation.session = relation.session.greeted(now_ms, self.chance())
        payload = self._to_one(relation, relation.session.hello)
        return Outgoing(wire.to_node(relation.node), payload, everywhere=True)

    def greeting(self, relation: Relation) -> bytes:
        """Introduce this run to a peer by hand: it begins no session."""
        return self._to_one(relation, self.new_hello(relation))

    def control(self, relation: Relation, group: Group, said: Message) -> Outgoing:
        """Say something to a peer alone, signed within their session."""
        relation.session, signed = relation.session.said(self._me.run.key, message.encode(said))
        return self._to(wire.to_node(relation.node), group, signed)

    def heads(self, relation: Relation, group: Group, heads: Sequence[Head]) -> Iterator[Outgoing]:
        """Say to a peer what is held; at least one message, so that it knows it is heard."""
        for at in range(0, max(len(heads), 1), HEADS_MAX):
            rows = tuple(Listed(head) for head in heads[at : at + HEADS_MAX])
            yield self.control(relation, group, Heads(rows))

    def acks(
        self, relation: Relation, group: Group, entries: Sequence[Entry]
    ) -> Iterator[Outgoing]:
        """Sign to a peer for what is durably held here."""
        for some in agreement.batched(entries):
            self._acks += 1
            ack = Ack(group.id, relation.node, self._acks, some)
            signed = agreement.sign(self._me.run.key, ack)
            said = message.encode(agreement.decode(signed))
            yield self._to(wire.to_node(relation.node), group, said)

    def bare(self, relation: Relation, group: Group, said: Message) -> Outgoing:
        """Say to a peer what needs no signature of ours: records and bodies carry their own."""
        return self._to(wire.to_node(relation.node), group, message.encode(said))

    def tell(self, node: bytes, group: Group, said: Message) -> Outgoing:
        """Say what needs no signature of ours to a node that need be no peer."""
        told = self._to(wire.to_node(node), group, message.encode(said))
        return replace(told, everywhere=True)

    def broadcast(self, group: Group, said: Message) -> Outgoing:
        """Say something to all members: new records, or, as a hint, heads."""
        name = wire.heads_of if isinstance(said, Heads) else wire.records_of
        return self._to(name(group.tag, self._me.node), group, message.encode(said))

    def enclosed(self, group: Group, said: Message) -> bytes:
        """Put what needs no signature of ours in an envelope of its group."""
        return enclosing.enclose(group, message.encode(said), self._random(NONCE_BYTES))

    def invite(self, node: bytes, encryption: bytes, invitation: Invite) -> Outgoing:
        """Ask a node into a group, sealed to it alone."""
        sealed = seal.seal(encryption, message.encode(invitation), self._random(32))
        payload = envelope.encode(Envelope(Seal.NODE, None, sealed))
        return Outgoing(wire.to_node(node), payload, everywhere=True)

    def _to(self, topic: str, group: Group, content: bytes) -> Outgoing:
        return Outgoing(topic, enclosing.enclose(group, content, self._random(NONCE_BYTES)))

    def _to_one(self, relation: Relation, content: bytes) -> bytes:
        sealed = seal.seal(relation.encryption, content, self._random(32))
        return envelope.encode(Envelope(Seal.NODE, None, sealed))
