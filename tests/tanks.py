"""A tank at one company that asks a pump at another, each at a gateway with a real store.

In: a mandate's bounds, what the tank reads. Out: orders as the rules of a config send them, after
the commit of the readings that led to them. Time is what the test says.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from msgspec import structs

from gateway.activities import mandate, stated
from gateway.activities.execution import Outcome
from gateway.activities.mandate import Mandate
from gateway.activities.stated import Stated
from gateway.config.points import FramedPoint
from gateway.config.rules import Rule
from gateway.groups.group import Role
from gateway.readings.reading import Batch, Provenance, Reading, Value
from gateway.records.record import Kind, Said
from gateway.ruling import Asking, Ruling
from gateway.sources.intake import Desk, Intake, Routes
from gateway.store import orders, state
from gateway.store.authoring import Venue
from tests.ordering import BUYER, MAKER, Human, Machine, Side, human, meet
from tests.people import group_of

LI, ANN = human("li", MAKER), human("ann", BUYER)
ROLES = {BUYER: Role.INITIATOR, MAKER: Role.INITIATOR}
STALE_MS = 60_000


def pump() -> Machine:
    """Give a pump that machines of both may ask, if they have a mandate."""
    allowed = "buyer", "maker"
    point = FramedPoint(name="refill", unit="l", min=0, max=100, orders_from=allowed, command=1)
    return Machine({"refill": point})


class Asks:
    """A gateway with rules, and a device whose readings it commits."""

    def __init__(self, side: Side, *rules: Rule) -> None:
        self.side, self.rules = side, rules
        routes = Routes((), {state.OWN: side.venue})
        desk = Desk(side.author, side.writer, routes, lambda _, heard: self.ruling.show(heard))
        self._intake = Intake(desk, "tanks", Provenance.GATEWAY_ATTESTED)
        self.told: list[bytes] = []
        asking = Asking(
            side.author, self._venues, _nothing_is_opened, self._written, lambda _: STALE_MS
        )
        self.ruling = Ruling(rules, asking, side.writer)

    def _venues(self) -> dict[bytes, Venue]:
        return {self.side.group.id: self.side.venue}

    def _written(self, written: Sequence[bytes]) -> None:
        self.told += written

    def says(self, value: Value, device: str = "tank-1", but: Reading | None = None) -> None:
        """Commit a reading a second later, like another but for its value; follow what it does."""
        self.side.later(1000)
        said = structs.replace(but or Reading(device, "level", 0), value=value)
        self._intake.submit(Batch((said,))).result()
        self.side.on(lambda _db: None)  # What is told after a commit was told before the next.
        asyncio.run(self.ruling.once())

    def sent(self) -> list[bytes]:
        """Give the orders that are in the store, the first first."""
        return self.side.on(lambda db: orders.listed(db, 100))[::-1]


def _nothing_is_opened(_: dict[str, object]) -> dict[str, object]:
    raise AssertionError("no rule here opens an activity")


def given(by: Human, asked: Side, asking: Side, activity: bytes, **changed: object) -> Mandate:
    """Write at a gateway the mandate of one of its people; give it."""
    wanted = Mandate(
        asked.author.random(16),
        by.key.id,
        asking.run.node,
        "tank-1",
        asked.run.node,
        asked.run.credentials.node.name,
        "refill",
        "l",
        rate_count=10,
        window_s=60,
        orders_max=2,
        bounds=(0, 50),
    )
    wanted = replace(wanted, **changed)  # type: ignore[arg-type]
    content = stated.encode(Kind.MANDATE, Stated(mandate.sign(by.key, wanted), by.certificate))
    asked.say(Said(Kind.MANDATE, content, stated.CONTENT_TYPE, activity, (activity,)))
    return wanted


def named(by: Human, wanted: Mandate) -> str:
    """Name a mandate as the config does."""
    return mandate.decode(mandate.sign(by.key, wanted)).hash.hex()[:12]


def refill(by: Human, wanted: Mandate, **more: object) -> Rule:
    """Give the rule of a tank: below 20 for 2 s asks for 30 l, until it is 40 again."""
    usual: dict[str, object] = {
        "name": "refill",
        "device": "tank-1",
        "metric": "level",
        "below": 20,
        "reset": 40,
        "for_s": 2,
        "mandate": named(by, wanted),
        "value": 30,
    }
    return Rule(**(usual | more))  # type: ignore[arg-type]


def tank(**changed: object) -> tuple[Side, Asks]:
    """Give the maker's gateway with its pump, and the buyer's with a tank that may ask it."""
    group = group_of(BUYER, MAKER)
    maker, buyer = Side(MAKER, group), Side(BUYER, group)
    maker.start(pump())
    meet(maker, buyer)
    activity = buyer.open(ROLES)
    meet(maker, buyer)
    wanted = given(LI, maker, buyer, activity, **changed)
    meet(maker, buyer)
    return maker, Asks(buyer, refill(LI, wanted))


def empty(tank: Asks, *values: Value) -> None:
    """Have the tank run empty, and be so for long enough."""
    for value in values or (19, 18, 17):
        tank.says(value)


def became(at: Side, order_hash: bytes) -> tuple[Outcome, str | None]:
    """Say what a gateway knows of what became of an order."""
    end = at.about(order_hash).end
    assert end is not None
    return end.outcome, end.reason
