"""The quarantine: bytes and reason are kept, within bounds; what is let go of is counted."""

import logging
import time
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from gateway.readings.reading import Batch, Unreadable
from gateway.store import checking, database, quarantine
from gateway.store.quarantine import BYTES_MAX, ENTRIES_MAX
from tests.station import Station


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    opened = Station(tmp_path)
    yield opened
    opened.close()


def _unreadable(number: int, size: int = 4) -> Unreadable:
    payload = number.to_bytes(4, "big") * (size // 4)
    return Unreadable("plant/press-1", payload, "payload.json", "payload.json: 说不清")


def _totals(station: Station) -> dict[str, int]:
    rows = database.connect_to_read(station.path).execute("SELECT name, value FROM totals")
    return {str(name): int(value) for name, value in rows}


def _keep(station: Station, *batches: tuple[Unreadable, ...]) -> None:
    intake = station.intake("meters")
    for done in [intake.submit(Batch(unreadable=batch)) for batch in batches]:
        done.result(30)


def test_what_cannot_be_read_is_kept_with_its_bytes_and_reason(station: Station) -> None:
    """An entry says its source, where and when it was heard, the code, the reason, the bytes."""
    before_ms = time.time_ns() // 1_000_000
    _keep(station, (_unreadable(1), _unreadable(2)))
    newest, oldest = station.quarantined()
    assert (newest.what, oldest.what) == (_unreadable(2), _unreadable(1))
    assert (newest.source, newest.number) == ("meters", oldest.number + 1)
    assert newest.heard_ms >= before_ms


def test_the_oldest_is_let_go_of_beyond_the_count(
    station: Station, caplog: pytest.LogCaptureFixture
) -> None:
    """However much cannot be read, so many newest entries are kept; the others are counted."""
    over = 1500
    with caplog.at_level(logging.WARNING, "gateway.store.quarantine"):
        _keep(station, tuple(map(_unreadable, range(ENTRIES_MAX))))
        assert not caplog.records
        _keep(station, *((_unreadable(ENTRIES_MAX + number),) for number in range(over)))
    kept = quarantine.newest(database.connect_to_read(station.path), 2 * ENTRIES_MAX)
    assert [int.from_bytes(each.what.payload) for each in kept] == [
        *range(ENTRIES_MAX + over - 1, over - 1, -1)
    ]
    totals = _totals(station)
    assert totals["quarantined"] == ENTRIES_MAX
    assert totals["quarantine_dropped_for_count"] == over
    assert totals["quarantine_dropped_for_bytes"] == 0
    assert len(caplog.records) == 2, "told once at first, and once for each thousand"


def test_the_oldest_is_let_go_of_beyond_the_bytes(station: Station) -> None:
    """Large payloads push out more than one each, and the file does not grow without end."""
    size = 1 << 20
    fit = BYTES_MAX // (size + 100)
    _keep(station, tuple(_unreadable(number) for number in range(10)))
    _keep(station, *((_unreadable(10 + number, size),) for number in range(2 * fit)))
    kept = [int.from_bytes(each.what.payload[:4]) for each in station.quarantined()]
    assert kept == [*range(9 + 2 * fit, 9 + fit, -1)]
    totals = _totals(station)
    assert totals["quarantine_dropped_for_bytes"] == 10 + fit
    assert totals["quarantine_dropped_for_count"] == 0
    assert totals["quarantined_bytes"] <= BYTES_MAX
    assert Path(station.path).stat().st_size < BYTES_MAX * 3 // 2


def test_one_batch_beyond_the_bounds_keeps_its_newest(station: Station) -> None:
    """Even what comes at once is bounded at once, in the same commit."""
    _keep(station, tuple(map(_unreadable, range(ENTRIES_MAX + 7))))
    assert _totals(station)["quarantined"] == ENTRIES_MAX
    assert int.from_bytes(station.quarantined()[0].what.payload) == ENTRIES_MAX + 6


def test_what_was_let_go_of_is_a_note_and_no_fault(station: Station) -> None:
    """The check of the store says how much is gone and why; the counts agree with what is there."""
    _keep(station, tuple(map(_unreadable, range(ENTRIES_MAX + 3))))
    db = database.connect_to_read(station.path)
    assert checking.totals(db) == []
    assert checking.notes(db) == [
        f"quarantine: 3 let go of, the oldest first: more than {ENTRIES_MAX} entries"
    ]


@pytest.mark.parametrize("name", ["quarantined", "quarantined_bytes"])
def test_a_wrong_count_is_found(station: Station, name: str) -> None:
    """A running count that no longer agrees with the entries is said by the check."""
    _keep(station, (_unreadable(1),))
    writing = apsw.Connection(station.path)
    writing.execute("UPDATE totals SET value = value + 1 WHERE name = ?", (name,))
    (fault,) = checking.totals(database.connect_to_read(station.path))
    assert fault.startswith(f"{name}: ")
