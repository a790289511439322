"""What must hold once somebody was removed and all have heard of it.

In: the gateways of a world, the group, and the one that rebels. Out: whether those who remain are
agreed; then figures, or an AssertionError.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial

from gateway.errors import AuthorError
from gateway.groups import agreement, announcement, seal
from gateway.groups.fold import fold
from gateway.groups.group import Group
from gateway.groups.heard import Heard
from gateway.groups.history import after_pasts
from gateway.groups.membership import Remove
from gateway.records import cbor, record
from gateway.records.feed import Head
from gateway.records.record import FIXED_BODY_BYTES_MAX, SALT_BYTES, Kind, Record
from gateway.store import feeds, heard, keyring, membership
from gateway.store.feeds import Held
from tests.sim.members import Member, Rebel

_EVERYTHING = 1 << 40


@dataclass(frozen=True, slots=True)
class Figures:
    """What a world came to."""

    records: int
    shut: int  # sealed bodies under a view with the removal, tried with every key it has
    readable: int  # sealed bodies that its keys open
    kept: int  # records of the removed that go on counting
    rejected: int  # records of the removed that are held and do not count
    cut_off: int  # honest members whom a strong rebel took with it
    seconds: float
    messages: int


@dataclass(slots=True)
class Left:
    """Who is there, and what the removals said when they were written."""

    group: Group
    gateways: Sequence[Member]
    rebel: Rebel
    is_strong: bool  # it may itself remove others, and so mislead who has not heard
    # How much of each feed of the rebel somebody held who removed it.
    sizes: dict[bytes, int] = field(default_factory=dict)

    def cut(self, by: Member, gone: Member) -> None:
        """Note how much of the rebel's feeds is held by who removes it, at this moment."""
        if gone is self.rebel:
            for head in _heads(by, self.group, {gone.node}):
                self.sizes[head.feed] = max(self.sizes.get(head.feed, 0), head.size)
            # Who had not heard of an earlier removal has agreed to what it held.
            evil = self.rebel.evil
            evil[:] = [(feed, seq) for feed, seq in evil if seq >= self.sizes.get(feed, 0)]

    def misled(self) -> set[bytes]:
        """Name the honest ones that believe of a strong rebel that they are removed themselves."""
        if not self.is_strong:
            return set()
        loyal = {each.node for each in self.loyal()} | {self.rebel.node}
        apart = (each for each in self.gateways if each.node not in loyal and not each.was_removed)
        return {
            each.node
            for each in apart
            if self.group in each.groups and each.node in each.known(self.group).cuts
        }

    def is_split(self) -> bool:
        """Say whether honest members hold each other for none: only a strong rebel can bring that.

        One who had not heard that it was removed believes its removals and, by its own, agrees to
        them; then neither side hears the other any more. Who was added by one side is none there.
        """
        loyal = {each.node for each in self.loyal()}
        known = (each.known(self.group) for each in self.loyal())
        return self.is_strong and any(
            loyal & one.cuts.keys() or loyal - {member.node for member in one.members}
            for one in known
        )

    def is_told(self) -> bool:
        """Say whether somebody who remains knows that the rebel is removed."""
        return any(self.rebel.node in each.known(self.group).cuts for each in self.remaining())

    def loyal(self) -> list[Member]:
        """Give the honest ones that are members, as far as they know."""
        others = (each for each in self.gateways if each is not self.rebel)
        return [each for each in others if each.is_member(self.group)]

    def remaining(self) -> list[Member]:
        """Give those who are members for each other too."""
        loyal = self.loyal()
        gone = {
            node
            for each in loyal
            for node in each.known(self.group).cuts
            if all(member.node != node for member in each.known(self.group).members)
        }
        return [each for each in loyal if each.node not in gone]

    def agree(self) -> bool:
        """Say whether who remains holds the same, has signed for it, and owes nothing."""
        remaining = self.remaining()
        nodes = {each.node for each in remaining}
        if not remaining or any(each.owes(self.group) for each in remaining):
            return False
        members = {each.node for each in remaining[0].known(self.group).members}
        absent = {each.node for each in self.gateways if each.was_removed} | self.misled()
        if members - nodes - absent or len({_whole(each, self, nodes) for each in remaining}) > 1:
            return False
        ids = {node.hex() for node in nodes}
        return not any(
            row.lacking for each in remaining for row in each.exchange.status(0) if row.node in ids
        )

    def differences(self) -> str:
        """Say what of each gateway is not as with the others."""
        remaining = {each.node for each in self.remaining()}
        lines = []
        for each in self.gateways:
            known = each.known(self.group) if self.group in each.groups else None
            nodes = (
                [] if known is None else sorted(member.node.hex()[:6] for member in known.members)
            )
            cuts = [] if known is None else sorted(node.hex()[:6] for node in known.cuts)
            newest = [] if known is None else [name.hex()[:6] for name in known.newest]
            sizes = {head.feed.hex()[:6]: head.size for head in _heads(each, self.group, None)}
            lacks = {row.node[:6]: row.lacking for row in each.exchange.status(0)}
            lines.append(
                f"{each.name} {each.node.hex()[:6]} {type(each).__name__}"
                f" remains {each.node in remaining} gone {each.was_removed} members {nodes}"
                f" cuts {cuts} newest {newest} feeds {sizes} lacking {lacks}"
            )
        return "\n".join(lines)


