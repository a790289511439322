"""Gateways of one group whose bodies travel apart, and all the pieces between them, to look at."""

import random
from collections import Counter
from collections.abc import Callable, Sequence

from gateway.groups.group import Group
from gateway.peers import enclosing
from gateway.peers.wire import Outgoing
from gateway.records.record import Kind, Said
from gateway.store import authoring
from gateway.sync import control, envelope, message
from gateway.sync.envelope import Seal
from gateway.sync.message import Body, Message
from tests import people
from tests.sim.clock import Clock
from tests.sim.gateway import Gateway
from tests.sim.network import Network, Temper


class Shop(Gateway):
    """A gateway that attaches files to what it says."""

    def attach(self, group: Group, content: bytes) -> bytes:
        """Write an attachment, and say it to the others; give the id of its record."""
        said = Said(Kind.ATTACHMENT, content, "application/octet-stream")
        with self.db:
            place = authoring.say(self.db, self.author, self.venue(group), said)
        self._speak(self.exchange.written(group.id, self._clock.now_ms))
        return bytes(self.db.execute("SELECT id FROM records WHERE place = ?", (place,)).get)

    def tell(self, node: bytes, group: Group, said: Message) -> None:
        """Sign anything to a peer within their session."""
        relation = self.exchange._circle.relations[node]
        self._speak([self.exchange._voice.control(relation, group, said)])

    def knows(self, name: bytes) -> bool:
        """Say whether a record is held, with or without its body."""
        return bool(self.db.execute("SELECT count(*) FROM records WHERE id = ?", (name,)).get)

    def body(self, name: bytes) -> bytes | None:
        """Give the stored body of a record, or None where it is not held."""
        found = self.db.execute("SELECT body FROM records WHERE id = ?", (name,)).get
        return None if found is None else bytes(found)

    def pieces(self) -> int:
        """Count the pieces that are kept of bodies that are owed."""
        return int(self.db.execute("SELECT count(*) FROM pieces").get)


class Shops:
    """Some of them on one network."""

    def __init__(self, *names: str, clear: bool = True, temper: Temper | None = None) -> None:
        self.clock, dice = Clock(), random.Random(7)
        self.network = Network(self.clock, dice, temper or Temper(delay_ms=20))
        parties = [people.party(name) for name in names]
        self.group = people.group_of(*parties, purpose="drawings", clear=clear)
        self.of = {
            each.name: Shop(each, [self.group], self.clock, self.network, 1) for each in parties
        }
        # Bytes of pieces that were said, by whom.
        self.given: Counter[str] = Counter()
        self._watch()
        self.pass_ms(15_000)

    def _watch(self) -> None:
        publish = self.network.publish

        def watched(name: str, outgoing: Outgoing, over: Sequence[str] | None = None) -> None:
            said = piece_of(self.group, outgoing)
            if said is not None:
                self.given[name] += len(said.piece)
            publish(name, outgoing, over)

        self.network.publish = watched  # type: ignore[method-assign]

    def pass_ms(self, span_ms: int) -> None:
        """Let time pass."""
        self.clock.run(self.clock.now_ms + span_ms)

    def attach(self, by: str, size: int, seed: int = 0) -> bytes:
        """Have a gateway write an attachment of so many bytes."""
        return self.of[by].attach(self.group, random.Random(seed).randbytes(size))

    def settle(self, done: Callable[[], bool], most_ms: int = 600_000, step_ms: int = 200) -> int:
        """Let time pass until something holds; give how much."""
        start_ms = self.clock.now_ms
        while not done():
            passed_ms = self.clock.now_ms - start_ms
            counts = {name: dict(each.exchange.counts) for name, each in self.of.items()}
            assert passed_ms < most_ms, (passed_ms, counts)
            self.pass_ms(step_ms)
        return self.clock.now_ms - start_ms


def piece_of(group: Group, outgoing: Outgoing) -> Body | None:
    """Give the piece in what goes over the network, if it is one."""
    sent = envelope.decode(outgoing.payload)
    if sent.seal is Seal.NODE:
        return None
    content = enclosing.opened(group, sent)
    if not content.startswith(control.MARK):
        return None
    said = message.decode(control.decode(content).message)
    return said if isinstance(said, Body) else None
