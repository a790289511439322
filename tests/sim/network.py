"""A broker and the ways to it: it loses, doubles, delays and so reorders; parts of it are cut off.

In: what a node publishes. Out: deliveries to those who listen, later, never, or twice.
"""

import random
from collections.abc import Callable
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
    """One broker for all."""

    def __init__(self, clock: Clock, dice: random.Random, temper: Temper) -> None:
        self._clock, self._dice, self.temper = clock, dice, temper
        self._listeners: dict[str, list[tuple[str, Deliver]]] = {}
        self._names: dict[str, Deliver] = {}
        self.is_up = True
        self.cut: set[str] = set()
        self.carried = self.lost = 0

    def reaches(self, name: str) -> bool:
        """Say whether a node has a way to the broker, and the broker is up."""
        return self.is_up and name not in self.cut

    def listen(self, name: str, topics: tuple[str, ...], deliver: Deliver) -> None:
        """Let a node hear its topics; a later call replaces an earlier one."""
        self._names[name] = deliver
        for listeners in self._listeners.values():
            listeners[:] = [(who, each) for who, each in listeners if who != name]
        for topic in topics:
            self._listeners.setdefault(topic, []).append((name, deliver))

    def publish(self, name: str, outgoing: Outgoing) -> None:
        """Carry a message to all who listen."""
        if not self.reaches(name):
            self.lost += 1
            return
        head = outgoing.topic.rpartition("/")[0]
        for pattern in (outgoing.topic, f"{head}/+"):
            for who, _ in self._listeners.get(pattern, []):
                self._carry(who, Arrived(outgoing.topic, outgoing.payload))

    def _carry(self, who: str, arrived: Arrived) -> None:
        copies = 2 if self._dice.random() < self.temper.doubling else 1
        for _ in range(copies):
            if self._dice.random() < self.temper.loss:
                self.lost += 1
                continue
            self.carried += 1
            wait_ms = self._dice.uniform(1, self.temper.delay_ms)
            self._clock.after(wait_ms, lambda: self._arrive(who, arrived))

    def _arrive(self, who: str, arrived: Arrived) -> None:
        if not self.reaches(who):
            self.lost += 1
        else:
            self._names[who](arrived)