def look(left: Left, now_ms: int, messages: int) -> Figures:
    """Hold what remains against what was promised; where members are split, the keys alone."""
    if left.is_split():
        shut, readable = _opened(left, left.loyal())
        return Figures(0, shut, readable, 0, 0, len(left.loyal()), now_ms / 1000, messages)
    remaining = left.remaining()
    for each in remaining:
        known = each.known(left.group)
        folded = heard.hear(each.db, left.group.id).fold()
        assert (known.members, known.newest) == (folded.members, folded.newest), "tables differ"
        assert known.cuts == folded.cuts, "the cuts in the tables are not those of the fold"
        assert left.rebel.node in known.cuts, "it is not removed"
        assert all(member.node != left.rebel.node for member in known.members)
    honest = {each.node for each in left.gateways if each.was_removed} | {left.rebel.node}
    cut_off = remaining[0].known(left.group).cuts.keys() - honest
    assert left.is_strong or not cut_off, "the removed one cut off somebody else"
    kept, rejected = _judged(left, remaining)
    shut, readable = _opened(left, remaining)
    assert shut, "nothing was said after the removal"
    records = sum(head.size for head in _heads(remaining[0], left.group, None))
    return Figures(
        records,
        shut,
        readable,
        kept,
        rejected,
        len(cut_off | left.misled()),
        now_ms / 1000,
        messages,
    )


def _judged(left: Left, remaining: Sequence[Member]) -> tuple[int, int]:
    """What was agreed to counts at each; what was written after the removal counts at none,
    but where one who had not heard of it receipted that."""
    kept = rejected = 0
    evil = set(left.rebel.evil)
    for each in remaining:
        vouched = _vouched(each, left)
        for head in _heads(each, left.group, {left.rebel.node}):
            sizes = membership.counted(each.db, head.feed)
            assert sizes >= left.sizes.get(head.feed, 0), "what it had agreed to does not count"
            for seq in range(head.size):
                counts = membership.counts(each.db, head.feed, seq)
                assert counts == (seq < sizes)
                is_evil = (head.feed, seq) in evil and seq >= vouched.get(head.feed, 0)
                assert not (counts and is_evil), "what it back-dates counts"
                kept, rejected = kept + counts, rejected + (not counts)
        for feed, size in left.sizes.items():
            assert (feeds.head(each.db, feed) or Head(feed, 0, b"")).size >= size, "it was lost"
    return kept, rejected


def _vouched(by: Member, left: Left) -> dict[bytes, int]:
    """Give how much of each feed of the rebel others receipted that had not heard of its removal.

    That counts, also where it was dated back: nobody who holds it can tell.
    """
    sizes: dict[bytes, int] = {}
    pasts = _pasts(by, left.group)
    removes = cache(partial(_removes, heard.hear(by.db, left.group.id), left.rebel.node))
    for said, held, view in _said(by, left.group):
        past = view.union(*(pasts.get(name, frozenset[bytes]()) for name in view))
        author = feeds.load(by.db, said.feed)
        if said.kind is not Kind.RECEIPT or author is None or removes(past):
            continue
        if author.node != left.rebel.node:
            for entry in agreement.decode_receipt((held.body or b"")[SALT_BYTES:]):
                head = entry.head
                sizes[head.feed] = max(sizes.get(head.feed, 0), head.size)
    return sizes


