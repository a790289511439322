"""Who may be at the other end of a link, by what was known when the circle looked last.

In: certificates that a proof names, the time by a clock that is set. Out: whom they are of and
which groups they share with this node, or an error. It never changes, so any thread may ask it;
the circle makes another when somebody comes or goes. Protocol: docs/protocol/links.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.errors import AuthorError, BadProof, ExpiredCertificate, NotAMember, RevokedNode
from gateway.groups.membership import Membership
from gateway.records.feed import Credentials
from gateway.records.roster import Roster


@dataclass(frozen=True, slots=True)
class Guest:
    """A node at the other end: its run, the consortia it is of, the tags of its groups."""

    node: bytes
    run: bytes
    consortia: frozenset[bytes]
    tags: frozenset[str]

    def may_meet(self, other: "Guest") -> bool:
        """Say whether something said by one of them may be carried to the other."""
        return not self.consortia.isdisjoint(other.consortia) and self.node != other.node


@dataclass(frozen=True, slots=True)
class Guests:
    """The members of this node's groups, by their tags; the newest roster of each consortium."""

    node: bytes
    members: Mapping[str, Membership]
    newest: Mapping[str, Roster]  # by the group's tag
    rosters: tuple[Roster, ...]  # of all consortia, those without a group of ours too
    revoked: Mapping[tuple[bytes, bytes], int]

    def admit(self, credentials: Credentials, now_s: int) -> Guest:
        """Say whom certificates are of; raise NotAMember, RevokedNode, or what is wrong with them.

        A member of a consortium that shares no group with this node may come too: else it could
        not be invited into one. `now_s` is 0 while the clock is not set: then nothing is expired.
        """
        node = credentials.node
        if node.subject == self.node:
            raise BadProof(reason="it is this gateway itself")
        if node.counter <= self.revoked.get((node.issuer, node.subject), -1):
            raise RevokedNode(subject=node.subject.hex())
        known = [each for each in self.rosters if self._vouches(each, credentials)]
        if not known:
            raise NotAMember(node=node.subject.hex(), group="known here")
        if now_s and node.validity.expires_s is not None and node.validity.expires_s <= now_s:
            raise ExpiredCertificate(node=node.subject.hex())
        tags = (tag for tag, held in self.members.items() if self._shares(tag, held, credentials))
        consortia = frozenset(each.consortium for each in known)
        return Guest(node.subject, credentials.run.subject, consortia, frozenset(tags))

    def _vouches(self, roster: Roster, credentials: Credentials) -> bool:
        try:
            credentials.verify(roster)
        except AuthorError:
            return False
        return True

    def _shares(self, tag: str, held: Membership, credentials: Credentials) -> bool:
        """Say whether a group has the node as a member, for the organisation that certified it."""
        node = credentials.node
        vouched = any(each.id == node.issuer for each in self.newest[tag].organisations)
        return vouched and any(
            (each.node, each.organisation) == (node.subject, node.issuer) for each in held.members
        )
