"""Whether a device is there: by both clocks, in the store, and over restarts of a real agent."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from gateway.config import units
from gateway.query import stands_in
from gateway.readings.presence import Instant, Presence, presence
from gateway.store import database, devices
from tests.agents import HULIAN, AgentProcess
from tests.broker import Broker, Publisher

BOOT, OTHER = b"boot0001", b"boot0002"
SOURCE = """
equipment = "example/plant-1"
[[source]]
name = "meters"
type = "mqtt"
url = "{url}"
topics = ["#"]
stale_ms = 3000
equipment = "pressing"
[[source.bind]]
device = "press-1"
topics = ["press/1"]
equipment = "line-2/cell-7"
[[source.bind]]
device = "press-9"
topics = ["press/9"]
[[source]]
name = "mcu-7"
type = "framed"
url = "serial:///dev/nothing-here"
"""


@given(st.integers(0, 2**40), st.integers(0, 2**40), st.none() | st.integers(0, 2**42))
def test_one_boot_needs_no_wall_clock(then: int, later: int, unix_ms: int | None) -> None:
    """Within a boot only the monotonic clock counts, however the other one steps."""
    heard, now = Instant(unix_ms, BOOT, then), Instant(5, BOOT, then + later)
    assert heard.age_ms(now) == later
    assert presence(heard, now, 1000) is (Presence.FRESH if later <= 1000 else Presence.STALE)


def test_over_boots_the_wall_clock_tells_or_nobody_does() -> None:
    """A device heard in an earlier boot is fresh by the clock of the wall, else stale."""
    now = Instant(10_000, OTHER, 50)
    assert presence(Instant(9_500, BOOT, 7), now, 1000) is Presence.FRESH
    assert presence(Instant(8_000, BOOT, 7), now, 1000) is Presence.STALE
    assert presence(Instant(None, BOOT, 7), now, 1000) is Presence.STALE
    assert presence(Instant(9_500, BOOT, 7), Instant(None, OTHER, 50), 1000) is Presence.STALE
    assert presence(None, now, 1000) is Presence.ABSENT


def test_births_and_deaths_are_kept() -> None:
    """A device is born when first heard and when heard after a death, and keeps both times."""
    db = database.connect(":memory:")
    with db:
        devices.hear(db, "s", ["a", "b"], Instant(None, BOOT, 1))
        devices.hear(db, "s", ["a"], Instant(1000, BOOT, 2))
    [a, b] = devices.known(db)
    assert (a.first_ms, a.born_ms, a.heard, a.died_ms, a.births) == (
        *(1000, 1000, Instant(1000, BOOT, 2), None, 1),
    )
    assert (b.first_ms, b.births) == (None, 1)
    with db:
        devices.bury(db, "s", "a", 3000)
        devices.bury(db, "s", "a", 4000)
    assert devices.known(db)[0].died_ms == 3000
    with db:
        devices.hear(db, "s", ["a"], Instant(5000, BOOT, 9))
    a = devices.known(db)[0]
    assert (a.first_ms, a.born_ms, a.died_ms, a.births) == (1000, 5000, 3000, 2)


def test_devices_are_bounded() -> None:
    """Of too many devices those heard longest ago are forgotten, the dead first."""
    db = database.connect(":memory:")
    with db:
        for number in range(5):
            devices.hear(db, "s", [f"d{number}"], Instant(1000 + number, BOOT, number))
        devices.bury(db, "s", "d4", 2000)
        devices.let_go(db, 3)
    assert [each.device for each in devices.known(db)] == ["d1", "d2", "d3"]


@pytest.mark.parametrize(
    ("unit", "near"),
    [
        *(("°C", "Cel"), ("degC", "Cel"), ("celcius", "Cel"), ("kpa", "kPa"), ("rpm", "1/min")),
        *(("Nm", "N.m"), ("volts", "V"), ("m^3", "m3"), ("kwh", "kWh"), ("strokes", "{strokes}")),
    ],
)
def test_the_nearest_unit_is_named_and_is_one(unit: str, near: str) -> None:
    """Of what is no unit the nearest is told, which is one."""
    assert (units.is_unit(unit), units.nearest(unit), units.is_unit(near)) == (False, near, True)


@pytest.mark.parametrize("unit", "Cel bar kN m/s2 l/min % /100 {pcs}/min [degF] N.m 10*3/l".split())
def test_units_of_both_registries_are_known(unit: str) -> None:
    """SenML's units and UCUM's are taken as they are."""
    assert units.is_unit(unit)


@given(st.text(max_size=32))
def test_the_nearest_of_anything_is_a_unit(unit: str) -> None:
    """Whatever is written, the advice is a unit or none."""
    near = units.nearest(unit)
    assert near == "" or units.is_unit(near)


def test_what_stands_in_a_line_is_found() -> None:
    """A path asks for itself and what is in it, not for what begins with the same letters."""
    paths = ["p/line-2", "p/line-2/cell-7", "p/line-20", "p", ""]
    assert [stands_in("p/line-2", path) for path in paths] == [True, True, False, False, False]
    assert [stands_in("p/*", path) for path in paths] == [True, True, True, False, False]
    assert all(stands_in(None, path) for path in paths)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """Run a broker for one test."""
    running = Broker(tmp_path)
    yield running
    running.stop()


def _device(agent: AgentProcess, name: str) -> dict[str, Any]:
    """Ask at the agent's door, which is sooner than a command; of one at rest by the command."""
    [found] = [one for one in (agent.stands() or agent.status())["devices"] if one["name"] == name]
    return dict(found)


