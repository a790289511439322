"""A week offline: who comes back gets all that it missed, and hears what is said now meanwhile."""

import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from tests import week
from tests.paired import until

# As a story of its own it is told at length.
RECORDS = 10_000 if "STORY_FIGURES" in os.environ else 4_000
_EVERY_S = 0.2
_PATIENCE_S = 90.0


def test_who_missed_a_week_gets_all_of_it_and_hears_live_records_meanwhile(
    tmp_path: Path, figures: Callable[..., None]
) -> None:
    """All records come, live ones before the last of the backlog, and the outbox lets go of all."""
    with week.pair(tmp_path, clear=False) as (broker, sayer, hearer):
        started_s = time.perf_counter()
        missed = week.write(sayer, RECORDS)
        written_s = time.perf_counter() - started_s
        seen = week.catch_up(broker, (sayer, hearer), missed, _EVERY_S, _PATIENCE_S)
        assert seen.while_behind > 0
        until(sayer, lambda: _owes_nothing(sayer.stands()))
        until(hearer, lambda: week.records(sayer) == week.records(hearer))
        assert len(week.records(hearer)[missed]) == seen.records > RECORDS
        sayer.stop()
        hearer.stop()
    live_ms = seen.live_ms
    figures(
        records_missed=f"{seen.records:,}, written in {written_s:.1f} s",
        caught_up=f"at {seen.rate:,.0f}/s",
        live_records=f"{len(live_ms)}, {seen.while_behind} of them before the last missed one",
        their_delay=f"median {statistics.median(live_ms):.0f} ms, at most {max(live_ms):.0f} ms",
    )


def test_what_the_same_run_says_now_does_not_wait_for_its_week(
    tmp_path: Path, figures: Callable[..., None]
) -> None:
    """The backlog and what is said now are one feed: live records come first, then all the rest."""
    with week.pair(tmp_path, clear=False) as (broker, sayer, hearer):
        missed = week.go_on(sayer, RECORDS, _PATIENCE_S)
        seen = week.catch_up(broker, (sayer, hearer), missed, _EVERY_S, _PATIENCE_S)
        assert seen.while_behind > 0
        until(sayer, lambda: _owes_nothing(sayer.stands()))
        until(hearer, lambda: week.records(sayer) == week.records(hearer))
        assert len(week.records(hearer)[missed]) > RECORDS
        sayer.stop()
        hearer.stop()
    early = seen.live_ms[: seen.while_behind]
    figures(
        records_missed=f"{seen.records:,}, in {seen.seconds:.1f} s",
        live_while_behind=f"{len(early)}, median {statistics.median(early):.0f} ms,"
        f" at most {max(early):.0f} ms",
    )


def _owes_nothing(told: dict[str, object]) -> bool:
    peers = told.get("peers")
    return isinstance(peers, list) and bool(peers) and all(not each["lacking"] for each in peers)
