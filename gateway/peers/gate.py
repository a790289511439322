"""Who may be heard now: what comes is charged to whose it is, and who floods is cut for a while.

In: arrivals before they are parsed, then what was found in them and what it led to. Out:
FloodingPeer for what is dropped; a charge for what led to nothing. It never drops what was asked
for, and lets a little pass of what others can say in somebody's name. docs/protocol/sync.md.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from gateway.errors import FloodingPeer
from gateway.peers.circle import Circle
from gateway.peers.wire import Arrived
from gateway.sync import control, envelope
from gateway.sync.message import Type
from gateway.sync.meter import Cut, Kind, Meter, Who

# What a HEADS that leads to no question weighs: it may be signed for, so it is no waste.
KNOWN_WEIGHT = 0.25

SIGNED = "signed"
IN_ITS_NAME = "in its name"


class Worth(IntEnum):
    """What a message led to, the best last."""

    NOTHING = 0
    KNOWN = 1  # it was right, and told nothing new
    ANSWERED = 2
    USEFUL = 3


@dataclass(frozen=True, slots=True)
class PeerCut:
    """That a peer is cut: whose what led to nothing was said to be, and until when."""

    reason: str
    until_ms: int


class Gate:
    """The gate before an exchange's ear."""

    def __init__(self, chance: Callable[[], float]) -> None:
        self._meter, self._chance = Meter(), chance
        self._who = Who(Kind.LINK, b"")  # whose is what is heard now
        self._worth = Worth.NOTHING
        self._is_dropped = False
        # Messages that led to nothing, by link: how busy each keeps us in vain.
        self._fruitless: dict[str, int] = {}

    def enter(self, arrived: Arrived, circle: Circle, now_ms: int) -> None:
        """Let in what arrived, not parsed yet; raise FloodingPeer."""
        way = f"{arrived.link}/{arrived.sender.hex()}" if arrived.sender else arrived.link
        self._worth, self._is_dropped = Worth.NOTHING, False
        self._who = Who(Kind.LINK, b"", way)
        match arrived.topic.split("/"):
            case ["hl", "1", "g", tag, _, node] if tag in circle.groups and _is_peer(circle, node):
                self._who = Who(Kind.TOPIC, tag.encode() + bytes.fromhex(node), way)
                self._pass(now_ms)

    def greeted(self, now_ms: int) -> None:
        """Note that this is sealed to this node, by anybody."""
        self._pass(now_ms)

    def grouped(
        self,
        tag: str,
        content: bytes,
        circle: Circle,
        awaits_roster: Callable[[bytes], bool],
        now_ms: int,
    ) -> None:
        """Note in which group this was said, to us alone; what was asked for passes.

        Pieces of bodies do: they come in control messages, and for each that was not asked for
        the peer that signed it is charged.
        """
        self._who = Who(Kind.GROUP, tag.encode(), self._who.way)
        if not self._meter.is_cut(self._who, now_ms):
            return
        match tuple(content[:2]):  # anybody's bytes: perhaps fewer
            case 0x84, Type.RECS:
                is_asked = any(
                    each.asking.awaits(content[4:36]) for each in circle.relations.values()
                )
            case 0x84, Type.BODY:
                is_asked = awaits_roster(content[4:36])
            case 0x82, Type.ACK:
                is_asked = circle.awaits_ack(content)
            case _:
                is_asked = content.startswith(control.MARK)  # Who signed it is answerable.
        if not is_asked:
            self._pass(now_ms)

    def claimed(self, node: bytes, now_ms: int) -> None:
        """Refuse what is said to be a peer's while that peer is cut."""
        if self._meter.is_cut(Who(Kind.PEER, node), now_ms):
            self._drop(Who(Kind.PEER, node))

    def proven(self, node: bytes) -> None:
        """Note that a peer signed this, now and for us."""
        self._who = Who(Kind.PEER, node)

    @property
    def signer(self) -> bytes:
        """Name the peer that signed what is heard now, as was proven; empty where nobody did."""
        return self._who.name if self._who.kind is Kind.PEER else b""

    def led(self, worth: Worth) -> None:
        """Note what became of it; the best counts."""
        self._worth = max(self._worth, worth)

    def leave(self, arrived: Arrived, is_counted: bool, now_ms: int) -> None:
        """Charge what led to nothing, counted as such or only known; give back for what is new."""
        size = len(arrived.payload)
        if self._is_dropped or (is_counted and self._worth <= Worth.KNOWN):
            self._fruitless[arrived.link] = self._fruitless.get(arrived.link, 0) + 1
        if self._is_dropped:
            return
        if self._worth is Worth.USEFUL:
            self._meter.earn(self._who, size, now_ms)
        elif is_counted and self._worth <= Worth.KNOWN:
            self._meter.charge(self._who, size, now_ms, self._chance())
        elif self._worth is Worth.KNOWN:
            self._meter.charge(self._who, size, now_ms, self._chance(), KNOWN_WEIGHT)

    def take_fruitless(self) -> dict[str, int]:
        """Count the messages that led to nothing since this was asked last, by link."""
        taken, self._fruitless = self._fruitless, {}
        return taken

    def cuts(self, now_ms: int) -> Sequence[Cut]:
        """Give who is cut now."""
        return self._meter.cuts(now_ms)

    def cut(self, node: bytes, now_ms: int) -> PeerCut | None:
        """Say whether a peer is cut, or what is said to all in its name."""
        for each in self._meter.cuts(now_ms):
            who = each.who
            if who.kind is Kind.PEER and who.name == node:
                return PeerCut(SIGNED, each.until_ms)
            if who.kind is Kind.TOPIC and who.name.endswith(node):
                return PeerCut(IN_ITS_NAME, each.until_ms)
        return None

    def _pass(self, now_ms: int) -> None:
        if not self._meter.passes(self._who, now_ms):
            self._drop(self._who)

    def _drop(self, who: Who) -> None:
        self._is_dropped = True
        raise FloodingPeer(kind=who.kind.value, name=(who.name or b"-").hex()[:32])


def _is_peer(circle: Circle, node: str) -> bool:
    return envelope.is_tag(node) and bytes.fromhex(node) in circle.relations
