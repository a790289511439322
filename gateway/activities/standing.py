"""How it stands with an order at the gateway that is asked: all that the decision looks at.

In: what the store, the config and the machines say of it now. Out: nothing; these are the nouns
that `execution.decide` reads. Whoever fills them in has verified each signature and certificate.
Protocol: docs/protocol/order.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from gateway.activities.approval import Verdict
from gateway.activities.mandate import SignedMandate
from gateway.activities.order import SignedOrder
from gateway.readings.reading import Value
from gateway.records.record import Moment


class Vouched(Enum):
    """What a person's certificate is worth in the group, now."""

    GOOD = "good"
    UNKNOWN = "unknown"  # no root that counts here signed it
    REVOKED = "revoked"
    EXPIRED = "expired"  # by a clock that NTP, PTP or GNSS set


class Reached(Enum):
    """How far a record has come, beside what is needed before anybody acts on it."""

    REJECTED = "rejected"  # it does not count: its author is no member, or was removed before
    CONTESTED = "contested"
    PENDING = "pending"  # what it answers is not held here
    SHORT = "short"  # of the status that is needed
    ENOUGH = "enough"


class Earlier(Enum):
    """Whether this gateway has dealt with it before."""

    NONE = "none"
    THIS = "this"  # it was started, or its end was told
    OTHER = "other"  # another order with the same number, of the same signer, was started


@dataclass(frozen=True, slots=True)
class Person:
    """Who signed: the id, the organisation that certifies it, the key, and what that is worth."""

    id: bytes
    organisation: bytes
    key: bytes
    vouched: Vouched = Vouched.GOOD


@dataclass(frozen=True, slots=True)
class Thing:
    """The run that wrote the order's record signed it itself, under a mandate."""


@dataclass(frozen=True, slots=True)
class Place:
    """A gateway: its node, its organisation, and what its certificate calls it."""

    node: bytes
    organisation: bytes
    name: str = ""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A person's word on the order or its mandate, and how far its record has come.

    `is_shown` says that the text which the person was shown is that of what it is about.
    """

    verdict: Verdict
    person: Person
    is_shown: bool = True
    reached: Reached = Reached.ENOUGH


@dataclass(frozen=True, slots=True)
class Rights:
    """What the activity's open record and template say of orders."""

    may_order: frozenset[bytes]  # organisations; none where the template has no orders
    may_approve: frozenset[bytes]  # organisations with a role other than observer
    needs: str  # the status without which nobody acts: "local", "agreed" or "final"
    approvals: int = 0
    organisations: int = 0
    is_closed: bool = False


@dataclass(frozen=True, slots=True)
class PointRules:
    """What the config of the machine's gateway says of a point."""

    kind: str  # number, integer, bool or text
    unit: str = ""
    low: float | None = None
    high: float | None = None
    orders_from: frozenset[bytes] = frozenset()  # organisations
    approvals: int = 0
    organisations: int = 0


@dataclass(frozen=True, slots=True)
class Quoted:
    """The record that the order quotes: of the present run or not; None where it is not written."""

    is_of_this_run: bool
    age_ms: int | None


@dataclass(frozen=True, slots=True)
class Found:
    """The newest reading of a metric; good where the source says so and it is not stale."""

    value: Value
    is_good: bool = True


@dataclass(frozen=True, slots=True)
class Use:
    """An order that was started under a mandate: when, and the value that was written."""

    boot: bytes
    monotonic_ms: int
    value: Value


@dataclass(frozen=True, slots=True)
class Granted:
    """The mandate of an order, who gave it, what was said of it, and what is spent.

    `causes` are the devices of the asking node whose readings stand in the records that the order
    answers; None where such a record is not held here.
    """

    mandate: SignedMandate
    giver: Person
    causes: frozenset[str] | None
    words: tuple[Spoken, ...] = ()
    uses: tuple[Use, ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """An order and all that bears on it, at one moment, at the gateway that is asked.

    `signer` is None where the signature is not that of the certificate beside it, or of the run.
    Of `rights`, `point` and `granted`, None is what is not here (yet).
    """

    order: SignedOrder
    here: Place
    author: Place  # who wrote the order's record
    signer: Person | Thing | None
    reached: Reached
    quoted: Quoted
    now: Moment
    rights: Rights | None = None
    point: PointRules | None = None
    words: tuple[Spoken, ...] = ()
    found: Mapping[tuple[str, str], Found] | None = None
    granted: Granted | None = None
    earlier: Earlier = Earlier.NONE
