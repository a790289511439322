"""Who is a member, as a projection: folded from the membership records held, kept in tables.

In: a group's stored membership records, geneses, announcements and receipts. Out: its membership,
and the tables views, members and cuts. Nothing in them is a source: `refold` makes them again at
any time. Protocol: docs/protocol/membership.md.
"""

from collections.abc import Mapping
from typing import Any

import apsw

from gateway.errors import BadAck, GroupError, NotAMember, UnknownGroup
from gateway.groups import group, membership as acts
from gateway.groups.agreement import decode_receipt
from gateway.groups.group import Founding, Member, Role
from gateway.groups.heard import certificate_in
from gateway.groups.membership import ENDLESS, Membership
from gateway.records import identity
from gateway.records.feed import View
from gateway.records.record import SALT_BYTES, Kind
from gateway.store import islands, noted, standing
from gateway.store.heard import hear

_ID_BYTES = 32
Cuts = Mapping[bytes, Mapping[bytes, int]]
EVERY_OTHER = b""  # the row of a cut for the feeds that it does not name


def refold(db: apsw.Connection, identity: bytes) -> Membership:
    """Fold a group's membership anew and keep it; to be done in the commit that changed it."""
    heard, before = hear(db, identity), _weight(db, identity)
    folded = heard.fold()
    _keep(db, _number(db, identity), heard.founding, folded)
    standing.refolded(db, identity, before != _weight(db, identity))
    noted.settle_group(db, identity)
    islands.drop_strangers(db, identity)
    return folded


def concerns(db: apsw.Connection, identity: bytes, node: bytes, kind: Kind, content: bytes) -> bool:
    """Say whether a record just stored, by a node, of a kind, asks for a new fold."""
    match kind:
        case Kind.MEMBERSHIP:
            return True
        case Kind.RECEIPT:
            return _vouches(db, _cuts(db, identity), content)
        case Kind.GENESIS | Kind.ANNOUNCEMENT:
            if kind is Kind.GENESIS and node in _cuts(db, identity):
                return True
            row = db.execute(
                "SELECT encryption FROM members WHERE in_group = ? AND node = ?",
                (_number(db, identity), node),
            ).fetchone()
            return row is not None and certificate_in(kind, content) not in (None, row[0])
    return False


def _vouches(db: apsw.Connection, cuts: Cuts, content: bytes) -> bool:
    """Say whether a receipt may let more of the removed count than their cuts do."""
    try:
        entries = decode_receipt(content) if cuts else ()
    except BadAck:
        return False
    for head in (entry.head for entry in entries):
        row = db.execute("SELECT node FROM feeds WHERE id = ?", (head.feed,)).fetchone()
        if row and row[0] in cuts and head.size > cuts[row[0]].get(head.feed, 0):
            return True
    return False


def _weight(db: apsw.Connection, identity: bytes) -> tuple[Cuts, frozenset[bytes]]:
    """Give what a fold kept that who must receipt what depends on: cuts, and who supervises."""
    rows = db.execute(
        "SELECT node, roles FROM members WHERE in_group = ?", (_number(db, identity),)
    )
    supervising = frozenset(bytes(node) for node, roles in rows if Role.SUPERVISOR in roles)
    return _cuts(db, identity), supervising


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


def is_kept(db: apsw.Connection, identity: bytes) -> bool:
    """Say whether the tables hold what a fold of the records held gives."""
    folded, kept = hear(db, identity).fold(), load(db, identity)
    number = _number(db, identity)
    others: list[tuple[Any, ...]] = db.execute(
        "SELECT node, size FROM cuts WHERE in_group = ? AND feed = ?", (number, EVERY_OTHER)
    ).fetchall()
    newest = db.execute(
        "SELECT r.hash FROM rosters r JOIN groups g ON g.number = ? JOIN rosters o"
        " ON o.hash = g.roster WHERE r.consortium = o.consortium ORDER BY r.number DESC LIMIT 1",
        (number,),
    ).get
    return (
        (folded.members, folded.cuts, folded.newest) == (kept.members, kept.cuts, kept.newest)
        and newest == newest_roster(db, identity)
        and {node for node, size in others if size == 0} == folded.cuts.keys()
        and len(others) == len(folded.cuts)
    )


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
    return seq < counted(db, feed)


def counted(db: apsw.Connection, feed: bytes, here: bytes = b"") -> int:
    """Say how many records of a stored feed count: all of a member's, a removed one's to its cut.

    What is written `here` counts for this node also before it hears that it was added.
    """
    row = db.execute(
        "SELECT (SELECT c.size FROM cuts c WHERE c.in_group = f.in_group AND c.node = f.node"
        "   AND c.feed IN (f.id, x'') ORDER BY c.feed DESC LIMIT 1), f.node = ?2 OR"
        " EXISTS (SELECT 1 FROM members m WHERE m.in_group = f.in_group AND m.node = f.node)"
        " FROM feeds f WHERE f.id = ?1",
        (feed, here),
    ).fetchone()
    if row is None:
        return 0
    size, is_member = row
    if size is not None:
        return int(size)
    return ENDLESS if is_member else 0


def removals(db: apsw.Connection, identity: bytes, node: bytes) -> list[tuple[bytes, int]]:
    """Give where a group's records by others say that a node is removed: feeds and numbers."""
    rows = db.execute(
        "SELECT f.id, r.place & 4294967295, r.body FROM records r"
        " JOIN feeds f ON f.number = r.place >> 32 WHERE f.in_group = ? AND f.node <> ?"
        " AND r.kind <= 3 AND r.kind = ? ORDER BY r.place",
        (_number(db, identity), node, int(Kind.MEMBERSHIP)),
    )
    return [(bytes(feed), int(seq)) for feed, seq, body in list(rows) if _removed_by(body) == node]


def _removed_by(body: bytes) -> bytes | None:
    try:
        act = acts.decode(body[SALT_BYTES:])
    except GroupError:
        return None
    return act.node if isinstance(act, acts.Remove) else None


def member(db: apsw.Connection, identity: bytes, node: bytes) -> Member:
    """Give a member of a group by its node; raise NotAMember or UnknownGroup."""
    row = db.execute(
        "SELECT organisation, encryption, roles FROM members WHERE in_group = ? AND node = ?",
        (_number(db, identity), node),
    ).fetchone()
    if row is None:
        raise NotAMember(node=node.hex(), group=identity.hex()[:16])
    return _member(*row)


def alike(db: apsw.Connection, wanted: Founding) -> bytes | None:
    """Find a live group with exactly the members, roles, purpose and sealing of a founding, whose
    receipts and witnesses are those it asks for, and which has room for its templates."""
    members = {(each.node, bytes(each.roles)) for each in wanted.members}
    for number, found, encoded in db.execute("SELECT number, id, founding FROM groups ORDER BY id"):
        said = group.parse(encoded)
        has_room = not said.templates or set(wanted.templates) <= set(said.templates)
        if has_room and _asked(said) == _asked(wanted):
            rows = db.execute("SELECT node, roles FROM members WHERE in_group = ?", (number,))
            if {(bytes(node), bytes(roles)) for node, roles in rows} == members:
                return bytes(found)
    return None


def _asked(said: Founding) -> tuple[object, ...]:
    """Give what must be the same for one group to do in the place of another."""
    return said.purpose, said.clear, said.policies.receipts, said.policies.witnesses


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
    for table in ("claims", "hearings"):  # What those say who are members no more counts nothing.
        db.execute(
            f"DELETE FROM {table} WHERE in_group = ?1"
            " AND node NOT IN (SELECT node FROM members WHERE in_group = ?1)",
            (number,),
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
