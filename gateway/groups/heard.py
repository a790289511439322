"""What was heard in a group that says who is a member, as the fold reads it.

In: a group's membership records, geneses, announcements and receipts, each verified. Out: changes
with their pasts, what geneses say, receipts that vouch. It judges nothing, and finds nothing: who
holds the records, or is shown them, brings them. Protocol: docs/protocol/membership.md.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from gateway.errors import AuthorError, BadAck, GroupError, MalformedGenesis
from gateway.groups import agreement, announcement, fold as folding, membership
from gateway.groups.group import Founding, Member
from gateway.groups.history import after_pasts
from gateway.groups.membership import Act, Add, Beginning, Change, Membership, Remove, Voucher
from gateway.records import cbor, identity, record
from gateway.records.feed import Head, View, decode_head
from gateway.records.identity import Certificate
from gateway.records.record import FIXED_BODY_BYTES_MAX, SALT_BYTES, Kind, Record
from gateway.records.roster import Roster

# A record that may say who is a member: its number, kind, bytes, and body where it is held.
Row = tuple[int, int, bytes, bytes | None]
Names = frozenset[bytes]


@dataclass(frozen=True, slots=True)
class Said:
    """A membership record as it is held, what it names before it, and the roster of its view."""

    record: Record
    node: bytes
    organisation: bytes
    act: Act
    named: frozenset[bytes]
    within: Roster | None


@dataclass(frozen=True, slots=True)
class Heard:
    """All that is held of a group and says who is a member."""

    founding: Founding
    changes: list[Change] = field(default_factory=list)
    vouchers: list[Voucher] = field(default_factory=list)
    beginnings: dict[bytes, Beginning] = field(default_factory=dict)
    rosters: Mapping[bytes, Roster] = field(default_factory=dict)
    # Of each node: the encryption certificates in its records, each with its node certificate.
    certificates: dict[bytes, dict[bytes, bytes]] = field(default_factory=dict)

    def whole(self) -> frozenset[bytes]:
        """Name the changes whose past is all held."""
        named = {change.id: change.past for change in self.changes}
        whole = set[bytes]()
        for name in after_pasts(named):
            if named[name] <= whole:
                whole.add(name)
        return frozenset(whole)

    def fold(self) -> Membership:
        """Say who is a member by it, each with the encryption certificate it issued last."""
        folded = folding.fold(self.founding, self.changes, self.vouchers, self.beginnings)
        members = tuple(self._renewed(member) for member in folded.members)
        return replace(folded, members=members)

    def allows(self, change: Change) -> bool:
        """Say whether a change that is not held yet would count."""
        return folding.allows(self.founding, self.changes, self.vouchers, self.beginnings, change)

    def _renewed(self, member: Member) -> Member:
        """Give a member with the certificate issued last: of no time is earlier than of any."""
        last = member.encryption
        for encoded, node_certificate in sorted(self.certificates.get(member.node, {}).items()):
            if encoded != last.encoded:
                issued = _issued(encoded, node_certificate)
                if issued is not None and _issued_s(issued) > _issued_s(last):
                    last = issued
        return replace(member, encryption=last)


@dataclass(frozen=True, slots=True)
class Author:
    """Who writes a feed."""

    feed: bytes
    node: bytes
    organisation: bytes


class Reading:
    """One reading of a group's records: what each names, which with the pasts of that is its past.

    The fold closes them: written out here they would be as many as the records, for each record.
    """

    def __init__(self, rosters: Mapping[bytes, Roster]) -> None:
        self._rosters = rosters
        self._said: dict[bytes, Said] = {}
        self._beginnings: dict[bytes, tuple[Author, frozenset[bytes], Beginning]] = {}
        self._certificates: dict[bytes, dict[bytes, bytes]] = {}
        self._receipts: list[tuple[Author, int, frozenset[bytes], dict[bytes, int]]] = []

    def read(self, author: Author, rows: Iterable[Row]) -> None:
        """Read what a feed says of members, in order."""
        view, before, certified = View(b""), frozenset[bytes](), b""
        for seq, kind, encoded, body in rows:
            content = (body or b"")[SALT_BYTES:]
            match kind:
                case Kind.GENESIS:
                    view, earlier, certified, encryption = _begun(content)
                    self._certify(author, encryption, certified)
                    begun = Beginning(author.node, frozenset(), earlier)
                    self._beginnings[author.feed] = author, frozenset(view.membership), begun
                case Kind.ANNOUNCEMENT:
                    view, renewed = _announced(content, view)
                    self._certify(author, renewed, certified)
                case Kind.MEMBERSHIP if (act := act_of(content)) is not None:
                    said, within = record.parse(encoded), self._rosters.get(view.roster)
                    named = before.union(view.membership, said.deps)
                    by = author.node, author.organisation
                    self._said[said.id] = Said(said, *by, act, named, within)
                    before = frozenset({said.id})
                case Kind.RECEIPT:
                    seen = before.union(view.membership)
                    self._receipts.append((author, seq, seen, _held(content)))

    def conclude(self, founding: Founding, others: Callable[[Names], Names]) -> Heard:
        """Say what was read, as the fold takes it.

        `others` says which of some records are known to be in the group, and of no membership.
        """
        heard = Heard(founding, rosters=self._rosters, certificates=self._certificates)
        held = {name: self._known(each.named, others) for name, each in self._said.items()}
        founded = self._rosters.get(heard.founding.roster)
        # Of each: the highest number of a roster by which it, or something in its past, goes.
        reached: dict[bytes, int] = {}
        for name in after_pasts(held):
            said = self._said[name]
            before = (reached[each] for each in held[name] if each in reached)
            least = max(before, default=founded.number if founded else 0)
            # Nobody goes back: by an older one, who was admitted later would seem to be gone.
            goes = said.within is not None and said.within.number >= least
            reached[name] = max(least, said.within.number if said.within else 0)
            heard.changes.append(_change(said, held[name], said.within if goes else None))
        for feed, (author, names, begun) in self._beginnings.items():
            heard.beginnings[feed] = Beginning(author.node, names, begun.predecessors)
        for author, seq, names, sizes in self._receipts:
            place = author.feed, seq, author.node, author.organisation
            heard.vouchers.append(Voucher(*place, names, sizes))
        return heard

    def _certify(self, author: Author, encryption: bytes | None, certified: bytes) -> None:
        if encryption is not None:
            self._certificates.setdefault(author.node, {})[encryption] = certified

    def _known(self, names: Names, others: Callable[[Names], Names]) -> Names:
        """Leave out what is held and is no membership record; what is not held stays, unknown."""
        return names - others(names - self._said.keys())


def _change(said: Said, past: frozenset[bytes], within: Roster | None) -> Change:
    return Change(
        said.record.id,
        said.record.feed,
        said.record.seq,
        said.node,
        said.organisation,
        past,
        said.act,
        within is not None and is_sound(said.act, within),
        None if within is None else frozenset(each.id for each in within.organisations),
    )


def is_sound(act: Act, within: Roster) -> bool:
    """Say whether the certificates that an act carries verify by a roster."""
    try:
        match act:
            case Add(added, node_certificate):
                root = within.organisation(added.organisation).root
                certified = identity.decode(node_certificate, "node")
                certified.verify(added.organisation, root)
                added.encryption.verify(added.node, certified.key)
            case Remove(_, _, bytes() as encoded):
                revoked = identity.decode(encoded, "revocation")
                revoked.verify(revoked.issuer, within.organisation(revoked.issuer).root)
    except AuthorError:
        return False
    return True


def act_of(content: bytes) -> Act | None:
    """Read an act; what cannot be read changes nothing."""
    try:
        return membership.decode(content)
    except GroupError:
        return None


def _begun(content: bytes) -> tuple[View, tuple[Head, ...], bytes, bytes]:
    """Give the view, the earlier heads, and the node and encryption certificates of a genesis.

    It was verified whole when it was stored.
    """
    match cbor.decode(content, FIXED_BODY_BYTES_MAX):
        case {
            0: bytes() as node,
            2: bytes() as encryption,
            3: [*rows],
            5: [bytes() as within, [*names]],
        }:
            heads = tuple(decode_head(row) for row in rows)
            return View(within, tuple(names)), heads, node, encryption
    raise MalformedGenesis(reason="it has no view")


def view_in(kind: int, content: bytes, before: View) -> View:
    """Give the view in force after a genesis that was stored, or an announcement."""
    if kind == Kind.GENESIS:
        return _begun(content)[0]
    return _announced(content, before)[0] if kind == Kind.ANNOUNCEMENT else before


def certificate_in(kind: Kind, content: bytes) -> bytes | None:
    """Give the encryption certificate in a genesis that was stored, or in an announcement."""
    if kind is Kind.GENESIS:
        return _begun(content)[3]
    return _announced(content, View(b""))[1]


def _announced(content: bytes, before: View) -> tuple[View, bytes | None]:
    """Give the view after an announcement, and a new certificate; what is none changes nothing."""
    try:
        announced = announcement.decode(content)
    except AuthorError:
        return before, None
    renewed = announced.encryption
    return announced.view, None if renewed is None else renewed.encoded


def _issued(encoded: bytes, node_certificate: bytes) -> Certificate | None:
    """Read an encryption certificate; None where its node did not sign it."""
    node = identity.decode(node_certificate, "node")
    try:
        issued = identity.decode(encoded, "encryption")
        issued.verify(node.subject, node.key)
    except AuthorError:
        return None
    return issued


def _issued_s(certificate: Certificate) -> int:
    issued_s = certificate.validity.issued_s
    return -1 if issued_s is None else issued_s


def _held(content: bytes) -> dict[bytes, int]:
    try:
        entries = agreement.decode_receipt(content)
    except BadAck:
        return {}
    return {entry.head.feed: entry.head.size for entry in entries}
