"""Privacy: what the members of a group read, nobody else does, whoever carries it.

Four organisations of one consortium as real agents over a real broker. Its operator keeps every
byte that crossed; of who is no member, all of its disk and all that its keys open is searched.
"""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.groups.group import Group
from gateway.store import state
from tests import needles
from tests.agents import AgentProcess
from tests.broker import Broker, Publisher
from tests.needles import Needles
from tests.operator import Operator
from tests.paired import hulian, pair, rows, standing, until

_LINK = """
[[link]]
name = "consortium"
url = "{url}"

[[accept]]
organisation = "alder"
"""
_MACHINES = """
[[source]]
name = "presses"
type = "mqtt"
url = "{url}"
topics = ["plant/#"]
device = "topic[1]"

[[route]]
devices = ["press-*"]
group = "pressing"
"""
_PURPOSE = "hydraulic-pressing-of-hull-4711"
_BEFORE, _AFTER = ("press-hydra-17", "ram_travel_mm"), ("press-orion-23", "oil_temperature_c")
_COUNT = 60


@dataclass
class Scene:
    """The agents, the broker between them, its operator, and the machines' broker in a plant."""

    agents: dict[str, AgentProcess]
    between: Broker
    plant: Broker
    operator: Operator
    dice: random.Random = field(default_factory=lambda: random.Random(4711))

    def __getitem__(self, name: str) -> AgentProcess:
        return self.agents[name]

    def speak(self, machine: tuple[str, str]) -> list[float]:
        """Have a machine say values that nobody would guess, and see them stored."""
        device, metric = machine
        alder = self["alder"]
        stored = alder.stands()["store"]["readings"]
        values = [self.dice.uniform(100, 900) for _ in range(_COUNT)]
        press = Publisher(self.plant.port, f"plant/{device}")
        for value in values:
            press.publish(f'{{"{metric}": {value!r}}}')
            time.sleep(0.03)  # so that it takes many commits, and as many records
        press.finish()
        until(alder, lambda: alder.stands()["store"]["readings"] == stored + _COUNT)
        return values


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """Give four organisations of one consortium whose agents run."""
    for name in ("between", "plant"):
        (tmp_path / name).mkdir()
    between, plant = Broker(tmp_path / "between"), Broker(tmp_path / "plant")
    agents = {}
    for name in ("alder", "birch", "cedar", "dogwood"):
        (tmp_path / name).mkdir()
        agents[name] = AgentProcess(tmp_path / name, name, _LINK.format(url=between.url))
    pair(*agents.values())
    with ExitStack() as ending:
        for broker in (between, plant):
            ending.callback(broker.stop)
        operator = ending.enter_context(Operator(between))
        for each in agents.values():
            each.start()
            ending.callback(each.kill)
        yield Scene(agents, between, plant, operator)


# What is searched for.


def _needles(scene: Scene, machine: tuple[str, str], values: list[float]) -> Needles:
    """Name what a machine's readings are made of, and the keys that open them."""
    alder = scene["alder"]
    own = [row for row in rows(alder, "pressing") if row["device"] == machine[0]]
    assert len(own) == len(values)
    read = {str(row["record"]) for row in own}
    keys = needles.of_keys(alder, _group(scene).id, read)
    assert len(keys) > len(read)
    return {f"name {each}": each.encode() for each in machine} | needles.of_values(values) | keys


def _group(scene: Scene) -> Group:
    return state.load(scene["alder"].state_dir).groups["pressing"]


def _of_the_group(scene: Scene) -> Needles:
    """Name what only members know of the group itself."""
    group = _group(scene)
    return {"purpose": _PURPOSE.encode(), "secret": group.secret, "group": group.id}


# The story.


