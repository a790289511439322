"""What `hulian verify FILE` says of a proof, in English, in Chinese and to programs."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.cli.main import main
from gateway.records import proof
from gateway.records.proof import Proof
from tests import proofs
from tests.proofs import AUDITOR, BUYER, CARRIER, MAKER

Capture = pytest.CaptureFixture[str]
WHOLE = proofs.complete()
assert WHOLE.journaled is not None
FEW = replace(
    WHOLE,
    receipts=WHOLE.receipts[:2],
    journaled=replace(WHOLE.journaled, cosignatures=WHOLE.journaled.cosignatures[:2]),
)
WRONG = replace(
    WHOLE,
    receipts=(WHOLE.receipts[0], replace(WHOLE.receipts[1], path=WHOLE.receipts[2].path[1:])),
    journaled=replace(WHOLE.journaled, index=3),
)


def _verified(said: Proof, folder: Path, capture: Capture, *options: str) -> tuple[int, str]:
    """Verify a proof under the one roster, in a folder where there is no gateway."""
    file = folder / "record.proof"
    file.write_bytes(proof.encode(said))
    capture.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(["verify", str(file), "--roster", proofs.ROSTER.hash.hex(), *options])
    return int(ended.value.code or 0), capture.readouterr().out


def test_a_final_proof_is_told_in_words(tmp_path: Path, capsys: Capture) -> None:
    """Who wrote, holds, agrees and cosigned is named, and that it is final is said."""
    status, told = _verified(WHOLE, tmp_path, capsys)
    assert status == 0 and "FAILED" not in told
    for name in ("buyer", "auditor", "carrier"):
        assert f"of {name} (" in told and f"agreed to by {name} (" in told
    assert "cosigned by 4 of 4 witnesses, where 3 must" in told
    assert "it is final: who signed cannot take it back" in told


def test_what_is_lacking_is_named(tmp_path: Path, capsys: Capture) -> None:
    """What was not shown is no fault; who has not receipted and how many cosigned is said."""
    status, told = _verified(FEW, tmp_path, capsys)
    assert status == 0 and "FAILED" not in told
    assert "not shown to be agreed to by carrier" in told
    assert f"no receipt of {CARRIER.root.id.hex()}" in told
    assert "2 of 4 witnesses of the group cosigned, and 3 must" in told
    assert "that it is final was not shown" in told


def test_what_does_not_hold_is_named(tmp_path: Path, capsys: Capture) -> None:
    """Each statement that fails is named, with which of its parts, and why."""
    status, told = _verified(WRONG, tmp_path, capsys)
    assert status == 1
    failed = [line.split()[0] for line in told.splitlines() if "FAILED" in line]
    assert failed == ["receipts", "journal"]
    assert "number 2: proof.fails: the proof does not hold" in told
    assert "the path of a head does not lead to the checkpoint's root" in told
    assert "that it is final was not shown" in told


def test_programs_are_told_the_same(tmp_path: Path, capsys: Capture) -> None:
    """Under --json each statement, reason, party and witness is there under its own key."""
    status, out = _verified(WRONG, tmp_path, capsys, "--json")
    facts = json.loads(out)
    assert (status, facts["ok"], facts["quorum"]) == (1, False, 0)  # no checkpoint, so no witness
    assert [name for name, held in facts["statements"].items() if held is False] == [
        "receipts",
        "journal",
    ]
    assert [each["part"] for each in facts["reasons"]["receipts"]] == [2]
    assert {each["name"]: each["given"] for each in facts["required"]} == {
        MAKER.name: True,
        BUYER.name: True,
        AUDITOR.name: False,
        CARRIER.name: False,
    }
    assert len(facts["faults"]) == 2 and facts["witnesses"] == []


@pytest.mark.parametrize("said", [WHOLE, FEW, WRONG], ids=["final", "few", "wrong"])
def test_it_is_told_in_chinese(
    said: Proof, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of what is said of a proof is left in English but codes and names."""
    monkeypatch.setenv("HULIAN_LANG", "zh")
    _, told = _verified(said, tmp_path, capsys)
    assert ("终局" in told) and re.search(r"[a-z]{2,} [a-z]{2,} [a-z]{2,}", told) is None, told
