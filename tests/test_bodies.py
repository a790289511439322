"""Bodies too long to travel with their records: in pieces, resumed, refused, given up and found."""

import random
from hashlib import sha256

import pytest

from gateway.cli import accused
from gateway.errors import BadBody
from gateway.records import cbor, cose, record
from gateway.records.feed import feed_id
from gateway.records.record import Kind, Place, Said
from gateway.store import bodies, checking, evidence, feeds, freezing, outbox
from gateway.sync.fetching import OPEN_MAX
from gateway.sync.message import PIECE_BYTES, Body
from tests.people import moment, seed
from tests.pieces import Shops
from tests.sim.network import Temper

SIZE = 20 * PIECE_BYTES + 777


@pytest.mark.parametrize("clear", [True, False])
def test_a_long_body_travels_in_pieces_and_is_signed_for(clear: bool) -> None:
    """The record comes at once, the body after it, each piece once; then the outbox is empty."""
    shops = Shops("maker", "buyer", clear=clear)
    maker, buyer = shops.of["maker"], shops.of["buyer"]
    name = shops.attach("maker", SIZE)
    shops.settle(lambda: buyer.knows(name), 60_000, 1)
    assert buyer.body(name) is None
    shops.settle(lambda: buyer.body(name) is not None, 60_000)
    assert buyer.body(name) == maker.body(name)
    shops.settle(lambda: maker.lacking() == 0, 10_000)
    stored = len(maker.body(name) or b"")
    assert shops.given["maker"] == stored
    assert buyer.pieces() == 0
    assert checking.verify_all(buyer.db).ok


def test_a_record_whose_body_is_owed_stays_in_the_outbox_alone() -> None:
    """What came with its body leaves, before and after it; the one that is owed does not (I10)."""
    shops = Shops("maker", "buyer")
    maker, buyer = shops.of["maker"], shops.of["buyer"]
    shops.attach("maker", 10, 1)
    with maker.db:  # so that nobody can give it
        name = shops.attach("maker", SIZE, 2)
        maker.db.execute("UPDATE apart SET held = 0 WHERE hash IN (SELECT hash FROM apart)")
    shops.attach("maker", 10, 3)
    shops.settle(lambda: maker.lacking() == 1, 60_000)
    shops.pass_ms(30_000)
    (held,) = (h for h in maker.heads(shops.group) if h.size == 4)
    cover = outbox.cover(maker.db, buyer.node, held.feed)
    assert (cover.size, cover.owed, cover.prefix) == (4, ((2, 3),), 2)
    assert outbox.cursor(maker.db, buyer.node, held.feed) == 2
    before = shops.network.carried
    shops.pass_ms(120_000)
    assert shops.network.carried - before < 40  # the slow pace, and nothing said again and again
    with maker.db:
        maker.db.execute("UPDATE apart SET held = 1")
    shops.settle(lambda: maker.lacking() == 0, 3_600_000)
    assert buyer.body(name) == maker.body(name)


@pytest.mark.parametrize("whose", ["maker", "buyer"])
def test_a_restart_in_the_middle_goes_on_where_it_was(whose: str) -> None:
    """Of either side: what travels twice is at most what was under way."""
    shops = Shops("maker", "buyer", temper=Temper(delay_ms=300))
    buyer = shops.of["buyer"]
    name = shops.attach("maker", SIZE)
    shops.settle(lambda: buyer.pieces() >= 8, 60_000, 20)
    assert buyer.body(name) is None
    shops.of[whose].start()
    shops.settle(lambda: buyer.body(name) is not None, 120_000)
    stored = len(shops.of["maker"].body(name) or b"")
    twice = shops.given["maker"] - stored
    # What was under way to the run that ended; and one for each side that greets anew.
    assert 0 <= twice <= (OPEN_MAX + 2) * PIECE_BYTES < stored // 2


def test_over_a_bad_network_all_come_and_little_comes_twice() -> None:
    """Lost, doubled and reordered pieces cost themselves again, and not the body."""
    shops = Shops("maker", "buyer", temper=Temper(0.2, 0.3, 400))
    names = [shops.attach("maker", SIZE, seed) for seed in range(3)]
    buyer, maker = shops.of["buyer"], shops.of["maker"]
    shops.settle(lambda: all(buyer.body(name) for name in names), 1_800_000)
    stored = sum(len(maker.body(name) or b"") for name in names)
    assert shops.given["maker"] < 2 * stored


def test_a_body_comes_from_who_has_it_when_its_author_is_gone() -> None:
    """The carrier passes on what the maker wrote, to a buyer that was away."""
    shops = Shops("maker", "buyer", "carrier")
    buyer, carrier = shops.of["buyer"], shops.of["carrier"]
    shops.network.cut.add("buyer")
    name = shops.attach("maker", SIZE)
    shops.settle(lambda: carrier.body(name) is not None, 60_000)
    shops.network.cut = {"maker"}
    buyer.reconnect()
    shops.settle(lambda: buyer.body(name) is not None, 600_000)
    assert shops.given["carrier"] >= SIZE


def test_bodies_that_nobody_has_keep_no_other_waiting() -> None:
    """A hundred of them wait at a slow pace, while one that is there comes at its usual one."""
    shops = Shops("maker", "buyer")
    maker, buyer = shops.of["maker"], shops.of["buyer"]
    with maker.db:
        for seed in range(100):
            shops.attach("maker", PIECE_BYTES + 1, seed)
        maker.db.execute("UPDATE apart SET held = 0")
    shops.pass_ms(120_000)
    assert bodies.count_owed(buyer.db) == 100
    name = shops.attach("maker", SIZE, 1_000)
    took_ms = shops.settle(lambda: buyer.body(name) is not None, 60_000)
    assert took_ms < 20_000
    assert bodies.count_owed(buyer.db) == 100


