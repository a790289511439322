"""Ends of HTTPS links for tests: nodes, ears that remember, a man in the middle."""

import contextlib
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from gateway.groups.fold import fold
from gateway.groups.group import Group
from gateway.peers.dialling import Dialled
from gateway.peers.guests import Guests
from gateway.peers.https import Own
from gateway.peers.link import Link
from gateway.peers.listening import Listener
from gateway.peers.wire import Arrived, Outgoing
from gateway.transport import tls
from gateway.transport.http_client import Address
from gateway.transport.http_server import Listening
from tests.people import Party, run_of

HOST = "127.0.0.1"


def guests_of(who: Party, *groups: Group) -> Guests:
    """Say who may come to a node that is in these groups."""
    return Guests(
        who.node.id,
        {group.tag: fold(group.founding) for group in groups},
        {group.tag: group.roster for group in groups},
        tuple({group.roster.consortium: group.roster for group in groups}.values()),
        {},
    )


@dataclass
class Known:
    """What a node knows, and may learn while it is linked."""

    guests: Guests
    unix_ms: int = 0

    def revoke(self, who: Party, counter: int = 1) -> None:
        """Learn that an organisation revoked its node's certificate."""
        whose = who.root.id, who.node.id
        self.guests = replace(self.guests, revoked={**self.guests.revoked, whose: counter})


def own_of(who: Party, known: Known, run: int = 0) -> Own:
    """Give a run of a node as its links need it."""
    return Own(run_of(who, run), lambda: known.guests, lambda: known.unix_ms, os.urandom)


@dataclass
class Ear:
    """Whoever is behind a link: remembers all, and may have no room."""

    heard_all: list[Arrived] = field(default_factory=list)
    changes: int = 0
    has_room: bool = True

    def heard(self, link: Link, arrivals: Sequence[Arrived]) -> bool:
        """Take all, or nothing."""
        if self.has_room:
            self.heard_all.extend(arrivals)
        return self.has_room

    def changed(self, link: Link) -> None:
        """Count."""
        self.changes += 1

    def payloads(self) -> list[bytes]:
        """Give what was heard, without whence."""
        return [each.payload for each in self.heard_all]


def until(holds: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait until something holds."""
    over_s = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < over_s, "it never came to that"
        time.sleep(0.01)


def free_port() -> int:
    """Give a port that nobody has now."""
    with socket.create_server((HOST, 0)) as free:
        return int(free.getsockname()[1])


def listener(who: Party, known: Known, port: int = 0) -> tuple[Listener, int]:
    """Give a listening end on a free port, or on this one."""
    port = port or free_port()
    own = own_of(who, known)
    return Listener("door", Listening(HOST, port, os.urandom(32)), own), port


def dialled(who: Party, known: Known, port: int, run: int = 0) -> Dialled:
    """Give a dialling end."""
    return Dialled("out", Address(HOST, port), own_of(who, known, run))


@contextlib.contextmanager
def started(*links: Link) -> Iterator[list[Ear]]:
    """Run links, each with an ear of its own."""
    ears = [Ear() for _ in links]
    try:
        for link, ear in zip(links, ears, strict=True):
            link.start(ear)
        yield ears
    finally:
        for link in links:
            link.stop()


def said(topic: str, payload: bytes, backlog: bool = False) -> Outgoing:
    """Give a message to be carried."""
    return Outgoing(topic, payload, backlog=backlog)


class Turnout:
    """Leads each connection to the next of these ports, and all that follow to the last."""

    def __init__(self, *ports: int) -> None:
        self._ports = list(ports)
        self._socket = socket.create_server((HOST, 0))
        self.port = int(self._socket.getsockname()[1])
        threading.Thread(target=self._run, daemon=True).start()

    def stop(self) -> None:
        """Lead nobody anywhere."""
        self._socket.close()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._socket.accept()
                port = self._ports.pop(0) if len(self._ports) > 1 else self._ports[0]
                far = socket.create_connection((HOST, port))
                for ends in ((near, far), (far, near)):
                    threading.Thread(target=_copy, args=ends, daemon=True).start()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(65_536):
            target.sendall(piece)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


class Middle:
    """A man in the middle: ends TLS with a certificate of his own and passes on what he reads."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._socket = socket.create_server((HOST, 0))
        self.port = int(self._socket.getsockname()[1])
        self._context, _ = tls.listening_context(os.urandom(32))
        self.read: list[bytes] = []
        threading.Thread(target=self._run, daemon=True).start()

    def stop(self) -> None:
        """Go away."""
        self._socket.close()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                accepted, _ = self._socket.accept()
                threading.Thread(target=self._pass, args=(accepted,), daemon=True).start()

    def _pass(self, accepted: socket.socket) -> None:
        with contextlib.suppress(OSError):
            near = self._context.wrap_socket(accepted, server_side=True)
            plain = socket.create_connection((HOST, self._to))
            far = tls.dialling_context().wrap_socket(plain)
            back = threading.Thread(target=self._copy, args=(far, near), daemon=True)
            back.start()
            self._copy(near, far)

    def _copy(self, source: ssl.SSLSocket, target: ssl.SSLSocket) -> None:
        with contextlib.suppress(OSError, ValueError):
            while piece := source.recv(65_536):
                self.read.append(piece)
                target.sendall(piece)
        with contextlib.suppress(OSError):
            target.close()
