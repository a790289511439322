"""Links: two gateways over two real brokers, of which one is stopped, killed, or stalls."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from gateway.config.settings import Link as Settings
from gateway.peers.link import FULL, UP
from gateway.peers.mqtt import BrokerLink
from gateway.peers.wire import Arrived, Outgoing
from tests import people
from tests.broker import Broker
from tests.node import Node, until

MIB = 1 << 20


def _broker(folder: Path, ends: ExitStack) -> Broker:
    folder.mkdir()
    broker = Broker(folder)

    def end() -> None:
        if broker.process.poll() is None:
            broker.process.send_signal(signal.SIGCONT)
            broker.stop()

    ends.callback(end)
    return broker


@contextmanager
def _pair(folder: Path) -> Iterator[tuple[list[Broker], Node, Node]]:
    maker, buyer = people.party("maker"), people.party("buyer")
    group = people.group_of(maker, buyer)
    with ExitStack() as ends:
        brokers = [_broker(folder / name, ends) for name in ("first", "second")]
        nodes = [Node(folder, who, group, brokers) for who in (maker, buyer)]
        for node in nodes:
            ends.callback(node.stop)
            node.start()
        for node in nodes:
            until(lambda node=node: _is_settled(node), node.told)  # type: ignore[misc]
        yield brokers, nodes[0], nodes[1]


def _is_settled(node: Node) -> bool:
    """Say whether both links are up and the peer was heard over the first."""
    links = node.links.links()
    return [each.state for each in links] == [UP, UP] and len(links[0].peers) == 1


def _both_say(one: Node, other: Node, already: int) -> int:
    """Have both say something and wait until both hold and have signed for all; give how many."""
    one.say(30)
    other.say(20)
    for node in (one, other):
        until(lambda node=node: node.held() == already + 50, node.told)  # type: ignore[misc]
        until(lambda node=node: node.lacking() == 0, node.told)  # type: ignore[misc]
    return already + 50


@pytest.mark.parametrize("fault", [signal.SIGSTOP, signal.SIGKILL], ids=["half-open", "killed"])
def test_when_a_link_ends_all_goes_over_the_other(tmp_path: Path, fault: signal.Signals) -> None:
    """Both directions, nothing lost and nothing twice; a stopped broker is left before its
    keep-alive says so, and used again once it goes on."""
    with _pair(tmp_path) as (brokers, maker, buyer):
        said = _both_say(maker, buyer, 0)
        brokers[0].process.send_signal(fault)
        said = _both_say(maker, buyer, said)
        if fault is signal.SIGSTOP:
            assert maker.links.links()[0].state == UP  # Nobody told it: it was found out.
            brokers[0].process.send_signal(signal.SIGCONT)
            said = _both_say(maker, buyer, said)
        else:
            brokers[0].process.wait(10)
            brokers[0].start()
            until(lambda: _is_settled(maker) and _is_settled(buyer), maker.told)
            _both_say(maker, buyer, said)


class _Deaf:
    """An ear that takes nothing until it is asked to."""

    def __init__(self) -> None:
        self.arrived: list[Arrived] = []
        self.is_full = False

    def heard(self, link: object, arrivals: list[Arrived]) -> bool:
        if not self.is_full:
            self.arrived += arrivals
        return not self.is_full

    def changed(self, link: object) -> None:
        """Nobody waits for it."""


@contextmanager
def _alone(broker: Broker) -> Iterator[tuple[BrokerLink, _Deaf]]:
    link = BrokerLink(Settings(name="b", url=broker.url, client_id="a"), bytes(16), ("hl/1/n/+",))
    ear = _Deaf()
    link.start(ear)  # type: ignore[arg-type]
    until(lambda: link.state == UP, lambda: link.reason)
    try:
        yield link, ear
    finally:
        link.stop()


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_a_stalled_broker_does_not_grow_memory_and_lets_the_link_stop(tmp_path: Path) -> None:
    """What it does not take is dropped and counted beyond the bounds; stop does not wait for it."""
    with ExitStack() as ends:
        broker = _broker(tmp_path / "broker", ends)
        with _alone(broker) as (link, _):
            broker.process.send_signal(signal.SIGSTOP)
            before, said = _resident(), 0
            while said < 2048 or not link.counts[FULL]:
                pieces = ((said + each).to_bytes(4, "big") * (16 * 1024) for each in range(16))
                link.say([Outgoing("hl/1/n/x", each, backlog=each[3] % 2 == 1) for each in pieces])
                said += 16
                time.sleep(0.002)  # What the kernels between both take is taken.
            assert not link.has_room()
            assert link.counts[FULL] * 64 * 1024 > 64 * MIB
            assert _resident() - before < 16 * MIB
            began = time.monotonic()
        assert time.monotonic() - began < 20


def test_what_an_ear_has_no_room_for_is_not_read_and_comes_later(tmp_path: Path) -> None:
    """While the ear is full nothing is read; after `resume` all of it comes, in order, once."""
    with ExitStack() as ends:
        broker = _broker(tmp_path / "broker", ends)
        with _alone(broker) as (link, ear):
            ear.is_full = True
            said = [Outgoing("hl/1/n/x", b"%d" % number * 1000) for number in range(200)]
            link.say(said)
            with suppress(AssertionError):
                until(lambda: bool(ear.arrived), str, 0.5)
            assert ear.arrived == []
            ear.is_full = False
            link.resume()
            until(lambda: len(ear.arrived) >= 200, lambda: len(ear.arrived))
            assert [each.payload for each in ear.arrived] == [each.payload for each in said]
            assert {each.link for each in ear.arrived} == {"b"}
