"""Beyond 65,536 records of a feed: roots, paths and proofs over two levels of tiles."""

import dataclasses
from dataclasses import dataclass
from hashlib import sha256

import apsw
import pytest

from gateway.errors import ProofFails
from gateway.groups import agreement, verdict
from gateway.groups.agreement import Ack, Entry
from gateway.readings import senml
from gateway.readings.reading import Provenance, Reading
from gateway.records import merkle, proof, record
from gateway.records.feed import Feed
from gateway.records.merkle import Frontier
from gateway.records.record import Kind, Said
from gateway.store import checking, database, feeds, groups, outbox, peers, proofs, questions
from tests.people import after, group_of, moment, opened, party, run_of, seed

MAKER, BUYER = party("maker"), party("buyer")
GROUP = group_of(MAKER, BUYER)
RUN, PEER = run_of(MAKER), run_of(BUYER)
SPAN = 1 << 16
SIZE = SPAN + 700
# Only the ends are real records: what lies between are leaves, which the tree takes for the same.
SIZES = (1, 255, 256, SPAN - 1, SPAN, SPAN + 1, SPAN + 512, SIZE)


@dataclass(frozen=True)
class Long:
    """A store with one long feed, and the ids that went into it."""

    db: apsw.Connection
    feed: Feed
    ids: list[bytes]


def _observation(number: int) -> Said:
    reading = Reading("press-1", "strokes", number, time_ms=moment(number).unix_ms)
    (pack,) = senml.encode([reading], Provenance.GATEWAY_ATTESTED)
    return Said(Kind.OBSERVATION, pack.encoded, senml.CONTENT_TYPE)


@pytest.fixture(scope="module")
def long() -> Long:
    db = database.connect(database.MEMORY)
    groups.register(db, "own", GROUP)
    genesis = opened(RUN, GROUP)
    second = after(RUN, genesis.feed, 1)
    template = record.parse(second.encoded)
    now, ids = genesis.feed, [genesis.id]
    with db:
        feeds.append(db, record.parse(genesis.encoded), genesis.body, genesis.feed)
        for seq in range(1, SIZE - 3):
            leaf = sha256(seq.to_bytes(4, "big")).digest()
            now = now.extended(leaf)
            leaf_record = dataclasses.replace(template, seq=seq, id=leaf, encoded=b"")
            feeds.append(db, leaf_record, None, now)
            ids.append(leaf)
        for seq in range(SIZE - 3, SIZE):
            written = RUN.write(now, _observation(seq), moment(seq), seed(f"salt {seq}"))
            now = written.feed
            feeds.append(db, record.parse(written.encoded), written.body, now)
            ids.append(written.id)
    return Long(db, now, ids)


def test_every_finished_subtree_has_its_tile(long: Long) -> None:
    """Each 256 records have a tile, each 65,536 one of tiles; the check finds all of them right."""
    rows = long.db.execute("SELECT level, count(*) FROM tiles GROUP BY level").fetchall()
    assert rows == [(8, SIZE // 256), (16, SIZE // SPAN)]
    assert (checking.tiles(long.db), checking.heads(long.db)) == ([], [])
    assert feeds.load(long.db, long.feed.id) == long.feed


@pytest.mark.parametrize("size", SIZES)
def test_roots_are_those_of_the_records(long: Long, size: int) -> None:
    """Whatever the tiles shorten, each size has the one root of RFC 6962."""
    assert feeds.root_at(long.db, long.feed.id, size) == _root(long, size)


@pytest.mark.parametrize("index", [0, 255, 256, SPAN - 1, SPAN, SPAN + 300, SIZE - 1])
def test_a_record_is_shown_to_be_under_the_head(long: Long, index: int) -> None:
    """An inclusion path over tiles leads from the record to the head, from no other record."""
    path = merkle.inclusion(index, SIZE, feeds.subtree(long.db, long.feed.id))
    assert len(path) >= 8
    assert merkle.root_by_inclusion(long.ids[index], index, SIZE, path) == long.feed.head().root
    other = long.ids[index - 1]
    assert merkle.root_by_inclusion(other, index, SIZE, path) != long.feed.head().root


@pytest.mark.parametrize("size", SIZES[:-1])
def test_a_head_is_shown_to_continue_an_earlier_one(long: Long, size: int) -> None:
    """A consistency path over tiles verifies between the two roots, and for no other root."""
    path = merkle.consistency(size, SIZE, feeds.subtree(long.db, long.feed.id))
    merkle.verify_consistency(size, _root(long, size), SIZE, long.feed.head().root, path)
    with pytest.raises(ProofFails):
        merkle.verify_consistency(size, bytes(32), SIZE, long.feed.head().root, path)


def test_a_proof_spans_the_tiles(long: Long) -> None:
    """A record far beyond the first tile of tiles is proved with a peer's ACK of the whole feed."""
    with long.db:
        ack = agreement.sign(PEER.key, Ack(GROUP.id, MAKER.node.id, 1, (Entry(long.feed.head()),)))
        assert outbox.acknowledged(long.db, PEER.node, long.feed.head(), ack)
        peers.remember(long.db, PEER.credentials)
    story = questions.find(long.db, long.ids[SIZE - 2].hex())
    gathered = proofs.of(long.db, story)
    (receipt,) = gathered.receipts
    shown = verdict.judge(proof.encode(gathered), {GROUP.roster.hash})
    assert shown.holds, [statement.reason for statement in shown.statements]
    short = dataclasses.replace(receipt, path=receipt.path[:-1])
    assert not verdict.judge(
        proof.encode(dataclasses.replace(gathered, receipts=(short,))), {GROUP.roster.hash}
    ).holds


@pytest.mark.parametrize("level", [8, 16])
def test_a_changed_tile_is_found(long: Long, level: int) -> None:
    """The check computes each tile from what is below it, and names the one that differs."""
    with pytest.raises(_UndoneError), long.db:
        long.db.execute(
            "UPDATE tiles SET hash = ? WHERE level = ? AND number = 0", (bytes(32), level)
        )
        faults = checking.tiles(long.db)
        assert f"feed 1: tile 0 of level {level} is not its records' root" in faults
        raise _UndoneError
    assert checking.tiles(long.db) == []


class _UndoneError(Exception):
    """Takes back what a test changed."""


def _root(long: Long, size: int) -> bytes:
    return Frontier().extended(long.ids[:size]).root()
