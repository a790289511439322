"""A production order, from offer to close: three companies, their machines, people, and cut links.

Real agents of a customer, a maker with two gateways, and a supervisor; an outsider is in the same
consortium. All is done by the commands that people type. What is said while nobody can be heard
counts afterwards at all of them, or is shown as rejected at all of them.
"""

import hashlib
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.store import database
from tests.agents import AgentProcess
from tests.broker import Broker, Publisher
from tests.desk import Person, certified
from tests.neighbours import Terminal
from tests.paired import add_gateway, pair, until

_LINK = """
[[link]]
name = "partners"
url = "{between}"

[[accept]]
organisation = "customer"
"""
_PRESS = """
[[source]]
name = "presses"
type = "mqtt"
url = "{plant}"
topics = ["plant/#"]
device = "topic[1]"
"""
_PURPOSE = "brackets-for-hull-4711"
_PRESS_NAME = "press-hydra-17"
_MEMBERS = ("customer", "maker", "maker-2", "supervisor")
_QUANTITY, _FILE_BYTES = 500, 1_200_000
# What each gateway calls by names of its own.
_LOCAL = frozenset({"group", "by", "gateway", "name"})
Facts = dict[str, Any]


@dataclass
class Scene:
    """The agents, what is between them, their machines' broker, and where people type."""

    agents: dict[str, AgentProcess]
    between: Broker
    plant: Broker
    terminal: Terminal
    activity: str = ""

    def types(self, name: str, *command: str) -> Facts:
        """Type a command about the activity at a gateway; it must succeed."""
        word, *rest = command
        facts: Facts = self.terminal.facts(
            self.agents[name], "activity", word, self.activity[:16], *rest
        )
        return facts

    def refused(self, name: str, *command: str) -> str:
        """Type a command about the activity that is refused: nothing is written; give its code."""
        before = _records(self.agents[name], self.activity)
        word, *rest = command
        code = self.terminal.refused(self.agents[name], "activity", word, self.activity[:16], *rest)
        assert _records(self.agents[name], self.activity) == before
        return code

    def sees(self, name: str) -> Facts:
        """Give all that a gateway shows of the activity."""
        return self.types(name, "show")

    def field(self, name: str, field: str) -> Facts:
        """Give what a gateway shows of a field."""
        (found,) = [each for each in self.sees(name)["fields"] if each["name"] == field]
        return dict(found)

    def usable(self, name: str, *fields: str) -> bool:
        """Say whether all that is in these fields may be acted on at a gateway."""
        found = [each for one in fields for each in self.field(name, one)["values"]]
        return bool(found) and all(each["usable"] for each in found)

    def wait_usable(self, name: str, *fields: str) -> None:
        """Wait until a gateway may act on these fields."""
        until(self.agents[name], lambda: self.usable(name, *fields))

    def cut(self) -> None:
        """Let nobody hear anybody."""
        self.between.stop()

    def mend(self) -> None:
        """Let them hear each other again, and wait until all show the same."""
        self.between.start()
        self.converge()

    def converge(self) -> None:
        """Wait until every member shows the same, and it is all agreed."""
        for name in _MEMBERS[1:]:
            until(self.agents[name], lambda name=name: self._same(name))  # type: ignore[misc]

    def _same(self, name: str) -> bool:
        own, other = self.sees(_MEMBERS[0]), self.sees(name)
        return bool(_shared(own) == _shared(other) and own["parked"] == 0)


def _shared(told: Any) -> Any:
    """Leave out what each gateway calls by its own names."""
    if isinstance(told, dict):
        kept = {key: _shared(each) for key, each in told.items() if key not in _LOCAL}
        return kept | ({"name": told["name"]} if "merge" in told else {})
    return [_shared(each) for each in told] if isinstance(told, list) else told


def _records(agent: AgentProcess, activity: str) -> int:
    """Count the records of an activity that a gateway holds."""
    with closing(database.connect_to_read(str(agent.state_dir / "store.db"))) as db:
        wanted = "SELECT count(*) FROM entries WHERE activity = ?"
        return int(db.execute(wanted, (bytes.fromhex(activity),)).get)


@pytest.fixture
def scene(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Scene]:
    """Give five gateways of four organisations of one consortium, which run."""
    with ExitStack() as ending:
        brokers = {}
        for name in ("between", "plant"):
            (tmp_path / name).mkdir()
            brokers[name] = Broker(tmp_path / name)
            ending.callback(brokers[name].stop)
        link = _LINK.format(between=brokers["between"].url)
        press = _PRESS.format(plant=brokers["plant"].url)
        agents = {}
        for name in ("customer", "maker", "supervisor", "outsider"):
            (tmp_path / name).mkdir()
            config = link + (press if name == "maker" else "")
            agents[name] = AgentProcess(tmp_path / name, name, config)
        pair(*agents.values())
        agents["maker-2"] = add_gateway(agents["maker"], "maker-2", link, *agents.values())
        for agent in agents.values():
            ending.callback(agent.end)
        brokers["between"].stop()
        with ThreadPoolExecutor() as pool:
            list(pool.map(AgentProcess.start, agents.values()))
        agents["maker"].listen()
        terminal = Terminal(capsys, monkeypatch)
        yield Scene(agents, brokers["between"], brokers["plant"], terminal)


