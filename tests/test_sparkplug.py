"""Sparkplug B as a host hears it: vectors, order, sessions, rebirths and bounds."""

from typing import Any

import pytest

from gateway.readings.reading import Arrival, Quality, Reading
from gateway.readings.sparkplug import ASKED_A_SECOND, Host
from gateway.readings.sparkplug_payload import Metric, Payload, decode, encode, rebirth_request
from gateway.readings.sparkplug_values import Datatype as D
from tests import mutate
from tests.vectors import build_sparkplug
from tests.vectors.build_sparkplug import DEVICE, MS, NODE

VECTORS: list[dict[str, Any]] = [
    *mutate.vectors("sparkplug"),
    *mutate.vectors("sparkplug_values"),
]
BY_NAME = {vector["name"]: vector for vector in VECTORS}
REORDER_MS = 2_000
BYTES_MAX = 262_144


def host(reorder_ms: int = REORDER_MS, rebirth: bool = True) -> Host:
    return Host(reorder_ms, rebirth, BYTES_MAX)


def at(monotonic_ms: int) -> Arrival:
    return Arrival(MS + monotonic_ms, monotonic_ms)


def born(under: Host, now_ms: int = 0) -> None:
    """Have an edge node and its device born, and take what came of it."""
    for _, topic, _, said, _ in build_sparkplug.births():
        under.hear(topic, said, at(now_ms))
    under.turn(now_ms)
    under.take()


def temperature(sequence: int, value: float, alias: int | None = 10) -> bytes:
    name = "Temperature" if alias is None else None
    datatype = D.DOUBLE if alias is None else 0
    metric = Metric(name, alias, MS + sequence + 1, datatype, "double_value", value)
    return encode(Payload(MS + sequence + 1, sequence, (metric,)))


def values(readings: list[Reading]) -> list[object]:
    return [reading.value for reading in readings if reading.metric == "Temperature"]


def _shown(reading: Reading) -> dict[str, object]:
    return {
        "device": reading.device,
        "metric": reading.metric,
        "value": reading.value,
        "time_ms": reading.time_ms,
        "unit": reading.unit,
        "quality": reading.quality.value,
    }


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["name"]))
def test_vectors(vector: dict[str, Any]) -> None:
    """Every vector gives its readings and whom to ask, or its error with the bytes kept."""
    under = host()
    for before in vector["after"]:
        under.hear(BY_NAME[before]["topic"], bytes.fromhex(BY_NAME[before]["hex"]), at(0))
    under.take()
    said = bytes.fromhex(vector["hex"])
    under.hear(vector["topic"], said, at(100))
    under.turn(100)
    heard = under.take()
    if "error" in vector:
        assert [each.code for each in heard.unreadable] == [vector["error"]]
        assert [each.payload for each in heard.unreadable] == [said]
        assert heard.readings == []
        return
    expect = vector["expect"]
    assert [_shown(reading) for reading in heard.readings] == expect["readings"]
    assert ["/".join(key) for key in heard.rebirths] == expect.get("rebirths", [])
    assert heard.unreadable == []


def test_a_message_that_comes_late_is_put_in_order() -> None:
    """Within the window what overtook waits, then all is read in the order of sending."""
    under = host()
    born(under)
    for sequence in (3, 4, 2, 5):
        under.hear(DEVICE.format("DDATA"), temperature(sequence, float(sequence)), at(sequence))
        assert under.turn(sequence) <= REORDER_MS
    heard = under.take()
    assert values(heard.readings) == [2.0, 3.0, 4.0, 5.0]
    assert heard.rebirths == []
    assert heard.counts["reordered"] == 2
    under.turn(60_000)
    assert under.take().rebirths == []


def test_a_message_that_never_comes_costs_a_rebirth_and_no_guess() -> None:
    """After the window aliases are not believed, names are, and the edge node is asked once."""
    under = host()
    born(under)
    under.hear(DEVICE.format("DDATA"), temperature(3, 3.0), at(10))
    under.hear(DEVICE.format("DDATA"), temperature(4, 4.0, alias=None), at(11))
    assert under.turn(10 + REORDER_MS - 1) == 1
    assert under.take().readings == []
    under.turn(10 + REORDER_MS)
    heard = under.take()
    assert values(heard.readings) == [4.0]
    assert [each.code for each in heard.unreadable] == ["sparkplug.unborn"]
    assert heard.rebirths == [("plant", "line-1")]
    under.hear(DEVICE.format("DDATA"), temperature(5, 5.0), at(2_100))
    under.turn(2_100)
    heard = under.take()
    assert heard.readings == []
    assert heard.rebirths == []  # It was asked already.
    born(under, 2_200)
    under.hear(DEVICE.format("DDATA"), temperature(2, 6.0), at(2_300))
    assert values(under.take().readings) == [6.0]


