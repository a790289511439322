"""What people ask of groups, and what invitations do, on real stores without an agent around."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.cli import grouping, running
from gateway.config import Accept
from gateway.errors import StateDamaged, UnknownInvitation
from gateway.groups.group import Group
from gateway.peers.inviting import Invited
from gateway.store import council, state
from gateway.store.council import INVITATIONS_MAX, INVITATIONS_OF_ONE_MAX, Waiting
from tests.keeping import Keeper, follow, know
from tests.people import group_of, party, seed

Make = Callable[..., tuple[Keeper, Keeper]]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Make paired gateways that end with the test."""
    made: list[Keeper] = []

    def two(*accept: Accept) -> tuple[Keeper, Keeper]:
        made.extend((Keeper(tmp_path, "ace"), Keeper(tmp_path, "bolt", accept)))
        ace, bolt = made
        first = ace.held.roster
        know(ace, bolt, rosters=[first, follow(first, [ace.row, bolt.row], ace, bolt)])
        for each in made:
            each.upkeep.once()
        return ace, bolt

    yield two
    for each in made:
        each.stop()


def _create(ace: Keeper, name: str, role: str = "receiver", **more: object) -> dict[str, object]:
    parties = [{"who": "bolt", "roles": [role]}]
    asked = {"act": "group.create", "group": name, "purpose": "pressing", "parties": parties}
    return ace.acts.do({**asked, **more})


def _invite(bolt: Keeper, group: Group, secret: bytes) -> None:
    """Have bolt's upkeep follow an invitation of ace to a group, with a secret."""
    bolt.invitations.append(Invited(replace(group, secret=secret), "pressing", "ace"))
    bolt.upkeep.once()


def _secret(keeper: Keeper, name: str = "pressing") -> bytes:
    """Give the secret of a group by its file, which is what the agent goes by as well."""
    assert keeper.groups[name].secret == state.load(keeper.path).groups[name].secret
    return keeper.groups[name].secret


def test_only_a_group_that_is_just_so_is_reused(make: Make) -> None:
    """The same parties in other roles, or clear instead of sealed, are another group."""
    ace, _ = make()
    assert _create(ace, "open", clear=True)["reused"] is False
    made = _create(ace, "sealed")
    assert (made["reused"], ace.groups["sealed"].founding.clear) == (False, False)
    assert _create(ace, "watched", role="observer")["reused"] is False
    assert _create(ace, "again") == {**made, "reused": True}
    assert _create(ace, "open again", clear=True)["group"] == "open"


def test_a_wrong_secret_is_replaced_until_somebody_is_heard(make: Make) -> None:
    """Who was invited with a wrong secret follows the next one; never once a record is held."""
    ace, bolt = make(Accept(organisation="ace"))
    _create(ace, "pressing")
    group = ace.groups["pressing"]
    _invite(bolt, group, seed("made up"))
    assert _secret(bolt) == seed("made up")
    joined = bolt.told["joined"]
    _invite(bolt, group, seed("made up"))
    assert bolt.told["joined"] == joined
    _invite(bolt, group, group.secret)
    assert (_secret(bolt), bolt.told["joined"]) == (group.secret, joined + 1)
    assert [name for name in bolt.groups if name.startswith("pressing")] == ["pressing"]
    bolt.hear(ace, group.id)
    _invite(bolt, group, seed("made up later"))
    assert _secret(bolt) == group.secret


def test_a_founder_takes_no_other_secret(make: Make) -> None:
    """Its secret is the group's, also while nobody has come yet."""
    ace, _ = make()
    _create(ace, "pressing")
    before = _secret(ace)
    ace.acts.follow("pressing", replace(ace.groups["pressing"], secret=seed("made up")))
    assert _secret(ace) == before


def test_a_person_accepts_the_other_secret(make: Make) -> None:
    """Where no config accepts, the second invitation waits like the first."""
    ace, bolt = make()
    _create(ace, "pressing")
    group = ace.groups["pressing"]
    for secret in (seed("made up"), group.secret):
        _invite(bolt, group, secret)
        accepted = bolt.acts.do({"act": "group.accept", "invitation": "pressing"})
        assert (accepted["group"], _secret(bolt)) == ("pressing", secret)
        assert council.waiting(bolt.path) == []


def test_what_was_declined_does_not_come_back(make: Make) -> None:
    """It is gone, remembered over a restart, and its repeats are counted; another one waits."""
    ace, bolt = make()
    _create(ace, "pressing")
    group = ace.groups["pressing"]
    _invite(bolt, group, group.secret)
    declined = bolt.acts.do({"act": "group.decline", "invitation": group.id.hex()[:8]})
    assert declined == {"group": "pressing", "id": group.id.hex(), "organisation": "ace"}
    bolt.stop()
    bolt.start()
    _invite(bolt, group, group.secret)
    assert council.waiting(bolt.path) == [] and bolt.upkeep.counts == {"sync.declined": 1}
    with pytest.raises(UnknownInvitation):
        bolt.acts.do({"act": "group.decline", "invitation": "pressing"})
    _create(ace, "milling", role="observer")
    _invite(bolt, ace.groups["milling"], group.secret)
    assert [each.group.id for each in council.waiting(bolt.path)] == [ace.groups["milling"].id]


