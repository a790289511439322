"""Orders that come twice, late, in another order, again; a gateway that crashes and is restored.

A buyer's gateway, a maker's with a press, and a regulator's: real stores, the production decision
and execution, records carried between them as a peer takes them over, some now and some later. The
press remembers every move, also what the gateway forgot in a crash or by going back to a backup,
and looks at each as it comes by what it knows itself.

What must hold: each order moves the press once at most, and of two with one number only one, where
the gateway knows that it began the other; none that quotes an earlier run, or a record older than
it is valid; none that its own store knows to be cancelled or refused, whose approval it lacks, or,
where that is needed, that others do not hold; and when all have heard all, every member tells the
same of the activity and of every order.
"""

import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from itertools import permutations

from gateway.activities import activity, approval, order, stated, wording
from gateway.activities.activity import Close, Update
from gateway.activities.approval import Approval, Verdict
from gateway.activities.execution import Outcome
from gateway.activities.order import Order
from gateway.activities.stated import Stated
from gateway.config.points import FramedPoint
from gateway.errors import NotMoved, UnknownOrder, Unsure
from gateway.groups.group import Role
from gateway.readings.reading import Value
from gateway.records.feed import feed_id
from gateway.records.record import Kind, Said
from gateway.sources.source import Moved
from gateway.store import quoting
from gateway.store.folding import Folds
from tests.ordering import BUYER, MAKER, REGULATOR, TEMPLATE, Human, Machine, Side, human
from tests.people import group_of

SEEDS, SEEDS_LONG = 200, 2_000
STEPS = 45
_MINUTE_MS = 60_000
_POINT = FramedPoint(
    name="pressure", unit="kPa", min=0, max=1e6, orders_from=("buyer",), approvals=1, command=1
)
_ANN, _BEN = human("ann", BUYER), human("ben", BUYER)
_SPEAKERS = (
    (_BEN, "buyer"),
    (human("eve", MAKER), "maker"),
    (human("rex", REGULATOR), "regulator"),
)


class Crash(BaseException):
    """The process ends here, as by a cut of the power."""


@dataclass(frozen=True, slots=True)
class Asked:
    """An order, known by the value that it alone asks for: as signed, and what it rests on."""

    order: Order
    signed: bytes
    hash: bytes
    quoted_ms: int  # when the record that it quotes was written, by the maker's clock


@dataclass(slots=True, kw_only=True)
class Press(Machine):
    """The machine: it remembers every move, whatever its gateway forgets."""

    judge: Callable[[Value], None]
    dice: random.Random
    is_calm: bool = False

    async def move(self, point: str, value: Value) -> Moved:
        """Move, refuse, fall silent, or see its gateway die before or after."""
        chance = 1.0 if self.is_calm else self.dice.random()
        if chance < 0.08:
            raise Crash
        if chance < 0.14:
            raise NotMoved(point=point, reason="it is locked")
        if chance < 0.18:
            raise Unsure(point=point, value=value, reason="no answer")
        self.judge(value)
        self.moved.append((point, value))
        if chance < 0.26:
            raise Unsure(point=point, value=value, reason="no answer")
        if chance < 0.45:
            raise Crash
        return Moved(value)


