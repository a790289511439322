"""Who is a member, as a projection: folded from the membership records held, kept in tables.

In: a group's stored membership records, geneses, announcements and receipts. Out: its membership,
and the tables views, members and cuts. Nothing in them is a source: `refold` makes them again at
any time. Protocol: docs/protocol/membership.md.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import apsw

from gateway.errors import (
    AuthorError,
    BadAck,
    GroupError,
    MalformedGenesis,
    NotAMember,
    UnknownGroup,
)
from gateway.groups import agreement, announcement, fold as folding, group, membership
from gateway.groups.group import Founding, Member, Role
from gateway.groups.history import close
from gateway.groups.membership import Act, Add, Beginning, Change, Membership, Remove, Voucher
from gateway.records import cbor, identity, record, roster
from gateway.records.feed import Head, View, decode_head
from gateway.records.record import FIXED_BODY_BYTES_MAX, SALT_BYTES, Kind, Record
from gateway.records.roster import Roster
from gateway.store import feeds

_ID_BYTES = 32
EVERY_OTHER = b""  # the row of a cut for the feeds that it does not name


@dataclass(frozen=True, slots=True)
class Said:
    """A membership record as it is held, what it names before it, and the roster of its view."""

    record: Record
    node: bytes
    organisation: bytes
    act: Act
    named: frozenset[bytes]
    within: Roster | None


@dataclass(slots=True)
class Heard:
    """All that is held of a group and says who is a member."""

    founding: Founding
    changes: list[Change] = field(default_factory=list)
    vouchers: list[Voucher] = field(default_factory=list)
    beginnings: dict[bytes, Beginning] = field(default_factory=dict)
    rosters: Mapping[bytes, Roster] = field(default_factory=dict)

    def whole(self) -> frozenset[bytes]:
        """Name the changes whose past is all held."""
        pasts = {change.id: change.past for change in self.changes}
        return frozenset(name for name, past in pasts.items() if past <= pasts.keys())

    def fold(self) -> Membership:
        """Say who is a member by it."""
        return folding.fold(self.founding, self.changes, self.vouchers, self.beginnings)

    def allows(self, change: Change) -> bool:
        """Say whether a change that is not held yet would count."""
        return folding.allows(self.founding, self.changes, self.vouchers, self.beginnings, change)


def refold(db: apsw.Connection, identity: bytes) -> Membership:
    """Fold a group's membership anew and keep it; to be done in the commit that changed it."""
    heard = hear(db, identity)
    folded = heard.fold()
    _keep(db, _number(db, identity), heard.founding, folded)
    return folded


def concerns(db: apsw.Connection, identity: bytes, kind: Kind, node: bytes) -> bool:
    """Say whether a record just stored, of a kind and by a node, asks for a new fold."""
    if kind in (Kind.MEMBERSHIP, Kind.RECEIPT):
        return kind is Kind.MEMBERSHIP or bool(_cuts(db, identity))
    return kind is Kind.GENESIS and node in _cuts(db, identity)


def hear(db: apsw.Connection, identity: bytes) -> Heard:
    """Gather all that is held of a group and says who is a member; raise UnknownGroup."""
    row = db.execute("SELECT number, founding FROM groups WHERE id = ?", (identity,)).fetchone()
    if row is None:
        raise UnknownGroup(group=identity.hex()[:16])
    heard = Heard(group.parse(row[1]))
    heard.rosters = _rosters(db, heard.founding.consortium)
    reading = _Reading(heard.rosters)
    rows = db.execute(
        "SELECT number, id, node, organisation FROM feeds WHERE in_group = ?", row[:1]
    )
    for number, *author in list(rows):
        reading.read(db, number, _Author(*author))
    reading.conclude(db, heard)
    return heard


def load(db: apsw.Connection, identity: bytes) -> Membership:
    """Give a group's membership from the tables, without what is pending; raise UnknownGroup."""
    number = _number(db, identity)
    rows = db.execute(
        "SELECT organisation, encryption, roles FROM members WHERE in_group = ?"
        " ORDER BY organisation, node",
        (number,),
    )
    members = tuple(_member(*row) for row in rows)
    encoded = db.execute("SELECT founding FROM groups WHERE number = ?", (number,)).get
    needed = any(Role.SUPERVISOR in each.roles for each in group.parse(encoded).members)
    there = any(Role.SUPERVISOR in each.roles for each in members)
    newest = _newest(db, number)
    return Membership(members, _cuts(db, identity), newest, (), there or not needed)


def view(db: apsw.Connection, identity: bytes, roster_hash: bytes) -> View:
    """Give the view of a group by a roster, as a genesis or announcement states it."""
    return View(roster_hash, _newest(db, _number(db, identity)))


