"""A scripted peer over a real broker, with valid keys, and the real agents that it speaks to.

In: a broker, a state directory for each party. Out: the scripted liar of the simulated worlds with
a way to a real gateway, what that gateway holds, and what it costs its machine.
"""

import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from gateway.peers import wire
from gateway.peers.wire import Arrived, Outgoing
from gateway.store import database, state
from tests import linked
from tests.agents import AgentProcess
from tests.broker import Broker
from tests.liar import ALL, LIAR, MAKER, Liar
from tests.people import Party, seed
from tests.sim.network import Deliver

PATIENCE_S = 5.0
_TICKS_S = os.sysconf("SC_CLK_TCK")


class Wire:
    """A real broker where the simulator has a network: whoever speaks is one MQTT client."""

    def __init__(self, broker: Broker) -> None:
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2)
        self._client.max_queued_messages_set(0)
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()
        self._deliver: list[Deliver] = []

    def listen(self, _name: str, topics: tuple[str, ...], deliver: Deliver) -> None:
        """Hear topics, as a broker without rules lets everybody do."""
        self._deliver.append(deliver)
        for topic in topics:
            self._client.subscribe(topic)

    def publish(self, _name: str, outgoing: Outgoing) -> None:
        """Say something; wait until it is on its way, so that a flood is what the broker bears."""
        self._client.publish(outgoing.topic, outgoing.payload).wait_for_publish(10)

    def close(self) -> None:
        """Leave."""
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, _client: mqtt.Client, _userdata: object, came: mqtt.MQTTMessage) -> None:
        for each in self._deliver:
            each(Arrived(came.topic, bytes(came.payload)))


@dataclass
class Peer(Liar):
    """The liar of the simulated worlds, where a second brings thousands of messages."""

    found: list[bytes] = field(default_factory=list)
    looked: int = 0

    def greetings(self) -> list[bytes]:
        """Open the HELLOs of the maker that came since this was asked last; give all."""
        every = self.heard
        start, self.looked = self.looked, len(every)
        self.heard = every[start : self.looked]
        self.found += super().greetings()
        self.heard = every  # what comes meanwhile is added to it
        return self.found


class Door:
    """The liar's HTTPS link to the maker's listener, greeted under its own valid keys."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._link = linked.dialled(LIAR, linked.Known(linked.guests_of(LIAR, ALL)), port)
        self._link.start(linked.Ear())
        self._silent: list[socket.socket] = []
        linked.until(lambda: self._link.state == "up")

    def say(self, payload: bytes) -> None:
        """Say something to the maker as fast as it is taken."""
        end_s = time.monotonic() + PATIENCE_S
        while not self._link.has_room() and time.monotonic() < end_s:
            time.sleep(0.01)
        self._link.say([Outgoing(wire.to_node(MAKER.node.id), payload)])

    def keep_silent(self) -> None:
        """Open one more connection that says nothing."""
        with suppress(OSError):  # It may be refused: there are many already.
            self._silent.append(socket.create_connection((linked.HOST, self._port), 1))
        time.sleep(0.01)

    def close(self) -> None:
        """Leave."""
        self._link.stop()
        for each in self._silent:
            each.close()


@dataclass
class Member:
    """A gateway as the lies look at it: what it holds."""

    db: database.Connection


class Speaker:
    """A run of somebody else, known by its key's id alone."""

    def __init__(self, run: str) -> None:
        self.run = self
        self.key = self
        self.id = bytes.fromhex(run)


class Scene:
    """What the lies of the simulated worlds ask for, over a real broker."""

    def __init__(self, liar: Liar, maker: Member, buyer: Speaker) -> None:
        self.liar, self.maker, self.buyer = liar, maker, buyer
        # The codes under which the lies told are counted; the next greeting's number.
        self.expected: set[str] = set()
        self.greetings = 20_000

    def pass_ms(self, wait_ms: int) -> None:
        """Let time pass."""
        time.sleep(wait_ms / 1000)


def keys_of(who: Party) -> Callable[[int], bytes]:
    """Give what draws a party's own keys, in the order in which a state directory is made."""
    keys = [seed(f"{who.name} {each}") for each in ("root", "archive", "node", "encryption")]

    def draw(size: int) -> bytes:
        return keys.pop(0) if size == state.SEED_BYTES else os.urandom(size)

    return draw


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process has taken so far, and when that was."""

    at_s: float
    cpu_s: float
    memory_mib: float


def cost(agent: AgentProcess) -> Cost:
    """Read what an agent costs (proc(5))."""
    assert agent.process is not None
    folder = Path(f"/proc/{agent.process.pid}")
    fields = (folder / "stat").read_text().rpartition(")")[2].split()
    line = next(
        each for each in (folder / "status").read_text().splitlines() if each.startswith("VmRSS")
    )
    cpu_s = (int(fields[11]) + int(fields[12])) / _TICKS_S
    return Cost(time.monotonic(), cpu_s, int(line.split()[1]) / 1024)


def refused(status: dict[str, Any]) -> dict[str, int]:
    """Give what a gateway refused or let lead to nothing, by code."""
    return dict(status.get("refused", {}))