class World:
    """Three gateways, a press, and all that was ever signed."""

    def __init__(self, seed: int) -> None:
        self.dice, self.counts = random.Random(seed), Counter[str]()
        self.needs = "agreed" if seed % 3 == 0 else "local"
        group = group_of(BUYER, MAKER, REGULATOR)
        self.buyer, self.maker, self.regulator = (
            Side(each, group) for each in (BUYER, MAKER, REGULATOR)
        )
        self.sides = {"buyer": self.buyer, "maker": self.maker, "regulator": self.regulator}
        self.asked: dict[Value, Asked] = {}
        self.drawer: list[Order] = []  # prepared, and not sent yet
        self.words: list[tuple[Value, Verdict, Human, Said]] = []
        self.records: dict[Value, list[bytes]] = {}  # in which an order stands
        self.for_it: dict[Value, list[bytes]] = {}
        self.against: dict[Value, list[bytes]] = {}
        self.press = Press(judge=self._judge, dice=self.dice, points={"pressure": _POINT})
        self.maker.start(self.press)
        asks = TEMPLATE.replace("[order]\n", '[order]\nneeds = "agreed"\n')
        roles = {BUYER: Role.INITIATOR, MAKER: Role.RECEIVER, REGULATOR: Role.SUPERVISOR}
        self.activity = self.buyer.open(roles, asks if self.needs == "agreed" else TEMPLATE)
        self.maker.execute()
        self._all_hear_all()
        self.backup = self.maker.copy()

    def close(self) -> None:
        """Let go of the stores."""
        for side in self.sides.values():
            side.close()

    def step(self) -> None:
        """Do one thing of those that happen, chosen by chance."""
        does, weights = zip(*_STEPS, strict=True)
        (chosen,) = self.dice.choices(does, weights)
        chosen(self)

    def prepare(self) -> None:
        """Prepare an order that quotes what the buyer knows of the maker; send it now or later."""
        value = 1_000 + len(self.asked) + len(self.drawer)
        validity = self.dice.choice((2, 60, 480, 480)) * _MINUTE_MS
        more: dict[str, object] = {"validity_ms": validity}
        if self.asked and self.dice.random() < 0.15:
            more["id"] = self.dice.choice(list(self.asked.values())).order.id
        self.drawer.append(self.buyer.order(self.activity, self.maker, value, **more))
        if self.dice.random() < 0.75:
            self.send()

    def send(self) -> None:
        """Sign and send what was prepared, the oldest first."""
        if not self.drawer:
            return
        wanted = self.drawer.pop(0)
        signed = order.sign(_ANN.key, wanted)
        written = self.buyer.on(lambda db: quoting.moment_of(db, *wanted.quoted))
        assert written is not None
        self.asked[wanted.value] = Asked(
            wanted, signed, sha256(signed).digest(), written.monotonic_ms
        )
        self._post(self.buyer, self.asked[wanted.value])

    def hurry(self) -> None:
        """Take an order the whole way: it is heard, approved by another, and carried out."""
        self.buyer.hear(self.maker)
        self.prepare()
        for _ in range(2):
            self.speak()
            for side in (self.maker, self.regulator)[: self.dice.randint(1, 2)]:
                side.hear(self.buyer)
                side.receipt()
                self.maker.hear(side)
            self.execute()

    def replay(self) -> None:
        """Have anybody write an order again that was signed before."""
        if self.asked:
            self._post(self._anybody(), self.dice.choice(list(self.asked.values())))

    def _post(self, side: Side, one: Asked) -> None:
        content = stated.encode(Kind.ORDER, Stated(one.signed, _ANN.certificate))
        said = Said(Kind.ORDER, content, stated.CONTENT_TYPE, self.activity, (self.activity,))
        self.records.setdefault(one.order.value, []).append(side.say(said))

    def speak(self) -> None:
        """Have somebody who was shown one of the newest orders say a word about it."""
        who, place = self.dice.choice(_SPEAKERS)
        verdict = self.dice.choices(tuple(Verdict), (8, 1, 1))[0]
        newest = list(self.asked.values())[-4:]
        one = self.dice.choice(newest) if newest else None
        if one is None or not any(map(self.sides[place].holds, self.records[one.order.value])):
            return
        shown = approval.text(verdict, order.text(one.order, "en"), "en")
        signed = approval.sign(who.key, Approval(one.hash, verdict, wording.digest(shown)))
        content = stated.encode(Kind.APPROVAL, Stated(signed, who.certificate))
        about = (self.activity,)
        said = Said(Kind.APPROVAL, content, stated.CONTENT_TYPE, self.activity, about)
        self.words.append((one.order.value, verdict, who, said))
        self._say_word(self.sides[place], self.words[-1])

    def repeat(self) -> None:
        """Have anybody write again what somebody said."""
        if self.words:
            self._say_word(self._anybody(), self.dice.choice(self.words))

    def _say_word(self, side: Side, word: tuple[Value, Verdict, Human, Said]) -> None:
        value, verdict, who, said = word
        id = side.say(said)
        if verdict is Verdict.APPROVE:
            self.for_it.setdefault(value, []).append(id)
        elif verdict is Verdict.REFUSE or who is _BEN:  # whoever orders may cancel, nobody else
            self.against.setdefault(value, []).append(id)

    def carry(self) -> None:
        """Carry some of what one holds to another."""
        one, other = self.dice.sample((*self.sides.values(), self.buyer, self.maker), 2)
        one.hear(other, lambda: self.dice.choice((0, 1, 4, 1 << 30, 1 << 30)))

    def execute(self) -> None:
        """Have the maker look; if it dies at that, it starts again."""
        try:
            self.maker.execute()
        except Crash:
            self.counts["crashes"] += 1
            self.maker.start(self.press)

    def restart(self) -> None:
        """Start a gateway again."""
        side = self._anybody()
        side.start(*side.machines)

    def back_up(self) -> None:
        """Copy the maker's store."""
        self.backup = self.maker.copy()

    def restore(self) -> None:
        """Have the maker go back to its last copy: it forgets all since, the press nothing."""
        self.counts["restores"] += 1
        self.maker.restore(self.backup, self.press)

    def wait(self) -> None:
        """Let time pass for all."""
        passed = self.dice.choice((1, 1, 3, 45)) * _MINUTE_MS
        for side in self.sides.values():
            side.later(passed)

    def note(self) -> None:
        """Have somebody update the activity, or close it."""
        side = self._anybody()
        heads = side.on(lambda db: Folds().fold(db, self.activity).heads[:8])
        note = Update({"note": f"note {self.dice.randint(0, 9)}"})
        kind, said = Kind.ACTIVITY_UPDATE, activity.encode(note)
        if side is self.buyer and self.dice.random() < 0.4:
            kind, said = Kind.ACTIVITY_CLOSE, activity.encode(Close(note))
        deps = tuple(sorted(heads))
        side.say(Said(kind, said, activity.CONTENT_TYPE, self.activity, deps))

    def receipt(self) -> None:
        """Have somebody sign for what it holds."""
        self._anybody().receipt()

    def settle(self) -> None:
        """Let all hear all and the press be calm; then all must tell the same."""
        self.press.is_calm = True
        for _ in range(3):
            self._all_hear_all()
            for side in self.sides.values():
                side.receipt()
            self.execute()
        self._all_hear_all()
        everybody = list(self.sides.values())
        states = [side.on(lambda db: Folds().state(db, self.activity)) for side in everybody]
        assert all(state == states[0] for state in states[1:]), "the activity is not one"
        lost = [not any(side.holds(id) for side in everybody) for id in states[0].wanted]
        assert all(lost), "what is held is waited for"
        for one in self.asked.values():
            told = [_told(side, one.hash) for side in everybody]
            assert all(each == told[0] for each in told[1:]), f"order {one.order.value}: {told}"
            assert told[0][0] is not None or not told[0][1], f"{one.order.value}: it never ended"
            self.counts["waits" if told[0][0] is None else told[0][0].name.lower()] += 1
        moved = Counter(value for _, value in self.press.moved)
        assert set(moved.values()) <= {1}
        self.counts["orders"] += len(self.asked)
        self.counts["moved"] += len(moved)

    def _all_hear_all(self) -> None:
        for one, other in permutations(self.sides.values(), 2):
            one.hear(other)

    def _anybody(self) -> Side:
        return self.dice.choice(list(self.sides.values()))

    def _judge(self, value: Value) -> None:
        """Say that the press may move to this value, by what it knows itself."""
        one, maker = self.asked[value], self.maker
        moved = [each for _, each in self.press.moved]
        assert value not in moved, f"{value}: moved again"
        twins = [
            self.asked[each].hash for each in moved if self.asked[each].order.id == one.order.id
        ]
        assert not any(map(self._knows_start, twins)), f"{value}: one of its number was begun"
        feed = feed_id(maker.run.key.public, maker.group.id)
        assert one.order.quoted[0] == feed, f"{value}: it quotes an earlier run"
        age_ms = maker.moment.monotonic_ms - one.quoted_ms
        assert age_ms <= one.order.validity_ms, f"{value}: stale"
        assert maker.about(one.hash).starts, f"{value}: its start is not in the store"
        assert any(map(maker.holds, self.for_it.get(value, ()))), f"{value}: not approved"
        assert not any(map(maker.holds, self.against.get(value, ()))), f"{value}: cancelled"
        state = maker.on(lambda db: Folds().state(db, self.activity))
        assert state.closed is None, f"{value}: the activity is closed"
        if self.needs == "agreed":
            held = [
                all(each.holds(id) for each in self.sides.values()) for id in self.records[value]
            ]
            assert any(held), f"{value}: not agreed"

    def _knows_start(self, named: bytes) -> bool:
        """Say whether the maker holds that it began an order; a backup may be older."""
        with suppress(UnknownOrder):
            return bool(self.maker.about(named).starts)
        return False


