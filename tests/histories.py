"""Histories of a group's membership: parties that act on what they have heard.

In: a seed, or acts one after another. Out: changes, receipts, and what geneses say, as a store that
holds the records would give them. Never: signatures; the fold judges what was verified.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from hashlib import sha256

from gateway.groups.fold import fold
from gateway.groups.group import ActivityKind, Founding, Policies, Role
from gateway.groups.membership import (
    Act,
    Add,
    Approve,
    Beginning,
    Change,
    Leave,
    Membership,
    Remove,
    Roles,
    Voucher,
)
from gateway.records import identity
from gateway.records.cose import SigningKey
from gateway.records.feed import Head
from gateway.records.identity import EncryptionKey, Named
from tests.people import NO_POLICIES, Party, party, seed


@cache
def known(name: str) -> Party:
    """Give a party, made once; "ace.2" is the second node of the organisation "ace"."""
    organisation, _, number = name.partition(".")
    first = party(organisation)
    if not number:
        return first
    node, encryption = SigningKey(seed(f"{name} node")), EncryptionKey(seed(f"{name} encryption"))
    return Party(
        name,
        first.root,
        first.archive,
        node,
        encryption,
        identity.issue_node(first.root, (first.root.id, node.id), node.public, 1, Named(name)),
        identity.issue_encryption(node, node.id, encryption.public),
    )


def approvals(count: int) -> Policies:
    """Give policies by which so many organisations add a member."""
    return Policies(count)


def founding_of(roles: dict[str, Role], policies: Policies = NO_POLICIES) -> Founding:
    """Give a founding whose members are these names with these roles."""
    members = [known(name).member(role) for name, role in roles.items()]
    ordered = sorted(members, key=lambda member: (member.organisation, member.node))
    within = seed("a roster")
    return Founding(
        seed("nonce"),
        within,
        within,
        "pressing",
        ActivityKind.INDUSTRIAL,
        tuple(ordered),
        False,
        policies,
    )


@dataclass(slots=True)
class Actor:
    """A node as it goes along: what it has heard, and its feeds, of which the last is open."""

    name: str
    feeds: list[bytes] = field(default_factory=list)
    sizes: dict[bytes, int] = field(default_factory=dict)
    heard: set[bytes] = field(default_factory=set)

    @property
    def party(self) -> Party:
        """Give its keys and certificates."""
        return known(self.name)

    @property
    def node(self) -> bytes:
        """Name its node."""
        return self.party.node.id


class Histories:
    """A group in which everybody says what it likes, and hears what it is told."""

    def __init__(self, roles: dict[str, Role], policies: Policies = NO_POLICIES) -> None:
        self.founding = founding_of(roles, policies)
        self.changes: dict[bytes, Change] = {}
        self.vouchers: list[Voucher] = []
        self.beginnings: dict[bytes, Beginning] = {}
        self.actors: dict[str, Actor] = {}
        for name in roles:
            self.begin(name)

    def begin(self, name: str, *, named: bool = True) -> Actor:
        """Open a new feed of a node, in the view of all that it has heard."""
        actor = self.actors.setdefault(name, Actor(name))
        before = [_head(feed, actor.sizes[feed]) for feed in actor.feeds[-1:] if named]
        feed = sha256(f"{name} feed {len(actor.feeds)}".encode()).digest()
        self.beginnings[feed] = Beginning(actor.node, frozenset(actor.heard), tuple(before))
        actor.feeds.append(feed)
        actor.sizes[feed] = 1
        return actor

    def tell(self, *names: str) -> None:
        """Have these hear all that any of them has heard."""
        every = set().union(*(self.actors[name].heard for name in names))
        for name in names:
            self.actors[name].heard |= every

    def say(
        self,
        name: str,
        act: Act,
        *,
        sound: bool = True,
        without: tuple[str, ...] = (),
    ) -> bytes:
        """Have a node write an act, in the past of all that it has heard; give the record's id.

        `without` are organisations that the roster of its view has no more.
        """
        actor = self.actors[name]
        feed, seq = actor.feeds[-1], self.speak(name)
        said = sha256(feed + seq.to_bytes(4, "big")).digest()
        organisation = actor.party.root.id
        past = frozenset(actor.heard)
        there = {known(each).root.id for each in EVERYBODY}
        within = frozenset(there - {known(each).root.id for each in without})
        self.changes[said] = Change(
            said, feed, seq, actor.node, organisation, past, act, sound, within
        )
        actor.heard.add(said)
        return said

    def speak(self, name: str) -> int:
        """Have a node write a record that is no membership record; give its number."""
        actor = self.actors[name]
        actor.sizes[actor.feeds[-1]] += 1
        return actor.sizes[actor.feeds[-1]] - 1

    def receipt(self, name: str, *others: str) -> None:
        """Have a node sign that it holds all of the open feeds of others, in its view of now."""
        actor, view = self.actors[name], frozenset(self.actors[name].heard)
        feeds = [self.actors[other].feeds[-1] for other in others]
        held = {feed: size for other in others for feed, size in self.actors[other].sizes.items()}
        place = actor.feeds[-1], self.speak(name)
        voucher = Voucher(
            *place, actor.node, actor.party.root.id, view, {feed: held[feed] for feed in feeds}
        )
        self.vouchers.append(voucher)

    def add(self, name: str, other: str, *roles: Role) -> bytes:
        """Have a node propose another."""
        return self.say(name, addition(other, *roles))

    def remove(self, name: str, other: str, *, sizes: dict[bytes, int] | None = None) -> bytes:
        """Have a node remove another: all it says so far counts, unless sizes are given."""
        return self.say(name, Remove(known(other).node.id, self.cut(other, sizes)))

    def leave(self, name: str) -> bytes:
        """Have a node leave."""
        return self.say(name, Leave())

    def cut(self, name: str, sizes: dict[bytes, int] | None = None) -> tuple[Head, ...]:
        """Give a cut of a node's feeds: all of them as they are now, or at these sizes."""
        if sizes is None:
            sizes = self.actors[name].sizes if name in self.actors else {}
        return tuple(_head(feed, size) for feed, size in sorted(sizes.items()) if size)

    def fold(self, changes: Iterable[Change] | None = None) -> Membership:
        """Fold all that was said, or these changes."""
        said = self.changes.values() if changes is None else changes
        return fold(self.founding, said, self.vouchers, self.beginnings)

    def seen_by(self, name: str) -> Membership:
        """Fold what a node has heard."""
        heard = self.actors[name].heard
        return self.fold(change for change in self.changes.values() if change.id in heard)


