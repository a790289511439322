"""Proofs and their verdicts: what they show, and that they never show what does not hold."""

from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from gateway.cli import checking
from gateway.errors import AdditionUnproven, BadAck, MalformedProof, TooFewWitnesses
from gateway.groups import agreement, verdict
from gateway.groups.agreement import Entry
from gateway.groups.verdict import Verdict
from gateway.records import checkpoint, proof, record
from gateway.records.proof import Proof
from gateway.records.record import SALT_BYTES, Kind
from gateway.store import (
    database,
    feeds,
    freezing,
    groups,
    journal,
    membership,
    proofs,
    questions,
    receipts,
    standing,
)
from gateway.store.database import Connection
from tests import proofs as proofs_of
from tests.damage import all_refused, flips, never_escapes, truncations
from tests.holding import Holding, strokes
from tests.mutate import known, mutations
from tests.sharing import shared_with_peers
from tests.sim.consortium import Consortium
from tests.sim.options import plain_options
from tests.vectors import build_proof, load
from tests.vectors.build_proof import CHAIN, LONG, ROSTER, SHORT, expect, refusal, refused

SHOWN = {"roster", "certificates", "record", "body", "group"}
TRUSTED = {ROSTER.hash}


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Holding:
    """Give a gateway alone with a few records."""
    made = Holding(tmp_path_factory.mktemp("proof"))
    for at in range(5):
        made.say(strokes(3, at * 3))
    return made


@pytest.fixture
def shared() -> Connection:
    """Give the maker's store, with the chain of the vectors and two peers' ACKs."""
    db = database.connect(":memory:")
    shared_with_peers(db)
    return db


def _exported(db: Connection, seq: int) -> Proof:
    row = db.execute("SELECT id FROM records WHERE place & 0xffffffff = ?", (seq,))
    return proofs.of(db, questions.find(db, row.get.hex()))


def _held(found: Verdict) -> dict[str, bool | None]:
    return {statement.name: statement.held for statement in found.statements}


@pytest.mark.parametrize("vector", load("proof")["good"], ids=lambda vector: vector["name"])
def test_a_good_vector_shows_what_it_shows(vector: dict[str, object]) -> None:
    """Each good vector has the one verdict, and the same bytes when it is written again."""
    encoded, trusted = bytes.fromhex(str(vector["hex"])), bytes.fromhex(str(vector["trusted"]))
    assert expect(verdict.judge(encoded, {trusted})) == vector["expect"]
    assert proof.encode(proof.decode(encoded)) == encoded


@pytest.mark.parametrize("vector", load("proof")["bad"], ids=lambda vector: vector["name"])
def test_a_bad_vector_never_holds(vector: dict[str, str]) -> None:
    """Each bad vector is refused, and told of by the first statement that fails, in its words."""
    encoded, trusted = bytes.fromhex(vector["hex"]), bytes.fromhex(vector["trusted"])
    told = {name: vector[name] for name in ("statement", "error", "says")}
    assert refusal(encoded, trusted) == told and all(told.values())


def test_a_bad_receipt_is_never_counted() -> None:
    """Beside a bad receipt the good one still says who holds the record; the proof fails."""
    named = {vector["name"]: vector for vector in load("proof")["bad"]}
    for name, vector in named.items():
        if vector["statement"] == "receipts" and vector["trusted"] == ROSTER.hash.hex():
            found = verdict.judge(bytes.fromhex(vector["hex"]), TRUSTED)
            assert (found.holds, _held(found)["receipts"]) == (False, False)
            buyers = {build_proof.BUYER.node.id} if name.startswith("one good") else set()
            assert {holder.node for holder in found.holders} == buyers


def test_flipped_bits_of_a_proof_are_refused_or_do_not_hold(held: Holding) -> None:
    """No bit of a proof says nothing: a change makes it fail; `tampering` tries all."""
    encoded, trusted = proof.encode(_exported(held.db, 2)), held.state.roster.hash
    assert verdict.judge(encoded, {trusted}).holds
    for changed in islice(flips(encoded), 0, None, 101):
        assert refused(changed, trusted)


def test_flipped_bits_of_a_final_proof_name_what_does_not_hold() -> None:
    """Whatever bit of a final proof changes, a statement fails and says why; none is final."""
    for clear in (True, False):
        encoded = proof.encode(proofs_of.complete(clear))
        found = verdict.judge(encoded, {proofs_of.ROSTER.hash})
        assert [name for name, shown in _held(found).items() if not shown] == ["device"]
        for changed in islice(flips(encoded), 11, None, 1009):
            told = refusal(changed, proofs_of.ROSTER.hash)
            assert told["statement"] in (*verdict.NAMES, "format") and told["says"]


