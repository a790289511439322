"""Files of the state directory: whole, their owner's alone, whoever writes at the same time."""

import os
import random
import stat
import threading
from pathlib import Path
from typing import cast

import pytest

from gateway.acts import Acting, Acts
from gateway.errors import StateUnwritable, StoreFull
from gateway.store import database, folder
from gateway.store.authoring import Author
from gateway.store.writer import Writer
from tests.people import group_of, moment, party, run_of
from tests.sim.disk import Desk

ACE, BOLT = party("ace"), party("bolt")


def test_two_who_write_one_file_at_once_leave_one_of_both_whole(tmp_path: Path) -> None:
    """Neither fails, neither leaves half a file, and no draft stays."""
    path, faults = tmp_path / "shared.cbor", list[BaseException]()

    def write(content: bytes) -> None:
        try:
            for _ in range(100):
                folder.keep(path, content)
                assert set(path.read_bytes()) in ({1}, {2})
        except (AssertionError, StateUnwritable) as fault:
            faults.append(fault)

    writers = [threading.Thread(target=write, args=(bytes([one]) * 9_000,)) for one in (1, 2)]
    for each in writers:
        each.start()
    for each in writers:
        each.join()
    assert not faults
    assert [each.name for each in tmp_path.iterdir()] == ["shared.cbor"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_cannot_be_written_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk leaves the earlier file, and nothing beside it."""
    path = tmp_path / "kept.cbor"
    folder.keep(path, b"earlier")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StateUnwritable):
        folder.keep(path, b"later")
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [b"earlier"]


def test_a_group_that_the_full_disk_did_not_take_is_not_there_after_a_restart(
    tmp_path: Path,
) -> None:
    """What could not be founded leaves no file with its secret, and can be founded later."""
    within = group_of(ACE, BOLT)
    connection = database.connect(database.MEMORY)
    desk = Desk(connection, random.Random(1), failing=1.0)
    author = Author(run_of(ACE), moment, bytes)
    met: list[str] = []
    acts = Acts(
        Acting(
            author,
            cast(Writer, desk),  # the same jobs, done on the spot
            tmp_path,
            {},
            lambda name, _: met.append(name),
            lambda _: None,
        )
    )
    with pytest.raises(StoreFull):
        acts.follow("pressing", within)
    assert (list((tmp_path / "groups").iterdir()), met) == ([], [])
    desk.failing = 0.0
    assert (acts.follow("pressing", within), met) == ("pressing", ["pressing"])
    assert [each.name for each in (tmp_path / "groups").iterdir()] == ["pressing.cbor"]
