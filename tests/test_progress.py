"""Catching up is told: in the log when it begins, now and then, and ends; to people in `status`."""

from dataclasses import replace

import pytest

from gateway.cli import running
from gateway.peers.exchange import PeerStatus
from gateway.peers.progress import EVERY_MS, SETTLED_MS, Progress
from tests.liar import BUYER, World
from tests.sim.device import Device

PEER = PeerStatus("ab" * 16, "buyer", "connected", 0, 0)


def test_the_log_says_when_it_begins_goes_on_and_ends() -> None:
    """One line at the beginning, one each half minute, one at the end; nothing of what is short."""
    progress, lines = Progress(), list[tuple[int, str]]()
    for now_ms in range(0, 100_000, 1_000):
        wanting = max(90_000 - now_ms, 0) // 10
        rate, eta_s = (100.0, wanting // 100) if now_ms > 10_000 else (0.0, None)
        peer = replace(PEER, wanting=wanting, rate=rate, eta_s=eta_s)
        lines += [(now_ms, line) for line in progress.see([peer], now_ms)]
    whens = [now_ms for now_ms, _ in lines]
    assert whens == [SETTLED_MS, SETTLED_MS + EVERY_MS, SETTLED_MS + 2 * EVERY_MS, 90_000]
    begun, still, _, ended = [line for _, line in lines]
    assert begun == "catching up with buyer abababab: 8700 records lacking, nothing comes now"
    assert "5700 records lacking, 100 a second, about 57 s left" in still
    assert ended == "caught up with buyer abababab: 8700 records"
    for now_ms in (100_000, 101_000, 102_000):
        peer = replace(PEER, wanting=now_ms == 101_000)
        assert progress.see([peer], now_ms) == []


@pytest.mark.parametrize(
    ("language", "moving", "still", "cut"),
    [
        ("en", "7 records lacking here, 3.5 a second, about 1:01:01 left", "nothing comes", "drop"),
        ("zh", "缺少 7 条记录，每秒 3.5 条，约剩 1:01:01", "没有收到", "丢弃至"),
    ],
)
def test_people_are_told_what_is_lacking_and_how_long_it_takes(
    monkeypatch: pytest.MonkeyPatch, language: str, moving: str, still: str, cut: str
) -> None:
    """In both languages: how much, how fast, how long; or that nothing comes; or that it floods."""
    monkeypatch.setenv("HULIAN_LANG", language)
    row = {"lacking": 0, "wanting": 7, "rate": 3.5, "eta_s": 3_661, "cut": None}
    assert moving in running._lacking(row)
    assert still in running._lacking({**row, "eta_s": None})
    assert cut not in running._lacking(row)
    told = running._lacking({**row, "cut": {"reason": "signed", "until": "12:00"}})
    assert cut in told and "12:00" in told


def test_status_counts_what_a_peer_signed_to_hold_until_it_is_here() -> None:
    """A backlog shows, with its rate, while it comes; then nothing is lacking, nor estimated."""
    world = World()
    world.network.cut.add(world.buyer.name)
    for _ in range(40):
        readings = Device("press buyer", world.buyer.dice).say(world.clock.now_ms)
        world.buyer.say(world.shared[0], readings)
    world.network.cut.discard(world.buyer.name)
    world.buyer.reconnect()
    seen = []
    for _ in range(4_000):
        world.pass_ms(1)
        status = world.maker.exchange.status(world.clock.now_ms)
        seen.append(next(each for each in status if each.node == BUYER.node.id.hex()))
    assert max(each.wanting for each in seen) >= 40
    assert seen[-1].wanting == 0 and seen[-1].eta_s is None
    assert seen[-1].rate > 0


def test_a_peer_that_does_not_answer_is_said_to_be_so() -> None:
    """What is offered again and again and never signed for: not answering, and no other waits."""
    world = World()
    world.network.cut.add(world.buyer.name)
    world.say()
    world.pass_ms(60_000)
    status = {each.organisation: each for each in world.maker.exchange.status(world.clock.now_ms)}
    assert status["buyer"].state == "not answering"
    world.network.cut.discard(world.buyer.name)
    world.buyer.reconnect()
    world.agree(60_000)
    status = {each.organisation: each for each in world.maker.exchange.status(world.clock.now_ms)}
    assert status["buyer"].state == "connected"
