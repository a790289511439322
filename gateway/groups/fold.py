"""The fold: who is a member, from all membership records, in whatever order they came.

In: a founding, changes, receipts that vouch for records, and what geneses say. Out: a membership.
It is a pure function of the set of them: no order, no clock, no memory of earlier answers.
Protocol: docs/protocol/membership.md.
"""

from collections.abc import Iterable, Mapping

from gateway.groups.group import Founding, Member, Role
from gateway.groups.history import History, bits
from gateway.groups.judging import Judge, Standing
from gateway.groups.membership import (
    ENDLESS,
    Add,
    Beginning,
    Change,
    Membership,
    Pending,
    Roles,
    Voucher,
)


def fold(
    founding: Founding,
    changes: Iterable[Change] = (),
    vouchers: Iterable[Voucher] = (),
    beginnings: Mapping[bytes, Beginning] | None = None,
) -> Membership:
    """Say who is a member; changes whose past is not all there are left out until it is."""
    history = History(changes, vouchers, beginnings or {})
    judge = Judge(founding, history)
    standing = judge.standing(history.all)
    members = _members(judge, standing)
    seen = 0
    for past in history.past:
        seen |= past
    newest = (history.changes[number].id for number in bits(history.all & ~seen))
    required = any(Role.SUPERVISOR in member.roles for member in founding.members)
    supervised = any(Role.SUPERVISOR in member.roles for member in members)
    return Membership(
        members,
        _cuts(judge, standing),
        tuple(sorted(newest)),
        _pending(judge, standing),
        supervised or not required,
    )


def allows(
    founding: Founding,
    changes: Iterable[Change],
    vouchers: Iterable[Voucher],
    beginnings: Mapping[bytes, Beginning],
    change: Change,
) -> bool:
    """Say whether an author may make a change in the past it has, all of which must be there."""
    history = History([*changes, change], vouchers, beginnings)
    number = history.index.get(change.id)
    return number is not None and bool(Judge(founding, history).valid >> number & 1)


def _members(judge: Judge, standing: Standing) -> tuple[Member, ...]:
    found = (standing.member(node) for node in judge.nodes)
    members = (member for member in found if member is not None)
    return tuple(sorted(members, key=lambda member: (member.organisation, member.node)))


def _cuts(judge: Judge, standing: Standing) -> dict[bytes, dict[bytes, int]]:
    """Give, for each node that some removal removes, how far which of its feeds counts."""
    history = judge.history
    cuts: dict[bytes, dict[bytes, int]] = {}
    for node, mask in sorted(history.removals.items()):
        removals = mask & standing.removals
        if not removals:
            continue
        feeds = set(history.feeds(node))
        for removal in bits(removals):
            feeds |= history.cut(removal).keys()
        sizes = {feed: _size(standing, node, feed) for feed in sorted(feeds)}
        cuts[node] = {feed: size for feed, size in sizes.items() if size}
    return cuts


def _size(standing: Standing, node: bytes, feed: bytes) -> int:
    binding = standing.binding(node, feed)
    if not binding:
        return ENDLESS
    cuts = (standing.history.cut(removal).get(feed, 0) for removal in bits(binding))
    vouched = (seen.voucher.held[feed] for seen in standing.vouchers(node, feed, binding))
    return max([*cuts, *vouched])


def _pending(judge: Judge, standing: Standing) -> tuple[Pending, ...]:
    waiting = []
    for number in bits(judge.valid):
        change = judge.history.changes[number]
        match change.act:
            case Add(member):
                node, open_still = member.node, not standing.removed_since(member.node, number)
            case Roles(node):
                open_still = standing.member(node) is not None
            case _:
                continue
        needed, approved = judge.needed[number], standing.approved(number, standing.seen)
        if open_still and 0 < len(approved) < needed:
            waiting.append(
                Pending(change.id, change.node, change.act, tuple(sorted(approved)), needed)
            )
    return tuple(waiting)