def test_without_a_window_a_gap_is_a_gap_at_once() -> None:
    """With reorder_ms = 0 nothing waits."""
    under = host(reorder_ms=0)
    born(under)
    under.hear(DEVICE.format("DDATA"), temperature(3, 3.0, alias=None), at(10))
    heard = under.take()
    assert values(heard.readings) == [3.0]
    assert heard.rebirths == [("plant", "line-1")]
    under.hear(DEVICE.format("DDATA"), temperature(4, 4.0, alias=None), at(11))
    assert under.take().counts["gaps"] == 0


def test_a_message_after_its_window_does_not_turn_the_order_back() -> None:
    """What comes after it was given up is read by itself, and what follows stays in order."""
    under = host(rebirth=False)
    born(under)
    ddata = DEVICE.format("DDATA")
    under.hear(ddata, temperature(3, 3.0, alias=None), at(10))
    under.turn(3_000)
    under.hear(ddata, temperature(2, 2.0, alias=None), at(3_001))
    under.hear(ddata, temperature(4, 4.0, alias=None), at(3_002))
    under.turn(6_000)
    under.hear(ddata, temperature(5, 5.0, alias=None), at(6_001))
    heard = under.take()
    assert values(heard.readings) == [3.0, 4.0, 2.0, 5.0]
    assert heard.counts["gaps"] == 2


def test_sequence_numbers_go_round() -> None:
    """After 255 comes 0, a thousand times in order without a gap."""
    under = host()
    born(under)
    for place in range(1_000):
        said = temperature((2 + place) % 256, float(place), alias=None)
        under.hear(DEVICE.format("DDATA"), said, at(place))
    heard = under.take()
    assert len(values(heard.readings)) == 1_000
    assert heard.counts["gaps"] == 0


def test_a_birth_ends_what_waited_before_it() -> None:
    """What waits when a birth comes is of the old session or follows it, by its time of sending."""
    under = host()
    born(under)
    under.hear(DEVICE.format("DDATA"), temperature(9, 9.0, alias=None), at(5))
    node, device = build_sparkplug.births()
    later = decode(device[3], BYTES_MAX)
    early = encode(Payload(MS + 10_000, 1, later.metrics))
    under.hear(DEVICE.format("DBIRTH"), early, at(6))  # It overtook its node's.
    again = decode(node[3], BYTES_MAX)
    under.hear(NODE.format("NBIRTH"), encode(Payload(MS + 9_999, 0, again.metrics)), at(7))
    under.hear(DEVICE.format("DDATA"), temperature(2, 2.0), at(8))
    heard = under.take()
    assert values(heard.readings) == [9.0, 2.0]
    assert heard.unreadable == []
    under.turn(60_000)
    assert under.take().rebirths == []


def test_a_device_is_alive_stale_dead_as_its_certificates_say() -> None:
    """States follow births, deaths and a lost connection; a second death changes nothing."""
    under = host()

    def states() -> dict[str, str]:
        return {life.device: life.state for life in under.lives()}

    born(under)
    assert states() == {"plant/line-1": "alive", "plant/line-1/press-1": "alive"}
    under.lost()
    assert states() == {"plant/line-1": "stale", "plant/line-1/press-1": "stale"}
    under.turn(1)
    assert under.take().rebirths == [("plant", "line-1")]
    born(under, 2)
    death = bytes.fromhex(BY_NAME["the death of the session that lives"]["hex"])
    under.hear(NODE.format("NDEATH"), death, at(3))
    assert states() == {"plant/line-1": "dead", "plant/line-1/press-1": "dead"}
    assert [one.value for one in under.take().readings] == [False, False]
    under.hear(NODE.format("NDEATH"), death, at(4))
    heard = under.take()
    assert heard.readings == []
    assert heard.counts["deaths_before"] == 1


def test_a_rebirth_says_no_value_twice() -> None:
    """Values that a new certificate repeats with their times are not stored again."""
    under = host()
    born(under)
    for _, topic, _, said, _ in build_sparkplug.births():
        under.hear(topic, said, at(9))
    heard = under.take()
    assert {reading.metric for reading in heard.readings} == {"sparkplug/online"}
    assert heard.counts["duplicates"] == 6


def test_a_certificate_that_lags_behind_repeats_nothing() -> None:
    """A value that a rebirth says again is no reading, though newer ones came between."""
    under = host()
    born(under)
    under.hear(DEVICE.format("DDATA"), temperature(2, 22.0), at(1))
    under.take()
    for _ in range(2):
        for _, topic, _, said, _ in build_sparkplug.births():
            under.hear(topic, said, at(9))
        assert values(under.take().readings) == []


