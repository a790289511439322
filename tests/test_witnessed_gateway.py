"""A running gateway and its witnesses, set up by the commands of the guide alone."""

import shlex
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.store import database
from tests.agents import HULIAN, AgentProcess
from tests.linked import HOST, free_port
from tests.paired import hulian
from tests.test_witnesses import Nonsense, answering
from tests.witnessed import WitnessProcess

CONFIG = """journal_s = 1
[[witness]]
name = "ours"
url = "https://{ours}"
[[witness]]
name = "theirs"
url = "{theirs}"
"""


@pytest.fixture
def bad() -> Iterator[str]:
    """Run a witness that says yes to everything and signs nothing."""
    with answering(Nonsense(200, lambda _: b"yes\n")) as url:
        yield url


def _row(agent: AgentProcess, name: str) -> dict[str, Any]:
    rows: list[dict[str, Any]] = agent.status()["witnesses"]
    return next(row for row in rows if row["name"] == name)


def _cosigned(agent: AgentProcess) -> int:
    read = database.connect_to_read(str(agent.state_dir / "store.db"))
    try:
        return int(read.execute("SELECT total(cosigned) FROM standing").get)
    finally:
        read.close()


def _until(agent: AgentProcess, name: str, state: str) -> dict[str, Any]:
    until = time.monotonic() + 60
    while (row := _row(agent, name))["state"] != state:
        assert time.monotonic() < until, (row, agent.log())
        time.sleep(0.2)
    return row


def test_the_guide_makes_records_cosigned(tmp_path: Path, bad: str) -> None:
    """A gateway that runs is told of its witness by commands; a bad one beside it is shown."""
    port = free_port()
    told = CONFIG.format(ours=f"{HOST}:{port}", theirs=bad)
    agent = AgentProcess(tmp_path, "press-shop", told)
    (tmp_path / "passphrase").write_text("pass")
    one: WitnessProcess | None = None
    try:
        command = shlex.split(hulian(agent, "consortium", "witness")["command"])[1:]
        state = ["--state", str(tmp_path / "own" / "witness")]
        (tmp_path / "own").mkdir()
        done = subprocess.run([*HULIAN, *command, *state], capture_output=True, check=True)
        key = done.stdout.decode().split("hulian consortium witness ")[1].split("'")[0]
        one = WitnessProcess(tmp_path / "own", b"", [], plain=False, port=port)
        one.start()
        agent.start()
        signing = ("--passphrase-file", str(tmp_path / "passphrase"))
        assert hulian(agent, "consortium", "witness", key, *signing)["state"] == "decided"
        row = _until(agent, "ours", "cosigned")
        assert row["size"] > 0 and row["cosigned"] and row["reason"] == ""
        until = time.monotonic() + 30
        while not _cosigned(agent):
            assert time.monotonic() < until
            time.sleep(0.2)
        assert one.health()["named"]
        theirs = _until(agent, "theirs", "failing")
        assert "witness.answer" in theirs["reason"] and theirs["size"] == 0
        assert agent.status()["refused"]["witness.answer"] > 0
        agent.stop()
        assert one.stop() == 0
    finally:
        agent.end()
        if one is not None and one.process is not None and one.process.poll() is None:
            one.kill()