def _opened(left: Left, remaining: Sequence[Member]) -> tuple[int, int]:
    """Try every key that the removed one has on all that was sealed: give how much is shut."""
    keys = {sender.key for sender in keyring.held_of(left.rebel.db, left.group.id)}
    own = [left.rebel.who.encryption, left.rebel.who.archive]
    shut = readable = 0
    seen = set[bytes]()
    for each in remaining:
        pasts = _pasts(each, left.group)
        removes = cache(partial(_removes, heard.hear(each.db, left.group.id), left.rebel.node))
        for said, held, view in _said(each, left.group):
            if said.id in seen:
                continue
            seen.add(said.id)
            past = view.union(*(pasts.get(name, frozenset[bytes]()) for name in view))
            includes = removes(past)
            if said.kind is Kind.ANNOUNCEMENT and includes:
                announced = announcement.decode(record.check_body(said, held.body or b""))
                is_own = announced.feed == said.feed
                share = announcement.open_share(announced, left.group.id, own)
                assert share is None or not is_own, "a key was announced to who is removed"
            if said.key_number == 0 or held.body is None:
                continue
            opens = any(_opens(said, held.body, key) for key in keys)
            assert not (opens and includes), "a key that the removed one holds opens it"
            shut, readable = shut + includes, readable + opens
    return shut, readable


def _pasts(by: Member, group: Group) -> dict[bytes, frozenset[bytes]]:
    """Give all that is in the past of each membership record held."""
    named = {one.id: one.past for one in heard.hear(by.db, group.id).changes}
    pasts: dict[bytes, frozenset[bytes]] = {}
    for name in after_pasts(named):
        known = (pasts[each] for each in named[name] if each in pasts)
        pasts[name] = named[name].union(*known)
    return pasts


def _removes(known: Heard, rebel: bytes, seen: frozenset[bytes]) -> bool:
    """Say whether somebody is removed by these changes: one whose author was cut off counts not."""
    changes = [one for one in known.changes if one.id in seen]
    if not any(isinstance(one.act, Remove) and one.act.node == rebel for one in changes):
        return False
    # Receipts may have come after it was said, and let another removal count.
    folds = (fold(known.founding, changes, by, known.beginnings) for by in ((), known.vouchers))
    return all(member.node != rebel for folded in folds for member in folded.members)


def _said(by: Member, group: Group) -> Iterator[tuple[Record, Held, frozenset[bytes]]]:
    """Give all records held of a group, each with the membership records of its feed's view."""
    for head in _heads(by, group, None):
        view = frozenset[bytes]()
        for held in feeds.slice_of(by.db, head.feed, 0, head.size, _EVERYTHING):
            said = record.parse(held.encoded)
            if said.kind in (Kind.GENESIS, Kind.ANNOUNCEMENT):
                content = cbor.decode((held.body or b"")[SALT_BYTES:], FIXED_BODY_BYTES_MAX)
                assert isinstance(content, Mapping)
                view = frozenset(content[5 if said.kind is Kind.GENESIS else 3][1])
            yield said, held, view


def _opens(said: Record, body: bytes, key: bytes) -> bool:
    try:
        seal.open_body(said, body, key)
    except AuthorError:
        return False
    return True


def _whole(each: Member, left: Left, nodes: set[bytes]) -> object:
    """Give what must be the same at all who remain."""
    known = each.known(left.group)
    cuts = sorted((node, *sorted(sizes.items())) for node, sizes in known.cuts.items())
    heads = _heads(each, left.group, nodes)
    return known.members, tuple(cuts), known.newest, tuple(heads)


def _heads(by: Member, group: Group, nodes: set[bytes] | None) -> list[Head]:
    """Give the heads held of these nodes' feeds, or of all."""
    rows = by.db.execute(
        "SELECT f.id, f.node FROM feeds f JOIN groups g ON g.number = f.in_group WHERE g.id = ?"
        " ORDER BY f.id",
        (group.id,),
    )
    names = [bytes(name) for name, node in list(rows) if nodes is None or node in nodes]
    return [head for head in (feeds.head(by.db, name) for name in names) if head is not None]
