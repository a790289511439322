"""Certificates: their claims, their issuers, every flipped bit, and weak keys (I2)."""

from typing import Any

import pytest

from gateway.errors import AuthorError, WeakKey
from gateway.records import identity
from gateway.records.identity import Kind, Named
from tests.damage import all_refused, flips, never_escapes, refusal, truncations
from tests.mutate import known, mutations
from tests.oracle import ask
from tests.vectors import load
from tests.vectors.build_cose import NOT_CANONICAL, SMALL_ORDER
from tests.vectors.build_identity import IDS, MAKER, OTHER, PERSON, PERSON_IDS, expect, read

VECTORS: dict[str, Any] = load("identity")


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda vector: vector["name"])
def test_a_good_vector_is_read(vector: dict[str, Any]) -> None:
    """Every reader finds the same claims."""
    assert expect(read(vector["kind"], bytes.fromhex(vector["hex"]))) == vector["expect"]


@pytest.mark.parametrize("vector", VECTORS["bad"], ids=lambda vector: vector["name"])
def test_a_bad_vector_is_refused(vector: dict[str, Any]) -> None:
    """A wrong claim, issuer, key or signature is refused with the chapter's code."""
    encoded = bytes.fromhex(vector["hex"])
    assert refusal(lambda: read(vector["kind"], encoded), AuthorError) == vector["error"]


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda vector: vector["name"])
def test_every_flipped_bit_and_every_truncation_is_refused(vector: dict[str, Any]) -> None:
    """No bit of a certificate can change."""
    whole = bytes.fromhex(vector["hex"])
    damaged = [*flips(whole), *truncations(whole)]
    all_refused(lambda encoded: read(vector["kind"], encoded), damaged, AuthorError)


@pytest.mark.parametrize("kind", ["node", "run", "encryption", "person", "revocation"])
def test_mutated_certificates_raise_only_their_own_errors(kind: Kind) -> None:
    """Fed anything as any kind, the decoder raises errors of the author's branch alone."""
    damaged = mutations(known("identity"), 2000, seed=5)
    assert never_escapes(lambda each: identity.decode(each, kind), damaged, AuthorError)


@pytest.mark.parametrize("public", SMALL_ORDER + NOT_CANONICAL)
def test_a_root_never_certifies_a_weak_key(public: str) -> None:
    """Who enrols a node refuses a key under which everything verifies."""
    with pytest.raises(WeakKey):
        identity.issue_node(MAKER.root, IDS, bytes.fromhex(public), 1, Named("weak"))


def test_a_general_library_verifies_our_certificates() -> None:
    """`cwt` finds the same claims in a certificate, and none under another key."""
    certificates = [MAKER.node_certificate.hex()]
    right, wrong = MAKER.root.public.hex(), OTHER.root.public.hex()
    answers = ask("cose_by_cwt", [[each, key] for each in certificates for key in (right, wrong)])
    assert isinstance(answers, list)
    assert answers[0][0] == "hulian/1/node"
    assert IDS[1].hex().encode().hex() in answers[0][1]
    assert answers[1] is None


def test_an_id_shows_its_typing_errors() -> None:
    """An id is shown with two check characters, which change with the id."""
    shown = identity.show_id(MAKER.node.id)
    other = identity.show_id(bytes([MAKER.node.id[0] ^ 0x80]) + MAKER.node.id[1:])
    assert len(shown.replace("-", "")) == 28
    assert {len(part) for part in shown.split("-")} == {4}
    assert shown[-2:] != other[-2:]


@pytest.mark.parametrize(("counter", "barred"), [(1, True), (2, True), (3, False)])
def test_a_revocation_bars_what_was_certified_up_to_its_counter(counter: int, barred: bool) -> None:
    """A certificate with a higher counter is not barred: the organisation vouched anew."""
    revocation = read("revocation", identity.issue_revocation(MAKER.root, IDS, 2))
    again = identity.issue_node(MAKER.root, IDS, MAKER.node.public, counter, Named("again"))
    assert revocation.revokes(read("node", again)) is barred


def test_a_revocation_bars_nobody_else() -> None:
    """Another subject, another organisation, a run, and what is no revocation are not concerned."""
    revocation = read("revocation", identity.issue_revocation(MAKER.root, IDS, 9))
    person = identity.issue_person(MAKER.root, PERSON_IDS, PERSON.public, 1, Named("n"))
    other = identity.issue_node(OTHER.root, (OTHER.root.id, IDS[1]), PERSON.public, 1, Named("n"))
    node = read("node", MAKER.node_certificate)
    others = [identity.decode(person, "person"), identity.decode(other, "node"), revocation]
    assert revocation.revokes(node)
    assert not any(revocation.revokes(each) for each in others)
    assert not node.revokes(node)
