"""Proof bundles: what they show, and that they never show what they do not hold."""

import random
from dataclasses import fields, replace
from pathlib import Path

import pytest

from gateway.errors import MalformedProof
from gateway.records import cbor, feed, proof
from gateway.records.proof import Opening, Proof, Verdict
from gateway.store import proofs, questions
from tests.holding import Holding, strokes

SHOWN = {"roster", "certificates", "record", "body", "head"}


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Holding:
    """Give a gateway with a few records."""
    made = Holding(tmp_path_factory.mktemp("proof"))
    for at in range(5):
        made.say(strokes(3, at * 3))
    return made


def _proof(held: Holding, seq: int = 2) -> Proof:
    row = held.db.execute("SELECT id FROM records WHERE place & 0xffffffff = ?", (seq,))
    return proofs.of(held.db, questions.find(held.db, row.get.hex()))


def _held(verdict: Verdict) -> dict[str, bool | None]:
    return {statement.name: statement.held for statement in verdict.statements}


def test_a_whole_proof_holds_under_the_roster_alone(held: Holding) -> None:
    """Every record's proof shows who wrote what and where; who else has it, it does not show."""
    for seq in range(6):
        encoded = proof.encode(_proof(held, seq))
        verdict = proof.judge(encoded, held.state.roster.hash)
        assert verdict.holds
        assert {name for name, shown in _held(verdict).items() if shown} == SHOWN
        assert _held(verdict)["witnesses"] is None
        assert proof.encode(proof.decode(encoded)) == encoded


def test_nothing_shows_nothing(held: Holding) -> None:
    """An empty proof, and one without a member that others rest on, never holds."""
    whole, trusted = _proof(held), held.state.roster.hash
    assert not proof.judge(proof.encode(Proof()), trusted).holds
    assert not any(_held(proof.judge(proof.encode(Proof()), trusted)).values())
    for member, empty in (("record", None), ("certificates", None), ("rosters", ())):
        less = replace(whole, **{member: empty})  # type: ignore[arg-type]
        verdict = proof.judge(proof.encode(less), trusted)
        assert not verdict.holds
        assert _held(verdict)["record"] is None


def test_what_is_absent_was_not_shown(held: Holding) -> None:
    """Without opening or path the record still holds, and the answer says what was not shown."""
    bare = replace(_proof(held), opening=None, path=None)
    verdict = proof.judge(proof.encode(bare), held.state.roster.hash)
    assert verdict.holds
    assert (_held(verdict)["body"], _held(verdict)["head"]) == (None, None)


def test_no_member_can_be_exchanged(held: Holding) -> None:
    """A member of another record's proof, or another trusted roster, makes the proof fail."""
    whole, other, trusted = _proof(held, 2), _proof(held, 4), held.state.roster.hash
    for field in ("record", "opening", "path"):
        mixed = replace(whole, **{field: getattr(other, field)})
        assert not proof.judge(proof.encode(mixed), trusted).holds
    assert whole.head is not None
    wrong = replace(whole, head=feed.Head(whole.head.feed, whole.head.size, bytes(32)))
    assert not proof.judge(proof.encode(wrong), trusted).holds
    assert not proof.judge(proof.encode(whole), bytes(32)).holds


def test_no_bit_can_be_changed(held: Holding) -> None:
    """A flipped bit fails or unshows something; but a head's size only its signers can show."""
    whole, trusted = _proof(held), held.state.roster.hash
    encoded = proof.encode(whole)
    draw = random.Random(5)
    for _ in range(400):
        at, bit = draw.randrange(len(encoded)), 1 << draw.randrange(8)
        changed = encoded[:at] + bytes((encoded[at] ^ bit,)) + encoded[at + 1 :]
        try:
            verdict = proof.judge(changed, trusted)
        except MalformedProof:
            continue
        shown = {name for name, value in _held(verdict).items() if value}
        if verdict.holds and shown >= SHOWN:
            read = proof.decode(changed)
            assert whole.head and read.head and read.head.size != whole.head.size
            assert replace(read, head=whole.head) == whole


@pytest.mark.parametrize(
    "said",
    [
        1,
        [],
        {},
        {0: 2},
        {0: True},
        {0: 1, 11: b""},
        {0: 1, "x": 1},
        {0: 1, 1: None},
        {0: 1, 1: bytes(3000)},
        {0: 1, 2: [b"", b""]},
        {0: 1, 3: [b"short"]},
        {0: 1, 3: [bytes(32)] * 65},
        {0: 1, 4: [bytes(32), 0, bytes(32)]},
        {0: 1, 5: []},
        {0: 1, 5: [1]},
        {0: 1, 9: [b"", b""]},
        {0: 1, 10: bytes(4)},
    ],
)
def test_what_is_no_proof_is_malformed(said: object) -> None:
    """Deterministic CBOR of any other shape raises MalformedProof and nothing else."""
    with pytest.raises(MalformedProof):
        proof.decode(cbor.encode(said))


def test_any_bytes_are_a_proof_or_malformed(tmp_path: Path) -> None:
    """A decoder fed noise, or a proof cut anywhere, raises its own error only."""
    encoded = proof.encode(Proof(b"r", Opening(bytes(32), b"c"), (bytes(32),), None, (b"a",)))
    for at in range(len(encoded)):
        with pytest.raises(MalformedProof):
            proof.decode(encoded[:at])
    assert proof.decode(encoded).receipts == (b"a",)
    assert len(fields(Proof)) == 10
