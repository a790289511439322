"""Pairing: addresses, what lies in a mailbox, and rosters joined from many members' words."""

import random
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest

from gateway.errors import (
    InvitationExpired,
    InvitationUsed,
    JoiningRefused,
    MalformedDocument,
    MalformedRoster,
    PeerError,
)
from gateway.groups import admission, pairing
from gateway.groups.admission import Standing
from gateway.groups.pairing import (
    INVITER,
    Answer,
    Motion,
    Notice,
    Offer,
    Outcome,
    Paper,
)
from gateway.records import identity, roster
from gateway.records.roster import Roster
from tests.damage import all_refused, flips, never_escapes, refusal, truncations
from tests.mutate import known, mutations
from tests.people import Party, party, roster_of, seed
from tests.vectors import load
from tests.vectors.build_pairing import (
    ADDRESS,
    BUYER,
    CARRIER,
    FIRST,
    MADE_S,
    MAKER,
    NONCE,
    PAYLOAD,
    SECOND,
    SECRET,
    applicant,
    contact,
    documents,
    expect,
    opened,
    signed,
)

VECTORS: dict[str, Any] = load("pairing")
SMITH = party("smith")
FOUR = roster_of(MAKER, BUYER, CARRIER, SMITH)
WELDER, TURNER = party("welder"), party("turner")


def read(vector: dict[str, Any]) -> object:
    """Read a vector of any of its kinds."""
    if "address" in vector:
        found = pairing.decode_address(vector["address"])
        told = {"secret": found.secret.hex(), "roster": found.roster.hex()}
        return {"invited": found.invited.name.lower(), **told}
    if "slot" in vector:
        return opened(bytes.fromhex(vector["hex"]), vector).hex()
    if "hex" in vector:
        return expect(pairing.decode(bytes.fromhex(vector["hex"])))
    secret = bytes.fromhex(vector["secret"])
    box, node = pairing.mailbox(secret), vector["expect"]["node"]
    slot = pairing.slot(secret, bytes.fromhex(node))
    return {"tag": box.tag, "key": box.key.hex(), "node": node, "slot": slot}


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda vector: vector["name"])
def test_a_good_vector_is_read(vector: dict[str, Any]) -> None:
    """Every reader finds the same in an address, under a seal and in a document."""
    assert read(vector) == vector["expect"]


@pytest.mark.parametrize("vector", VECTORS["bad"], ids=lambda vector: vector["name"])
def test_a_bad_vector_is_refused(vector: dict[str, Any]) -> None:
    """What was mistyped, sealed for another place, or not signed by its author is refused."""
    assert refusal(lambda: read(vector)) == vector["error"]


def test_an_address_is_read_as_chats_show_it() -> None:
    """Blanks, line breaks, hyphens and small letters do not matter; a letter does."""
    text = pairing.encode_address(ADDRESS)
    assert len(text) < 60
    for shown in (text.lower(), f" {text[:30]}\n  {text[30:]} ", text[:20] + "-" + text[20:]):
        assert pairing.decode_address(shown) == ADDRESS
    for at in range(len("hulian:1:"), len(text)):
        wrong = text[:at] + ("Q" if text[at] != "Q" else "R") + text[at + 1 :]
        assert refusal(partial(pairing.decode_address, wrong)) == "pairing.address"


def test_every_flipped_bit_and_every_truncation_is_refused() -> None:
    """No bit of a document or of its seal can change."""
    for name in ("an answer: used", "a newcomer"):
        whole = documents()[name]
        all_refused(pairing.decode, [*flips(whole), *truncations(whole)], PeerError)
    box = pairing.mailbox(SECRET)
    sealed = pairing.seal(box, INVITER, b"document", NONCE)
    where = {"secret": SECRET.hex(), "slot": INVITER}
    wrong = [*flips(sealed), *truncations(sealed)]
    all_refused(lambda said: opened(said, where), wrong, PeerError)


def test_mutated_documents_raise_only_their_own_errors() -> None:
    """Fed anything, the decoder raises errors of the peer's branch alone."""
    assert never_escapes(pairing.decode, mutations(known("pairing"), 2000, seed=9), PeerError)


def test_a_sealed_document_shows_nothing_of_what_it_says() -> None:
    """No name, key or certificate of a document is in its sealed bytes."""
    box = pairing.mailbox(SECRET)
    for document in documents().values():
        sealed = pairing.seal(box, INVITER, document, NONCE)
        for shown in (b"maker", b"hulian", MAKER.root.public, contact(MAKER)[0]):
            assert shown not in sealed


