"""What a mandate still allows: bounds, how often, how much in all, how deep, until when.

In: an order under a mandate as it stands, and what was started under that mandate before. Out: by
which rule it is refused, or nothing. A wall clock counts only where somebody set it. Protocol:
docs/protocol/mandate.md.
"""

from collections.abc import Iterable
from math import fsum
from typing import Final

from gateway import errors
from gateway.activities.approval import Verdict
from gateway.activities.mandate import Mandate
from gateway.activities.order import Order
from gateway.activities.standing import Granted, Reached, Standing, Use, Vouched
from gateway.errors import OrderRefused
from gateway.readings.reading import Value
from gateway.records.record import ClockSource, Moment

# Who sets a clock so that an end may be judged by it; a person or a peer may be wrong.
_TRUSTED: Final = frozenset({ClockSource.NTP, ClockSource.PTP, ClockSource.GNSS})


def fault(standing: Standing, granted: Granted) -> type[OrderRefused] | None:
    """Say by which rule a mandate does not allow an order; None where it does."""
    mandate, order = granted.mandate.mandate, standing.order.order
    given_here = granted.giver.organisation == standing.here.organisation
    if not given_here or granted.giver.id != mandate.issuer or not granted.mandate.is_as_shown:
        return errors.MandateGiver
    if _is_withdrawn(granted):
        return errors.MandateWithdrawn
    if mandate.asking != standing.author.node or not _is_for(mandate, order):
        return errors.MandateElsewhere
    if granted.causes is not None and mandate.device not in granted.causes:
        return errors.MandateCause
    if order.depth > mandate.depth_max:
        return errors.MandateDepth
    if mandate.bounds is not None and not _is_between(mandate.bounds, order.value):
        return errors.MandateBounds
    if _has_ended(mandate, standing.now):
        return errors.MandateEnded
    return _spent(mandate, order.value, granted.uses, standing.now)


def recent(uses: Iterable[Use], window_ms: int, now: Moment) -> int:
    """Count what was started within a window before now.

    What was started under an earlier boot is at least as long ago as this boot lasts, and nobody
    knows how much longer: it counts for as long as it may be within the window.
    """
    ages = (now.monotonic_ms - (use.monotonic_ms if use.boot == now.boot else 0) for use in uses)
    return sum(1 for age in ages if age < window_ms)


def amount(value: Value) -> float:
    """Give what a value takes off a budget: its size where it is a number."""
    return 0 if isinstance(value, bool | str) else abs(value)


def _spent(
    mandate: Mandate, value: Value, uses: tuple[Use, ...], now: Moment
) -> type[OrderRefused] | None:
    if len(uses) >= mandate.orders_max:
        return errors.MandateSpent
    if mandate.sum_max is not None:
        total = fsum([*(amount(use.value) for use in uses), amount(value)])
        if total > mandate.sum_max:
            return errors.MandateSpent
    if recent(uses, mandate.window_s * 1000, now) >= mandate.rate_count:
        return errors.MandateRate
    return None


def _is_for(mandate: Mandate, order: Order) -> bool:
    asked = (order.target, order.target_name, order.point, order.unit)
    return asked == (mandate.target, mandate.target_name, mandate.point, mandate.unit)


def _is_between(bounds: tuple[float, float], value: Value) -> bool:
    return not isinstance(value, bool | str) and bounds[0] <= value <= bounds[1]


def _has_ended(mandate: Mandate, now: Moment) -> bool:
    if mandate.end_s is None or now.source not in _TRUSTED:
        return False
    return now.unix_ms >= mandate.end_s * 1000


def _is_withdrawn(granted: Granted) -> bool:
    """Say whether anybody of the giver's organisation took it back, in whatever words."""
    return any(
        word.verdict is not Verdict.APPROVE
        and word.person.organisation == granted.giver.organisation
        and word.person.vouched is Vouched.GOOD
        and word.reached is not Reached.REJECTED
        for word in granted.words
    )
