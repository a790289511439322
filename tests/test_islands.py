"""Records beyond a gap: seen at once, signed for only when the gap is closed."""

from dataclasses import replace

import apsw
import pytest

from gateway.completeness import Absent, Extent, Holder
from gateway.errors import BeyondGap
from gateway.groups.group import Group
from gateway.peers import enclosing, wire
from gateway.peers.wire import Arrived
from gateway.query import Question
from gateway.records.feed import Head
from gateway.store import (
    checking,
    claims,
    evidence,
    feeds,
    freezing,
    islands,
    outbox,
    proofs,
    questions,
)
from gateway.sync import envelope, message
from gateway.sync.message import Carried, Recs
from tests import people
from tests.liar import ALL, APART, LIAR, MAKER, World, enveloped
from tests.people import chain, moment, seed
from tests.sim.gateway import Gateway
from tests.sim.mishaps import Mishaps
from tests.sim.options import plain_options

_ACK_START = bytes((0x82, message.Type.ACK))


def _broadcast(world: World, to: Gateway, by: bytes, within: Group, said: Recs) -> list[bytes]:
    """Have a gateway hear what a node says to all; give what it says to that in the group."""
    content = enveloped(message.encode(said), within)
    arrived = Arrived(wire.records_of(within.tag, by), envelope.encode(content))
    said_back = to.exchange.receive([arrived], world.clock.now_ms)
    return [enclosing.opened(within, envelope.decode(each.payload)) for each in said_back]


def _own(world: World) -> Head:
    (head,) = feeds.tips(world.maker.db, APART.id, MAKER.node.id)
    return head


def _apart(sayings: int = 9) -> tuple[World, int]:
    """Have the buyer miss what the maker says; give how much of its feed it holds."""
    world = World()
    world.network.cut.add(world.buyer.name)
    for _ in range(sayings):
        world.say()
    return world, _size(world)


def _size(world: World) -> int:
    held = feeds.head(world.buyer.db, _own(world).feed)
    assert held is not None
    return held.size


def _live(world: World, start: int, stop: int) -> None:
    """Have the buyer hear, of all that the maker said, these records and nothing else."""
    name = _own(world).feed
    held = feeds.slice_of(world.maker.db, name, start, stop, 1 << 20)
    carried = tuple(Carried(each.encoded, each.body) for each in held)
    assert len(carried) == stop - start
    answers = _broadcast(world, world.buyer, MAKER.node.id, APART, Recs(name, start, carried))
    assert not any(each.startswith(_ACK_START) for each in answers)


def _span(gateway: Gateway, feed: bytes) -> tuple[int, int] | None:
    found = islands.load(gateway.db, feed)
    return None if found is None else (found.start, found.stop)


def _extent(gateway: Gateway) -> Extent:
    known = claims.extents(gateway.db, None, gateway.node)
    return next(each for each in known if each.id == APART.id)


def _check(db: apsw.Connection) -> checking.Tally:
    """See that the store is what it says."""
    steps = (checking.heads, checking.tiles, checking.totals, checking.indexes, checking.members)
    for step in steps:
        assert step(db) == []
    tally = checking.verify_all(db)
    assert tally.ok and not tally.faults
    assert tally.checked == db.execute("SELECT count(*) FROM records").get
    return tally


def _seen(gateway: Gateway, feed: bytes) -> list[int]:
    """Give the numbers of a feed's records that answer a question for all there is."""
    told = questions.select(gateway.db, Question(), gateway.node)
    return sorted(each.record.seq for each in told if each.record.feed == feed)


def _meet(world: World) -> None:
    """Let the buyer get all that it missed."""
    world.network.cut.clear()
    world.buyer.reconnect()
    world.agree(60_000)
    assert islands.load(world.buyer.db, _own(world).feed) is None
    assert feeds.head(world.buyer.db, _own(world).feed) == _own(world)
    assert _seen(world.buyer, _own(world).feed) == _seen(world.maker, _own(world).feed)
    _check(world.buyer.db)


def test_what_is_said_now_is_seen_beyond_a_gap_and_signed_for_by_nobody() -> None:
    """It answers questions and is verified; head, receipts and completeness know of the gap."""
    world, size = _apart()
    name, before = _own(world).feed, _check(world.buyer.db)
    stop = _own(world).size
    _live(world, stop - 3, stop - 1)
    _live(world, stop - 1, stop)
    assert _span(world.buyer, name) == (stop - 3, stop) and _size(world) == size
    assert _seen(world.buyer, name)[-3:] == [stop - 3, stop - 2, stop - 1]
    assert _check(world.buyer.db).valid == before.valid + 3
    assert outbox.cursor(world.maker.db, world.buyer.node, name) == size
    extent = _extent(world.buyer)
    holders = (Holder(MAKER.node.id, stop, None),)
    assert extent.absent == (Absent(name, size, holders, (), (stop - 3, stop)),)
    assert (extent.complete, extent.missing) == (False, stop - 3 - size)
    assert extent.said_by() == {MAKER.node.id: stop - 3 - size}
    _meet(world)
    assert _extent(world.buyer).complete


def test_there_is_no_proof_of_it_yet() -> None:
    """A proof needs all records before it; when they have come, it is there."""
    world, _ = _apart()
    stop = _own(world).size
    _live(world, stop - 1, stop)
    (held,) = feeds.slice_of(world.maker.db, _own(world).feed, stop - 1, stop, 1)
    (told,) = (
        each
        for each in questions.select(world.buyer.db, Question(), b"")
        if each.record.encoded == held.encoded
    )
    story = questions.find(world.buyer.db, told.record.id.hex())
    with pytest.raises(BeyondGap, match=f"number {stop - 1} of its feed"):
        proofs.of(world.buyer.db, story)
    _meet(world)
    assert proofs.of(world.buyer.db, story).record == held.encoded


