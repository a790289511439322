"""The store's file: upgraded in whole steps, whole after a kill, said to be full where it is."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import apsw
import pytest

from gateway.errors import StateOpen, StoreDamaged, StoreFull, StoreNewer, StoreUnwritable
from gateway.readings.reading import Batch, Reading, Unreadable
from gateway.store import checking, database, quarantine
from tests.station import Station

MS = 1_763_726_400_000
SCHEMA = sorted((Path(database.__file__).parent / "schema").glob("*.sql"))


def _tables(path: Path) -> set[str]:
    return {
        str(row[0]) for row in apsw.Connection(str(path)).execute("SELECT sql FROM sqlite_schema")
    }


def _old(path: Path, version: int) -> apsw.Connection:
    """Make a store as an earlier version of the program left it."""
    path.touch(0o600)
    db = apsw.Connection(str(path))
    db.pragma("journal_mode", "wal")
    for number, step in enumerate(SCHEMA[:version]):
        with db:
            db.execute(step.read_text("utf-8"))
            db.pragma("user_version", number + 1)
    return db


def test_an_older_store_is_upgraded_with_what_it_holds(tmp_path: Path) -> None:
    """From each earlier version the schema becomes that of a new store, and nothing is lost."""
    database.connect(str(tmp_path / "new.db")).close()
    for version in range(len(SCHEMA)):
        path = tmp_path / f"from-{version}.db"
        old = _old(path, version)
        if version == 1:
            old.execute(
                "INSERT INTO quarantine VALUES (7, 'meters', 'a/b', 5, 'payload.json', '坏', x'7b')"
            )
        old.close()
        db = database.connect(str(path))
        assert db.pragma("user_version") == len(SCHEMA)
        assert _tables(path) == _tables(tmp_path / "new.db")
        assert (checking.integrity(db), checking.totals(db)) == ([], [])
        if version == 1:
            assert quarantine.held(db) == (1, 1 + 3 + 3 + 6)
            assert [each.number for each in quarantine.newest(db, 9)] == [7]
        db.close()


def test_a_reader_does_not_upgrade(tmp_path: Path) -> None:
    """Who only asks changes nothing, and is told what to do about an older store."""
    path = tmp_path / "store.db"
    _old(path, 1).close()
    with pytest.raises(StoreNewer) as raised:
        database.connect_to_read(str(path))
    assert "start the agent once" in raised.value.next
    assert apsw.Connection(str(path)).pragma("user_version") == 1


def test_an_upgrade_that_fails_leaves_the_old_version(tmp_path: Path) -> None:
    """A step is whole or not at all: what stood in its way can be mended, and it is tried again."""
    path = tmp_path / "store.db"
    old = _old(path, 1)
    old.execute("INSERT INTO totals VALUES ('quarantined_bytes', 3)")  # the step adds it itself
    before = old.execute("SELECT * FROM totals").fetchall()
    with pytest.raises(StoreUnwritable):
        database.connect(str(path))
    assert old.pragma("user_version") == 1
    assert old.execute("SELECT * FROM totals").fetchall() == before
    old.execute("DELETE FROM totals WHERE name = 'quarantined_bytes'")
    assert database.connect(str(path)).pragma("user_version") == len(SCHEMA)


@pytest.mark.parametrize("opened", [database.connect, database.connect_to_read])
def test_a_newer_store_is_refused_and_left_alone(
    tmp_path: Path, opened: Callable[[str], database.Connection]
) -> None:
    """A store that a later version has upgraded is not taken back, by writers and readers alike."""
    path = tmp_path / "store.db"
    db = database.connect(str(path))
    db.pragma("user_version", len(SCHEMA) + 1)
    db.close()
    content = path.read_bytes()
    with pytest.raises(StoreNewer) as raised:
        opened(str(path))
    assert f"schema {len(SCHEMA) + 1}" in str(raised.value)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "content", [b"not a database at all" * 300, b"SQLite format 3\x00" + bytes(9)]
)
def test_what_is_no_store_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    """Another file in the store's place is damage that somebody must look at: it stays."""
    path = tmp_path / "store.db"
    path.touch(0o600)
    path.write_bytes(content)
    with pytest.raises(StoreDamaged) as raised:
        database.connect(str(path))
    assert "hulian fsck" in raised.value.next
    assert path.read_bytes() == content


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    """A path that leads nowhere is the operator's error, with the path in it."""
    path = str(tmp_path / "nowhere" / "store.db")
    for opened in (database.connect, database.connect_to_read):
        with pytest.raises(StoreUnwritable, match="nowhere"):
            opened(path)


