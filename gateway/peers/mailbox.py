"""A broker as a mailbox: sealed documents lie there as retained messages until they are taken.

In: the links of the config, tags, documents that are sealed already. Out: what lies under those
tags, or an error that says what the broker does not do. A connection of its own, short and under a
client id of its own, so that nothing is taken from a running agent; it opens no seal. What is
posted is there when it was heard back. Protocol: docs/protocol/pairing.md.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.config import Link
from gateway.errors import MailboxUnusable
from gateway.transport.mqtt import Delivery, Endpoint, Mqtt

PREFIX: Final = "hl/1/i"
PATIENCE_S: Final = 5.0
_QUIET_S = 0.3  # a cluster may give what it keeps a moment after it took the subscription
_TURN_S = 0.1


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a document lies: under which tag, in whose slot."""

    tag: str
    slot: str

    @property
    def topic(self) -> str:
        """Give its topic."""
        return f"{PREFIX}/{self.tag}/{self.slot}"


class Mailbox:
    """One broker's messages under some tags; a context: open while in it."""

    def __init__(self, link: Link, tags: Sequence[str], mark: str) -> None:
        self._url = link.url or ""
        self._heard: dict[str, bytes] = {}
        self._news = threading.Condition()
        self._subscribed, self._confirmed, self._reason = False, False, ""
        self._heard_s = 0.0
        self._mqtt = Mqtt(_endpoint(link, tags, mark), self)

    def open(self) -> None:
        """Connect and hear all that lies there; raise MailboxUnusable."""
        self._mqtt.start()
        try:
            self._wait(lambda: self._subscribed, "it does not answer")
            self._mqtt.post(self._mqtt.confirm)
            self._wait(lambda: self._confirmed, "it does not answer")
            self._wait(
                lambda: time.monotonic() - self._heard_s >= _QUIET_S, "it never falls silent"
            )
        except MailboxUnusable:
            self._mqtt.stop()
            raise

    def close(self) -> None:
        """Leave; what was posted stays."""
        self._mqtt.stop()

    def read(self) -> dict[Place, bytes]:
        """Give what lies there now."""
        with self._news:
            lying = dict(self._heard)
        found = {}
        for topic, content in lying.items():
            tag, _, slot = topic.removeprefix(f"{PREFIX}/").partition("/")
            if content:
                found[Place(tag, slot)] = content
        return found

    def post(self, place: Place, content: bytes) -> None:
        """Let a document lie there in the place of the one before; nothing, empty, clears it."""
        with self._news:
            if self._heard.get(place.topic, b"") == content:
                return
        self._mqtt.post(lambda: self._publish(place.topic, content))
        self._wait(
            lambda: self._heard.get(place.topic, b"") == content,
            "what is posted there is not kept, or may not be",
        )

    def wait(self, seconds: float) -> None:
        """Wait until something comes, or for so long."""
        with self._news:
            self._news.wait(seconds)

    def _publish(self, topic: str, content: bytes) -> None:
        self._mqtt.publish(topic, content, qos=1, retain=True)

    def _wait(self, met: Callable[[], bool], otherwise: str) -> None:
        until = time.monotonic() + PATIENCE_S
        with self._news:
            while not met():
                if time.monotonic() >= until:
                    raise MailboxUnusable(url=self._url, reason=self._reason or otherwise)
                self._news.wait(_TURN_S)

    def connected(self, resumed: bool, exact: bool) -> None:
        """Wait for the subscriptions: to be let in is not to be told."""

    def subscribed(self) -> None:
        """Note that nothing passes by from now on."""
        with self._news:
            self._subscribed, self._reason, self._heard_s = True, "", time.monotonic()
            self._news.notify_all()

    def heard(self, deliveries: Sequence[Delivery]) -> None:
        """Keep the newest of each place."""
        with self._news:
            for delivery in deliveries:
                self._heard[delivery.topic] = delivery.payload
            self._heard_s = time.monotonic()
            self._news.notify_all()

    def turn(self) -> float:
        """Ask for nothing."""
        return _TURN_S

    def confirmed(self) -> None:
        """Note that what lay there when we subscribed was given to us."""
        with self._news:
            self._confirmed, self._heard_s = True, time.monotonic()
            self._news.notify_all()

    def lost(self, reason: str) -> None:
        """Remember why there is no connection."""
        with self._news:
            self._reason = reason


class Mailboxes:
    """Every link's broker: read from all that can be used, posted to all of them."""

    def __init__(self, links: Sequence[Link], tags: Sequence[str], mark: str) -> None:
        self._unopened = [Mailbox(link, tags, mark) for link in links]
        self._open: list[Mailbox] = []

    def __enter__(self) -> "Mailboxes":
        """Open those that can be; raise MailboxUnusable where none can."""
        fault: MailboxUnusable | None = None
        for each in self._unopened:
            try:
                each.open()
                self._open.append(each)
            except MailboxUnusable as unusable:
                fault = unusable
        if not self._open and fault is not None:
            raise fault
        return self

    def __exit__(self, *_: object) -> None:
        """Leave all of them."""
        for each in self._open:
            each.close()

    def read(self) -> dict[Place, tuple[bytes, ...]]:
        """Give what lies in each place; more than one where brokers differ."""
        found: dict[Place, tuple[bytes, ...]] = {}
        for each in self._open:
            for place, content in each.read().items():
                if content not in found.get(place, ()):
                    found[place] = (*found.get(place, ()), content)
        return found

    def post(self, place: Place, content: bytes) -> None:
        """Post to every broker that can be used."""
        for each in self._open:
            each.post(place, content)

    def wait(self, seconds: float) -> None:
        """Wait until something comes, or for so long."""
        for each in self._open:
            each.wait(seconds / len(self._open))


def _endpoint(link: Link, tags: Sequence[str], mark: str) -> Endpoint:
    where = link.broker
    return Endpoint(
        where.host,
        where.port,
        f"{link.client_id}-{mark}",
        tuple(f"{PREFIX}/{tag}/+" for tag in tags),
        tls=where.tls,
        ca_file=link.ca_file,
        username=link.username,
        password_file=link.password_file,
        persistent=False,
    )
