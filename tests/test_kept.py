"""The quarantine as a person sees it, and that every command an error names can be typed."""

import json
import re
from pathlib import Path

import pytest
import typer

from gateway import errors
from gateway.cli.main import app
from gateway.readings.reading import Unreadable
from gateway.store import quarantine
from tests.holding import T0, Holding
from tests.neighbours import typed


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a gateway at rest that could not read three payloads, and an English terminal."""
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("HULIAN_CONFIG", str(tmp_path / "gateway.toml"))
    config = f'[gateway]\nname = "press-shop"\nstate_dir = "{tmp_path}/state"\n'
    (tmp_path / "gateway.toml").write_text(config)
    held = Holding(tmp_path)
    unreadable = [
        Unreadable("factory/press-7", payload, "payload.json", "not JSON: 'x'")
        for payload in (b"x1", b"\x1b[2Jx2", bytes(range(256)) * 20)
    ]
    with held.db:
        quarantine.keep(held.db, "meters", T0, unreadable)
    held.close()
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_what_could_not_be_read_is_listed_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """Source, topic, code, reason and every byte; nothing of it reaches the terminal raw."""
    status, out, _ = typed(capsys, "quarantine", "list")
    assert status == 0
    assert [line.split()[0] for line in out.splitlines()] == ["number", "3", "2", "1", "3"]
    status, out, _ = typed(capsys, "quarantine", "list", "--limit", "1", "--json")
    facts = json.loads(out)
    assert (facts["held"], [each["number"] for each in facts["entries"]]) == (3, [3])
    status, out, _ = typed(capsys, "quarantine", "show", "2")
    assert "meters" in out and "payload.json" in out and "not JSON" in out
    assert "1b 5b 32 4a 78 32" in out and ".[2Jx2" in out and "\x1b" not in out
    status, out, _ = typed(capsys, "quarantine", "show", "--json")
    assert bytes.fromhex(json.loads(out)["payload"]) == bytes(range(256)) * 20
    assert "only the first 4096 bytes" in typed(capsys, "quarantine", "show")[1]


@pytest.mark.usefixtures("folder")
def test_an_entry_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Status 2 and its code."""
    status, _, error = typed(capsys, "quarantine", "show", "99")
    assert status == 2 and "quarantine.entry" in error


def test_every_command_that_an_error_names_can_be_typed() -> None:
    """Nobody who is called at night is sent to a command that is not there."""
    there = _commands(typer.main.get_command(app))
    named = {
        (cls.code, said)
        for cls in vars(errors).values()
        if isinstance(cls, type) and issubclass(cls, errors.GatewayError)
        for text in (cls.what, cls.why, cls.next)
        for said in re.findall(r"'hulian ([a-z]+(?: [a-z]+)?)", text or "")
    }
    assert named
    lacking = {
        (code, said)
        for code, said in named
        if said not in there and said.split()[0] not in there - _groups(there)
    }
    assert not lacking


def _commands(command: object, prefix: str = "") -> set[str]:
    found: set[str] = set()
    for name, one in getattr(command, "commands", {}).items():
        found |= {f"{prefix}{name}"} | _commands(one, f"{prefix}{name} ")
    return found


def _groups(there: set[str]) -> set[str]:
    return {name.split()[0] for name in there if " " in name}