def _told(side: Side, named: bytes) -> tuple[Outcome | None, frozenset[bytes], frozenset[bytes]]:
    """Give what a side tells of an order: what came of it, and its starts and ends."""
    held = side.about(named)
    starts = frozenset(each.by.record.id for each in held.starts)
    ends = frozenset(each.by.record.id for each in held.ends)
    return None if held.end is None else held.end.outcome, starts, ends


_STEPS: tuple[tuple[Callable[[World], None], int], ...] = (
    (World.prepare, 10),
    (World.send, 2),
    (World.hurry, 7),
    (World.replay, 5),
    (World.speak, 16),
    (World.repeat, 4),
    (World.carry, 30),
    (World.execute, 14),
    (World.restart, 2),
    (World.back_up, 3),
    (World.restore, 1),
    (World.wait, 3),
    (World.note, 4),
    (World.receipt, 6),
)


def run(long: bool) -> str:
    """Live through 200 worlds, or 2,000; raise at the first in which something does not hold."""
    return campaign(SEEDS_LONG if long else SEEDS)


def campaign(seeds: int) -> str:
    """Live through so many worlds; give what happened in them."""
    counts: Counter[str] = Counter()
    for seed in range(seeds):
        try:
            counts += live(seed)
        except AssertionError as fault:
            raise AssertionError(f"seed {seed}: {fault}") from fault
    assert all(counts[each] for each in ("moved", "crashes", "restores")), counts
    return f"{seeds} worlds: " + ", ".join(f"{name} {counts[name]}" for name in sorted(counts))


def live(seed: int) -> Counter[str]:
    """Live through one world; give what happened in it."""
    world = World(seed)
    try:
        for _ in range(STEPS):
            world.step()
        world.settle()
    finally:
        world.close()
    return world.counts
