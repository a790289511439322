"""Invitations to groups: said until they are followed, judged when they come. Chapter 9, INVITE.

In: the groups and who has opened no feed in them yet; an INVITE from anywhere. Out: invitations to
be said again, with patience; or one whose founding holds under rosters of a known consortium.
Whether it is accepted is for the config or a person to say. docs/protocol/message.md.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from gateway.errors import GroupError, InvitationTooLarge, MalformedRoster, UnknownRoster
from gateway.groups import group as groups
from gateway.groups.group import Group
from gateway.peers.circle import Circle
from gateway.peers.voice import Voice
from gateway.peers.wire import Outgoing
from gateway.records import roster
from gateway.records.roster import Roster
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


def verified(said: Invite, held: Mapping[bytes, Roster]) -> Invited:
    """Judge an invitation; raise what is wrong with it, or UnknownRoster for a foreign one.

    Its rosters begin at number 0, or follow one that is held; the newest known of all is gone by.
    """
    chain = _chain(said.rosters, held)
    known = [each for each in held.values() if each.consortium == chain[0].consortium]
    if not known:
        raise UnknownRoster(roster=chain[0].consortium.hex())
    hashes = {each.number: each.hash for each in chain}
    if any(hashes.get(each.number, each.hash) != each.hash for each in known):
        raise MalformedRoster(reason="another one of its number is held")
    found = groups.verify_among(said.founding, said.founder, chain, said.secret)
    newest = max((chain[-1], *known), key=lambda each: each.number)
    founder = newest.organisation(found.founder.node.issuer)
    return Invited(found, said.name, founder.name)


def _chain(encoded: Sequence[bytes], held: Mapping[bytes, Roster]) -> tuple[Roster, ...]:
    """Verify rosters, with those before them that are held."""
    payload, _ = roster.take_apart(encoded[0])
    chain: list[Roster] = []
    for before in held.values():
        with suppress(MalformedRoster):
            roster.read_next(payload, before)
            ours = (each for each in held.values() if each.consortium == before.consortium)
            known = (each for each in ours if each.number <= before.number)
            chain = sorted(known, key=lambda each: each.number)
    for each in encoded:
        chain.append(roster.decode_next(each, chain[-1]) if chain else roster.decode(each))
    return tuple(chain)


class Inviting:
    """Whom this node asked into its groups, and who has not come."""

    def __init__(
        self, circle: Circle, voice: Voice, read: Connection, counts: Counter[str]
    ) -> None:
        self._circle, self._voice, self._read, self._counts = circle, voice, read, counts
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
                try:
                    said.append(self.invite(by_id[group], node))
                except GroupError as fault:  # What is owed to one keeps no other waiting.
                    self._counts[fault.code] += 1
        return said

    def waiting(self, group: bytes) -> list[bytes]:
        """Give the nodes that were invited to a group by this one and have not come."""
        return [node for within, node in self._waiting if within == group]

    def hurry(self) -> None:
        """The way to the peers is there again."""
        self._waiting = dict.fromkeys(self._waiting, NEVER_TRIED)

    def invite(self, group: Group, node: bytes) -> Outgoing:
        """Write an invitation to a member; raise InvitationTooLarge, or NotAMember."""
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
        while True:
            try:
                return self._voice.invite(node, member.encryption.key, invitation)
            except InvitationTooLarge:  # Whoever is invited holds the oldest rosters since pairing.
                if len(invitation.rosters) < 2:
                    raise
                invitation = replace(invitation, rosters=invitation.rosters[1:])
