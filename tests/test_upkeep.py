"""Upkeep: what a gateway does for its groups by itself, on real stores and state directories."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest

from gateway.cli import running
from gateway.config import Accept
from gateway.errors import AskedWrongly
from gateway.groups.group import Group, Role
from gateway.groups.parties import Contact
from gateway.records import identity, record
from gateway.records.cose import SigningKey
from gateway.records.identity import EncryptionKey, Named
from gateway.records.record import Kind
from gateway.store import consortium, contacts, council, groups, membership, pairing, persons, state
from tests.keeping import Keeper, follow, know
from tests.people import seed

Make = Callable[..., Keeper]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Make gateways that end with the test."""
    made: list[Keeper] = []

    def one(name: str, *accept: Accept) -> Keeper:
        made.append(Keeper(tmp_path, name, accept))
        return made[-1]

    yield one
    for each in made:
        each.stop()


def _pair(ace: Keeper, *others: Keeper) -> None:
    """Have ace's consortium of one admit the others."""
    first = ace.held.roster
    after = follow(first, [ace.row, *(each.row for each in others)], ace, *others)
    know(ace, *others, rosters=[first, after])


def _sister(ace: Keeper, name: str) -> Contact:
    """Give another gateway of the same organisation."""
    root, key = state.root_key(ace.path, "pass"), SigningKey(seed(f"{name} node"))
    sealing = EncryptionKey(seed(f"{name} encryption"))
    return Contact(
        identity.decode(
            identity.issue_node(root, (root.id, key.id), key.public, 1, Named(name)), "node"
        ),
        identity.decode(identity.issue_encryption(key, key.id, sealing.public), "encryption"),
    )


def _kinds(keeper: Keeper, group: Group) -> list[Kind]:
    rows = keeper.read.execute(
        "SELECT r.encoded FROM records r JOIN feeds f ON f.number = r.place >> 32"
        " JOIN groups g ON g.number = f.in_group WHERE g.id = ? ORDER BY r.place",
        (group.id,),
    )
    return [record.parse(bytes(encoded)).kind for (encoded,) in rows]


def test_rosters_are_learnt_while_it_runs(make: Make) -> None:
    """What pairing leaves in files is in the store at the next turn, and groups go by it."""
    ace, bolt = make("ace"), make("bolt")
    ace.upkeep.once()
    assert ace.told["met"] == 1 and ace.groups == {}  # its own roster; alone it founds nothing
    _pair(ace, bolt)
    ace.upkeep.once()
    own = ace.groups["consortium"]
    assert set(groups.rosters(ace.read)) == set(ace.held.rosters)
    assert ace.told["met"] == 2
    third = follow(ace.held.newest(own.founding.consortium), [ace.row, bolt.row], ace, bolt)
    consortium.keep_roster(ace.path, third)
    ace.upkeep.once()
    ace.upkeep.once()
    assert membership.newest_roster(ace.read, own.id) == third.hash
    assert ace.told["met"] == 3


def test_a_consortiums_own_group_is_founded_once_by_who_began_it(make: Make) -> None:
    """The first organisation founds it, clear, and adds whom it knows; the others wait for it."""
    ace, bolt = make("ace"), make("bolt")
    _pair(ace, bolt)
    for _ in range(3):
        bolt.upkeep.once()
        ace.upkeep.once()
    assert bolt.groups == {} and list(ace.groups) == ["consortium"]
    own = ace.groups["consortium"]
    assert own.founding.clear and council.is_consortiums_own(own)
    assert ace.members("consortium") == {ace.node, bolt.node}
    assert contacts.invited_by(ace.read, own, ace.node) == {bolt.node}
    before = ace.records()
    ace.stop()
    ace.start()
    ace.upkeep.once()
    assert list(ace.groups) == ["consortium"] and ace.records() == before


def test_a_gateway_with_a_sister_waits_before_it_founds(make: Make) -> None:
    """Another of its organisation may have founded the group; the smaller id founds it at last."""
    ace, bolt = make("ace"), make("bolt")
    _pair(ace, bolt)
    sisters = [_sister(ace, f"sister {number}") for number in range(20)]
    larger = next(each for each in sisters if each.node.subject > ace.node)
    consortium.keep_contact(ace.path, larger)
    for _ in range(30):
        ace.upkeep.once()
        assert ace.groups == {}
    ace.upkeep.once()
    assert list(ace.groups) == ["consortium"]
    ace.upkeep.once()
    assert ace.members("consortium") == {ace.node, bolt.node, larger.node.subject}