# The story.


def _open_offline(scene: Scene, folder: Path) -> str:
    """Open the order, write in it and attach its drawing while nobody can be heard."""
    drawing = folder / "bracket-7.pdf"
    drawing.write_bytes(random.Random(4711).randbytes(_FILE_BYTES))
    parties = ("--with", "maker:receiver", "--with", "supervisor:supervisor")
    values = ("product=bracket 7, rev C", f"quantity={_QUANTITY}", f"drawing=@{drawing}")
    said = [word for each in values for word in ("--set", each)]
    asked = ("--template", "production-order", "--purpose", _PURPOSE, *parties, *said)
    opened = scene.terminal.facts(scene.agents["customer"], "activity", "open", *asked)
    scene.activity = opened["activity"]
    scene.types("customer", "update", "--set", "remark=engrave the lot on each")
    attached = scene.types("customer", "attach", str(drawing))
    assert len(attached["records"]) == 3
    assert {each["status"] for each in scene.field("customer", "quantity")["values"]} == {"local"}
    return hashlib.sha256(drawing.read_bytes()).hexdigest()


def _hear_of_it(scene: Scene, drawing: str) -> None:
    """See that all members come to hold the order, and the drawing whole."""
    scene.between.start()
    for name in _MEMBERS:
        agent = scene.agents[name]
        until(agent, lambda agent=agent: _records(agent, scene.activity) >= 2)  # type: ignore[misc]
        until(agent, lambda name=name: _files(scene, name) == [(drawing, True)])  # type: ignore[misc]
    (shown,) = scene.field("maker", "drawing")["values"]
    assert shown["value"] == drawing


def _files(scene: Scene, name: str) -> list[tuple[str, bool]]:
    return [(each["file"], each["whole"]) for each in scene.sees(name)["attachments"]]


def _take_on(scene: Scene) -> None:
    """Take it on once the quantity is agreed, and bind the press, whose readings all then read."""
    scene.wait_usable("maker", "quantity")
    scene.types("maker", "update", "--set", "confirmed=yes", "--bind", _PRESS_NAME)
    assert _press(scene, 3) == [1, 2, 3]


def _press(scene: Scene, strokes: int) -> list[Any]:
    """Have the press make strokes, heard by its gateway; give what the customer reads of them."""
    maker = scene.agents["maker"]
    before = len(maker.readings())
    machine = Publisher(scene.plant.port, f"plant/{_PRESS_NAME}")
    for stroke in range(1, strokes + 1):
        machine.publish(f'{{"strokes": {stroke}}}')
    machine.finish()
    until(maker, lambda: len(maker.readings()) == before + strokes)
    until(scene.agents["customer"], lambda: len(_read(scene, "customer")) >= 3)
    return _read(scene, "customer")


def _read(scene: Scene, name: str) -> list[Any]:
    """Give what a gateway answers when it is asked for the activity's readings."""
    asked = ("query", "--activity", scene.activity)
    rows = scene.terminal.facts(scene.agents[name], *asked)["rows"]
    assert {(row["device"], row["activity"]) for row in rows} <= {(_PRESS_NAME, scene.activity)}
    return [row["value"] for row in rows]


def _write_at_once(scene: Scene) -> int:
    """Write at all gateways while nobody hears anybody; give how many pieces then count."""
    for name in ("maker", "maker-2"):
        scene.wait_usable(name, "confirmed")
    scene.cut()
    assert scene.refused("customer", "update", "--set", "produced=5") == "activity.unauthorised"
    assert scene.refused("maker", "update", "--set", "produced=501") == "activity.guard"
    made = {"maker": 300, "maker-2": 250}
    for name, count in made.items():
        scene.types(name, "update", "--set", f"produced={count}")
    scene.types("customer", "update", "--set", "deviation=no burrs above 0.1 mm")
    scene.types("maker", "update", "--set", "deviation=burrs up to 0.3 mm")
    for name in ("customer", "maker", "supervisor"):
        scene.types(name, "update", "--set", f"remark={name} alone")
    scene.mend()
    # More were made than ordered, and nobody could know: it is one gateway's, the same at all.
    seen = scene.sees("supervisor")
    (rejected,) = seen["rejected"]
    assert rejected["code"] == "activity.guard"
    assert "no more is made than was ordered" in rejected["reason"]
    deviations = scene.field("supervisor", "deviation")
    assert deviations["concurrent"] and len(deviations["values"]) == 2
    assert len(scene.field("supervisor", "remark")["values"]) == 4
    (counted,) = scene.field("supervisor", "produced")["values"]
    assert counted["value"] == made[counted["gateway"]]
    return _set_right(scene, counted)


