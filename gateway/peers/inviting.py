"""Invitations to groups: said until they are followed, judged when they come. Chapter 9, INVITE.

In: the groups and who has opened no feed in them yet; an INVITE from anywhere. Out: invitations to
be said again, with patience; or one whose founding holds under rosters of a known consortium.
Whether it is accepted is for the config or a person to say. docs/protocol/message.md.
"""

from collections.abc import Collection
from dataclasses import dataclass

from gateway.errors import UnknownRoster
from gateway.groups import group as groups
from gateway.groups.group import Group
from gateway.peers.circle import Circle
from gateway.peers.voice import Voice
from gateway.peers.wire import Outgoing
from gateway.records import roster
from gateway.store import contacts
from gateway.store.database import Connection
from gateway.sync.invitation import Invite
from gateway.sync.retry import NEVER_TRIED, Pace, Retry

PACE = Pace(2_000, 300_000)


@dataclass(frozen=True, slots=True)
class Invited:
    """An invitation that could be accepted: the group with its secret, and its proposed name."""

    group: Group
    name: str
    organisation: str  # the inviting founder's, by the roster


def verified(said: Invite, consortia: Collection[bytes]) -> Invited:
    """Judge an invitation; raise what is wrong with it, or UnknownRoster for a foreign one."""
    chain = roster.decode_chain(said.rosters)
    if not chain or chain[0].consortium not in consortia:
        raise UnknownRoster(roster=chain[0].consortium.hex() if chain else "none")
    found = groups.verify_among(said.founding, said.founder, chain, said.secret)
    founder = chain[-1].organisation(found.founder.node.issuer)
    return Invited(found, said.name, founder.name)


class Inviting:
    """Whom this node asked into its groups, and who has not come."""

    def __init__(self, circle: Circle, voice: Voice, read: Connection) -> None:
        self._circle, self._voice, self._read = circle, voice, read
        self._waiting: dict[tuple[bytes, bytes], Retry] = {}
        self.refresh()

    def refresh(self) -> None:
        """Look again who is to be invited by this node."""
        due = set[tuple[bytes, bytes]]()
        for group in self._circle.groups.values():
            mine = contacts.invited_by(self._read, group, self._circle.me.node)
            due |= {(group.id, node) for node in mine}
        self._waiting = {each: self._waiting.get(each, NEVER_TRIED) for each in sorted(due)}

    def due_ms(self) -> int:
        """Say when somebody is next to be invited."""
        return min((each.due_ms for each in self._waiting.values()), default=1 << 62)

    def take(self, now_ms: int) -> list[Outgoing]:
        """Give the invitations that are due; who has come meanwhile needs none."""
        if self.due_ms() > now_ms:
            return []
        self.refresh()
        said = []
        by_id = {group.id: group for group in self._circle.groups.values()}
        for (group, node), retry in self._waiting.items():
            if retry.due_ms <= now_ms:
                self._waiting[group, node] = retry.again(now_ms, PACE, self._voice.chance())
                said.append(self._invite(by_id[group], node))
        return said

    def waiting(self, group: bytes) -> list[bytes]:
        """Give the nodes that were invited to a group by this one and have not come."""
        return [node for within, node in self._waiting if within == group]

    def hurry(self) -> None:
        """The way to the peers is there again."""
        self._waiting = dict.fromkeys(self._waiting, NEVER_TRIED)

    def _invite(self, group: Group, node: bytes) -> Outgoing:
        member = self._circle.members(group.id).member(node)
        rosters = sorted(self._circle.rosters(group).values(), key=lambda each: each.number)
        invitation = Invite(
            group.encoded,
            group.founder,
            tuple(each.encoded for each in rosters),
            (),
            group.secret,
            group.founding.purpose,
        )
        return self._voice.invite(node, member.encryption.key, invitation)
