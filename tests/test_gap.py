"""Gaps: what a device dropped is a signed record, and shows beside every answer it concerns."""

import asyncio
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from gateway import query
from gateway.errors import MalformedGap, StoreFull
from gateway.query import Answer, Missed, Question
from gateway.readings.reading import Batch, Gap, GapReason, Numbers, Reading, Unreadable
from gateway.records import gap
from gateway.store import checking, database, questions
from tests.agents import HULIAN, AgentProcess, introduce
from tests.bridge_c import build_device
from tests.broker import Broker
from tests.damage import all_refused, flips, never_escapes, refusal, truncations
from tests.mutate import known, mutations, vectors
from tests.on_a_line import listening, running, until, wired
from tests.station import Station, now
from tests.vectors.build_gap import BOOT, GOOD, MS, expect

SAID = GOOD["a ring that overran"]
HERE = b"n" * 16


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    opened = Station(tmp_path)
    yield opened
    opened.close()


def _ask(station: Station, question: Question) -> Answer:
    db = database.connect_to_read(station.path)
    return query.answer(question, questions.select(db, question, HERE))


def _gaps(station: Station, **asked: Any) -> tuple[Missed, ...]:
    return _ask(station, Question(**asked)).gaps


@pytest.mark.parametrize("vector", vectors("gap"), ids=lambda vector: vector["name"])
def test_every_vector_is_read_or_refused(vector: dict[str, Any]) -> None:
    """A good content gives its gap and is written so again; a bad one has the chapter's code."""
    content = bytes.fromhex(vector["hex"])
    if "error" in vector:
        assert refusal(lambda: gap.decode(content), MalformedGap) == vector["error"]
    else:
        assert expect(gap.decode(content)) == vector["expect"]
        assert gap.encode(gap.decode(content)) == content


def test_no_bytes_escape_the_decoder() -> None:
    """Any bytes are a gap or its own error."""
    whole = gap.encode(SAID)
    all_refused(gap.decode, truncations(whole), MalformedGap)
    never_escapes(gap.decode, flips(whole), MalformedGap)
    assert never_escapes(gap.decode, mutations(known("gap"), 2000, seed=5), MalformedGap) > 1000


def test_a_time_that_no_reader_takes_is_left_out() -> None:
    """A clock set to nonsense loses no gap: it is said without that time."""
    odd = Gap("mcu-7", ("strokes",), GapReason.DEVICE_OVERRUN, 1, None, -5, 1 << 60)
    assert gap.decode(gap.encode(odd)) == Gap("mcu-7", ("strokes",), GapReason.DEVICE_OVERRUN, 1)


def test_an_overrun_ring_is_a_signed_gap(station: Station, tmp_path: Path) -> None:
    """A real device that waited too long: stored and missing are all that it sampled, by number."""

    async def story() -> int:
        async with wired(tmp_path) as wire:
            options = ("--count", "400", "--period-ms", "5", "--ring", "16")
            with running(build_device(tmp_path), wire.device, *options) as device:
                async with listening(station, wire.link) as it:
                    await until(lambda: it.counts["stored"] > 20)
                await until(lambda: len(device.said("dropped")) > 50)
                async with listening(station, wire.link) as it:
                    await until(lambda: it.counts["dropped"] > 0)
                    before = it.counts["dropped"]
                    wire.unplug()
                    heard = len(device.said("dropped"))
                    await until(lambda: len(device.said("dropped")) > heard + 50)
                    wire.plug()
                    await until(device.gone, 30)
                    assert it.counts["dropped"] > before
                    return it.counts["dropped"]

    begun_ms = now().unix_ms
    dropped = asyncio.run(story())
    answer = _ask(station, Question())
    gaps = [missed.gap for missed in reversed(answer.gaps)]
    assert len(gaps) >= 2
    assert sum(each.count for each in gaps) == dropped
    assert len(answer.rows) + dropped == 400
    covered = [each.numbers for each in gaps]
    assert all(one and two and one.stop < two.start for one, two in pairwise(covered))
    for each in gaps:
        assert (each.device, each.metrics) == ("mcu-7", ("strokes", "temperature"))
        assert each.reason is GapReason.DEVICE_OVERRUN
        assert begun_ms < (each.before_ms or 0) <= now().unix_ms
    stored = sorted(row.reading.time_ms or 0 for row in answer.rows)
    last = gaps[-1]
    inside = [at for at in stored if (last.after_ms or 0) + 5 < at < (last.before_ms or 0) - 5]
    assert last.after_ms is not None
    assert inside == []
    tally = checking.verify_all(database.connect_to_read(station.path))
    assert (tally.ok, tally.unknown) == (True, 0)
    assert checking.totals(database.connect_to_read(station.path)) == []


