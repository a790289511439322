"""Whom this node speaks with, and in which groups: what peers are judged by.

In: the groups, their members as folded from the records held, the rosters. Out: the group of a tag,
the relation to a node, whether certificates make somebody a member; or NotAMember, BadEnvelope. It
says nothing and stores nothing. docs/protocol/sync.md.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.errors import (
    AuthorError,
    BadAck,
    BadEnvelope,
    NotAMember,
    PeerError,
    RevokedNode,
)
from gateway.groups import seal
from gateway.groups.agreement import Ack, Claim
from gateway.groups.group import Group
from gateway.groups.membership import Membership
from gateway.peers.guests import Guests
from gateway.peers.relation import Relation
from gateway.records.feed import Credentials, Feed
from gateway.records.identity import EncryptionKey
from gateway.records.roster import Roster
from gateway.records.run import Run
from gateway.store import groups as registry, membership, outbox, peers
from gateway.store.database import Connection
from gateway.sync import message
from gateway.sync.control import Control


@dataclass(frozen=True, slots=True)
class Me:
    """This start of the agent: its run, what opens what is sealed to its node, people's clock."""

    run: Run
    encryption: tuple[EncryptionKey, ...]
    unix_ms: Callable[[], int] = lambda: 0  # 0 while it is not set
    heard: set[str] = field(default_factory=set)  # tags under which a member spoke to this run

    @property
    def node(self) -> bytes:
        """Name this node."""
        return self.run.node


