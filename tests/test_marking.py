"""What is said of a record beside its status, and what says nothing against it."""

from dataclasses import replace

import pytest

from gateway.groups.group import Group
from gateway.records import identity, record
from gateway.records.identity import Named, Validity
from gateway.records.record import ClockSource, Moment
from gateway.store import authoring, database, feeds, groups
from gateway.store.authoring import Author, Venue
from gateway.store.marking import LATE, Marks
from tests.people import BOOT, Party, group_of, observation, party, run_of

EXPIRES_S = 1_800_000_000


def _expiring() -> Party:
    """Give a party whose node's certificate ends."""
    who = party("maker")
    named = Named("maker", Validity(EXPIRES_S - 1_000, EXPIRES_S))
    ids = who.root.id, who.node.id
    signed = identity.issue_node(who.root, ids, who.node.public, 1, named)
    return replace(who, node_certificate=signed)


def _said(who: Party, at_s: int, source: ClockSource) -> tuple[str, ...]:
    """Have somebody say something at a time, by some clock; give the marks of it."""
    db, group, run = database.connect(database.MEMORY), _group(who), run_of(who)
    author = Author(run, lambda: Moment(at_s * 1000, 5, source, BOOT, 1), bytes)
    with db:
        groups.register(db, "pressing", group)
        place = authoring.say(db, author, Venue(group.id, group.roster.hash, None), observation())
    number, seq = feeds.parted(place)
    encoded = db.execute("SELECT encoded FROM records WHERE place = ?", (place,)).get
    assert seq and number
    return Marks(db).of(record.parse(encoded))


def _group(who: Party) -> Group:
    return group_of(who, party("buyer"))


@pytest.mark.parametrize("source", [ClockSource.NTP, ClockSource.PTP, ClockSource.GNSS])
def test_what_is_written_after_a_certificate_expired_is_late(source: ClockSource) -> None:
    """By the author's own clock, where somebody trustworthy set it; from that second on."""
    assert _said(_expiring(), EXPIRES_S - 1, source) == ()
    assert _said(_expiring(), EXPIRES_S, source) == (LATE,)
    assert _said(party("maker"), EXPIRES_S, source) == ()


def test_a_clock_that_nobody_set_makes_nothing_late() -> None:
    """Neither an unset clock nor a typed time says that anything expired (I4)."""
    for source in set(ClockSource) - {ClockSource.NTP, ClockSource.PTP, ClockSource.GNSS}:
        assert _said(_expiring(), EXPIRES_S + 9, source) == ()
