"""Brokers and the ways to them: they lose, double, delay and so reorder; parts of them are cut off.

In: what a node publishes. Out: deliveries to those who listen, later, never, or twice; over each
link that both have.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.peers.wire import Arrived, Outgoing
from tests.sim.clock import Clock

Deliver = Callable[[Arrived], None]


@dataclass(frozen=True, slots=True)
class Temper:
    """How bad the network is; delays are drawn evenly, so what is sent later may come first."""

    loss: float = 0.0
    doubling: float = 0.0
    delay_ms: int = 20


class Network:
    """Some brokers: one for all, and others that not everybody is on."""

    def __init__(
        self, clock: Clock, dice: random.Random, temper: Temper, links: Sequence[str] = ("broker",)
    ) -> None:
        self._clock, self._dice, self.temper, self.links = clock, dice, temper, tuple(links)
        self._listeners: dict[str, list[str]] = {}
        self._names: dict[str, Deliver] = {}
        self._topics: dict[str, tuple[str, ...]] = {}
        self.is_up = True  # else all links are down, whatever becomes of one meanwhile
        self.down: set[str] = set()  # links
        self.cut: set[str] = set()  # nodes without any way
        self.severed: set[tuple[str, str]] = set()  # nodes without the way to a link
        self.absent: set[tuple[str, str]] = set()  # nodes that are not on a link at all
        self.carried = self.lost = 0

    def reaches(self, name: str) -> bool:
        """Say whether a node has a way to a broker that is up."""
        return any(self.has_way(name, link) for link in self.links)

    def has_way(self, name: str, link: str) -> bool:
        """Say whether a node has a way to this broker, and it is up."""
        way = (name, link)
        return self.is_up and not (
            link in self.down or name in self.cut or way in self.severed or way in self.absent
        )

    def listen(self, name: str, topics: tuple[str, ...], deliver: Deliver) -> None:
        """Let a node hear its topics; a later call replaces an earlier one."""
        self._names[name] = deliver
        for topic in self._topics.get(name, ()):
            self._listeners[topic].remove(name)
        self._topics[name] = topics
        for topic in topics:
            self._listeners.setdefault(topic, []).append(name)

    def publish(self, name: str, outgoing: Outgoing, over: Sequence[str] | None = None) -> None:
        """Carry a message to all who listen, over some links or all."""
        wanted = self.links if over is None else over
        links = [link for link in wanted if self.has_way(name, link)]
        if not links:
            self.lost += 1
            return
        head = outgoing.topic.rpartition("/")[0]
        exact, any_node = (self._listeners.get(each, ()) for each in (outgoing.topic, f"{head}/+"))
        # What one says to all is heard by oneself too, and leads to nothing.
        others = [*exact, *(who for who in any_node if who != name)]
        for link in links:
            arrived = Arrived(outgoing.topic, outgoing.payload, link)
            for who in others:
                self._carry(who, link, arrived)

    def _carry(self, who: str, link: str, arrived: Arrived) -> None:
        if (who, link) in self.absent:
            return
        copies = 2 if self._dice.random() < self.temper.doubling else 1
        for _ in range(copies):
            if self._dice.random() < self.temper.loss:
                self.lost += 1
                continue
            self.carried += 1
            wait_ms = self._dice.uniform(1, self.temper.delay_ms)
            self._clock.after(wait_ms, lambda: self._arrive(who, link, arrived))

    def _arrive(self, who: str, link: str, arrived: Arrived) -> None:
        if not self.has_way(who, link):
            self.lost += 1
        else:
            self._names[who](arrived)