class Circle:
    """The groups this node is in, and its relation to each peer in them."""

    def __init__(self, me: Me, groups: Sequence[Group], read: Connection) -> None:
        self.me, self._read = me, read
        self.groups = {group.tag: group for group in groups}
        self._members: dict[bytes, Membership] = {}
        self._rosters: dict[bytes, Mapping[bytes, Roster]] = {}
        self._revoked: Mapping[tuple[bytes, bytes], int] = {}
        self.is_known = False  # to other organisations, who may invite it
        self.relations: dict[bytes, Relation] = {}
        self.refresh()

    def refresh(self) -> list[Relation]:
        """Look again who is a member of what, after the commit that changed it; give who is new."""
        self._revoked = registry.revoked(self._read)
        known = registry.rosters(self._read)
        self.is_known = any(len(each.organisations) > 1 for each in known.values())
        for group in self.groups.values():
            self._members[group.id] = membership.load(self._read, group.id)
            within = group.founding.consortium
            self._rosters[within] = {
                name: each for name, each in known.items() if each.consortium == within
            }
        before, self.relations = self.relations, {}
        for node, shared in self._near().items():
            self.relations[node] = self._relation(before.get(node), node, tuple(shared))
        self.guests = self._guests(known)
        return [each for node, each in self.relations.items() if node not in before]

    def _guests(self, known: Mapping[bytes, Roster]) -> Guests:
        newest: dict[bytes, Roster] = {}
        for each in sorted(known.values(), key=lambda one: one.number):
            newest[each.consortium] = each
        within = {tag: newest[each.founding.consortium] for tag, each in self.groups.items()}
        members = {tag: self._members[each.id] for tag, each in self.groups.items()}
        return Guests(self.me.node, members, within, tuple(newest.values()), self._revoked)

    def members(self, group: bytes) -> Membership:
        """Give the members of a group."""
        return self._members[group]

    def rosters(self, group: Group) -> Mapping[bytes, Roster]:
        """Give the rosters of a group's consortium that are held, by hash."""
        return self._rosters[group.founding.consortium]

    def all_rosters(self, shared: Iterable[Group] | None = None) -> dict[bytes, Roster]:
        """Give the rosters of all consortia, or of those of some groups, by hash."""
        within = self._rosters if shared is None else {one.founding.consortium for one in shared}
        return {name: each for one in within for name, each in self._rosters[one].items()}

    def newest(self, group: Group) -> Roster:
        """Give the newest roster of a group's consortium: what who speaks now is judged by."""
        return max(self.rosters(group).values(), key=lambda each: each.number)

    def newest_for(self, group: bytes) -> Roster:
        """Give the newest roster for a group by its id."""
        return self.newest(next(each for each in self.groups.values() if each.id == group))

    def group(self, tag: str | None) -> Group:
        """Find a group by its tag; raise BadEnvelope."""
        found = self.groups.get(tag or "")
        if found is None:
            raise BadEnvelope(reason="no group of this gateway has its tag")
        return found

    def find(self, node: bytes, group: bytes = b"") -> Relation | None:
        """Find a peer by its node, in a group where one is named."""
        found = self.relations.get(node)
        if found is None or (group and all(each.id != group for each in found.groups)):
            return None
        return found

    def relation(self, node: bytes, group: bytes = b"") -> Relation:
        """Find a peer by its node; raise NotAMember."""
        found = self.find(node, group)
        if found is None:
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
        if self._is_revoked(credentials):
            raise RevokedNode(subject=relation.node.hex())
        groups = tuple(each for each in relation.groups if self._admits(each, credentials))
        if not groups:
            raise NotAMember(node=relation.node.hex(), group="that its certificates fit")
        return groups

    def shown(self, group: Group, feed: bytes) -> int:
        """Say up to where a member that is asked for a feed signed that it holds it."""
        within = (each for each in self.relations.values() if group in each.shared)
        return max((each.asking.shown(group.id, feed) for each in within), default=0)

    def missed(self, feed: bytes, now_ms: int) -> bool:
        """Note that records of a feed came with a gap before them; False if nobody is asked."""
        waited = [each.asking.missed(feed, now_ms) for each in self.relations.values()]
        return any(waited)

    def awaits_ack(self, encoded: bytes) -> bool:
        """Say whether an ACK, not verified, is a known run's and signs for what it had not."""
        try:
            said = message.decode(encoded)
        except (AuthorError, PeerError):
            return False
        relation = self.of_run(said.kid) if isinstance(said, Claim) else None
        if relation is None or not isinstance(said, Claim):
            return False
        return any(
            outbox.cursor(self._read, relation.node, each.head.feed) < each.head.size
            for each in said.ack.entries
        )

    def verify(self, claim: Claim, group: Group) -> tuple[Ack, Relation]:
        """Verify an ACK to this node under its signer's certificates; raise BadAck, NotAMember."""
        if claim.ack.group != group.id or claim.ack.receiver != self.me.node:
            raise BadAck(reason="it is of another group, or to another node")
        relation = self.of_run(claim.kid)
        greeted = relation.credentials_of(claim.kid) if relation else None
        if relation and greeted and group in relation.shared:
            return claim.verify(greeted.run.key), relation
        for credentials in peers.runs(self._read, claim.kid):
            if self._admits(group, credentials):
                ack = claim.verify(credentials.run.key)
                return ack, self.relation(credentials.node.subject, group.id)
        raise BadAck(reason="no run is known that signs with its key")

    def admit(self, group: Group, opened: Feed) -> None:
        """Check that a feed's author is a member, or was: what it wrote before its removal counts.

        Raises NotAMember, which passes where the record that adds it is still on its way.
        """
        held = self._members[group.id]
        known = opened.node in held.cuts or any(
            (each.node, each.organisation) == (opened.node, opened.organisation)
            for each in held.members
        )
        if opened.group != group.id or not known:
            raise NotAMember(node=opened.node.hex(), group=group.id.hex()[:16])

    def open_sealed(self, sealed: bytes) -> bytes:
        """Open what is sealed to this node; raise BadEnvelope."""
        for key in self.me.encryption[1:]:
            try:
                return seal.open_sealed(key, sealed)
            except BadEnvelope:
                continue
        return seal.open_sealed(self.me.encryption[0], sealed)

    def _near(self) -> dict[bytes, list[Group]]:
        """Give the groups shared with each peer, of those in which this node is a member itself."""
        near: dict[bytes, list[Group]] = {}
        for group in self.groups.values():
            held = self._members[group.id]
            if not held.has(self.me.node) and not self._joining(group):
                continue
            for member in held.members:
                if member.node != self.me.node:
                    near.setdefault(member.node, []).append(group)
        return dict(sorted(near.items()))

    def _joining(self, group: Group) -> bool:
        """Say whether the record that makes this node a member may still be on its way."""
        return self.me.node not in self._members[group.id].cuts

    def _relation(
        self, before: Relation | None, node: bytes, groups: tuple[Group, ...]
    ) -> Relation:
        member = self._members[groups[0].id].member(node)
        if before is not None:
            greeted = before.greeted
            shared = [each for each in groups if greeted and self._admits(each, greeted)]
            before.share(groups, tuple(shared))
            return before
        named = {each.id: each.name for each in self.newest(groups[0]).organisations}
        organisation = named.get(member.organisation, member.organisation.hex())
        return Relation(node, organisation, member.encryption.key, groups)

    def _admits(self, group: Group, credentials: Credentials) -> bool:
        """Say whether a group's newest roster and its members vouch for certificates."""
        try:
            member = self._members[group.id].member(credentials.node.subject)
            if member.organisation != credentials.node.issuer or self._is_revoked(credentials):
                return False
            credentials.verify(self.newest(group))
        except (AuthorError, NotAMember):
            return False
        return True

    def _is_revoked(self, credentials: Credentials) -> bool:
        node = credentials.node
        return node.counter <= self._revoked.get((node.issuer, node.subject), -1)
