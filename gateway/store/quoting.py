"""What an order and a word about it name: a fresh record of the target, what the word is about.

In: a group and a node; the name of an order, a mandate or a record. Out: the newest record held of
that node's newest run; in which activity it stands. Protocol: docs/protocol/order.md.
"""

from dataclasses import dataclass
from typing import Any

import apsw

from gateway.errors import UnknownOrder
from gateway.records import record
from gateway.records.record import Kind, Moment
from gateway.store import feeds, keyring


@dataclass(frozen=True, slots=True)
class Quotable:
    """A record that an order can quote, and when it was written."""

    feed: bytes
    seq: int
    moment: Moment


@dataclass(frozen=True, slots=True)
class Subject:
    """What a word is about: in which activity it stands, its record, and what shows it.

    `parts` are the signed order or mandate, or a record and its salted content.
    """

    activity: bytes
    record: bytes
    parts: tuple[bytes, ...]


def quotable(db: apsw.Connection, group: bytes, node: bytes) -> Quotable | None:
    """Give the newest record held of the run of a node that was heard of last, in a group."""
    row: tuple[Any, ...] | None = db.execute(
        "SELECT f.id, h.size, r.encoded FROM feeds f JOIN groups g ON g.number = f.in_group"
        " JOIN heads h ON h.feed = f.number"
        " JOIN records r ON r.place = (f.number << 32) + h.size - 1"
        " WHERE g.id = ?1 AND f.node = ?2 AND h.size > 0 AND NOT EXISTS (SELECT 1"
        " FROM successions s JOIN feeds l ON l.number = s.later WHERE s.earlier = f.id"
        " AND l.node = ?2) ORDER BY f.number DESC LIMIT 1",
        (group, node),
    ).fetchone()
    if row is None:
        return None
    feed, size, encoded = row
    return Quotable(bytes(feed), size - 1, record.parse(encoded).moment)


def moment_of(db: apsw.Connection, feed: bytes, seq: int) -> Moment | None:
    """Say when a record was written; None where it is not held."""
    found = feeds.slice_of(db, feed, seq, seq + 1, 0)
    return record.parse(found[0].encoded).moment if found else None


def id_at(db: apsw.Connection, feed: bytes, seq: int) -> bytes | None:
    """Name the record that has a number in a feed; None where it is not held."""
    found = feeds.slice_of(db, feed, seq, seq + 1, 0)
    return record.parse(found[0].encoded).id if found else None


def subject_of(db: apsw.Connection, about: bytes) -> Subject:
    """Say what a word is about: an order, a mandate, or a record; raise UnknownOrder."""
    row: tuple[Any, ...] | None = db.execute(
        "SELECT o.activity, r.id, o.encoded FROM orders o JOIN sightings s ON s.hash = o.hash"
        " JOIN records r ON r.place = s.place WHERE o.hash = ?1 UNION ALL"
        " SELECT m.activity, r.id, m.encoded FROM mandates m JOIN records r ON r.place = m.place"
        " WHERE m.hash = ?1 LIMIT 1",
        (about,),
    ).fetchone()
    if row is not None:
        return Subject(bytes(row[0]), bytes(row[1]), (bytes(row[2]),))
    row = db.execute("SELECT encoded, body FROM records WHERE id = ?", (about,)).fetchone()
    if row is None or row[1] is None:
        raise UnknownOrder(order=about.hex(), count="no")
    said = record.parse(row[0])
    opened = keyring.opening(db, said, row[1])
    activity = said.id if said.kind is Kind.ACTIVITY_OPEN else said.activity
    if opened is None or activity is None:
        raise UnknownOrder(order=about.hex(), count="no")
    return Subject(activity, said.id, (said.encoded, opened.salt + opened.content))
