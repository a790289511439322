"""Signatures checked on two threads: the same records, in the same order, and the same fault."""

import pytest

from gateway.errors import AuthorError, BadSignature
from gateway.peers.verifying import SHARED_MIN, verified
from gateway.records import record
from gateway.sync.message import Carried
from tests import people

_ACE, _BOLT = people.party("ace"), people.party("bolt")
_RUN = people.run_of(_ACE)
_WRITTEN = people.chain(_RUN, people.group_of(_ACE, _BOLT), 3 * SHARED_MIN)
_CARRIED = [Carried(each.encoded, each.body) for each in _WRITTEN]


@pytest.mark.parametrize("count", [1, SHARED_MIN - 1, SHARED_MIN, len(_CARRIED)])
def test_all_records_come_in_their_order(count: int) -> None:
    """However many there are, each comes once, as if it had been decoded alone."""
    alone = [record.decode(each.record, _RUN.key.public) for each in _CARRIED[:count]]
    assert list(verified(_CARRIED[:count], _RUN.key.public)) == alone


@pytest.mark.parametrize("wrong", range(len(_CARRIED)))
def test_a_wrong_record_is_refused_in_its_place(wrong: int) -> None:
    """All before it come, then its fault is raised, and nothing after it comes."""
    encoded = _CARRIED[wrong].record
    spoilt = Carried(encoded[:-1] + bytes([encoded[-1] ^ 1]), None)
    following = verified([*_CARRIED[:wrong], spoilt, *_CARRIED[wrong + 1 :]], _RUN.key.public)
    for before in _WRITTEN[:wrong]:
        assert next(following).encoded == before.encoded
    with pytest.raises(BadSignature):
        next(following)
    assert next(following, None) is None


def test_the_first_of_two_wrong_ones_is_told() -> None:
    """A fault that the second thread finds waits for the one before it."""
    spoilt = list(_CARRIED)
    spoilt[1] = Carried(b"", None)
    spoilt[-1] = Carried(spoilt[-1].record[:-1] + b"\0", None)
    following = verified(spoilt, _RUN.key.public)
    assert next(following).encoded == _WRITTEN[0].encoded
    with pytest.raises(AuthorError) as fault:
        next(following)
    assert not isinstance(fault.value, BadSignature)
