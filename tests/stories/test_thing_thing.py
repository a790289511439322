"""A thing orders from a thing: a dairy's tank asks a works' pump for a refill, under a mandate.

Real agents of two companies. The tank's board speaks firmware_bridge's protocol, the pump is a
Modbus unit; both are on pseudo-terminals. A rule of the dairy's config asks; a person of the works
has allowed it, how much and how often, and takes it back. What the pump did is read off its line.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.agents import AgentProcess
from tests.broker import Broker
from tests.desk import Person, certified
from tests.neighbours import Terminal
from tests.paired import pair, until
from tests.refill import REFILL, Plant, plant

_LINK = """
[[link]]
name = "partners"
url = "{between}"

[[accept]]
organisation = "dairy"
"""
_TANK = """
[[source]]
name = "tank-1"
type = "framed"
url = "{tank}"
"""
_PUMP = """
[[source]]
name = "pump-1"
type = "modbus"
url = "{pump}"
unit_id = 1
poll_ms = 500

[[source.metric]]
name = "refill"
register = "holding:{register}"
unit = "l"

[[source.point]]
name = "pump-1.refill"
register = "holding:{register}"
unit = "l"
min = 0
max = 100
orders_from = ["dairy"]
"""
_RULES = """
[[rule]]
name = "low"
device = "tank-1"
metric = "level"
below = {low}
reset = {reset}
for_s = 0
mandate = "{mandate}"
value = {refill}

[[rule]]
name = "nearly-empty"
device = "tank-1"
metric = "level"
below = 10
for_s = 0
mandate = "{mandate}"
value = 90
"""
_TEMPLATE = """
name = "refill"
title = { en = "A tank is kept filled" }
kind = "thing-thing"
mode = "information"
version = 1

[field.remark]
title = { en = "Remark" }
type = "text"
merge = "append"
write = ["initiator", "receiver"]

[close]
write = ["initiator"]

[order]
write = ["initiator"]
"""
_START, _LOW, _RESET, _REFILL, _TIMES = 80, 30, 60, 20, 2


@dataclass
class Scene:
    """The two companies' agents, their machines, and where people type."""

    dairy: AgentProcess
    works: AgentProcess
    machines: Plant
    terminal: Terminal
    activity: str = ""

    def orders(self, agent: AgentProcess) -> list[dict[str, Any]]:
        """Give the orders that a gateway lists, the oldest first."""
        listed: list[dict[str, Any]] = self.terminal.facts(agent, "order", "list")["orders"]
        return listed[::-1]

    def ended(self, count: int) -> dict[str, Any]:
        """Wait until so many orders ended, which both gateways show alike; give the newest."""
        for each in (self.works, self.dairy):
            until(each, lambda each=each: self._ends(each) >= count)  # type: ignore[misc]
        mine, theirs = self.orders(self.dairy), self.orders(self.works)
        assert [_end(each) for each in mine] == [_end(each) for each in theirs]
        assert len(mine) == count, mine
        return mine[-1]

    def bring_to(self, level: float) -> None:
        """Bring the tank to a level by hand, and wait until the works has read it."""
        before = len(self._levels())
        self.machines.bring_to(level)
        until(self.works, lambda: level in self._levels()[before:])

    def reads(self, level: float) -> None:
        """Wait until the works has read a level last."""
        until(self.works, lambda: self._levels()[-1:] == [level])

    def _levels(self) -> list[float]:
        asked = ("query", "--activity", self.activity, "--device", "tank-1")
        rows = self.terminal.facts(self.works, *asked)["rows"]
        return [row["value"] for row in rows]

    def _ends(self, agent: AgentProcess) -> int:
        return sum(
            each["state"] not in ("sent", "waiting", "started") for each in self.orders(agent)
        )


