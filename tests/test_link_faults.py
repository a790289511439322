"""One member's bad way is that member's alone: the others go on, and what was said arrives."""

import pytest

from tests.faults import links
from tests.ways import reason

WHY_NOT = reason()


@pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "it can be had here")
def test_what_was_said_in_a_fault_arrives_when_the_way_heals() -> None:
    """While one is cut off the others hear each other, and afterwards all stores are the same."""
    for _, seen in links.story("broker", ["cut"], links.DURING_S_SHORT):
        assert seen.before_ms
        assert seen.during_ms