def offered(said: Offer, by: Party = MAKER) -> Paper:
    return pairing.decode(signed(by, said))


def test_an_offer_is_bound_to_its_address() -> None:
    """An offer of another consortium, by a stranger, to somebody else or too old is refused."""
    good = Offer(ADDRESS.invited, (FIRST.encoded,), MADE_S, MADE_S + 100)
    assert admission.read_offer(offered(good), ADDRESS, MADE_S)[1].newest == FIRST
    assert admission.read_offer(offered(good), ADDRESS, None)[1].newest == FIRST
    with pytest.raises(InvitationExpired):
        admission.read_offer(offered(good), ADDRESS, MADE_S + 100)
    other = roster_of(BUYER)
    wrong = [
        offered(Offer(ADDRESS.invited, (other.encoded,), None, None), BUYER),
        offered(good, BUYER),
        offered(Offer(pairing.Invited.NODE, (FIRST.encoded,), None, None)),
        offered(Offer(ADDRESS.invited, (SECOND,), None, None)),
        pairing.decode(documents()["a newcomer"]),
    ]
    for paper in wrong:
        with pytest.raises(MalformedDocument):
            admission.read_offer(paper, ADDRESS, MADE_S)


def test_an_applicant_is_an_organisation_that_signed_the_next_roster() -> None:
    """Whoever signs for another, or for no roster, is refused; who signed an old one, asks anew."""
    good = pairing.decode(signed(BUYER, applicant(BUYER, PAYLOAD)))
    assert admission.check_applicant(good, FIRST, 0) == good.said
    assert admission.check_applicant(good, FIRST, 1) is None
    grown = roster.decode_next(SECOND, FIRST)
    later = roster.compose_next(grown, [*grown.organisations, CARRIER.organisation])
    assert (
        admission.check_applicant(
            pairing.decode(signed(CARRIER, applicant(CARRIER, later))), FIRST, 0
        )
        is None
    )
    for paper in (
        pairing.decode(signed(CARRIER, applicant(BUYER, PAYLOAD))),
        pairing.decode(
            signed(
                BUYER,
                pairing.Applicant(BUYER.organisation, PAYLOAD, applicant(BUYER, b"").signature),
            )
        ),
        pairing.decode(signed(BUYER, Notice(()))),
    ):
        with pytest.raises(MalformedDocument):
            admission.check_applicant(paper, FIRST, 0)


def test_answers_that_let_nobody_in_each_have_their_code() -> None:
    """Used, expired and refused are told apart."""
    for outcome, error in (
        (Outcome.USED, InvitationUsed),
        (Outcome.EXPIRED, InvitationExpired),
        (Outcome.REFUSED, JoiningRefused),
    ):
        with pytest.raises(error):
            admission.check_answer(Answer(outcome))
    admission.check_answer(Answer(Outcome.WAITING))


def motion(before: Roster, payload: bytes, *by: Party) -> Motion:
    return Motion(roster.assemble(payload, [roster.sign(each.root, payload) for each in by]))


def notice(by: Party, before: Sequence[Roster], *motions: Motion) -> Paper:
    return pairing.decode(signed(by, Notice(tuple(each.encoded for each in before), motions)))


def test_signatures_join_in_any_order_and_the_quorum_decides() -> None:
    """Three of four decide; any order of their words, some said twice, gives the same roster."""
    payload = admission.admitting(FOUR, WELDER.organisation, 0)
    words = [
        notice(each, [FOUR], motion(FOUR, payload, each, WELDER))
        for each in (MAKER, BUYER, CARRIER)
    ]
    dice = random.Random(20)
    for _ in range(20):
        said = [*words, dice.choice(words)]
        dice.shuffle(said)
        standing = Standing((FOUR,))
        for at, paper in enumerate(said):
            heard = {each.author.key for each in said[: at + 1]}
            standing = admission.merge(standing, [paper])
            assert (len(standing.chain) == 2) == (len(heard) == 3)
        assert standing.newest.hash == roster.roster_hash(payload)
        assert WELDER.root.id in [each.id for each in standing.newest.organisations]
        assert not standing.motions
    assert admission.merge(Standing((FOUR,)), words).newest.hash == roster.roster_hash(payload)


