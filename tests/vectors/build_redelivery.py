"""Vectors of redelivery: what is expected, and deliveries that are repeats or not.

Of a bad one nothing may be taken for a repeat. docs/protocol/redelivery.md.
"""

from collections.abc import Sequence

from gateway.readings.reading import Delivered, digest
from gateway.readings.redelivery import DIGEST_BYTES, Redelivery

TOPIC = "factory/press-1"
Said = tuple[int, str]  # packet id, payload
Heard = tuple[bool, int, str]  # with DUP, packet id, payload
Case = tuple[Sequence[Said], Sequence[Heard], Sequence[bool]]

THREE = ((1, "17"), (2, "18"), (3, "18"))


def repeats(vector: dict[str, object]) -> list[bool]:
    """Judge the deliveries of a vector, in order."""
    expected, deliveries = vector["expected"], vector["deliveries"]
    assert isinstance(expected, list) and isinstance(deliveries, list)
    known = [Delivered(packet, _digest(topic, payload)) for packet, topic, payload, _ in expected]
    state = Redelivery(known, vector["exact"] is True)
    return [
        state.repeats(packet, marked, _digest(topic, payload))
        for marked, packet, topic, payload in deliveries
    ]


def build() -> dict[str, object]:
    """Build the vectors."""
    return {
        "noun": "redelivery",
        "chapter": "docs/protocol/redelivery.md",
        "good": [
            *(_vector(name, True, case) for name, case in _exact().items()),
            *(_vector(name, False, case) for name, case in (_marked() | _plain()).items()),
        ],
        "bad": [
            *(_vector(name, True, _new(case)) for name, case in _new_exact().items()),
            *(_vector(name, False, _new(case)) for name, case in _new_otherwise().items()),
        ],
    }


def _digest(topic: str, payload: str) -> bytes:
    return digest(topic, payload.encode())[:DIGEST_BYTES]


def _vector(name: str, exact: bool, case: Case) -> dict[str, object]:
    expected, deliveries, expect = case
    vector: dict[str, object] = {
        "name": name,
        "exact": exact,
        "expected": [
            [packet, TOPIC, payload, _digest(TOPIC, payload).hex()] for packet, payload in expected
        ],
        "deliveries": [
            [marked, packet, *_topic_and_payload(said)] for marked, packet, said in deliveries
        ],
        "expect": list(expect),
    }
    assert repeats(vector) == vector["expect"], name
    return vector


def _topic_and_payload(said: str) -> tuple[str, str]:
    """Take a payload of the one topic, or `topic: payload`."""
    topic, colon, payload = said.partition(": ")
    return (topic, payload) if colon else (TOPIC, said)


def _exact() -> dict[str, Case]:
    return {
        "MQTT 5: all of it again": (
            THREE,
            [(True, 1, "17"), (True, 2, "18"), (True, 3, "18"), (False, 4, "18")],
            [True, True, True, False],
        ),
        "MQTT 5: the end of it again": (THREE, [(True, 3, "18")], [True]),
        "MQTT 5: the middle was acknowledged": (
            THREE,
            [(True, 1, "17"), (True, 3, "18")],
            [True, True],
        ),
        "MQTT 5: one between that never came": (
            THREE,
            [(True, 2, "18"), (True, 9, "19"), (True, 3, "18")],
            [True, False, True],
        ),
    }


def _marked() -> dict[str, Case]:
    return {
        "DUP with its packet id": (THREE, [(True, 2, "18"), (True, 3, "18")], [True, True]),
        "DUP under another packet id": (((1, "17"), (2, "18")), [(True, 8, "18")], [True]),
        "DUP under another packet id, in order": (
            ((1, "17"), (2, "18")),
            [(True, 8, "17"), (True, 9, "18"), (False, 10, "18")],
            [True, True, False],
        ),
    }


def _plain() -> dict[str, Case]:
    return {
        "DUP cleared: all of it again": (
            ((1, "17"), (2, "18"), (3, "19")),
            [(False, 1, "17"), (False, 2, "18"), (False, 3, "19"), (False, 4, "19")],
            [True, True, True, False],
        ),
        "DUP cleared: the last of two equal places": (
            THREE,
            [(False, 1, "18"), (False, 2, "18")],
            [True, False],
        ),
        "DUP cleared: the end of it again": (
            ((1, "17"), (2, "18"), (3, "19")),
            [(False, 1, "19"), (False, 2, "17")],
            [True, False],
        ),
        "DUP cleared: the run is broken": (
            ((1, "17"), (2, "18"), (3, "19")),
            [(False, 1, "17"), (False, 2, "20"), (False, 3, "19")],
            [True, False, False],
        ),
    }


New = tuple[Sequence[Said], Sequence[Heard]]


def _new(case: New) -> Case:
    expected, deliveries = case
    return expected, deliveries, [False] * len(deliveries)


def _new_exact() -> dict[str, New]:
    return {
        "MQTT 5: nothing is expected": ([], [(True, 1, "17"), (False, 2, "17")]),
        "MQTT 5: without DUP": (THREE, [(False, 1, "17"), (False, 2, "18"), (False, 3, "18")]),
        "MQTT 5: another packet id": (THREE, [(True, 4, "17"), (True, 1, "18")]),
        "MQTT 5: another payload": (THREE, [(True, 1, "17.0"), (True, 2, " 18"), (True, 3, "")]),
        "MQTT 5: another topic": (THREE, [(True, 1, "factory/press-2: 17")]),
    }


def _new_otherwise() -> dict[str, New]:
    return {
        "nothing is expected": ([], [(True, 1, "17"), (False, 2, "17")]),
        "DUP under another packet id, at two places": (THREE, [(True, 9, "18")]),
        "DUP of what never came": (THREE, [(True, 1, "20"), (True, 2, "21")]),
        "without DUP, after a DUP": (THREE, [(True, 9, "20"), (False, 3, "18")]),
        "without DUP, another payload first": (THREE, [(False, 1, "20"), (False, 3, "18")]),
        "a DUP after a new one without": (THREE, [(False, 9, "20"), (True, 3, "18")]),
        "another topic": (THREE, [(False, 1, "factory/press-2: 18"), (False, 3, "18")]),
        "topic and payload cut elsewhere": (
            THREE,
            [(False, 3, "factory/press-11: 8"), (True, 2, "factory/press-: 118")],
        ),
    }
