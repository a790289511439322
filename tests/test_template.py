"""Templates: read alike by all members or refused with every fault; what a field may hold."""

from pathlib import Path
from typing import Any

import pytest

from gateway.activities import template, terms
from gateway.activities.activity import Mode
from gateway.activities.template import Template
from gateway.activities.terms import Field, Guard, Merge, Relation, Sought, Step, Type
from gateway.errors import BadValue, MalformedTemplate
from tests import vectors
from tests.vectors import build_template

SHIPPED = sorted((Path(__file__).parent.parent / "configs" / "templates").glob("*.toml"))
VECTORS = vectors.load("template")
DAYS = "calibration delivery energy-settlement maintenance production-order quality-inspection"


def _step(read: Template, one: Field | Step) -> dict[str, Any]:
    return {
        "write": [role.name.lower() for role in one.write],
        "needs": read.needs(one, read.mode).name.lower(),
        "approving": [one.approving.persons, one.approving.organisations],
    }


def _guard(one: Guard) -> dict[str, Any]:
    subject: object = one.subject
    if isinstance(subject, Sought):
        keys = ("device", "metric", "device_of", "metric_of")
        subject = {key: getattr(subject, key) for key in keys}
    facts = {"value": one.value, "than": one.than}
    return {"on": one.on, "subject": subject, "relation": one.relation.value, **facts}


def _facts(read: Template) -> dict[str, Any]:
    return {
        "hash": read.hash.hex(),
        "fields": {
            name: {"type": one.type.value, "merge": one.merge.value, **_step(read, one)}
            for name, one in read.fields.items()
        },
        "guards": [_guard(one) for one in read.guards],
        "close": _step(read, read.close),
        "order": _step(read, read.order) if read.order else None,
    }


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda one: one["name"])
def test_a_template_is_read_as_its_vector_says(vector: dict[str, Any]) -> None:
    """Fields, guards and steps come out as any other implementation reads them."""
    assert _facts(template.parse(vector["toml"])) == vector["expect"]


@pytest.mark.parametrize("vector", VECTORS["bad"], ids=lambda one: one["name"])
def test_every_fault_is_named_with_its_line(vector: dict[str, Any]) -> None:
    """Nothing wrong is let through, and all of it is told at once, with line and key."""
    with pytest.raises(MalformedTemplate) as raised:
        template.parse(vector["toml"])
    found = [(one.facts["line"], one.facts["key"]) for one in raised.value.faults]
    assert sorted(found) == sorted((line, key) for line, key in vector["faults"])


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_what_is_shipped_can_be_used_in_both_languages(path: Path) -> None:
    """Each template of ours is good, named as its file, and says all in English and Chinese."""
    read = template.parse(path.read_text("utf-8"))
    titles = [read.title, *(one.title for one in read.fields.values())]
    titles += [choice.title for one in read.fields.values() for choice in one.choices]
    titles += [guard.why for guard in read.guards]
    assert read.name == path.stem
    assert all(one.en and one.zh and one.en != one.zh for one in titles)
    assert read.guards_on("close")
    slots = [one for one in read.fields.values() if one.merge is Merge.SLOT]
    assert all(read.needs(one, Mode.INFORMATION) for one in slots) and slots


def test_all_of_them_are_shipped() -> None:
    """Orders, inspections, deliveries, maintenance, calibration and energy have a template each."""
    assert [path.stem for path in SHIPPED] == DAYS.split()
    read = {path.stem: template.parse(path.read_text("utf-8")) for path in SHIPPED}
    assert {name for name, one in read.items() if one.order} == {"maintenance", "production-order"}
    linked = {
        name
        for name, one in read.items()
        if any(isinstance(guard.subject, Sought) for guard in one.guards)
    }
    assert linked >= {"calibration", "quality-inspection"}


def _field(kind: str, more: str = "") -> Field:
    text = build_template.LEAST.replace('type = "number"', f'type = "{kind}"\n{more}')
    return template.parse(text).fields["packages"]


CHOICES = "choices.yes = { en = 'yes' }"
GOOD: list[tuple[str, str, Any]] = [
    ("number", "", -1.5),
    ("number", "min = 0\nmax = 2", 2),
    ("number", 'merge = "counter"', 0),
    ("text", "", "two\nlines"),
    ("bool", "", False),
    ("time", "", 1_795_262_400_000),
    ("choice", CHOICES, "yes"),
    ("hash", "", bytes(32)),
]
BAD: list[tuple[str, str, Any]] = [
    ("number", "", True),
    ("number", "", "1"),
    ("number", "", float("inf")),
    ("number", "", float("nan")),
    ("number", "", 2**53),
    ("number", "min = 0\nmax = 2", -1),
    ("number", "min = 0\nmax = 2", 2.5),
    ("number", 'merge = "counter"', -1),
    ("text", "", ""),
    ("text", "", "a\x1b[2J"),
    ("text", "", "界" * 683),
    ("bool", "", 1),
    ("time", "", -1),
    ("time", "", 1.0),
    ("choice", CHOICES, "no"),
    ("hash", "", bytes(31)),
    ("hash", "", None),
]


@pytest.mark.parametrize(("kind", "more", "value"), GOOD)
def test_a_field_holds_what_is_of_its_type(kind: str, more: str, value: Any) -> None:
    """What is within type and bounds is given back as it is."""
    assert terms.check_value(_field(kind, more), value) is value
    assert {one[0] for one in GOOD} == {one.value for one in Type}


@pytest.mark.parametrize(("kind", "more", "value"), BAD)
def test_a_field_holds_nothing_else(kind: str, more: str, value: Any) -> None:
    """What is of another type, or beyond the bounds, is refused with a reason."""
    with pytest.raises(BadValue) as raised:
        terms.check_value(_field(kind, more), value)
    assert raised.value.facts["field"] == "packages"


def test_relations_hold_between_values_of_one_type_alone() -> None:
    """A number is compared with numbers, all else is the same or not; what is lacking never is."""
    holds = {
        (relation.value, found, other)
        for relation in Relation
        for found in (1, 2.0, True, "1", None)
        for other in (2, "1")
        if terms.relates(relation, found, other)
    }
    assert holds == {
        *((sign, 1, 2) for sign in ("<=", "<", "!=")),
        *((sign, 2.0, 2) for sign in ("<=", ">=", "==")),
        ("==", "1", "1"),
        *(("set", found, other) for found in (1, 2.0, True, "1") for other in (2, "1")),
    }


def test_a_line_of_many_dots_is_refused_before_it_is_read() -> None:
    """A dotted key costs the square of its parts: one of 8,000 would cost seconds."""
    for dots, reason in ((template.DOTS_MAX + 1, "more than 200 dots"), (8_000, "more than")):
        with pytest.raises(MalformedTemplate) as caught:
            template.parse("version = 1\n" + ".".join("a" * (dots + 1)) + " = 1\n")
        (fault,) = caught.value.faults
        assert (fault.facts["line"], reason in str(fault.facts["reason"])) == (2, True)