def test_of_two_islands_the_newest_is_kept_and_a_restart_keeps_it() -> None:
    """One a feed: what is older is let go of with its index, and comes as backlog."""
    world, size = _apart()
    name, stop = _own(world).feed, _own(world).size
    _live(world, stop - 6, stop - 4)
    _live(world, stop - 2, stop - 1)
    assert _span(world.buyer, name) == (stop - 2, stop - 1)
    assert _check(world.buyer.db) and _seen(world.buyer, name)[-2:] == [size - 1, stop - 2]
    _live(world, stop - 6, stop - 4)
    world.buyer.start()
    _live(world, stop - 4, stop)
    assert _span(world.buyer, name) == (stop - 2, stop)
    _meet(world)


def test_an_island_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full one gives way to one that begins where it ended; a group has only so many."""
    monkeypatch.setattr(islands, "RECORDS_MAX", 2)
    world, _ = _apart()
    stop = _own(world).size
    _live(world, stop - 5, stop)
    assert _span(world.buyer, _own(world).feed) == (stop - 1, stop)
    _check(world.buyer.db)
    _meet(world)
    monkeypatch.setattr(islands, "ISLANDS_MAX", 0)
    world.network.cut.add(world.buyer.name)
    world.say()
    world.say()
    stop = _own(world).size
    _live(world, stop - 1, stop)
    assert _span(world.buyer, _own(world).feed) is None


def test_who_is_a_member_no_more_has_no_island() -> None:
    """What was said beyond the cut is let go of; what counts of it is asked for."""
    world, _ = _apart()
    stop = _own(world).size
    _live(world, stop - 2, stop)
    db = world.buyer.db
    db.execute("DELETE FROM members WHERE node = ?", (MAKER.node.id,))
    islands.drop_strangers(db, APART.id)
    assert _span(world.buyer, _own(world).feed) is None
    assert checking.heads(db) == checking.totals(db) == []


def _lie(world: World, start: int, records: list[Carried]) -> bytes:
    name = chain(world.liar.run, ALL, 1)[0].feed.id
    _broadcast(world, world.maker, LIAR.node.id, ALL, Recs(name, start, tuple(records)))
    return name


def _both(world: World, count: int) -> list[Carried]:
    return [Carried(each.encoded, each.body) for each in chain(world.liar.run, ALL, count)]


def _other(world: World) -> Carried:
    """Give a fourth record of the liar that follows another third than the one it says."""
    two = chain(world.liar.run, ALL, 2)[-1].feed
    other = world.liar.run.write(two, people.observation(9), moment(9), seed("another salt"))
    after = people.after(world.liar.run, other.feed, 3)
    return Carried(after.encoded, after.body)


def test_a_wrong_record_beyond_a_gap_is_not_kept() -> None:
    """One changed byte, a body left out, another number: counted, and nothing is stored."""
    world = World()
    said = _both(world, 6)
    last = said[5].record
    changed = Carried(last[:-1] + bytes([last[-1] ^ 1]), said[5].body)
    name = _lie(world, 0, said[:2])
    _lie(world, 5, [changed])
    _lie(world, 5, [Carried(last, None)])
    _lie(world, 4, [said[5]])
    assert _span(world.maker, name) is None and not world.maker.exchange.forks
    counted = world.counted()
    assert counted["cose.signature"] == counted["record.body"] == counted["feed.chain"] == 1
    _lie(world, 5, [said[5]])
    assert _span(world.maker, name) == (5, 6)


def test_a_fork_within_an_island_freezes_its_feed() -> None:
    """A record that its author signed, and that follows another than the island's last."""
    world = World()
    said = _both(world, 5)
    name = _lie(world, 0, said[:1])
    _lie(world, 2, [said[2]])
    _lie(world, 3, [_other(world)])
    assert freezing.frozen(world.maker.db, name) == 2
    assert _span(world.maker, name) is None and world.maker.exchange.frozen == {name}
    assert [each.finding.seq for each in evidence.held(world.maker.db)] == [2]
    assert world.counted()["feed.fork"] == 1


def test_where_an_island_is_of_another_history_the_feed_without_a_gap_decides() -> None:
    """When the feed has grown up to it, it goes, and the fork that both show is counted."""
    world = World()
    said = _both(world, 4)
    name = _lie(world, 0, said[:1])
    _lie(world, 3, [_other(world)])
    assert _span(world.maker, name) == (3, 4)
    _lie(world, 1, said[1:3])
    assert _span(world.maker, name) is None and world.maker.exchange.frozen == {name}
    held = feeds.load(world.maker.db, name)
    assert held is not None and held.size == freezing.frozen(world.maker.db, name) == 2
    assert checking.heads(world.maker.db) == checking.totals(world.maker.db) == []


def test_worlds_with_islands_converge(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where much is lost and late, islands come and are reached, in stores that stay whole."""
    kept, keep = list[bytes](), islands.keep

    def counting(db: apsw.Connection, feed: bytes, records: object) -> int:
        kept.append(feed)
        return keep(db, feed, records)  # type: ignore[arg-type] # It is passed on.

    monkeypatch.setattr(islands, "keep", counting)
    for number in (3, 11):
        bad = replace(plain_options(number), nodes=3, groups=1, sayings=60, loss=0.3)
        bad = replace(bad, cuts=3, cut_ms_max=2_000, delay_ms=500, days_down=0)
        Mishaps(bad).live()
    assert len(kept) > 10
