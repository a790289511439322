"""A history: membership records in an order in which each comes after its past, as bits.

In: changes in any order, receipts, what geneses say. Out: the same as masks: a set of changes is an
integer, change number i its bit i. What lacks something of its past is left out. It judges nothing.
Protocol: docs/protocol/membership.md.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from gateway.groups.membership import (
    Add,
    Approve,
    Beginning,
    Change,
    Leave,
    Remove,
    Roles,
    Voucher,
)

Sizes = dict[bytes, int]


@dataclass(frozen=True, slots=True)
class Witnessed:
    """A receipt that vouches for records, and the changes on which its view stands."""

    voucher: Voucher
    view: int


class History:
    """Changes whose past is all there; what it tells of them never depends on their arrival."""

    def __init__(
        self,
        changes: Iterable[Change],
        vouchers: Iterable[Voucher],
        beginnings: Mapping[bytes, Beginning],
    ) -> None:
        self.index: dict[bytes, int] = {}
        self.changes: list[Change] = []
        self.past: list[int] = []
        self._order(changes)
        self.all = (1 << len(self.changes)) - 1
        self.proposals: dict[bytes, int] = {}  # of a node: additions
        self.roles: dict[bytes, int] = {}  # of a node: role changes
        self.approvals: dict[int, int] = {}  # of a proposal
        self.removals: dict[bytes, int] = {}  # of a node: removals, and its leaving
        self.removing = 0
        for number, change in enumerate(self.changes):
            self._file(number, change)
        self._beginnings = beginnings
        self._sizes = {number: self._cut(number) for number in bits(self.removing)}
        self.views = {feed: self.mask(said.view) for feed, said in beginnings.items()}
        self.witnessed = self._witnesses(vouchers)

    def mask(self, ids: Iterable[bytes]) -> int:
        """Give the changes named so, with all of their pasts; who is not here is left out."""
        mask = 0
        for name in ids:
            if (number := self.index.get(name)) is not None:
                mask |= 1 << number | self.past[number]
        return mask

    def covers(self, removal: int, feed: bytes, seq: int) -> bool:
        """Say whether a removal's cut lets a record at this place count."""
        return seq < self._sizes[removal].get(feed, 0)

    def cut(self, removal: int) -> Mapping[bytes, int]:
        """Give how far each feed counts by a removal; feeds that are not there count nothing."""
        return self._sizes[removal]

    def feeds(self, node: bytes) -> Iterator[bytes]:
        """Give the feeds whose genesis is known to be of a node."""
        return (feed for feed, said in self._beginnings.items() if said.node == node)

    def _order(self, changes: Iterable[Change]) -> None:
        known = {change.id: change for change in changes}
        for change in sorted(known.values(), key=lambda each: (len(each.past), each.id)):
            if all(name in self.index for name in change.past):
                self.past.append(self.mask(change.past))
                self.index[change.id] = len(self.changes)
                self.changes.append(change)

    def _file(self, number: int, change: Change) -> None:
        match change.act:
            case Add(member):
                _set(self.proposals, member.node, number)
            case Roles(node):
                _set(self.roles, node, number)
            case Approve(proposal) if (named := self.index.get(proposal)) is not None:
                self.approvals[named] = self.approvals.get(named, 0) | 1 << number
            case Remove(node):
                _set(self.removals, node, number)
                self.removing |= 1 << number
            case Leave():
                _set(self.removals, change.node, number)
                self.removing |= 1 << number

    def _cut(self, removal: int) -> Sizes:
        """Give the cut of a removal, with the earlier feeds that the geneses of named ones name."""
        change = self.changes[removal]
        sizes: Sizes = {}
        match change.act:
            case Remove(_, cut):
                named = [(head.feed, head.size) for head in cut]
            case Leave(cut):
                named = [(head.feed, head.size) for head in cut if head.feed != change.feed]
                named.append((change.feed, change.seq + 1))
            case _:
                named = []
        while named:
            feed, size = named.pop()
            if size > sizes.get(feed, 0):
                known = feed in sizes
                sizes[feed] = size
                said = None if known else self._beginnings.get(feed)
                named += [(head.feed, head.size) for head in (said.predecessors if said else ())]
        return sizes

    def _witnesses(self, vouchers: Iterable[Voucher]) -> dict[bytes, list[Witnessed]]:
        witnessed: dict[bytes, list[Witnessed]] = {}
        for voucher in vouchers:
            if all(name in self.index for name in voucher.view):
                seen = Witnessed(voucher, self.mask(voucher.view))
                for feed in voucher.held:
                    witnessed.setdefault(feed, []).append(seen)
        return witnessed


def close(named: Mapping[bytes, Iterable[bytes]]) -> dict[bytes, frozenset[bytes]]:
    """Give all that is in the past of each change, from what each names; names may be unknown."""
    closed: dict[bytes, frozenset[bytes]] = {}
    for start in named:
        path = [start]
        while path:
            direct = frozenset(named[path[-1]])
            missing = [each for each in direct if each in named and each not in closed]
            if missing:
                path += missing
                continue
            last = path.pop()
            known = (closed[each] for each in direct if each in closed)
            closed[last] = direct.union(*known)
    return closed


def bits(mask: int) -> Iterator[int]:
    """Give the numbers of the changes in a set, in order."""
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest


def _set(masks: dict[bytes, int], key: bytes, number: int) -> None:
    masks[key] = masks.get(key, 0) | 1 << number
