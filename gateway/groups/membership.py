"""Membership: what members say of who is a member, and what that comes to.

In: an act, or the content of a membership record's body from anywhere. Out: the one as the other;
and the nouns that `fold` reads and gives. It never judges: `fold` says which acts count.
Protocol: docs/protocol/membership.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from gateway.errors import (
    AuthorError,
    GroupError,
    MalformedCbor,
    MalformedFounding,
    MalformedMembership,
    NotAMember,
)
from gateway.groups.group import Member, Role, member_row, read_member
from gateway.records import cbor, identity
from gateway.records.feed import Head, decode_head
from gateway.records.record import FIXED_BODY_BYTES_MAX

CONTENT_TYPE: Final = "application/cbor"
CUT_MAX: Final = 480  # as many heads as one body holds beside a revocation
ENDLESS: Final = (1 << 53) - 1  # the size of a feed of which everything counts


@dataclass(frozen=True, slots=True)
class Add:
    """A proposal: this node becomes a member; its organisation's certificate says whose it is."""

    member: Member
    node_certificate: bytes


@dataclass(frozen=True, slots=True)
class Roles:
    """A proposal: a member is something else from now on."""

    node: bytes
    roles: tuple[Role, ...]


@dataclass(frozen=True, slots=True)
class Approve:
    """An organisation's word for a proposal, by the id of its record."""

    proposal: bytes


@dataclass(frozen=True, slots=True)
class Remove:
    """A node is no member any more; of its feeds what is below the cut counts."""

    node: bytes
    cut: tuple[Head, ...]
    revocation: bytes | None = None


@dataclass(frozen=True, slots=True)
class Leave:
    """Its author is no member any more; `cut` names its earlier feeds."""

    cut: tuple[Head, ...] = ()


Act = Add | Roles | Approve | Remove | Leave


@dataclass(frozen=True, slots=True)
class Change:
    """A membership record as `fold` reads it: whose it is, where it stands, what was before it.

    `past` are membership records that, with the pasts of each, are all in its causal past: those it
    names, or more of them, or all. What only the roster of its author's view
    can say is said by whoever has it: whether the certificates in the act are `sound`, and which
    organisations are `within` the consortium (None: nobody looked).
    """

    id: bytes
    feed: bytes
    seq: int
    node: bytes
    organisation: bytes
    past: frozenset[bytes]
    act: Act
    sound: bool = True
    within: frozenset[bytes] | None = None


@dataclass(frozen=True, slots=True)
class Voucher:
    """A receipt record: whose it is, where it stands, what its view names, how much it holds."""

    feed: bytes
    seq: int
    node: bytes
    organisation: bytes
    view: frozenset[bytes]
    held: Mapping[bytes, int]


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a feed's genesis says: whose it is, what its view names, its earlier feeds."""

    node: bytes
    view: frozenset[bytes] = frozenset()
    predecessors: tuple[Head, ...] = ()


@dataclass(frozen=True, slots=True)
class Pending:
    """A proposal that lacks approvals: who is for it, and how many organisations it needs."""

    id: bytes
    node: bytes
    act: Add | Roles
    approved: tuple[bytes, ...]
    needed: int


@dataclass(frozen=True, slots=True)
class Membership:
    """Who is a member by all membership records held, how far the removed count, what waits."""

    members: tuple[Member, ...]
    cuts: Mapping[bytes, Mapping[bytes, int]] = field(default_factory=dict)
    newest: tuple[bytes, ...] = ()
    pending: tuple[Pending, ...] = ()
    has_required_supervisor: bool = True

    def has(self, node: bytes) -> bool:
        """Say whether a node is a member."""
        return any(member.node == node for member in self.members)

    def member(self, node: bytes) -> Member:
        """Find a member by its node; raise NotAMember."""
        for member in self.members:
            if member.node == node:
                return member
        raise NotAMember(node=node.hex(), group="in question")

    def counts(self, feed: bytes, seq: int, node: bytes) -> bool:
        """Say whether a record at a place, by a node, counts in this group."""
        cut = self.cuts.get(node)
        if cut is not None:
            return seq < cut.get(feed, 0)
        return self.has(node)


def encode(act: Act) -> bytes:
    """Write the content of a membership record's body."""
    match act:
        case Add(member, node_certificate):
            return cbor.encode([0, *member_row(member), node_certificate])
        case Roles(node, roles):
            return cbor.encode([1, node, [int(role) for role in roles]])
        case Approve(proposal):
            return cbor.encode([2, proposal])
        case Remove(node, cut, revocation):
            return cbor.encode([3, node, _rows(cut), revocation])
        case Leave(cut):
            return cbor.encode([4, _rows(cut)])


def decode(content: bytes) -> Act:
    """Read the content of a membership record's body; raise MalformedMembership."""
    try:
        return _read(cbor.decode(content, FIXED_BODY_BYTES_MAX))
    except (MalformedCbor, AuthorError, MalformedFounding) as fault:
        raise MalformedMembership(reason=_reason(fault)) from None


def _read(said: object) -> Act:
    match said:
        case [kind, organisation, node, encryption, roles, bytes() as certificate] if _is(kind, 0):
            member = read_member([organisation, node, encryption, roles])
            certified = identity.decode(certificate, "node")
            if (certified.issuer, certified.subject) != (member.organisation, member.node):
                raise MalformedMembership(reason="the node certificate is of another node")
            return Add(member, certificate)
        case [kind, node, list() as roles] if _is(kind, 1):
            return Roles(_id(node, 16), _roles(roles))
        case [kind, proposal] if _is(kind, 2):
            return Approve(_id(proposal, 32))
        case [kind, node, list() as cut, None | bytes() as revocation] if _is(kind, 3):
            if revocation is not None and identity.decode(revocation, "revocation").subject != node:
                raise MalformedMembership(reason="the revocation is of another node")
            return Remove(_id(node, 16), _cut(cut), revocation)
        case [kind, list() as cut] if _is(kind, 4):
            return Leave(_cut(cut))
    raise MalformedMembership(reason="fields are missing, unknown, or of the wrong type")


def _is(kind: object, number: int) -> bool:
    return type(kind) is int and kind == number


def _id(value: object, length: int) -> bytes:
    if isinstance(value, bytes) and len(value) == length:
        return value
    raise MalformedMembership(reason=f"an id is not {length} bytes")


def _roles(roles: list[object]) -> tuple[Role, ...]:
    known = [role for role in roles if type(role) is int and 0 <= role <= max(Role)]
    if not roles or roles != sorted(set(known)) or len(known) != len(roles):
        raise MalformedMembership(reason="roles are none, unknown, repeated or not sorted")
    return tuple(Role(role) for role in known)


def _cut(rows: list[object]) -> tuple[Head, ...]:
    if len(rows) > CUT_MAX:
        raise MalformedMembership(reason=f"a cut of more than {CUT_MAX} feeds")
    heads = tuple(decode_head(row) for row in rows)
    feeds = [head.feed for head in heads]
    if feeds != sorted(set(feeds)):
        raise MalformedMembership(reason="a cut is not sorted, or has a feed twice")
    return heads


def _rows(cut: tuple[Head, ...]) -> list[list[object]]:
    return [[head.feed, head.size, head.root] for head in sorted(cut)]


def _reason(fault: AuthorError | GroupError) -> object:
    return fault.facts.get("reason", fault)
