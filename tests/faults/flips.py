"""Every bit of a sample of every message flipped, and every message cut at every byte.

What must hold: given to the exchange of a node, each is refused under a code of its own, nothing is
stored or let go of, nothing is said but perhaps a greeting; and the message as it was said leads to
what it should. Where bodies are clear nobody seals what is said: then every record is verified all
the same, and heads that were broadcast are a hint, which may lead to asking and to nothing else.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gateway.groups import agreement, seal
from gateway.groups.agreement import Ack, Entry
from gateway.groups.group import Group
from gateway.peers import enclosing, wire
from gateway.peers.wire import Arrived, Outgoing
from gateway.records.feed import Head, feed_id
from gateway.sync import control, envelope, message
from gateway.sync.envelope import Envelope, Seal
from gateway.sync.invitation import Invite
from gateway.sync.message import (
    Body,
    Evidence,
    Heads,
    Hello,
    Listed,
    Message,
    Note,
    Recs,
    Want,
)
from tests.liar import ALL, BUYER, LIAR, MAKER, World, enveloped
from tests.lies import makers_head, written
from tests.people import group_of, seed

SEALED = group_of(MAKER, BUYER, LIAR, purpose="all three, sealed", clear=False)
NEW = group_of(LIAR, MAKER, purpose="not joined yet", chain=(ALL.roster,))
TO_MAKER = wire.to_node(MAKER.node.id)
# A flip each so long: greetings are answered at most once a second.
STEP_MS = 1_000
# What flipping nothing leads to, where the message is one that is counted and not acted on.
COUNTED = "counted"


class Sealed(World):
    """The same world where the group of all three is sealed."""

    shared = (SEALED,)
    more = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """A message as it goes over a link; the kind of thing that it leads to as it is."""

    name: str
    arrived: Arrived
    effect: str
    is_hint: bool = False


def _greeting(world: World, _within: Group) -> Iterator[Sample]:
    """What is sealed to the node: seal 2."""
    invite = Invite(
        NEW.encoded, NEW.founder, (NEW.roster.encoded,), (), NEW.secret, "not joined yet"
    )
    hello = Hello(world.liar.run.credentials, (), seed("another nonce")[:16])
    for said, effect in ((hello, "answered"), (invite, "invited")):
        content = seal.seal(MAKER.encryption.public, message.encode(said), seed("ephemeral"))
        payload = envelope.encode(Envelope(Seal.NODE, None, content))
        yield Sample(type(said).__name__.upper(), Arrived(TO_MAKER, payload), effect)


def _signed(world: World, within: Group) -> Iterator[Sample]:
    """What is said within a session."""
    head = makers_head(world, within)
    nowhere = Listed(Head(seed("nowhere"), 9, seed("root")))
    said: Sequence[tuple[Message, str]] = (
        (Heads((nowhere,)), "asked"),
        (Want(head.feed, 0, head.size, 4_096), "owed"),
        (message.wanted_whole((within.roster.hash,)), "answered"),
        (Note("checkpoint", (), ()), COUNTED),
        (Evidence(b"evidence"), COUNTED),
    )
    for each, effect in said:
        world.liar.counter += 1
        signed = control.sign(
            world.liar.run.key, world.liar.counter, world.liar.pair(), message.encode(each)
        )
        yield _directed(type(each).__name__.upper(), signed, within, effect)


def _bare(world: World, within: Group) -> Iterator[Sample]:
    """What carries its own signature or hash, or none."""
    (first,) = written(world.liar.run, within, 1)
    name = feed_id(world.liar.run.key.public, within.id)
    head = makers_head(world, within)
    ack = agreement.sign(world.liar.run.key, Ack(within.id, MAKER.node.id, 1, (Entry(head),)))
    for said, effect in (
        (Recs(name, 0, (first,)), "stored"),
        (Body(seed("body"), 0, b"a body that nobody asked for"), COUNTED),
        (agreement.decode(ack), "stored"),
        (Want(head.feed, 0, head.size, 4_096), COUNTED),
    ):
        yield _directed(type(said).__name__.upper(), message.encode(said), within, effect)


def _broadcast(world: World, within: Group) -> Iterator[Sample]:
    """What is said to all: records, and heads."""
    (first,) = written(world.liar.run, within, 1)
    name = feed_id(world.liar.run.key.public, within.id)
    heads = Heads((Listed(Head(name, 5, seed("root"))),))
    for said, topic, effect in (
        (heads, wire.heads_of(within.tag, LIAR.node.id), "asked"),
        (Recs(name, 0, (first,)), wire.records_of(within.tag, LIAR.node.id), "stored"),
    ):
        payload = envelope.encode(enveloped(message.encode(said), within))
        shown = f"{type(said).__name__.upper()} to all"
        yield Sample(shown, Arrived(topic, payload), effect, is_hint=True)


def _directed(name: str, content: bytes, within: Group, effect: str) -> Sample:
    payload = envelope.encode(enveloped(content, within))
    return Sample(name, Arrived(TO_MAKER, payload), effect)


@dataclass(frozen=True, slots=True)
class _Before:
    """The maker, as it was before somebody said something to it."""

    changes: int
    counted: int


class Flipper:
    """Gives damaged messages to the maker of a world, and sees what comes of each."""

    def __init__(self, world: World, within: Group) -> None:
        self.world, self.within = world, within
        self.now_ms = world.clock.now_ms
        self.flips = self.cuts = self.hints = self.silent = 0
        self.codes: Counter[str] = Counter()

    def try_all(self, sample: Sample, every: int, phase: int) -> None:
        """Give every damaged form of a message, or one of so many; then the message itself."""
        genuine = sample.arrived.payload
        before = Counter(self.world.maker.exchange.counts)
        for at in range(phase % every, 8 * len(genuine), every):
            flipped = bytearray(genuine)
            flipped[at // 8] ^= 1 << at % 8
            self._refused(sample, bytes(flipped), f"bit {at}")
            self.flips += 1
        for length in range(phase % every, len(genuine), every):
            self._refused(sample, genuine[:length], f"cut at {length}")
            self.cuts += 1
        self.codes += self.world.maker.exchange.counts - before
        assert self.hints or self._effect(sample), f"{sample.name}, as it is, led to nothing"

    def _refused(self, sample: Sample, payload: bytes, how: str) -> None:
        where = f"{sample.name} ({self.within.founding.purpose}), {how}"
        before, said = self._give(Arrived(sample.arrived.topic, payload))
        maker = self.world.maker
        assert maker.db.total_changes() == before.changes, f"{where}: something was stored"
        assert not maker.exchange.owes(), f"{where}: something is to be sent"
        assert not maker.exchange.invitations, f"{where}: an invitation was kept"
        asked = [each for each in said if not _is_greeting(each)]
        is_counted = maker.exchange.counts.total() > before.counted
        if self.within.founding.clear and sample.is_hint:
            self.hints += bool(asked)
            assert is_counted or asked or sample.name.startswith(("HEADS", "RECS")), where
            assert all(self._is_want(each) for each in asked), f"{where}: more was said"
            return
        assert not asked, f"{where}: something was said"
        if not is_counted:
            assert self.within.founding.clear and sample.name == "RECS", f"{where}: not counted"
            self.silent += 1

    def _effect(self, sample: Sample) -> bool:
        """Give the message as it is, and say whether it leads to what it should."""
        before, said = self._give(sample.arrived)
        maker = self.world.maker
        match sample.effect:
            case "answered":
                return bool(said)
            case "asked":
                return any(self._is_want(each) for each in said)
            case "invited":
                return NEW.id in maker.exchange.invitations
            case "owed":
                owed = maker.exchange.owes()
                maker.exchange.serve(1 << 20)
                return owed
            case "stored":
                return maker.db.total_changes() > before.changes
        return maker.exchange.counts.total() > before.counted

    def _give(self, arrived: Arrived) -> tuple[_Before, list[Outgoing]]:
        maker = self.world.maker
        before = _Before(maker.db.total_changes(), maker.exchange.counts.total())
        self.now_ms += STEP_MS
        return before, maker.exchange.receive([arrived], self.now_ms)

    def _is_want(self, said: Outgoing) -> bool:
        found = envelope.decode(said.payload)
        if found.seal is Seal.NODE:
            return False
        content = enclosing.opened(self.within, found)
        if not content.startswith(control.MARK):
            return False
        return isinstance(message.decode(control.decode(content).message), Want)


def _is_greeting(said: Outgoing) -> bool:
    """Say whether it is sealed to a node: what the node says so, by itself, is a HELLO."""
    return envelope.decode(said.payload).seal is Seal.NODE


Samples = Callable[[World, Group], Iterator[Sample]]
KINDS: Mapping[Samples, int] = {_greeting: 2, _signed: 5, _bare: 4, _broadcast: 2}


def run(_long: bool) -> str:
    """Flip every bit of each message, and cut each at every byte: all of them, long or not."""
    return campaign(1)


def campaign(every: int) -> str:
    """Flip one of so many bits; raise AssertionError at the first that leads to anything."""
    told, codes = [], Counter[str]()
    for make, within in ((Sealed, SEALED), (World, ALL)):
        done = [
            _tried(make, within, kind, at, every)
            for kind, count in KINDS.items()
            for at in range(count)
        ]
        for each in done:
            codes += each.codes
        told.append(
            f"{'clear' if within.founding.clear else 'sealed'} {len(done)} messages,"
            f" flips {sum(each.flips for each in done)}, cuts {sum(each.cuts for each in done)}:"
            f" refused all but {sum(each.hints for each in done)} hints that may ask"
            f" and {sum(each.silent for each in done)} that led to nothing"
        )
    assert not codes["peer.flooding"], "what was damaged was not looked at"
    return f"{'; '.join(told)}; codes {dict(sorted(codes.items()))}"


def _tried(make: Callable[[], World], within: Group, kind: Samples, at: int, every: int) -> Flipper:
    """Try one sample in a world of its own, so that nothing of another is heard of there."""
    flipper = Flipper(make(), within)
    flipper.try_all(list(kind(flipper.world, within))[at], every, at)
    return flipper
