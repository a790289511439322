"""Machines that ask machines: a tank at one company, a pump at another, and how loops end.

Two real stores in one process; what a device says is committed as any source commits it, and shown
to the rules after that commit. Time is what the test says.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs

from gateway.activities.approval import Verdict
from gateway.activities.execution import Outcome
from gateway.config import load
from gateway.readings.reading import Batch, Provenance, Quality, Reading
from gateway.ruling import Asking, Ruling
from gateway.sources.intake import Desk, Intake, Routes
from gateway.store import activities, state
from gateway.store.authoring import Venue
from gateway.store.folding import Folds
from tests.agents import AgentProcess
from tests.broker import Broker, Publisher
from tests.keeping import Keeper
from tests.ordering import BUYER, MAKER, Side, meet
from tests.paired import until
from tests.people import group_of
from tests.tanks import (
    ANN,
    LI,
    ROLES,
    STALE_MS,
    Asks,
    became,
    empty,
    given,
    pump,
    refill,
    tank,
)
from tests.vectors.rules import OPENS


def test_an_empty_tank_asks_the_other_companys_pump_once() -> None:
    """Once for a crossing: no more while it is low, nor between the bound and the reset."""
    maker, tank_1 = tank()
    empty(tank_1, 25, 19, 18)
    assert tank_1.sent() == []
    tank_1.says(17)
    (first,) = tank_1.sent()
    assert tank_1.told == [maker.group.id]
    empty(tank_1, 10, 25, 19, 39, 5, 5, 5)
    assert tank_1.sent() == [first]
    for _ in range(3):
        meet(maker, tank_1.side)
    assert maker.machines[0].moved == [("refill", 30)]
    assert became(tank_1.side, first) == (Outcome.DONE, None)


def test_what_was_over_may_ask_again_until_the_mandate_is_spent() -> None:
    """Each crossing asks; the pump's gateway counts, over a restart too, and then refuses."""
    maker, tank_1 = tank(orders_max=2)
    for _ in range(2):
        empty(tank_1)
        for _ in range(2):
            meet(maker, tank_1.side)
        tank_1.says(50)
    assert maker.machines[0].moved == [("refill", 30)] * 2
    maker.start(pump())  # What is spent stays spent in the next run.
    meet(maker, tank_1.side)
    empty(tank_1)
    for _ in range(3):
        meet(maker, tank_1.side)
    sent = tank_1.sent()
    ends = [became(tank_1.side, each) for each in sent]
    done = Outcome.DONE, None
    assert ends == [done, done, (Outcome.REFUSED, "mandate.spent")]
    assert maker.machines[0].moved == []


def test_an_order_says_what_caused_it() -> None:
    """The reading's record, the mandate's and the activity's are among what the order answers."""
    _, tank_1 = tank()
    empty(tank_1)
    held = tank_1.side.about(tank_1.sent()[0])
    about, wanted = held.sightings[0].by.record, held.said.order
    newest = tank_1.side.on(
        lambda db: bytes(
            db.execute(
                "SELECT r.id FROM observations o JOIN records r ON r.place = o.place"
                " WHERE o.device = 'tank-1' ORDER BY o.place DESC LIMIT 1"
            ).get
        )
    )
    assert {newest, wanted.activity} < set(about.deps)
    assert (wanted.depth, wanted.point, wanted.unit, wanted.value) == (1, "refill", "l", 30)
    assert held.sightings[0].person is None
    held.said.verify(tank_1.side.run.key.public)


@pytest.mark.parametrize(
    "like",
    [
        Reading("tank-1", "level", 0, quality=Quality.UNCERTAIN),
        Reading("tank-1", "level", 0, retained=True),
        Reading("tank-1", "level", 0, time_ms=1_600_000_000_000),
    ],
    ids=["uncertain", "kept by a broker", "old"],
)
def test_what_is_no_news_asks_for_nothing(like: Reading) -> None:
    """A bad reading, one that a broker kept, or one of long ago neither fires nor interrupts."""
    _, tank_1 = tank()
    for _ in range(5):
        tank_1.says(10, but=like)
    tank_1.says("10")
    tank_1.says(True)
    assert tank_1.sent() == []
    tank_1.says(19)
    tank_1.says(99, but=like)
    empty(tank_1, 19, 19)
    assert len(tank_1.sent()) == 1


