"""The decision about an order: what begins, what waits for what, and every reason to refuse."""

from dataclasses import replace

import pytest

from gateway.activities import allowance, execution
from gateway.activities.approval import Verdict
from gateway.activities.execution import Begin, Outcome, Refuse, Settled, Wait
from gateway.activities.standing import (
    Earlier,
    Found,
    Place,
    PointRules,
    Quoted,
    Reached,
    Spoken,
    Standing,
    Thing,
    Use,
    Vouched,
)
from gateway.errors import OrderRefused
from tests.people import BOOT, moment, seed
from tests.standings import (
    BEGINS,
    GIVER,
    HE,
    HOT,
    ME,
    NO,
    POINT,
    REVOKED,
    RIGHTS,
    SHE,
    STANDING,
    YES,
    YOU,
    A,
    B,
    C,
    ago,
    asked,
    changed,
    granted,
    person,
    thing,
    words,
)
from tests.vectors.build_mandate import MANDATE
from tests.vectors.build_order import BUYER, ORDER

REFUSED: dict[str, tuple[Standing, str]] = {
    "for another node": (
        changed(here=replace(STANDING.here, node=BUYER.node.id)),
        "order.target",
    ),
    "for another name": (changed(here=replace(STANDING.here, name="pump-gw")), "order.target"),
    "quotes an earlier run": (changed(quoted=Quoted(False, 5_000)), "order.earlier-run"),
    "quotes what was never written": (changed(quoted=Quoted(True, None)), "order.unwritten"),
    "older than it is valid": (
        changed(quoted=Quoted(True, ORDER.validity_ms + 1)),
        "order.stale",
    ),
    "its author was removed": (changed(reached=Reached.REJECTED), "order.not-counted"),
    "its author forked": (changed(reached=Reached.CONTESTED), "order.contested"),
    "its number was used": (changed(earlier=Earlier.OTHER), "order.repeated"),
    "signed by nobody": (changed(signer=None), "order.signature"),
    "signed by a machine without a mandate": (changed(signer=Thing()), "order.signature"),
    "signed by a person under a mandate": (replace(thing(), signer=ME), "order.signature"),
    "brought by another organisation": (
        changed(signer=replace(ME, organisation=A)),
        "order.organisation",
    ),
    "by a person who is revoked": (
        changed(signer=replace(ME, vouched=Vouched.REVOKED)),
        "order.revoked",
    ),
    "by a person whose certificate ended": (
        changed(signer=replace(ME, vouched=Vouched.EXPIRED)),
        "order.revoked",
    ),
    "a person refused": (words(YES, Spoken(Verdict.REFUSE, HE)), "order.refused"),
    "a person refused, and few know it yet": (
        words(YES, replace(NO, reached=Reached.SHORT)),
        "order.refused",
    ),
    "a person refused what was shown wrongly": (
        words(YES, replace(NO, is_shown=False)),
        "order.refused",
    ),
    "a person refused a machine's order": (
        replace(thing(), words=(NO,)),
        "order.refused",
    ),
    "no such point": (changed(point=None), "order.point"),
    "the point is not for them": (
        changed(point=replace(POINT, orders_from=frozenset({A, C}))),
        "order.not-allowed",
    ),
    "the point is for nobody": (
        changed(point=replace(POINT, orders_from=frozenset())),
        "order.not-allowed",
    ),
    "a text for a number": (changed(order=asked(value="180", unit="")), "order.type"),
    "a truth for a number": (changed(order=asked(value=True, unit="")), "order.type"),
    "a fraction for an integer": (
        changed(order=asked(value=180.0), point=replace(POINT, kind="integer")),
        "order.type",
    ),
    "a number for a truth": (changed(point=replace(POINT, kind="bool")), "order.type"),
    "another unit": (changed(order=asked(unit="hPa")), "order.unit"),
    "no unit": (changed(order=asked(unit="")), "order.unit"),
    "below the limit": (changed(order=asked(value=99.9)), "order.limits"),
    "above the limit": (changed(order=asked(value=251)), "order.limits"),
    "the activity is closed": (
        changed(rights=replace(RIGHTS, is_closed=True)),
        "order.closed",
    ),
    "they may not order here": (
        changed(rights=replace(RIGHTS, may_order=frozenset({A, C}))),
        "order.unauthorised",
    ),
    "no orders in this activity": (
        changed(rights=replace(RIGHTS, may_order=frozenset())),
        "order.unauthorised",
    ),
    "an expected state that is not": (changed(found=HOT), "order.state"),
    "an expected state of another type": (
        changed(found={("press-1", "temperature"): Found("70")}),
        "order.state",
    ),
    "an expected state that nobody read": (changed(found={}), "order.state-unknown"),
    "an expected state that is stale": (
        changed(found={("press-1", "temperature"): Found(70, False)}),
        "order.state-unknown",
    ),
    "a mandate by another organisation": (
        granted(thing(), giver=replace(GIVER, organisation=C)),
        "mandate.giver",
    ),
    "a mandate by another person": (granted(thing(), giver=YOU), "mandate.giver"),
    "a mandate by a person who is revoked": (
        granted(thing(), giver=replace(GIVER, vouched=Vouched.REVOKED)),
        "mandate.giver",
    ),
    "a mandate that was taken back": (
        granted(thing(), words=(Spoken(Verdict.CANCEL, YOU, reached=Reached.SHORT),)),
        "mandate.withdrawn",
    ),
    "a mandate of another node": (
        replace(thing(), author=Place(b"other" * 3 + b"!", B)),
        "mandate.elsewhere",
    ),
    "a mandate for another point": (
        thing(replace(MANDATE, point="pump-2.refill")),
        "mandate.elsewhere",
    ),
    "a mandate for another machine": (
        thing(replace(MANDATE, target=BUYER.node.id)),
        "mandate.elsewhere",
    ),
    "caused by another device": (
        granted(thing(), causes=frozenset({"tank-2"})),
        "mandate.cause",
    ),
    "caused by nothing": (granted(thing(), causes=frozenset()), "mandate.cause"),
    "too deep": (thing(depth=2), "mandate.depth"),
    "below the mandate": (thing(value=-1), "order.limits"),
    "above the mandate": (thing(value=51), "mandate.bounds"),
    "a truth within bounds": (
        replace(thing(value=True, unit=""), point=PointRules("bool", orders_from=frozenset({B}))),
        "mandate.elsewhere",
    ),
    "the mandate ended": (thing(replace(MANDATE, end_s=1)), "mandate.ended"),
    "as many as it allows": (
        granted(thing(replace(MANDATE, orders_max=1)), uses=(ago(9_999),)),
        "mandate.spent",
    ),
    "more than it allows in all": (
        granted(thing(replace(MANDATE, sum_max=39.9)), uses=(ago(9_999),)),
        "mandate.spent",
    ),
    "too soon": (
        granted(thing(replace(MANDATE, rate_count=1, window_s=60)), uses=(ago(59.9),)),
        "mandate.rate",
    ),
    "too soon after another boot": (
        granted(
            thing(replace(MANDATE, rate_count=1, window_s=61)), uses=(Use(b"earlier!", 1, 20),)
        ),
        "mandate.rate",
    ),
}

