"""A damaged store: every command says so by a code, and the check finds what it is."""

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.errors import GatewayError, StoreDamaged
from gateway.store import checking, database
from gateway.store.database import Connection
from gateway.store.writer import Writer
from tests.holding import Holding, strokes

PAGE = 4096
STEPS = (
    *(checking.integrity, checking.heads, checking.tiles, checking.totals),
    *(checking.records, checking.keys, checking.indexes, checking.members, checking.rings),
)
SEED = 11


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """Make one store; give its path and its bytes, to be damaged and put back."""
    holding = Holding(tmp_path_factory.mktemp("whole"))
    for number in range(12):
        holding.say(strokes(60, 60 * number))
    holding.close()
    path = Path(holding.path)
    return path, path.read_bytes()


def _put(path: Path, content: bytes) -> None:
    for beside in path.parent.glob("store.db-*"):
        beside.unlink()
    path.write_bytes(content)


def _found(path: Path) -> list[str]:
    """Give all that the check finds, or the error by which the store cannot be opened."""
    try:
        db = database.connect_to_read(str(path))
    except GatewayError as fault:
        return [str(fault)]
    try:
        return [fault for step in STEPS for fault in checking.examine(db, step)]
    finally:
        db.close()


def _contents(db: Connection) -> dict[str, list[object]]:
    tables = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
    return {str(name): list(db.execute(f"SELECT * FROM {name}")) for (name,) in tables}


def _damages(content: bytes) -> Iterator[bytes]:
    """Cut the file short, and lose or overwrite pages of it, here and there."""
    dice = random.Random(SEED)
    for size in (0, 1, 99, 512, PAGE, PAGE + 7, len(content) // 2, len(content) - PAGE):
        yield content[:size]
    for page in range(1, len(content) // PAGE):
        at = page * PAGE
        yield content[:at] + dice.randbytes(PAGE) + content[at + PAGE :]
    yield dice.randbytes(len(content))


def test_a_whole_store_is_found_whole(whole: tuple[Path, bytes]) -> None:
    """The check finds nothing where nothing is wrong."""
    _put(*whole)
    assert _found(whole[0]) == []


def test_every_lost_page_and_truncation_is_found(whole: tuple[Path, bytes]) -> None:
    """Whatever page is lost or overwritten, and wherever the file ends, the check says so."""
    path, content = whole
    unfound = []
    for number, damaged in enumerate(_damages(content)):
        _put(path, damaged)
        if damaged and not _found(path):
            unfound.append(number)
    assert unfound == []


def test_every_flipped_bit_is_found_or_means_nothing(whole: tuple[Path, bytes]) -> None:
    """After one flipped bit the check finds a fault, or every row of every table is as before."""
    path, content = whole
    _put(path, content)
    db = database.connect_to_read(str(path))
    before = _contents(db)
    db.close()
    dice = random.Random(SEED)
    found = 0
    for _ in range(250):
        at, bit = dice.randrange(len(content)), dice.randrange(8)
        _put(path, content[:at] + bytes([content[at] ^ 1 << bit]) + content[at + 1 :])
        if _found(path):
            found += 1
            continue
        db = database.connect_to_read(str(path))
        assert _contents(db) == before, f"seed {SEED}: bit {bit} of byte {at}"
        db.close()
    assert found > 20, "most of a young file is room that no row uses yet"


def test_a_writer_says_damage_by_its_code(tmp_path: Path) -> None:
    """What cannot be stored for damage fails with store.damaged, and says what to type."""
    holding = Holding(tmp_path)
    for number in range(12):
        holding.say(strokes(60, 60 * number))
    holding.close()
    path = Path(holding.path)
    content = path.read_bytes()
    _put(path, content[:PAGE] + random.Random(SEED).randbytes(len(content) - PAGE))
    with pytest.raises(StoreDamaged) as raised:
        writer = Writer(database.connect(str(path)), str(path))
        writer.submit(lambda db: db.execute("INSERT INTO totals VALUES ('x', 1)") and None).result()
    assert "hulian fsck" in raised.value.next


@pytest.mark.parametrize("command", [("query",), ("verify", "--all"), ("status",), ("fsck",)])
def test_every_command_says_damage_by_its_code(tmp_path: Path, command: tuple[str, ...]) -> None:
    """No command shows a stack trace, or calls a damaged file a defect of the program."""
    holding = Holding(tmp_path)
    for number in range(12):
        holding.say(strokes(60, 60 * number))
    holding.close()
    path = Path(holding.path)
    content = path.read_bytes()
    _put(path, content[:PAGE] + random.Random(SEED).randbytes(len(content) - PAGE))
    config = tmp_path / "gateway.toml"
    config.write_text(f'[gateway]\nname = "press-shop"\nstate_dir = "{holding.folder}"\n')
    said = subprocess.run(
        [sys.executable, "-m", "gateway.cli", "--config", str(config), *command],
        env={**os.environ, "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=False,
    )
    told = said.stdout + said.stderr
    assert "store.damaged" in told
    assert "Traceback" not in told and "defect" not in told
    assert said.returncode == (1 if command == ("fsck",) else 2)
    assert "next:" in told
