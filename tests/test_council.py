"""What is decided about groups: foundings and invitations kept, waiting ones the owner's alone."""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.errors import StateDamaged, StateOpen, UnknownInvitation
from gateway.groups import group
from gateway.groups.group import Role
from gateway.records import record
from gateway.records.record import Kind
from gateway.store import acting, authoring, contacts, council, database, groups, state
from gateway.store.authoring import Author, Venue
from gateway.store.council import Waiting
from gateway.store.database import Connection
from tests.histories import addition, known
from tests.people import group_of, moment, roster_of, run_of, seed

ACE, BOLT, SECOND = known("ace"), known("bolt"), known("bolt.2")
WITHIN = roster_of(ACE, BOLT)
GROUP = group_of(ACE, BOLT, chain=(WITHIN,), clear=False)
INVITED = Waiting("ace", "pressing", GROUP)


@pytest.fixture
def db() -> Iterator[Connection]:
    """Give an empty store."""
    made = database.connect(database.MEMORY)
    yield made
    made.close()


def author(run: int = 0) -> Author:
    """Give a run of ace; what it draws is never the same twice."""
    drawn = iter(range(1 << 20))
    return Author(
        run_of(ACE, run), lambda: moment(1), lambda size: seed(f"{run} {next(drawn)}")[:size]
    )


def _file(folder: Path) -> Path:
    return next((folder / "invitations").glob("*.cbor"))


def test_an_invitation_waits_for_its_owner_alone(tmp_path: Path) -> None:
    """Its file holds a group's secret: 0600, refused if others may read it, gone when decided."""
    council.keep_waiting(tmp_path, INVITED)
    council.keep_waiting(tmp_path, INVITED)
    assert council.waiting(tmp_path) == [INVITED]
    assert _file(tmp_path).stat().st_mode & 0o777 == 0o600
    assert council.find_waiting(tmp_path, "pressing") == INVITED
    assert council.find_waiting(tmp_path, GROUP.id.hex()[:4]).group.secret == GROUP.secret
    for wanted in ("", "press", "ffff" + GROUP.id.hex()[4:]):
        with pytest.raises(UnknownInvitation):
            council.find_waiting(tmp_path, wanted)
    _file(tmp_path).chmod(0o640)
    with pytest.raises(StateOpen):
        council.waiting(tmp_path)
    _file(tmp_path).chmod(0o600)
    council.forget_waiting(tmp_path, GROUP.id)
    council.forget_waiting(tmp_path, GROUP.id)
    assert council.waiting(tmp_path) == []


def test_any_damage_of_a_waiting_invitation_is_noticed(tmp_path: Path) -> None:
    """No bit of what was signed, no length and no other document passes for it."""
    council.keep_waiting(tmp_path, INVITED)
    path = _file(tmp_path)
    whole = path.read_bytes()
    where = whole.index(GROUP.encoded) + len(GROUP.encoded) // 2
    flipped = whole[:where] + bytes([whole[where] ^ 1]) + whole[where + 1 :]
    for wrong in (b"", whole[:-1], whole + b"\0", flipped, group.encode_file(GROUP), b"\x83\1\2\3"):
        path.write_bytes(wrong)
        with pytest.raises(StateDamaged):
            council.waiting(tmp_path)


def test_invitations_that_wait_are_bounded(tmp_path: Path) -> None:
    """Whoever invites without end fills no disk, and drives none of those that wait away."""
    for number in range(council.INVITATIONS_MAX + 3):
        issuer = seed(f"organisation {number // council.INVITATIONS_OF_ONE_MAX}")
        node = replace(GROUP.founder.node, issuer=issuer)
        founder = replace(GROUP.founder, node=node)
        other = replace(GROUP, id=seed(f"group {number}"), founder=founder)
        had_room = council.keep_waiting(tmp_path, replace(INVITED, group=other))
        assert had_room == (number < council.INVITATIONS_MAX)
    kept = list((tmp_path / "invitations").glob("*.cbor"))
    assert len(kept) == council.INVITATIONS_MAX
    assert seed("group 0").hex()[:16] in {each.stem[:16] for each in kept}


def test_a_founding_group_is_whole_and_its_founder_opens_its_feed(db: Connection) -> None:
    """Found, join: registered, the founder's genesis is there; who was invited opens none yet."""
    founded = council.found(author(), replace(GROUP.founding, nonce=seed("n")), (WITHIN,))
    assert len(founded.secret) == group.SECRET_BYTES and founded.chain == (WITHIN,)
    with db:
        council.join(db, author(), "pressing", founded)
    assert [each.name for each in groups.registered(db)] == ["pressing"]
    assert db.execute("SELECT count(*) FROM feeds").get == 1
    with db:
        council.join(db, author(1), "other", GROUP)
    assert db.execute("SELECT count(*) FROM feeds").get == 1


def _kinds(db: Connection) -> list[Kind]:
    rows = db.execute("SELECT encoded FROM records ORDER BY place")
    return [record.parse(bytes(encoded)).kind for (encoded,) in rows]


def test_contacts_are_whom_the_records_certify(db: Connection) -> None:
    """Geneses and additions make nodes known; who was brought in and has not come is invited."""
    venue = Venue(GROUP.id, WITHIN.hash, GROUP.encoded)
    with db:
        groups.register(db, "pressing", GROUP)
        authoring.begin(db, author(), venue)
    assert set(contacts.of_group(db, GROUP.id)) == {ACE.node.id}
    assert contacts.invited_by(db, GROUP, ACE.node.id) == {BOLT.node.id}
    with db:
        acting.propose(db, author(2), venue, addition("bolt.2", Role.OBSERVER))
    found = contacts.of_group(db, GROUP.id)
    assert set(found) == {ACE.node.id, SECOND.node.id}
    assert found[SECOND.node.id].encryption.key == SECOND.encryption.public
    # Its addition lacks bolt's word, so it is nobody's to invite yet.
    assert contacts.invited_by(db, GROUP, ACE.node.id) == {BOLT.node.id}
    assert contacts.invited_by(db, GROUP, BOLT.node.id) == set()
    assert Kind.MEMBERSHIP in _kinds(db)


def test_a_gateway_knows_itself_its_contacts_and_members(db: Connection, tmp_path: Path) -> None:
    """Each node once; a party can be any of them."""
    draw = random.Random(1).randbytes
    made = state.create(tmp_path / "s", state.Names("gw", "Alpha"), draw, None, "pass")
    with db:
        groups.register(db, "pressing", GROUP)
        authoring.begin(db, author(), Venue(GROUP.id, WITHIN.hash, GROUP.encoded))
    nodes = [each.node.subject for each in council.known_nodes(db, made)]
    assert nodes == sorted({made.node_id, ACE.node.id})
    newest = council.newest_rosters(db, made)
    assert [len(each.organisations) for each in newest] == [1, 2]
    assert council.chain(db, made, WITHIN) == (WITHIN,)
