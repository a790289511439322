"""Agreement: a record is local, replicated, agreed and final, and stays so, whoever is away.

Three organisations' real agents and witnesses. Who must sign is away, the witnesses are away, they
come back; each status is reached at every gateway as soon as those are there whom it needs.
"""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from gateway.query import Status
from tests.agreeing import GROUP, MANY, consortium
from tests.paired import hulian


@pytest.mark.timeout(300)
def test_a_record_becomes_final_as_soon_as_it_can(
    tmp_path: Path, figures: Callable[..., None]
) -> None:
    """Nothing is said to be more than it is, and nobody needs all witnesses."""
    with consortium(tmp_path) as scene:
        agents, witnesses = scene.agents, scene.witnesses
        seen: list[Status] = []

        # Of three organisations one gateway is away, and of three witnesses two.
        agents["coil"].stop()
        witnesses["bolt"].kill()
        witnesses["coil"].kill()
        scene.between.stop()
        count = scene.say("ace", "one", MANY)

        def reached(status: Status, *names: str) -> None:
            scene.all_are(status, "one", count, *names)
            seen.append(status)

        reached(Status.LOCAL, "ace")
        scene.between.start()
        reached(Status.REPLICATED, "ace")
        agents["coil"].start()
        agents["coil"].listen()
        reached(Status.AGREED)
        witnesses["bolt"].start()
        reached(Status.FINAL)
        assert seen == [Status.LOCAL, Status.REPLICATED, Status.AGREED, Status.FINAL]
        assert all(before < after for before, after in pairwise(seen))
        # Another witness goes, and the last comes: what is said now is final by other two of three.
        witnesses["ace"].kill()
        witnesses["coil"].start()
        more = scene.say("bolt", "two", MANY)
        scene.all_are(Status.FINAL, "two", more)
        scene.all_are(Status.FINAL, "one", count)
        asked = ("query", "--group", GROUP, "--min-status", "final", "--limit", "1")
        (row,) = hulian(agents["coil"], *asked)["rows"]
        assert row["status"] == "final"
        figures(final=count + more, witnesses="2 of 3")
