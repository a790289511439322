"""A listener among people who mean it ill: the others go on, and nobody fills its memory."""

import asyncio
import contextlib
import gc
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import psutil
import pytest

from gateway.errors import BadHttp
from gateway.peers import listening
from gateway.peers.listening import Listener
from gateway.peers.waiting import SENDER_BYTES_MAX, WAITING_BYTES_MAX, Waiting
from gateway.peers.wire import to_node
from gateway.sync import link
from gateway.sync.link import Meeting, Parcel, Side
from gateway.transport import http_server, tls
from gateway.transport.certificate import self_signed
from gateway.transport.http import Request
from gateway.transport.http_client import Address, connected
from tests import linked
from tests.linked import HOST, said, started, until
from tests.people import run_of
from tests.test_https import ACE, BOLT, HUB, known

GREET = b"POST /hl/1/greet HTTP/1.1\r\nHost: x\r\nContent-Length: "


@pytest.fixture
def door() -> Iterator[tuple[Listener, int, linked.Ear]]:
    """Listen as the hub."""
    hub, port = linked.listener(HUB, known(HUB))
    with started(hub) as (ear,):
        until(lambda: hub.state == "up")
        yield hub, port, ear


def _secure(port: int) -> ssl.SSLSocket:
    plain = socket.create_connection((HOST, port), 20)
    return tls.dialling_context().wrap_socket(plain)


def _answer(near: socket.socket) -> bytes:
    """Read until the other end closes, or an answer is whole."""
    whole = b""
    with contextlib.suppress(OSError):
        while piece := near.recv(65_536):
            whole += piece
            head, found, body = whole.partition(b"\r\n\r\n")
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            if found and len(body) >= int(length or b"0"):
                break
    return whole


def _status(near: socket.socket) -> int:
    return int(_answer(near).split(b" ", 2)[1])


class Member:
    """A member's own client, that does as it likes."""

    def __init__(self, port: int) -> None:
        self.near = _secure(port)
        self.near.sendall(GREET + b"0\r\n\r\n")
        theirs = link.decode_challenge(_answer(self.near).partition(b"\r\n\r\n")[2])
        seen = sha256(self.near.getpeercert(binary_form=True) or b"").digest()
        meeting = Meeting(seen, theirs, os.urandom(32))
        proof = link.sign(run_of(ACE), Side.DIALLER, meeting)
        self.near.sendall(GREET + str(len(proof)).encode() + b"\r\n\r\n" + proof)
        self.answered = _answer(self.near)
        body = self.answered.partition(b"\r\n\r\n")[2]
        self.token = link.decode(body).token if b" 200 " in self.answered[:20] else b""

    def say(self, body: bytes) -> int:
        """Post, and give the status; 0 where the connection was closed."""
        head = f"POST /hl/1/say HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
        bearer = f"Authorization: Bearer {self.token.hex()}\r\n\r\n"
        try:
            self.near.sendall((head + bearer).encode() + body)
            return _status(self.near)
        except (OSError, IndexError):
            return 0


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 404, ""),
        (b"GET /hl/1/hear HTTP/1.1\r\nHost: x\r\n\r\n", 401, ""),
        (GREET + b"9999999999\r\n\r\n", 413, "link.large"),
        (b"POST /hl/1/say HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n", 401, ""),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 40_000, 431, "link.large"),
        (b"GET / HTTP/1.1\r\n" + b"X: x\r\n" * 8_000, 431, "link.large"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "link.http"),
        (b"\x16\x03\x01\x00\x00\r\n\r\n", 400, "link.http"),
        (GREET + b"0\r\n\r\n" + GREET + b"0\r\n\r\n", 400, "link.http"),
        (GREET + b"7\r\n\r\nno more", 403, "link.malformed"),
    ],
)
def test_whatever_is_asked_has_a_short_answer(
    door: tuple[Listener, int, linked.Ear], asked: bytes, status: int, code: str
) -> None:
    """What is too long, unknown or not HTTP is refused by its head, and counted."""
    hub, port, _ = door
    with _secure(port) as near:
        with contextlib.suppress(OSError):
            near.sendall(asked)
        assert _status(near) == status
        near.settimeout(5)
        with contextlib.suppress(OSError):
            assert near.recv(1) == b""
    assert not code or hub.counts[code] == 1


