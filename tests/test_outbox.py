"""The outbox: a peer lacks what it has not signed for, and nothing else moves its cursor."""

import apsw
import pytest

from gateway.groups import agreement
from gateway.groups.agreement import Ack, Entry
from gateway.records import record
from gateway.records.feed import Feed, Head
from gateway.records.run import Run
from gateway.store import database, feeds, groups, outbox
from tests.people import chain, group_of, party, run_of

MAKER, BUYER, CARRIER = party("maker"), party("buyer"), party("carrier")
GROUP, OTHER = group_of(MAKER, BUYER, CARRIER), group_of(MAKER, BUYER, purpose="other")
RUNS = [run_of(MAKER, 1), run_of(MAKER, 2), run_of(BUYER, 1)]
LENGTHS = (5, 3, 4)


def _store() -> tuple[apsw.Connection, list[list[Feed]]]:
    """Give a store with three feeds of two nodes, and each feed as it was after each record."""
    db = database.connect(database.MEMORY)
    groups.register(db, "first", GROUP)
    groups.register(db, "second", OTHER)
    grown = []
    with db:
        for run, length in zip(RUNS, LENGTHS, strict=True):
            written = chain(run, GROUP, length)
            for each in written:
                feeds.append(db, record.parse(each.encoded), each.body, each.feed)
            grown.append([each.feed for each in written])
    return db, grown


def _ack(by: Run, head: Head) -> bytes:
    return agreement.sign(by.key, Ack(GROUP.id, MAKER.node.id, 1, (Entry(head),)))


def _lacks(db: apsw.Connection, node: bytes) -> int:
    return outbox.lacking(db, GROUP.id, node).records


def test_a_peer_lacks_what_others_wrote_until_it_signs() -> None:
    """A peer lacks all of every feed but its own; each ACK takes away exactly what it covers."""
    db, grown = _store()
    carrier, buyer = CARRIER.node.id, BUYER.node.id
    assert (_lacks(db, carrier), _lacks(db, buyer)) == (12, 8)
    by, first = run_of(CARRIER), grown[0]
    for size in (2, 5):
        head = first[size - 1].head()
        assert outbox.acknowledged(db, carrier, head, _ack(by, head))
        assert outbox.cursor(db, carrier, head.feed) == size
        assert _lacks(db, carrier) == 12 - size
    assert _lacks(db, buyer) == 8
    assert outbox.lacking(db, OTHER.id, carrier).records == 0


def test_a_cursor_never_goes_back() -> None:
    """An old ACK, or the same again, changes nothing: what was signed for stays signed for."""
    db, grown = _store()
    carrier, by = CARRIER.node.id, run_of(CARRIER)
    newer, older = grown[0][4].head(), grown[0][1].head()
    assert outbox.acknowledged(db, carrier, newer, _ack(by, newer))
    assert not outbox.acknowledged(db, carrier, older, _ack(by, older))
    assert not outbox.acknowledged(db, carrier, newer, _ack(by, newer))
    assert outbox.cursor(db, carrier, newer.feed) == 5
    assert outbox.receipts(db, newer.feed) == [(carrier, 5, _ack(by, newer))]


def test_an_ack_for_what_is_not_held_releases_nothing() -> None:
    """A head of a feed that this store does not know moves no cursor."""
    db, _ = _store()
    unknown = Head(b"u" * 32, 3, b"r" * 32)
    assert not outbox.acknowledged(db, CARRIER.node.id, unknown, b"")
    assert outbox.cursor(db, CARRIER.node.id, unknown.feed) == 0
    assert (_lacks(db, CARRIER.node.id), outbox.receipts(db, unknown.feed)) == (12, [])


def test_what_waits_is_given_feed_by_feed() -> None:
    """The feeds a peer has not signed for come once each, in order, without those it wrote."""
    db, grown = _store()
    node, names = BUYER.node.id, sorted(feed[-1].id for feed in grown[:2])
    found, after = [], b""
    while heads := outbox.waiting(db, GROUP.id, node, after, 1):
        (head,) = heads
        found.append(head)
        after = head.feed
    assert [head.feed for head in found] == names
    assert set(found) == {feed[-1].head() for feed in grown[:2]}
    done = found[0]
    outbox.acknowledged(db, node, done, _ack(RUNS[2], done))
    assert outbox.waiting(db, GROUP.id, node, b"", 9) == [found[1]]
    outbox.acknowledged(db, node, found[1], _ack(RUNS[2], found[1]))
    assert (outbox.waiting(db, GROUP.id, node, b"", 9), _lacks(db, node)) == ([], 0)


def test_what_comes_later_waits_again() -> None:
    """A feed that grows after its ACK waits from there on, and only that much is lacking."""
    db, grown = _store()
    node = BUYER.node.id
    for feed in grown[:2]:
        outbox.acknowledged(db, node, feed[-1].head(), _ack(RUNS[2], feed[-1].head()))
    more = chain(RUNS[0], GROUP, 7)[5:]
    with db:
        for each in more:
            feeds.append(db, record.parse(each.encoded), each.body, each.feed)
    assert outbox.waiting(db, GROUP.id, node, b"", 9) == [more[-1].feed.head()]
    assert _lacks(db, node) == 2


def test_a_release_that_is_rolled_back_did_not_happen() -> None:
    """Raising means nothing changed: an ACK whose commit fails leaves the outbox as it was."""
    db, grown = _store()
    head = grown[0][-1].head()
    with pytest.raises(ZeroDivisionError), db:
        assert outbox.acknowledged(db, CARRIER.node.id, head, _ack(run_of(CARRIER), head))
        raise ZeroDivisionError
    assert _lacks(db, CARRIER.node.id) == 12


def test_heads_say_how_far_each_feed_is_held() -> None:
    """Every feed of a group has one head, that of its last record; other groups have their own."""
    db, grown = _store()
    wanted = sorted(feed[-1].head() for feed in grown)
    assert feeds.heads(db, GROUP.id) == wanted
    assert feeds.heads(db, OTHER.id) == []
    assert [feeds.head(db, head.feed) for head in wanted] == wanted
    assert feeds.head(db, b"u" * 32) is None
    assert feeds.load(db, b"u" * 32) is None
    assert feeds.slice_of(db, b"u" * 32, 0, 9, 1 << 20) == []
    for steps in grown:
        for each in steps:
            assert feeds.root_at(db, each.id, each.size) == each.head().root
