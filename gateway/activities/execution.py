"""Whether a gateway carries an order out, and how it says that it started and what came of it.

In: how it stands with an order; or the content of a start or an end. Out: to begin, to wait for
something that is named, or to refuse under a code; or the content. It never waits without an end:
each order quotes a record, and is stale once that is older than the order is valid. Protocol:
docs/protocol/order.md.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from gateway import errors
from gateway.activities import allowance, wording
from gateway.activities.approval import Verdict
from gateway.activities.standing import (
    Earlier,
    Person,
    PointRules,
    Reached,
    Rights,
    Spoken,
    Standing,
    Thing,
    Vouched,
)
from gateway.activities.terms import Relation, relates
from gateway.errors import MalformedCbor, MalformedExecution, OrderRefused
from gateway.readings.reading import Value
from gateway.records import cbor

EXECUTION_BYTES_MAX: Final = 1024
REASON_CHARS_MAX: Final = 64


class Outcome(IntEnum):
    """What came of an order."""

    DONE = 0
    FAILED = 1  # surely nothing moved, or the machine refused
    REFUSED = 2  # never started
    INDETERMINATE = 3  # started, and nobody knows how it ended
    CANCELLED = 4  # never started


@dataclass(frozen=True, slots=True)
class Start:
    """An order, by its hash, is begun: this value is written next."""

    order: bytes
    value: Value


@dataclass(frozen=True, slots=True)
class End:
    """What came of an order: the value read back where there is one, and the code of why."""

    order: bytes
    outcome: Outcome
    value: Value | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Begin:
    """Say that it starts, then write this value."""

    value: Value


@dataclass(frozen=True, slots=True)
class Wait:
    """Something is missing that may come: look again when something comes in."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refuse:
    """It is never carried out, for the reason of this code."""

    code: str
    outcome: Outcome = Outcome.REFUSED


@dataclass(frozen=True, slots=True)
class Settled:
    """It was started or ended before: there is nothing more to say."""


Decision = Begin | Wait | Refuse | Settled
_Stop = Wait | Refuse | None


def decide(standing: Standing) -> Decision:
    """Decide about an order, by what is so now; the same again for as long as nothing changes."""
    if standing.earlier is Earlier.THIS:
        return Settled()
    for step in _STEPS:
        stop = step(standing)
        if stop is not None:
            return stop
    return Begin(standing.order.order.value)


def encode_start(start: Start) -> bytes:
    """Write the content of an execution-start record."""
    return cbor.encode({0: start.order, 1: start.value})


def decode_start(content: bytes) -> Start:
    """Read the content of an execution-start record; raise MalformedExecution."""
    match _map(content):
        case {0: bytes() as order, 1: value, **more} if not more and len(order) == 32:
            found = _value(value)
            if found is not None:
                return Start(order, found)
    raise MalformedExecution(reason="fields are missing, unknown, or of the wrong type")


def encode_end(end: End) -> bytes:
    """Write the content of an execution-end record."""
    return cbor.encode({0: end.order, 1: int(end.outcome), 2: end.value, 3: end.reason})


def decode_end(content: bytes) -> End:
    """Read the content of an execution-end record; raise MalformedExecution."""
    match _map(content):
        case {0: bytes() as order, 1: int() as outcome, 2: value, 3: reason, **more} if not more:
            if len(order) != 32 or type(outcome) is not int or outcome not in tuple(Outcome):
                raise MalformedExecution(reason="it is of no order, or of an unknown outcome")
            if reason is not None and not _is_code(reason):
                raise MalformedExecution(reason="its reason is no code")
            code = reason if isinstance(reason, str) else None
            return End(order, Outcome(outcome), _value(value), code)
    raise MalformedExecution(reason="fields are missing, unknown, or of the wrong type")


def _addressed(standing: Standing) -> _Stop:
    order, here = standing.order.order, standing.here
    if not standing.order.is_as_shown:
        return _refuse(errors.TextDiffers)
    if (order.target, order.target_name) != (here.node, here.name):
        return _refuse(errors.WrongTarget)
    return None


def _fresh(standing: Standing) -> _Stop:
    quoted = standing.quoted
    if not quoted.is_of_this_run:
        return _refuse(errors.EarlierRun)
    if quoted.age_ms is None:
        return _refuse(errors.UnwrittenRecord)
    if quoted.age_ms > standing.order.order.validity_ms:
        return _refuse(errors.StaleOrder)
    return None


def _counts(standing: Standing) -> _Stop:
    if standing.reached is Reached.REJECTED:
        return _refuse(errors.OrderNotCounted)
    if standing.reached is Reached.CONTESTED:
        return _refuse(errors.OrderContested)
    if standing.earlier is Earlier.OTHER:
        return _refuse(errors.RepeatedOrder)
    return None


def _signed(standing: Standing) -> _Stop:
    """Look at who signed; an order without a mandate is never a machine's own."""
    match standing.signer:
        case Person() as person if standing.order.order.mandate is None:
            if person.organisation != standing.author.organisation:
                return _refuse(errors.ForeignOrder)
            return _vouched(person, errors.BarredPerson)
        case Thing() if standing.order.order.mandate is not None:
            return None
    return _refuse(errors.UnsignedOrder)


def _stopped(standing: Standing) -> _Stop:
    """Look for who is against it; whoever refuses is heard at once, however far the word came."""
    rights = standing.rights
    for word in filter(_is_heard, standing.words):
        if word.verdict is Verdict.CANCEL and word.person.organisation == _asking(standing):
            return Refuse(errors.CancelledOrder.code, Outcome.CANCELLED)
        if word.verdict is Verdict.REFUSE and rights and _may_approve(word.person, rights):
            return _refuse(errors.RefusedOrder)
    return None


