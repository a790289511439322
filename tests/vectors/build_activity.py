"""The vectors of what an activity's records say: docs/protocol/activity.md."""

from hashlib import sha256

import cbor2

from gateway.activities import activity
from gateway.activities.activity import (
    Act,
    Chunk,
    Close,
    Correction,
    Linked,
    Mode,
    Open,
    Party,
    Update,
)
from gateway.groups.group import ActivityKind, Role
from gateway.records.record import Kind

ACE, BOLT = bytes(15) + b"\x0a", bytes(15) + b"\x0b"
FIRST, SECOND = sha256(b"first").digest(), sha256(b"second").digest()
TEMPLATE = 'name = "note"\n'
PARTIES = (
    Party(ACE, (Role.INITIATOR,)),
    Party(BOLT, (Role.RECEIVER, Role.SUPERVISOR)),
)
KINDS = {
    Open: Kind.ACTIVITY_OPEN,
    Update: Kind.ACTIVITY_UPDATE,
    Close: Kind.ACTIVITY_CLOSE,
    Correction: Kind.CORRECTION,
    Chunk: Kind.ATTACHMENT,
}
GOOD: dict[str, Act] = {
    "an activity opened": Open(
        ActivityKind.INDUSTRIAL, Mode.TRUST, "Gehäuse 压铸", PARTIES, TEMPLATE, {"quantity": 400}
    ),
    "opened with nothing yet": Open(
        ActivityKind.PERSON_THING, Mode.INFORMATION, "p", PARTIES[:1], TEMPLATE
    ),
    "an update with a linked reading": Update(
        {"produced": 120}, (Linked(FIRST, "press-1", "strokes"),), ("press-1",)
    ),
    "every type of value": Update(
        {"a": True, "b": -3, "c": 20.5, "d": "zwei\nZeilen", "e": SECOND, "f": (1 << 53) - 1}
    ),
    "a device let go": Update(unbound=("压机 1",)),
    "an update that says nothing": Update(),
    "closed": Close(),
    "closed with a last value": Close(Update({"accepted": "yes"})),
    "a correction": Correction(FIRST, {"produced": 119}),
    "a whole file": Chunk(sha256(b"%PDF").digest(), "report.pdf", "application/pdf", 4, 0, b"%PDF"),
    "the last piece of one": Chunk(FIRST, "压机.jpg", "image/jpeg", 1_048_580, 1_048_576, b"tail"),
}


def build() -> dict[str, object]:
    """Give the vectors as the JSON says them."""
    good = [
        {
            "name": name,
            "kind": int(KINDS[type(said)]),
            "hex": activity.encode(said).hex(),
            "expect": expect(said),
        }
        for name, said in GOOD.items()
    ]
    bad = [
        {"name": name, "kind": int(kind), "hex": content.hex(), "error": "activity.malformed"}
        for name, kind, content in _bad()
    ]
    return {"noun": "activity", "chapter": "docs/protocol/activity.md", "good": good, "bad": bad}


def expect(said: Act) -> dict[str, object]:
    """Give what an act says, as JSON: hashes and ids in hex under "hex"."""
    match said:
        case Open():
            return {
                "kind": int(said.kind),
                "mode": int(said.mode),
                "purpose": said.purpose,
                "parties": [[one.organisation.hex(), list(one.roles)] for one in said.parties],
                "template": said.template,
                "fields": _plain(said.fields),
            }
        case Update():
            return {
                "fields": _plain(said.fields),
                "readings": [[one.record.hex(), one.device, one.metric] for one in said.readings],
                "bound": list(said.bound),
                "unbound": list(said.unbound),
            }
        case Close():
            return expect(said.said)
        case Correction():
            return {"record": said.record.hex(), "fields": _plain(said.fields)}
        case Chunk():
            return {
                "whole": said.whole.hex(),
                "name": said.name,
                "type": said.content_type,
                "size": said.size,
                "offset": said.offset,
                "piece": said.piece.hex(),
            }


def _plain(fields: object) -> dict[str, object]:
    assert isinstance(fields, dict)
    return {
        name: {"hex": value.hex()} if isinstance(value, bytes) else value
        for name, value in fields.items()
    }


