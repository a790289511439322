"""What people ask a running agent to do with groups: through its door, over a real broker."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.cli import place
from gateway.cli.words import wide
from gateway.errors import AskedWrongly
from tests.agents import AgentProcess
from tests.neighbours import ACCEPTING, Terminal, members, neighbours
from tests.paired import until

Agents = dict[str, AgentProcess]


@pytest.fixture(scope="module")
def agents(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agents]:
    """Give three agents of one consortium; coil's config accepts what ace invites to."""
    folder = tmp_path_factory.mktemp("acts")
    with neighbours(folder, ("ace", "bolt", "coil"), {"coil": ACCEPTING}) as (_, running):
        yield running


@pytest.fixture
def terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Give an English terminal."""
    return Terminal(capsys, monkeypatch)


def _both(terminal: Terminal, agents: Agents, name: str) -> None:
    """Have ace and bolt share a group of that name."""
    if name not in terminal.groups(agents["bolt"]):
        made = terminal.facts(agents["ace"], "group", "create", name, "--with", "bolt")
        until(agents["ace"], lambda: _waiting(terminal, agents["bolt"], name))
        joined = terminal.facts(agents["bolt"], "group", "accept", name)
        assert joined == {"group": name, "id": made["id"], "organisation": "ace"}
    until(agents["bolt"], lambda: _is(terminal, agents["bolt"], name, "member"))
    until(agents["ace"], lambda: not _invited(agents["ace"], name))


def _waiting(terminal: Terminal, agent: AgentProcess, name: str) -> list[dict[str, str]]:
    told = terminal.facts(agent, "group", "list")["invitations"]
    return [each for each in told if each["name"] == name]


def _is(terminal: Terminal, agent: AgentProcess, name: str, state: str) -> bool:
    found = terminal.groups(agent).get(name)
    return found is not None and bool(found["state"] == state)


def _invited(agent: AgentProcess, name: str) -> list[str]:
    rows = {each["name"]: each for each in agent.status()["groups"]}
    found: list[str] = rows[name]["invited"]
    return found


def _kept(terminal: Terminal, agent: AgentProcess) -> dict[str, object]:
    """Give what an act would change; what members are called may still come from them."""
    own = ("id", "state", "pending", "removed")
    groups = terminal.groups(agent).items()
    return {name: [members(row), *(row[each] for each in own)] for name, row in groups}


def test_a_group_is_founded_once_and_followed(terminal: Terminal, agents: Agents) -> None:
    """The parties become a group; the same parties and purpose are that group by any name."""
    ace, bolt = agents["ace"], agents["bolt"]
    _both(terminal, agents, "pressing")
    facts = terminal.groups(bolt)["pressing"]
    assert members(facts) == {"ace": ["initiator"], "bolt": ["receiver"]}
    assert (facts["bodies"], facts["purpose"]) == ("sealed", "pressing")
    again = ("group", "create", "another", "--with", "bolt", "--purpose", "pressing")
    made = terminal.facts(ace, *again)
    assert made == {"group": "pressing", "id": facts["id"], "reused": True}
    assert "nothing was founded" in terminal.type(ace, *again)[1]
    assert "another" not in terminal.groups(ace)
    assert _waiting(terminal, bolt, "pressing") == []


def test_members_come_change_and_go(terminal: Terminal, agents: Agents) -> None:
    """An addition waits for the quorum's word; roles change; who is removed is told, and out."""
    ace, bolt, coil = agents["ace"], agents["bolt"], agents["coil"]
    _both(terminal, agents, "milling")
    asked = terminal.facts(ace, "group", "add", "milling", "coil", "--role", "observer")
    (proposal,) = asked["proposals"]
    pending = terminal.groups(ace)["milling"]["pending"]
    assert [(each["id"], each["act"], each["approved"], each["needed"]) for each in pending] == [
        (proposal[:16], "add", 1, 2)
    ]
    until(bolt, lambda: terminal.groups(bolt)["milling"]["pending"])
    terminal.facts(bolt, "group", "approve", "milling", proposal[:8])
    until(coil, lambda: _is(terminal, coil, "milling", "member"))  # by its own config
    until(coil, lambda: len(terminal.groups(coil)["milling"]["members"]) == 3)
    changed = terminal.facts(bolt, "group", "role", "milling", "coil", "--role", "receiver")
    until(ace, lambda: terminal.groups(ace)["milling"]["pending"])
    terminal.facts(ace, "group", "approve", "milling", changed["proposals"][0])
    until(coil, lambda: members(terminal.groups(coil)["milling"])["coil"] == ["receiver"])
    assert terminal.refused(bolt, "group", "remove", "milling", "coil") == "group.not-allowed"
    removed = terminal.facts(ace, "group", "remove", "milling", "coil")["removed"]
    until(coil, lambda: _is(terminal, coil, "milling", "removed"))
    until(bolt, lambda: len(terminal.groups(bolt)["milling"]["members"]) == 2)
    assert [each["node"] for each in terminal.groups(bolt)["milling"]["removed"]] == [removed]
    terminal.facts(bolt, "group", "leave", "milling")
    until(ace, lambda: set(members(terminal.groups(ace)["milling"])) == {"ace"})


