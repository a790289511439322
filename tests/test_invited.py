"""Invitations judged: by the newest roster that is known, and in a consortium of any length."""

from collections import Counter
from dataclasses import replace

import pytest

from gateway.errors import MalformedRoster, NotAMember, UnknownOrganisation, UnknownRoster
from gateway.groups import seal
from gateway.groups.group import Group
from gateway.peers import inviting
from gateway.peers.circle import Circle, Me
from gateway.peers.greeting import Greeter
from gateway.peers.inviting import Inviting
from gateway.peers.staging import Staged
from gateway.peers.voice import Voice
from gateway.records import record, roster
from gateway.records.roster import Roster
from gateway.store import database, feeds, groups, membership
from gateway.sync import envelope, message
from gateway.sync.invitation import Invite
from tests.outside import TRIO, Sealed
from tests.people import Party, admitted, group_of, opened, party, roster_of, run_of, seed

ACE, BOLT, COIL = party("ace"), party("bolt"), party("coil")
FIRST = roster_of(ACE, BOLT)
SECOND = admitted(FIRST, COIL, by=(ACE, BOLT))
GROUP = group_of(COIL, BOLT, chain=(FIRST, SECOND))


def _after(before: Roster, without: Party, by: tuple[Party, ...], attempt: int = 0) -> Roster:
    rest = [each for each in before.organisations if each.id != without.root.id]
    payload = roster.compose_next(before, rest, attempt)
    signatures = [roster.sign(each.root, payload) for each in by]
    return roster.decode_next(roster.assemble(payload, signatures), before)


def _invite(within: Group, rosters: tuple[Roster, ...]) -> Invite:
    encoded = tuple(each.encoded for each in rosters)
    return Invite(within.encoded, within.founder, encoded, (), within.secret, "pressing")


def _held(*rosters: Roster) -> dict[bytes, Roster]:
    return {each.hash: each for each in rosters}


def test_who_was_expelled_invites_nobody_by_the_rosters_it_was_in() -> None:
    """Leaving out the roster in which it is no more does not make the founder a member."""
    third = _after(SECOND, COIL, (ACE, BOLT))
    said = _invite(GROUP, (FIRST, SECOND))
    assert inviting.verified(said, _held(FIRST)).organisation == "coil"
    with pytest.raises(UnknownOrganisation):
        inviting.verified(said, _held(FIRST, SECOND, third))


def test_the_rosters_begin_where_those_held_end() -> None:
    """What the invited holds need not be said again; what it does not hold must be."""
    said = _invite(GROUP, (SECOND,))
    found = inviting.verified(said, _held(FIRST)).group
    assert found.chain == (FIRST, SECOND)
    with pytest.raises(MalformedRoster):
        inviting.verified(said, {})
    with pytest.raises(UnknownRoster):
        inviting.verified(_invite(GROUP, (FIRST, SECOND)), _held(roster_of(ACE)))


def test_another_roster_than_the_one_held_is_refused() -> None:
    """Of two rosters with one number, the one that came first stays."""
    third = _after(SECOND, COIL, (ACE, BOLT))
    other = _after(SECOND, COIL, (ACE, BOLT), attempt=1)
    said = _invite(replace(GROUP), (FIRST, SECOND, other))
    with pytest.raises(MalformedRoster):
        inviting.verified(said, _held(FIRST, SECOND, third))


def test_a_consortium_of_many_invites_all_the_same() -> None:
    """Where not all rosters fit into a message, the newest are said, and one more is never lost."""
    many = [party(f"organisation number {number}") for number in range(28)]
    chain = [roster_of(many[0])]
    for number in range(1, len(many)):
        signers = tuple(many[: roster.quorum(number)])
        chain.append(admitted(chain[-1], many[number], by=signers))
    within = group_of(many[0], many[-1], chain=tuple(chain))
    db = database.connect(database.MEMORY)
    with db:
        groups.register(db, "many", within)
    me = Me(run_of(many[0]), (many[0].encryption,))
    circle = Circle(me, [within], db)
    voice = Voice(me, circle.all_rosters, lambda size: b"\x01" * size)
    (outgoing,) = Inviting(circle, voice, db, Counter()).take(0)
    sealed = envelope.decode(outgoing.payload)
    said = message.decode(seal.open_sealed(many[-1].encryption, sealed.content))
    assert isinstance(said, Invite)
    assert 1 < len(said.rosters) < len(chain)
    assert inviting.verified(said, _held(*chain[:20])).group.chain == tuple(chain)


