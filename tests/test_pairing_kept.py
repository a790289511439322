"""What is kept of pairing: the same after a restart, secret, and refused where it was damaged."""

from dataclasses import replace
from pathlib import Path

import pytest

from gateway.errors import StateDamaged, StateOpen
from gateway.groups.pairing import Invited, Motion
from gateway.records import identity
from gateway.store import pairing
from gateway.store.pairing import Invitation, Joining, Shared, Stage
from tests.people import party, seed

MAKER, BUYER = party("maker"), party("buyer")
INVITATION = Invitation(seed("one")[:16], Invited.NODE, seed("consortium"), 10, 20)
JOINING = Joining(seed("two")[:16], Invited.ORGANISATION, seed("roster")[:8])
SHARED = Shared(seed("consortium"), seed("three")[:16])


def test_everything_is_the_same_after_a_restart(tmp_path: Path) -> None:
    """Each field of what was kept is read again, in files for their owner alone."""
    used = replace(INVITATION, stage=Stage.ADMITTED, paper=b"p", heard_s=15, certificate=b"c")
    asked = replace(JOINING, stage=Stage.REFUSED, inviter=bytes(16), payload=b"r", paper=b"p")
    moved = replace(SHARED, motions=(Motion(b"proposal", seed("four")[:16], 7), Motion(b"other")))
    for first, then in ((INVITATION, used), (JOINING, asked), (SHARED, moved)):
        for each in (first, then):
            pairing.keep(tmp_path, each)
            kept = pairing.load(tmp_path)
            assert each in (*kept.invitations, *kept.joinings, *kept.shared.values())
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "pairing").iterdir()} == {0o600}
    pairing.forget(tmp_path, used)
    assert pairing.load(tmp_path).invitations == ()


def test_what_is_shared_keeps_its_first_secret(tmp_path: Path) -> None:
    """A second invitation does not draw another secret: members would lose each other."""
    for secret in (SHARED.secret, seed("another")[:16]):
        pairing.share(tmp_path, SHARED.consortium, secret)
    assert pairing.load(tmp_path).shared[SHARED.consortium] == SHARED


@pytest.mark.parametrize("wrong", [b"", b"\x00", b"\xa1\x00\x01", b"\xa0"])
def test_a_damaged_file_is_said(tmp_path: Path, wrong: bytes) -> None:
    """Bytes that nobody wrote are refused, and so is a file under another's name."""
    pairing.keep(tmp_path, INVITATION)
    path = tmp_path / "pairing" / INVITATION.file
    whole = path.read_bytes()
    path.write_bytes(wrong)
    with pytest.raises(StateDamaged):
        pairing.load(tmp_path)
    path.write_bytes(whole)
    path.rename(path.with_name("invitation-another.cbor"))
    with pytest.raises(StateDamaged):
        pairing.load(tmp_path)


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    """An invitation's secret that others could have read admits nobody quietly."""
    pairing.keep(tmp_path, INVITATION)
    (tmp_path / "pairing" / INVITATION.file).chmod(0o644)
    with pytest.raises(StateOpen):
        pairing.load(tmp_path)


def test_a_revocation_is_never_taken_back(tmp_path: Path) -> None:
    """Of two revocations of one gateway the one that bars more is kept, whichever came last."""
    ids = (MAKER.root.id, BUYER.node.id)
    one, two = (identity.issue_revocation(MAKER.root, ids, number) for number in (1, 2))
    for order in ((one, two, one), (two, one)):
        for each in order:
            pairing.keep_revocation(tmp_path, each)
        assert pairing.load_revocations(tmp_path) == (two,)


def test_an_invitation_expires_only_by_a_clock_that_is_set() -> None:
    """Without a time nothing is too old."""
    assert [INVITATION.has_expired(now_s) for now_s in (None, 19, 20)] == [False, False, True]
    assert not replace(INVITATION, expires_s=None).has_expired(99)