def test_what_cannot_be_sent_yet_is_sent_once_it_can_be() -> None:
    """Until the mandate is here the rule waits, and is followed then, without a new crossing."""
    group = group_of(BUYER, MAKER)
    maker, buyer = Side(MAKER, group), Side(BUYER, group)
    maker.start(pump())
    meet(maker, buyer)
    activity = buyer.open(ROLES)
    meet(maker, buyer)
    wanted = given(LI, maker, buyer, activity)
    tank_1 = Asks(buyer, refill(LI, wanted))
    empty(tank_1)
    assert tank_1.sent() == []
    meet(maker, buyer)
    asyncio.run(tank_1.ruling.once())
    assert len(tank_1.sent()) == 1
    asyncio.run(tank_1.ruling.once())
    assert len(tank_1.sent()) == 1


def test_what_is_over_before_it_could_be_sent_is_let_go() -> None:
    """A tank that somebody filled by hand asks for nothing once the link is back."""
    group = group_of(BUYER, MAKER)
    maker, buyer = Side(MAKER, group), Side(BUYER, group)
    maker.start(pump())
    meet(maker, buyer)
    activity = buyer.open(ROLES)
    meet(maker, buyer)
    wanted = given(LI, maker, buyer, activity)
    tank_1 = Asks(buyer, refill(LI, wanted))
    empty(tank_1)
    tank_1.says(80)
    meet(maker, buyer)
    asyncio.run(tank_1.ruling.once())
    assert tank_1.sent() == []


def test_a_device_that_the_mandate_does_not_name_is_refused() -> None:
    """The reading behind an order is looked at by who is asked: another tank has no leave."""
    maker, tank_1 = tank()
    other = Asks(tank_1.side, structs.replace(tank_1.rules[0], device="tank-2", name="other"))
    for value in (19, 18, 17):
        other.says(value, "tank-2")
    for _ in range(3):
        meet(maker, tank_1.side)
    assert [became(maker, each) for each in other.sent()] == [(Outcome.REFUSED, "mandate.cause")]


def test_a_person_of_either_side_stops_what_a_machine_asked() -> None:
    """A cancellation of who asks, a refusal of who is asked: before the start both end it."""
    maker, tank_1 = tank()
    buyer = tank_1.side
    empty(tank_1)
    (cancelled,) = tank_1.sent()
    buyer.word(ANN, cancelled, Verdict.CANCEL)
    meet(maker, buyer)
    tank_1.says(50)
    empty(tank_1)
    refused = tank_1.sent()[-1]
    maker.hear(buyer)
    maker.word(LI, refused, Verdict.REFUSE)
    for _ in range(3):
        meet(maker, buyer)
    assert became(buyer, cancelled) == (Outcome.CANCELLED, "order.cancelled")
    assert became(buyer, refused) == (Outcome.REFUSED, "order.refused")
    assert maker.machines[0].moved == []