def addition(name: str, *roles: Role) -> Add:
    """Give the proposal of a node."""
    who = known(name)
    return Add(who.member(*roles), who.node_certificate)


@cache
def revocation(name: str, other: str, counter: int = 9) -> bytes:
    """Give the revocation of a node by the root of an organisation, perhaps not its own."""
    root = known(name).root
    return identity.issue_revocation(root, (root.id, known(other).node.id), counter)


def names(membership: Membership) -> set[str]:
    """Give the names of a membership's members."""
    nodes = {known(name).node.id: name for name in EVERYBODY}
    return {nodes[member.node] for member in membership.members}


FIRST = ("ace", "bolt", "coil", "dyne")
LATER = ("ace.2", "bolt.2", "dyne.2", "east", "flux")
EVERYBODY = FIRST + LATER
FOUNDERS = dict(zip(FIRST, (Role.INITIATOR, *3 * [Role.RECEIVER]), strict=True))


def by_chance(number: int, steps: int = 24) -> Histories:
    """Give a history that a seed decides: anybody does anything, on whatever it has heard."""
    chance = random.Random(number)
    roles = {"ace": Role.INITIATOR, "bolt": chance.choice(list(Role))}
    roles |= {name: chance.choice(list(Role)) for name in FIRST[2:]}
    history = Histories(roles, Policies(chance.choice((0, 0, 1, 2, 4))))
    for _ in range(steps):
        _step(history, chance)
    _spoil(history, random.Random(f"spoilt {number}"))
    return history


def _spoil(history: Histories, chance: random.Random) -> None:
    """Have a few acts name a record of another group, or go by a roster older than their past's."""
    for said in list(history.changes.values()):
        match chance.randrange(40):
            case 0:
                foreign = said.past | {sha256(said.id).digest()}
                history.changes[said.id] = replace(said, past=foreign)
            case 1:
                history.changes[said.id] = replace(said, sound=False, within=None)


def _step(history: Histories, chance: random.Random) -> None:
    names = sorted(history.actors)
    name, other = chance.choice(names), chance.choice(EVERYBODY)
    node = known(other).node.id
    match chance.randrange(16):
        case 0 | 1 | 2 | 3:
            history.tell(*chance.sample(names, min(len(names), chance.randint(2, 4))))
        case 4 | 5:
            history.say(name, addition(other, chance.choice(list(Role))), sound=_likely(chance))
        case 6:
            roles = tuple(sorted(chance.sample(list(Role), chance.randint(1, 2))))
            history.say(name, Roles(node, roles))
        case 7 | 8 | 9:
            _approve(history, name, chance)
        case 10 | 11:
            revoked = None if _likely(chance) else revocation(chance.choice(FIRST), other)
            cut = history.cut(other, _sizes(history, other, chance))
            act = Remove(node, cut, revoked)
            history.say(name, act, without=() if _likely(chance) else (other,))
        case 12:
            history.say(name, Leave(history.cut(name, _sizes(history, name, chance))))
        case 13:
            history.begin(chance.choice((name, other)), named=_likely(chance))
        case _:
            history.receipt(name, *chance.sample(names, min(len(names), 3)))


def _likely(chance: random.Random) -> bool:
    return chance.random() < 0.8


def _approve(history: Histories, name: str, chance: random.Random) -> None:
    heard = sorted(history.actors[name].heard)
    proposals = [one for one in heard if isinstance(history.changes[one].act, Add | Roles)]
    if proposals:
        for proposal in proposals[-2:] if _likely(chance) else [chance.choice(heard)]:
            history.say(name, Approve(proposal))


def _sizes(history: Histories, name: str, chance: random.Random) -> dict[bytes, int]:
    if name not in history.actors:
        return {}
    sizes = history.actors[name].sizes.items()
    return {feed: chance.choice((size, size, chance.randint(0, size + 2))) for feed, size in sizes}


def _head(feed: bytes, size: int) -> Head:
    return Head(feed, size, sha256(feed + size.to_bytes(8, "big")).digest())


def owed(membership: Membership, asked: Sequence[str] = ()) -> set[bytes]:
    """Give to whom a member owes its sender keys: the members' keys, their organisations' archives.

    `asked` are names left out: whoever writes has its own key already.
    """
    left_out = {known(name).node.id for name in asked}
    keys = {each.encryption.subject for each in membership.members if each.node not in left_out}
    return keys | {member.organisation for member in membership.members}
