"""What people ask a gateway to open and to say in activities, on real stores; and two agents."""

import base64
import json
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from gateway.activities import order
from gateway.activities.state import State
from gateway.config import Accept
from gateway.errors import (
    ActivityClosed,
    AskedWrongly,
    BadValue,
    DeviceBound,
    GatewayError,
    GuardForbids,
    MalformedTemplate,
    NoLinkedReading,
    NotEntitled,
    NothingToQuote,
    NotReached,
    NotYours,
    OtherTemplate,
    UnknownActivity,
    UnknownField,
    UnknownGroup,
    UnknownParty,
)
from gateway.readings import senml
from gateway.readings.reading import Provenance, Reading
from gateway.records.record import Kind, Said
from gateway.sources.intake import Routes
from gateway.store import acting, activities, authoring, database, observations, quoting
from gateway.store.authoring import Venue
from gateway.store.folding import Folds
from gateway.web.local import SOCKET
from tests.agents import SHARING, AgentProcess
from tests.broker import Broker, Publisher
from tests.keeping import Keeper, follow, know
from tests.neighbours import ACCEPTING, Terminal
from tests.paired import pair, until
from tests.test_activities import TEMPLATE

Facts = dict[str, Any]
OPEN: Facts = {
    "act": "activity.open",
    "parties": [{"who": "bolt", "roles": ["receiver"]}],
    "purpose": "lot 1",
    "template": TEMPLATE,
}


