"""Rosters, contacts and votes in the state directory: kept whole, verified again, never back."""

import random
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import pytest

from gateway.errors import (
    ForkedRoster,
    RosterSigned,
    StateDamaged,
    StateError,
    StateOpen,
    UnknownOrganisation,
    UnknownRoster,
    WrongIssuer,
)
from gateway.records import identity, roster
from gateway.records.cose import SigningKey
from gateway.store import consortium, state
from gateway.store.state import Contact, Names, State
from tests.people import Party, party, seed
from tests.vectors.build_succession import (
    FOUNDED,
    FOUR,
    NEWCOMER,
    ONE,
    QUORUM,
    ROWS,
    SECOND,
    WITH_NEWCOMER,
    follow,
    signed,
)

PASSPHRASE = "correct horse battery staple"
THIRD = follow(SECOND, ROWS, *QUORUM, FOUR[3].root)
OTHER_SECOND = follow(FOUNDED, ROWS[:3], *QUORUM)


@pytest.fixture
def held(tmp_path: Path) -> State:
    """Give a gateway that holds three rosters of a consortium."""
    draw = random.Random(1).randbytes
    state.create(tmp_path / "state", Names("press-shop", "Alpha"), draw, None, PASSPHRASE)
    for each in (FOUNDED, SECOND, THIRD):
        state.keep_roster(tmp_path / "state", each)
    return state.load(tmp_path / "state")


def _contact(who: Party) -> Contact:
    node = identity.decode(who.node_certificate, "node")
    return Contact(node, identity.decode(who.encryption_certificate, "encryption"))


def test_a_chain_is_held_and_its_newest_known(held: State) -> None:
    """Every roster is there by its hash, the own one too, and the highest number is the newest."""
    assert set(held.rosters) == {each.hash for each in (FOUNDED, SECOND, THIRD, held.roster)}
    assert held.newest(FOUNDED.hash) == THIRD
    assert held.newest(held.roster.hash) == held.roster
    assert held.chain(FOUNDED.hash) == (FOUNDED, SECOND, THIRD)
    with pytest.raises(UnknownRoster):
        held.newest(bytes(32))


def test_nobody_goes_back_a_number(held: State) -> None:
    """Another roster of a number that is held is refused as a fork; the same again is nothing."""
    with pytest.raises(ForkedRoster):
        state.keep_roster(held.path, OTHER_SECOND)
    state.keep_roster(held.path, FOUNDED)
    state.keep_roster(held.path, THIRD)
    assert state.load(held.path).rosters == held.rosters


def test_a_roster_without_the_one_before_it_is_not_kept(tmp_path: Path, held: State) -> None:
    """A chain grows by one number at a time, from number 0 on."""
    state.create_organisation(tmp_path / "b", "B", random.Random(2).randbytes, PASSPHRASE)
    with pytest.raises(UnknownRoster):
        state.keep_roster(tmp_path / "b", SECOND)
    assert not (tmp_path / "b" / "rosters").exists()


def test_the_own_consortium_may_grow(held: State, tmp_path: Path) -> None:
    """Rosters after the organisation's own number 0 are a chain with it."""
    root = state.root_key(held.path, PASSPHRASE)
    rows = [*held.roster.organisations, NEWCOMER.organisation]
    grown = follow(held.roster, tuple(rows), root, NEWCOMER.root)
    state.keep_roster(held.path, grown)
    assert state.load(held.path).newest(held.roster.hash) == grown
    assert state.load(held.path).roster == held.roster


def test_any_damage_of_a_chain_is_noticed(held: State) -> None:
    """A roster changed in one bit, cut short, gone, or under another's name stops the start."""
    folder = held.path / "rosters"
    paths = sorted(folder.glob("*.cbor"))
    assert len(paths) == 3
    for path in paths:
        whole = path.read_bytes()
        for at in range(0, len(whole), 41):
            path.write_bytes(whole[:at] + bytes((whole[at] ^ 16,)) + whole[at + 1 :])
            with pytest.raises(StateError):
                state.load(held.path)
        path.write_bytes(whole[:-1])
        with pytest.raises(StateDamaged):
            state.load(held.path)
        path.write_bytes(whole)
    middle = paths[1].read_bytes()
    for wrong in (paths[0], paths[2], folder / "0000000000000000-1.cbor", folder / "x.cbor"):
        was = wrong.read_bytes() if wrong.exists() else None
        wrong.touch(0o600)
        wrong.write_bytes(middle)
        with pytest.raises(StateDamaged):
            state.load(held.path)
        wrong.unlink() if was is None else wrong.write_bytes(was)
    paths[1].unlink()
    with pytest.raises(StateDamaged) as fault:
        state.load(held.path)
    assert "does not follow" in str(fault.value)


