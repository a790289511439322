"""A payload of which some metrics cannot be read, from a real broker through the real agent."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.store import database, quarantine
from gateway.store.quarantine import Quarantined
from tests.agents import AgentProcess
from tests.broker import Broker, Publisher

_SOURCE = """
[[source]]
name = "meters"
type = "mqtt"
url = "{url}"
topics = ["plant/+/telemetry"]
device = "topic[1]"
time = "ts"
[[source.metric]]
name = "temperature"
path = "env.temp_c"
unit = "Cel"
[[source.metric]]
name = "strokes"
path = "strokes"
[[source.metric]]
name = "state"
path = "state"
"""
_T0 = 1_795_262_400


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    (tmp_path / "broker").mkdir()
    started = Broker(tmp_path / "broker")
    yield started
    started.stop()


def _payload(number: int, **more: object) -> str:
    said = {"ts": _T0 + number, "env": {"temp_c": 20.5}, "strokes": number, "state": "run"}
    return json.dumps(said | more)


def _wait(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < until, "it did not come to hold in time"
        time.sleep(0.05)


def _quarantined(agent: AgentProcess) -> list[Quarantined]:
    db = database.connect_to_read(str(agent.state_dir / "store.db"))
    entries = quarantine.newest(db, 100)
    db.close()
    return entries


def test_what_can_be_read_of_a_payload_is_stored_and_the_payload_kept_once(
    tmp_path: Path, broker: Broker
) -> None:
    """Good metrics become readings, the whole payload one entry, and all of it is acknowledged."""
    partly = [
        _payload(1, strokes=[1]),
        _payload(2, env={"temp_c": [1]}, state={"no": "value"}),
        _payload(3, env={"temp_c": {"deep": 1}}),
    ]
    wholly_bad = ["{", _payload(4, ts="yesterday"), _payload(5, env=[], strokes=[], state=[])]
    silent = _payload(7, strokes=None, env=None)  # what a payload does not say is no fault of it
    said = [_payload(0), *partly, *wholly_bad, _payload(6), silent]
    agent = AgentProcess(tmp_path, "press-shop", _SOURCE.format(url=broker.url))
    agent.start()
    agent.listen()
    device = Publisher(broker.port, "plant/press-1/telemetry")
    for payload in said:
        device.publish(payload)
    device.finish()
    _wait(lambda: agent.status()["counters"]["acknowledged"] == len(said))
    counters = agent.status()["counters"]
    agent.stop()
    stored = {(it.time_ms, it.metric): it.value for it in agent.readings()}
    whole = [
        (number, name, value)
        for number in (0, 6)
        for name, value in (("temperature", 20.5), ("strokes", number), ("state", "run"))
    ]
    parts = [(1, "temperature", 20.5), (1, "state", "run"), (2, "strokes", 2)]
    parts += [(3, "strokes", 3), (3, "state", "run"), (7, "state", "run")]
    assert stored == {
        (1000 * (_T0 + number), name): value for number, name, value in [*whole, *parts]
    }
    assert counters["stored"] == len(stored) == len(agent.readings())
    assert counters["quarantined"] == len(partly) + len(wholly_bad)
    kept = _quarantined(agent)
    assert sorted(it.what.payload.decode() for it in kept) == sorted([*partly, *wholly_bad])
    assert all(it.what.code and it.what.reason.startswith(it.what.code) for it in kept)
    assert {it.what.origin for it in kept} == {"plant/press-1/telemetry"}
    _nothing_comes_again(agent, len(stored), len(kept))


def _nothing_comes_again(agent: AgentProcess, stored: int, kept: int) -> None:
    """See that the broker has every acknowledgement: its session has nothing left to deliver."""
    agent.start()
    agent.listen()
    time.sleep(0.5)
    assert agent.status()["counters"]["received"] == 0
    agent.stop()
    assert (len(agent.readings()), len(_quarantined(agent))) == (stored, kept)