@pytest.fixture(scope="module")
def paired(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make two organisations of one consortium, once."""
    folder = tmp_path_factory.mktemp("paired")
    ace, bolt = Keeper(folder, "ace"), Keeper(folder, "bolt")
    first = ace.held.roster
    know(ace, bolt, rosters=[first, follow(first, [ace.row, bolt.row], ace, bolt)])
    for each in (ace, bolt):
        each.upkeep.once()
        each.stop()
    return folder


@pytest.fixture
def pair_of(paired: Path, tmp_path: Path) -> Iterator[tuple[Keeper, Keeper]]:
    """Give two gateways of one consortium; bolt follows what ace invites to by this template."""
    folder = shutil.copytree(paired, tmp_path / "both")
    name = sha256(TEMPLATE.encode()).hexdigest()
    accepts = Accept(organisation="ace", purposes=("lot",), templates=(name,))
    ace, bolt = Keeper(folder, "ace"), Keeper(folder, "bolt", (accepts,))
    yield ace, bolt
    for each in (ace, bolt):
        each.stop()


def _meet(ace: Keeper, bolt: Keeper) -> None:
    """Have each hear what the other wrote in their group."""
    if "lot" not in bolt.groups:
        bolt.invited(ace, "lot")
        bolt.upkeep.once()
    within = ace.groups["lot"].id
    for each, other in ((bolt, ace), (ace, bolt)):
        each.hear(other, within)
        each.upkeep.once()


def _state(at: Keeper, named: str) -> State:
    return Folds().state(at.read, bytes.fromhex(named))


def _opened(ace: Keeper, **more: object) -> str:
    return str(ace.activities.do({**OPEN, **more})["activity"])


def test_the_parties_become_a_group_once(pair_of: tuple[Keeper, Keeper]) -> None:
    """An activity is opened in a group of its parties, made for its template, and used again."""
    ace, bolt = pair_of
    first: Facts = ace.activities.do({**OPEN, "fields": {"quantity": 5}})
    group = ace.groups["lot"]
    assert (first["group"], first["id"], first["reused"]) == ("lot", group.id.hex(), False)
    assert [each.hex() for each in group.founding.templates] == [first["template"]]
    assert ace.members("lot") == {ace.node, bolt.node}
    second = ace.activities.do({**OPEN, "purpose": "lot 2"})
    assert (second["group"], second["reused"]) == ("lot", True)
    _meet(ace, bolt)
    assert {each.said.purpose for each in activities.listed(bolt.read)} == {"lot 1", "lot 2"}
    opened = activities.find(bolt.read, first["activity"][:8]).said
    assert {each.organisation: [role.name for role in each.roles] for each in opened.parties} == {
        ace.held.organisation: ["INITIATOR"],
        bolt.held.organisation: ["RECEIVER"],
    }
    named = {"group": "lot", "parties": None, "purpose": "lot 3", "roles": None}
    third: Facts = ace.activities.do({**OPEN, **named})
    assert activities.find(ace.read, third["activity"]).said.parties == opened.parties
    other = TEMPLATE.replace("version = 1", "version = 2")
    with pytest.raises(OtherTemplate):
        ace.activities.do({**OPEN, "group": "lot", "template": other})
    assert ace.activities.do({**OPEN, "template": other})["group"] == "lot-2"


WRONG: list[tuple[Facts, type[GatewayError]]] = [
    ({"template": "name = 3"}, MalformedTemplate),
    ({"purpose": ""}, AskedWrongly),
    ({"parties": []}, AskedWrongly),
    ({"parties": [], "group": "nobody's"}, UnknownGroup),
    ({"parties": [{"who": "coil", "roles": []}]}, UnknownParty),
    ({"parties": [{"roles": []}]}, AskedWrongly),
    ({"roles": ["boss"]}, AskedWrongly),
    ({"kind": "magic"}, AskedWrongly),
    ({"fields": {"weight": 1}}, UnknownField),
    ({"fields": {"quantity": "many"}}, BadValue),
    ({"fields": {"made": 1}}, NotEntitled),
    ({"fields": [], "devices": []}, AskedWrongly),
    ({"devices": ["a", "a"]}, AskedWrongly),
]


def test_what_would_not_count_opens_nothing(pair_of: tuple[Keeper, Keeper]) -> None:
    """What is asked wrongly, or would be rejected by every member, is refused and never written."""
    ace, _ = pair_of
    for change, error in WRONG:
        with pytest.raises(error):
            ace.activities.do({**OPEN, **change})
    assert activities.tally(ace.read, ace.node)["held"] == 0


def test_each_says_what_is_its_own_to_say(pair_of: tuple[Keeper, Keeper]) -> None:
    """Updates, corrections and the close of both come to one state; others are refused."""
    ace, bolt = pair_of
    named = _opened(ace, fields={"quantity": 5})
    _meet(ace, bolt)
    about = {"activity": named[:10]}
    update: Facts = {"act": "activity.update", **about}
    told: Facts = bolt.activities.do({**update, "fields": {"note": "bolt's"}})
    ace.activities.do({**update, "fields": {"note": "ace's"}})
    with pytest.raises(NotEntitled):
        bolt.activities.do({**update, "fields": {"quantity": 6}})
    with pytest.raises(NotEntitled):
        bolt.activities.do({"act": "activity.close", **about})
    _meet(ace, bolt)
    correct = {"act": "activity.correct", **about, "record": told["record"][:12]}
    with pytest.raises(NotYours):
        ace.activities.do({**correct, "fields": {"note": "not mine"}})
    bolt.activities.do({**correct, "fields": {"note": "bolt's, corrected"}})
    ace.activities.do({"act": "activity.close", **about, "fields": {"note": "done"}})
    _meet(ace, bolt)
    assert _state(ace, named) == _state(bolt, named)
    notes = {each.value for each in _state(bolt, named).given("note")}
    assert notes == {"ace's", "bolt's, corrected", "done"}
    for keeper in (ace, bolt):
        with pytest.raises(ActivityClosed):
            keeper.activities.do({**update, "fields": {"note": "too late"}})
    assert not list(_state(ace, named).rejected.values())


def test_a_guard_is_judged_before_anything_is_written(pair_of: tuple[Keeper, Keeper]) -> None:
    """What the template forbids now is refused with its reason, and no record is written."""
    ace, bolt = pair_of
    named = _opened(ace)
    _meet(ace, bolt)
    before = bolt.records()
    with pytest.raises(GuardForbids) as refused:
        bolt.activities.do({"act": "activity.update", "activity": named, "fields": {"made": 1}})
    assert "without a quantity" in str(refused.value) and bolt.records() == before
    for wrong in ({}, {"activity": "0" * 8}):
        with pytest.raises((UnknownActivity, AskedWrongly)):
            bolt.activities.do({"act": "activity.update", **wrong})


def test_a_step_is_taken_once_what_it_rests_on_is_agreed(pair_of: tuple[Keeper, Keeper]) -> None:
    """As soon as both have receipted the quantity, the other makes pieces of it."""
    ace, bolt = pair_of
    named = _opened(ace)
    _meet(ace, bolt)
    update: Facts = {"act": "activity.update", "activity": named}
    ace.activities.do({**update, "fields": {"quantity": 5}})
    within = bolt.groups["lot"]
    bolt.hear(ace, within.id)
    made = {**update, "fields": {"made": 2}}
    with pytest.raises(NotReached) as waits:
        bolt.activities.do(made)
    assert (waits.value.facts["field"], waits.value.facts["lacking"]) == ("quantity", "agreed")
    venue = Venue(within.id, within.roster.hash)
    bolt.writer.submit(lambda db: acting.receipt(db, bolt.author, venue)).result()
    bolt.activities.do(made)
    _meet(ace, bolt)
    assert _state(ace, named).total("made") == 2


def _say(keeper: Keeper, group: str, value: float) -> None:
    """Have a gateway say a reading of its press in a group."""
    reading = Reading("press-1", "force", value, "N", 1_790_000_000_000 + int(value))
    (pack,) = senml.encode([reading], Provenance.GATEWAY_ATTESTED)

    def job(db: database.Connection) -> None:
        within = keeper.groups[group]
        said = Said(Kind.OBSERVATION, pack.encoded, senml.CONTENT_TYPE)
        place = authoring.say(db, keeper.author, Venue(within.id, within.roster.hash), said)
        observations.keep(db, place, pack.spans)

    keeper.writer.submit(job).result()


def test_an_update_links_the_newest_reading(pair_of: tuple[Keeper, Keeper]) -> None:
    """A reading is linked by device and metric, as its newest record in the group."""
    ace, bolt = pair_of
    named = _opened(ace)
    update = {"act": "activity.update", "activity": named, "fields": {"note": "pressed"}}
    link = {**update, "readings": [["press-1", "force"]]}
    with pytest.raises(NoLinkedReading):
        ace.activities.do(link)
    for value in (1, 2):
        _say(ace, "lot", value)
    record = bytes.fromhex(str(ace.activities.do(link)["record"]))
    _meet(ace, bolt)
    fold = Folds().fold(bolt.read, bytes.fromhex(named))
    assert fold._entries[record][1].readings == (2,)
    with pytest.raises(NoLinkedReading):
        ace.activities.do({**update, "readings": [["press-1", "speed"]]})


def test_a_file_is_attached_in_pieces(pair_of: tuple[Keeper, Keeper]) -> None:
    """Pieces become the file at the other side, under its hash."""
    ace, bolt = pair_of
    named, whole = _opened(ace), bytes(range(200)) * 1000
    name = sha256(whole).hexdigest()
    about = {"act": "activity.attach", "activity": named, "file": name, "name": "a.pdf"}
    about |= {"type": "application/pdf"}
    for at in range(0, len(whole), 40_000):
        piece = base64.b64encode(whole[at : at + 40_000]).decode()
        ace.activities.do({**about, "size": len(whole), "offset": at, "bytes": piece})
    with pytest.raises(AskedWrongly):
        ace.activities.do({**about, "size": 1, "offset": 0, "bytes": "?"})
    _meet(ace, bolt)
    given = activities.content_of(bolt.read, bytes.fromhex(named), bytes.fromhex(name))
    assert b"".join(given) == whole


def test_a_device_belongs_to_what_its_own_gateway_says(pair_of: tuple[Keeper, Keeper]) -> None:
    """Bound here its readings go there, over a restart too, until it is unbound or all is closed;
    what others say of it is nothing."""
    ace, bolt = pair_of
    named = _opened(ace, devices=["press-1"])
    other = _opened(ace, purpose="lot 2")
    venue = Venue(ace.groups["lot"].id, ace.groups["lot"].roster.hash)

    def bound() -> dict[str, bytes | None]:
        ace.bindings.look()
        routes = Routes((), {"own": Venue(b"own", b"")})
        routes.move({"own": Venue(b"own", b"")}, ace.bindings.venues({venue.group: venue}))
        return {each: routes.venue(each, "force").activity for each in ("press-1", "press-2")}

    mine = {"press-1": bytes.fromhex(named), "press-2": None}
    assert bound() == mine
    with pytest.raises(DeviceBound):
        ace.activities.do({"act": "activity.update", "activity": other, "bind": ["press-1"]})
    _meet(ace, bolt)
    theirs = {"act": "activity.update", "activity": other, "bind": ["press-1", "press-2"]}
    bolt.activities.do(theirs)
    _meet(ace, bolt)
    assert bound() == mine
    ace.stop()
    ace.start()
    assert bound() == mine
    ace.activities.do({"act": "activity.update", "activity": named, "unbind": ["press-1"]})
    assert bound() == {"press-1": None, "press-2": None}
    ace.activities.do({"act": "activity.update", "activity": named, "bind": ["press-2"]})
    assert bound() == {"press-1": None, "press-2": bytes.fromhex(named)}
    ace.activities.do({"act": "activity.close", "activity": named})
    assert bound() == {"press-1": None, "press-2": None}
    assert activities.said_bound(ace.read, ace.node) == {}


def _ask(agent: AgentProcess, act: str, **facts: object) -> Facts:
    """Ask an agent at its door to do something."""
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as door:
        door.settimeout(60)
        door.connect(str(agent.state_dir / SOCKET))
        door.sendall(json.dumps({"ask": "act", "act": act, **facts}).encode() + b"\n")
        told: Facts = json.loads(door.makefile().readline())
    assert "done" in told, told
    done: Facts = told["done"]
    return done


def _folded(agent: AgentProcess, named: str) -> State | None:
    db = database.connect_to_read(str(agent.state_dir / "store.db"))
    with closing(db):
        held = {each.id.hex() for each in activities.listed(db)}
        return Folds().state(db, bytes.fromhex(named)) if named in held else None


def test_an_order_quotes_what_its_target_wrote(pair_of: tuple[Keeper, Keeper]) -> None:
    """While a member has written nothing there is nothing to quote, and once it has, its newest."""
    ace, bolt = pair_of
    asked = {"act": "order.prepare", "target": "bolt", "point": "press", "value": 5}
    asked["activity"] = _opened(ace)
    with pytest.raises(NothingToQuote, match="nothing that it wrote"):
        ace.orders.do(asked)
    _meet(ace, bolt)
    written = base64.b64decode(str(ace.orders.do(asked)["order"]))
    found = quoting.quotable(ace.read, ace.groups["lot"].id, bolt.node)
    assert found is not None and order.read(written).quoted == (found.feed, found.seq)


@pytest.fixture
def rows(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[[AgentProcess, str], list[Facts]]:
    """Give what a gateway answers when it is asked for an activity's readings."""
    terminal = Terminal(capsys, monkeypatch)

    def ask(agent: AgentProcess, activity: str) -> list[Facts]:
        asked = ("query", "--activity", activity, "--format", "jsonl")
        status, said, error = terminal.type(agent, *asked)
        assert status == 0, error
        return [json.loads(line) for line in said.splitlines()]

    return ask


def test_two_agents_go_on_while_the_link_is_cut(
    tmp_path: Path, rows: Callable[[AgentProcess, str], list[Facts]]
) -> None:
    """Opened at one, updated at both while they cannot speak, it is the same at both after; and
    readings of its device are the activity's at both."""
    brokers = []
    for name in ("between", "plant"):
        (tmp_path / name).mkdir()
        brokers.append(Broker(tmp_path / name))
    between, plant = brokers
    link = f'\n[[link]]\nname = "partners"\nurl = "{between.url}"\n'
    hears = SHARING.format(between=between.url, plant=plant.url, name="ace", group="own")
    agents = []
    for name, config in (("ace", hears), ("bolt", link + ACCEPTING)):
        (tmp_path / name).mkdir()
        agents.append(AgentProcess(tmp_path / name, name, config))
    ace, bolt = agents
    pair(ace, bolt)
    device = Publisher(plant.port, "ace/press-1/telemetry")
    try:
        for each in agents:
            each.start()
        ace.listen()
        device.publish('{"force": 1}')
        until(ace, lambda: len(ace.readings()) == 1)
        opened = _ask(ace, **{**OPEN, "devices": ["press-1"], "fields": {"quantity": 3}})
        named = opened["activity"]
        device.publish('{"force": 2}')
        until(bolt, lambda: _folded(bolt, named))
        until(bolt, lambda: [each["value"] for each in rows(bolt, named[:8])] == [2])
        assert {each["activity"] for each in rows(bolt, named[:8])} == {named}
        between.stop()
        for each in agents:
            said = {"note": f"{each.folder.name} alone"}
            _ask(each, "activity.update", activity=named[:8], fields=said)
        between.start()
        until(bolt, lambda: len(_folded(bolt, named).given("note")) == 2)  # type: ignore[union-attr]
        until(ace, lambda: _folded(ace, named) == _folded(bolt, named))
        _ask(ace, "activity.close", activity=named)
        device.publish('{"force": 3}')
        until(ace, lambda: len(ace.readings()) == 3)
        assert [each["value"] for each in rows(ace, named)] == [2]
        assert ace.stands()["activities"] == {"held": 1, "records": 5, "unread": 0, "bound": 0}
    finally:
        device.finish()
        for each in agents:
            each.end()
        for broker in brokers:
            broker.stop()
