"""A carrier that passes on everything but records: they take another way."""

import random
from collections.abc import Sequence

from gateway.peers.wire import Outgoing
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
        if _are_records(outgoing):
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


def _are_records(outgoing: Outgoing) -> bool:
    """Say whether these are records, of a clear group; what is sealed to a node is not."""
    sent = envelope.decode(outgoing.payload)
    if sent.seal is not envelope.Seal.NONE or sent.content.startswith(control.MARK):
        return False
    return isinstance(message.decode(sent.content), Recs)
