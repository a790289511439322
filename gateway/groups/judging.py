"""Judging: which changes their authors might make, and which removals count.

In: a founding and a history. Out: for any part of that history, who is a member by it. Each change
is judged in its own past; removals that contest each other are settled as chapter 5 says.
Protocol: docs/protocol/membership.md.
"""

from collections.abc import Iterator

from gateway.groups.group import Founding, Member, Role
from gateway.groups.history import History, Witnessed, bits
from gateway.groups.membership import Act, Add, Approve, Change, Leave, Remove, Roles
from gateway.records import identity
from gateway.records.roster import quorum


class Weighing:
    """Acts of a part of a history, weighed against some of its removals.

    `against` are the removals that bind the removed, `within` those whose cuts let something count.
    They differ while it is not yet settled which removals count.
    """

    def __init__(self, judge: "Judge", seen: int, against: int, within: int) -> None:
        self.judge, self.history = judge, judge.history
        self.seen, self.against, self.within = seen, against, within
        self._counts: dict[int, bool] = {}

    def counts(self, number: int) -> bool:
        """Say whether an act counts: its author stood in it, and no removal undoes it."""
        if number not in self._counts:
            change = self.history.changes[number]
            self._counts[number] = self.stands(number) and not self._undone(
                change.node, change.feed, change.seq
            )
        return self._counts[number]

    def stands(self, number: int) -> bool:
        """Say whether what admitted an act's author is still there."""
        change = self.history.changes[number]
        if change.node in self.judge.first:
            return True
        before = self.history.past[number] & self.seen
        proposals = self.history.proposals.get(change.node, 0) & before
        return any(self.complete(proposal, before) for proposal in bits(proposals))

    def complete(self, proposal: int, seen: int) -> bool:
        """Say whether a proposal has the approvals it needs among some changes."""
        return len(self.approved(proposal, seen)) >= self.judge.needed[proposal]

    def approved(self, proposal: int, seen: int) -> set[bytes]:
        """Give the organisations that are for a proposal; none where it does not count itself."""
        if not self.counts(proposal):
            return set()
        approvals = bits(self.history.approvals.get(proposal, 0) & seen)
        voices = (proposal, *(each for each in approvals if self.counts(each)))
        return {self.history.changes[voice].organisation for voice in voices}

    def vouchers(self, node: bytes, feed: bytes, binding: int) -> Iterator[Witnessed]:
        """Give the receipts of others that let records of a feed count against removals."""
        own = self.judge.organisations(node, self.seen)
        for seen in self.history.witnessed.get(feed, ()):
            voucher = seen.voucher
            if (
                voucher.organisation not in own
                and not seen.view & binding
                and self.judge.admitted(seen, self.seen)
                and not self._cut_off(voucher.node, voucher.feed, voucher.seq)
            ):
                yield seen

    def _undone(self, node: bytes, feed: bytes, seq: int) -> bool:
        if not self._cut_off(node, feed, seq):
            return False
        binding = self.judge.binding(node, feed, self.seen) & self.against
        return all(seen.voucher.held[feed] <= seq for seen in self.vouchers(node, feed, binding))

    def _cut_off(self, node: bytes, feed: bytes, seq: int) -> bool:
        binding = self.judge.binding(node, feed, self.seen)
        return bool(binding & self.against) and not any(
            self.history.covers(removal, feed, seq) for removal in bits(binding & self.within)
        )


