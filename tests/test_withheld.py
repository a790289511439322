"""Records that a carrier withholds: they take another way, or are read without the rest."""

import random
from collections.abc import Sequence

from gateway.groups.group import Group
from gateway.peers import enclosing
from gateway.peers.wire import Outgoing
from gateway.store import islands, projections
from gateway.sync import control, envelope, message
from gateway.sync.message import Recs
from tests import people
from tests.sim.clock import Clock
from tests.sim.device import Device
from tests.sim.gateway import Gateway
from tests.sim.network import Network, Temper

MINUTE_MS = 60_000


def test_records_that_the_best_link_withholds_come_over_another() -> None:
    """Every signed word passes on both links, so nobody seems gone; records pass on one only."""
    clock, dice = Clock(), random.Random(7)
    network = Network(clock, dice, Temper(delay_ms=20), ("first", "second"))
    maker, buyer = people.party("maker"), people.party("buyer")
    group = people.group_of(maker, buyer, purpose="pressing", clear=True)
    publish = network.publish

    def withholding(name: str, outgoing: Outgoing, over: Sequence[str] | None = None) -> None:
        links = network.links if over is None else over
        if _are_records(outgoing, group):
            links = [link for link in links if link != "first"]
        publish(name, outgoing, links)

    network.publish = withholding  # type: ignore[method-assign]
    one, other = (Gateway(who, [group], clock, network, 1) for who in (maker, buyer))
    device = Device("press", dice)
    until_ms = 2 * MINUTE_MS
    while clock.now_ms < until_ms:
        clock.run(clock.now_ms + 500)
        one.say(group, device.say(clock.now_ms))
    (said,), came = one.heads(group), other.heads(group)
    assert came and came[0].size > said.size // 2


def _are_records(outgoing: Outgoing, group: Group) -> bool:
    """Say whether these are records; what is sealed to a node is not."""
    sent = envelope.decode(outgoing.payload)
    if sent.seal is envelope.Seal.NODE:
        return False
    content = enclosing.opened(group, sent)
    if content.startswith(control.MARK):
        return False
    return isinstance(message.decode(content), Recs)


def test_what_is_said_now_can_be_read_though_its_key_lies_in_the_backlog() -> None:
    """A key announced while a peer was away is said to it once more, before what it opens."""
    clock = Clock()
    network = Network(clock, random.Random(7), Temper(delay_ms=20))
    maker, buyer = people.party("maker"), people.party("buyer")
    group = people.group_of(maker, buyer, purpose="pressing", clear=False)
    publish = network.publish

    def without_backlog(name: str, outgoing: Outgoing, over: Sequence[str] | None = None) -> None:
        if outgoing.topic.startswith("hl/1/g/") or not _are_records(outgoing, group):
            publish(name, outgoing, over)

    one, other = (Gateway(who, [group], clock, network, 1) for who in (maker, buyer))
    device = Device("press", random.Random(7))
    _speak(clock, one, device, 3)
    clock.run(clock.now_ms + MINUTE_MS)
    network.cut.add(other.name)
    _speak(clock, one, device, 3)
    clock.run(clock.now_ms + 25 * 60 * MINUTE_MS)  # A day: the next record has another key.
    _speak(clock, one, device, 3)
    network.publish = without_backlog  # type: ignore[method-assign]
    network.cut.clear()
    other.reconnect()
    clock.run(clock.now_ms + 2_000)
    (feed,) = other.heads(group)
    _speak(clock, one, device, 6)
    clock.run(clock.now_ms + 2_000)
    island = islands.load(other.db, feed.feed)
    assert other.heads(group) == [feed] and island is not None
    assert island.stop == one.heads(group)[0].size
    assert not projections.unread(other.db, group.id)
    network.publish = publish  # type: ignore[method-assign]
    clock.run(clock.now_ms + 10 * MINUTE_MS)
    assert one.heads(group) == other.heads(group) and one.lacking() == 0


def _speak(clock: Clock, gateway: Gateway, device: Device, count: int) -> None:
    for _ in range(count):
        clock.run(clock.now_ms + 500)
        gateway.say(gateway.groups[0], device.say(clock.now_ms))