def test_history_is_shared_where_the_founding_lets_it(terminal: Terminal, agents: Agents) -> None:
    """A newcomer gets earlier keys only by the group's policy; each key is a record."""
    ace, bolt = agents["ace"], agents["bolt"]
    options = ("--with", "bolt", "--history", "--approvals", "1", "--purpose", "history")
    terminal.facts(ace, "group", "create", "history", *options)
    until(ace, lambda: _waiting(terminal, bolt, "history"))
    terminal.facts(bolt, "group", "accept", "history", "--name", "verlauf")
    until(bolt, lambda: _is(terminal, bolt, "verlauf", "member"))
    terminal.facts(ace, "group", "add", "history", "coil")
    assert "coil" in members(terminal.groups(ace)["history"])  # one word is enough
    shared = terminal.facts(ace, "group", "share", "history", "coil")
    assert shared["group"] == "history" and shared["keys"] >= 0
    _both(terminal, agents, "pressing")
    code = terminal.refused(ace, "group", "share", "pressing", "bolt")
    assert code == "group.history"


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("create pressing --with bolt", "act.group-exists"),
        ("create new --with nobody", "act.unknown-party"),
        ("create new --with bolt --kind nonsense", "act.request"),
        ("create new --with bolt --role boss", "act.request"),
        ("create new --with bolt --succeeds nothing", "group.unknown"),
        ("create a/b --with bolt --purpose slash", "state.unwritable"),
        ("create new --with bolt --purpose x --approvals 9", "act.request"),
        ("accept nothing", "act.unknown-invitation"),
        ("decline nothing", "act.unknown-invitation"),
        ("add nothing coil", "group.unknown"),
        ("add pressing nobody", "act.unknown-party"),
        ("role pressing bolt", "usage.missing"),
        ("approve pressing ffff", "act.request"),
        ("remove pressing coil", "act.unknown-party"),
        ("leave nothing", "group.unknown"),
        ("share pressing coil", "act.unknown-party"),
        ("show nothing", "group.unknown"),
    ],
)
def test_what_cannot_be_done_says_why(
    terminal: Terminal, agents: Agents, command: str, code: str
) -> None:
    """Each refusal has its code, changes nothing, and is told in Chinese to who reads Chinese."""
    ace = agents["ace"]
    _both(terminal, agents, "pressing")
    before = _kept(terminal, ace)
    assert terminal.refused(ace, "group", *command.split()) == code
    terminal.speak("zh")
    status, _, told = terminal.type(ace, "group", *command.split())
    assert status == 2 and f"[{code}]" in told
    assert not any(line.isascii() for line in told.splitlines() if line.strip()), told
    assert _kept(terminal, ace) == before


