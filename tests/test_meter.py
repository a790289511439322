"""Who floods is cut for a while and met again; nobody is cut by what others say in his name."""

import pytest
from hypothesis import given, strategies as some

from gateway.errors import FloodingPeer
from gateway.groups import agreement
from gateway.groups.agreement import Ack, Entry
from gateway.peers import wire
from gateway.peers.wire import Outgoing
from gateway.store import groups, outbox
from gateway.sync import envelope, message
from gateway.sync.decide import REPEATED
from gateway.sync.envelope import Envelope, Seal
from gateway.sync.message import PIECE_BYTES, Body, Heads
from gateway.sync.meter import (
    BYTES_MAX,
    CUT,
    KNOWN_MAX,
    MESSAGES_MAX,
    SHARE_A_S,
    Kind,
    Meter,
    Who,
)
from tests.liar import ALL, BUYER, LIAR, MAKER, World
from tests.people import admitted, party, seed
from tests.pieces import Shops
from tests.test_bad_peer import CATCHING_UP_MS

PEER = Who(Kind.PEER, b"a node")
GROUP = Who(Kind.GROUP, b"a tag", "broker")


@pytest.fixture
def world() -> World:
    """Give a world in which all have met."""
    return World()


def _flood(meter: Meter, who: Who, now_ms: int) -> int:
    """Charge until a cut begins; give how many messages that took."""
    for count in range(1, 3 * MESSAGES_MAX):
        if meter.charge(who, 100, now_ms, 0.5):
            return count
    raise AssertionError("never cut")


@given(
    some.lists(some.tuples(some.integers(0, 5_000), some.integers(0, 1 << 17)), max_size=80),
    some.sampled_from((PEER, GROUP)),
)
def test_whoever_stays_within_the_budget_is_never_cut(
    charges: list[tuple[int, int]], who: Who
) -> None:
    """A cut begins only where more was charged than a budget and what came back since."""
    meter, now_ms, messages, size = Meter(), 0, 0, 0
    for wait_ms, charged in charges:
        now_ms += wait_ms
        messages, size = messages + 1, size + charged
        if meter.charge(who, charged, now_ms, 0.5):
            assert messages > MESSAGES_MAX or size > BYTES_MAX
            return
    assert not meter.cuts(now_ms)


def test_who_floods_is_cut_ever_longer_and_met_again() -> None:
    """Ten seconds, twenty and so on to ten minutes, a quarter more or less; then it may speak."""
    meter, now_ms, waits = Meter(), 0, list[int]()
    for _ in range(9):
        _flood(meter, PEER, now_ms)
        (cut,) = meter.cuts(now_ms)
        assert not meter.passes(PEER, now_ms)
        waits.append(cut.until_ms - now_ms)
        now_ms = cut.until_ms
        assert meter.passes(PEER, now_ms) and not meter.cuts(now_ms)
    assert waits == sorted(waits)
    assert waits[0] == CUT.first_ms and waits[-1] == CUT.longest_ms


def test_of_what_nobody_proved_to_be_his_a_little_passes() -> None:
    """Honest ones may speak under the same name: so many messages a second are heard."""
    meter = Meter()
    _flood(meter, GROUP, 0)
    passed = sum(meter.passes(GROUP, now_ms) for now_ms in range(0, 5_000, 5))
    assert 5 * SHARE_A_S - 2 <= passed <= 6 * SHARE_A_S


def test_what_is_useful_pays_for_its_repeats_over_other_links() -> None:
    """However long records come over four links, nobody is cut for the three repeats."""
    meter = Meter()
    ways = [Who(Kind.TOPIC, b"a topic", f"link {number}") for number in range(4)]
    for number in range(20_000):
        now_ms = number * 5
        meter.earn(ways[0], 50_000, now_ms)
        assert not any(meter.charge(each, 50_000, now_ms, 0.5) for each in ways[1:])


def test_what_is_known_of_identities_is_bounded() -> None:
    """Names without end push each other out, and never beyond the bound."""
    meter = Meter()
    for number in range(3 * KNOWN_MAX):
        meter.charge(Who(Kind.LINK, b"", str(number)), 100, number, 0.5)
        assert len(meter._known) <= KNOWN_MAX


# The same over the whole exchange, with a liar that has valid keys of its own.


def _state(world: World, node: bytes) -> str:
    status = world.maker.exchange.status(world.clock.now_ms)
    return next(each.state for each in status if each.node == node.hex())


def _waste(world: World, count: int) -> None:
    """Have the liar sign, in its session, what leads to nothing."""
    for number in range(count):
        world.liar.control(message.wanted_whole((seed(f"nothing {number % 7}"),)))
    world.pass_ms(50)


def test_a_peer_that_signs_rubbish_is_cut_and_heard_again(world: World) -> None:
    """Dropped unread for a while, said so, the honest go on; afterwards it is a peer as before."""
    _waste(world, MESSAGES_MAX + 200)
    assert world.counted()[FloodingPeer.code] > 100
    assert _state(world, LIAR.node.id) == "flooding"
    assert _state(world, BUYER.node.id) == "connected"
    world.catch_up(CATCHING_UP_MS)
    world.pass_ms(60_000)
    before = world.counted()[FloodingPeer.code]
    world.liar.control(Heads(()))
    world.pass_ms(50)
    assert world.counted()[FloodingPeer.code] == before
    assert _state(world, LIAR.node.id) == "connected"


