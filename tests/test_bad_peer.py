"""A member with valid keys of its own that lies: refused, counted, and nobody else disturbed.

It speaks to the production exchange over the simulator's network. After each lie: no cursor of its
outbox has moved, nothing held is gone, and two honest members go on syncing as before.
"""

import functools
import random
from hashlib import sha256

import pytest

from gateway.errors import RevokedNode
from gateway.peers import wire
from gateway.records import identity
from gateway.records.feed import Head, View
from gateway.records.run import Origin
from gateway.store import feeds, groups, outbox
from gateway.sync import decide, envelope, message
from gateway.sync.envelope import Envelope, Seal
from gateway.sync.message import Carried, Heads, Listed, Recs
from tests.liar import ALL, APART, BUYER, LIAR, MAKER, PAIR, World
from tests.lies import LIES, Lie
from tests.people import moment, seed
from tests.vectors.build_message import HIGHEST


@pytest.fixture
def world() -> World:
    """Give a world in which all have met."""
    return World()


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
def test_a_lie_is_counted_and_disturbs_nobody(world: World, lie: Lie) -> None:
    """It is refused under its code; no outbox moves, nothing held is lost, the honest go on."""
    held = {head.feed: head.size for head in world.own(world.maker) + world.own(world.buyer)}
    lie(world)
    world.pass_ms(200)
    assert world.counted() == LIES[lie]
    assert world.signed_for() == 0
    for name, size in held.items():
        for gateway in (world.maker, world.buyer):
            head = feeds.head(gateway.db, name)
            assert head is not None and head.size >= size
    world.converse()
    assert world.signed_for() == 0


# Floods: what a peer may cost, and whom it may keep waiting.

CATCHING_UP_MS = 15_000


def nowhere(number: int) -> Heads:
    """Say that 500 feeds are held, which nobody has."""
    listed = sorted(sha256(b"nowhere %d %d" % (number, each)).digest() for each in range(500))
    return Heads(tuple(Listed(Head(name, HIGHEST, name)) for name in listed))


def test_feeds_that_are_nowhere_keep_nobody_waiting(world: World) -> None:
    """However many a peer names in its session, what others hold is asked for as before."""
    for number in range(20):
        world.liar.control(nowhere(number))
    world.pass_ms(100)
    world.catch_up(CATCHING_UP_MS)


def test_hints_in_anothers_name_keep_nobody_waiting(world: World) -> None:
    """Heads on the buyer's topic may be anybody's: what it offers in its session comes first."""
    for number in range(20):
        said = Envelope(Seal.NONE, ALL.tag, message.encode(nowhere(number)))
        world.liar.publish(wire.heads_of(ALL.tag, BUYER.node.id), envelope.encode(said))
    world.pass_ms(100)
    world.catch_up(CATCHING_UP_MS)


def test_a_genesis_that_names_what_is_nowhere_keeps_nobody_waiting(world: World) -> None:
    """Earlier feeds that a genesis names are asked of everybody, after what is really offered."""
    named = tuple(sorted(each.head for each in nowhere(0).rows))
    first = world.liar.run.begin(
        ALL.id, Origin(named, View(ALL.roster.hash)), moment(), seed("salt")
    )
    world.liar.say(Recs(first.feed.id, 0, (Carried(first.encoded, first.body),)))
    world.pass_ms(100)
    assert feeds.head(world.maker.db, first.feed.id) is not None
    world.catch_up(CATCHING_UP_MS)


def test_a_feed_placed_in_a_wrong_group_is_asked_for_in_its_own(world: World) -> None:
    """The liar says of a feed of others that it is in its group, before its author offers it."""
    world.network.cut.add(world.buyer.name)
    world.buyer.start()
    world.say()
    coming = feeds.tips(world.buyer.db, APART.id, BUYER.node.id)[0]
    for within in (ALL, PAIR):
        world.liar.control(Heads((Listed(Head(coming.feed, HIGHEST, coming.root)),)), within)
    world.pass_ms(100)
    world.catch_up(CATCHING_UP_MS)


def _told(world: World) -> int:
    """Count the bytes that went to the liar alone."""
    mine = wire.to_node(LIAR.node.id)
    return sum(len(each.payload) for each in world.liar.heard if each.topic == mine)