def test_machines_that_cause_one_another_come_to_an_end() -> None:
    """Two rules that answer each other for ever: the chain's depth ends it, whatever is left."""
    group = group_of(BUYER, MAKER)
    maker, buyer = Side(MAKER, group), Side(BUYER, group)
    maker.start(pump())
    buyer.start(pump())
    meet(maker, buyer)
    activity = buyer.open(ROLES)
    meet(maker, buyer)
    budget = {"orders_max": 1000, "rate_count": 1000, "depth_max": 3}
    there = given(LI, maker, buyer, activity, **budget)
    back = given(ANN, buyer, maker, activity, **budget)
    meet(maker, buyer)
    first, second = Asks(buyer, refill(LI, there)), Asks(maker, refill(ANN, back))
    for _ in range(8):  # What one pump moves empties the other's tank.
        empty(first)
        meet(maker, buyer)
        meet(maker, buyer)
        empty(second)
        meet(maker, buyer)
        meet(maker, buyer)
        first.says(50)
        second.says(50)
    meet(maker, buyer)
    depths = [buyer.about(each).said.order.depth for each in first.sent()]
    ends = [became(buyer, each) for each in first.sent()]
    assert depths[:4] == [1, 2, 3, 4]
    assert max(depths) == 4
    done, deep = (Outcome.DONE, None), (Outcome.REFUSED, "mandate.depth")
    assert ends == [done if depth <= 3 else deep for depth in depths]
    moved = len(maker.machines[0].moved) + len(buyer.machines[0].moved)
    assert moved == ends.count(done) < len(depths)


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Keeper]:
    """Give a gateway with a state directory, whose acts are those of the door."""
    ace = Keeper(tmp_path, "ace")
    ace.acts.do({"act": "group.create", "group": "shop", "purpose": "presses", "parties": []})
    yield ace
    ace.stop()


def test_a_hot_press_opens_an_activity_once(keeper: Keeper) -> None:
    """The activity is of the rule's template, with its values and the reading that led to it."""
    rule = load(
        OPENS.replace("above = 90.5", "above = 90.5\nreset = 70\nfor_s = 0")
        + 'group = "shop"\nfields = { machine = "press-1" }\n'
    ).rule[0]
    own = keeper.groups["shop"]
    venue, written = Venue(own.id, own.roster.hash), Counter[bytes]()
    asking = Asking(
        keeper.author,
        lambda: {own.id: venue},
        keeper.activities.do,
        written.update,
        lambda _: STALE_MS,
    )
    ruling = Ruling((rule,), asking, keeper.writer)
    desk = Desk(
        keeper.author,
        keeper.writer,
        Routes((), {state.OWN: venue}),
        lambda _, heard: ruling.show(heard),
    )
    intake = Intake(desk, "presses", Provenance.GATEWAY_ATTESTED)
    for value in (80, 91, 92, 80, 93):
        intake.submit(Batch((Reading("tank-1", "level", value),))).result()
        keeper.writer.submit(lambda _db: None).result()
        asyncio.run(ruling.once())
    (opened,) = activities.listed(keeper.read)
    came = Folds().state(keeper.read, opened.id)
    assert [each.value for each in came.given("machine")] == ["press-1"]
    assert opened.said.purpose == "hot"
    assert came.count == 2  # the second says which reading it was


def test_an_agent_follows_the_rules_of_its_config(tmp_path: Path) -> None:
    """A real agent that hears a real broker: one crossing, one activity with its reading."""
    plant = Broker(tmp_path)
    hears = f"""
[[source]]
name = "meters"
type = "mqtt"
url = "{plant.url}"
topics = ["ace/#"]
device = "topic[1]"

[[rule]]
name = "hot"
device = "press-1"
metric = "temperature"
above = 90
reset = 70
for_s = 0

[rule.open]
template = "maintenance"
purpose = "press 1 runs hot"
group = "own"
fields = {{ machine = "press-1" }}
"""
    agent = AgentProcess(tmp_path, "ace", hears)
    press = Publisher(plant.port, "ace/press-1/telemetry")
    try:
        agent.start()
        agent.listen()
        for value in (80, 91, 92, 85, 93):
            press.publish(f'{{"temperature": {value}}}')
        until(agent, lambda: agent.stands()["activities"]["records"] == 2)
        press.publish('{"temperature": 94}')
        until(agent, lambda: len(agent.readings()) == 6)
        assert agent.stands()["activities"]["held"] == 1
    finally:
        press.finish()
        agent.end()
        plant.stop()
