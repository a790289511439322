"""Libraries that know nothing of us agree with what we sign and with our trees."""

import ast
from pathlib import Path

import pytest

from gateway.cli import main
from gateway.errors import MalformedProof
from gateway.records import cose, merkle
from gateway.records.cose import SigningKey
from tests.holding import Holding
from tests.oracle import ROOT, ask
from tests.sharing import shared_with_peers
from tests.vectors import build_proof, load

KEY = SigningKey(bytes(range(32)))
LEAVES = 130


def test_a_general_cose_library_verifies_what_we_sign() -> None:
    """`cwt` finds every payload, short and long, under our header and our algorithm."""
    payloads = [bytes([size % 251]) * size for size in (0, 1, 23, 24, 255, 256, 65_535, 65_536)]
    asked = [(cose.sign(KEY, "record", payload).hex(), KEY.public.hex()) for payload in payloads]
    assert [["hulian/1/record", payload.hex()] for payload in payloads] == ask("cose_by_cwt", asked)


def test_a_general_cose_library_refuses_every_flipped_bit() -> None:
    """No bit of a signed object can change without `cwt` refusing it."""
    signed = cose.sign(KEY, "record", b"press 7 closed")
    flipped = [
        (int.from_bytes(signed, "big") ^ 1 << bit).to_bytes(len(signed), "big").hex()
        for bit in range(8 * len(signed))
    ]
    answers = ask("cose_by_cwt", [(each, KEY.public.hex()) for each in flipped])
    assert [None] * len(flipped) == answers


def test_a_general_merkle_library_has_our_roots() -> None:
    """`pymerkle` gets the same root as our frontier at every size."""
    contents = [number.to_bytes(2, "big") for number in range(LEAVES)]
    tree, roots = merkle.frontier(0, merkle.subtrees_of([])), []
    for content in contents:
        tree = tree.append(merkle.leaf_hash(content))
        roots.append(tree.root().hex())
    assert roots == ask("roots_by_pymerkle", [content.hex() for content in contents])


def test_a_stranger_reads_every_proof_as_we_do() -> None:
    """A verifier written from docs/protocol/ alone gives the verdict of every vector."""
    good, bad = load("proof")["good"], load("proof")["bad"]
    asked = [(vector["hex"], vector["trusted"]) for vector in good + bad]
    answers = ask("proof_by_cwt", asked)
    assert isinstance(answers, list) and len(answers) == len(asked)
    assert [vector["expect"] for vector in good] == answers[: len(good)]
    for vector, answer in zip(bad, answers[len(good) :], strict=True):
        assert (answer is None) == (vector["error"] == MalformedProof.code), vector["name"]
        assert answer is None or not answer["holds"], vector["name"]


def test_a_stranger_verifies_an_exported_proof_and_refuses_a_changed_one(tmp_path: Path) -> None:
    """What `hulian export proof` writes holds for the stranger; no changed byte of it does."""
    held, file = Holding(tmp_path), tmp_path / "record.proof"
    shared_with_peers(held.db)
    held.close()
    config = tmp_path / "gateway.toml"
    config.write_text(f'[gateway]\nname = "press-shop"\nstate_dir = "{held.folder}"\n')
    identity, trusted = build_proof.CHAIN[2].id.hex(), build_proof.ROSTER.hash.hex()
    command = ["--config", str(config), "export", "proof", identity, "-o", str(file)]
    with pytest.raises(SystemExit) as ended:
        main(command)
    assert ended.value.code == 0
    whole = file.read_bytes()
    changed = [
        whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :]
        for at in range(0, len(whole), 29)
    ]
    cut = [whole[:at] for at in range(0, len(whole), 97)]
    others = [(whole.hex(), bytes(32).hex()), *((each.hex(), trusted) for each in changed + cut)]
    answers = ask("proof_by_cwt", [(whole.hex(), trusted), *others])
    assert isinstance(answers, list)
    shown, *refused = answers
    assert (shown["holds"], shown["record"]) == (True, identity)
    assert len(shown["holders"]) == 2 and shown["statements"]["body"]
    assert not any(answer and answer["holds"] for answer in refused)


def test_the_stranger_knows_nothing_of_us() -> None:
    """No program of the oracle imports anything of gateway/."""
    for path in (ROOT / "tests" / "oracle").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not any(name.split(".")[0] == "gateway" for name in names), path.name
