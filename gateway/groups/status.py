"""How far a feed is agreed: the pure fold of receipts. Protocol: docs/protocol/agreement.md.

In: which organisations must have receipted the records of a feed, span by span, and up to where
each has. Out: the size up to which it is agreed. What is required in a view follows from a group's
history. It is a function of the sets it is given: no order, no clock, no earlier answer.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gateway.groups.group import Founding, Member, Role
from gateway.groups.history import History
from gateway.groups.judging import Judge, Standing
from gateway.groups.membership import ENDLESS, Beginning, Change, Voucher


@dataclass(frozen=True, slots=True)
class Span:
    """Records from `start` up to the next span: said in one view, and who must receipt them.

    None: nothing of it can be agreed, for now: its view is not all held, or lacks its supervisor.
    """

    start: int
    required: frozenset[bytes] | None


def agreed(author: bytes, spans: Sequence[Span], covers: Mapping[bytes, int]) -> int:
    """Give up to which size a feed is agreed; spans follow one another.

    `author` is the author's organisation, which counts; `covers` says of each organisation up to
    where it has receipted the feed with all the bodies it owes. Nobody agrees alone: one other
    organisation there must be.
    """
    size = spans[0].start if spans else 0
    others = max((cover for who, cover in covers.items() if who != author), default=0)
    stops = [*(span.start for span in spans[1:]), ENDLESS]
    for span, stop in zip(spans, stops, strict=False):
        if span.required is None:
            return size
        lowest = min((covers.get(who, 0) for who in span.required - {author}), default=others)
        size = max(size, min(lowest, others, stop))
        if size < stop:
            return size
    return size


class Requirements:
    """Who must receipt what is said in a view of one group, by all that is known of its members."""

    def __init__(
        self,
        founding: Founding,
        changes: Iterable[Change],
        vouchers: Iterable[Voucher],
        beginnings: Mapping[bytes, Beginning],
    ) -> None:
        self._founding = founding
        self._history = History(changes, vouchers, beginnings)
        self._judge = Judge(founding, self._history)
        self._now = self._judge.standing(self._history.all)

    def of(self, view: Iterable[bytes]) -> frozenset[bytes] | None:
        """Give the organisations with a required role in a view; None where nothing is agreed.

        Who was removed since, and did not know of that in the view, is required no more. A required
        supervisor is not let off so: the supervisors that are members now stand in for it.
        """
        names = tuple(view)
        if not self._history.holds(names):
            return None
        seen = self._history.mask(names)
        members = self._members(self._judge.standing(seen))
        roles = frozenset(self._founding.policies.receipts)
        left = [each for each in members if not self._is_gone(each, seen)]
        required = {each.organisation for each in left if roles.intersection(each.roles)}
        if not self._needs_supervisor or any(Role.SUPERVISOR in each.roles for each in left):
            return frozenset(required)
        stand_in = {
            each.organisation for each in self._members(self._now) if Role.SUPERVISOR in each.roles
        }
        return frozenset(required | stand_in) if stand_in else None

    @property
    def _needs_supervisor(self) -> bool:
        founding = self._founding
        return Role.SUPERVISOR in founding.policies.receipts and any(
            Role.SUPERVISOR in member.roles for member in founding.members
        )

    def _members(self, standing: Standing) -> list[Member]:
        found = (standing.member(node) for node in self._judge.nodes)
        return [member for member in found if member is not None]

    def _is_gone(self, member: Member, seen: int) -> bool:
        removals = self._history.removals.get(member.node, 0) & self._now.removals
        return bool(removals & ~seen)
