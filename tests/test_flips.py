"""Every message damaged in every place: a twentieth of the campaign."""

from tests.faults import flips


def test_no_damaged_message_leads_to_anything() -> None:
    """Each is refused under its code; where nothing is sealed, broadcast heads may only ask."""
    told = flips.campaign(20)
    assert "sealed 13 messages" in told and "clear 13 messages" in told
