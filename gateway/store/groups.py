"""Groups, rosters and revocations in the store: what may be shown of them.

In: what was verified. Out: the same, verified again where it is a chain. A group's secret is never
here: it stays in its file.
"""

from dataclasses import dataclass

import apsw

from gateway.errors import UnknownGroup
from gateway.groups import group
from gateway.groups.group import Group
from gateway.records import cbor, feed, identity
from gateway.records.identity import Certificate
from gateway.records.roster import Roster
from gateway.store import membership
from gateway.store.chain import rosters as rosters

NO_SECRET = b""


@dataclass(frozen=True, slots=True)
class Registered:
    """A group as the store knows it: its number in the file and its name on this gateway."""

    number: int
    name: str
    id: bytes


def register(db: apsw.Connection, name: str, joined: Group) -> None:
    """Keep a verified group under its name on this gateway; a known one may be renamed."""
    for each in joined.chain:
        keep_roster(db, each)
    db.execute(
        "INSERT INTO groups (id, name, founding, founder, roster) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET name = excluded.name",
        (
            joined.id,
            name,
            joined.encoded,
            cbor.encode(joined.founder.encoded()),
            joined.roster.hash,
        ),
    )
    membership.refold(db, joined.id)


def is_alone(db: apsw.Connection, group: bytes, node: bytes) -> bool:
    """Say whether of a group nothing is held that another node than this one wrote."""
    found = db.execute(
        "SELECT 1 FROM feeds f JOIN groups g ON g.number = f.in_group"
        " WHERE g.id = ? AND f.node <> ? LIMIT 1",
        (group, node),
    ).fetchone()
    return found is None


def keep_roster(db: apsw.Connection, known: Roster) -> bool:
    """Keep a verified roster; say whether it was new: then its groups go by it from now on.

    Of two with one number, which only more liars than a quorum survives can sign, the first stays.
    """
    db.execute(
        "INSERT INTO rosters SELECT ?1, ?2, ?3, ?4 WHERE NOT EXISTS"
        " (SELECT 1 FROM rosters WHERE consortium = ?3 AND number = ?4)",
        (known.hash, known.encoded, known.consortium, known.number),
    )
    if not db.changes():
        return False
    rows = db.execute(
        "SELECT g.id FROM groups g JOIN rosters r ON r.hash = g.roster WHERE r.consortium = ?",
        (known.consortium,),
    )
    for (name,) in list(rows):
        membership.refold(db, bytes(name))
    return True


def registered(db: apsw.Connection) -> list[Registered]:
    """Give all groups, by name."""
    rows = db.execute("SELECT number, name, id FROM groups ORDER BY name")
    return [Registered(number, name, bytes(identity)) for number, name, identity in rows]


def load(db: apsw.Connection, identity: bytes) -> Group:
    """Give a group, verified again and without its secret; raise UnknownGroup or what is wrong."""
    row = db.execute(
        "SELECT g.founding, g.founder, r.consortium FROM groups g"
        " JOIN rosters r ON r.hash = g.roster WHERE g.id = ?",
        (identity,),
    ).fetchone()
    if row is None:
        raise UnknownGroup(group=identity.hex()[:16])
    founding, founder, consortium = row
    certificates = cbor.decode(founder, group.FOUNDING_BYTES_MAX)
    match certificates:
        case [bytes() as node, bytes() as run, bytes() as encryption]:
            credentials = feed.decode_credentials(node, run, encryption)
            chain = tuple(rosters(db, consortium).values())
            return group.verify_among(founding, credentials, chain, NO_SECRET)
    raise UnknownGroup(group=identity.hex()[:16])


def keep_revocation(db: apsw.Connection, revocation: Certificate) -> bool:
    """Keep a verified revocation; say whether it bars more than what was held."""
    db.execute(
        "INSERT INTO revocations VALUES (?1, ?2, ?3, ?4) ON CONFLICT (issuer, subject) DO UPDATE"
        " SET counter = ?3, encoded = ?4 WHERE counter < ?3",
        (revocation.issuer, revocation.subject, revocation.counter, revocation.encoded),
    )
    return db.changes() > 0


def revoked(db: apsw.Connection) -> dict[tuple[bytes, bytes], int]:
    """Give, by organisation and node or person, up to which counter it bars its certificates."""
    bars: dict[tuple[bytes, bytes], int] = {}
    for encoded in revocations(db):
        said = identity.decode(encoded, "revocation")
        whose = said.issuer, said.subject
        bars[whose] = max(said.counter, bars.get(whose, 0))
    return bars


def revocations(db: apsw.Connection) -> list[bytes]:
    """Give the revocations held, each as its organisation's root signed it."""
    rows = db.execute("SELECT encoded FROM revocations ORDER BY subject, issuer")
    return [bytes(encoded) for (encoded,) in rows]
