"""An activity as people are shown it: every value with whose it is, and nothing left out."""

import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from gateway.activities import template
from gateway.activities.activity import Close, Correction, Mode, Open, Party, Update, Value
from gateway.activities.fold import Fold
from gateway.activities.state import Entry, Word
from gateway.cli import activity_told, templates, values
from gateway.cli.activity_told import Scene
from gateway.errors import BadValue, UnknownField, WrongValue
from gateway.groups.group import ActivityKind, Role

READ = template.parse(templates.shipped()["production-order"])
BUYER, MAKER = b"b" * 16, b"m" * 16
NAMES = {BUYER: "Buyer Ltd", MAKER: "Maker Ltd", b"B" * 16: "buyer-gw", b"M" * 16: "maker-gw"}


def _id(name: str) -> bytes:
    return sha256(name.encode()).digest()


def _entry(name: str, who: bytes, said: Any, after: Sequence[str] = ("open",)) -> Entry:
    deps = tuple(sorted(_id(each) for each in after))
    return Entry(_id(name), who[:1].upper() * 16, who, said, deps, unix_ms=1_795_262_400_000)


def _fold() -> Fold:
    parties = (Party(BUYER, (Role.INITIATOR,)), Party(MAKER, (Role.RECEIVER,)))
    first: dict[str, Value] = {"product": "bracket 7", "quantity": 500}
    said = Open(ActivityKind.INDUSTRIAL, Mode.TRUST, "brackets", parties, READ.text, first)
    fold = Fold(READ, _entry("open", BUYER, said, ()))
    fold.add(
        [
            _entry("yes", MAKER, Update({"confirmed": "yes"})),
            _entry("one", BUYER, Update({"deviation": "grey will do"}), ["yes"]),
            _entry("two", MAKER, Update({"deviation": "blue it is"}), ["yes"]),
            _entry("made", MAKER, Update({"produced": 120}), ["yes"]),
            _entry("much", MAKER, Update({"produced": 501}), ["made"]),
            _entry("less", MAKER, Correction(_id("made"), {"produced": 119}), ["made"]),
            _entry("good", BUYER, Update({"accepted": "accepted"}), ["less"]),
            _entry("word", BUYER, Word(_id("good"), 0, b"p" * 16, BUYER), ["good"]),
            _entry("late", MAKER, Update({"remark": "packed"}), ["unheard"]),
        ]
    )
    return fold


def _facts(fold: Fold, status: str = "agreed") -> dict[str, Any]:
    state = fold.state
    attached = [{"name": "drawing.pdf", "size": 7, "whole": False}]
    scene = Scene(_id("open"), "parts", NAMES, lambda _: status, len(state.parked), attached)
    facts = activity_told.facts(scene, state, READ)
    return json.loads(json.dumps(facts))  # type: ignore[no-any-return]


def test_every_value_says_whose_it_is_and_how_far_it_is_agreed() -> None:
    """Concurrent values are marked, corrected ones show what they were, rejected ones why."""
    facts = _facts(_fold())
    fields = {one["name"]: one for one in facts["fields"]}
    assert fields["deviation"]["concurrent"]
    assert {one["by"] for one in fields["deviation"]["values"]} == {"Buyer Ltd", "Maker Ltd"}
    assert not fields["quantity"]["concurrent"]
    (made,) = fields["produced"]["values"]
    assert (fields["produced"]["total"], made["value"]) == (119, 119)
    assert [one["value"] for one in made["corrects"]] == [120]
    assert [one["code"] for one in facts["rejected"]] == ["activity.guard"]
    assert (facts["state"], facts["parked"], facts["closed"]) == ("open", 1, None)


def test_what_must_not_be_acted_on_yet_says_what_it_lacks() -> None:
    """A value is usable once it is agreed and approved by as many as the template wants."""
    (slot,) = (one for one in _facts(_fold())["fields"] if one["name"] == "accepted")
    (value,) = slot["values"]
    assert not value["usable"]
    assert value["wanted"] == {"persons": 1, "organisations": 0} and len(value["approved"]) == 1
    fold = _fold()
    fold.add([_entry("more", BUYER, Word(_id("good"), 0, b"q" * 16, BUYER), ["good"])])
    for status, usable in (("replicated", False), ("agreed", True), ("final", True)):
        (slot,) = (one for one in _facts(fold, status)["fields"] if one["name"] == "accepted")
        assert slot["values"][0]["usable"] is usable
    fold.add([_entry("no", BUYER, Word(_id("good"), 1, b"q" * 16, BUYER), ["more"])])
    (slot,) = (one for one in _facts(fold)["fields"] if one["name"] == "accepted")
    assert slot["values"][0]["refused"] and not slot["values"][0]["usable"]


@pytest.mark.parametrize(
    ("lang", "words"),
    [
        ("en", "at the same time|before: 120|no more is made|Buyer Ltd|still to approve|wait for"),
        ("zh", "同时填写|更正前：120|产量不得超过|Buyer Ltd|还须批准|在等待"),
    ],
)
def test_people_read_all_of_it(lang: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lines name every fact that a person needs, in the person's language."""
    monkeypatch.setenv("HULIAN_LANG", lang)
    fold = _fold()
    fold.add([_entry("end", BUYER, Close(), ["word", "one", "two"])])
    text = "\n".join(activity_told.lines(_facts(fold), READ))
    for each in (*words.split("|"), "bracket 7", "drawing.pdf", "500"):
        assert each in text, text
    assert ("closed by Buyer Ltd" in text) == (lang == "en")


TYPED: list[tuple[str, Any]] = [
    ("quantity=500", 500),
    ("produced=1.5", 1.5),
    ("product=a = b", "a = b"),
    ("due=2026-12-01T08:00:00+08:00", 1_796_083_200_000),
    ("confirmed=yes", "yes"),
    ("confirmed=taken on", "yes"),
    ("accepted=让步接收", "conditional"),
    ("drawing=" + "ab" * 32, "ab" * 32),
]


@pytest.mark.parametrize(("said", "value"), TYPED)
def test_values_are_read_as_people_type_them(said: str, value: Any) -> None:
    """Numbers, times with their zone, choices by name or title, hashes in hex."""
    assert values.read(READ, [said]) == {said.split("=")[0]: value}


def test_a_file_is_named_by_its_hash(tmp_path: Path) -> None:
    """Whoever types @FILE has its SHA-256 written."""
    (tmp_path / "drawing.pdf").write_bytes(b"lines")
    found = values.read(READ, [f"drawing=@{tmp_path}/drawing.pdf"])
    assert found == {"drawing": sha256(b"lines").hexdigest()}


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("quantity", WrongValue),
        ("colour=red", UnknownField),
        ("quantity=many", BadValue),
        ("quantity=0", BadValue),
        ("due=tomorrow", BadValue),
        ("confirmed=perhaps", BadValue),
        ("drawing=abc", BadValue),
    ],
)
def test_what_a_field_does_not_take_is_refused_before_anything_is_done(
    said: str, error: type[Exception]
) -> None:
    """A slip of the pen is told at once, and never reaches the agent."""
    with pytest.raises(error):
        values.read(READ, [said])