def _becomes(agent: AgentProcess, state: str, births: int) -> dict[str, Any]:
    """Wait until press-1 stands so, and its births are committed."""
    until = time.monotonic() + 20
    while True:
        found = _device(agent, "press-1")
        if (found["state"], found["births"]) == (state, births):
            return found
        assert time.monotonic() < until, found
        time.sleep(0.05)


def test_a_device_comes_goes_and_comes_back_over_a_restart(broker: Broker, tmp_path: Path) -> None:
    """The agent starts with devices absent, tells of their life, keeps it, and says where."""
    agent = AgentProcess(tmp_path, "press-shop", SOURCE.format(url=broker.url))
    agent.start()
    assert {one["name"]: one["state"] for one in agent.status()["devices"]} == {
        **{"press-1": "absent", "press-9": "absent", "mcu-7": "absent"}
    }
    assert _device(agent, "press-1")["equipment"] == "example/plant-1/pressing/line-2/cell-7"
    seen = tmp_path / "live.txt"
    with seen.open("w") as out:
        live = [*HULIAN, "--config", str(agent.config), "live"]
        watching = subprocess.Popen(live, stdout=out, stderr=subprocess.STDOUT)
    press = Publisher(broker.port, "press/1")
    while agent.status()["sources"][0]["state"] != "connected":
        time.sleep(0.1)
    until, published = time.monotonic() + 60, 1
    while "temp" not in seen.read_text():  # The watcher sees what comes once it is there.
        assert time.monotonic() < until, agent.log()
        press.publish('{"temp": 1}')
        published += 1
        time.sleep(0.5)
    first = _becomes(agent, "fresh", 1)
    assert first["died"] is None
    gone = _becomes(agent, "stale", 1)
    assert gone["first_heard"] == first["first_heard"] and gone["last_reading"]
    time.sleep(1.5)  # the roll is called each second
    assert _device(agent, "press-1")["died"] is not None
    watching.terminate()
    watching.wait(10)
    told = seen.read_text()
    assert "temp" in told and "press-1 is stale now" in told
    agent.stop()
    at_rest = _device(agent, "press-1")
    assert (at_rest["state"], at_rest["births"]) == ("stale", 1)
    agent.start()
    assert _device(agent, "press-1")["state"] == "stale"
    press.publish('{"temp": 2}')
    again = _becomes(agent, "fresh", 2)
    assert again["first_heard"] == first["first_heard"]
    assert again["died"] is not None and again["born"] > first["born"]
    press.finish()
    agent.stop()
    said = {each.equipment for each in agent.readings()}
    assert said == {"example/plant-1/pressing/line-2/cell-7"}
    for path, count in (("example/plant-1", published), ("example/plant-2", 0)):
        command = [*HULIAN, "--config", str(agent.config), "query", "--format", "jsonl"]
        asked = subprocess.run([*command, "--equipment", path], capture_output=True, check=True)
        assert len(asked.stdout.splitlines()) == count