WAITS: dict[str, tuple[Standing, str]] = {
    "its certificate is not known yet": (
        changed(signer=replace(ME, vouched=Vouched.UNKNOWN)),
        "certificate",
    ),
    "the giver's certificate is not known yet": (
        granted(thing(), giver=replace(GIVER, vouched=Vouched.UNKNOWN)),
        "certificate",
    ),
    "the activity is not here yet": (changed(rights=None), "activity"),
    "what it answers is not here yet": (changed(reached=Reached.PENDING), "pending"),
    "not agreed yet": (changed(reached=Reached.SHORT), "agreed"),
    "not final yet": (
        changed(reached=Reached.SHORT, rights=replace(RIGHTS, needs="final")),
        "final",
    ),
    "nobody approved": (words(), "approvals"),
    "approved by who ordered": (words(Spoken(Verdict.APPROVE, ME)), "approvals"),
    "approved under the same key": (
        words(Spoken(Verdict.APPROVE, replace(YOU, key=ME.key))),
        "approvals",
    ),
    "approved twice by one person": (
        changed(words=(YES, YES), rights=replace(RIGHTS, approvals=2)),
        "approvals",
    ),
    "the point's owner wants more": (
        changed(point=replace(POINT, approvals=2)),
        "approvals",
    ),
    "approved by a stranger": (
        words(Spoken(Verdict.APPROVE, person("X", b"stranger" * 2))),
        "approvals",
    ),
    "approved by who is revoked": (words(Spoken(Verdict.APPROVE, REVOKED)), "approvals"),
    "approved by who is not known yet": (
        words(Spoken(Verdict.APPROVE, replace(YOU, vouched=Vouched.UNKNOWN))),
        "approvals",
    ),
    "approved by an author who was removed": (
        words(replace(YES, reached=Reached.REJECTED)),
        "approvals",
    ),
    "approved by an author who forked": (
        words(replace(YES, reached=Reached.CONTESTED)),
        "approvals",
    ),
    "approved, but something else was shown": (words(replace(YES, is_shown=False)), "approvals"),
    "approved within one organisation": (
        changed(
            words=(YES, Spoken(Verdict.APPROVE, person("Another", A))),
            rights=replace(RIGHTS, approvals=2, organisations=2),
        ),
        "organisations",
    ),
    "an approval that is not agreed yet": (words(replace(YES, reached=Reached.SHORT)), "agreed"),
    "the mandate is not here yet": (replace(thing(), granted=None), "mandate"),
    "another mandate is here": (
        replace(thing(), granted=thing(replace(MANDATE, depth_max=9)).granted),
        "mandate",
    ),
    "what caused it is not here yet": (granted(thing(), causes=None), "cause"),
}


