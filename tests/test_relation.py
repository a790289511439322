"""One peer: who greeted whom, how much is answered, and how much is sent at a time."""

import pytest
from hypothesis import given, strategies as some

from gateway.errors import BadControl
from gateway.peers.relation import (
    ANSWER_MS,
    ANSWERS_MAX,
    SERVING_BYTES_MAX,
    SERVING_MAX,
    Relation,
)
from gateway.sync import control, message
from gateway.sync.decide import SendRecords
from gateway.sync.message import Heads, Hello
from gateway.sync.session import GREETINGS_MAX, Session
from tests.people import run_of, seed
from tests.vectors.build_message import BUYER, GROUP, MAKER, RUN, feeds

OURS = b"a HELLO of the buyer"
HEADS = message.encode(Heads(()))


def _relation() -> Relation:
    return Relation(MAKER.node.id, "maker", MAKER.encryption.public, (GROUP,))


def _hello(number: int) -> bytes:
    """Give a HELLO of the maker's run."""
    return message.encode(Hello(RUN.credentials, (), seed(f"nonce {number}")[:16]))


def _greeted(*numbers: int) -> Session:
    """Give the buyer's half of a session in which these HELLOs were heard, one after another."""
    session = Session(MAKER.node.id, OURS)
    for number in numbers:
        session = session.heard_hello(_hello(number), RUN.credentials)
    return session


def _says(said_by: Session, heard_by: Session, counter: int = 1) -> control.Control:
    """Have the maker's half say something to the buyer's."""
    pair = control.Pair(said_by.mine, heard_by.mine)
    return control.decode(control.sign(RUN.key, counter, pair, HEADS))


@given(some.lists(some.integers(0, 3 * ANSWER_MS), max_size=200))
def test_costly_answers_are_bounded_at_once_and_in_time(waits_ms: list[int]) -> None:
    """Sixteen at once and then one a second, however often it is asked."""
    relation, now_ms, given_count = _relation(), 0, 0
    for wait_ms in waits_ms:
        now_ms += wait_ms
        given_count += relation.may_answer(now_ms)
        assert given_count <= ANSWERS_MAX + now_ms // ANSWER_MS
    assert relation.may_answer(now_ms + ANSWERS_MAX * ANSWER_MS)


@given(
    some.lists(some.tuples(some.sampled_from(feeds(80)), some.integers(1, 1 << 20)), max_size=99)
)
def test_what_is_owed_to_a_peer_is_bounded(wants: list[tuple[bytes, int]]) -> None:
    """However much is wanted: 64 feeds, 2 MiB of credit, and the last word on each feed."""
    relation = _relation()
    for feed, credit in wants:
        before = dict(relation.owed)
        taken = relation.owe(GROUP, SendRecords(feed, 0, 9, credit))
        assert len(relation.owed) <= SERVING_MAX
        assert sum(each.credit for each in relation.owed.values()) <= SERVING_BYTES_MAX
        assert relation.owed[feed].credit == credit if taken else relation.owed == before


def test_a_session_is_up_when_the_peer_signs_under_both_hellos() -> None:
    """A HELLO alone shows nothing: it may be anybody's."""
    ours, theirs = _greeted(1), Session(BUYER.node.id, _hello(1))
    assert not ours.up
    heard = ours.heard_control(_says(theirs, ours), 7)
    assert (heard.up, heard.heard_ms) == (True, 7)


def test_the_same_hello_again_changes_nothing() -> None:
    """A HELLO that is repeated, by whomever, neither ends nor begins a session."""
    ours, theirs = _greeted(1), Session(BUYER.node.id, _hello(1))
    heard = ours.heard_control(_says(theirs, ours), 0)
    assert heard.heard_hello(_hello(1), RUN.credentials) == heard


def test_a_session_outlives_a_hello_in_the_peers_name() -> None:
    """The peer's session is the one under which it last signed something."""
    ours, theirs = _greeted(1, 2), Session(BUYER.node.id, _hello(1))
    heard = ours.heard_control(_says(theirs, ours), 0)
    assert heard.theirs == theirs.mine
    with pytest.raises(BadControl):
        heard.heard_control(_says(theirs, ours), 0)


def test_what_was_said_to_an_earlier_hello_of_ours_is_refused() -> None:
    """When too many greetings were heard, ours is drawn anew: no old counter counts."""
    ours = _greeted(*range(GREETINGS_MAX + 1))
    assert ours.full
    renewed = ours.renewed(b"another HELLO of the buyer").heard_hello(_hello(0), RUN.credentials)
    said = _says(Session(BUYER.node.id, _hello(0)), ours)
    assert ours.heard_control(said, 0).up
    with pytest.raises(BadControl):
        renewed.heard_control(said, 0)


def test_both_sides_of_a_session_understand_each_other() -> None:
    """What one says with `said`, the other hears: each counter once, in any order."""
    plain = message.encode(Hello(run_of(BUYER).credentials, (), bytes(16)))
    maker = Session(BUYER.node.id, _hello(1)).heard_hello(plain, run_of(BUYER).credentials)
    buyer = Session(MAKER.node.id, plain).heard_hello(_hello(1), RUN.credentials)
    maker, one = maker.said(RUN.key, HEADS)
    maker, two = maker.said(RUN.key, HEADS)
    for signed in (two, one):
        buyer = buyer.heard_control(control.decode(signed), 0)
    for signed in (two, one):
        with pytest.raises(BadControl):
            buyer.heard_control(control.decode(signed), 0)
