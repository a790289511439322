"""The links to peers over MQTT: brokers that carry what an exchange says and hears.

In: links from the config, the exchange, a monotonic clock. Out: threads, one a link, that take
turns with the exchange; a status. QoS 0 and no session at the broker: only a peer's signed ACK says
that anything arrived (I10), so a PUBACK would tell nothing.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from gateway.config.settings import Link
from gateway.peers.exchange import Brought, Exchange, PeerStatus
from gateway.peers.inviting import Invited
from gateway.peers.letters import Letters
from gateway.peers.wire import Arrived, Outgoing
from gateway.sync.bundle import Entry
from gateway.transport.mqtt import Delivery, Endpoint, Mqtt

# What is verified and committed at once; the rest of the loop has its turn in between.
BATCH_BYTES_MAX = 512 * 1024
SERVED_BYTES_MAX = 256 * 1024
STATUS_MS = 1_000
_IDLE_S = 0.5


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """How it stands with a link: connecting, up or down, and why."""

    name: str
    state: str
    reason: str


class Peers:
    """All links of this gateway, and its peers behind them."""

    def __init__(
        self, links: Sequence[Link], exchange: Exchange, now_ms: Callable[[], int]
    ) -> None:
        self.exchange, self.now_ms = exchange, now_ms
        self._turn = threading.Lock()
        self._written: set[bytes] = set()
        self._status: tuple[PeerStatus, ...] = tuple(exchange.status(now_ms()))
        self._status_ms = now_ms()
        self._channels = [Channel(link, self) for link in links if exchange.subscriptions]

    def start(self) -> None:
        """Begin to connect, to greet and to listen."""
        for channel in self._channels:
            channel.mqtt.start()

    def stop(self) -> None:
        """Disconnect and end the threads; what peers lack waits in the store."""
        for channel in self._channels:
            channel.mqtt.stop()

    def written(self, groups: Iterable[bytes]) -> None:
        """Tell, from any thread and after the commit, in which groups this run has written."""
        self._written.update(groups)
        for channel in self._channels:
            channel.mqtt.post(_nothing)

    def status(self) -> tuple[PeerStatus, ...]:
        """Say how it stood with each peer, at most a second ago; from any thread."""
        return self._status

    def invited(self, group: bytes) -> list[bytes]:
        """Give the nodes that this one invited to a group and that have not come."""
        return self.exchange.invited(group)

    def take_invitations(self) -> list[Invited]:
        """Take the invitations that came since this was asked last; from any thread."""
        with self._turn:
            invited = list(self.exchange.invitations.values())
            self.exchange.invitations.clear()
            return invited

    def regroup(self, group: bytes) -> None:
        """This gateway changed who is a member: say so, and look again; from any thread.

        In this order: whoever was removed is a peer until it was told.
        """
        with self._turn:
            self._say(self.exchange.written(group, self.now_ms()))
            self.exchange.regroup()
        self.written([group])

    def carry(self, envelopes: Sequence[bytes]) -> Brought:
        """Hand over what was carried by hand; from any thread, raising what the store refused."""
        with self._turn:
            brought, said = self.exchange.carry(envelopes, self.now_ms())
            self._say(said)
            self._status = tuple(self.exchange.status(self.now_ms()))
            return brought

    def letters(self, write: Callable[[Letters], Iterable[Entry]]) -> list[Entry]:
        """Have the exchange write what is to be carried by hand; from any thread."""
        with self._turn:
            return list(write(self.exchange.letters))

    def links(self) -> list[LinkStatus]:
        """Say how it stands with each link; from any thread."""
        return [LinkStatus(each.name, each.state, each.reason) for each in self._channels]

    def hear(self, arrivals: Sequence[Arrived]) -> None:
        """Hand arrivals to the exchange; for the links' threads."""
        with self._turn:
            self._say(self.exchange.receive(arrivals, self.now_ms()))

    def reconnected(self) -> None:
        """A link is up; for its thread."""
        with self._turn:
            self.exchange.reconnected(self.now_ms())

    def turn(self, channel: "Channel") -> float:
        """Do what time asks for; give the seconds until the next turn; for the links' threads."""
        with self._turn:
            now_ms = self.now_ms()
            if now_ms - self._status_ms >= STATUS_MS:
                self._status, self._status_ms = tuple(self.exchange.status(now_ms)), now_ms
            if channel.state != "up":
                return _IDLE_S
            while self._written:
                self._say(self.exchange.written(self._written.pop(), now_ms))
            if self.exchange.due_ms() <= now_ms:
                self._say(self.exchange.tick(now_ms))
            if self.exchange.owes() and channel.mqtt.has_room():
                self._say(self.exchange.serve(SERVED_BYTES_MAX))
                return 0.0
            return max(0.0, (self.exchange.due_ms() - now_ms) / 1000)

    def _say(self, said: Sequence[Outgoing]) -> None:
        for channel in self._channels if said else ():
            channel.say(said)


class Channel:
    """One link: a broker's connection, whose thread calls it."""

    def __init__(self, link: Link, peers: Peers) -> None:
        self.name, self._peers = link.name, peers
        self.state, self.reason = "connecting", ""
        self.mqtt = Mqtt(_endpoint(link, peers.exchange), self)

    def say(self, said: Sequence[Outgoing]) -> None:
        """Publish, from whichever link's thread."""
        if self.state == "up":
            self.mqtt.post(lambda: self._publish(said))

    def connected(self, resumed: bool, exact: bool) -> None:
        """Greet everybody on a new connection."""
        self.state, self.reason = "up", ""
        self._peers.reconnected()

    def subscribed(self) -> None:
        """Nothing waits for this: what was said before is said again."""

    def heard(self, deliveries: Sequence[Delivery]) -> None:
        """Hand over what was read, in portions that one commit can hold."""
        portion: list[Arrived] = []
        size = 0
        for delivery in deliveries:
            portion.append(Arrived(delivery.topic, delivery.payload))
            size += len(delivery.payload)
            if size >= BATCH_BYTES_MAX:
                self._peers.hear(portion)
                portion, size = [], 0
        if portion:
            self._peers.hear(portion)

    def turn(self) -> float:
        """Take a turn."""
        return self._peers.turn(self)

    def confirmed(self) -> None:
        """Nothing is ever confirmed to us by a broker."""

    def lost(self, reason: str) -> None:
        """Note that there is no way to this broker."""
        self.state, self.reason = "down", reason

    def _publish(self, said: Sequence[Outgoing]) -> None:
        for outgoing in said:
            self.mqtt.publish(outgoing.topic, outgoing.payload)


def _nothing() -> None:
    """Wake a link's thread: its turn comes before anything else."""


def _endpoint(link: Link, exchange: Exchange) -> Endpoint:
    where = link.broker
    # A broker closes the older of two connections of one client id: the copies of a cloned gateway
    # would close each other's for ever, and no peer would hear both. No session is kept under it.
    client_id = f"{link.client_id}-{exchange.run.hex()[:8]}"
    return Endpoint(
        where.host,
        where.port,
        client_id,
        exchange.subscriptions,
        tls=where.tls,
        ca_file=link.ca_file,
        username=link.username,
        password_file=link.password_file,
        persistent=False,
        qos=0,
    )