def _pointed(standing: Standing) -> _Stop:
    point, order = standing.point, standing.order.order
    if point is None:
        return _refuse(errors.NoSuchPoint)
    if _asking(standing) not in point.orders_from:
        return _refuse(errors.PointNotAllowed)
    if not _fits(point, order.value):
        return _refuse(errors.WrongPointType)
    if order.unit != point.unit:
        return _refuse(errors.WrongPointUnit)
    if not isinstance(order.value, str | bool) and not _within(point, order.value):
        return _refuse(errors.LimitsExceeded)
    return None


def _mandated(standing: Standing) -> _Stop:
    """Look at the mandate, for whoever has one."""
    order, granted = standing.order.order, standing.granted
    if order.mandate is None:
        return None
    if granted is None or granted.mandate.hash != order.mandate:
        return Wait("mandate")
    barred = _vouched(granted.giver, errors.MandateGiver)
    if barred is not None:
        return barred
    fault = allowance.fault(standing, granted)
    if fault is not None:
        return _refuse(fault)
    return Wait("cause") if granted.causes is None else None


def _entitled(standing: Standing) -> _Stop:
    rights = standing.rights
    if rights is None:
        return Wait("activity")
    if rights.is_closed:
        return _refuse(errors.ClosedActivity)
    if _asking(standing) not in rights.may_order:
        return _refuse(errors.MayNotOrder)
    if standing.reached is Reached.PENDING:
        return Wait("pending")
    return Wait(rights.needs) if standing.reached is Reached.SHORT else None


def _approved(standing: Standing) -> _Stop:
    """Count persons; a mandate is the approval of what is ordered under it."""
    rights, point, signer = standing.rights, standing.point, standing.signer
    if rights is None or point is None or not isinstance(signer, Person):
        return None
    for_it = [
        word
        for word in standing.words
        if word.verdict is Verdict.APPROVE
        and word.is_shown
        and word.reached is not Reached.CONTESTED
        and _is_heard(word)
        and _may_approve(word.person, rights)
    ]
    persons = max(rights.approvals, point.approvals)
    organisations = max(rights.organisations, point.organisations)
    enough = [word for word in for_it if word.reached is Reached.ENOUGH]
    missing = _missing(signer, enough, persons, organisations)
    if missing and not _missing(signer, for_it, persons, organisations):
        return Wait(rights.needs)
    return Wait(missing) if missing else None


def _as_expected(standing: Standing) -> _Stop:
    found = standing.found or {}
    for each in standing.order.order.expected:
        now = found.get((each.device, each.metric))
        if now is None or not now.is_good:
            return _refuse(errors.StateUnknown)
        if not relates(Relation(each.relation), now.value, each.value):
            return _refuse(errors.StateDiffers)
    return None


# What can never become right is looked at before what may still come.
_STEPS: Final[tuple[Callable[[Standing], _Stop], ...]] = (
    _addressed,
    _fresh,
    _counts,
    _signed,
    _stopped,
    _pointed,
    _mandated,
    _entitled,
    _approved,
    _as_expected,
)


def _missing(signer: Person, words: list[Spoken], persons: int, organisations: int) -> str | None:
    """Say what four eyes still lack: persons other than who ordered, told apart by id and key."""
    others: list[Person] = []
    for person in (word.person for word in words):
        if all(_are_two(person, each) for each in (signer, *others)):
            others.append(person)
    if len(others) < persons:
        return "approvals"
    behind = {each.organisation for each in others}
    return "organisations" if len(behind) < organisations else None


def _are_two(one: Person, other: Person) -> bool:
    return one.id != other.id and one.key != other.key


def _vouched(person: Person, barred: type[OrderRefused]) -> _Stop:
    if person.vouched is Vouched.UNKNOWN:
        return Wait("certificate")
    return None if person.vouched is Vouched.GOOD else _refuse(barred)


def _is_heard(word: Spoken) -> bool:
    return word.reached is not Reached.REJECTED and word.person.vouched is Vouched.GOOD


def _may_approve(person: Person, rights: Rights) -> bool:
    return person.organisation in rights.may_approve


def _asking(standing: Standing) -> bytes:
    """Name the organisation that asks: a person's own is the author's, or it was refused."""
    return standing.author.organisation


def _fits(point: PointRules, value: Value) -> bool:
    match point.kind:
        case "bool":
            return isinstance(value, bool)
        case "text":
            return isinstance(value, str)
        case "integer":
            return type(value) is int
    return type(value) in (int, float)


def _within(point: PointRules, value: float) -> bool:
    above = point.low is None or value >= point.low
    return above and (point.high is None or value <= point.high)


def _refuse(why: type[OrderRefused]) -> Refuse:
    return Refuse(why.code)


def _map(content: bytes) -> object:
    try:
        return cbor.decode(content, EXECUTION_BYTES_MAX)
    except MalformedCbor as fault:
        raise MalformedExecution(reason=fault) from None


def _value(value: object) -> Value | None:
    match value:
        case None:
            return None
        case bool() | int() | float() | str() if wording.is_value(value):
            return value
    raise MalformedExecution(reason="a value that nobody could have ordered")


def _is_code(reason: object) -> bool:
    return (
        isinstance(reason, str)
        and reason.isascii()
        and reason.isprintable()
        and 0 < len(reason) <= REASON_CHARS_MAX
    )
