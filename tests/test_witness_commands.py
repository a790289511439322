"""The commands of a witness: made, named in the next roster, shown, retired and renewed."""

import json
import shlex
import shutil
from pathlib import Path

import pytest

from gateway.groups import admission, witnessing
from gateway.groups.pairing import Motion
from gateway.records import roster
from gateway.store import consortium, witness
from tests.holding import PASSPHRASE
from tests.people import party, roster_of, run_of
from tests.test_pairing_commands import Desk
from tests.witnessed import Tree, shows

MAKER, BUYER, CARRIER = party("maker"), party("buyer"), party("carrier")


@pytest.fixture
def desk(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Desk:
    """Give somebody who reads English, whose organisation founded a consortium."""
    monkeypatch.setenv("HULIAN_LANG", "en")
    found = Desk(tmp_path, capsys)
    (tmp_path / "passphrase").write_text(PASSPHRASE)
    assert found.type("consortium", "create", "ring", *_signing(tmp_path))[0] == 0
    return found


def _signing(folder: Path) -> tuple[str, str]:
    return "--passphrase-file", str(folder / "passphrase")


def test_a_witness_is_made_and_named(desk: Desk, tmp_path: Path) -> None:
    """What a gateway prints makes the witness; its key is then in the next roster, and goes too."""
    status, out, _ = desk.type("consortium", "witness", "--json")
    said = json.loads(out)
    assert (status, said["key"]) == (0, None)
    words = shlex.split(said["command"])[1:]
    state = ["--state", str(tmp_path / "w")]
    made = json.loads(desk.type(*words, *state, "--json")[1])
    ring = max(consortium.load_rosters(desk.state_dir).values(), key=lambda each: each.name)
    assert (made["name"][-32:], made["consortia"]) == (
        ring.organisations[0].id.hex(),
        [ring.consortium.hex()],
    )
    status, out, error = desk.type("consortium", "witness", made["key"], *_signing(tmp_path))
    assert (status, "Decided" in out) == (0, True), error
    chain = consortium.chain(consortium.load_rosters(desk.state_dir), ring.consortium)
    assert [each.organisations[0].witness for each in chain] == [None, bytes.fromhex(made["key"])]
    assert json.loads(desk.type("consortium", "witness", "--json")[1])["key"] == made["key"]
    one = witness.load(tmp_path / "w", tmp_path / "w-number")
    for each in chain:
        one.take_roster(ring.consortium, each.encoded)
    one.close()
    shown = json.loads(desk.type("witness", "show", *state, "--json")[1])
    assert (shown["state"], shown["named"], shown["key"]) == ("signing", True, made["key"])
    assert desk.type("consortium", "witness", "--none", *_signing(tmp_path))[0] == 0
    assert json.loads(desk.type("consortium", "witness", "--json")[1])["key"] is None


def test_a_retired_witness_is_renewed(desk: Desk, tmp_path: Path) -> None:
    """`show` and `run` say that it is retired; `init --renew` makes a key for the same members."""
    state = ["--state", str(tmp_path / "w")]
    before = json.loads(desk.type("witness", "init", *state, "--json")[1])
    founded = roster_of(MAKER)
    assert desk.type("witness", "trust", founded.hash.hex(), *state)[0] == 0
    one = witness.load(tmp_path / "w", tmp_path / "w-number")
    one.take_roster(founded.hash, founded.encoded)
    tree = Tree(run_of(MAKER))
    one.introduce(shows(tree.run))
    one.close()
    shutil.copytree(tmp_path / "w", tmp_path / "backup")
    one = witness.load(tmp_path / "w", tmp_path / "w-number")
    for old, size in ((0, 2), (2, 3)):
        one.cosign(witnessing.decode(tree.shown(old, size)), 1)
    one.close()
    shutil.rmtree(tmp_path / "w")
    shutil.copytree(tmp_path / "backup", tmp_path / "w")
    status, out, _ = desk.type("witness", "show", *state)
    assert (status, "retired" in out, "--renew" in out) == (1, True, True)
    status, _, error = desk.type("witness", "run", *state)
    assert (status, "witness.retired" in error) == (2, True)
    status, _, error = desk.type("witness", "init", *state)
    assert (status, "witness.exists" in error) == (2, True)
    after = json.loads(desk.type("witness", "init", "--renew", *state, "--json")[1])
    assert after["key"] != before["key"] and after["name"] == before["name"]
    assert sorted(after["consortia"]) == sorted([*before["consortia"], founded.hash.hex()])
    assert json.loads(desk.type("witness", "show", *state, "--json")[1])["state"] == "signing"


def test_what_cannot_be_is_refused(desk: Desk, tmp_path: Path) -> None:
    """Keys, ids and addresses that are none, and folders without a witness, change nothing."""
    state = ("--state", str(tmp_path / "none"))
    for command, code in (
        (("consortium", "witness", "00" * 32), "usage.value"),
        (("consortium", "witness", "key"), "usage.value"),
        (("witness", "init", "--org", "x", *state), "usage.value"),
        (("witness", "init", "--renew", *state), "usage.missing"),
        (("witness", "run", *state), "witness.missing"),
        (("witness", "show", *state), "witness.missing"),
        (("witness", "trust", "00", *state), "witness.missing"),
        (("witness", "run", "--listen", "nowhere", *state), "usage.value"),
    ):
        status, _, error = desk.type(*command)
        assert (status, code in error) == (2, True), error
    assert not (tmp_path / "none").exists()


def test_others_sign_who_the_witness_is() -> None:
    """A changed witness needs its organisation and the quorum, and is told as what it is."""
    before = roster_of(MAKER, BUYER, CARRIER)
    standing = admission.standing_of((before,), [])
    payload = admission.naming_witness(before, BUYER.root.id, CARRIER.node.public, 0)
    signed = roster.assemble(payload, [roster.sign(MAKER.root, payload)])
    (waiting,) = admission.add_motion(standing, Motion(signed, None, 0)).open_motions()
    assert (waiting.change.names, waiting.change.joining) == (("buyer",), ())
    assert [each.id for each in waiting.missing.must] == [BUYER.root.id]
    signed = roster.assemble(payload, [roster.sign(BUYER.root, payload)])
    grown = admission.add_motion(admission.add_motion(standing, waiting.motion), Motion(signed))
    assert grown.newest.organisation(BUYER.root.id).witness == CARRIER.node.public
    assert (len(grown.chain), grown.open_motions()) == (2, [])
