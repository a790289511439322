"""Proofs of stored records: all that the store holds to show one of them to somebody outside."""

import apsw

from gateway.errors import StoreDamaged
from gateway.records import feed, merkle, record
from gateway.records.feed import Genesis
from gateway.records.proof import Opening, Proof
from gateway.records.record import SALT_BYTES
from gateway.store import feeds, groups, outbox
from gateway.store.questions import Story


def of(db: apsw.Connection, story: Story) -> Proof:
    """Gather the proof of a record under its feed's present head; raise StoreDamaged."""
    said = story.record
    held = feeds.load(db, said.feed)
    if held is None or held.size <= said.seq:
        raise StoreDamaged(path=db.filename, reason="a record beyond its feed's head")
    genesis = _genesis(db, said.feed)
    known = groups.rosters(db).get(genesis.view.roster)
    node, run, encryption = genesis.credentials.encoded()
    opening = None
    if story.body is not None and said.key_number == 0:
        opening = Opening(story.body[:SALT_BYTES], story.body[SALT_BYTES:])
    return Proof(
        said.encoded,
        opening,
        merkle.inclusion(said.seq, held.size, feeds.subtree(db, said.feed)),
        held.head(),
        tuple(ack for _, size, ack in outbox.receipts(db, said.feed) if size > said.seq),
        certificates=(node, run, encryption),
        rosters=() if known is None else (known.encoded,),
    )


def _genesis(db: apsw.Connection, name: bytes) -> Genesis:
    first = feeds.slice_of(db, name, 0, 1, 1)
    if not first or first[0].body is None:
        raise StoreDamaged(path=db.filename, reason="a feed without its genesis")
    opened = record.parse(first[0].encoded)
    return feed.decode_genesis(record.check_body(opened, first[0].body))