def test_no_byte_of_an_ack_can_change() -> None:
    """Of an ACK in a proof every bit counts."""
    (signed, _), key = build_proof.whole().receipts, build_proof.BUYERS.key.public
    all_refused(lambda said: agreement.decode(said).verify(key), flips(signed.signed), BadAck)


def test_parts_of_two_final_proofs_contradict_each_other() -> None:
    """A part of another proof's makes the statement fail that joins it to the rest, by name."""
    one, other = proofs_of.complete(clear=True), proofs_of.complete(clear=False)
    for part, statement in (
        ("record", "group"),
        ("opening", None),  # both say the same, under one salt
        ("receipts", "receipts"),
        ("journaled", "journal"),
        ("founded", "group"),
        ("membership", "group"),
    ):
        mixed = proof.encode(replace(one, **{part: getattr(other, part)}))
        found = verdict.judge(mixed, {proofs_of.ROSTER.hash})
        assert _held(found)["final"] is (True if statement is None else None)
        assert statement is None or _held(found)[statement] is False, part


def test_a_final_proof_names_who_agrees_and_who_stands_for_it() -> None:
    """Every required organisation and counting witness is named, and whether it was shown."""
    whole = proofs_of.complete()
    journaled = whole.journaled
    assert journaled is not None
    less = replace(
        whole,
        receipts=whole.receipts[1:],
        journaled=replace(journaled, cosignatures=journaled.cosignatures[1:3]),
    )
    found = verdict.judge(proof.encode(less), {proofs_of.ROSTER.hash})
    assert {each.name: each.given for each in found.parties} == {
        "maker": True,
        "buyer": False,
        "auditor": True,
        "carrier": True,
    }
    given = {each.name for each in found.witnesses if each.given}
    assert given == {"buyer", "auditor"}
    assert (found.quorum, len(found.witnesses), found.holds) == (3, 4, True)
    reasons = {each.name: each.reason for each in found.statements if each.reason}
    assert proofs_of.BUYER.root.id.hex() in reasons["agreed"]
    assert reasons["witnesses"].startswith(TooFewWitnesses.code)


def test_every_truncation_of_a_proof_is_refused() -> None:
    """A proof cut anywhere is no proof, and noise raises nothing but that."""
    encoded = proof.encode(build_proof.whole())
    all_refused(proof.decode, truncations(encoded), MalformedProof)
    noise = mutations(known("proof"), 500, seed=3)
    assert never_escapes(lambda said: verdict.judge(said, TRUSTED), noise, MalformedProof)


def test_no_part_can_be_exchanged(held: Holding) -> None:
    """A part of another record's proof, or another trusted roster, makes the proof fail."""
    whole, other, trusted = _exported(held.db, 2), _exported(held.db, 4), {held.state.roster.hash}
    for part in ("record", "opening"):
        mixed = replace(whole, **{part: getattr(other, part)})
        assert not verdict.judge(proof.encode(mixed), trusted).holds
    assert not verdict.judge(proof.encode(whole), {bytes(32)}).holds
    assert not verdict.judge(proof.encode(whole), frozenset()).holds


def test_every_record_of_a_gateway_alone_can_be_shown(held: Holding) -> None:
    """A store's proof shows who wrote what in which group; and that nobody else has signed."""
    for seq in range(6):
        found = verdict.judge(proof.encode(_exported(held.db, seq)), {held.state.roster.hash})
        assert found.holds
        assert {name for name, shown in _held(found).items() if shown} == SHOWN
        assert found.holders == ()


def test_a_store_shows_the_receipts_that_cover_a_record(shared: Connection) -> None:
    """The peers whose ACKs cover a record are shown; those it cannot show are left out."""
    for seq in range(LONG):
        gathered = _exported(shared, seq)
        found = verdict.judge(proof.encode(gathered), TRUSTED)
        assert found.holds
        buyers = {build_proof.BUYER.node.id}
        carriers = {build_proof.CARRIER.node.id} if seq < SHORT else set()
        assert {holder.node for holder in found.holders} == buyers | carriers
    shared.execute("DELETE FROM peers")
    assert _exported(shared, 0).receipts == ()