def _set_right(scene: Scene, counted: Facts) -> int:
    """Say again what did not count, correct what did, and settle what was said at once."""
    (other,) = {"maker", "maker-2"} - {counted["gateway"]}
    corrected, rest = counted["value"] - 1, _QUANTITY - counted["value"]
    scene.types(other, "update", "--set", f"produced={rest}")
    scene.types(
        counted["gateway"], "correct", counted["record"][:16], "--set", f"produced={corrected}"
    )
    scene.types("customer", "update", "--set", "deviation=burrs up to 0.2 mm")
    scene.converge()
    field = scene.field("customer", "produced")
    assert field["total"] == corrected + rest == _QUANTITY - 1
    (history,) = [each["corrects"] for each in field["values"] if each["corrects"]]
    assert history == [{"value": counted["value"], "record": counted["record"]}]
    assert not scene.field("supervisor", "deviation")["concurrent"]
    return int(field["total"])


def _accept(scene: Scene, folder: Path, persons: tuple[Person, Person]) -> None:
    """Accept by the word of two persons, given without a link; it counts once it is agreed."""
    customer = scene.agents["customer"]
    scene.wait_usable("customer", "produced")
    assert scene.refused("maker", "update", "--set", "accepted=accepted") == (
        "activity.unauthorised"
    )
    scene.cut()
    record = scene.types("customer", "update", "--set", "accepted=accepted")["record"]
    assert scene.refused("customer", "update", "--set", "accepted=rejected") == (
        "activity.slot-taken"
    )
    shown = persons[0].types(customer, "order", "approve", record[:16])
    assert "I approve:" in shown and 'accepted = "accepted"' in shown
    sheet = folder / "acceptance.sheet"
    asked = ("order", "approve", record[:16], "--request", str(sheet))
    wanted = scene.terminal.facts(customer, *asked)
    signed = persons[1].signs(sheet, wanted["digits"])
    scene.terminal.facts(customer, "order", "approve", "--signed", str(signed))
    # Both approved: but nobody else knows of it.
    (accepted,) = scene.field("customer", "accepted")["values"]
    assert accepted["wanted"] == {"persons": 0, "organisations": 0}
    assert (accepted["status"], accepted["usable"]) == ("local", False)
    assert scene.refused("customer", "close") == "act.not-reached"
    scene.between.start()
    for name in _MEMBERS:
        scene.wait_usable(name, "accepted")


def _close(scene: Scene) -> None:
    """Close it while the maker still writes, unheard: that is late, and shown so at all."""
    fields = [each["name"] for each in scene.sees("customer")["fields"] if each["values"]]
    until(
        scene.agents["customer"],
        lambda: (
            {each["status"] for one in fields for each in scene.field("customer", one)["values"]}
            == {"agreed"}
        ),
    )
    scene.cut()
    scene.types("customer", "close")
    late = [
        scene.types("maker", "update", "--set", f"remark=late, {turn}")["record"]
        for turn in range(2)
    ]
    scene.mend()
    seen = scene.sees("supervisor")
    codes = {each["record"]: each["code"] for each in seen["rejected"]}
    assert codes[late[1]] == "activity.closed"
    assert (seen["state"], seen["devices"]) == ("closed", [])
    assert scene.refused("maker", "update", "--set", "remark=more") == "activity.closed"


def _outside(scene: Scene) -> int:
    """See that who is no party holds nothing of it; give how many bytes were searched."""
    group = scene.terminal.facts(
        scene.agents["customer"], "group", "show", scene.sees("customer")["group"]
    )["id"]
    needles = {
        each if isinstance(each, bytes) else each.encode()
        for each in (
            *(bytes.fromhex(group), group, bytes.fromhex(scene.activity), scene.activity),
            *(_PURPOSE, _PRESS_NAME, "bracket 7, rev C", "burrs up to"),
        )
    }
    inside, outside = (scene.agents[name].disk() for name in ("customer", "outsider"))
    assert len([each for each in needles if each in inside]) >= 2
    assert [each for each in needles if each in outside] == []
    assert scene.terminal.facts(scene.agents["outsider"], "activity", "list")["activities"] == []
    return len(outside)


@pytest.mark.timeout(300)
def test_a_production_order_from_open_to_close(
    tmp_path: Path, scene: Scene, figures: Callable[..., None]
) -> None:
    """All members come to the same, however often the link is cut, and nobody else reads any."""
    persons = tuple(certified(scene.terminal, scene.agents["customer"], it) for it in ("an", "li"))
    drawing = _open_offline(scene, tmp_path)
    _hear_of_it(scene, drawing)
    _take_on(scene)
    pieces = _write_at_once(scene)
    _accept(scene, tmp_path, (persons[0], persons[1]))
    _close(scene)
    assert _press(scene, 2) == [1, 2, 3]
    searched = _outside(scene)
    seen = scene.sees("supervisor")
    figures(members=len(_MEMBERS), records=seen["records"], rejected=len(seen["rejected"]))
    figures(pieces=pieces, approvals=2, attached_bytes=_FILE_BYTES, outside_bytes=searched)
