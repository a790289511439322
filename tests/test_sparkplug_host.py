"""The specification's statements about host applications, on the wire of a real broker."""

import asyncio
import json
import re
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.readings.sparkplug_payload import Metric, Payload, decode, encode
from gateway.readings.sparkplug_values import Datatype as D
from gateway.sources.sparkplug_trial import SparkplugTrial
from tests import test_sparkplug_moves as moves
from tests.plant import NCMD, REORDER_MS, STATE, Plant, wait
from tests.station import now
from tests.vectors import build_sparkplug
from tests.vectors.build_sparkplug import DEVICE, NODE

ROOT = Path(__file__).parent.parent


@pytest.fixture()
def plant(tmp_path: Path) -> Iterator[Plant]:
    made = Plant(tmp_path)
    yield made
    made.close()


def run(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(story())


def metric(value: float, sequence: int, name: str | None = None, alias: int | None = 10) -> bytes:
    datatype = D.DOUBLE if name else 0
    time_ms = build_sparkplug.MS + 1_000 + sequence
    one = Metric(name, None if name else alias, time_ms, datatype, "double_value", value)
    return encode(Payload(time_ms, sequence, (one,)))


def test_the_will_is_the_death_certificate(plant: Plant) -> None:
    """CONNECT has a will on our STATE topic: QoS 1, retained, offline, with the time of CONNECT."""

    async def story() -> None:
        async with plant.host():
            (connect,) = plant.tap.wait(kind="CONNECT")
        will = connect.will
        assert will is not None
        assert (will.topic, will.qos, will.retain) == (STATE, 1, True)
        said = json.loads(will.payload)
        assert said.keys() == {"online", "timestamp"}
        assert said["online"] is False
        assert abs(said["timestamp"] - connect.unix_ms) < 1_000

    run(story)


def test_the_session_is_clean(plant: Plant) -> None:
    """MQTT 5: Clean Start, and a session that ends with the connection."""

    async def story() -> None:
        async with plant.host():
            (connect,) = plant.tap.wait(kind="CONNECT")
        assert (connect.version, connect.clean, connect.session_s) == (5, True, 0)

    run(story)


def test_the_session_is_clean_where_the_broker_speaks_3_1_1(tmp_path: Path) -> None:
    """MQTT 3.1.1: Clean Session."""
    plant = Plant(tmp_path, old=True)

    async def story() -> None:
        async with plant.host():
            connects = plant.tap.wait(kind="CONNECT", version=4)
        assert [connect.clean for connect in connects] == [True]
        assert connects[0].will is not None

    try:
        run(story)
    finally:
        plant.close()


def test_the_birth_comes_after_the_subscriptions_and_before_all_else(plant: Plant) -> None:
    """SUBSCRIBE to our STATE and the namespace, SUBACK, then STATE online with the will's time."""

    async def story() -> None:
        async with plant.host():
            (birth,) = plant.tap.wait(sender="host", kind="PUBLISH")
        kinds = [one.kind for one in plant.tap.packets[: plant.tap.packets.index(birth)]]
        assert kinds == ["CONNECT", "CONNACK", "SUBSCRIBE", "SUBACK"]
        (subscribe,) = plant.tap.find(kind="SUBSCRIBE")
        assert STATE in subscribe.topics
        assert "spBv1.0/plant/NBIRTH/+" in subscribe.topics
        (connect,) = plant.tap.find(kind="CONNECT")
        assert connect.will is not None
        assert (birth.topic, birth.qos, birth.retain) == (STATE, 1, True)
        stamp = json.loads(connect.will.payload)["timestamp"]
        assert json.loads(birth.payload) == {"online": True, "timestamp": stamp}

    run(story)


def test_every_connection_has_a_will_and_a_birth_of_its_own(plant: Plant) -> None:
    """After a cut the will and the birth have a new time, of this connection alone."""

    async def story() -> None:
        async with plant.host():
            await asyncio.sleep(0.05)
            plant.tap.cut()
            await asyncio.to_thread(plant.tap.wait, 2, kind="SUBSCRIBE")
            await wait(lambda: len(plant.states()) == 2)
        connects = plant.tap.find(kind="CONNECT")
        stamps = [json.loads(one.will.payload)["timestamp"] for one in connects if one.will]
        births = [json.loads(one.payload) for one in plant.states()][:2]
        assert births == [{"online": True, "timestamp": stamp} for stamp in stamps]
        assert stamps[0] < stamps[1]

    run(story)


def test_leaving_publishes_the_death_certificate_first(plant: Plant) -> None:
    """STATE offline, QoS 1, retained, with the time of leaving, and only then DISCONNECT."""

    async def story() -> None:
        async with plant.host():
            pass
        plant.tap.wait(sender="host", kind="DISCONNECT")
        death = plant.states()[-1]
        after = plant.tap.packets[plant.tap.packets.index(death) + 1 :]
        assert [one.kind for one in after if one.sender == "host"][:1] == ["DISCONNECT"]
        assert (death.topic, death.qos, death.retain) == (STATE, 1, True)
        said = json.loads(death.payload)
        assert said["online"] is False
        assert abs(said["timestamp"] - death.unix_ms) < 1_000

    run(story)


def test_a_death_in_our_name_is_answered_with_our_birth(plant: Plant) -> None:
    """Whoever says that we are gone is set right at once, with the time of our CONNECT."""

    async def story() -> None:
        async with plant.host():
            (birth,) = plant.tap.wait(sender="host", kind="PUBLISH")
            plant.say(STATE, b'{"online": false, "timestamp": 1}')
            await wait(lambda: len(plant.states()) == 2)
            assert plant.states()[1].payload == birth.payload
            assert plant.states()[1].retain and plant.states()[1].qos == 1

    run(story)


def test_a_late_message_within_the_window_is_no_gap(plant: Plant) -> None:
    """What is missing comes before the timer ends: all is stored in order, nobody is asked."""

    async def story() -> None:
        async with plant.host() as host:
            plant.born()
            plant.say(DEVICE.format("DDATA"), metric(3.0, 3))
            plant.say(DEVICE.format("DDATA"), metric(2.0, 2))
            await wait(lambda: host.counts["reordered"] == 1)
            await asyncio.sleep(2 * REORDER_MS / 1_000)
            assert plant.tap.find(topic=NCMD) == []
        stored = [one.value for one in plant.station.stored() if one.metric == "Temperature"]
        assert stored == [21.5, 2.0, 3.0]

    run(story)


def test_a_gap_is_answered_with_a_rebirth_request_after_the_window(plant: Plant) -> None:
    """The timer ends without what is missing: one NCMD, exactly as the specification writes it."""

    async def story() -> None:
        async with plant.host():
            plant.born()
            plant.say(DEVICE.format("DDATA"), metric(3.0, 3))
            (heard,) = plant.tap.wait(sender="broker", topic=DEVICE.format("DDATA"))
            (asked,) = plant.tap.wait(sender="host", kind="PUBLISH", topic=NCMD)
        assert REORDER_MS <= asked.unix_ms - heard.unix_ms <= REORDER_MS + 700
        assert (asked.qos, asked.retain) == (0, False)
        said = decode(asked.payload, 10_000)
        assert said.sequence is None
        assert said.time_ms is not None and abs(said.time_ms - asked.unix_ms) < 1_000
        (wish,) = said.metrics
        assert (wish.name, wish.alias, wish.said) == ("Node Control/Rebirth", None, True)
        (kept,) = plant.station.quarantined()
        assert kept.what.code == "sparkplug.unborn"

    run(story)


def test_the_window_can_be_set(plant: Plant) -> None:
    """With reorder_ms = 0 the request comes at once."""

    async def story() -> None:
        async with plant.host(reorder_ms=0):
            plant.born()
            plant.say(DEVICE.format("DDATA"), metric(3.0, 3))
            (heard,) = plant.tap.wait(sender="broker", topic=DEVICE.format("DDATA"))
            (asked,) = plant.tap.wait(sender="host", topic=NCMD)
        assert asked.unix_ms - heard.unix_ms < REORDER_MS

    run(story)


def test_a_message_before_a_birth_asks_for_one(plant: Plant) -> None:
    """A host that comes later than the edge node has itself told what it missed."""

    async def story() -> None:
        async with plant.host():
            plant.say(DEVICE.format("DDATA"), metric(3.0, 77))
            plant.tap.wait(sender="host", topic=NCMD)

    run(story)


def test_the_death_of_an_edge_node_makes_all_of_it_stale(plant: Plant) -> None:
    """NDEATH: edge node and devices are dead at the time of hearing, and so are their metrics."""

    async def story() -> None:
        async with plant.host() as host:
            plant.born()
            await wait(lambda: [life.state for life in host.lives()] == ["alive"] * 2)
            begun_ms = time.time_ns() // 1_000_000
            session = Metric("bdSeq", None, 1, D.INT64, "long_value", 7)
            plant.say(NODE.format("NDEATH"), encode(Payload(1, None, (session,))))
            await wait(lambda: [life.state for life in host.lives()] == ["dead"] * 2)
        ends = [one for one in plant.station.stored() if one.value is False]
        ends = [one for one in ends if one.metric == "sparkplug/online"]
        assert {one.device for one in ends} == {"plant/line-1", "plant/line-1/press-1"}
        assert all(0 <= (one.time_ms or 0) - begun_ms < 2_000 for one in ends)

    run(story)


def test_the_death_of_another_session_changes_nothing(plant: Plant) -> None:
    """NDEATH with a bdSeq that is not that of the NBIRTH is of an earlier session."""

    async def story() -> None:
        async with plant.host() as host:
            plant.born()
            session = Metric("bdSeq", None, 1, D.INT64, "long_value", 6)
            plant.say(NODE.format("NDEATH"), encode(Payload(1, None, (session,))))
            await wait(lambda: host.counts["deaths_before"] == 1)
            assert [life.state for life in host.lives()] == ["alive"] * 2

    run(story)


def test_the_death_of_a_device_makes_it_stale_at_its_time(plant: Plant) -> None:
    """DDEATH: the device alone is dead, at the time that its payload has."""

    async def story() -> None:
        async with plant.host() as host:
            plant.born()
            at_ms = build_sparkplug.MS + 4_321
            plant.say(DEVICE.format("DDEATH"), encode(Payload(at_ms, 2)))
            await wait(lambda: [life.state for life in host.lives()] == ["alive", "dead"])
        (end,) = [
            one
            for one in plant.station.stored()
            if one.metric == "sparkplug/online" and one.value is False
        ]
        assert (end.device, end.time_ms) == ("plant/line-1/press-1", at_ms)

    run(story)


def test_a_lost_connection_makes_all_stale(plant: Plant) -> None:
    """Without a connection nothing is current; once back, certificates are asked for."""

    async def story() -> None:
        async with plant.host() as host:
            plant.born()
            await wait(lambda: [life.state for life in host.lives()] == ["alive"] * 2)
            plant.tap.cut()
            await wait(lambda: [life.state for life in host.lives()] == ["stale"] * 2)
            await asyncio.to_thread(plant.tap.wait, 1, sender="host", topic=NCMD)
            plant.born()
            await wait(lambda: [life.state for life in host.lives()] == ["alive"] * 2)

    run(story)


def test_no_command_is_ever_sent_but_a_rebirth_request(plant: Plant) -> None:
    """Whatever is heard, a host publishes its STATE and NCMDs of one metric."""

    async def story() -> None:
        async with plant.host():
            for vector in build_sparkplug.build()["bad"]:  # type: ignore[attr-defined]
                if "\x1b" not in vector["topic"]:
                    plant.say(vector["topic"], bytes.fromhex(vector["hex"]))
            plant.tap.wait(sender="host", topic=NCMD)
        topics = {one.topic for one in plant.tap.find(sender="host", kind="PUBLISH")}
        assert topics == {STATE, NCMD}

    run(story)


def test_a_trial_is_no_host(plant: Plant) -> None:
    """`hulian test` shows what is said, and publishes nothing: no STATE, no will, no request."""

    async def story() -> None:
        trial = SparkplugTrial(plant.config, now, "hulian-trial")
        task = asyncio.create_task(trial.run())
        await asyncio.to_thread(plant.tap.wait, kind="SUBACK")
        plant.say(DEVICE.format("DDATA"), metric(1.0, 1))
        plant.born()
        plant.say(DEVICE.format("DDATA"), metric(2.0, 2))
        await wait(lambda: len(trial.found.kept) == 3)
        task.cancel()
        await asyncio.wait((task,))
        assert [fault.code for fault in trial.found.kept[0].faults] == ["sparkplug.unborn"]
        assert trial.found.kept[2].readings[1].value == 21.5
        assert plant.tap.find(sender="host", kind="PUBLISH") == []
        (connect,) = plant.tap.find(kind="CONNECT")
        assert connect.will is None

    run(story)


def test_the_table_of_conformance_names_tests_that_there_are() -> None:
    """Each statement stands once in the chapter, with a test of hosts or moves, or a reason."""
    text = (ROOT / "docs" / "devices" / "sparkplug.md").read_text("utf-8")
    _, _, table = text.partition("| statement | holds | test |\n")
    rows = re.findall(r"^\| (.*?) \| (yes|none of ours) \| (.*?) \|$", table, re.MULTILINE)
    named = [
        name for statements, _, _ in rows for name in re.findall(r"`([a-z0-9-]+)`", statements)
    ]
    assert len(named) == len(set(named)) >= 80
    tests = {name for name in {**globals(), **vars(moves)} if name.startswith("test_")}
    for statements, holds, shown in rows:
        if holds == "yes":
            assert set(re.findall(r"`(test_\w+)`", shown)) <= tests, statements
            assert "`test_" in shown, statements
        else:
            assert shown, statements
