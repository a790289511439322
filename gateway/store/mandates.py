"""Mandates that people gave, and what was done under them.

In: records as they are stored, of this run or of anybody. Out: a mandate with who signed it and
what was said of it since; what a node started under it, in any run. Whether that person may give it
is judged by who reads. Protocol: docs/protocol/mandate.md.
"""

from dataclasses import dataclass

import apsw

from gateway.activities import mandate, stated
from gateway.activities.mandate import SignedMandate
from gateway.errors import MalformedMandate, UnknownMandate
from gateway.records import identity
from gateway.records.identity import Certificate
from gateway.records.record import Kind, Record
from gateway.store import orders
from gateway.store.orders import By, Start, Word


@dataclass(frozen=True, slots=True)
class Given:
    """A mandate as it stands in a record, with the person who signed it and what was said since."""

    by: By
    activity: bytes
    person: Certificate
    said: SignedMandate
    words: tuple[Word, ...]


def keep(db: apsw.Connection, place: int, said: Record, content: bytes) -> None:
    """Keep a mandate; raise an AuthorError where the signature is not under its certificate."""
    if said.activity is None:
        raise MalformedMandate(reason="it stands in a record of no activity")
    told = stated.decode(Kind.MANDATE, content)
    given, person = mandate.decode(told.signed), told.certificate or b""
    given.verify(identity.decode(person, "person").key)
    row = (place, given.hash, told.signed, said.activity, person)
    if orders.is_room(db, place, ("mandates", "hash", given.hash), orders.COPIES_MAX):
        db.execute("INSERT INTO mandates VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", row)


def hash_of(db: apsw.Connection, named: str) -> bytes:
    """Find a mandate by its hash in hex, or the beginning of it; raise UnknownMandate."""
    found = orders.begins(db, "mandates", "hash", named)
    if len(found) != 1:
        raise UnknownMandate(mandate=named[:80], count="more than one" if found else "no")
    return found[0]


def load(db: apsw.Connection, named: bytes | None = None) -> list[Given]:
    """Give every mandate held, or each record in which this one stands."""
    rows = db.execute(
        "SELECT place, hash, encoded, activity, certificate FROM mandates"
        " WHERE ?1 IS NULL OR hash = ?1 ORDER BY place",
        (named,),
    )
    return [
        Given(
            orders.by_of(db, place),
            bytes(activity),
            identity.decode(person, "person"),
            mandate.decode(encoded),
            orders.words(db, bytes(hashed)),
        )
        for place, hashed, encoded, activity, person in list(rows)
    ]


def used(db: apsw.Connection, named: bytes, node: bytes) -> list[Start]:
    """Give all that a node started under a mandate, in any run."""
    rows = db.execute(
        "SELECT e.place, e.value FROM orders o JOIN executions e ON e.hash = o.hash"
        " JOIN feeds f ON f.number = e.place >> 32 WHERE o.mandate IS NOT NULL"
        " AND o.mandate = ? AND e.outcome IS NULL AND f.node = ? ORDER BY e.place",
        (named, node),
    )
    return [orders.start_at(db, place, value) for place, value in list(rows)]