def test_a_proof_counts_once_and_on_its_own_connection(
    door: tuple[Listener, int, linked.Ear],
) -> None:
    """A proof that was good is worth nothing on another connection, or again on its own."""
    hub, port, _ = door
    member = Member(port)
    assert member.token
    with _secure(port) as other:
        meeting = Meeting(hub.certificate, os.urandom(32), os.urandom(32))
        proof = link.sign(run_of(ACE), Side.DIALLER, meeting)
        other.sendall(GREET + str(len(proof)).encode() + b"\r\n\r\n" + proof)
        assert _answer(other).endswith(b"link.proof")
    member.near.close()


def _until_closed(*near: socket.socket) -> None:
    for each in near:
        each.settimeout(20)
        with contextlib.suppress(OSError):
            while each.recv(65_536):
                pass


def _drip(near: socket.socket, stop: threading.Event) -> None:
    """Say a head, a byte at a time and never its end, until the other end hangs up."""
    with contextlib.suppress(OSError):
        while not stop.wait(0.3):
            near.send(b"G")


def test_idle_slow_and_half_open_ones_are_cut_and_the_others_go_on(
    door: tuple[Listener, int, linked.Ear], monkeypatch: pytest.MonkeyPatch
) -> None:
    """200 that only connect, others that stop in the handshake or drip: all cut within seconds.

    Meanwhile members are let in and heard, and the listener's memory stays as it is.
    """
    monkeypatch.setattr(http_server, "STRANGER_S_MAX", 5.0)
    hub, port, ear = door
    ace, bolt = linked.dialled(ACE, known(ACE), port), linked.dialled(BOLT, known(BOLT), port)
    stop = threading.Event()
    with started(ace, bolt) as (_, at_bolt):
        until(lambda: len(hub.direct) == 2)
        gc.collect()
        before = psutil.Process().memory_info().rss
        idle = [socket.create_connection((HOST, port), 20) for _ in range(200)]
        half = [socket.create_connection((HOST, port), 20) for _ in range(8)]
        for each in half:
            each.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        until(lambda: hub.counts["link.crowded"] >= 150)
        slow = [_secure(port) for _ in range(4)]
        threads = [threading.Thread(target=_drip, args=(each, stop)) for each in slow]
        for thread in threads:
            thread.start()
        late = linked.dialled(BOLT, known(BOLT), port, run=1)
        with started(late):
            until(lambda: late.state == "up")
            for number in range(10):
                ace.say([said(to_node(HUB.node.id), bytes([number]))])
                ace.say([said(to_node(BOLT.node.id), bytes([number]))])
            until(lambda: len(ear.heard_all) == 10 and len(at_bolt.heard_all) == 10)
            grown = psutil.Process().memory_info().rss - before
            _until_closed(*idle, *half)
            until(lambda: not any(thread.is_alive() for thread in threads))
        stop.set()
    assert hub.counts["link.late"] >= 1
    assert grown < 32 * 1024 * 1024


def test_who_floods_is_told_to_wait_then_cut_and_the_others_go_on(
    door: tuple[Listener, int, linked.Ear],
) -> None:
    """A member that posts without end gets 429, then is barred for a while; another is heard."""
    hub, port, ear = door
    bolt = linked.dialled(BOLT, known(BOLT), port)
    with started(bolt):
        until(lambda: bolt.state == "up")
        flooder = Member(port)
        statuses = [flooder.say(b"\x80")]
        while statuses[-1] and len(statuses) < 20_000:
            statuses.append(flooder.say(b"\x80"))
        assert set(statuses[:-1]) == {200, 429}
        assert hub.counts["link.flooding"] >= 100
        again = Member(port)
        assert b" 429 " in again.answered[:20] and b"retry-after" in again.answered.lower()
        bolt.say([said(to_node(HUB.node.id), b"still there")])
        until(lambda: ear.payloads() == [b"still there"])
        assert hub.direct == {BOLT.node.id}


