"""Who this node is, its groups, and the peers it has in them.

In: the run, its encryption keys, the groups. Out: peers by node or by the key they sign with,
groups by tag. A group of one has no peers; a group that is not clear cannot be spoken in yet.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.errors import AuthorError, BadAck, BadEnvelope, NotAMember
from gateway.groups import seal
from gateway.groups.agreement import Ack, Claim
from gateway.groups.group import Group
from gateway.peers.relation import Relation
from gateway.records.feed import Credentials
from gateway.records.identity import EncryptionKey
from gateway.records.run import Run
from gateway.store import peers
from gateway.store.database import Connection
from gateway.sync.control import Control


@dataclass(frozen=True, slots=True)
class Me:
    """This start of the agent: its run, what opens what is sealed to its node, people's clock."""

    run: Run
    encryption: tuple[EncryptionKey, ...]
    unix_ms: Callable[[], int] = lambda: 0  # 0 while it is not set

    @property
    def node(self) -> bytes:
        """Name this node."""
        return self.run.node


class Circle:
    """The groups in which this node has peers, and its relation to each peer."""

    def __init__(self, me: Me, groups: Sequence[Group], read: Connection) -> None:
        self.me, self._read = me, read
        self.groups = {
            group.tag: group
            for group in groups
            if group.founding.clear and len(group.founding.members) > 1
        }
        self.unspoken = tuple(group.id for group in groups if not group.founding.clear)
        self.relations = {relation.node: relation for relation in self._relations()}

    def group(self, tag: str | None) -> Group:
        """Find a group by its tag; raise BadEnvelope."""
        found = self.groups.get(tag or "")
        if found is None:
            raise BadEnvelope(reason="no group of this gateway has its tag")
        return found

    def relation(self, node: bytes, group: bytes = b"") -> Relation:
        """Find a peer by its node; raise NotAMember."""
        found = self.relations.get(node)
        if found is None or (group and all(each.id != group for each in found.groups)):
            raise NotAMember(node=node.hex(), group=group.hex()[:16] or "known here")
        return found

    def speaker(self, heard: Control) -> Relation | None:
        """Find the peer that greeted with the HELLO that a control message names."""
        for relation in self.relations.values():
            if any(each.name == heard.pair.sender for each in relation.session.greetings):
                return relation
        return None

    def of_run(self, kid: bytes) -> Relation | None:
        """Find the peer one of whose runs, heard now or ever, signs with a key named so."""
        for relation in self.relations.values():
            if relation.credentials_of(kid) is not None:
                return relation
        known = (each.node.subject for each in peers.runs(self._read, kid))
        return next((self.relations[node] for node in known if node in self.relations), None)

    def admitted(self, credentials: Credentials) -> tuple[Group, ...]:
        """Give the groups to which certificates admit their node; raise NotAMember for none."""
        relation = self.relation(credentials.node.subject)
        groups = tuple(each for each in relation.groups if _admits(each, credentials))
        if not groups:
            raise NotAMember(node=relation.node.hex(), group="that its certificates fit")
        return groups

    def verify(self, claim: Claim, group: Group) -> tuple[Ack, Relation]:
        """Verify an ACK to this node under its signer's certificates; raise BadAck, NotAMember."""
        if claim.ack.group != group.id or claim.ack.receiver != self.me.node:
            raise BadAck(reason="it is of another group, or to another node")
        relation = self.of_run(claim.kid)
        greeted = relation.credentials_of(claim.kid) if relation else None
        if relation and greeted and group in relation.shared:
            return claim.verify(greeted.run.key), relation
        for credentials in peers.runs(self._read, claim.kid):
            if _admits(group, credentials):
                ack = claim.verify(credentials.run.key)
                return ack, self.relation(credentials.node.subject, group.id)
        raise BadAck(reason="no run is known that signs with its key")

    def open_sealed(self, sealed: bytes) -> bytes:
        """Open what is sealed to this node; raise BadEnvelope."""
        for key in self.me.encryption[1:]:
            try:
                return seal.open_sealed(key, sealed)
            except BadEnvelope:
                continue
        return seal.open_sealed(self.me.encryption[0], sealed)

    def _relations(self) -> list[Relation]:
        found: dict[bytes, list[Group]] = {}
        for group in self.groups.values():
            for member in group.founding.members:
                if member.node != self.me.node:
                    found.setdefault(member.node, []).append(group)
        return [_relation(node, tuple(groups)) for node, groups in sorted(found.items())]


def _relation(node: bytes, groups: tuple[Group, ...]) -> Relation:
    organisation = groups[0].roster.organisation(groups[0].member(node).organisation)
    return Relation(node, organisation.name, groups)


def _admits(group: Group, credentials: Credentials) -> bool:
    """Say whether a group's roster and members vouch for certificates."""
    try:
        if group.member(credentials.node.subject).organisation != credentials.node.issuer:
            return False
        credentials.verify(group.roster)
    except (AuthorError, NotAMember):
        return False
    return True