def test_invitations_are_followed_as_the_config_allows(make: Make) -> None:
    """The consortium's own group is; another only from whom and for what the config names."""
    ace = make("ace")
    bolt = make("bolt", Accept(organisation="ac*", purposes=("press*",)))
    _pair(ace, bolt)
    ace.upkeep.once()
    ace.upkeep.once()
    ask = {"act": "group.create", "parties": [{"who": "bolt", "roles": ["receiver"]}]}
    for purpose in ("pressing", "milling", "a/b"):
        ace.acts.do({**ask, "group": purpose.replace("/", " "), "purpose": purpose})
    bolt.upkeep.once()
    for name in ("consortium", "pressing", "milling", "a b"):
        bolt.invited(ace, name)
    bolt.upkeep.once()
    assert set(bolt.groups) == {"consortium", "pressing"}
    assert {each.name for each in council.waiting(bolt.path)} == {"milling", "a/b"}
    accepted = bolt.acts.do({"act": "group.accept", "invitation": "a/b"})
    assert (accepted["group"], accepted["organisation"]) == ("a-b", "ace")  # a name for a file
    assert [each.name for each in council.waiting(bolt.path)] == ["milling"]
    bolt.upkeep.once()
    assert _kinds(bolt, bolt.groups["pressing"])[:1] == [Kind.GENESIS]  # so it accepts
    assert _kinds(bolt, bolt.groups["consortium"]) == []  # its addition is not heard yet
    bolt.hear(ace, bolt.groups["consortium"].id)
    bolt.upkeep.once()
    assert _kinds(bolt, bolt.groups["consortium"]).count(Kind.GENESIS) == 2


def test_nobody_gets_others_into_a_group_by_its_purpose(make: Make) -> None:
    """A clear group called the consortium's, by who was admitted later, waits for a person."""
    ace, bolt = make("ace"), make("bolt")
    _pair(ace, bolt)
    bolt.upkeep.once()
    ask = {"act": "group.create", "group": "trap", "purpose": "consortium", "clear": True}
    bolt.acts.do({**ask, "parties": [{"who": "ace", "roles": ["receiver"]}]})
    ace.upkeep.once()
    ace.invited(bolt, "trap")
    ace.upkeep.once()
    assert list(ace.groups) == ["consortium"]
    assert [each.organisation for each in council.waiting(ace.path)] == ["bolt"]
    asked = bolt.groups.values()
    assert council.own_of(asked, ace.held.newest(ace.held.roster.hash)) is None


def test_who_is_expelled_is_removed_from_every_group(make: Make) -> None:
    """By the roster that expels it, also where it leaves one organisation alone."""
    ace, bolt = make("ace"), make("bolt")
    _pair(ace, bolt)
    ace.upkeep.once()
    ask = {"act": "group.create", "group": "pressing", "purpose": "pressing"}
    ace.acts.do({**ask, "parties": [{"who": "bolt", "roles": ["supervisor"]}]})
    held = ace.held
    after = follow(held.newest(held.roster.hash), [ace.row], ace, bolt)
    consortium.keep_roster(ace.path, after)
    ace.upkeep.once()
    assert ace.members("pressing") == ace.members("consortium") == {ace.node}
    ace.upkeep.once()  # what a change of members asks for is announced
    before = ace.records()
    ace.upkeep.once()
    assert ace.records() == before


def test_a_revoked_node_is_told_of_and_removed(make: Make) -> None:
    """Once, in the consortium's group; from every group, by its organisation or by who hears it."""
    ace, bolt = make("ace"), make("bolt", Accept(organisation="*"))
    _pair(ace, bolt)
    sister = _sister(ace, "sister")
    for each in (ace, bolt):
        consortium.keep_contact(each.path, sister)
    for _ in range(32):
        ace.upkeep.once()
    if "consortium" not in ace.groups:  # the sister has the smaller id
        pytest.fail("choose another name for the sister")
    bolt.upkeep.once()
    wanted = [{"who": who, "roles": ["receiver"]} for who in ("ace", "sister")]
    bolt.acts.do(
        {"act": "group.create", "group": "milling", "purpose": "milling", "parties": wanted}
    )
    bolt.invited(ace, "consortium")
    bolt.upkeep.once()
    root = state.root_key(ace.path, "pass")
    barred = identity.issue_revocation(root, (root.id, sister.node.subject), 1)
    pairing.keep_revocation(ace.path, barred)
    for _ in range(3):
        ace.upkeep.once()
    own = ace.groups["consortium"]
    assert _kinds(ace, own).count(Kind.REVOCATION) == 1
    assert ace.members("consortium") == {ace.node, bolt.node}
    assert bolt.members("milling") == {ace.node, bolt.node, sister.node.subject}
    bolt.hear(ace, own.id)
    for _ in range(2):
        bolt.upkeep.once()
    assert bolt.members("milling") == {ace.node, bolt.node}
    assert _kinds(bolt, bolt.groups["milling"]).count(Kind.MEMBERSHIP) == 1
    told = bolt.told["changed"]
    bolt.upkeep.once()
    assert bolt.told["changed"] == told


