"""Orders carried out: at most once, never stale, and whoever ordered sees what became of it."""

import asyncio
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.activities import order
from gateway.activities.approval import Verdict
from gateway.activities.execution import Outcome
from gateway.activities.order import Expected
from gateway.errors import GatewayError, MachineRefused, NotMoved, StoreClosed, Unsure
from gateway.groups.group import Role
from gateway.readings.reading import Quality, Reading
from gateway.records import identity
from gateway.store import groups, orders
from tests.ordering import BUYER, MAKER, Human, Machine, Side, human, meet, press, sides

ANN, BEN, EVE = human("ann", BUYER), human("ben", BUYER), human("eve", MAKER)
ROLES = {BUYER: Role.INITIATOR, MAKER: Role.RECEIVER}
HOUR_MS = 3_600_000


def asked(maker: Side, buyer: Side, value: int = 180, **more: object) -> bytes:
    """Have Ann order a pressure in a fresh activity; give the order's hash."""
    activity = buyer.open(ROLES)
    meet(maker, buyer)
    return buyer.send(ANN, buyer.order(activity, maker, value, **more))


def became(side: Side, named: bytes) -> tuple[Outcome, str | None] | None:
    """Say what a gateway knows of what became of an order."""
    end = side.about(named).end
    return None if end is None else (end.outcome, end.reason)


def test_an_order_moves_once_and_all_see_what_was_read_back() -> None:
    """Approved by another person, an order is done once, however often it is looked at."""
    maker, buyer = sides()
    named = asked(maker, buyer)
    meet(maker, buyer)
    maker.execute()
    assert (maker.machines[0].moved, maker.about(named).waits) == ([], "approvals")
    buyer.word(BEN, named, Verdict.APPROVE)
    for _ in range(3):
        meet(maker, buyer)
    assert maker.machines[0].moved == [("pressure", 180)]
    assert became(buyer, named) == (Outcome.DONE, None)
    end = buyer.about(named).end
    assert end is not None and end.value == 180
    assert len(buyer.about(named).starts) == len(buyer.about(named).ends) == 1


def test_two_eyes_are_not_four() -> None:
    """Whoever ordered cannot approve it, however often, under whatever certificate."""
    maker, buyer = sides()
    named = asked(maker, buyer)
    buyer.word(ANN, named, Verdict.APPROVE)
    buyer.word(Human(ANN.key, human("ann", BUYER, counter=2).certificate), named, Verdict.APPROVE)
    meet(maker, buyer)
    meet(maker, buyer)
    assert (maker.machines[0].moved, maker.about(named).waits) == ([], "approvals")


@pytest.mark.parametrize(
    ("fault", "takes", "told"),
    [
        (MachineRefused(point="pressure", value=180, reason="busy"), False, Outcome.FAILED),
        (NotMoved(), False, Outcome.FAILED),
        (Unsure(point="pressure", value=180, reason="no answer"), True, Outcome.INDETERMINATE),
        (StoreClosed(), True, Outcome.INDETERMINATE),  # what no source should raise
    ],
)
def test_what_a_source_raises_is_told_and_never_tried_again(
    fault: GatewayError, takes: bool, told: Outcome
) -> None:
    """A machine that refuses, and one of which nobody knows, are told apart; neither is retried."""
    maker, buyer = sides()
    (machine,) = maker.machines
    machine.fault, machine.takes = fault, takes
    named = asked(maker, buyer)
    buyer.word(BEN, named, Verdict.APPROVE)
    for _ in range(3):
        meet(maker, buyer)
    assert became(buyer, named) == (told, fault.code)
    machine.fault = None
    meet(maker, buyer)
    assert len(machine.moved) == int(takes)


def test_between_start_and_end_the_power_goes() -> None:
    """What was started and not ended is indeterminate in the next run, and is left alone."""
    maker, buyer = sides()
    named = asked(maker, buyer)
    buyer.word(BEN, named, Verdict.APPROVE)
    maker.hear(buyer)
    assert maker.on(maker.executing.open) == [named]
    begun = maker.on(lambda db: maker.executing.decide(db, named))
    assert begun is not None and begun.value == 180
    maker.start(press())  # Nothing of the run before is left but its store.
    for _ in range(3):
        meet(maker, buyer)
    assert maker.machines[0].moved == []
    assert became(buyer, named) == (Outcome.INDETERMINATE, "order.interrupted")
    assert len(buyer.about(named).ends) == 1


def test_a_real_process_killed_between_start_and_end(tmp_path: Path) -> None:
    """SIGKILL while the machine is told: the start was on the disk, and the end says so."""
    path = str(tmp_path / "maker.db")
    maker, buyer = sides(path)
    named = asked(maker, buyer)
    buyer.word(BEN, named, Verdict.APPROVE)
    maker.hear(buyer)
    runs = maker.runs
    maker.close()
    ran = subprocess.run(
        [sys.executable, "-m", "tests.killed_while_moving", path, str(runs - 1)],
        capture_output=True,
        check=False,
    )
    assert ran.returncode == -signal.SIGKILL, ran.stderr.decode()
    assert ran.stdout == b"moving 180\n"
    maker.runs = runs
    maker.reopen(press())
    for _ in range(2):
        meet(maker, buyer)
    assert maker.machines[0].moved == []
    assert became(buyer, named) == (Outcome.INDETERMINATE, "order.interrupted")


