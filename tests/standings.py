"""How it stands with orders, for tests: one in which all is well, and what may be changed of it.

In: names and numbers. Out: standings, of a person's order and of one under a mandate, and those in
which an order begins. Never: a clock or a store.
"""

from dataclasses import replace

from gateway.activities import mandate, order
from gateway.activities.approval import Verdict
from gateway.activities.order import Order
from gateway.activities.standing import (
    Found,
    Granted,
    Person,
    Place,
    PointRules,
    Quoted,
    Reached,
    Rights,
    Spoken,
    Standing,
    Thing,
    Use,
    Vouched,
)
from gateway.records.cose import SigningKey
from gateway.records.record import ClockSource
from tests.people import BOOT, moment, seed
from tests.vectors.build_mandate import MANDATE
from tests.vectors.build_order import ANNA, BUYER, BUYERS_RUN, LI, MAKER, ORDER

A, B, C = MAKER.root.id, BUYER.root.id, seed("a third organisation")[:16]
ME = Person(ANNA.id, B, ANNA.public)


def person(name: str, organisation: bytes) -> Person:
    """Make a person in good standing."""
    key = SigningKey(seed(name))
    return Person(key.id, organisation, key.public)


YOU, SHE, HE = person("You", A), person("She", B), person("He", C)
GIVER = Person(LI.id, A, LI.public)
YES = Spoken(Verdict.APPROVE, YOU)
HOT = {("press-1", "temperature"): Found(90)}


def asked(**changed: object) -> order.SignedOrder:
    """Sign an order of Anna's with something changed."""
    return order.decode(order.sign(ANNA, replace(ORDER, **changed)))  # type: ignore[arg-type]


RIGHTS = Rights(frozenset({B}), frozenset({A, B, C}), "agreed", approvals=1, organisations=1)
POINT = PointRules("number", "kPa", 100, 250, frozenset({B}))
STANDING = Standing(
    asked(),
    Place(MAKER.node.id, A, "maker-gw"),
    Place(BUYER.node.id, B, "buyer-gw"),
    ME,
    Reached.ENOUGH,
    Quoted(True, 5_000),
    moment(),
    RIGHTS,
    POINT,
    (YES,),
    {("press-1", "temperature"): Found(70)},
)


def thing(given: mandate.Mandate = MANDATE, **changed: object) -> Standing:
    """Say how it stands with an order under a mandate."""
    signed = mandate.decode(mandate.sign(LI, given))
    plain: dict[str, object] = {
        "point": "pump-1.refill",
        "value": 20,
        "unit": "l",
        "expected": (),
        "mandate": signed.hash,
        "depth": 1,
    }
    wanted: Order = replace(ORDER, **(plain | changed))  # type: ignore[arg-type]
    return replace(
        STANDING,
        order=order.decode(order.sign(BUYERS_RUN.key, wanted)),
        signer=Thing(),
        words=(),
        point=PointRules("number", "l", 0, 1000, frozenset({B}), 2, 2),
        granted=Granted(signed, GIVER, frozenset({"tank-1"})),
    )


def granted(standing: Standing, **changed: object) -> Standing:
    """Change what is known of the mandate."""
    assert standing.granted is not None
    return replace(standing, granted=replace(standing.granted, **changed))  # type: ignore[arg-type]


def changed(**what: object) -> Standing:
    """Change how it stands with a person's order."""
    return replace(STANDING, **what)  # type: ignore[arg-type]


def words(*spoken: Spoken) -> Standing:
    """Have other words said about a person's order."""
    return changed(words=spoken)


def ago(seconds: float) -> Use:
    """Give an order of 20 that was started so long ago."""
    return Use(BOOT, moment().monotonic_ms - round(seconds * 1000), 20)


NO = Spoken(Verdict.REFUSE, YOU)
REVOKED = replace(YOU, vouched=Vouched.REVOKED)
BEGINS: dict[str, Standing] = {
    "all is well": STANDING,
    "as old as it is valid": changed(quoted=Quoted(True, ORDER.validity_ms)),
    "at the lower limit": changed(order=asked(value=100)),
    "at the upper limit": changed(order=asked(value=250.0)),
    "nobody need approve": changed(words=(), rights=replace(RIGHTS, approvals=0, organisations=0)),
    "a refusal by a stranger": words(YES, Spoken(Verdict.REFUSE, person("X", b"stranger" * 2))),
    "a refusal by who is revoked": words(
        YES, Spoken(Verdict.REFUSE, replace(SHE, vouched=Vouched.REVOKED))
    ),
    "a refusal that does not count": words(YES, replace(NO, reached=Reached.REJECTED)),
    "a cancellation by who did not order": words(YES, Spoken(Verdict.CANCEL, HE)),
    "approved within the organisation that orders": words(Spoken(Verdict.APPROVE, SHE)),
    "approved by two organisations": changed(
        words=(YES, Spoken(Verdict.APPROVE, HE)),
        rights=replace(RIGHTS, approvals=2, organisations=2),
    ),
    "an integer": changed(point=replace(POINT, kind="integer")),
    "a truth": changed(
        order=asked(value=True, unit=""), point=PointRules("bool", orders_from=frozenset({B}))
    ),
    "a text": changed(
        order=asked(value="on", unit=""), point=PointRules("text", orders_from=frozenset({B}))
    ),
    "under a mandate": thing(),
    "under a mandate, nothing to spare": granted(
        thing(replace(MANDATE, orders_max=2, sum_max=40, rate_count=1, window_s=60)),
        uses=(ago(60),),
    ),
    "under a mandate without bounds": thing(replace(MANDATE, bounds=None, sum_max=None), value=900),
    "under a mandate that ended, by a clock nobody set": replace(
        thing(replace(MANDATE, end_s=1)), now=replace(moment(), source=ClockSource.BY_HAND)
    ),
    "a mandate that a stranger takes back": granted(thing(), words=(Spoken(Verdict.CANCEL, HE),)),
}