def newest_roster(db: apsw.Connection, identity: bytes) -> bytes | None:
    """Give the hash of the roster by which a group's next records are written, as last folded."""
    row = db.execute(
        "SELECT roster FROM views WHERE in_group = ?", (_number(db, identity),)
    ).fetchone()
    return None if row is None else bytes(row[0])


def counts(db: apsw.Connection, feed: bytes, seq: int) -> bool:
    """Say whether a stored record counts: its node is a member, or its cut does not reach it."""
    row = db.execute(
        "SELECT (SELECT c.size FROM cuts c WHERE c.in_group = f.in_group AND c.node = f.node"
        "   AND c.feed IN (f.id, x'') ORDER BY c.feed DESC LIMIT 1),"
        " EXISTS (SELECT 1 FROM members m WHERE m.in_group = f.in_group AND m.node = f.node)"
        " FROM feeds f WHERE f.id = ?",
        (feed,),
    ).fetchone()
    if row is None:
        return False
    size, is_member = row
    return bool(is_member) if size is None else seq < size


def member(db: apsw.Connection, identity: bytes, node: bytes) -> Member:
    """Give a member of a group by its node; raise NotAMember or UnknownGroup."""
    row = db.execute(
        "SELECT organisation, encryption, roles FROM members WHERE in_group = ? AND node = ?",
        (_number(db, identity), node),
    ).fetchone()
    if row is None:
        raise NotAMember(node=node.hex(), group=identity.hex()[:16])
    return _member(*row)


def alike(db: apsw.Connection, nodes: Iterable[bytes], purpose: str) -> bytes | None:
    """Find a live group with exactly these members and this purpose; None if there is none."""
    wanted = set(nodes)
    for number, found, encoded in db.execute("SELECT number, id, founding FROM groups ORDER BY id"):
        if group.parse(encoded).purpose == purpose:
            rows = db.execute("SELECT node FROM members WHERE in_group = ?", (number,))
            if {bytes(node) for (node,) in rows} == wanted:
                return bytes(found)
    return None


@dataclass(frozen=True, slots=True)
class _Author:
    feed: bytes
    node: bytes
    organisation: bytes


class _Reading:
    """One reading of a group's records: what each names, until all pasts can be closed."""

    def __init__(self, rosters: Mapping[bytes, Roster]) -> None:
        self._rosters = rosters
        self._said: dict[bytes, Said] = {}
        self._beginnings: dict[bytes, tuple[_Author, frozenset[bytes], Beginning]] = {}
        self._receipts: list[tuple[_Author, int, frozenset[bytes], dict[bytes, int]]] = []

    def read(self, db: apsw.Connection, number: int, author: _Author) -> None:
        """Read what a feed says of members, in order."""
        view, before = View(b""), frozenset[bytes]()
        rows = db.execute(
            "SELECT place, kind, encoded, body FROM records"
            " WHERE place >= ? AND place < ? AND kind <= 3 ORDER BY place",
            (feeds.place(number, 0), feeds.place(number + 1, 0)),
        )
        for place, kind, encoded, body in rows:
            content = (body or b"")[SALT_BYTES:]
            match kind:
                case Kind.GENESIS:
                    view, earlier = _begun(content)
                    begun = Beginning(author.node, frozenset(), earlier)
                    self._beginnings[author.feed] = author, frozenset(view.membership), begun
                case Kind.ANNOUNCEMENT:
                    view = _announced(content, view)
                case Kind.MEMBERSHIP if (act := _act(content)) is not None:
                    said, within = record.parse(encoded), self._rosters.get(view.roster)
                    named = before.union(view.membership, said.deps)
                    by = author.node, author.organisation
                    self._said[said.id] = Said(said, *by, act, named, within)
                    before = frozenset({said.id})
                case Kind.RECEIPT:
                    seq = place - feeds.place(number, 0)
                    seen = before.union(view.membership)
                    self._receipts.append((author, seq, seen, _held(content)))

    def conclude(self, db: apsw.Connection, heard: Heard) -> None:
        """Close the pasts of all that was read."""
        held = {name: self._known(db, each.named) for name, each in self._said.items()}
        pasts = close(held)

        def seen(names: frozenset[bytes]) -> frozenset[bytes]:
            return names.union(*(pasts[name] for name in names if name in pasts))

        for name, said in self._said.items():
            heard.changes.append(_change(said, pasts[name]))
        for feed, (author, names, begun) in self._beginnings.items():
            heard.beginnings[feed] = Beginning(author.node, seen(names), begun.predecessors)
        for author, seq, names, sizes in self._receipts:
            place = author.feed, seq, author.node, author.organisation
            heard.vouchers.append(Voucher(*place, seen(names), sizes))

    def _known(self, db: apsw.Connection, names: frozenset[bytes]) -> frozenset[bytes]:
        """Leave out what is held and is no membership record; what is not held stays, unknown."""
        other = (
            name
            for name in names - self._said.keys()
            if db.execute("SELECT 1 FROM records WHERE id = ?", (name,)).fetchone()
        )
        return names - frozenset(other)