def test_a_gap_is_in_the_commit_of_what_follows(station: Station) -> None:
    """Neither is stored without the other: a commit that fails leaves no gap behind."""
    good = Reading("mcu-7", "strokes", 1, time_ms=MS)
    large = Unreadable("line", bytes(1 << 20), "frame.type", "too much for what is left")
    intake = station.intake("mcu-7")
    station.writer.submit(lambda db: db.pragma("max_page_count", 1) and None).result()
    failed = intake.submit(Batch((good,), (large,), gaps=(SAID,)))
    assert isinstance(failed.exception(5), StoreFull)
    assert _gaps(station) == ()
    station.writer.submit(lambda db: db.pragma("max_page_count", 1 << 20) and None).result()
    intake.submit(Batch((good,), gaps=(SAID,))).result(5)
    (missed,) = _gaps(station)
    assert missed.gap == SAID


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ({}, True),
        ({"device": "mcu-*"}, True),
        ({"device": "mcu-7", "metric": "strokes"}, True),
        ({"device": "mcu-8"}, False),
        ({"metric": "pressure"}, False),
        ({"from_ms": MS + 39_000}, True),
        ({"from_ms": MS + 41_000}, False),
        ({"to_ms": MS + 1}, True),
        ({"to_ms": MS}, False),
        ({"from_ms": MS + 10, "to_ms": MS + 20}, True),
        ({"organisation": b"o" * 16}, False),
    ],
)
def test_a_question_shows_the_gaps_that_concern_it(
    station: Station, asked: dict[str, Any], shown: bool
) -> None:
    """A gap is told to whoever asks for what may be among the missing, and to nobody else."""
    station.intake("mcu-7").submit(Batch(gaps=(SAID,))).result(5)
    answer = _ask(station, Question(**asked))
    assert [missed.gap for missed in answer.gaps] == ([SAID] if shown else [])
    assert (answer.rows, answer.bodies_missing) == ((), 0)


def test_a_gap_has_the_names_that_tools_rely_on(station: Station) -> None:
    """What a program gets of a gap is plain JSON: counts, names, RFC 3339."""
    station.intake("mcu-7").submit(Batch(gaps=(SAID,))).result(5)
    (missed,) = _gaps(station)
    shown = missed.shown()
    assert shown["reason"] == "device-overrun"
    assert (shown["count"], shown["boot"], shown["numbers"]) == (35, BOOT.hex(), [16, 51])
    assert (shown["after"], shown["before"]) == (
        "2025-11-21T12:00:00.000Z",
        "2025-11-21T12:00:40.000Z",
    )
    assert missed.told.record.id.hex() == shown["record"]
    assert Numbers(BOOT, 16, 51) == missed.gap.numbers


_LINK = '[[link]]\nname = "consortium"\nurl = "{url}"\n'
_LINE = """
[[source]]
name = "mcu-7"
type = "framed"
url = "serial://{path}?baud=115200"

[[route]]
group = "partner"
"""


def test_another_organisation_sees_what_is_missing(tmp_path: Path) -> None:
    """A gap reaches the members who get the readings: their own query shows it, their check too."""
    broker, line = Broker(tmp_path), tmp_path / "tty"
    ace, bolt = (_agent(tmp_path, name, _LINK.format(url=broker.url)) for name in ("ace", "bolt"))
    ace.config.write_text(ace.config.read_text() + _LINE.format(path=line))
    introduce(ace, bolt)
    try:
        options = ("--pty", "--count", "120", "--period-ms", "5", "--ring", "16")
        with running(build_device(tmp_path), line, *options) as device:
            _wait(lambda: len(device.said("dropped")) > 60)
            bolt.start()
            ace.start()
            _wait(device.gone)
        dropped = ace.status()["counters"]["dropped"]
        assert dropped > 60
        _wait(lambda: len(_query(bolt)["rows"]) + dropped == 120)
        shown = _query(bolt)
        assert sum(each["count"] for each in shown["gaps"]) == dropped
        assert {each["device"] for each in shown["gaps"]} == {"mcu-7"}
        assert [each["record"] for each in shown["gaps"]] == [
            each["record"] for each in _query(ace)["gaps"]
        ]
        assert shown["bodies_missing"] == 0
        assert "missing for good" in _hulian(bolt, "query").stderr
        assert _hulian(bolt, "fsck", "--deep").returncode == 0
    finally:
        for each in (ace, bolt):
            each.end()
        broker.stop()


def _agent(folder: Path, name: str, said: str) -> AgentProcess:
    (folder / name).mkdir()
    return AgentProcess(folder / name, name, said)


def _hulian(agent: AgentProcess, *command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*HULIAN, "--config", str(agent.config), *command],
        env={**os.environ, "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=False,
    )


def _query(agent: AgentProcess) -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(_hulian(agent, "query", "--json").stdout)
    return shown


def _wait(holds: Callable[[], bool]) -> None:
    until_s = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < until_s, "it did not come to hold in time"
        time.sleep(0.1)
