"""Proofs, receipts, checkpoints and cosignatures damaged in every place: part of the campaign."""

from tests.faults import tampering


def test_whatever_was_changed_is_refused_and_named() -> None:
    """What does not hold is said, and it is of the part that was changed."""
    told = tampering.campaign(61, 1999)
    assert told.count("refused") == 8