def test_the_door_takes_only_what_is_asked_in_full(terminal: Terminal, agents: Agents) -> None:
    """A request that lacks something, or asks for what there is not, does nothing."""
    assert terminal.type(agents["ace"], "check")[0] == 0  # this terminal is at ace's gateway
    for asked in (
        {"name": "group.explode"},
        {"name": "group.create"},
        {"name": "group.create", "group": "x", "purpose": "x", "parties": 7},
        {"name": "group.create", "group": "x", "purpose": "x", "parties": [{"who": 7}]},
        {"name": "group.create", "group": "x", "purpose": "x", "parties": [], "approvals": "1"},
        {"name": "group.create", "group": "x", "purpose": "x", "parties": [], "roles": [7]},
        {"name": "group.leave", "group": 7},
    ):
        facts = dict(asked)
        with pytest.raises(AskedWrongly):
            place.act(str(facts.pop("name")), **facts)
    assert "x" not in terminal.groups(agents["ace"])


def test_a_long_request_is_read_whole_and_one_too_long_is_told(
    terminal: Terminal, agents: Agents
) -> None:
    """As many parties as a group can have, of the longest names; beyond that, an error says so."""
    ace = agents["ace"]
    names = [f"{number:02}{chr(0x1F3ED) * 62}=supervisor" for number in range(63)]
    for count, code in ((1, "act.unknown-party"), (200, "act.request")):
        wanted = [word for name in names * count for word in ("--with", name)]
        assert terminal.refused(ace, "group", "create", "long", *wanted) == code
    assert "long" not in terminal.groups(ace)


def test_an_invitation_is_declined_for_good(terminal: Terminal, agents: Agents) -> None:
    """It is gone here, where it is told; who invites repeats it in vain, and it is counted."""
    ace, bolt = agents["ace"], agents["bolt"]
    made = terminal.facts(ace, "group", "create", "junk", "--with", "bolt", "--purpose", "junk")
    until(bolt, lambda: _waiting(terminal, bolt, "junk"))
    declined = terminal.facts(bolt, "group", "decline", made["id"][:8])
    assert declined == {"group": "junk", "id": made["id"], "organisation": "ace"}
    until(bolt, lambda: bolt.status()["refused"].get("sync.declined"))
    assert _waiting(terminal, bolt, "junk") == []
    assert {each["name"]: each["unread"] for each in bolt.status()["groups"]}["own"] == 0


def test_a_stopped_agent_does_nothing(terminal: Terminal, agents: Agents, tmp_path: Path) -> None:
    """Without an agent an act is refused, and what is held is shown all the same."""
    alone = AgentProcess(tmp_path, "dyne", "")
    assert terminal.refused(alone, "group", "create", "x", "--with", "y") == "agent.not-running"
    assert terminal.facts(alone, "group", "list") == {"groups": [], "invitations": []}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_groups_are_shown_aligned_in_both_languages(
    terminal: Terminal, agents: Agents, language: str
) -> None:
    """Columns stand below one another where letters are wide too, and no English word is left."""
    ace, bolt = agents["ace"], agents["bolt"]
    _both(terminal, agents, "pressing")
    if "等待" not in terminal.groups(ace):
        terminal.facts(ace, "group", "create", "等待", "--with", "bolt", "--purpose", "冲压")
    terminal.speak(language)
    lines = terminal.type(ace, "group", "list")[1].splitlines()
    table = [line for line in lines if "hulian" not in line]
    bodies = {"en": ("bodies", "sealed", "clear"), "zh": ("内容", "已密封", "明文")}[language]
    columns = [
        min(wide(line[: line.index(word)]) for word in bodies if word in line) for line in table
    ]
    assert len(table) > 3 and len(set(columns)) == 1, table
    shown = terminal.type(ace, "group", "show", "pressing")[1]
    status = terminal.type(ace, "status")[1]
    until(bolt, lambda: _waiting(terminal, bolt, "冲压"))
    asked = [terminal.type(bolt, *command)[1] for command in (("status",), ("group", "list"))]
    (invitation,) = _waiting(terminal, bolt, "冲压")
    for told in asked:
        assert f"hulian group accept {invitation['id'][:16]}" in told
    if language == "zh":
        said = re.sub(
            r"hulian [a-z ]+|[a-z]+\.[a-z-]+", "", "".join((*lines, shown, status, *asked))
        )
        for english in ("sealed", "clear", "initiator", "receiver", "member", "joining", "groups"):
            assert english not in said
