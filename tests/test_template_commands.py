"""`template`: what an activity may be, told in words to people and as facts to programs."""

import json
from pathlib import Path

import pytest

from gateway.activities import template
from gateway.cli import templates
from tests.neighbours import typed

TEMPLATES = Path(__file__).parent.parent / "configs" / "templates"


def test_what_is_shipped_is_found_without_the_repository(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The package has the files of configs/templates, the same bytes, and lists them by title."""
    there = {path.stem: path.read_text("utf-8") for path in TEMPLATES.glob("*.toml")}
    assert templates.shipped() == there
    listed = json.loads(typed(capsys, "template", "list", "--json")[1])["templates"]
    assert {one["name"]: one["hash"] for one in listed} == {
        name: template.parse(text).hash.hex() for name, text in there.items()
    }
    assert "Energy settlement" in typed(capsys, "template", "list")[1]


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("name", sorted(templates.shipped()))
def test_a_template_is_told_in_words(
    name: str, lang: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever never saw TOML reads every field, choice, condition and step, in either language."""
    monkeypatch.setenv("HULIAN_LANG", lang)
    status, out, _ = typed(capsys, "template", "show", name)
    read = template.parse(templates.shipped()[name])
    assert status == 0
    for field in read.fields.values():
        assert field.name in out and field.title.of(lang) in out
        assert all(choice.title.of(lang) in out for choice in field.choices)
    assert all(guard.why.of(lang) in out for guard in read.guards)
    facts = json.loads(typed(capsys, "template", "show", name, "--json")[1])
    assert [one["name"] for one in facts["fields"]] == list(read.fields)
    assert (facts["order"] is None) == (read.order is None)


def test_a_file_of_ones_own_is_checked_fault_by_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A good file gives its hash; of a bad one every fault is told, with its line, and status 2."""
    monkeypatch.setenv("HULIAN_LANG", "en")
    text = templates.shipped()["delivery"]
    file = tmp_path / "mine.toml"
    file.write_text(text)
    status, out, _ = typed(capsys, "template", "check", str(file))
    assert status == 0 and template.parse(text).hash.hex() in out
    file.write_text(text.replace('type = "hash"', 'type = "hush"') + "[colour]\n")
    status, _, err = typed(capsys, "template", "check", str(file))
    line = text[: text.index('type = "hash"')].count("\n") + 1
    assert status == 2 and f"line {line}: field.note.type" in err and "colour" in err
    faults = json.loads(typed(capsys, "template", "check", str(file), "--json")[1])
    assert [one["key"] for one in faults["faults"]] == ["field.note.type", "colour"]
    status, _, err = typed(capsys, "template", "show", "delivry")
    assert status == 2 and "template.unknown" in err
    file.write_bytes(b"name = '\xff'")
    assert "template.malformed" in typed(capsys, "template", "check", str(file))[2]