def test_who_was_added_a_moment_ago_is_invited_a_moment_later() -> None:
    """Between the commit that adds a member and a look at it, the others are invited."""
    counts = Counter[str]()
    db = database.connect(database.MEMORY)
    within = group_of(ACE, BOLT, COIL)
    with db:
        groups.register(db, "pressing", within)
        db.execute("DELETE FROM members WHERE node = ?", (COIL.node.id,))
    me = Me(run_of(ACE), (ACE.encryption,))
    circle = Circle(me, [within], db)
    with db:
        membership.refold(db, within.id)
    voice = Voice(me, circle.all_rosters, lambda size: b"\x01" * size)
    said = Inviting(circle, voice, db, counts).take(0)
    assert (len(said), counts) == (1, Counter({NotAMember.code: 1}))


def _greeter(who: Party, secret: bytes) -> tuple[Greeter, Circle, Counter[str]]:
    """Give who listens for a gateway that follows the group under a secret, and what it counts."""
    counts = Counter[str]()
    db = database.connect(database.MEMORY)
    with db:
        groups.register(db, "pressing", GROUP)
    me = Me(run_of(who), (who.encryption,))
    circle = Circle(me, [replace(GROUP, secret=secret)], db)
    return Greeter(circle, Voice(me, circle.all_rosters, bytes), db, counts), circle, counts


def _offered(greeter: Greeter, circle: Circle, secret: bytes) -> bytes | None:
    """Hear an invitation with a secret; give the secret that is offered to whoever decides."""
    said = _invite(replace(GROUP, secret=secret), (FIRST, SECOND))
    staged = Staged(greeter._read, circle, greeter._counts)
    greeter.sealed(message.encode(said), 0, staged)
    found = greeter.invitations.pop(GROUP.id, None)
    return None if found is None else found.group.secret


def test_another_secret_is_offered_until_somebody_is_heard_under_the_one_there_is() -> None:
    """Nobody signs an INVITE: a made-up one keeps nobody from the true one that follows."""
    greeter, circle, counts = _greeter(BOLT, seed("made up"))
    assert _offered(greeter, circle, seed("made up")) is None
    assert _offered(greeter, circle, GROUP.secret) == GROUP.secret
    (present,) = circle.groups.values()
    circle.me.heard.add(present.tag)
    assert _offered(greeter, circle, GROUP.secret) is None
    assert counts == {"sync.repeated": 2}


def test_who_holds_a_record_or_founded_the_group_is_offered_no_other_secret() -> None:
    """A record of another member shows that the secret is right, in every later run too."""
    greeter, circle, _ = _greeter(COIL, GROUP.secret)
    assert _offered(greeter, circle, seed("made up")) is None
    greeter, circle, counts = _greeter(BOLT, GROUP.secret)
    assert _offered(greeter, circle, seed("made up")) == seed("made up")
    genesis = opened(run_of(COIL), GROUP)
    with greeter._read as db:
        feeds.append(db, record.parse(genesis.encoded), genesis.body, genesis.feed)
    assert _offered(greeter, circle, seed("made up")) is None
    assert counts == {"sync.repeated": 1}


def test_a_member_that_speaks_in_a_session_is_heard_under_the_secret() -> None:
    """It is so on both sides as soon as they converse, and before that of nobody."""
    world = Sealed()
    world.converse()
    for gateway in (world.maker, world.buyer):
        assert TRIO.tag in gateway.exchange._me.heard
    assert Me(run_of(ACE), ()).heard == set()
