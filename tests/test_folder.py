"""Files of the state directory: whole, their owner's alone, whoever writes at the same time."""

import os
import stat
import threading
from pathlib import Path

import pytest

from gateway.errors import StateUnwritable
from gateway.store import folder


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