class Standing(Weighing):
    """Who is a member by a part of a history, with the removals in it that count."""

    def __init__(self, judge: "Judge", seen: int, removals: int) -> None:
        super().__init__(judge, seen, removals, removals)
        self.removals = removals
        self._members: dict[bytes, Member | None] = {}

    def member(self, node: bytes) -> Member | None:
        """Give a member as it is now, or None."""
        if node not in self._members:
            self._members[node] = self._member(node)
        return self._members[node]

    def binding(self, node: bytes, feed: bytes) -> int:
        """Give the removals that bind a feed of a node."""
        return self.judge.binding(node, feed, self.seen) & self.removals

    def removed_since(self, node: bytes, number: int) -> bool:
        """Say whether a removal of a node counts that a change did not know."""
        removals = self.history.removals.get(node, 0) & self.removals
        return bool(removals & ~self.history.past[number])

    def organisations(self) -> set[bytes]:
        """Give the members' organisations."""
        found = (self.member(node) for node in self.judge.nodes)
        return {member.organisation for member in found if member is not None}

    def organisation(self, node: bytes) -> bytes | None:
        """Give the organisation of a node that is or was a member, else None."""
        if node in self.judge.first:
            return self.judge.first[node].organisation
        settled = self._settled(node, self.history.proposals)
        return self.judge.added(settled[-1]).organisation if settled else None

    def ever_supervisor(self, node: bytes) -> bool:
        """Say whether a node, member or not, was ever made a supervisor."""
        first = self.judge.first.get(node)
        return bool(first and Role.SUPERVISOR in first.roles) or any(
            Role.SUPERVISOR in _roles_of(self.history.changes[number].act)
            for number in self._settled(node, self.history.proposals, self.history.roles)
        )

    def entry(self, node: bytes) -> int | None:
        """Give the last addition of a member that no removal undid; None where there is none."""
        return next(reversed(self._entries(node)), None)

    def _member(self, node: bytes) -> Member | None:
        first = self.judge.first.get(node)
        if self.history.removals.get(node, 0) & self.removals:
            first = None
        entries = self._entries(node)
        changes = [
            number
            for number in self._settled(node, self.history.roles)
            if first or any(self.history.past[number] >> entry & 1 for entry in entries)
        ]
        member = self.judge.added(entries[-1]) if entries else first
        if member is None:
            return None
        last = max([*entries, *changes], default=None)
        roles = member.roles if last is None else _roles_of(self.history.changes[last].act)
        given = [_roles_of(self.history.changes[number].act) for number in (*entries, *changes)]
        if any(Role.SUPERVISOR in each for each in (*given, first.roles if first else ())):
            # Members never take this role away: it stays whatever came beside it.
            roles = tuple(sorted({*roles, Role.SUPERVISOR}))
        return Member(member.organisation, member.encryption, roles)

    def _entries(self, node: bytes) -> list[int]:
        settled = self._settled(node, self.history.proposals)
        return [number for number in settled if not self.removed_since(node, number)]

    def _settled(self, node: bytes, *kinds: dict[bytes, int]) -> list[int]:
        """Give the valid proposals of these kinds for a node that have their approvals."""
        mask = 0
        for kind in kinds:
            mask |= kind.get(node, 0)
        return [number for number in bits(mask & self.seen) if self.complete(number, self.seen)]


