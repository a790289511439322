"""Orders in the store: found by what was signed, whoever wrote it where, whatever came first."""

from dataclasses import replace
from itertools import permutations

import pytest

from gateway.activities import order
from gateway.activities.approval import Verdict
from gateway.activities.execution import Outcome
from gateway.errors import AuthorError, MalformedOrder, UnknownOrder
from gateway.groups.group import Role
from gateway.records.record import Kind
from gateway.store import keyring, orders, quoting
from gateway.store.database import Connection
from gateway.store.orders import By
from tests.ordering import BUYER, MAKER, Side, human, meet, sides

ANN, BEN, EVE = human("ann", BUYER), human("ben", BUYER), human("eve", MAKER)
_TABLES = ("orders", "sightings", "words", "executions")


def _open(buyer: Side) -> bytes:
    return buyer.open({BUYER: Role.INITIATOR, MAKER: Role.RECEIVER})


def _content(db: Connection, by: By) -> bytes:
    body = db.execute("SELECT body FROM records WHERE place = ?", (by.place,)).get
    return keyring.content(db, by.record, body) or b""


def _forget(db: Connection) -> None:
    for table in _TABLES:
        db.execute(f"DELETE FROM {table}")


def test_an_order_and_what_is_said_of_it_come_in_any_order() -> None:
    """Whichever record of an order comes first, a store tells the same of it in the end."""
    maker, buyer = sides()
    named = buyer.send(ANN, buyer.order(_open(buyer), maker, 180))
    buyer.word(BEN, named, Verdict.APPROVE)
    meet(maker, buyer)
    maker.execute()
    buyer.hear(maker)
    told = buyer.about(named)
    every = [each.by for each in told.sightings] + [each.by for each in told.words]
    every += [each.by for each in told.starts] + [each.by for each in told.ends]
    assert [by.record.kind for by in every] == [
        *(Kind.ORDER, Kind.APPROVAL, Kind.EXECUTION_START, Kind.EXECUTION_END)
    ]
    said = {by.place: buyer.on(lambda db, by=by: _content(db, by)) for by in every}  # type: ignore[misc]
    for turn in permutations(every):
        buyer.on(_forget)
        for by in turn:
            buyer.on(lambda db, by=by: orders.keep(db, by.place, by.record, said[by.place]))  # type: ignore[misc]
        assert buyer.about(named) == told
        assert told.end is not None and told.end.outcome is Outcome.DONE
        assert buyer.on(lambda db: orders.open_for(db, maker.run.node)) == []
        assert buyer.on(lambda db: orders.unended(db, maker.run.node)) == []


def test_an_order_stands_once_however_often_it_is_written() -> None:
    """One signed order in three records, of two gateways, is one order with three sightings."""
    maker, buyer = sides()
    activity = _open(buyer)
    wanted = buyer.order(activity, maker, 180)
    named = buyer.send(ANN, wanted)
    signed = order.sign(ANN.key, wanted)
    assert buyer.post(signed, ANN.certificate, activity) == named
    meet(maker, buyer)
    maker.post(signed, ANN.certificate, activity)
    meet(maker, buyer)
    for side in (maker, buyer):
        assert side.on(lambda db: orders.listed(db, 10)) == [named]
        assert len(side.about(named).sightings) == 3
        assert side.on(lambda db: orders.hash_of(db, named.hex()[:8])) == named


def test_what_nobody_signed_is_kept_nowhere() -> None:
    """An order whose signature is not its certificate's, or of another activity, is no order."""
    maker, buyer = sides()
    activity = _open(buyer)
    wanted = buyer.order(activity, maker, 180)
    other = replace(wanted, activity=bytes(32))
    for by, certificate, what in (
        (ANN, BEN.certificate, wanted),
        (BEN, ANN.certificate, wanted),
        (ANN, ANN.certificate, other),
    ):
        with pytest.raises(AuthorError):
            buyer.post(order.sign(by.key, what), certificate, activity)
    assert buyer.on(lambda db: orders.listed(db, 10)) == []
    with pytest.raises(UnknownOrder):
        buyer.on(lambda db: orders.hash_of(db, "0000"))


def test_a_malformed_record_of_a_peer_is_counted_and_disturbs_nothing() -> None:
    """What a member writes that is no order stays a record, and is counted where it comes in."""
    maker, buyer = sides()
    activity = _open(buyer)
    good = buyer.send(ANN, buyer.order(activity, maker, 180))
    with pytest.raises(MalformedOrder):
        buyer.post(b"no order", ANN.certificate, activity)
    buyer.post_unread(b"no order", ANN.certificate, activity)
    assert maker.hear(buyer) == {"order.malformed": 1}
    assert maker.on(lambda db: orders.open_for(db, maker.run.node)) == [good]


def test_only_whoever_is_asked_starts_and_ends_an_order() -> None:
    """What another gateway says of an execution changes nothing of the order."""
    maker, buyer = sides()
    named = buyer.send(ANN, buyer.order(_open(buyer), maker, 180))
    buyer.say_end(named, Outcome.DONE)
    meet(maker, buyer)
    assert buyer.about(named).end is None
    assert maker.on(lambda db: orders.open_for(db, maker.run.node)) == [named]


def test_the_newest_run_of_the_target_is_quoted() -> None:
    """After a restart of the target an order quotes its new run, as soon as that is heard of."""
    maker, buyer = sides()
    first = buyer.order(_open(buyer), maker, 180).quoted
    maker.start(*maker.machines)
    meet(maker, buyer)
    found = buyer.on(lambda db: quoting.quotable(db, buyer.group.id, maker.run.node))
    assert found is not None and found.feed != first[0]
    assert buyer.on(lambda db: quoting.quotable(db, buyer.group.id, bytes(16))) is None