def _bad() -> list[tuple[str, Kind, bytes]]:
    opened, updated = GOOD["an activity opened"], GOOD["an update with a linked reading"]
    changed = [
        *_changed(opened, OPENS),
        *_changed(updated, UPDATES),
        *_changed(GOOD["a correction"], CORRECTIONS),
        *_changed(GOOD["the last piece of one"], CHUNKS),
    ]
    content = activity.encode(opened)
    less = {key: value for key, value in cbor2.loads(content).items() if key != 6}
    return [
        ("empty", Kind.ACTIVITY_OPEN, b""),
        ("cut", Kind.ACTIVITY_OPEN, content[:-1]),
        ("a byte more", Kind.ACTIVITY_OPEN, content + b"\x00"),
        ("a field missing", Kind.ACTIVITY_OPEN, cbor2.dumps(less, canonical=True)),
        ("a list", Kind.ACTIVITY_UPDATE, b"\x80"),
        ("a key of text", Kind.ACTIVITY_UPDATE, cbor2.dumps({"0": {"a": 1}})),
        ("another kind's record", Kind.OBSERVATION, content),
        *changed,
    ]


OPENS: dict[str, tuple[int, object]] = {
    "a version to come": (0, 2),
    "a version that is true": (0, True),
    "an unknown kind": (1, 3),
    "an unknown mode": (2, 2),
    "a mode that is false": (2, False),
    "no purpose": (3, ""),
    "a purpose that rings": (3, "ring\a"),
    "a purpose that turns the letters": (3, "a\u202eb"),
    "no parties": (4, []),
    "parties not sorted": (4, [[BOLT, [1]], [ACE, [0]]]),
    "a party twice": (4, [[ACE, [0]], [ACE, [1]]]),
    "a party without a role": (4, [[ACE, []]]),
    "an unknown role": (4, [[ACE, [4]]]),
    "roles not sorted": (4, [[ACE, [1, 0]]]),
    "a role that is true": (4, [[ACE, [True]]]),
    "an organisation of 15 bytes": (4, [[ACE[:15], [0]]]),
    "a template of 16,385 bytes": (5, "#" * 16_385),
    "first values that are a list": (6, [1]),
    "an open record's unknown field": (7, 0),
}
UPDATES: dict[str, tuple[int, object]] = {
    "fields that are empty and said": (0, {}),
    "a field with a capital": (0, {"Produced": 1}),
    "a field that begins with a digit": (0, {"1st": 1}),
    "65 fields": (0, {f"f{number}": 1 for number in range(65)}),
    "a value of null": (0, {"a": None}),
    "a value that is a list": (0, {"a": [1]}),
    "a value of 2^53": (0, {"a": 1 << 53}),
    "a value without end": (0, {"a": float("inf")}),
    "a hash of 31 bytes": (0, {"a": bytes(31)}),
    "an empty text": (0, {"a": ""}),
    "a text of 2,049 bytes": (0, {"a": "x" * 2049}),
    "a text with a tab": (0, {"a": "a\tb"}),
    "linked readings not sorted": (1, [[FIRST, "a", "b"], [SECOND, "a", "b"]]),
    "a reading linked twice": (1, [[FIRST, "a", "b"], [FIRST, "a", "b"]]),
    "a reading of no metric": (1, [[FIRST, "a", ""]]),
    "a reading of half a record": (1, [[FIRST[:16], "a", "b"]]),
    "a device on two lines": (2, ["a\nb"]),
    "devices not sorted": (2, ["b", "a"]),
    "a device bound and let go": (3, ["press-1"]),
    "an update's unknown field": (4, 1),
}
CORRECTIONS: dict[str, tuple[int, object]] = {
    "a correction of nothing": (0, None),
    "a correction of half a record": (0, FIRST[:16]),
    "a correction that corrects nothing": (1, {}),
    "a correction's unknown field": (2, 0),
}
CHUNKS: dict[str, tuple[int, object]] = {
    "a file of no hash": (0, b""),
    "a name that leads elsewhere": (1, "../authorized_keys"),
    "a name that is a folder": (1, ".."),
    "a name on two lines": (1, "a\nb"),
    "no content type": (2, ""),
    "a size that is true": (3, True),
    "a file of more than 4 GiB": (3, (1 << 32) + 1),
    "a piece beyond the end": (4, 1_048_577),
    "a piece before the beginning": (4, -1),
    "a piece of nothing": (5, b""),
}


def _changed(said: Act, wrong: dict[str, tuple[int, object]]) -> list[tuple[str, Kind, bytes]]:
    whole = cbor2.loads(activity.encode(said))
    return [
        (name, KINDS[type(said)], cbor2.dumps({**whole, key: value}, canonical=True))
        for name, (key, value) in wrong.items()
    ]
