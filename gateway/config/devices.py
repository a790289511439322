"""What is said of any device: where it stands, when it is stale, on which topics it speaks.

In: values that `load` has checked. Out: the same, by name. Reference: docs/config.md.
"""

import re
from collections.abc import Mapping as Table, Sequence
from typing import Annotated, Final, Protocol

from msgspec import Meta, Struct

from gateway.config.faults import Faults
from gateway.config.lines import Path
from gateway.config.names import Short, Text
from gateway.errors import OutOfRange

LEVELS_MAX: Final = 5  # ISA-95: enterprise, site, area, line, cell
# Where a device stands, beginning where its gateway's own path ends.
_LEVEL: Final = r"[^/+#\x00-\x1f\x7f]{1,63}"
EQUIPMENT: Final = re.compile(rf"({_LEVEL}(/{_LEVEL}){{0,4}})?")
Equipment = Annotated[
    str,
    Meta(
        pattern=rf"\A{EQUIPMENT.pattern}\Z",
        description="1 to 5 names between slashes, as enterprise/site/area/line/cell",
    ),
]
# How long a device may be silent before it is stale.
StaleMs = Annotated[
    int, Meta(ge=100, le=31_536_000_000, description="from 100 to 31536000000, a year")
]
# A minute: machines that are alive mostly say something every few seconds.
STALE_MS: Final = 60_000


class Bind(Struct, frozen=True, kw_only=True):
    """One device of an MQTT source, and the topics on which it alone speaks."""

    device: Short
    topics: Annotated[tuple[Text, ...], Meta(min_length=1, description="at least one topic")]
    # "": it stands where its source does.
    equipment: Equipment = ""


class Placed(Protocol):
    """What stands somewhere."""

    @property
    def equipment(self) -> str:
        """Say where, beginning where the path of what it is in ends."""


def joined(*paths: str) -> str:
    """Join paths, each beginning where the one before it ends."""
    return "/".join(path for path in paths if path)


def check_depth(faults: Faults, gateway: Table[str, object], sources: Sequence[object]) -> None:
    """Check that no path, joined, has more levels than ISA-95."""
    within = gateway.get("equipment")
    for place, source in enumerate(sources):
        said = getattr(source, "equipment", "")
        at: Path = ("source", place)
        own = _check(faults, (*at, "equipment"), joined(str(within or ""), said))
        for number, bind in enumerate(getattr(source, "bind", ())):
            if bind.equipment:
                _check(faults, (*at, "bind", number, "equipment"), joined(own, bind.equipment))


def _check(faults: Faults, at: Path, whole: str) -> str:
    if whole.count("/") >= LEVELS_MAX:
        faults.add(OutOfRange, at, expected="at most 5 levels together with what it stands in")
        return ""
    return whole