def test_the_hash_is_the_records() -> None:
    """What is put together is what its author signed, by hash, length and commitment."""
    shops = Shops("maker", "buyer")
    name = shops.attach("maker", SIZE)
    buyer = shops.of["buyer"]
    shops.settle(lambda: buyer.body(name) is not None, 60_000)
    encoded = buyer.db.execute("SELECT encoded FROM records WHERE id = ?", (name,)).get
    said, body = record.parse(encoded), buyer.body(name) or b""
    assert said.body is not None and said.is_apart
    assert (said.body.hash, said.body.length) == (sha256(body).digest(), len(body))
    assert record.check_body(said, body)


def test_wrong_pieces_are_refused_counted_and_asked_of_another() -> None:
    """A carrier that gives another body costs one time more; it is asked no more for that one."""
    shops = Shops("maker", "buyer", "carrier")
    buyer, carrier = shops.of["buyer"], shops.of["carrier"]
    shops.network.cut.add("buyer")
    name = shops.attach("maker", SIZE)
    shops.settle(lambda: carrier.body(name) is not None, 60_000)
    right = carrier.body(name) or b""
    carrier.db.execute("UPDATE records SET body = ? WHERE id = ?", (right[::-1], name))
    shops.network.cut = {"maker"}
    buyer.reconnect()
    shops.settle(lambda: buyer.exchange.counts["record.body"] > 0, 600_000)
    assert buyer.body(name) is None and buyer.pieces() == 0
    shops.network.cut = set()
    before = shops.given["carrier"]
    shops.of["maker"].reconnect()
    shops.settle(lambda: buyer.body(name) is not None, 900_000)
    assert buyer.body(name) == right
    assert shops.given["carrier"] - before <= OPEN_MAX * PIECE_BYTES
    assert buyer.exchange.counts["record.body"] == 1


def test_pieces_never_asked_for_and_off_the_grid_are_counted_and_kept_nowhere() -> None:
    """Whoever signs them: of a body nobody owes, at huge offsets, cut short, or empty of sense."""
    shops = Shops("maker", "buyer")
    maker, buyer = shops.of["maker"], shops.of["buyer"]
    with maker.db:  # so that it is asked for, and not given
        name = shops.attach("maker", SIZE)
        maker.db.execute("UPDATE apart SET held = 0")
    shops.pass_ms(5_000)
    assert buyer.knows(name) and bodies.count_owed(buyer.db) == 1
    (wanted,) = bodies.owed(buyer.db, shops.group.id, 0, 9)
    piece = bytes(PIECE_BYTES)
    said = [
        Body(sha256(b"nobody owes it").digest(), 0, piece),
        Body(wanted.hash, (1 << 53) - 1 - PIECE_BYTES, piece),
        Body(wanted.hash, 20 * PIECE_BYTES, piece),
        Body(wanted.hash, 1, piece),
        Body(wanted.hash, PIECE_BYTES, piece[1:]),
        Body(wanted.hash, 0, b"x"),
    ]
    before = buyer.exchange.counts["sync.unasked"]
    for each in said:
        maker.tell(buyer.node, shops.group, each)
    shops.pass_ms(1_000)
    assert buyer.exchange.counts["sync.unasked"] - before == len(said)
    assert buyer.pieces() == 0
    tally = checking.verify_all(buyer.db)
    assert (tally.bodies_missing, tally.invalid, tally.faults) == (1, 0, [])
    assert any("bodies_missing: 1" in each for each in checking.notes(buyer.db))


def _bent(shops: Shops, size: int) -> bytes:
    """Have the maker sign a record that commits to another content than its body's; give its id."""
    maker, content = shops.of["maker"], random.Random(size).randbytes(size)
    feed = feeds.load(maker.db, feed_id(maker.run.key.public, shops.group.id))
    assert feed is not None
    place = Place(feed.id, feed.size, feed.last, shops.group.id, None)
    said = Said(Kind.ATTACHMENT, content, "application/octet-stream")
    signed, body = record.sign(maker.run.key, place, said, moment(), seed("salt"))
    payload = cbor.decode(cose.decode(signed, "record").payload, 2048)
    assert isinstance(payload, dict)
    payload[11][2] = sha256(b"something else").digest()
    bent, after = feed.accept(cose.sign(maker.run.key, "record", cbor.encode(payload)))
    with maker.db:
        feeds.append(maker.db, bent, body, after)
    maker._speak(maker.exchange.written(shops.group.id, shops.clock.now_ms))
    return bent.id


@pytest.mark.parametrize(("size", "is_kept"), [(45_000, False), (2 * PIECE_BYTES, True)])
def test_a_long_body_that_was_not_committed_to_is_remembered_where_it_is_found(
    size: int, is_kept: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is no evidence that travels: kept and counted against its author, and ends no feed."""
    shops = Shops("maker", "buyer")
    maker, buyer = shops.of["maker"], shops.of["buyer"]
    shops.attach("maker", 10)
    shops.pass_ms(5_000)
    name = _bent(shops, size)
    shops.settle(lambda: bool(evidence.impossible(buyer.db)), 120_000)
    assert (buyer.body(name) is not None) == is_kept
    (said,) = evidence.impossible(buyer.db)
    assert (said.node, said.code) == (maker.node, BadBody.code)
    assert said.count and buyer.exchange.counts[BadBody.code]
    assert evidence.count(buyer.db) == 0 and not freezing.every(buyer.db)
    accused.tell_impossible([said])
    assert BadBody.code in capsys.readouterr().out