def test_greetings_without_end_are_answered_now_and_then(world: World) -> None:
    """What a greeting costs us is bounded, however many different ones come."""
    world.pass_ms(20_000)
    before = _told(world)
    for number in range(400):
        world.liar.greet(number + 1)
    world.pass_ms(100)
    assert world.counted()["sync.unanswered"] >= 380
    assert _told(world) - before < 128 * 1024
    world.catch_up(CATCHING_UP_MS)


def test_rosters_asked_for_without_end_are_given_now_and_then(world: World) -> None:
    """A request of a hundred bytes does not fetch a roster each time."""
    world.pass_ms(20_000)
    before = len(world.liar.heard)
    for _ in range(300):
        world.liar.control(message.wanted_whole((ALL.roster.hash,)))
    world.pass_ms(100)
    given = len(world.liar.heard) - before
    assert 16 <= given - 300 < 40  # It hears what it says to the maker itself.
    world.catch_up(CATCHING_UP_MS)


def test_everything_that_was_ever_said_again_changes_nothing(world: World) -> None:
    """Whoever keeps all messages and says them again moves no outbox and ends no session."""
    mine = world.own(world.maker)
    for arrived in list(world.liar.heard):
        world.liar.publish(arrived.topic, arrived.payload)
    world.pass_ms(1_000)
    assert world.signed_for() == 0
    assert world.own(world.maker) == mine
    for head in mine:
        assert outbox.cursor(world.maker.db, BUYER.node.id, head.feed) == head.size
    states = {each.node: each.state for each in world.maker.exchange.status(world.clock.now_ms)}
    assert states[BUYER.node.id.hex()] == "connected"
    world.catch_up(CATCHING_UP_MS)


def test_messages_damaged_on_the_way_are_lost_and_nothing_else(world: World) -> None:
    """Whatever bit is flipped in whatever was said: counted, and the honest go on."""
    dice = random.Random(11)
    for arrived in list(world.liar.heard):
        for _ in range(10):
            payload = bytearray(arrived.payload)
            payload[dice.randrange(len(payload))] ^= 1 << dice.randrange(8)
            world.liar.publish(arrived.topic, bytes(payload))
    world.pass_ms(1_000)
    assert world.signed_for() == 0
    assert world.counted().total() > 50
    world.catch_up(CATCHING_UP_MS)


def test_greetings_in_anothers_name_keep_nobody_apart(world: World) -> None:
    """A member's certificates are no secret, so anybody may greet with them: all the time, here."""
    for number in range(200):
        forged = functools.partial(world.liar.greet, number + 1, world.buyer.run)
        world.clock.after(100 * number, forged)
    world.catch_up(CATCHING_UP_MS)
    world.converse()


def test_an_earlier_greeting_said_again_keeps_nobody_apart(world: World) -> None:
    """What the buyer said in an earlier run is said again, all the time."""
    mine = wire.to_node(MAKER.node.id)
    early = [each for each in world.liar.heard if each.topic == mine]
    world.buyer.start()
    world.converse()
    for number in range(200):
        for arrived in early[:9]:
            again = functools.partial(world.liar.publish, arrived.topic, arrived.payload)
            world.clock.after(100 * number, again)
    world.catch_up(CATCHING_UP_MS)
    world.converse()


def test_a_peer_learns_nothing_of_a_consortium_that_it_is_not_in(world: World) -> None:
    """Who else is a partner is neither greeted with nor given by the roster's hash."""
    world.pass_ms(20_000)
    (greeting, *_) = world.liar.greetings()
    assert APART.roster.hash not in greeting
    assert ALL.roster.hash in greeting
    before = world.counted()[decide.NOT_HELD]
    world.liar.control(message.wanted_whole((APART.roster.hash,)))
    world.pass_ms(100)
    assert world.counted()[decide.NOT_HELD] == before + 1


def test_who_is_revoked_is_not_spoken_with_and_nobody_bars_another(world: World) -> None:
    """A HELLO under a certificate that its own organisation revoked is refused, and no other."""
    world.pass_ms(20_000)
    node = LIAR.node.id
    for by, refused in ((BUYER, 0), (LIAR, 1)):
        said = identity.issue_revocation(by.root, (by.root.id, node), 1)
        with world.maker.db:
            groups.keep_revocation(world.maker.db, identity.decode(said, "revocation"))
        world.maker.exchange.regroup()
        world.liar.greet(refused + 1)
        world.pass_ms(100)
        assert world.counted()[RevokedNode.code] == refused
