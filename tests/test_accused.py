"""Evidence as a person sees it: listed, shown, written to a file, and checked offline."""

import json
from pathlib import Path

import pytest

from gateway.groups import evidence as proofs
from gateway.store import evidence, groups
from gateway.store.evidence import Origin
from tests.holding import Holding
from tests.neighbours import typed
from tests.vectors.build_evidence import BUYER, GROUP, MAKER, ROSTER, forked, signed_twice


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a gateway at rest that holds evidence of two kinds, and an English terminal."""
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("HULIAN_CONFIG", str(tmp_path / "gateway.toml"))
    config = f'[gateway]\nname = "press-shop"\nstate_dir = "{tmp_path}/state"\n'
    (tmp_path / "gateway.toml").write_text(config)
    held = Holding(tmp_path)
    with held.db:
        groups.register(held.db, "pressing", GROUP)
        for each in (forked(), signed_twice()):
            assert evidence.keep(held.db, proofs.encode(each), Origin.FOUND) is not None
        evidence.note_impossible(held.db, BUYER.node.id, "message.malformed", 0)
    held.close()
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_evidence_is_listed_in_words_and_as_facts(capsys: pytest.CaptureFixture[str]) -> None:
    """Who did what, with which feed, from which record on; and who said what cannot be."""
    status, out, _ = typed(capsys, "evidence", "list")
    assert status == 0
    assert "maker" in out and MAKER.node.id.hex() in out
    assert "signed two histories" in out and "signed two rosters with number 1" in out
    assert f"{BUYER.node.id.hex()} said 1 time(s) what cannot be: message.malformed" in out
    facts = json.loads(typed(capsys, "evidence", "list", "--json")[1])
    assert [(each["kind"], each["seq"]) for each in facts["evidence"]] == [
        ("record-fork", 2),
        ("roster-twice", 1),
    ]
    assert facts["impossible"][0]["count"] == 1
    status, out, _ = typed(capsys, "status", "--json")
    assert json.loads(out)["store"]["evidence"] == 2
    assert "type 'hulian evidence list'" in typed(capsys, "status")[1]


def test_a_written_file_is_verified_under_the_hash_of_a_roster(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file alone is enough, under that roster and no other, and not with a bit changed."""
    out = folder / "fork.cbor"
    name = proofs.evidence_id(proofs.encode(forked())).hex()
    status, said, _ = typed(capsys, "evidence", "show", name[:12], "-o", str(out))
    assert status == 0 and f"hulian verify {out} --roster {ROSTER.hash.hex()}" in said
    status, said, _ = typed(capsys, "verify", str(out), "--roster", ROSTER.hash.hex())
    assert status == 0 and "signed two histories" in said
    facts = json.loads(
        typed(capsys, "verify", str(out), "--roster", ROSTER.hash.hex(), "--json")[1]
    )
    assert facts["ok"] and facts["id"] == name and facts["node"] == MAKER.node.id.hex()
    status, said, _ = typed(capsys, "verify", str(out), "--roster", "00" * 32)
    assert status == 1 and "roster.unknown" in said
    whole = out.read_bytes()
    out.write_bytes(whole[:-5] + bytes([whole[-5] ^ 1]) + whole[-4:])
    status, said, _ = typed(capsys, "verify", str(out), "--roster", ROSTER.hash.hex())
    assert status == 1 and "evidence.fails" in said


@pytest.mark.usefixtures("folder")
def test_an_id_that_is_nobodys_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever types another id learns where to look."""
    status, _, told = typed(capsys, "evidence", "show", "zz")
    assert status == 2 and "hulian evidence list" in told
