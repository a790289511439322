"""Upkeep: what the agent does for its groups without being asked, again and again until it is done.

In: what pairing left in the state directory, invitations that came, changes of members. Out: feeds
opened, keys announced anew, members added and removed, revocations said; and what is still owed,
with the reason, for `status`. Each thing is looked for in the store and done in one commit, so that
a crash or a full disk only delays it.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial

from gateway.acts import Acting, Acts
from gateway.config import Accept
from gateway.errors import GatewayError
from gateway.groups.group import ActivityKind, Founding, Group, Member, Policies, Role
from gateway.groups.membership import Add, Membership
from gateway.peers.inviting import Invited
from gateway.records import identity
from gateway.records.feed import feed_id
from gateway.records.identity import Certificate
from gateway.records.record import Kind, Said
from gateway.records.roster import Roster
from gateway.store import (
    acting,
    authoring,
    contacts,
    council,
    feeds,
    groups,
    membership,
    pairing,
    state,
)
from gateway.store.authoring import Venue
from gateway.store.council import Waiting
from gateway.store.database import Connection
from gateway.store.state import State

_LOG = logging.getLogger(__name__)
_PERIOD_S = 2.0
_CWT = "application/cwt"


@dataclass(frozen=True, slots=True)
class Around:
    """What upkeep is told, and whom it tells."""

    accept: Sequence[Accept]
    take_invitations: Callable[[], Sequence[Invited]]
    meet_again: Callable[[], None]


class Upkeep:
    """One agent's upkeep."""

    def __init__(self, acting: Acting, asked: Acts, around: Around) -> None:
        self._by, self._asked, self._around = acting, asked, around
        self._told: dict[str, str] = {}
        self._rosters: frozenset[bytes] = frozenset()
        # What is owed, by group, and why it was not done yet.
        self.owed: dict[str, str] = {}

    async def run(self) -> None:
        """Look after the groups until cancelled."""
        while True:
            await asyncio.to_thread(self.once)
            await asyncio.sleep(_PERIOD_S)

    def once(self) -> None:
        """Do all that is due now; what fails is told once, and tried again next time."""
        self._try("rosters", self._learn_rosters)
        self._try("invitations", self._follow)
        for name, group in list(self._by.groups.items()):
            self._try(name, partial(self._keep_up, name, group))
        self._try("consortium", self._consortia)
        self._try("revocations", self._revoke)

    def _try(self, what: str, work: Callable[[], None]) -> None:
        try:
            work()
        except GatewayError as fault:
            if self._told.get(what) != fault.code:
                _LOG.warning("upkeep of %s: %s", what, fault)
            self._told[what] = fault.code
        else:
            self._told.pop(what, None)

    def _learn_rosters(self) -> None:
        """Take over what pairing brought: rosters, and by them peers to listen to."""
        held = state.load(self._by.state_dir)
        fresh = frozenset(held.rosters) - self._rosters
        if not fresh:
            return

        def job(db: Connection) -> bool:
            known = sorted(held.rosters.values(), key=lambda each: each.number)
            return sum(groups.keep_roster(db, each) for each in known) > 0

        is_new = self._by.writer.submit(job).result()
        self._rosters = frozenset(held.rosters)
        if is_new:
            self._around.meet_again()

    def _follow(self) -> None:
        """Follow the invitations that the config allows; keep the others for a person."""
        for invited in self._around.take_invitations():
            joined = invited.group
            if joined.id in {each.id for each in self._by.groups.values()}:
                continue
            waiting = Waiting(invited.organisation, invited.name, joined)
            council.keep_waiting(self._by.state_dir, waiting)
            if council.is_consortiums_own(joined) or self._accepts(invited):
                self._asked.do({"act": "group.accept", "invitation": joined.id.hex()})

    def _accepts(self, invited: Invited) -> bool:
        purpose = invited.group.founding.purpose
        return any(
            fnmatchcase(invited.organisation, each.organisation)
            and any(fnmatchcase(purpose, pattern) for pattern in each.purposes)
            for each in self._around.accept
        )

    def _keep_up(self, name: str, group: Group) -> None:
        """Open this node's first feed in a group, and announce to the members that are now."""
        author, venue = self._by.author, Venue(group.id, group.roster.hash)

        def job(db: Connection) -> bool:
            held = membership.load(db, group.id)
            if all(each.node != author.run.node for each in held.members):
                return False
            if not feeds.tips(db, group.id, author.run.node):
                authoring.begin(db, author, venue)  # this is how a member accepts
                return True
            if feeds.load(db, feed_id(author.run.key.public, group.id)) is None:
                return False  # A run says nothing where it has nothing to say.
            if authoring.owed(db, author, venue) is None:
                return False
            authoring.announce(db, author, venue)
            return True

        self.owed[name] = self.owed.get(name, "membership")
        if self._by.writer.submit(job).result():
            self._by.changed(group.id)
        del self.owed[name]

    def _consortia(self) -> None:
        """Have the group of each consortium, with a member of every organisation that is known."""
        held = state.load(self._by.state_dir)
        for newest in council.newest_of(held.rosters.values()):
            if len(newest.organisations) < 2:
                continue
            own = self._own_group(newest)
            if own is None and self._is_founder(held, newest):
                self._found_own(held, newest)
            elif own is not None:
                self._invite_contacts(held, newest, own)
                for group in list(self._by.groups.values()):
                    if group.founding.consortium == newest.consortium:
                        self._remove_expelled(newest, group)

    def _own_group(self, within: Roster) -> Group | None:
        for group in self._by.groups.values():
            if council.is_consortiums_own(group) and group.founding.consortium == within.consortium:
                return group
        return None

    def _is_founder(self, held: State, newest: Roster) -> bool:
        """Say whether it is on this gateway: one of the consortium's first organisation."""
        first = held.rosters.get(newest.consortium)
        ours = [
            each for each, known in held.contacts.items() if known.node.issuer == held.organisation
        ]
        return (
            first is not None
            and first.organisations[0].id == held.organisation
            and held.node_id == min([held.node_id, *ours])
        )

    def _found_own(self, held: State, newest: Roster) -> None:
        own = held.own_contact
        founding = Founding(
            self._by.author.random(32),
            newest.consortium,
            newest.hash,
            state.CONSORTIUM,
            ActivityKind.INDUSTRIAL,
            (Member(held.organisation, own.encryption, (Role.INITIATOR,)),),
            True,
            Policies(approvals=1),
        )
        founded = council.found(self._by.author, founding, held.chain(newest.consortium))
        self._asked.join(self._asked.free_name(state.CONSORTIUM), founded)

    def _invite_contacts(self, held: State, newest: Roster, own: Group) -> None:
        """Add who is known and is no member yet: any member may, the roster is the gate."""
        ids = {each.id for each in newest.organisations}
        author, venue = self._by.author, Venue(own.id, own.roster.hash)

        def job(db: Connection) -> bool:
            now = membership.load(db, own.id)
            if not _is_member(now, author.run.node):
                return False
            known = {each.node for each in now.members} | now.cuts.keys()
            known |= {each.node for each in now.pending}
            fresh = [
                one
                for node, one in held.contacts.items()
                if node not in known and one.node.issuer in ids
            ]
            for one in fresh:
                member = Member(one.node.issuer, one.encryption, (Role.RECEIVER,))
                acting.propose(db, author, venue, Add(member, one.node.encoded))
            return bool(fresh)

        if self._by.writer.submit(job).result():
            self._by.changed(own.id)

    def _remove_expelled(self, newest: Roster, group: Group) -> None:
        """Remove the nodes of organisations that the consortium expelled."""
        ids = {each.id for each in newest.organisations}
        author, venue = self._by.author, Venue(group.id, group.roster.hash)

        def job(db: Connection) -> bool:
            now = membership.load(db, group.id)
            gone = [each.node for each in now.members if each.organisation not in ids]
            if not gone or not _is_member(now, author.run.node):
                return False
            for node in gone:
                acting.remove(db, author, venue, node)
            return True

        if self._by.writer.submit(job).result():
            self._by.changed(group.id)

    def _revoke(self) -> None:
        """Tell its consortium what an organisation revoked, and remove it from all groups."""
        for encoded in pairing.load_revocations(self._by.state_dir):
            said = identity.decode(encoded, "revocation")
            for group in list(self._by.groups.values()):
                self._bar(group, said)

    def _bar(self, group: Group, said: Certificate) -> None:
        author, venue = self._by.author, Venue(group.id, group.roster.hash)

        def job(db: Connection) -> bool:
            now, near = membership.load(db, group.id), contacts.of_group(db, group.id)
            if not _is_member(now, author.run.node):
                return False
            is_told = groups.revoked(db).get(said.subject, 0) >= said.counter
            if council.is_consortiums_own(group) and not is_told:
                authoring.say(db, author, venue, Said(Kind.REVOCATION, said.encoded, _CWT))
                groups.keep_revocation(db, said)
            known = near.get(said.subject)
            is_barred = known is None or known.node.counter <= said.counter
            if _is_member(now, said.subject) and is_barred:
                acting.remove(db, author, venue, said.subject, said.encoded)
                return True
            return not is_told

        if self._by.writer.submit(job).result():
            self._by.changed(group.id)


def _is_member(now: Membership, node: bytes) -> bool:
    return any(each.node == node for each in now.members)