def test_one_organisation_leaves_the_others_room(make: Make) -> None:
    """Of one so many invitations wait; those beyond are counted, and others' still come in."""
    _, bolt = make()
    mine, others = group_of(party("coil"), party("dyne")), group_of(party("dyne"), party("coil"))
    for number in range(INVITATIONS_OF_ONE_MAX + 3):
        many = replace(mine, id=seed(f"group {number}"))
        bolt.invitations.append(Invited(many, f"{number}", "coil"))
    bolt.upkeep.once()
    assert bolt.upkeep.counts == {"sync.unkept": 3}
    bolt.invitations.append(Invited(others, "others", "dyne"))
    bolt.upkeep.once()
    assert bolt.upkeep.counts == {"sync.unkept": 3}
    kept = list((bolt.path / "invitations").glob("*.cbor"))
    assert len(kept) == INVITATIONS_OF_ONE_MAX + 1 < INVITATIONS_MAX


def test_what_was_declined_is_bounded_and_checked(tmp_path: Path) -> None:
    """The oldest is forgotten first; a file that was cut is noticed."""
    one = Waiting("ace", "pressing", group_of(party("ace"), party("bolt")))
    path = tmp_path / "invitations" / "declined"
    council.decline(tmp_path, one)
    path.write_bytes(one.group.id + b"".join(seed(f"{n}") for n in range(council.DECLINED_MAX - 1)))
    last = replace(one, group=replace(one.group, id=seed("last")))
    council.decline(tmp_path, last)
    assert len(path.read_bytes()) == council.DECLINED_MAX * 32
    assert council.is_declined(tmp_path, seed("last")) and council.is_declined(tmp_path, seed("0"))
    assert not council.is_declined(tmp_path, one.group.id)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(StateDamaged):
        council.is_declined(tmp_path, one.group.id)
    assert council.waiting(tmp_path) == []
    assert [each.name for each in path.parent.iterdir()] == ["declined"]


@pytest.mark.parametrize(
    ("language", "state", "shown"),
    [
        ("en", "3 record(s) without their keys", "3 record(s) of press: their keys were not given"),
        ("zh", "3 条记录没有密钥", "press 的 3 条记录：未把密钥给予本网关"),
    ],
)
def test_what_lacks_its_key_is_told(
    make: Make, monkeypatch: pytest.MonkeyPatch, language: str, state: str, shown: str
) -> None:
    """Status counts it for a group, and the group says whose it is; nothing is said of none."""
    monkeypatch.setenv("HULIAN_LANG", language)
    row = {"name": "pressing", "members": 2, "unread": 3}
    assert running._grouped(row).endswith(state)
    assert state not in running._grouped({**row, "unread": 0})
    ace, _ = make()
    _create(ace, "pressing")
    facts = grouping._facts(ace.read, ace.held, "pressing", ace.groups["pressing"].id)
    assert facts["unread"] == [] and not any("press:" in line for line in grouping._lines(facts))
    facts["unread"] = [{"node": "00", "name": "press", "records": 3}]
    assert any(shown in line for line in grouping._lines(facts))


@pytest.mark.parametrize(
    ("language", "shown", "told"),
    [
        ("en", "of 9 records 4 are agreed, 2 final", "Alpha, Beta; 2 must cosign"),
        ("zh", "9 条记录中 4 条已达成一致，2 条已最终确定", "Alpha, Beta；须有 2 方联署"),
    ],
)
def test_how_far_a_group_is_agreed_and_final_is_told(
    make: Make, monkeypatch: pytest.MonkeyPatch, language: str, shown: str, told: str
) -> None:
    """Status counts what is agreed and final; the group also says who must cosign for it."""
    monkeypatch.setenv("HULIAN_LANG", language)
    standing = {"records": 9, "agreed": 4, "cosigned": 3, "final": 2}
    assert running._grouped({"name": "x", "members": 2, "standing": standing}).endswith(shown)
    ace, _ = make()
    _create(ace, "pressing")
    facts = grouping._facts(ace.read, ace.held, "pressing", ace.groups["pressing"].id)
    assert facts["standing"]["final"] == facts["standing"]["cosigned"] == 0
    assert facts["witnesses"] == {"organisations": [], "quorum": None}
    facts["witnesses"] = {"organisations": ["Alpha", "Beta"], "quorum": 2}
    assert any(told in line for line in grouping._lines(facts))
