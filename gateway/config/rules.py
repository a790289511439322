"""What machines ask by themselves: a condition on a reading, and what follows from it.

In: values that `load` has checked. Out: the same, by name. Reference: docs/config.md. A rule asks;
whether the other company's machine moves is for its mandate, its limits and its own gateway.
"""

from collections.abc import Mapping as Table
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from gateway.config.faults import Faults
from gateway.config.lines import Path
from gateway.config.names import Name, Short, Text
from gateway.errors import MissingKey, NoEffect, OutOfRange

_NUMBER_MAX: Final = 1e15
_KEYS: Final = ("mandate", "open")

Number = Annotated[int | float | None, Meta(description="a number")]
Part = Literal["initiator", "receiver", "supervisor", "observer"]
FieldValue = bool | int | float | str


class Concerned(Struct, frozen=True, kw_only=True):
    """A party of an activity that a rule opens."""

    who: Short
    # receiver: who is told of it is mostly who should do something.
    roles: Annotated[tuple[Part, ...], Meta(min_length=1, description="at least one")] = (
        "receiver",
    )


class Opening(Struct, frozen=True, kw_only=True):
    """The activity that a rule opens."""

    template: Text
    purpose: Text
    # None: the parties' own group, made where there is none.
    group: Name | None = None
    # None: an activity may begin without any.
    fields: dict[str, FieldValue] | None = None
    party: tuple[Concerned, ...] = ()


class Rule(Struct, frozen=True, kw_only=True):
    """One condition on one metric, and the order or the activity that follows from it."""

    name: Name
    device: Short
    metric: Short
    # None: exactly one of the two is given.
    below: Number = None
    above: Number = None
    # None: the bound itself; a value that trembles around it then asks again and again.
    reset: Number = None
    # A minute: what is over sooner was a splash, a spike or a door.
    for_s: Annotated[int, Meta(ge=0, le=604_800, description="from 0 to 604800")] = 60
    # 0: once, however long it goes on.
    again_s: Annotated[int, Meta(ge=0, le=604_800, description="from 0 to 604800")] = 0
    # None: no order. It names who is asked, for which point, in which activity.
    mandate: (
        Annotated[str, Meta(pattern=r"\A[0-9a-f]{8,64}\Z", description="8 to 64 digits of 0-9 a-f")]
        | None
    ) = None
    value: bool | int | float | str | None = None
    # An hour: what a machine asked for longer ago, it would ask for anew.
    validity_s: Annotated[int, Meta(ge=1, le=604_800, description="from 1 to 604800")] = 3600
    open: Opening | None = None


def check_rule(
    faults: Faults, at: Path, said: Table[str, object], written: Table[str, object]
) -> None:
    """Check what the keys of a rule come to together; `written` holds those that are wrong too."""
    bounds = [key for key in ("below", "above") if key in written]
    if not bounds:
        faults.add(MissingKey, (*at, "below"))
    elif len(bounds) == 2:
        faults.add(NoEffect, (*at, "above"), reason="a rule has one bound: 'below' or 'above'")
    for key in ("below", "above", "reset", "value"):
        match said.get(key):
            case int() | float() as number if not abs(number) <= _NUMBER_MAX:  # nan too
                faults.add(OutOfRange, (*at, key), expected="a number within 10^15 of zero")
    _check_reset(faults, at, said, bounds)
    wanted = [key for key in _KEYS if key in written]
    if not wanted:
        faults.add(MissingKey, (*at, "mandate"))
    elif len(wanted) == 2:
        reason = "a rule sends an order, by 'mandate', or opens an activity"
        faults.add(NoEffect, (*at, "open"), reason=reason)
    if "mandate" in written and "value" not in written:
        faults.add(MissingKey, (*at, "value"))
    if "mandate" not in written and "value" in written:
        faults.add(NoEffect, (*at, "value"), reason="there is no 'mandate' beside it")


def _check_reset(faults: Faults, at: Path, said: Table[str, object], bounds: list[str]) -> None:
    match [said.get(key) for key in bounds], said.get("reset"):
        case [int() | float() as bound], int() | float() as reset:
            if bounds == ["below"] and reset < bound:
                faults.add(OutOfRange, (*at, "reset"), expected="at least what 'below' is")
            if bounds == ["above"] and reset > bound:
                faults.add(OutOfRange, (*at, "reset"), expected="at most what 'above' is")