def test_what_the_log_took_first_counts_of_cancel_and_start() -> None:
    """A cancellation before the start ends the order; one after it comes too late."""
    maker, buyer = sides()
    early, late = asked(maker, buyer, 150), asked(maker, buyer, 160)
    for named in (early, late):
        buyer.word(BEN, named, Verdict.APPROVE)
    maker.hear(buyer)
    begun = maker.on(lambda db: maker.executing.decide(db, late))
    assert begun is not None
    for named in (early, late):
        buyer.word(ANN, named, Verdict.CANCEL)
    maker.hear(buyer)
    assert maker.on(lambda db: maker.executing.decide(db, early)) is None
    assert maker.on(lambda db: maker.executing.decide(db, late)) is None
    buyer.hear(maker)
    assert became(buyer, early) == (Outcome.CANCELLED, "order.cancelled")
    assert became(buyer, late) is None and len(buyer.about(late).starts) == 1


def test_a_refusal_is_told_once() -> None:
    """Each order that may not be done is ended under its code, once, and moves nothing."""
    maker, buyer = sides()
    wanted = {
        asked(maker, buyer, 400): "order.limits",
        asked(maker, buyer, unit="bar"): "order.unit",
        asked(maker, buyer, point="speed"): "order.point",
        asked(maker, buyer, target_name="other-gw"): "order.target",
        asked(
            maker, buyer, expected=(Expected("press-1", "mode", "==", 1),)
        ): "order.state-unknown",
    }
    for named in wanted:
        buyer.word(BEN, named, Verdict.APPROVE)
    for _ in range(3):
        meet(maker, buyer)
    assert {each: became(buyer, each) for each in wanted} == {
        each: (Outcome.REFUSED, code) for each, code in wanted.items()
    }
    assert all(len(buyer.about(each).ends) == 1 for each in wanted)
    assert maker.machines[0].moved == []


def test_an_order_lapses_by_the_uptime_of_whoever_is_asked() -> None:
    """An order older than it is valid is refused, whatever the clock on the wall says."""
    maker, buyer = sides()
    named = asked(maker, buyer, validity_ms=HOUR_MS)
    buyer.word(BEN, named, Verdict.APPROVE)
    maker.later(HOUR_MS + 1)
    maker.moment = replace(maker.moment, unix_ms=0)
    for _ in range(2):
        meet(maker, buyer)
    assert became(buyer, named) == (Outcome.REFUSED, "order.stale")


def test_a_restarted_gateway_does_nothing_that_was_ordered_before() -> None:
    """What quotes an earlier run is void in the next, approved or not."""
    maker, buyer = sides()
    named = asked(maker, buyer)
    buyer.word(BEN, named, Verdict.APPROVE)
    maker.start(press())
    for _ in range(2):
        meet(maker, buyer)
    assert maker.machines[0].moved == []
    assert became(buyer, named) == (Outcome.REFUSED, "order.earlier-run")


def test_one_order_number_of_one_signer_is_done_once() -> None:
    """Two signed orders with one number, and one order in many records, move once together."""
    maker, buyer = sides()
    activity = buyer.open(ROLES)
    meet(maker, buyer)
    first = buyer.order(activity, maker, 150)
    second = replace(first, value=151)
    both = [buyer.send(ANN, first), buyer.send(ANN, second)]
    buyer.post(order.sign(ANN.key, first), ANN.certificate, activity)
    for named in both:
        buyer.word(BEN, named, Verdict.APPROVE)
    for _ in range(3):
        meet(maker, buyer)
    assert maker.machines[0].moved == [("pressure", 150)]
    assert became(buyer, both[1]) == (Outcome.REFUSED, "order.repeated")


def test_a_copied_order_spoils_nothing() -> None:
    """Who writes another's signed order into a record of its own neither orders nor stops it."""
    maker, buyer = sides()
    activity = buyer.open(ROLES)
    meet(maker, buyer)
    wanted = buyer.order(activity, maker, 150)
    named = maker.post(order.sign(ANN.key, wanted), ANN.certificate, activity)
    buyer.send(ANN, wanted)
    maker.hear(buyer)
    buyer.hear(maker)
    buyer.word(BEN, named, Verdict.APPROVE)
    for _ in range(2):
        meet(maker, buyer)
    assert maker.machines[0].moved == [("pressure", 150)]


