"""What members write to have orders done that should not be, or to hold up those of others."""

from dataclasses import replace
from hashlib import sha256

from gateway.activities import mandate, order, stated
from gateway.activities.approval import Verdict
from gateway.activities.execution import Outcome
from gateway.activities.stated import Stated
from gateway.groups.group import Group, Role
from gateway.readings import senml
from gateway.readings.reading import Provenance, Reading
from gateway.records import identity
from gateway.records.cose import key_id
from gateway.records.identity import Named
from gateway.records.record import Kind, Said
from gateway.store import groups, orders
from gateway.store.authoring import Venue
from tests.ordering import BUYER, MAKER, Human, Side, human, meet, press, sides
from tests.people import group_of

ANN, BEN, EVE = human("ann", BUYER), human("ben", BUYER), human("eve", MAKER)
ROLES = {BUYER: Role.INITIATOR, MAKER: Role.RECEIVER}


def opened() -> tuple[Side, Side, bytes]:
    """Give the maker and the buyer, and an activity that both hold."""
    maker, buyer = sides()
    named = buyer.open(ROLES)
    meet(maker, buyer)
    return maker, buyer, named


def given(maker: Side, buyer: Side) -> bytes:
    """Give a mandate that Eve of the maker signed, for a tank of the buyer's."""
    name, point = maker.run.credentials.node.name, ("pressure", "kPa")
    ids = bytes(16), key_id(EVE.key.public), buyer.run.node
    wanted = mandate.Mandate(*ids, "tank-1", maker.run.node, name, *point, 100, 3600, 100)
    return mandate.sign(EVE.key, wanted)


def hand_in(side: Side, within: bytes, signed: bytes, by: Human) -> None:
    """Write a mandate beside a certificate."""
    content = stated.encode(Kind.MANDATE, Stated(signed, by.certificate))
    side.say(Said(Kind.MANDATE, content, stated.CONTENT_TYPE, within, (within,)))


def under(buyer: Side, maker: Side, within: tuple[bytes, bytes], cause: bytes) -> bytes:
    """Write an order of the buyer's run under a mandate, for a cause; give its hash."""
    named, leave = within
    wanted = buyer.order(named, maker, 150, mandate=sha256(leave).digest(), depth=1)
    signed = order.sign(buyer.run.key, wanted)
    content = stated.encode(Kind.ORDER, Stated(signed, None, leave))
    deps = tuple(sorted((named, cause)))
    buyer.say(Said(Kind.ORDER, content, stated.CONTENT_TYPE, named, deps))
    return sha256(signed).digest()


def level(side: Side) -> bytes:
    """Write a reading of the tank; give its record."""
    reading = Reading("tank-1", "level", 1, "1", 1)
    (pack,) = senml.encode([reading], Provenance.GATEWAY_ATTESTED)
    return side.say(Said(Kind.OBSERVATION, pack.encoded, senml.CONTENT_TYPE))


def test_an_order_for_a_cause_that_nobody_understands_holds_up_no_other() -> None:
    """It is refused, and the orders after it are done."""
    maker, buyer, named = opened()
    leave = given(maker, buyer)
    hand_in(maker, named, leave, EVE)
    meet(maker, buyer)
    cause = buyer.say(Said(Kind.OBSERVATION, b"\xff", senml.CONTENT_TYPE))
    bad = under(buyer, maker, (named, leave), cause)
    good = buyer.send(ANN, buyer.order(named, maker, 190))
    buyer.word(BEN, good, Verdict.APPROVE)
    for _ in range(2):
        meet(maker, buyer)
    assert maker.machines[0].moved == [("pressure", 190)]
    end = maker.about(bad).end
    assert end is not None and (end.outcome, end.reason) == (Outcome.REFUSED, "mandate.cause")


def test_a_mandate_copied_beside_another_certificate_of_its_key_still_counts() -> None:
    """Who certifies another's person and is first to write the mandate spoils nothing."""
    maker, buyer, named = opened()
    leave, key = given(maker, buyer), EVE.key.public
    stolen = identity.issue_person(BUYER.root, (BUYER.root.id, key_id(key)), key, 1, Named("eve"))
    hand_in(buyer, named, leave, Human(EVE.key, stolen))
    maker.hear(buyer)
    maker.start(press())
    meet(maker, buyer)
    hand_in(maker, named, leave, EVE)
    meet(maker, buyer)
    under(buyer, maker, (named, leave), level(buyer))
    for _ in range(2):
        meet(maker, buyer)
    assert maker.machines[0].moved == [("pressure", 150)]


def test_what_was_started_in_a_group_that_is_gone_holds_up_no_other() -> None:
    """Its end cannot be told; what is ordered elsewhere is looked at all the same."""
    maker, buyer, named = opened()
    left = buyer.send(ANN, buyer.order(named, maker, 150))
    buyer.word(BEN, left, Verdict.APPROVE)
    maker.hear(buyer)
    assert maker.on(lambda db: maker.executing.decide(db, left)) is not None
    maker.start(press())
    gone = maker.executing._around
    maker.executing._around = replace(gone, venues=dict)
    node = maker.run.node
    assert maker.on(maker.executing.open) == maker.on(lambda db: orders.open_for(db, node))
    maker.executing._around = gone
    meet(maker, buyer)
    end = buyer.about(left).end
    assert end is not None and end.outcome is Outcome.INDETERMINATE


def _move_to(side: Side, within: Group) -> None:
    """Have a gateway write in another group from now on."""
    side.on(lambda db: groups.register(db, within.founding.purpose, within))
    founding = within.encoded if within.founder.run.key == side.run.key.public else None
    side.group, side.venue = within, Venue(within.id, within.roster.hash, founding)


def test_an_order_counts_in_the_group_of_its_activity_alone() -> None:
    """Written in another group, where others would have to agree to it, it moves nothing."""
    maker, buyer, named = opened()
    other = group_of(BUYER, MAKER, purpose="aside")
    _move_to(maker, other)
    _move_to(buyer, other)
    meet(maker, buyer)
    sent = buyer.send(ANN, buyer.order(named, maker, 150))
    buyer.word(BEN, sent, Verdict.APPROVE)
    for _ in range(3):
        meet(maker, buyer)
    assert maker.machines[0].moved == []
    assert maker.about(sent).waits == "activity"


def test_what_one_member_repeats_of_an_order_is_kept_so_often() -> None:
    """Copies of an order, and words about it, cost no more than a few; the order is done."""
    maker, buyer, named = opened()
    sent = buyer.send(ANN, buyer.order(named, maker, 150))
    signed = buyer.about(sent).said.encoded
    for _ in range(orders.COPIES_MAX + 2):
        buyer.post(signed, ANN.certificate, named)
    meet(maker, buyer)
    for _ in range(orders.WORDS_MAX + 2):
        maker.word(EVE, sent, Verdict.APPROVE)
    held = maker.about(sent)
    assert (len(held.sightings), len(held.words)) == (orders.COPIES_MAX, orders.WORDS_MAX)
    meet(maker, buyer)
    assert maker.machines[0].moved == [("pressure", 150)]
