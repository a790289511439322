"""Upkeep: what the agent does for its groups without being asked, again and again until it is done.

In: what pairing left in the state directory, invitations that came, changes of members. Out: feeds
opened, keys announced anew, receipts written, members added and removed, revocations said; and what
is still owed, with the reason, for `status`. Each thing is looked for in the store and done in one
commit, so that a crash or a full disk only delays it.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from typing import Final

from gateway.acts import Acting, Acts
from gateway.config import Accept
from gateway.errors import AuthorError, GatewayError
from gateway.groups.group import ActivityKind, Founding, Group, Member, Policies, Role
from gateway.groups.membership import Add
from gateway.peers.inviting import Invited
from gateway.records import identity
from gateway.records.identity import Certificate
from gateway.records.record import Kind, Said
from gateway.records.roster import Roster
from gateway.store import (
    acting,
    authoring,
    contacts,
    council,
    evidence,
    found,
    groups,
    membership,
    pairing,
    persons,
    state,
)
from gateway.store.authoring import Venue
from gateway.store.council import Waiting
from gateway.store.database import Connection
from gateway.store.evidence import Origin
from gateway.store.state import State

_LOG = logging.getLogger(__name__)
_PERIOD_S = 2.0
# So many periods a gateway that has sisters waits for the group that one of them may have founded.
_PATIENCE = 30
# A group's receipts are written together: at most so often.
_RECEIPT_MS = 5_000
_CWT = "application/cwt"
UNKEPT: Final = "sync.unkept"  # as of those that come faster than they are taken away
DECLINED: Final = "sync.declined"


@dataclass(frozen=True, slots=True)
class Around:
    """What upkeep is told, and whom it tells."""

    accept: Sequence[Accept]
    take_invitations: Callable[[], Sequence[Invited]]
    meet_again: Callable[[], None]
    reroute: Callable[[], None]
    written: Callable[[Sequence[bytes]], None]
    journal: Callable[[], object] = lambda: None
    rebind: Callable[[], object] = lambda: None


class Upkeep:
    """One agent's upkeep."""

    def __init__(self, acting: Acting, asked: Acts, around: Around) -> None:
        self._by, self._asked, self._around = acting, asked, around
        self._told: dict[str, str] = {}
        self._rosters: frozenset[bytes] = frozenset()
        self._state: State | None = None
        self._stamp: frozenset[tuple[str, int]] = frozenset()
        self._patience = _PATIENCE
        self._receipted_ms: dict[bytes, int] = {}
        # Invitations that were not kept, by the reason.
        self.counts: Counter[str] = Counter()
        # What is owed, by group, and why it was not done yet.
        self.owed: dict[str, str] = {}
        # The groups, by name, that this node left or was removed from.
        self.out: frozenset[str] = frozenset()

    async def run(self) -> None:
        """Look after the groups until cancelled; then what is begun is ended first.

        A thread cannot be cancelled: it would go on beneath who closes the store.
        """
        while True:
            turn = asyncio.ensure_future(asyncio.to_thread(self.once))
            try:
                await asyncio.shield(turn)
            except asyncio.CancelledError:
                await turn
                raise
            await asyncio.sleep(_PERIOD_S)

    def once(self) -> None:
        """Do all that is due now; what fails is told once, and tried again next time."""
        self._try("rosters", self._learn_rosters)
        self._try("evidence", self._take_found)
        self.follow()
        for name, group in list(self._by.groups.items()):
            self._try(name, partial(self._keep_up, name, group))
            self._try(f"receipts in {name}", partial(self._receipt, group))
        self._try("routes", self._look_where)
        self._try("bindings", self._around.rebind)
        self._try("consortium", self._consortia)
        self._try("revocations", self._revoke)
        self._try("journal", self._around.journal)

    def follow(self) -> None:
        """Follow the invitations that came, or keep them for a person."""
        for invited in self._around.take_invitations():
            self._try("invitations", partial(self._follow, invited))

    def _held(self) -> State:
        """Give the state directory as it is now, read again only where pairing changed it."""
        stamp = state.stamp(self._by.state_dir)
        if self._state is None or stamp != self._stamp:
            self._state, self._stamp = state.load(self._by.state_dir), stamp
        return self._state

    def _try(self, what: str, work: Callable[[], object]) -> None:
        try:
            work()
        except GatewayError as fault:
            if self._told.get(what) != fault.code:
                _LOG.warning("upkeep of %s: %s", what, fault)
            self._told[what] = fault.code
        else:
            self._told.pop(what, None)

    def _look_where(self) -> None:
        """See of which groups this node is a member no more: readings go elsewhere then."""
        node = self._by.author.run.node

        def job(db: Connection) -> frozenset[str]:
            known = list(self._by.groups.items())
            now = {name: membership.load(db, group.id) for name, group in known}
            return frozenset(
                name for name, each in now.items() if node in each.cuts and not each.has(node)
            )

        out = self._by.writer.submit(job).result()
        if out != self.out:
            self.out = out
            self._around.reroute()

    def _learn_rosters(self) -> None:
        """Take over what pairing brought: rosters, and by them peers to listen to."""
        held = self._held()
        fresh = frozenset(held.rosters) - self._rosters
        if not fresh:
            return

        def job(db: Connection) -> bool:
            known = sorted(held.rosters.values(), key=lambda each: each.number)
            count = sum(groups.keep_roster(db, each) for each in known)
            self._accuse(db, evidence.rosters_twice(db, [each.encoded for each in known]))
            return count > 0

        is_new = self._by.writer.submit(job).result()
        self._rosters = frozenset(held.rosters)
        if is_new:
            self._around.meet_again()

    def _take_found(self) -> None:
        """Take over the evidence that a command found; what shows nothing here is let go of."""
        left = found.left(self._by.state_dir)
        if left:
            self._by.writer.submit(partial(self._accuse, contents=left)).result()
            found.let_go(self._by.state_dir)

    def _accuse(self, db: Connection, contents: Sequence[bytes]) -> None:
        for each in contents:
            try:
                evidence.keep(db, each, Origin.FOUND, self._by.author.run.key.public)
            except AuthorError as fault:
                self.counts[fault.code] += 1

    def _follow(self, invited: Invited) -> None:
        """Follow an invitation if the config allows it; keep it for a person if not."""
        joined = invited.group
        present = {each.id: each.secret for each in self._by.groups.values()}
        if present.get(joined.id) == joined.secret:
            return
        if council.is_consortiums_own(joined) or self._accepts(invited):
            self._asked.follow(invited.name, joined)
        elif joined.id not in present and council.is_declined(self._by.state_dir, joined.id):
            self.counts[DECLINED] += 1
        else:
            waiting = Waiting(invited.organisation, invited.name, joined)
            if not council.keep_waiting(self._by.state_dir, waiting):
                self.counts[UNKEPT] += 1

    def _accepts(self, invited: Invited) -> bool:
        founding = invited.group.founding
        named = {each.hex() for each in founding.templates}
        return any(
            fnmatchcase(invited.organisation, each.organisation)
            and any(fnmatchcase(founding.purpose, pattern) for pattern in each.purposes)
            and (not each.templates or (named and named <= set(each.templates)))
            for each in self._around.accept
        )

    def _keep_up(self, name: str, group: Group) -> None:
        """Open this node's first feed in a group, and announce to the members that are now."""
        author, venue = self._by.author, Venue(group.id, group.roster.hash)

        def job(db: Connection) -> bool:
            return acting.attend(db, author, venue)

        self.owed[name] = self.owed.get(name, "membership")
        if self._by.writer.submit(job).result():
            self._by.changed(group.id)
        del self.owed[name]

    def _receipt(self, group: Group) -> None:
        """Say in a group, together and now and then, what is held of the others."""
        now_ms = self._by.author.now().monotonic_ms
        last_ms = self._receipted_ms.get(group.id)
        if last_ms is not None and now_ms - last_ms < _RECEIPT_MS:
            return
        author, venue = self._by.author, Venue(group.id, group.roster.hash)

        def job(db: Connection) -> bool:
            return acting.receipt(db, author, venue)

        if self._by.writer.submit(job).result():
            self._receipted_ms[group.id] = now_ms
            self._around.written([group.id])

    def _consortia(self) -> None:
        """Keep the groups of each consortium to the organisations that are in it now."""
        held = self._held()
        for newest in council.newest_of(held.rosters.values()):
            if all(each.id != held.organisation for each in newest.organisations):
                continue
            self._keep_own(held, newest)
            for name, group in list(self._by.groups.items()):
                if group.founding.consortium == newest.consortium:
                    remove = partial(self._remove_expelled, newest, group)
                    self._try(f"removals in {name}", remove)

    def _keep_own(self, held: State, newest: Roster) -> None:
        """Have the group of a consortium, with a member of every organisation that is known."""
        own = council.own_of(self._by.groups.values(), newest)
        if own is not None:
            self._invite_contacts(held, newest, own)
        elif len(newest.organisations) > 1 and self._is_to_found(held, newest):
            self._found_own(held, newest)

    def _is_to_found(self, held: State, newest: Roster) -> bool:
        """Say whether it is on this gateway: one of an organisation that began the consortium.

        Where its organisation has several, another may have founded it and not be heard yet.
        """
        first = {each.id for each in held.rosters[newest.consortium].organisations}
        begun = [each.id for each in newest.organisations if each.id in first]
        if begun[:1] != [held.organisation]:
            return False
        known = held.contacts.items()
        ours = [node for node, each in known if each.node.issuer == held.organisation]
        self._patience -= 1
        return not ours or (held.node_id < min(ours) and self._patience < 0)

    def _found_own(self, held: State, newest: Roster) -> None:
        """Found it without an initiator: who is in it is for the roster to say, and for nobody."""
        own = held.own_contact
        founding = Founding(
            self._by.author.random(32),
            newest.consortium,
            newest.hash,
            state.CONSORTIUM,
            ActivityKind.INDUSTRIAL,
            (Member(held.organisation, own.encryption, (Role.RECEIVER,)),),
            True,
            Policies(approvals=1),
        )
        founded = council.found(self._by.author, founding, held.chain(newest.consortium))
        self._asked.follow(state.CONSORTIUM, founded)

    def _invite_contacts(self, held: State, newest: Roster, own: Group) -> None:
        """Add who is known and is no member yet: any member may, the roster is the gate."""
        ids = {each.id for each in newest.organisations}
        author, venue = self._by.author, Venue(own.id, own.roster.hash)

        def job(db: Connection) -> bool:
            now = membership.load(db, own.id)
            if not now.has(author.run.node):
                return False
            known = {each.node for each in now.members} | now.cuts.keys()
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
            if not gone or not now.has(author.run.node):
                return False
            for node in gone:
                acting.remove(db, author, venue, node)
            return True

        if self._by.writer.submit(job).result():
            self._by.changed(group.id)

    def _revoke(self) -> None:
        """Tell a consortium what its member revoked; remove from all groups whoever is revoked."""
        people = persons.revocations(self._by.state_dir, self._held().rosters)
        if people:
            self._by.writer.submit(partial(_keep_bars, barred=people)).result()
        ours = {*pairing.load_revocations(self._by.state_dir), *(each.encoded for each in people)}
        every = {*ours, *self._by.writer.submit(groups.revocations).result()}
        for said in [identity.decode(encoded, "revocation") for encoded in sorted(every)]:
            for name, group in list(self._by.groups.items()):
                bar = partial(self._bar, group, said, said.encoded in ours)
                self._try(f"revocations in {name}", bar)

    def _bar(self, group: Group, said: Certificate, is_ours: bool) -> None:
        author, venue = self._by.author, Venue(group.id, group.roster.hash)

        def job(db: Connection) -> bool:
            now = membership.load(db, group.id)
            if not now.has(author.run.node):
                return False
            is_owed = is_ours and council.is_consortiums_own(group)
            if is_owed and said.encoded not in contacts.revoked_in(db, group.id):
                authoring.say(db, author, venue, Said(Kind.REVOCATION, said.encoded, _CWT))
                groups.keep_revocation(db, said)
            else:
                is_owed = False
            members = {(each.organisation, each.node) for each in now.members}
            if (said.issuer, said.subject) in members:
                known = contacts.of_group(db, group.id).get(said.subject)
                if known is None or said.revokes(known.node):
                    acting.remove(db, author, venue, said.subject, said.encoded)
                    return True
            return is_owed

        if self._by.writer.submit(job).result():
            self._by.changed(group.id)


def _keep_bars(db: Connection, barred: Sequence[Certificate]) -> None:
    """Know whom this organisation barred, also where no group of a consortium says it."""
    for each in barred:
        groups.keep_revocation(db, each)
