"""Whom the records held make known: nodes with their certificates, and who has not come yet.

In: a group. Out: the contacts that its geneses and additions show; the members that a node brought
in and that have opened no feed. It believes nothing that no root signed.
"""

import apsw

from gateway.groups.group import Group
from gateway.groups.heard import act_of, is_sound
from gateway.groups.membership import Add
from gateway.groups.parties import Contact
from gateway.records import identity
from gateway.records.feed import decode_genesis
from gateway.records.record import SALT_BYTES, Kind
from gateway.records.roster import Roster
from gateway.store import groups, membership


def of_group(db: apsw.Connection, group: bytes) -> dict[bytes, Contact]:
    """Give the nodes whose certificates a group's records hold, as they were said last.

    Whatever a member says of others counts only if their organisation's root signed it.
    """
    found: dict[bytes, Contact] = {}
    additions = _additions(db, group, None)
    within = _newest_roster(db, group) if additions else None
    for added in additions:
        if within is not None and is_sound(added, within):
            certificate = identity.decode(added.node_certificate, "node")
            found[certificate.subject] = Contact(certificate, added.member.encryption)
    rows = db.execute(
        "SELECT r.body FROM records r JOIN feeds f ON r.place = f.number << 32"
        " JOIN groups g ON g.number = f.in_group WHERE g.id = ? ORDER BY f.number",
        (group,),
    )
    for (body,) in rows:
        said = decode_genesis(body[SALT_BYTES:]).credentials
        found[said.node.subject] = Contact(said.node, said.encryption)
    return found


def invited_by(db: apsw.Connection, group: Group, node: bytes) -> set[bytes]:
    """Give the members that this node founded or added, and that have opened no feed yet.

    Whom somebody brought in who is no member any more, every member invites.
    """
    now = {member.node for member in membership.load(db, group.id).members}
    if node not in now:
        return set()
    brought = {added.member.node for added in _additions(db, group.id, node)}
    if group.founder.node.subject not in now - {node}:
        brought |= {member.node for member in group.founding.members}
    rows = db.execute(
        "SELECT DISTINCT f.node FROM feeds f JOIN groups g ON g.number = f.in_group WHERE g.id = ?",
        (group.id,),
    )
    came = {bytes(each) for (each,) in rows}
    return (brought & now) - came - {node}


def revoked_in(db: apsw.Connection, group: bytes) -> set[bytes]:
    """Give the revocations that were said in a clear group."""
    rows = db.execute(
        "SELECT r.body FROM records r JOIN feeds f ON f.number = r.place >> 32"
        " JOIN groups g ON g.number = f.in_group WHERE g.id = ? AND r.kind = ?",
        (group, int(Kind.REVOCATION)),
    )
    return {body[SALT_BYTES:] for (body,) in rows if body is not None}


def _additions(db: apsw.Connection, group: bytes, author: bytes | None) -> list[Add]:
    rows = db.execute(
        "SELECT r.body FROM records r JOIN feeds f ON f.number = r.place >> 32"
        " JOIN groups g ON g.number = f.in_group"
        " WHERE g.id = ?1 AND r.kind <= 3 AND r.kind = ?2"
        " AND (?3 IS NULL OR f.node = ?3 OR NOT EXISTS"
        " (SELECT 1 FROM members m WHERE m.in_group = g.number AND m.node = f.node))"
        " ORDER BY r.place",
        (group, int(Kind.MEMBERSHIP), author),
    )
    said = (act_of(body[SALT_BYTES:]) for (body,) in rows)
    return [act for act in said if isinstance(act, Add)]


def _newest_roster(db: apsw.Connection, group: bytes) -> Roster | None:
    consortium = db.execute(
        "SELECT r.consortium FROM groups g JOIN rosters r ON r.hash = g.roster WHERE g.id = ?",
        (group,),
    ).get
    rosters = groups.rosters(db, bytes(consortium)).values()
    return max(rosters, key=lambda each: each.number, default=None)
