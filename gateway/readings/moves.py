"""Whether a point may take a value, and whether what a machine shows is what it was told.

In: a point as the config has it, a value, where it stands now. Out: the value as it goes to the
machine, or BeyondLimits. This is the last look before the wire: it trusts nobody who looked before.
It tells no machine anything. Reference: docs/config.md.
"""

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Final, TypeVar

from gateway.config.points import Point
from gateway.errors import BeyondLimits, UnknownPoint
from gateway.readings.reading import Value

Kind = TypeVar("Kind", bound=Point)
# What single precision keeps of a number.
_APART_MAX: Final = 1e-6


def named(points: Mapping[str, Kind], name: str) -> Kind:
    """Find a point; raise UnknownPoint."""
    point = points.get(name)
    if point is None:
        raise UnknownPoint(point=name[:63], choices=", ".join(points) or "-")
    return point


def checked(point: Point, value: Value) -> bool | int | float:
    """Give a value that this point may take; raise BeyondLimits for every other."""
    match value:
        case bool() if point.kind == "bool":
            return value
        case int() | float() if type(value) is not bool and point.kind != "bool":
            number = _number(point, value)
        case _:
            wanted = "true or false" if point.kind == "bool" else "a number"
            raise _refused(point, value, reason=f"it takes {wanted}")
    if point.min is None or point.max is None:
        raise _refused(point, value, reason="it has no limits")
    if not point.min <= number <= point.max:
        raise _refused(point, value, reason=f"it goes from {point.min} to {point.max}")
    return number


def _number(point: Point, value: int | float) -> int | float:
    if isinstance(value, float) and not math.isfinite(value):
        raise _refused(point, value, reason="it is not finite")
    if point.kind != "integer" or type(value) is int:
        return value
    if value != int(value):
        raise _refused(point, value, reason="it takes whole numbers")
    return int(value)


def check_step(point: Point, before: Value | None, value: int | float) -> None:
    """See that a point does not go further at once than it may; raise BeyondLimits."""
    if point.step is None:
        return
    if isinstance(before, bool | str) or before is None or not math.isfinite(before):
        raise _refused(point, value, reason="nobody knows where it stands")
    if abs(Decimal(repr(value)) - Decimal(repr(before))) > Decimal(repr(point.step)):
        reason = f"it stands at {before}, and goes at most {point.step} at once"
        raise _refused(point, value, reason=reason)


def same(told: Value, shown: Value) -> bool:
    """Say whether a machine shows what it was told, as far as single precision can."""
    if isinstance(told, bool | str) or isinstance(shown, bool | str):
        return type(told) is type(shown) and told == shown
    return math.isclose(told, shown, rel_tol=_APART_MAX)


def _refused(point: Point, value: Value, reason: str) -> BeyondLimits:
    return BeyondLimits(point=point.name, value=value, reason=reason)