def test_a_revoked_person_neither_orders_nor_approves() -> None:
    """Once a revocation is known, what that person signed counts for nothing new."""
    maker, buyer = sides()
    named, other = asked(maker, buyer), asked(maker, buyer)
    buyer.word(BEN, named, Verdict.APPROVE)
    buyer.word(BEN, other, Verdict.APPROVE)
    ids = BUYER.root.id, identity.decode(BEN.certificate, "person").subject
    barred = identity.decode(identity.issue_revocation(BUYER.root, ids, 1), "revocation")
    maker.on(lambda db: groups.keep_revocation(db, barred))
    for _ in range(2):
        meet(maker, buyer)
    assert [maker.about(each).waits for each in (named, other)] == ["approvals"] * 2
    ids = BUYER.root.id, identity.decode(ANN.certificate, "person").subject
    barred = identity.decode(identity.issue_revocation(BUYER.root, ids, 1), "revocation")
    maker.on(lambda db: groups.keep_revocation(db, barred))
    for _ in range(2):
        meet(maker, buyer)
    assert became(buyer, named) == (Outcome.REFUSED, "order.revoked")


def test_what_is_expected_is_looked_at_in_the_newest_good_readings() -> None:
    """An order is done while the machine shows what it expects, well and lately; else refused."""
    maker, buyer = sides()
    rows = [
        (Reading("press-1", "mode", 1), (Outcome.DONE, None)),
        (Reading("press-1", "mode", 2), (Outcome.REFUSED, "order.state")),
        (Reading("press-1", "mode", 1, quality=Quality.BAD), _UNKNOWN),
        (Reading("press-1", "mode", 1, retained=True), _UNKNOWN),
        (Reading("press-1", "mode", 1, time_ms=1), _UNKNOWN),
    ]
    for reading, told in rows:
        named = asked(maker, buyer, expected=(Expected("press-1", "mode", "==", 1),))
        buyer.word(BEN, named, Verdict.APPROVE)
        maker.hear(buyer)
        maker.later(120_000)  # Nothing that was read before is fresh.
        maker.executing.show([reading])
        meet(maker, buyer)
        meet(maker, buyer)
        assert became(buyer, named) == told, reading
    assert len(maker.machines[0].moved) == 1


_UNKNOWN = (Outcome.REFUSED, "order.state-unknown")


class Slow(Machine):
    """A machine that does not answer until it is let."""

    async def move(self, point: str, value: object) -> None:  # type: ignore[override]
        """Wait for ever."""
        self.moved.append((point, value))  # type: ignore[arg-type]
        await asyncio.Event().wait()


def test_a_gateway_that_stops_while_it_moves_says_that_nobody_knows() -> None:
    """Told to stop in the middle of a move, a gateway ends the order as indeterminate."""
    maker, buyer = sides()
    maker.start(Slow(press().points))
    meet(maker, buyer)
    named = asked(maker, buyer)
    buyer.word(BEN, named, Verdict.APPROVE)
    maker.hear(buyer)

    async def stopped() -> None:
        running = asyncio.create_task(maker.executing.run())
        while not maker.machines[0].moved:
            await asyncio.sleep(0.01)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(stopped())
    assert became(maker, named) == (Outcome.INDETERMINATE, "move.unsure")


def test_one_machine_does_one_order_after_the_other() -> None:
    """Of two orders to one machine the second waits until the first has ended, and is done then."""
    maker, buyer = sides()
    both = [asked(maker, buyer, 150), asked(maker, buyer, 160)]
    for named in both:
        buyer.word(BEN, named, Verdict.APPROVE)
    maker.hear(buyer)
    maker.execute()
    waits = [maker.about(each).waits for each in both]
    assert (len(maker.machines[0].moved), sorted(map(str, waits))) == (1, ["None", "busy"])
    maker.execute()
    assert sorted(value for _, value in maker.machines[0].moved) == [150, 160]


def test_a_start_that_comes_back_to_a_restored_gateway_is_indeterminate() -> None:
    """A copy of the store without the start says no more than it knows once the start is back."""
    maker, buyer = sides()
    named = asked(maker, buyer)
    buyer.word(BEN, named, Verdict.APPROVE)
    restored = Side(MAKER, maker.group)
    restored.hear(buyer)  # As the backup had it: the order is there, and nobody started it.
    maker.hear(buyer)
    maker.on(lambda db: maker.executing.decide(db, named))
    buyer.hear(maker)
    restored.runs = maker.runs
    restored.start(press())
    restored.execute()
    assert became(restored, named) == (Outcome.REFUSED, "order.earlier-run")
    restored.hear(buyer)
    restored.execute()
    assert became(restored, named) == (Outcome.INDETERMINATE, "order.interrupted")
    assert restored.machines[0].moved == []


def test_no_order_is_lost_with_many() -> None:
    """Of many orders exactly those are done that were approved; the others wait on."""
    maker, buyer = sides()
    activity = buyer.open(ROLES)
    meet(maker, buyer)
    every = [buyer.send(ANN, buyer.order(activity, maker, 100 + n)) for n in range(10)]
    for named in every[::2]:
        buyer.word(BEN, named, Verdict.APPROVE)
    for _ in range(12):
        meet(maker, buyer)
    done = [value for _, value in maker.machines[0].moved]
    assert sorted(done) == [100, 102, 104, 106, 108]
    left = buyer.on(lambda db: orders.open_for(db, maker.run.node))
    assert left == every[1::2]