def test_what_is_kept_is_the_owners_alone(held: State) -> None:
    """Rosters, contacts and votes are 0600 in folders of 0700, and refused where they are not."""
    state.keep_contact(held.path, _contact(ONE))
    root = state.root_key(held.path, PASSPHRASE)
    rows = [*held.roster.organisations, NEWCOMER.organisation]
    payload = roster.compose_next(held.roster, rows)
    consortium.sign_roster(held.path, root, payload, held.roster, ())
    names = ("rosters", "contacts")
    assert {(held.path / name).stat().st_mode & 0o777 for name in names} == {0o700}
    files = [path for path in held.path.rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    for path in (*held.path.glob("rosters/*"), *held.path.glob("contacts/*")):
        path.chmod(0o644)
        with pytest.raises(StateOpen):
            state.load(held.path)
        path.chmod(0o600)


def test_contacts_are_those_that_a_roster_vouches_for(held: State) -> None:
    """A contact is had again after a restart; a stranger's, or a false one, is never kept."""
    state.keep_contact(held.path, _contact(ONE))
    assert state.load(held.path).contacts == {ONE.node.id: _contact(ONE)}
    with pytest.raises(UnknownOrganisation):
        state.keep_contact(held.path, _contact(party("stranger")))
    mixed = replace(_contact(ONE), encryption=_contact(NEWCOMER).encryption)
    with pytest.raises(WrongIssuer):
        state.keep_contact(held.path, mixed)
    assert list(state.load(held.path).contacts) == [ONE.node.id]


def test_a_damaged_contact_is_noticed(held: State) -> None:
    """A contact cut short, changed, or under another node's name stops the start."""
    state.keep_contact(held.path, _contact(ONE))
    path = next((held.path / "contacts").iterdir())
    whole = path.read_bytes()
    for wrong in (whole[:-1], whole[:-1] + bytes((whole[-1] ^ 1,)), b""):
        path.write_bytes(wrong)
        with pytest.raises(StateDamaged):
            state.load(held.path)
    path.write_bytes(whole)
    path.rename(path.with_name(f"{NEWCOMER.node.id.hex()}.cbor"))
    with pytest.raises(StateDamaged):
        state.load(held.path)


def test_a_root_signs_once_even_after_a_restart(held: State) -> None:
    """What was signed is remembered on the disk: the same is signed again, and no other."""
    first, other = (roster.compose_next(FOUNDED, rows) for rows in (WITH_NEWCOMER, ROWS[:3]))
    signature = consortium.sign_roster(held.path, ONE.root, first, FOUNDED, ())
    assert consortium.sign_roster(held.path, ONE.root, first, FOUNDED, ()) == signature
    with pytest.raises(RosterSigned):
        consortium.sign_roster(held.path, ONE.root, other, FOUNDED, ())
    assert [vote.hash for vote in consortium.votes(held.path, FOUNDED.hash)] == [
        roster.roster_hash(first)
    ]
    assert consortium.votes(held.path, bytes(32)) == ()
    later = roster.compose_next(FOUNDED, ROWS[:3], 1)
    split = (signed(first, *QUORUM[:2]), signed(other, FOUR[2].root, FOUR[3].root))
    with pytest.raises(RosterSigned):
        consortium.sign_roster(held.path, ONE.root, later, FOUNDED, ())
    consortium.sign_roster(held.path, ONE.root, later, FOUNDED, split)
    assert consortium.sign_roster(held.path, ONE.root, first, FOUNDED, ()) == signature
    consortium.sign_roster(held.path, ONE.root, roster.compose_next(SECOND, ROWS), SECOND, ())
    again = roster.compose_next(FOUNDED, ROWS[1:], 1)
    with pytest.raises(RosterSigned):
        consortium.sign_roster(held.path, ONE.root, again, FOUNDED, split)


def test_a_damaged_memory_signs_nothing(held: State) -> None:
    """A root that cannot know what it signed does not sign."""
    payload = roster.compose_next(FOUNDED, WITH_NEWCOMER)
    consortium.sign_roster(held.path, ONE.root, payload, FOUNDED, ())
    path = held.path / "organisation" / "signed.cbor"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(StateDamaged):
        consortium.sign_roster(held.path, ONE.root, payload, FOUNDED, ())


def sign_one(path: str, admits: bool) -> bool:
    """Sign one of two rosters, in a process of its own; say whether it was signed."""
    payload = roster.compose_next(FOUNDED, WITH_NEWCOMER if admits else ROWS[:3])
    try:
        consortium.sign_roster(Path(path), SigningKey(seed("maker root")), payload, FOUNDED, ())
    except RosterSigned:
        return False
    return True


def test_two_who_sign_at_once_never_sign_two(held: State) -> None:
    """Of two processes that sign different rosters of one number at once, one is refused."""
    asked = [(str(held.path), bool(number % 2)) for number in range(8)]
    with get_context("spawn").Pool(2) as pool:
        signed_by = pool.starmap(sign_one, asked, chunksize=1)
    admitted = {admits for (_, admits), done in zip(asked, signed_by, strict=True) if done}
    assert len(admitted) == 1
    assert len(consortium.votes(held.path, FOUNDED.hash)) == 1


def keep_one(path: str, admits: bool) -> bool:
    """Keep one of two rosters with one number, in a process of its own; say whether it is held."""
    try:
        state.keep_roster(Path(path), SECOND if admits else OTHER_SECOND)
    except ForkedRoster:
        return False
    return True


def test_two_who_keep_at_once_never_keep_two(tmp_path: Path) -> None:
    """Of two rosters with one number that come at once, the first stays and the other is a fork."""
    path = tmp_path / "state"
    state.create_organisation(path, "Alpha", random.Random(1).randbytes, PASSPHRASE)
    state.keep_roster(path, FOUNDED)
    asked = [(str(path), bool(number % 2)) for number in range(8)]
    with get_context("spawn").Pool(2) as pool:
        kept = pool.starmap(keep_one, asked, chunksize=1)
    assert len({admits for (_, admits), done in zip(asked, kept, strict=True) if done}) == 1
    assert len(consortium.chain(consortium.load_rosters(path), FOUNDED.hash)) == 2
