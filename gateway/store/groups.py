"""Groups and rosters in the store: what may be shown of them. A secret stays in its file."""

from dataclasses import dataclass

import apsw

from gateway.errors import UnknownGroup
from gateway.groups import group
from gateway.groups.group import Group
from gateway.records import cbor, feed, roster
from gateway.records.roster import Roster
from gateway.store import membership

NO_SECRET = b""


@dataclass(frozen=True, slots=True)
class Registered:
    """A group as the store knows it: its number in the file and its name on this gateway."""

    number: int
    name: str
    id: bytes


def register(db: apsw.Connection, name: str, joined: Group) -> None:
    """Keep a verified group under its name on this gateway; a known one may be renamed."""
    db.execute(
        "INSERT INTO rosters VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (joined.roster.hash, joined.roster.encoded, joined.founding.consortium, 0),
    )
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


def registered(db: apsw.Connection) -> list[Registered]:
    """Give all groups, by name."""
    rows = db.execute("SELECT number, name, id FROM groups ORDER BY name")
    return [Registered(number, name, bytes(identity)) for number, name, identity in rows]


def load(db: apsw.Connection, identity: bytes) -> Group:
    """Give a group, verified again and without its secret; raise UnknownGroup or what is wrong."""
    row = db.execute(
        "SELECT g.founding, g.founder, r.encoded FROM groups g JOIN rosters r ON r.hash = g.roster"
        " WHERE g.id = ?",
        (identity,),
    ).fetchone()
    if row is None:
        raise UnknownGroup(group=identity.hex()[:16])
    founding, founder, encoded = row
    certificates = cbor.decode(founder, group.FOUNDING_BYTES_MAX)
    match certificates:
        case [bytes() as node, bytes() as run, bytes() as encryption]:
            credentials = feed.decode_credentials(node, run, encryption)
            return group.verify(founding, credentials, roster.decode(encoded), NO_SECRET)
    raise UnknownGroup(group=identity.hex()[:16])


def rosters(db: apsw.Connection) -> dict[bytes, Roster]:
    """Give every roster held, verified again, by its hash."""
    held = (roster.decode(row[0]) for row in db.execute("SELECT encoded FROM rosters"))
    return {each.hash: each for each in held}