@pytest.mark.parametrize("name", BEGINS)
def test_what_is_in_order_begins(name: str) -> None:
    """Nothing stands against it: the value that was signed is the one that is written."""
    standing = BEGINS[name]
    assert execution.decide(standing) == Begin(standing.order.order.value)


@pytest.mark.parametrize("name", REFUSED)
def test_what_can_never_be_right_is_refused_under_its_code(name: str) -> None:
    """One thing is wrong, and it is the thing that is said."""
    standing, code = REFUSED[name]
    assert execution.decide(standing) == Refuse(code)


@pytest.mark.parametrize("name", WAITS)
def test_what_may_still_come_is_waited_for(name: str) -> None:
    """One thing is missing, and it is named."""
    standing, reason = WAITS[name]
    assert execution.decide(standing) == Wait(reason)


@pytest.mark.parametrize("name", WAITS)
def test_nothing_waits_for_ever(name: str) -> None:
    """Whatever is missing, once the order is stale it is refused."""
    late = replace(WAITS[name][0], quoted=Quoted(True, ORDER.validity_ms + 1))
    assert execution.decide(late) == Refuse("order.stale")


@pytest.mark.parametrize("name", [*BEGINS, *WAITS])
def test_a_new_run_voids_what_was_asked_before(name: str) -> None:
    """After a restart, or a restored backup, nothing from before begins, or waits."""
    standing = BEGINS.get(name) or WAITS[name][0]
    restarted = replace(standing, quoted=Quoted(False, 0))
    assert execution.decide(restarted) == Refuse("order.earlier-run")


@pytest.mark.parametrize("name", [*BEGINS, *REFUSED, *WAITS])
def test_what_was_dealt_with_is_settled(name: str) -> None:
    """Whatever has become of it, and whoever sends it again: it never begins again."""
    standing = BEGINS.get(name) or (REFUSED | WAITS)[name][0]
    assert execution.decide(replace(standing, earlier=Earlier.THIS)) == Settled()


def test_a_cancellation_of_who_ordered_stops_it() -> None:
    """Anybody of the organisation that ordered, in whatever state the rest is."""
    for who in (ME, SHE):
        said = Spoken(Verdict.CANCEL, who, reached=Reached.SHORT)
        for standing in (STANDING, thing(), WAITS["the activity is not here yet"][0]):
            stopped = replace(standing, words=(said, *standing.words))
            expected = Refuse("order.cancelled", Outcome.CANCELLED)
            assert execution.decide(stopped) == expected


def test_an_order_shown_otherwise_than_signed_is_refused() -> None:
    """What was read is what counts: a hash of another text voids the order."""
    other = replace(asked(), shown=seed("another text"))
    assert execution.decide(changed(order=other)) == Refuse("order.text")


def test_every_reason_to_refuse_is_tried() -> None:
    """The table above leaves no rule out."""
    seen = {code for _, code in REFUSED.values()}
    told = {each.code for each in _below(OrderRefused)} - {"mandate"}
    assert told - seen == {"order.text", "order.cancelled"}
    assert seen <= told


def test_what_is_expected_is_looked_at_last() -> None:
    """While approvals are missing nobody cares about the machine: it may be right by then."""
    assert execution.decide(changed(found=HOT, words=())) == Wait("approvals")


def test_a_budget_is_never_exceeded() -> None:
    """However orders follow one another, no more begin than the mandate allows, nor of more."""
    given = replace(MANDATE, rate_count=2, window_s=10, orders_max=7, sum_max=130)
    uses: tuple[Use, ...] = ()
    begun = []
    for second in range(100):
        standing = granted(replace(thing(given), now=moment(second)), uses=uses)
        if isinstance(execution.decide(standing), Begin):
            begun.append(second)
            uses = (*uses, Use(BOOT, moment(second).monotonic_ms, 20))
    assert begun == [0, 1, 10, 11, 20, 21]
    assert sum(allowance.amount(use.value) for use in uses) <= 130


def _below(error: type[OrderRefused]) -> list[type[OrderRefused]]:
    found = error.__subclasses__()
    return [*found, *(each for below in found for each in _below(below))]