def test_nobody_is_cut_by_what_is_said_in_his_name(world: World) -> None:
    """On the buyer's topic, and to the maker unsigned: the honest two sync as before."""
    topic = wire.records_of(ALL.tag, BUYER.node.id)
    for number in range(3 * MESSAGES_MAX):
        said = Envelope(Seal.NONE, ALL.tag, message.encode(Body(seed("x"), number, b"x")))
        world.liar.publish(topic, envelope.encode(said))
        world.liar.say(Body(seed("x"), number, b"x"))
    world.pass_ms(50)
    assert world.counted()[FloodingPeer.code] > MESSAGES_MAX
    world.catch_up(CATCHING_UP_MS)
    world.converse()


def test_acknowledgements_pass_while_somebody_floods_their_group(world: World) -> None:
    """The buyer's ACKs, told again without end, cut nobody: its new ones move the outbox."""
    mine = wire.to_node(MAKER.node.id)
    old = [each for each in world.liar.heard if each.topic == mine]
    for number in range(6 * MESSAGES_MAX):
        again = old[number % len(old)]
        world.liar.publish(again.topic, again.payload)
    world.pass_ms(50)
    assert world.counted()[FloodingPeer.code] > 0
    world.catch_up(CATCHING_UP_MS)
    for head in world.own(world.maker):
        assert outbox.cursor(world.maker.db, BUYER.node.id, head.feed) == head.size
    states = {each.node: each.state for each in world.maker.exchange.status(world.clock.now_ms)}
    assert states[BUYER.node.id.hex()] == "connected"


def test_forged_acknowledgements_release_nothing_and_cut_nobody(world: World) -> None:
    """Signed by a key of nobody: counted, and charged to nobody who could be honest."""
    head = world.own(world.maker)[0]
    signed = agreement.sign(world.liar.run.key, Ack(ALL.id, BUYER.node.id, 1, (Entry(head),)))
    for _ in range(2 * MESSAGES_MAX):
        world.liar.say(agreement.decode(signed))
    world.pass_ms(50)
    assert world.signed_for() == 0
    assert world.counted()[REPEATED] == 0
    world.catch_up(CATCHING_UP_MS)


def _cut_the_group(world: World) -> int:
    """Flood the group with what nobody signed, until nothing of it passes; give what is dropped."""
    for number in range(2 * MESSAGES_MAX):
        world.liar.say(Body(seed("x"), number, b"x"))
    world.pass_ms(20)
    dropped = world.counted()[FloodingPeer.code]
    assert dropped > 0
    return dropped


def test_a_roster_that_was_asked_for_passes_while_somebody_floods_its_group(world: World) -> None:
    """Once; told again, or one that nobody asked for, it is dropped as the rest."""
    following, other = (
        admitted(ALL.roster, party(name), by=(MAKER, BUYER, LIAR)) for name in ("carrier", "other")
    )
    world.liar.greet(1, rosters=(following.hash,))
    world.pass_ms(50)
    dropped = _cut_the_group(world)
    for each, more in ((following, 0), (following, 1), (other, 2)):
        world.liar.say(Body(each.hash, 0, each.encoded))
        world.pass_ms(5)
        held = set(groups.rosters(world.maker.db))
        assert following.hash in held and other.hash not in held
        assert world.counted()[FloodingPeer.code] == dropped + more


def test_pieces_that_were_asked_for_pass_while_somebody_floods_their_group() -> None:
    """A long body comes as quickly as if nobody flooded."""
    shops = Shops("maker", "buyer")
    buyer = shops.of["buyer"]
    for number in range(2 * MESSAGES_MAX):
        said = message.encode(Body(seed("x"), number, b"x"))
        payload = envelope.encode(Envelope(Seal.NONE, shops.group.tag, said))
        shops.network.publish("maker", Outgoing(wire.to_node(buyer.node), payload))
    shops.pass_ms(50)
    assert buyer.exchange.counts[FloodingPeer.code] > 0
    name = shops.attach("maker", 20 * PIECE_BYTES)
    shops.settle(lambda: buyer.body(name) is not None, 9_000)


def test_pieces_that_nobody_asked_for_are_charged_to_whoever_signed_them(world: World) -> None:
    """They are answered for like everything that leads to nothing."""
    for number in range(BYTES_MAX // PIECE_BYTES + 2):
        world.liar.control(Body(seed("x"), number * PIECE_BYTES, bytes(PIECE_BYTES)))
    world.pass_ms(50)
    assert _state(world, LIAR.node.id) == "flooding"


def test_bytes_too_few_for_a_message_end_nothing_while_their_group_is_cut(world: World) -> None:
    """Whatever is in an envelope is looked at before it is decoded: it may be nothing at all."""
    dropped = _cut_the_group(world)
    for content in (b"", b"\x84", b"\x84\x04", b"\x84\x06", b"\x82\x08"):
        world.liar.tell(content)
    world.pass_ms(5)
    assert world.counted()[FloodingPeer.code] == dropped + 5
    world.catch_up(CATCHING_UP_MS)