def test_aliases_of_a_new_birth_replace_the_old() -> None:
    """After a rebirth an alias means what the new certificate says, and nothing else."""
    under = host()
    born(under)
    swapped = (
        Metric("Pressure", 10, MS, D.DOUBLE, "double_value", 5.5),
        Metric("Temperature", 11, MS, D.DOUBLE, "double_value", 20.0),
    )
    under.hear(DEVICE.format("DBIRTH"), encode(Payload(MS, 2, swapped)), at(9))
    under.take()
    under.hear(DEVICE.format("DDATA"), temperature(3, 6.5), at(10))
    under.hear(DEVICE.format("DDATA"), temperature(4, 7.5, alias=12), at(11))
    heard = under.take()
    assert [(one.metric, one.value) for one in heard.readings] == [("Pressure", 6.5)]
    assert [each.code for each in heard.unreadable] == ["sparkplug.unborn"]


def test_a_silent_edge_node_is_asked_ever_more_rarely() -> None:
    """An edge node that does not answer is asked at most eleven times in an hour."""
    under = host()
    for second in range(3_600):
        under.hear(DEVICE.format("DDATA"), temperature(second % 256, 1.0), at(second * 1_000))
        under.turn(second * 1_000)
    heard = under.take()
    assert 5 <= len(heard.rebirths) <= 11
    assert heard.counts["quarantined"] == 3_600


def test_many_edge_nodes_are_asked_one_after_the_other() -> None:
    """A thousand unborn edge nodes are asked at twenty a second, each once."""
    under = host()
    for place in range(1_000):
        under.hear(f"spBv1.0/plant/NDATA/line-{place}", temperature(0, 1.0), at(0))
    asked: list[tuple[str, str]] = []
    for now_ms in range(0, 60_000, 50):
        under.turn(now_ms)
        asked += under.take().rebirths
        assert len(asked) <= ASKED_A_SECOND * (1 + now_ms // 1_000)
    assert len(asked) == len(set(asked)) == 1_000


def test_no_rebirth_is_asked_for_where_the_config_forbids_it() -> None:
    """With rebirth = false a host only listens."""
    under = host(rebirth=False)
    under.hear(DEVICE.format("DDATA"), temperature(5, 1.0), at(0))
    under.turn(0)
    assert under.take().rebirths == []


def test_a_retained_message_is_quarantined() -> None:
    """What a broker kept says nothing of now: a birth that was retained gives no life."""
    under = host()
    _, topic, _, said, _ = build_sparkplug.births()[0]
    under.hear(topic, said, at(0), retained=True)
    heard = under.take()
    assert [each.code for each in heard.unreadable] == ["sparkplug.retained"]
    assert list(under.lives()) == []


def test_a_partly_readable_message_gives_what_can_be_read() -> None:
    """One bad metric is quarantined with the bytes; the others are readings."""
    under = host()
    born(under)
    metrics = (
        Metric(None, 10, MS + 1, 0, "double_value", 22.0),
        Metric(None, 11, MS + 1, 0, "string_value", "five"),
        Metric(None, 13, MS + 1, 0, "boolean_value", False),
    )
    under.hear(DEVICE.format("DDATA"), encode(Payload(MS + 1, 2, metrics)), at(1))
    heard = under.take()
    assert [(one.metric, one.value) for one in heard.readings] == [
        ("Temperature", 22.0),
        ("Running", False),
    ]
    assert [each.code for each in heard.unreadable] == ["sparkplug.value"]


def test_an_unset_clock_leaves_only_the_time_since_boot() -> None:
    """A metric without a time, heard while our clock is unset, has monotonic time, uncertain."""
    under = host()
    metric = Metric("Level", None, None, D.INT8, "int_value", 5)
    said = encode(Payload(None, 0, (metric,)))
    under.hear(DEVICE.format("DDATA"), said, Arrival(None, 815))
    (reading,) = under.take().readings
    assert (reading.time_ms, reading.monotonic_ms) == (None, 815)
    assert reading.quality is Quality.UNCERTAIN


def test_a_rebirth_request_is_as_the_specification_has_it() -> None:
    """An NCMD has a time, no sequence number, and the one metric, which is true."""
    asked = decode(rebirth_request(MS), BYTES_MAX)
    (metric,) = asked.metrics
    assert (asked.time_ms, asked.sequence) == (MS, None)
    assert (metric.name, metric.alias, metric.said) == ("Node Control/Rebirth", None, True)
    assert metric.datatype == D.BOOLEAN