_WRITES = """
import sys
from pathlib import Path
from gateway.readings.reading import Batch, Reading
from tests.station import Station
station = Station(Path(sys.argv[1]))
intake = station.intake("meters")
for number in range(1_000_000):
    intake.submit(Batch((Reading("press-1", "strokes", number, time_ms=1763726400000),))).result()
    print(number, flush=True)
"""


def test_what_a_killed_process_left_in_the_wal_is_there(tmp_path: Path) -> None:
    """Every commit that returned before SIGKILL is read from the file and its WAL, by anyone."""
    with subprocess.Popen(
        [sys.executable, "-c", _WRITES, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        lines: list[int] = []
        for line in child.stdout:
            lines.append(int(line))
            if len(lines) == 40:
                child.send_signal(signal.SIGKILL)
        assert child.wait(10) == -signal.SIGKILL
    wal = tmp_path / "store.db-wal"
    assert wal.stat().st_size > 0, "the kill left nothing in the WAL, so this shows nothing"
    reader = database.connect_to_read(str(tmp_path / "store.db"))
    assert checking.verify_all(reader).ok
    reader.close()
    again = Station(tmp_path, start=1)
    values = [reading.value for reading in again.stored()]
    assert values == list(range(len(values)))
    assert len(values) >= len(lines)
    again.intake("meters").submit(Batch((_reading(-1),))).result(5)
    assert again.stored()[-1].value == -1
    again.close()
    assert checking.totals(database.connect_to_read(again.path)) == []


def _reading(number: int) -> Reading:
    return Reading("press-1", "strokes", number, time_ms=MS)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """Give a disk of 2 MiB; it is a real one to the kernel, in memory."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk takes root")
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder), check=True)
    yield folder
    subprocess.run(("umount", "-l", folder), check=True)


def _fill(station: Station) -> tuple[list[int], set[type[BaseException]]]:
    """Store until the disk is full, and then some; give what was stored, and what was said."""
    intake, stored, said = station.intake("meters"), list[int](), set[type[BaseException]]()
    for number in range(300):
        large = Unreadable("a/b", os.urandom(10_000), "payload.json", "payload.json: no")
        fault = intake.submit(Batch((_reading(number),), (large,))).exception(10)
        if fault is None:
            stored.append(number)
        else:
            said.add(type(fault))
    return stored, said


def test_a_full_disk_is_said_as_such_and_survived(small: Path) -> None:
    """What fails says store.full and leaves nothing; with room again it goes on by itself."""
    station = Station(small)
    stored, said = _fill(station)
    assert said == {StoreFull}
    assert [reading.value for reading in station.stored()] == stored
    subprocess.run(("mount", "-o", "remount,size=40m", small), check=True)
    begun = time.monotonic()
    station.intake("meters").submit(Batch((_reading(1000),))).result(10)
    assert time.monotonic() - begun < 10
    assert [reading.value for reading in station.stored()] == [*stored, 1000]
    station.close()
    reader = database.connect_to_read(station.path)
    assert checking.verify_all(reader).ok
    assert [*checking.integrity(reader), *checking.heads(reader), *checking.totals(reader)] == []
    reader.close()


def test_a_disk_that_is_full_at_the_start_is_said_as_such(small: Path) -> None:
    """Opening a new store where there is no room is store.full, and works when there is."""
    ballast = small / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    with pytest.raises(StoreFull):
        database.connect(str(small / "store.db"))
    ballast.unlink()
    db = database.connect(str(small / "store.db"))
    assert db.pragma("user_version") == len(SCHEMA)
    db.close()


def test_a_disk_that_may_only_be_read_is_said_as_such(small: Path) -> None:
    """A store on a read-only disk cannot be the agent's: store.unwritable, and it stays."""
    path = small / "store.db"
    database.connect(str(path)).close()
    subprocess.run(("mount", "-o", "remount,ro", small), check=True)
    with pytest.raises(StoreUnwritable) as raised:
        database.connect(str(path)).execute("BEGIN IMMEDIATE")
    assert "check the disk" in raised.value.next


def test_a_store_that_others_may_read_is_refused(tmp_path: Path) -> None:
    """It holds keys: made for its owner alone, and not used once others could have copied it."""
    path = tmp_path / "store.db"
    database.connect(str(path)).close()
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    with pytest.raises(StateOpen) as raised:
        database.connect(str(path))
    assert "chmod 600" in str(raised.value.next) and "0640" in str(raised.value)
