"""Who was removed still knows its group's secret: it fills nobody's disk, and parts nobody."""

from collections.abc import Sequence

from gateway.peers import allowance, wire
from gateway.peers.allowance import BEYOND_MAX, UNCOUNTED_FEEDS_MAX
from gateway.records.feed import Feed, Head
from gateway.store import feeds, membership
from gateway.sync import envelope, message
from gateway.sync.message import Carried, Heads, Listed
from tests.liar import BUYER, LIAR, MAKER, enveloped
from tests.lies import recs, written
from tests.outside import TRIO, Sealed
from tests.people import Party, run_of
from tests.sim.gateway import Gateway

_AT_ONCE = 100


def _flood(world: Sealed, run: int, records: Sequence[Carried], to: Party = MAKER) -> None:
    """Have the liar give a feed of one of its runs to a node, as fast as it can."""
    for start in range(0, len(records), _AT_ONCE):
        said = recs(run_of(LIAR, run), TRIO, records[start : start + _AT_ONCE], start)
        payload = envelope.encode(enveloped(message.encode(said), TRIO))
        world.liar.publish(wire.to_node(to.node.id), payload)
        world.pass_ms(20)


def _held(gateway: Gateway) -> dict[bytes, int]:
    return feeds.sizes(gateway.db, TRIO.id, LIAR.node.id)


def test_an_old_feed_of_the_removed_grows_by_its_allowance_alone() -> None:
    """What counts is kept, and 1,024 records more; all else is refused, and nobody waits for it."""
    world, records = Sealed(), written(run_of(LIAR), TRIO, 1_600)
    _flood(world, 0, records[:50])
    world.converse()
    world.remove()
    _flood(world, 0, records)
    ((name, size),) = _held(world.maker).items()
    assert membership.counted(world.maker.db, name) == 50
    assert size == 50 + BEYOND_MAX
    assert world.counted()["group.beyond-cut"] == 1  # The rest follows nothing that is held.
    world.converse()
    world.pass_ms(60_000)
    assert _held(world.maker) == _held(world.buyer)
    assert not any(each.lacking for each in world.maker.exchange.status(world.clock.now_ms))


def test_new_feeds_of_the_removed_share_one_allowance() -> None:
    """However many runs it starts, and whatever was offered of them by who may not."""
    world = Sealed()
    world.remove()
    for run in range(1, UNCOUNTED_FEEDS_MAX + 9):
        _flood(world, run, written(run_of(LIAR, run), TRIO, 90))
    sizes = _held(world.maker)
    assert len(sizes) <= UNCOUNTED_FEEDS_MAX and sum(sizes.values()) == BEYOND_MAX
    world.converse()
    assert sum(_held(world.buyer).values()) <= BEYOND_MAX


def test_feeds_of_which_nothing_counts_are_few() -> None:
    """Short ones are no way around."""
    world = Sealed()
    world.remove()
    for run in range(1, UNCOUNTED_FEEDS_MAX + 9):
        _flood(world, run, written(run_of(LIAR, run), TRIO, 2))
    assert len(_held(world.maker)) == UNCOUNTED_FEEDS_MAX
    assert world.counted()["group.beyond-cut"] == 8


def test_what_a_member_took_before_it_heard_is_taken_of_it() -> None:
    """Its acts may stand on it: who signs that it holds more is asked, and all hold the same."""
    world, records = Sealed(), written(run_of(LIAR), TRIO, 1_600)
    _flood(world, 0, records[:50])
    world.converse()
    world.network.cut.add(world.maker.name)
    world.maker_removes()
    _flood(world, 0, records, BUYER)
    assert list(_held(world.buyer).values()) == [1_600]
    world.network.cut.discard(world.maker.name)
    world.maker.reconnect()
    world.agree(120_000)
    world.pass_ms(60_000)
    assert _held(world.maker) == _held(world.buyer)
    _flood(world, 0, written(run_of(LIAR), TRIO, 2_000))
    assert list(_held(world.maker).values()) == [1_600]


def test_a_hint_that_nobody_signed_opens_nothing() -> None:
    """Whoever knows the secret can say in a member's name that there is more."""
    world, records = Sealed(), written(run_of(LIAR), TRIO, 1_200)
    world.remove()
    name = recs(run_of(LIAR), TRIO, records[:1]).feed
    hint = Heads((Listed(Head(name, 1 << 30, bytes(32))),))
    payload = envelope.encode(enveloped(message.encode(hint), TRIO))
    world.liar.publish(wire.heads_of(TRIO.tag, BUYER.node.id), payload)
    world.pass_ms(20)
    _flood(world, 0, records)
    assert list(_held(world.maker).values()) == [BEYOND_MAX]


def test_a_member_has_no_bound() -> None:
    """The allowance is of who was removed, and no other."""
    world, records = Sealed(), written(run_of(LIAR), TRIO, 1_200)
    _flood(world, 0, records)
    assert list(_held(world.maker).values()) == [1_200]
    opened = feeds.load(world.maker.db, recs(run_of(LIAR), TRIO, records[:1]).feed)
    assert isinstance(opened, Feed)
    held = membership.load(world.maker.db, TRIO.id)
    assert allowance.size_max(held, opened, {bytes(32): 1 << 20}) > 1 << 50