def test_a_store_shows_that_a_record_is_final() -> None:
    """A store gives proofs that are final, once receipts and cosignatures are there; not before."""
    db, said = database.connect(":memory:"), proofs_of.told()
    groups.register(db, "pressing", said.group)
    places = []
    for writing in (said.makers, *said.others):
        for each in writing.written:
            read = record.parse(each.encoded)
            places.append((read, feeds.append(db, read, each.body, each.feed), each.body))
    membership.refold(db, said.group.id)
    shown = [_judged_final(db)]
    for read, place, body in places:
        if read.kind is Kind.RECEIPT:
            assert receipts.take(db, place, body[SALT_BYTES:]) == []
    shown.append(_judged_final(db))
    run = proofs_of.RUNS[proofs_of.MAKER]
    assert journal.grow(db, run) == 1
    shown.append(_judged_final(db))
    note = journal.newest_checkpoint(db, run.key.id)
    assert note is not None
    text = checkpoint.verify(note, run.key.public).text
    for witness in proofs_of.PARTIES[1:]:
        assert journal.keep_cosignature(db, run.key.id, 1, witness.cosign(text))
    shown.append(_judged_final(db))
    names = ("receipts", "agreed", "journal", "witnesses", "final")
    assert [[_held(each)[name] is True for name in names] for each in shown] == [
        [False, False, False, False, False],
        [True, True, False, False, False],
        [True, True, True, False, False],
        [True, True, True, True, True],
    ]
    assert {each.name for each in shown[-1].holders} == {"buyer", "auditor", "carrier"}
    # Its author forks the feed there: what was final is not taken back, and is shown as before.
    name = said.makers.written[-1].feed.id
    stood = standing.of(db, name)
    assert freezing.freeze(db, name, proofs_of.SHOWN)
    assert feeds.head(db, name).size == proofs_of.SHOWN  # type: ignore[union-attr]
    assert standing.of(db, name) == stood
    assert stood.final > proofs_of.SHOWN
    assert _held(_judged_final(db))["final"] is True


def _judged_final(db: Connection) -> Verdict:
    """Judge the proof of the maker's record in a store."""
    identity = proofs_of.told().makers.written[proofs_of.SHOWN].id
    gathered = proofs.of(db, questions.find(db, identity.hex()))
    found = verdict.judge(proof.encode(gathered), {proofs_of.ROSTER.hash})
    assert found.holds and _held(found)["group"] is True
    return found


def test_a_body_that_is_owed_is_no_receipt(shared: Connection) -> None:
    """An ACK that says that the record's body is not held is not exported as a receipt."""
    head = CHAIN[-1].feed.head()
    unheld = build_proof.receipt(build_proof.BUYERS, 0, LONG, entries=(Entry(head, ((1, 3),)),))
    shared.execute("UPDATE acks SET encoded = ? WHERE size = ?", (unheld.signed, LONG))
    shown = [len(_exported(shared, seq).receipts) for seq in range(LONG)]
    assert shown == [2, 1, 1, 2, 1, 1, 1]


def test_after_a_sync_every_author_can_show_who_holds_its_records() -> None:
    """Once a world has settled, the proof of any own record names all other members as holders."""
    world = Consortium(plain_options(5))
    world.live()
    shown = 0
    for gateway in world.gateways:
        for group in world.groups:
            others = {each.node for each in group.founding.members} - {gateway.node}
            if len(others) == len(group.founding.members):
                continue
            rows = gateway.db.execute(
                "SELECT lower(hex(r.id)) FROM records r JOIN feeds f ON f.number = r.place >> 32"
                " JOIN groups g ON g.number = f.in_group WHERE f.node = ? AND g.id = ?",
                (gateway.node, group.id),
            ).fetchall()
            for (identity,) in rows[:: 1 + len(rows) // 8]:
                gathered = proofs.of(gateway.db, questions.find(gateway.db, str(identity)))
                found = verdict.judge(proof.encode(gathered), {group.roster.hash})
                assert found.holds
                assert {holder.node for holder in found.holders} == others
                shown += 1
    assert shown


def test_why_something_was_not_shown_is_said(tmp_path: Path) -> None:
    """A node that the founding does not name may have been added later: neither yes nor no."""
    named = {vector["name"]: vector for vector in load("proof")["good"]}
    for name, statement, holders in (
        ("an author whom the founding does not name", "group", 0),
        ("a receipt by whom the founding does not name", "receipts", 1),
    ):
        encoded = bytes.fromhex(named[name]["hex"])
        found = verdict.judge(encoded, TRUSTED)
        reasons = {each.name: each.reason for each in found.statements if each.reason}
        assert found.holds and _held(found)[statement] is None
        assert statement in reasons and set(reasons) <= {statement, "agreed"}
        assert len(found.holders) == holders
        assert reasons[statement].startswith(AdditionUnproven.code)
        (tmp_path / "proof").write_bytes(encoded)
        facts = checking._verified_proof(tmp_path / "proof", TRUSTED)
        assert (facts["unshown"], facts["faults"], facts["ok"]) == ([*reasons.values()], [], True)


def test_a_file_of_integers_without_end_is_refused_unbuilt(tmp_path: Path) -> None:
    """What no proof needs costs no more to refuse than a proof does to read."""
    many = 16_700_000
    (tmp_path / "proof").write_bytes(b"\x9a" + many.to_bytes(4, "big") + bytes(many))
    with pytest.raises(MalformedProof, match=f"more than {proof.PROOF_ITEMS_MAX} items"):
        checking._verified_proof(tmp_path / "proof", TRUSTED)
