"""The auditor: with a file and the hash of a roster, nothing else, anybody can check a record.

Three organisations' real agents and witnesses make a record final. Then a process that has an empty
folder, an empty environment and no network checks its proof; and proofs that were changed, cut, and
that are nothing at all. It never says yes to what is not so.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.query import Status
from gateway.store import state
from tests.agreeing import GROUP, MANY, consortium
from tests.paired import hulian

ROOT = Path(__file__).parent.parent.parent
_ALONE = ["unshare", "--net", *([] if os.geteuid() == 0 else ["--map-root-user"])]
_DIALS = "import socket; socket.create_connection(('127.0.0.1', {port}), 2)"
FLIPS = 8
_FINAL = "it is final: who signed cannot take it back"


@dataclass(frozen=True, slots=True)
class Said:
    """What the auditor's program answered."""

    status: int
    shown: str
    error: str


@dataclass(frozen=True, slots=True)
class Auditor:
    """Somebody with a folder, and nothing in it but what is to be checked."""

    folder: Path
    roster: str

    def run(self, *command: str) -> Said:
        """Run a program that has no environment, no network and no other files of ours."""
        bare = ["env", "-i", f"PYTHONPATH={ROOT}", f"HOME={self.folder}", "HULIAN_LANG=en"]
        ended = subprocess.run(
            [*_ALONE, *bare, sys.executable, *command],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return Said(ended.returncode, ended.stdout, ended.stderr)

    def check(self, content: bytes, *options: str) -> Said:
        """Check a file that has this in it."""
        (self.folder / "shown").write_bytes(content)
        verify = ("-m", "gateway.cli", "verify", "shown", "--roster", self.roster)
        return self.run(*verify, *options)


def _exported(folder: Path) -> tuple[bytes, str, int]:
    """Make a record final; give its proof, the hash of the roster, and a port that answers."""
    with consortium(folder) as scene:
        count = scene.say("ace", "press", MANY)
        scene.all_are(Status.FINAL, "press", count, "bolt")
        bolt, file = scene.agents["bolt"], folder / "record.proof"
        (row,) = hulian(bolt, "query", "--group", GROUP, "--device", "press", "--limit", "1")[
            "rows"
        ]
        hulian(bolt, "export", "proof", row["record"], "-o", str(file))
        trusted = state.load(bolt.state_dir).groups[GROUP].roster
        return file.read_bytes(), trusted.hash.hex(), scene.between.port


@pytest.mark.timeout(300)
def test_an_auditor_needs_a_file_and_a_hash(tmp_path: Path, figures: Callable[..., None]) -> None:
    """A final proof holds in every statement; a changed one, or nothing, never does."""
    if subprocess.run([*_ALONE, "true"], capture_output=True).returncode:
        pytest.skip("no network namespace can be made here: run it as root")
    encoded, roster, port = _exported(tmp_path)
    (tmp_path / "auditor").mkdir()
    auditor = Auditor(tmp_path / "auditor", roster)
    assert "Error" in auditor.run("-c", _DIALS.format(port=port)).error, "it has a network"
    good = auditor.check(encoded, "--json")
    facts = json.loads(good.shown)
    held = {name for name, holds in facts["statements"].items() if holds}
    assert good.status == 0 and held == set(facts["statements"]) - {"device"}
    assert len(facts["required"]) == 3 and all(each["given"] for each in facts["required"])
    assert sum(each["given"] for each in facts["witnesses"]) >= facts["quorum"] == 2
    assert _FINAL in auditor.check(encoded).shown
    # Under another hash the same file shows nothing.
    stranger = Auditor(auditor.folder, bytes(32).hex())
    assert stranger.check(encoded).status == 1
    for number in range(FLIPS):
        at = (2 * number + 1) * len(encoded) // (2 * FLIPS)
        changed = bytes([encoded[at] ^ 1 << number])
        said = auditor.check(encoded[:at] + changed + encoded[at + 1 :])
        assert said.status != 0, f"a bit of byte {at}"
        assert _FINAL not in said.shown and (said.shown or said.error)
    for nothing in (b"", encoded[:-1], b"\xa1\x00\x01"):
        said = auditor.check(nothing)
        assert said.status != 0 and _FINAL not in said.shown
    figures(proof_bytes=len(encoded), statements=len(held), flips_refused=FLIPS)