def test_what_is_still_missing_is_known() -> None:
    """An open motion names who joins and who may still sign, and nothing happens before."""
    payload = admission.admitting(FOUR, WELDER.organisation, 0)
    standing = admission.merge(
        Standing((FOUR,)), [notice(MAKER, [FOUR], motion(FOUR, payload, MAKER, WELDER))]
    )
    (one,) = standing.open_motions()
    assert one.change.names == ("welder",) and standing.chain == (FOUR,)
    assert one.missing.more == 2 and not one.missing.must
    assert {each.name for each in one.missing.among} == {"buyer", "carrier", "smith"}


def test_strangers_and_the_expelled_say_nothing() -> None:
    """A notice counts only by a gateway of a member of the newest roster; its rosters always do."""
    payload = admission.expelling(FOUR, SMITH.root.id, 0)
    gone = roster.decode_next(motion(FOUR, payload, MAKER, BUYER, CARRIER).proposal, FOUR)
    moved = admission.admitting(gone, WELDER.organisation, 0)
    paper = notice(SMITH, [FOUR, gone], motion(gone, moved, WELDER))
    standing = admission.merge(Standing((FOUR,)), [paper])
    assert standing.newest == gone and not standing.motions and not standing.contacts
    assert admission.merge(Standing((FOUR,)), [notice(TURNER, [FOUR])]) == Standing((FOUR,))


def test_nobody_goes_back_or_aside() -> None:
    """A shorter chain, another consortium's or one that is not signed changes nothing."""
    payload = admission.expelling(FOUR, SMITH.root.id, 0)
    gone = roster.decode_next(motion(FOUR, payload, MAKER, BUYER, CARRIER).proposal, FOUR)
    known_ = Standing((FOUR, gone))
    other = roster_of(MAKER, BUYER)
    for chain in ([FOUR], [other], []):
        assert admission.merge(known_, [notice(MAKER, chain)]).chain == known_.chain
    unsigned = Notice((FOUR.encoded, motion(FOUR, payload, MAKER).proposal))
    said = pairing.decode(signed(MAKER, unsigned))
    assert admission.merge(Standing((FOUR,)), [said]).chain == (FOUR,)


def test_two_changes_that_keep_each_other_back_begin_anew() -> None:
    """Where no roster of an attempt can reach the quorum, the next attempt is open."""
    one = admission.admitting(FOUR, WELDER.organisation, 0)
    other = admission.admitting(FOUR, TURNER.organisation, 0)
    standing = Standing((FOUR,))
    assert standing.attempt == 0
    standing = admission.add_motion(standing, motion(FOUR, one, MAKER, BUYER, WELDER))
    assert standing.attempt == 0
    standing = admission.add_motion(standing, motion(FOUR, other, CARRIER, SMITH, TURNER))
    assert standing.attempt == 1 and len(standing.shown(0)) == 2
    again = admission.admitting(FOUR, WELDER.organisation, 1)
    everybody = (MAKER, BUYER, CARRIER, WELDER)
    assert admission.add_motion(standing, motion(FOUR, again, *everybody)).newest.attempt == 1


def test_a_member_is_not_admitted_twice_and_a_stranger_not_expelled() -> None:
    """A proposal that changes nothing, or doubles a member, cannot be written."""
    with pytest.raises(MalformedRoster):
        admission.admitting(FOUR, MAKER.organisation, 0)
    assert roster.read_next(admission.expelling(FOUR, WELDER.root.id, 0), FOUR).organisations == (
        FOUR.organisations
    )


def test_a_revocation_travels_only_under_its_organisations_root() -> None:
    """A member passes on another's revocations, and none that its organisation did not sign."""
    ids = (BUYER.root.id, BUYER.node.id)
    good = identity.issue_revocation(BUYER.root, ids, 1)
    false = identity.issue_revocation(MAKER.root, ids, 1)
    said = pairing.decode(signed(MAKER, Notice((FOUR.encoded,), (), (good, false))))
    assert admission.merge(Standing((FOUR,)), [said]).revocations == (good,)


def test_the_members_secret_is_in_no_notice() -> None:
    """What members say to each other does not hold the key under which they say it."""
    said = Notice((FIRST.encoded,), (Motion(SECOND, SECRET),))
    assert seed("members")[:16] not in signed(MAKER, said)