def _change(said: Said, past: frozenset[bytes]) -> Change:
    within = said.within
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


def _act(content: bytes) -> Act | None:
    """Read an act; what cannot be read changes nothing."""
    try:
        return membership.decode(content)
    except GroupError:
        return None


def _begun(content: bytes) -> tuple[View, tuple[Head, ...]]:
    """Give the view and the earlier heads of a genesis, which was verified when it was stored."""
    match cbor.decode(content, FIXED_BODY_BYTES_MAX):
        case {3: [*rows], 5: [bytes() as within, [*names]]}:
            return View(within, tuple(names)), tuple(decode_head(row) for row in rows)
    raise MalformedGenesis(reason="it has no view")


def _announced(content: bytes, before: View) -> View:
    """Give the view after an announcement; what is none leaves it as it was."""
    try:
        return announcement.decode(content).view
    except AuthorError:
        return before


def _held(content: bytes) -> dict[bytes, int]:
    try:
        entries = agreement.decode_receipt(content)
    except BadAck:
        return {}
    return {entry.head.feed: entry.head.size for entry in entries}


def _rosters(db: apsw.Connection, consortium: bytes) -> Mapping[bytes, Roster]:
    rows = db.execute(
        "SELECT encoded FROM rosters WHERE consortium = ? ORDER BY number", (consortium,)
    )
    return _chain(tuple(row[0] for row in rows))


@lru_cache(maxsize=16)
def _chain(encoded: tuple[bytes, ...]) -> Mapping[bytes, Roster]:
    """Verify rosters once: the same bytes give the same rosters."""
    return {each.hash: each for each in roster.decode_chain(encoded)}


def _number(db: apsw.Connection, identity: bytes) -> int:
    row = db.execute("SELECT number FROM groups WHERE id = ?", (identity,)).fetchone()
    if row is None:
        raise UnknownGroup(group=identity.hex()[:16])
    return int(row[0])


def _member(organisation: bytes, encryption: bytes, roles: bytes) -> Member:
    certificate = identity.decode(encryption, "encryption")
    return Member(organisation, certificate, tuple(Role(role) for role in roles))


def _newest(db: apsw.Connection, number: int) -> tuple[bytes, ...]:
    row = db.execute("SELECT newest FROM views WHERE in_group = ?", (number,)).fetchone()
    newest = b"" if row is None else bytes(row[0])
    starts = range(0, len(newest), _ID_BYTES)
    return tuple(newest[at : at + _ID_BYTES] for at in starts)


def _cuts(db: apsw.Connection, identity: bytes) -> dict[bytes, dict[bytes, int]]:
    cuts: dict[bytes, dict[bytes, int]] = {}
    rows = db.execute(
        "SELECT node, feed, size FROM cuts WHERE in_group = ?", (_number(db, identity),)
    )
    for node, feed, size in rows:
        sizes = cuts.setdefault(bytes(node), {})
        if feed != EVERY_OTHER:
            sizes[bytes(feed)] = size
    return cuts


def _keep(db: apsw.Connection, number: int, founding: Founding, folded: Membership) -> None:
    by_roster = db.execute(
        "SELECT coalesce((SELECT hash FROM rosters WHERE consortium = ?1"
        " ORDER BY number DESC LIMIT 1), ?2)",
        (founding.consortium, founding.roster),
    ).get
    db.execute(
        "INSERT OR REPLACE INTO views VALUES (?, ?, ?)",
        (number, by_roster, b"".join(folded.newest)),
    )
    db.execute("DELETE FROM members WHERE in_group = ?", (number,))
    db.executemany(
        "INSERT INTO members VALUES (?, ?, ?, ?, ?)",
        [
            (number, each.node, each.organisation, each.encryption.encoded, bytes(each.roles))
            for each in folded.members
        ],
    )
    db.execute("DELETE FROM cuts WHERE in_group = ?", (number,))
    db.executemany(
        "INSERT INTO cuts VALUES (?, ?, ?, ?)",
        [
            (number, node, feed, size)
            for node, sizes in folded.cuts.items()
            for feed, size in {EVERY_OTHER: 0, **sizes}.items()
        ],
    )