def test_a_member_without_room_is_told_and_nothing_is_taken_twice(
    door: tuple[Listener, int, linked.Ear], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the ear has no room a post waits, then is 429, and none of it was taken."""
    monkeypatch.setattr(listening, "HELD_S_MAX", 0.6)
    _, port, ear = door
    member = Member(port)
    batch = link.encode_batch([Parcel(to_node(HUB.node.id), b"x")])
    ear.has_room = False
    assert member.say(batch) == 429
    ear.has_room = True
    assert member.say(batch) == 200
    assert ear.payloads() == [b"x"]


def test_what_waits_is_bounded_and_live_goes_first() -> None:
    """No more waits than its bound, no sender has more than its part, backlog makes room."""
    waiting = Waiting()
    backlog = Parcel(to_node(ACE.node.id), bytes(60_000), is_backlog=True)
    live = Parcel(to_node(ACE.node.id), bytes(60_000))
    while not waiting.put(backlog, b"one"):
        pass
    assert SENDER_BYTES_MAX - backlog.size <= waiting.size <= SENDER_BYTES_MAX
    while not waiting.put(backlog):
        pass
    assert WAITING_BYTES_MAX - backlog.size <= waiting.size <= WAITING_BYTES_MAX
    count = waiting.size // backlog.size
    assert waiting.put(live) == 1
    taken = [each for _ in range(count) for each in waiting.take(1)]
    assert [each.is_backlog for each in taken] == [False] + [True] * (count - 1)
    assert waiting.size == 0


def test_the_key_is_never_in_a_file_of_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """What OpenSSL reads the key from is memory, and closed when it was read."""
    opened: list[str] = []
    load = ssl.SSLContext.load_cert_chain

    def loaded(context: ssl.SSLContext, path: str) -> None:
        opened.append(str(Path(path).readlink()))
        load(context, path)

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", loaded)
    before = len(list(Path("/proc/self/fd").iterdir()))
    tls.listening_context(os.urandom(32))
    assert opened == ["/memfd:certificate (deleted)"]
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert "PRIVATE KEY" in self_signed(bytes(32))


def test_an_answer_without_end_is_read_no_further_than_it_may_be() -> None:
    """Whoever answers a dialler without saying how long its answer is fills no memory."""
    context, _ = tls.listening_context(os.urandom(32))
    door = socket.create_server((HOST, 0))
    told: list[int] = []

    def answer() -> None:
        near = context.wrap_socket(door.accept()[0], server_side=True)
        near.recv(4096)
        near.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        with contextlib.suppress(OSError):
            while len(told) < 64:
                near.sendall(bytes(1024 * 1024))
                told.append(1)

    async def ask() -> None:
        async with connected(Address(HOST, door.getsockname()[1]), None) as connection:
            with pytest.raises(BadHttp):
                await connection.ask(Request("POST", "/hl/1/greet"), 10.0, 4096)

    answering = threading.Thread(target=answer)
    answering.start()
    asyncio.run(ask())
    answering.join()
    door.close()
    assert len(told) < 64


@pytest.mark.parametrize("version", [b"1.1\r\nHost: x\r\nConnection: close", b"1.0"])
def test_what_follows_a_last_answer_is_no_defect(
    door: tuple[Listener, int, linked.Ear], version: bytes
) -> None:
    """A stranger that speaks on after it asked for one answer alone is cut, and that is all."""
    hub, port, _ = door
    with _secure(port) as near:
        near.sendall(b"POST /hl/1/greet HTTP/" + version + b"\r\nContent-Length: 0\r\n\r\n")
        assert _status(near) == 200
        with contextlib.suppress(OSError):
            near.sendall(b"and more")
        _until_closed(near)
    with _secure(port) as next_one:  # When it is answered, what became of the first is told.
        next_one.sendall(GREET + b"0\r\n\r\n")
        assert _status(next_one) == 200
    assert not hub.counts["link.defect"]


def test_who_says_what_is_no_batch_is_barred(door: tuple[Listener, int, linked.Ear]) -> None:
    """To find out costs more than to say it: so a member is asked to stay away for a while."""
    hub, port, _ = door
    member = Member(port)
    assert member.say(b"\x81" * 9) == 400
    assert hub.counts["link.malformed"] == 1
    assert b" 429 " in Member(port).answered[:20]