def test_a_revoked_person_is_told_of(make: Make) -> None:
    """Whom an organisation bars is known to its own gateway at once, to others by a record."""
    ace, bolt = make("ace"), make("bolt", Accept(organisation="*"))
    root, key = state.root_key(ace.path, "pass"), SigningKey(seed("ann person"))
    ids, named = (root.id, key.id), Named("ann")
    certified = identity.issue_person(root, ids, key.public, 1, named)
    for each in (certified, identity.issue_revocation(root, ids, 1)):
        kind: Literal["person", "revocation"] = "person" if each == certified else "revocation"
        persons.keep(ace.path, identity.decode(each, kind))
    ace.upkeep.once()
    assert groups.revoked(ace.read) == {ids: 1}
    _pair(ace, bolt)
    for _ in range(3):
        ace.upkeep.once()
    own = bolt.invited(ace, "consortium")
    bolt.upkeep.once()
    bolt.hear(ace, own.id)
    assert groups.revoked(bolt.read) == {ids: 1}
    assert _kinds(ace, own).count(Kind.REVOCATION) == 1


def test_keys_owed_after_a_full_disk_are_shown_and_announced_later(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change of members asks for new keys; while the disk is full they are owed, then made."""
    ace, bolt, coil = make("ace"), make("bolt"), make("coil")
    _pair(ace, bolt, coil)
    for number in range(40):  # so many that to announce to them needs more than a page
        consortium.keep_contact(ace.path, _sister(ace, f"sister {number}"))
    parties = [{"who": who, "roles": ["receiver"]} for who in ("ace", "bolt", "coil")]
    ace.acts.do(
        {"act": "group.create", "group": "pressing", "purpose": "pressing", "parties": parties}
    )
    ace.upkeep.once()
    ace.acts.do({"act": "group.remove", "group": "pressing", "who": "coil"})
    pressing = ace.groups["pressing"]
    before = _kinds(ace, pressing).count(Kind.ANNOUNCEMENT)
    ace.writer.submit(lambda db: db.pragma("max_page_count", 1) and None).result()
    ace.upkeep.once()
    assert "pressing" in ace.upkeep.owed
    row = {"name": "pressing", "members": 42, "rotation": ace.upkeep.owed["pressing"]}
    monkeypatch.setenv("HULIAN_LANG", "en")
    assert running._grouped(row) == "42 member(s), new keys are owed, and tried again"
    monkeypatch.setenv("HULIAN_LANG", "zh")
    assert running._grouped(row) == "42 个成员, 尚欠新密钥，正在重试"
    assert _kinds(ace, pressing).count(Kind.ANNOUNCEMENT) == before
    ace.writer.submit(lambda db: db.pragma("max_page_count", 1 << 20) and None).result()
    ace.upkeep.once()
    assert ace.upkeep.owed == {}
    assert _kinds(ace, pressing).count(Kind.ANNOUNCEMENT) == before + 1
    assert _kinds(ace, pressing)[-1] is Kind.ANNOUNCEMENT


def test_a_group_is_founded_with_who_must_receipt_and_whose_witnesses_count(make: Make) -> None:
    """Both stand in its founding; one that is governed otherwise is not given in its place."""
    ace, bolt = make("ace"), make("bolt")
    _pair(ace, bolt)
    ask = {"act": "group.create", "purpose": "pressing", "parties": [{"who": "bolt", "roles": []}]}
    ace.acts.do({**ask, "group": "plain"})
    named = {"receipts": ["receiver"], "witnesses": ["bolt", ace.row.id.hex()]}
    assert not ace.acts.do({**ask, **named, "group": "named"})["reused"]
    policies = ace.groups["named"].founding.policies
    assert policies.receipts == (Role.RECEIVER,)
    assert policies.witnesses == tuple(sorted((ace.row.id, bolt.row.id)))
    assert ace.groups["plain"].founding.policies.witnesses == ()
    assert ace.acts.do({**ask, **named, "group": "again"})["group"] == "named"
    for wrong in ({"witnesses": ["nobody"]}, {"receipts": ["baker"]}):
        with pytest.raises(AskedWrongly):
            ace.acts.do({**ask, **wrong, "group": "wrong"})
