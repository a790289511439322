"""A week offline at a record a second: how fast it is caught up, and what live records wait for.

Two real agents at a real broker. One holds a week of records of one reading, 604,800 of them, that
the other missed; the other comes back. Meanwhile a machine is heard once a second by the first, and
timed is each of its readings from its publishing until it is in the other's store. Records are in a
sealed group; a tenth as many in a clear one. Beside it the same processor verifies bare signatures,
one core, by another library: every record has one.
"""

import json
import statistics
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests import oracle, week

WEEK = 7 * 24 * 60 * 60
_CLEAR = WEEK // 10
_EVERY_S = 1.0
_S_MAX = 1200.0
_BARE_S = 1.0


def run() -> list[str]:
    """Let a week be missed in a sealed group, and a part of one in a clear group."""
    lines = []
    for clear, count in ((False, WEEK), (True, _CLEAR)):
        before = _bare()
        seen = _missed(clear, count)
        bare = (before + _bare()) / 2
        lines += _told("clear" if clear else "sealed", seen, bare)
    bound = (
        "two agents, a broker and this watcher on the cores there are; Python verifying, storing"
    )
    return [*lines, f"bound: {bound}"]


def _missed(clear: bool, count: int) -> week.CaughtUp:
    with (
        tempfile.TemporaryDirectory() as name,
        week.pair(Path(name), clear) as (broker, sayer, hearer),
    ):
        missed = week.write(sayer, count)
        seen = week.catch_up(broker, (sayer, hearer), missed, _EVERY_S, _S_MAX)
        sayer.stop()
        hearer.stop()
        assert week.records(sayer) == week.records(hearer), "not all came"
    return seen


def _bare() -> float:
    """Give the signatures that one core verifies a second, by the library `cryptography`."""
    command = [str(oracle.PYTHON), str(Path(__file__).with_name("_ed25519.py"))]
    said = subprocess.run(
        command, input=str(_BARE_S), capture_output=True, text=True, check=True
    ).stdout
    return float(json.loads(said)["verify"])


def _told(name: str, seen: week.CaughtUp, bare: float) -> list[str]:
    live = f"{name}, while behind: {seen.while_behind} live records, from publish to the other's"
    return [
        f"{name}: {seen.records:,} records missed, caught up at {seen.rate:,.0f}/s (2,000 promised)"
        f" in {seen.seconds:.0f} s; beside bare verifying at {bare:,.0f}/s: {seen.rate / bare:.2f}",
        f"{live} store median {statistics.median(seen.live_ms):.0f} ms,"
        f" p99 {_p99(seen.live_ms):.0f} ms, at most {max(seen.live_ms):.0f} ms (2,000 promised)",
        *(
            f"{name}: memory of {whose} {each[0]:.0f} MiB at first, {max(each):.0f} at most,"
            f" {each[-1]:.0f} in the end"
            for whose, each in zip(("who sends", "who catches up"), seen.resident_mib, strict=True)
        ),
    ]


def _p99(live_ms: Sequence[float]) -> float:
    return statistics.quantiles(live_ms, n=100)[98]
