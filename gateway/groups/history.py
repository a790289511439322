"""A history: membership records in an order in which each comes after its past, as bits.

In: changes in any order, receipts, what geneses say. Out: the same as masks: a set of changes is an
integer, change number i its bit i. What lacks something of its past is left out, and what is idle:
of approvals and of acts it takes no more than can matter. It judges nothing.
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
# Acts of one feed beyond these change nothing: else one member could make every fold as long as
# it likes.
FEED_ACTS_MAX = 512


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
        self._reach: dict[bytes, int] = {}  # of every change held: itself, if it is here, and past
        self._parked: set[bytes] = set()
        self._order({change.id: change for change in changes})
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
            mask |= self._reach.get(name, 0)
        return mask

    def holds(self, ids: Iterable[bytes]) -> bool:
        """Say whether the changes named so are here, each with all of its past."""
        return all(name in self._reach and name not in self._parked for name in ids)

    def covers(self, removal: int, feed: bytes, seq: int) -> bool:
        """Say whether a removal's cut lets a record at this place count."""
        return seq < self._sizes[removal].get(feed, 0)

    def cut(self, removal: int) -> Mapping[bytes, int]:
        """Give how far each feed counts by a removal; feeds that are not there count nothing."""
        return self._sizes[removal]

    def feeds(self, node: bytes) -> Iterator[bytes]:
        """Give the feeds whose genesis is known to be of a node."""
        return (feed for feed, said in self._beginnings.items() if said.node == node)

    def _order(self, known: Mapping[bytes, Change]) -> None:
        """Number what is all there and not idle, each after its past."""
        named = {name: change.past for name, change in known.items()}
        ordered, numbers = after_pasts(named), dict[bytes, int]()
        reach, sizes = dict[bytes, int](), dict[bytes, int]()
        for name in ordered:
            if any(each not in numbers for each in named[name]):
                self._parked.add(name)
                continue
            past = _union(reach, named[name])
            sizes[name], reach[name] = past.bit_count(), past | 1 << len(numbers)
            numbers[name] = len(numbers)
        entered = _Entered()
        for name in sorted(numbers, key=lambda each: (sizes[each], each)):
            change, past = known[name], _union(self._reach, named[name])
            self._reach[name] = past
            if entered.enters(change, past):
                self._reach[name] |= 1 << len(self.changes)
                self.index[name] = len(self.changes)
                self.changes.append(change)
                self.past.append(past)
        for name in ordered:
            if name in self._parked:
                self._reach[name] = _union(self._reach, named[name])

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
            if self.holds(voucher.view):
                seen = Witnessed(voucher, self.mask(voucher.view))
                for feed in voucher.held:
                    witnessed.setdefault(feed, []).append(seen)
        return witnessed


class _Entered:
    """What a history has taken of each feed, to tell what of it is idle."""

    def __init__(self) -> None:
        self._acts: dict[bytes, int] = {}
        self._proposals: dict[bytes, int] = {}
        self._approved: set[tuple[bytes, bytes]] = set()
        self._count = 0

    def enters(self, change: Change, past: int) -> bool:
        """Say whether a change may matter, all of its past having been asked of before it.

        By its own past alone, so that what comes later makes no difference.
        """
        if self._acts.get(change.feed, 0) >= FEED_ACTS_MAX:
            return False
        match change.act:
            case Approve(proposal):
                proposed = self._proposals.get(proposal)
                word = change.feed, proposal
                if proposed is None or not past >> proposed & 1 or word in self._approved:
                    return False
                self._approved.add(word)
            case Add() | Roles():
                self._proposals[change.id] = self._count
        self._acts[change.feed] = self._acts.get(change.feed, 0) + 1
        self._count += 1
        return True


def after_pasts(named: Mapping[bytes, Iterable[bytes]]) -> list[bytes]:
    """Give these in an order in which each comes after what it names; names may be unknown."""
    ordered: dict[bytes, None] = {}
    for start in named:
        path = [start]
        while path:
            missing = [each for each in named[path[-1]] if each in named and each not in ordered]
            if missing:
                path += missing
            else:
                ordered[path.pop()] = None
    return list(ordered)


def _union(reach: Mapping[bytes, int], names: Iterable[bytes]) -> int:
    mask = 0
    for name in names:
        mask |= reach.get(name, 0)
    return mask


def bits(mask: int) -> Iterator[int]:
    """Give the numbers of the changes in a set, in order."""
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest


def _set(masks: dict[bytes, int], key: bytes, number: int) -> None:
    masks[key] = masks.get(key, 0) | 1 << number
