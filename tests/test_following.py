"""Rosters that peers know and this node does not: asked for by hash, taken in their order."""

from itertools import permutations

from gateway.peers.circle import Me
from gateway.peers.relation import Relation
from gateway.peers.succession import LACKING_MAX, Succession
from gateway.peers.voice import Voice
from gateway.records import roster
from gateway.records.roster import Roster
from gateway.sync import message
from gateway.sync.message import Hello
from tests.histories import known
from tests.people import admitted, group_of, roster_of, run_of, seed

ACE, BOLT, COIL = known("ace"), known("bolt"), known("coil")
FIRST = roster_of(ACE)
SECOND = admitted(FIRST, BOLT, by=(ACE,))
THIRD = admitted(SECOND, COIL, by=(ACE, BOLT))
FOURTH = admitted(THIRD, known("dyne"), by=(ACE, BOLT, COIL))
LATER = (SECOND, THIRD, FOURTH)
FOREIGN = admitted(roster_of(BOLT), COIL, by=(BOLT,))


def held(*rosters: Roster) -> dict[bytes, Roster]:
    """Give rosters by their hash."""
    return {each.hash: each for each in rosters}


def test_rosters_follow_in_any_order_of_arrival() -> None:
    """Whatever comes first, what follows what is held is given in order, each once."""
    for order in permutations(LATER):
        asking, known_here = Succession(), held(FIRST)
        lacking = asking.lacking([each.hash for each in (*LATER, FIRST)], known_here)
        assert set(lacking) == {each.hash for each in LATER}
        found: list[Roster] = []
        for each in order:
            found += asking.take(each.hash, each.encoded, {**known_here, **held(*found)})
        assert found == list(LATER)
        for each in LATER:
            assert asking.take(each.hash, each.encoded, held(FIRST, *found)) == []


def test_what_was_not_asked_for_is_not_taken() -> None:
    """Nor under a name that another roster has."""
    asking = Succession()
    assert asking.take(SECOND.hash, SECOND.encoded, held(FIRST)) == []
    asking.lacking([SECOND.hash, THIRD.hash], held(FIRST))
    assert asking.take(THIRD.hash, SECOND.encoded, held(FIRST)) == []
    assert asking.take(SECOND.hash, SECOND.encoded, held(FIRST)) == [SECOND]


def test_forged_rosters_are_not_taken_and_bar_no_good_one() -> None:
    """One bit, too few signatures, bytes that are none: the good one, when it comes, is taken."""
    payload = roster.compose_next(SECOND, [ACE.organisation, COIL.organisation])
    too_few = roster.assemble(payload, [roster.sign(ACE.root, payload)])
    flipped = bytearray(SECOND.encoded)
    flipped[len(flipped) // 2] ^= 1
    signed, signatures = roster.take_apart(THIRD.encoded)
    barely = roster.assemble(signed, signatures[:1])  # its name is right, and it proves nothing
    asking = Succession()
    asking.lacking([THIRD.hash], held(FIRST, SECOND))
    assert asking.take(THIRD.hash, barely, held(FIRST, SECOND)) == []
    assert asking.take(THIRD.hash, THIRD.encoded, held(FIRST, SECOND)) == [THIRD]
    for wrong in (bytes(flipped), too_few, b"", FOREIGN.encoded):
        asking = Succession()
        asking.lacking([SECOND.hash], held(FIRST))
        assert asking.take(SECOND.hash, wrong, held(FIRST)) == []
        assert asking.take(SECOND.hash, SECOND.encoded, held(FIRST)) == [SECOND]


def test_rosters_of_a_foreign_consortium_follow_nothing() -> None:
    """They are asked for, since a hash does not say whose it is, and never believed."""
    asking = Succession()
    asking.lacking([FOREIGN.hash], held(FIRST))
    assert asking.take(FOREIGN.hash, FOREIGN.encoded, held(FIRST)) == []


def test_what_is_asked_for_is_bounded() -> None:
    """A peer that knows ten thousand rosters of nobody costs no more than sixty-four names."""
    asking = Succession()
    for start in range(0, 10_000, 1_000):
        names = [seed(f"roster {number}") for number in range(start, start + 1_000)]
        lacking = asking.lacking(names, held(FIRST))
        assert len(lacking) <= LACKING_MAX
        for name in lacking:
            asking.take(name, FOREIGN.encoded, held(FIRST))
        assert len(asking._asked) <= LACKING_MAX >= len(asking._came)
    asking.lacking([SECOND.hash], held(FIRST))
    assert asking.take(SECOND.hash, SECOND.encoded, held(FIRST)) == [SECOND]


def test_a_greeting_names_the_newest_rosters() -> None:
    """However long the chain, who is less than 64 rosters behind learns all that it lacks."""
    chain = [FIRST, SECOND]
    for _ in range(LACKING_MAX + 6):
        chain.append(admitted(chain[-1], by=(ACE, BOLT)))
    me = Me(run_of(ACE), (ACE.encryption,))
    voice = Voice(me, lambda: held(*chain, FOREIGN), bytes)
    shared = group_of(ACE, BOLT, chain=(FIRST, SECOND))
    said = message.decode(voice.new_hello(Relation(BOLT.node.id, "bolt", b"", (shared,))))
    assert isinstance(said, Hello)
    assert set(said.rosters) == {each.hash for each in chain[-LACKING_MAX:]}
    asking, known_here = Succession(), held(*chain[:-LACKING_MAX])
    by_name = held(*chain)
    for name in asking.lacking(said.rosters, known_here):
        known_here |= held(*asking.take(name, by_name[name].encoded, known_here))
    assert known_here == by_name