def _end(order: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(order[each] for each in ("order", "state", "reason", "value", "read_back"))


@pytest.fixture
def scene(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Scene]:
    """Give two companies whose machines and gateways run."""
    with ExitStack() as ending:
        (tmp_path / "between").mkdir()
        between = Broker(tmp_path / "between")
        ending.callback(between.stop)
        machines = ending.enter_context(plant(tmp_path, _START))
        pump = _PUMP.format(pump=machines.pump.url, register=REFILL)
        agents = []
        for name, config in (("dairy", _TANK.format(tank=machines.tank_url)), ("works", pump)):
            (tmp_path / name).mkdir()
            told = _LINK.format(between=between.url) + config
            agents.append(AgentProcess(tmp_path / name, name, told))
            ending.callback(agents[-1].end)
        pair(*agents)
        with ThreadPoolExecutor() as pool:
            list(pool.map(AgentProcess.start, agents))
        for each in agents:
            each.listen()
        yield Scene(agents[0], agents[1], machines, Terminal(capsys, monkeypatch))


# The story.


def _open(scene: Scene, folder: Path) -> None:
    """Open the activity; the tank's readings belong to it, and the works reads them."""
    (folder / "refill.toml").write_text(_TEMPLATE)
    asked = ("--template", str(folder / "refill.toml"), "--purpose", "tank 1 is kept filled")
    parties = ("--with", "works:receiver", "--device", "tank-1")
    opened = scene.terminal.facts(scene.dairy, "activity", "open", *asked, *parties)
    scene.activity = opened["activity"]
    until(scene.works, lambda: scene.terminal.facts(scene.works, "activity", "list")["activities"])
    scene.reads(_START)


def _allow(scene: Scene, giver: Person) -> str:
    """Have a person of the works sign a mandate, and wait until the dairy has it."""
    bounds = ("--min", "0", "--max", "60", "--times", "10", "--per", "1h", "--in-all", str(_TIMES))
    who = ("--from", "dairy", "--device", "tank-1", "--point", "pump-1.refill", "--unit", "l")
    shown = giver.types(scene.works, "mandate", "grant", scene.activity[:16], *who, *bounds)
    assert "to values from 0 l to 60 l" in shown and f"and {_TIMES} times in all" in shown
    until(scene.dairy, lambda: scene.terminal.facts(scene.dairy, "mandate", "list")["mandates"])
    (given,) = scene.terminal.facts(scene.dairy, "mandate", "list")["mandates"]
    return str(given["mandate"])


def _rule(scene: Scene, mandate: str) -> None:
    """Give the dairy its rules; a full tank asks for nothing."""
    scene.dairy.stop()
    rules = _RULES.format(low=_LOW, reset=_RESET, mandate=mandate, refill=_REFILL)
    scene.dairy.config.write_text(scene.dairy.config.read_text() + rules)
    scene.dairy.start()
    scene.dairy.listen()
    scene.bring_to(_START - 1)
    assert scene.orders(scene.dairy) == [] and scene.machines.poured() == []


def _refilled(scene: Scene, times: int) -> None:
    """Let the level fall: the pump is ordered and pours once, and a tremble asks for no more."""
    scene.machines.bring_to(_LOW - 5)
    done = scene.ended(times)
    assert (done["state"], done["read_back"], done["reason"]) == ("done", _REFILL, None)
    assert (done["point"], done["value"], done["by"]) == ("pump-1.refill", _REFILL, None)
    assert scene.machines.poured() == [_REFILL] * times
    scene.reads(_LOW - 5 + _REFILL)
    # It falls below the bound again before it was at `reset`: that is the same want.
    scene.bring_to(_LOW - 2)
    scene.bring_to(_LOW + 2)
    scene.bring_to(_LOW - 1)
    scene.bring_to(_RESET + times)
    assert len(scene.orders(scene.dairy)) == times


def _refused(scene: Scene, level: float, ends: int) -> str:
    """Let the level fall so far: it is refused, the pump is left alone, people fill the tank."""
    before = scene.machines.poured()
    scene.machines.bring_to(level)
    refused = scene.ended(ends)
    assert (refused["state"], refused["read_back"]) == ("refused", None)
    assert scene.machines.poured() == before
    return str(refused["reason"])


@pytest.mark.timeout(300)
def test_a_tank_orders_from_a_pump_within_its_mandate(
    tmp_path: Path, scene: Scene, figures: Callable[..., None]
) -> None:
    """Done and read back as often as was allowed; spent, beyond bounds or withdrawn: refused."""
    _open(scene, tmp_path)
    giver = certified(scene.terminal, scene.works, "li")
    mandate = _allow(scene, giver)
    _rule(scene, mandate)
    for times in range(1, _TIMES + 1):
        _refilled(scene, times)
    refused = [_refused(scene, _LOW - 6, _TIMES + 1), _refused(scene, 5, _TIMES + 2)]
    giver.types(scene.works, "mandate", "revoke", mandate[:16])
    scene.bring_to(_RESET + 5)
    refused.append(_refused(scene, _LOW - 7, _TIMES + 3))
    assert refused == ["mandate.spent", "mandate.bounds", "mandate.withdrawn"]
    assert scene.machines.poured() == [_REFILL] * _TIMES
    figures(ordered=_TIMES + len(refused), done=_TIMES, refused=len(refused), poured_l=40)
