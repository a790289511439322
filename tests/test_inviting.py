"""Invitations to groups: said until they are followed, and believed only under known rosters."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest

from gateway.errors import AuthorError, GatewayError, MalformedFounding, UnknownRoster
from gateway.groups import seal
from gateway.peers import inviting, wire
from gateway.peers.circle import Circle, Me
from gateway.peers.inviting import PACE, Inviting
from gateway.peers.voice import Voice
from gateway.records import roster
from gateway.sync import envelope, message
from gateway.sync.invitation import Invite
from tests.histories import known
from tests.people import Party, group_of, roster_of, seed
from tests.sealed import Gateway

ACE, BOLT, COIL = known("ace"), known("bolt"), known("coil")
WITHIN = roster_of(ACE, BOLT, COIL)
HELD = {WITHIN.hash: WITHIN}
FOREIGN = roster_of(COIL)
GROUP = group_of(ACE, BOLT, COIL, chain=(WITHIN,), clear=False)


def inviter(of: Gateway) -> Inviting:
    """Give who invites, over a member's store."""
    me = Me(of.run, (of.who.encryption,))
    circle = Circle(me, [GROUP], of.db)
    voice = Voice(me, circle.all_rosters, lambda size: seed("chance")[:size])
    return Inviting(circle, voice, of.db, Counter())


def test_invitations_are_repeated_with_patience_until_the_invited_comes() -> None:
    """At once, then ever more seldom, to each that has opened no feed; not to who has."""
    ace, bolt = Gateway(ACE, GROUP), Gateway(BOLT, GROUP)
    ace.strokes(1)
    asks = inviter(ace)
    assert asks.due_ms() == 0
    said = asks.take(0)
    assert {each.topic for each in said} == {wire.to_node(who.node.id) for who in (BOLT, COIL)}
    moments, now_ms = [0], 0
    for _ in range(8):
        now_ms = asks.due_ms()
        assert asks.take(now_ms - 1) == [] and len(asks.take(now_ms)) == 2
        moments.append(now_ms)
    waits = [after - before for before, after in pairwise(moments)]
    assert waits == sorted(waits) and waits[-1] <= PACE.longest_ms and waits[0] < waits[-1]
    bolt.strokes(1)
    ace.hear(bolt)
    now_ms = asks.due_ms()
    left = asks.take(now_ms)
    assert [each.topic for each in left] == [wire.to_node(COIL.node.id)]
    assert asks.waiting(GROUP.id) == [COIL.node.id]
    asks.hurry()
    assert asks.due_ms() == 0


def test_a_member_that_brought_nobody_invites_nobody() -> None:
    """Only who founded or added asks: else each would be asked by all."""
    bolt = Gateway(BOLT, GROUP)
    bolt.strokes(1)
    assert inviter(bolt).take(0) == []


def heard(who: Party) -> Invite:
    """Give an invitation as the invited opens it."""
    ace = Gateway(ACE, GROUP)
    ace.strokes(1)
    (sealed,) = (
        envelope.decode(each.payload)
        for each in inviter(ace).take(0)
        if each.topic == wire.to_node(who.node.id)
    )
    said = message.decode(seal.open_sealed(who.encryption, sealed.content))
    assert isinstance(said, Invite)
    return said


def test_an_invitation_holds_all_that_a_member_needs() -> None:
    """Group, secret, name and who invites; of members it says nothing: those come by sync."""
    said = heard(BOLT)
    found = inviting.verified(said, HELD)
    assert (found.group, found.group.secret) == (GROUP, GROUP.secret)
    assert (found.name, found.organisation) == ("pressing", "ace")
    assert said.membership == ()


def test_an_invitation_is_judged_before_it_is_kept() -> None:
    """Of a foreign consortium, by an organisation that is gone, or damaged: refused."""
    said = heard(BOLT)
    with pytest.raises(UnknownRoster):
        inviting.verified(said, {FOREIGN.hash: FOREIGN})
    other = group_of(ACE, BOLT, chain=(roster_of(ACE, BOLT),), clear=False)
    with pytest.raises(UnknownRoster):
        inviting.verified(replace(said, founding=other.encoded), HELD)
    with pytest.raises(MalformedFounding):
        inviting.verified(replace(said, founding=b""), HELD)
    for at in range(0, len(said.founding), 97):
        wrong = bytearray(said.founding)
        wrong[at] ^= 1
        with pytest.raises(GatewayError):
            inviting.verified(replace(said, founding=bytes(wrong)), HELD)


def test_an_invitation_by_who_was_expelled_is_refused() -> None:
    """Its founding verifies under an older roster, and its organisation is in no newer one."""
    payload = roster.compose_next(WITHIN, [BOLT.organisation, COIL.organisation])
    signed = [roster.sign(each.root, payload) for each in (ACE, BOLT, COIL)]
    later = roster.decode_next(roster.assemble(payload, signed), WITHIN)
    said = heard(BOLT)
    newer = replace(said, rosters=(*said.rosters, later.encoded))
    with pytest.raises(AuthorError):
        inviting.verified(newer, HELD)
