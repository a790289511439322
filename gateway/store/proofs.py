"""Proofs of stored records: all that the store holds to show one of them to somebody outside.

In: a record's story. Out: a proof, with what is held of each part. It judges nothing: the verdict
upon it is the reader's. Protocol: docs/protocol/proof.md.
"""

from collections.abc import Iterator
from itertools import islice

import apsw

from gateway.errors import BeyondGap, StoreDamaged
from gateway.groups import agreement, announcement
from gateway.records import merkle
from gateway.records.proof import (
    MEMBERSHIP_MAX,
    RECEIPTS_MAX,
    Founded,
    Pair,
    Proof,
    Receipt,
)
from gateway.records.record import SALT_BYTES, Kind, Record
from gateway.store import feeds, freezing, groups, islands, membership, outbox, peers, ways
from gateway.store.questions import Story


def of(db: apsw.Connection, story: Story) -> Proof:
    """Gather the proof of a record with the receipts that are held.

    Raises StoreDamaged, or BeyondGap where records before it have not come.

    A sealed body is shown by its salt and content, which open no other record.
    """
    said = story.record
    held = feeds.load(db, said.feed)
    island = islands.load(db, said.feed)
    if held is not None and island is not None and island.start <= said.seq < island.stop:
        missing = island.start - held.size
        raise BeyondGap(record=said.id.hex()[:16], seq=said.seq, missing=missing)
    size = freezing.reach(db, said.feed)
    if size <= said.seq:
        raise StoreDamaged(path=db.filename, reason="a record beyond its feed's head")
    among = groups.load(db, said.group)
    known = groups.rosters(db, among.founding.consortium).values()
    *earlier, newest = sorted(known, key=lambda each: each.number)
    return Proof(
        said.encoded,
        story.opening,
        tuple(islice(_receipts(db, said, size), RECEIPTS_MAX)),
        ways.certificates(ways.opened(db, said.feed)),
        newest.encoded,
        Founded(among.encoded, ways.certificates(among.founder)),
        tuple(each.encoded for each in earlier),
        ways.of(db, said, story.node, newest),
        _membership(db, said),
    )


def _receipts(db: apsw.Connection, said: Record, size: int) -> Iterator[Receipt]:
    """Give of each other node what it signed that covers a record with its body.

    A receipt record rather than an ACK, which nobody but its receiver would have.
    """
    shown = set[bytes]()
    for name, place, covered in _receipt_records(db, said):
        genesis = ways.opened(db, name)
        if genesis.node.subject in shown or covered > size:
            continue
        shown.add(genesis.node.subject)
        encoded, body = _pair(db, place)
        path = merkle.inclusion(said.seq, covered, feeds.subtree(db, said.feed))
        yield Receipt(encoded, ways.certificates(genesis), path, body)
    for node, _, encoded in outbox.receipts(db, said.feed):
        if not encoded or node in shown:
            continue
        claim = agreement.decode(encoded)
        runs = (each for each in peers.runs(db, claim.kid) if each.node.subject == node)
        credentials = next(runs, None)
        entry = next((each for each in claim.ack.entries if each.head.feed == said.feed), None)
        if credentials is None or entry is None or entry.head.size > size:
            continue
        if entry.cover.covers(said.seq):
            shown.add(node)
            path = merkle.inclusion(said.seq, entry.head.size, feeds.subtree(db, said.feed))
            yield Receipt(encoded, ways.certificates(credentials), path)


def _receipt_records(db: apsw.Connection, said: Record) -> Iterator[tuple[bytes, int, int]]:
    """Give the newest receipt record of each feed that covers a record: feed, place, size."""
    others = db.execute(
        "SELECT o.number, o.id FROM feeds o JOIN feeds f ON f.in_group = o.in_group"
        " AND f.node <> o.node WHERE f.id = ? ORDER BY o.number DESC",
        (said.feed,),
    )
    for number, name in list(others):
        rows = db.execute(
            "SELECT place, size FROM receipted WHERE about = ? AND place >= ? AND place < ?"
            " AND root IS NULL AND whole > ? ORDER BY place DESC LIMIT 1",
            (said.feed, feeds.place(number, 0), feeds.place(number + 1, 0), said.seq),
        )
        for place, size in list(rows):
            if membership.counts(db, bytes(name), feeds.parted(place)[1]):
                yield bytes(name), place, size


def _membership(db: apsw.Connection, said: Record) -> tuple[Pair, ...]:
    """Give the views of a record, and who was added, each after what it needs.

    Where that is too much for a proof, the views alone.
    """
    number = feeds.feed_number(db, said.feed)
    assert number is not None, "a proof is of a held record"
    own = set(_views(db, number, said))
    rows = db.execute(
        "SELECT r.place FROM records r JOIN feeds f ON f.number = r.place >> 32"
        " WHERE f.in_group = (SELECT in_group FROM feeds WHERE number = ?)"
        " AND r.kind <= 2 AND r.kind = 2 LIMIT ?",
        (number, MEMBERSHIP_MAX),
    )
    acts = {int(place) for (place,) in rows}
    views = {each for place in acts for each in _view_at(db, place)}
    shown = own | acts | views
    pairs = (_pair(db, place) for place in sorted(shown if len(shown) <= MEMBERSHIP_MAX else own))
    return tuple(pairs)


def _views(db: apsw.Connection, number: int, said: Record) -> Iterator[int]:
    """Give where a record's view is said, and where its key was announced."""
    place = feeds.place(number, said.seq)
    yield from _view_at(db, place)
    if said.key_number:
        rows = db.execute(
            "SELECT place, body FROM records WHERE place >= ? AND place < ? AND kind <= 2"
            " AND kind = ? ORDER BY place DESC",
            (feeds.place(number, 0), place, int(Kind.ANNOUNCEMENT)),
        )
        for where, body in rows:
            announced = announcement.decode(body[SALT_BYTES:])
            if (announced.feed, announced.number) == (said.feed, said.key_number):
                yield int(where)
                return


def _view_at(db: apsw.Connection, place: int) -> Iterator[int]:
    """Give the genesis of a record's feed, and what last said a view up to it."""
    start = feeds.place(place >> 32, 0)
    yield start
    yield db.execute(
        "SELECT max(place) FROM records WHERE place >= ? AND place <= ? AND kind <= 2"
        " AND kind <> 2",
        (start, place),
    ).get


def _pair(db: apsw.Connection, place: int) -> Pair:
    rows = db.execute("SELECT encoded, body FROM records WHERE place = ?", (place,))
    encoded, body = next(rows)
    return bytes(encoded), bytes(body)