class Judge:
    """What of a history is valid, each change judged in its own past."""

    def __init__(self, founding: Founding, history: History) -> None:
        self.founding, self.history = founding, history
        self.first = {member.node: member for member in founding.members}
        self.nodes = sorted({*self.first, *history.proposals})
        self.valid = 0
        self.needed: dict[int, int] = {}
        self._standings: dict[int, Standing] = {}
        for number, change in enumerate(history.changes):
            if self._allowed(number, change, self.standing(history.past[number])):
                self.valid |= 1 << number

    def standing(self, seen: int) -> Standing:
        """Give who is a member by these changes, of which each comes with its past."""
        seen &= self.valid
        if seen not in self._standings:
            self._standings[seen] = Standing(self, seen, self._settle(seen))
        return self._standings[seen]

    def organisations(self, node: bytes, seen: int) -> set[bytes]:
        """Give the organisations for which a node is there, or was proposed: as a rule, one."""
        proposals = self.history.proposals.get(node, 0) & seen
        first = {self.first[node].organisation} if node in self.first else set()
        return first | {self.added(proposal).organisation for proposal in bits(proposals)}

    def added(self, proposal: int) -> Member:
        """Give the member whom a proposal adds."""
        act = self.history.changes[proposal].act
        assert isinstance(act, Add)
        return act.member

    def binding(self, node: bytes, feed: bytes, seen: int) -> int:
        """Give the removals of a node that bind a feed: not those before a re-admission it knew."""
        removals = self.history.removals.get(node, 0) & seen
        view = self.history.views.get(feed, 0) & seen if removals else 0
        for proposal in bits(self.history.proposals.get(node, 0) & view):
            if self._had(proposal, view):
                removals &= ~self.history.past[proposal]
        return removals

    def admitted(self, seen: Witnessed, within: int) -> bool:
        """Say whether who signed a receipt had been admitted in the view of it."""
        voucher, view = seen.voucher, seen.view & within
        if voucher.node in self.first:
            return self.first[voucher.node].organisation == voucher.organisation
        return any(
            self.added(proposal).organisation == voucher.organisation and self._had(proposal, view)
            for proposal in bits(self.history.proposals.get(voucher.node, 0) & view)
        )

    def _had(self, proposal: int, view: int) -> bool:
        voices = (proposal, *bits(self.history.approvals.get(proposal, 0) & view))
        organisations = {self.history.changes[voice].organisation for voice in voices}
        return len(organisations) >= self.needed[proposal]

    def _settle(self, seen: int) -> int:
        """Give the removals that count: all but those undone by one that surely counts."""
        candidates = seen & self.history.removing
        sure = out = 0
        while open_still := candidates & ~sure & ~out:
            strict = Weighing(self, seen, candidates & ~out, sure)
            lax = Weighing(self, seen, sure, candidates & ~out)
            now_sure = now_out = 0
            for number in bits(open_still):
                contested = self._contested(number, seen)
                if not contested & ~out and strict.stands(number):
                    now_sure |= 1 << number
                elif contested & sure or not lax.stands(number):
                    now_out |= 1 << number
            if not now_sure and not now_out:
                break  # What is left contests itself in a circle: all of it counts.
            sure, out = sure | now_sure, out | now_out
        return candidates & ~out

    def _contested(self, number: int, seen: int) -> int:
        """Give the removals of a removal's author under which it does not stand."""
        change, contesting = self.history.changes[number], 0
        for removal in bits(self.binding(change.node, change.feed, seen) & ~(1 << number)):
            if not self._upheld(number, removal, seen):
                contesting |= 1 << removal
        return contesting

    def _upheld(self, number: int, removal: int, seen: int) -> bool:
        change = self.history.changes[number]
        if self.history.covers(removal, change.feed, change.seq):
            return True
        leaves = isinstance(self.history.changes[removal].act, Leave)
        if leaves and self.history.past[removal] >> number & 1:
            return True  # Whoever leaves does not take back what it did before.
        return any(
            each.voucher.held[change.feed] > change.seq
            and not each.view >> removal & 1
            and each.voucher.organisation != change.organisation
            and not self._removes(each.voucher.organisation, seen)
            and self.admitted(each, seen)
            for each in self.history.witnessed.get(change.feed, ())
        )

    def _removes(self, organisation: bytes, seen: int) -> bool:
        """Say whether a removal, valid for itself, removes a node of another's organisation."""
        changes = (self.history.changes[number] for number in bits(seen & self.history.removing))
        return any(
            isinstance(change.act, Remove)
            and change.organisation != organisation
            and organisation in self.organisations(change.act.node, seen)
            for change in changes
        )

    def _allowed(self, number: int, change: Change, before: Standing) -> bool:
        """Judge a change in its own past."""
        author = before.member(change.node)
        if author is None or author.organisation != change.organisation:
            return False
        if not before.counts(number):
            return False
        match change.act:
            case Add(member):
                self._need(number, before)
                known = before.organisation(member.node)
                return change.sound and known in (None, member.organisation)
            case Roles(node, roles):
                self._need(number, before)
                target = before.member(node)
                return target is not None and not (
                    Role.SUPERVISOR in target.roles and Role.SUPERVISOR not in roles
                )
            case Approve(proposal):
                return self._proposed(number, proposal)
            case Remove():
                return self._may_remove(change, change.act, author, before)
            case Leave():
                return True

    def _need(self, number: int, before: Standing) -> None:
        count = len(before.organisations())
        self.needed[number] = min(self.founding.policies.approvals, count) or quorum(count)

    def _proposed(self, number: int, proposal: bytes) -> bool:
        named = self.history.index.get(proposal)
        known = named is not None and self.history.past[number] & self.valid & 1 << named
        return bool(known) and named in self.needed

    def _may_remove(self, change: Change, act: Remove, author: Member, before: Standing) -> bool:
        target, organisation = before.member(act.node), before.organisation(act.node)
        if organisation is None:
            return False
        if self._by_the_consortium(change, act, organisation, before):
            return True
        if Role.SUPERVISOR in target.roles if target else before.ever_supervisor(act.node):
            return False
        may = Role.INITIATOR in author.roles or Role.SUPERVISOR in author.roles
        return may or author.organisation == organisation

    def _by_the_consortium(
        self, change: Change, act: Remove, organisation: bytes, before: Standing
    ) -> bool:
        """Say whether its own organisation revoked the removed node, or is there no more."""
        if change.within is not None and organisation not in change.within:
            return True
        if not act.revocation or not change.sound:
            return False
        revoked = identity.decode(act.revocation, "revocation")
        entry = before.entry(act.node)
        added = None if entry is None else self.history.changes[entry].act
        if isinstance(added, Add):
            return revoked.revokes(identity.decode(added.node_certificate, "node"))
        return revoked.issuer == organisation


def _roles_of(act: Act) -> tuple[Role, ...]:
    match act:
        case Add(member):
            return member.roles
        case Roles(_, roles):
            return roles
    return ()
