"""Every sentence that a person may read has a Chinese text with the same facts in it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from babel.messages.pofile import read_po
from typer.main import get_command

from gateway import agent
from gateway.cli import activity_told, asking, grouping, order_told, templates, words
from gateway.cli.main import app
from gateway.errors import BadBody, BadUrl, ConfigFaults, GatewayError
from gateway.groups import verdict
from gateway.store import acting
from tests import operations

GATEWAY = operations.ROOT / "gateway"
CATALOGUE = GATEWAY / "cli" / "locales" / "zh" / "LC_MESSAGES" / "hulian.po"
FIELD = re.compile(r"\{(\w+)\}")
# Where sentences are printed, and where reasons are given that its operator or a machine mends.
SPEAKERS = (*sorted((GATEWAY / "cli").glob("*.py")), GATEWAY / "demo.py")
REASONERS = (
    *SPEAKERS,
    GATEWAY / "acts.py",
    GATEWAY / "groups" / "showing.py",
    *(GATEWAY / "records" / f"{name}.py" for name in "checkpoint journal note proof".split()),
    GATEWAY / "groups" / "agreement.py",
    GATEWAY / "records" / "merkle.py",
    *(GATEWAY / "activities" / f"{name}.py" for name in "draft template terms".split()),
    *sorted((GATEWAY / "config").glob("*.py")),
    GATEWAY / "transport" / "key.py",
    GATEWAY / "records" / "attestation.py",
    *(
        GATEWAY / "readings" / f"{name}.py"
        for name in "fields frame line mapping naming packs payloads testimony times".split()
    ),
    *(GATEWAY / "readings" / f"{name}.py" for name in ("moves", "writes")),
    *sorted((GATEWAY / "readings").glob("sparkplug*.py")),
)
SAYS = ("say", "titled", "_tell_now", "_section", "_listed")


def _catalogue(context: str) -> dict[str, str]:
    with CATALOGUE.open("rb") as file:
        return {
            str(one.id): str(one.string)
            for one in read_po(file, locale="zh")
            if one.id and (one.context or "") == context
        }


def _texts(node: ast.expr) -> Iterator[str]:
    """Give the texts that an expression may be, what is filled in as numbered fields."""
    match node:
        case ast.Constant(value=str() as text):
            yield text
        case ast.JoinedStr(values=parts):
            number, text = 0, ""
            for part in parts:
                match part:
                    case ast.Constant(value=str() as said):
                        text += said
                    case _:
                        text, number = f"{text}{{{number}}}", number + 1
            yield text
        case ast.IfExp(body=one, orelse=other):
            yield from _texts(one)
            yield from _texts(other)


def _calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
                yield name, node


def _sentences() -> set[str]:
    return {
        text
        for path in SPEAKERS
        for name, call in _calls(path)
        if name in SAYS
        for text in _texts(call.args[0])
        if text
    }


def _reasons() -> set[str]:
    found = set()
    for path in REASONERS:
        for name, call in _calls(path):
            found |= {text for one in call.args if name == "ValueError" for text in _texts(one)}
            given = [one.value for one in call.keywords if one.arg in ("reason", "expected")]
            found |= {text for one in given for text in _texts(one)}
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.Assign(targets=[ast.Name(id="reason" | "expected")], value=value):
                    found |= set(_texts(value))
                case ast.keyword(arg="description", value=value):
                    found |= set(_texts(value))
    return {text for text in found if re.search(r"[a-z]{2}", FIELD.sub("", text))}


def _of_commands(command: Any) -> Iterator[str]:
    """Give what the pages and questions of a command and of those below it say."""
    yield command.help or ""
    for parameter in command.params:
        yield parameter.help or ""
        yield getattr(parameter, "prompt", None) or ""
    for below in getattr(command, "commands", {}).values():
        yield from _of_commands(below)


def _of_errors() -> Iterator[str]:
    for error in operations.classes(GatewayError):
        if "what" in vars(error):
            yield from (error.what, error.why, error.next)


@pytest.mark.parametrize(
    ("context", "needed"),
    [
        ("", {text for text in _of_errors() if FIELD.sub("", text)}),
        ("", set(_of_commands(get_command(app))) - {""}),
        ("", _sentences()),
        ("", {*asking.COLUMNS, *verdict.NAMES, *agent._COUNTERS}),
        ("", {*grouping.COLUMNS, *grouping.WORDS}),
        ("", {*templates.WORDS, *activity_told.WORDS, *order_told.WORDS}),
        ("reason", _reasons()),
        ("reason", set(acting.REASONS.values())),
    ],
    ids=["errors", "help", "sentences", "names", "groups", "templates", "reasons", "refusals"],
)
def test_every_sentence_has_a_chinese_text(context: str, needed: set[str]) -> None:
    """No error, page of help, printed sentence or reason is left to English alone."""
    told = _catalogue(context)
    assert needed
    assert sorted(text for text in needed if not told.get(text)) == []


@pytest.mark.parametrize("context", ["", "reason"])
def test_translations_keep_every_fact(context: str) -> None:
    """A translated sentence has the fields of the English one, and is Chinese."""
    for english, other in _catalogue(context).items():
        assert sorted(FIELD.findall(english)) == sorted(FIELD.findall(other)), english


def test_no_sentence_is_translated_twice() -> None:
    """An English sentence stands once in the catalogue, in each context."""
    said = re.findall(r'((?:^msgctxt .*\n)?^msgid .*\n(?:^".*"\n)*)', _text(), re.MULTILINE)
    assert len(said) > 400
    assert sorted(set(said)) == sorted(said)


def _text() -> str:
    return CATALOGUE.read_text("utf-8")


def test_reasons_are_known_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reason with something filled in is told in Chinese; in English nothing is changed."""
    fault = BadUrl(line=3, key="url", reason="its scheme is 'ftp', not mqtt or mqtts", example="x")
    stored = str(BadBody(reason="its length or hash differs"))
    for lang in ("en", "zh"):
        monkeypatch.setenv("HULIAN_LANG", lang)
        told = words.tell(fault), words.retell(stored), words.retell("nobody ever said this")
        assert ("协议" in told[0], "ftp" in told[0]) == (lang == "zh", True)
        assert (told[1] == stored) == (lang == "en")
        assert "record.body" in told[1] and told[2] == "nobody ever said this"
    assert "不符" in words.retell(stored) or "不一致" in words.retell(stored)


def test_a_name_is_never_taken_for_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """What somebody called a thing stays as it is, whatever it means in English."""
    monkeypatch.setenv("HULIAN_LANG", "zh")
    assert words.say("there is no group {group} here", group="good").count("good") == 1
    assert isinstance(ConfigFaults(()), GatewayError)


def test_the_columns_of_a_table_stand_under_each_other() -> None:
    """A Chinese letter takes two columns of a terminal."""
    assert words.wide("压机 7") == 6
    assert [words.wide(words.pad(text, 8)) for text in ("a", "压机", "压机七号")] == [8, 8, 8]