def _found_the_group(scene: Scene) -> None:
    """Alder asks Birch and Cedar into a sealed group, and sends it what its presses say."""
    alder = scene["alder"]
    partners = ("--with", "birch", "--with", "cedar")
    hulian(alder, "group", "create", "pressing", "--purpose", _PURPOSE, "--history", *partners)
    for name in ("birch", "cedar"):
        until(scene[name], lambda name=name: standing(scene[name], _PURPOSE))  # type: ignore[misc]
    until(alder, lambda: not standing(alder, "pressing")["invited"])
    with alder.config.open("a") as config:
        config.write(_MACHINES.format(url=scene.plant.url))
    before = alder.stands()["run"]
    assert alder.process is not None
    os.kill(alder.process.pid, signal.SIGHUP)
    until(alder, lambda: alder.stands().get("run", before) != before)
    alder.listen()


def _until_they_read(scene: Scene, *names: str) -> None:
    """Wait until these members read just what Alder stored."""
    stored = rows(scene["alder"], "pressing")
    for name in names:
        until(scene[name], lambda name=name: rows(scene[name], _PURPOSE) == stored)  # type: ignore[misc]


def _add_dogwood(scene: Scene) -> None:
    """Alder proposes it, and as the policy asks a second organisation approves."""
    alder, birch, dogwood = scene["alder"], scene["birch"], scene["dogwood"]
    (proposal,) = hulian(alder, "group", "add", "pressing", "dogwood")["proposals"]
    assert len(hulian(alder, "group", "show", "pressing")["members"]) == 3
    until(birch, lambda: hulian(birch, "group", "show", _PURPOSE)["pending"])
    hulian(birch, "group", "approve", _PURPOSE, proposal[:16])
    until(dogwood, lambda: standing(dogwood, _PURPOSE))
    until(alder, lambda: standing(alder, "pressing")["members"] == 4)
    until(alder, lambda: not standing(alder, "pressing")["rotation"])


@pytest.mark.timeout(600)
def test_only_members_read(scene: Scene, figures: Callable[..., None]) -> None:
    """Members read what was said; no other disk, key or wire has a word or a key of it."""
    alder, birch, dogwood = scene["alder"], scene["birch"], scene["dogwood"]
    _found_the_group(scene)
    early = _needles(scene, _BEFORE, scene.speak(_BEFORE))
    _until_they_read(scene, "birch", "cedar")
    inside = _of_the_group(scene)
    # Dogwood is no member: nothing of it is on its disk, nor opens under its keys.
    until(dogwood, lambda: standing(dogwood, "consortium").get("members") == 4)
    count, opened = needles.opened(dogwood, scene.operator.heard)
    disk = dogwood.disk()
    public = {"what is public": state.load(alder.state_dir).node}
    assert count > 0 and needles.found_in(opened, public) and needles.found_in(disk, public)
    assert not needles.found_in(opened + disk, early | inside)
    tag = _group(scene).tag
    assert any(topic.startswith(f"hl/1/g/{tag}/rec/") for topic, _ in scene.operator.heard)
    # It is added: it holds all that was said, and reads what is said from now on.
    _add_dogwood(scene)
    late = _needles(scene, _AFTER, scene.speak(_AFTER))
    all_rows = rows(alder, "pressing")
    news = [row for row in all_rows if row["device"] == _AFTER[0]]
    sealed = len({row["record"] for row in all_rows} - {row["record"] for row in news})
    until(dogwood, lambda: rows(dogwood, _PURPOSE) == news)
    until(dogwood, lambda: hulian(dogwood, "query", "--group", _PURPOSE)["sealed"] == sealed)
    later = dogwood.disk()
    assert not needles.found_in(later, early)
    # Its history is shared with it: then it reads that too.
    assert hulian(alder, "group", "share", "pressing", "dogwood")["keys"] >= 1
    _until_they_read(scene, "birch", "cedar", "dogwood")
    everything = early | late | inside
    control = needles.control(birch, _group(scene).id, rows(birch, _PURPOSE))
    assert needles.found_in(control, everything) == list(everything)
    crossed = needles.crossed(scene.operator.heard)
    assert not needles.found_in(crossed, everything)
    figures(
        readings=len(all_rows),
        sealed_for_the_newcomer=sealed,
        bytes_at_the_broker=len(crossed),
        bytes_of_the_outsider=len(opened) + len(disk) + len(later),
        needles=len(everything),
        found_there=0,
        found_at_a_member=len(everything),
    )
