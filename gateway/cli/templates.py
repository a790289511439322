"""`template list`, `template show`, `template check`: what an activity may be, in plain words.

In: the name of a template that comes with the program, or a file. Out: what can be written, by
whom, and what must hold, readable without knowing TOML; or every fault of the file.
"""

import json
import os
from collections.abc import Iterator
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.activities import template
from gateway.activities.activity import Mode, Value
from gateway.activities.template import Template
from gateway.activities.terms import Field, Guard, Merge, Needs, Relation, Sought, Step, Title, Type
from gateway.cli.pairing import AsJson, read_file
from gateway.cli.words import language, pad, plain, say
from gateway.errors import MalformedTemplate, UnknownTemplate

Which = Annotated[str, typer.Argument(metavar="NAME", help="a template's name, or a file")]
File = Annotated[Path, typer.Argument(metavar="FILE", help="a template as TOML")]
# What a template says in one word each, as people read it.
WORDS = (
    *("a number", "text", "bool", "time", "choice", "hash"),
    *("append", "register", "counter", "values", "slot"),
    *("person-thing", "thing-thing", "industrial", "information", "trust"),
    *("agreed", "final", "initiator", "receiver", "supervisor", "observer"),
)
commands = typer.Typer(no_args_is_help=True, help="What an activity may be.")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(commands, name="template")


@commands.command("list")
def list_templates(as_json: AsJson = False) -> None:
    """List the templates that come with the program; any file of yours is as good."""
    known = [template.parse(text) for text in shipped().values()]
    if as_json:
        print(json.dumps({"templates": [_summary(one) for one in known]}, ensure_ascii=False))
        return
    width = max(len(one.name) for one in known) + 2
    for one in known:
        print(f"{pad(one.name, width)}{title(one.title)}")
    print(say("type 'hulian template show NAME' to see what one of them lets parties say"))


@commands.command()
def show(which: Which, as_json: AsJson = False) -> None:
    """Show a template: what can be written, by whom, and what must hold."""
    read = template.parse(text_of(which))
    print(json.dumps(facts(read), ensure_ascii=False) if as_json else "\n".join(_lines(read)))


@commands.command()
def check(file: File, as_json: AsJson = False) -> None:
    """Check a template of yours; every fault is told with its line."""
    try:
        read = template.parse(_decoded(read_file(file)))
    except MalformedTemplate as raised:
        if as_json:
            faults = [{**one.facts, "code": one.code} for one in raised.faults]
            print(json.dumps({"ok": False, "faults": faults}, ensure_ascii=False))
        raise
    good = {"ok": True, "faults": [], **_summary(read)}
    told = say("{file} is good: {fields} fields, {guards} conditions", **{"file": file, **good})
    print(json.dumps(good, ensure_ascii=False) if as_json else f"{told}\n{read.hash.hex()}")


@cache
def shipped() -> dict[str, str]:
    """Give the texts of the templates that come with the program, by name."""
    folder = resources.files("gateway.cli").joinpath("shipped")
    found = {each.name.removesuffix(".toml"): each for each in folder.iterdir()}
    return {name: found[name].read_text("utf-8") for name in sorted(found)}


def text_of(which: str) -> str:
    """Give the text of a template by its name, or of a file; raise UnknownTemplate."""
    if which in shipped():
        return shipped()[which]
    if not Path(which).is_file():
        raise UnknownTemplate(which=which, known=", ".join(shipped()))
    return _decoded(read_file(Path(which)))


def title(said: Title) -> str:
    """Give a title in the reader's language, so that it moves nothing on a terminal."""
    return plain(said.of(language(dict(os.environ))))


def facts(read: Template) -> dict[str, Any]:
    """Give all that a template says to a program."""
    return {
        **_summary(read),
        "fields": [_field_facts(read, one) for one in read.fields.values()],
        "guards": [_guard_facts(one) for one in read.guards],
        "close": _step_facts(read, read.close),
        "order": _step_facts(read, read.order) if read.order else None,
    }


def shown_value(value: Value) -> str:
    """Write a value as people type it, times and choices apart."""
    match value:
        case bool():
            return say("yes") if value else say("no")
        case bytes():
            return value.hex()
    return plain(str(value))


def _decoded(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")


def _summary(read: Template) -> dict[str, Any]:
    return {
        "name": read.name,
        "hash": read.hash.hex(),
        "title": {"en": read.title.en, "zh": read.title.zh},
        "kind": read.kind.name.lower().replace("_", "-"),
        "mode": read.mode.name.lower(),
        "version": read.version,
        "fields": len(read.fields),
        "guards": len(read.guards),
    }


def _step_facts(read: Template, one: Field | Step) -> dict[str, Any]:
    return {
        "write": [role.name.lower() for role in one.write],
        "needs": read.needs(one, read.mode).name.lower(),
        "approvals": one.approving.persons,
        "organisations": one.approving.organisations,
    }


def _field_facts(read: Template, one: Field) -> dict[str, Any]:
    return {
        "name": one.name,
        "title": {"en": one.title.en, "zh": one.title.zh},
        "type": one.type.value,
        "merge": one.merge.value,
        **_step_facts(read, one),
        "unit": one.unit,
        "min": one.min,
        "max": one.max,
        "choices": {each.name: {"en": each.title.en, "zh": each.title.zh} for each in one.choices},
    }


def _guard_facts(one: Guard) -> dict[str, Any]:
    keys = ("device", "metric", "device_of", "metric_of")
    sought = one.subject if isinstance(one.subject, Sought) else None
    return {
        "on": one.on,
        "field": None if sought else one.subject,
        "reading": {key: getattr(sought, key) for key in keys} if sought else None,
        "is": one.relation.value,
        "value": one.value.hex() if isinstance(one.value, bytes) else one.value,
        "than": one.than,
        "why": {"en": one.why.en, "zh": one.why.zh},
    }


def _lines(read: Template) -> Iterator[str]:
    told = {"name": read.name, "title": title(read.title), "version": read.version}
    yield say("{name}: {title}, version {version}", **told)
    kind, mode = say(_summary(read)["kind"]), say(read.mode.name.lower())
    yield say("  between: {kind}; for: {mode}", kind=kind, mode=mode)
    yield say("  hash: {hash}", hash=read.hash.hex())
    if read.mode is Mode.TRUST:
        yield say("  nobody acts on anything said in it before it is agreed")
    yield ""
    yield say("What can be written:")
    width = max(len(name) for name in read.fields) + 2
    for one in read.fields.values():
        yield f"  {pad(one.name, width)}{title(one.title)}"
        yield f"  {' ' * width}{_kind(one)}; {_who(one)}; {_merged(one)}"
        for line in _conditions(read, one):
            yield f"  {' ' * width}{line}"
        for guard in read.guards_on(one.name):
            yield f"  {' ' * width}{_guarded(guard)}"
    yield ""
    yield from _steps(read)


def _steps(read: Template) -> Iterator[str]:
    """Tell who may close and who may order machines about."""
    yield say("Who may close it: {roles}", roles=_roles(read.close))
    for line in _conditions(read, read.close):
        yield f"  {line}"
    for guard in read.guards_on(template.CLOSE):
        yield f"  {_guarded(guard)}"
    if read.order is None:
        yield say("No machine can be ordered about within it")
        return
    yield say("Who may order machines about within it: {roles}", roles=_roles(read.order))
    for line in _conditions(read, read.order):
        yield f"  {line}"


def _kind(one: Field) -> str:
    """Tell what a value is, with its unit, bounds or words."""
    if one.type is Type.CHOICE:
        words = (f"{each.name} ({title(each.title)})" for each in one.choices)
        return say("one of: {choices}", choices=", ".join(words))
    told = say("a number" if one.type is Type.NUMBER else one.type.value)
    if one.unit:
        told = say("{what} in {unit}", what=told, unit=one.unit)
    if one.min is not None:
        told = say("{what}, at least {bound}", what=told, bound=one.min)
    if one.max is not None:
        told = say("{what}, at most {bound}", what=told, bound=one.max)
    return told


def _who(one: Field) -> str:
    if one.merge is Merge.SLOT:
        return say("decided by: {roles}", roles=_roles(one))
    return say("written by: {roles}", roles=_roles(one))


def _roles(one: Field | Step) -> str:
    return ", ".join(say(role.name.lower()) for role in one.write)


def _merged(one: Field) -> str:
    match one.merge:
        case Merge.APPEND:
            return say("every entry is kept")
        case Merge.COUNTER:
            return say("each gateway's total, added up")
        case Merge.VALUES:
            return say("what is said at the same time is all kept and shown")
        case Merge.SLOT:
            return say("once")
    return say("the last one counts")


def _conditions(read: Template, one: Field | Step) -> Iterator[str]:
    """Tell what must be so before anybody acts on it, where that is more than of all else."""
    needs = read.needs(one, read.mode)
    if needs > Needs.AGREED or (needs and read.mode is not Mode.TRUST):
        yield say("nobody acts on it before it is {status}", status=say(needs.name.lower()))
    if one.approving.persons:
        told = {"persons": one.approving.persons, "organisations": one.approving.organisations}
        yield say("persons who must approve it: {persons}, organisations: {organisations}", **told)


def _guarded(guard: Guard) -> str:
    """Tell what must hold, and why."""
    other = guard.than if guard.value is None else shown_value(guard.value)
    condition = f"{_subject(guard.subject)} {guard.relation.value} {other or ''}".rstrip()
    if guard.relation is Relation.SET:
        condition = say("{what} is there", what=_subject(guard.subject))
    return say("only if {condition}; else: {why}", condition=condition, why=title(guard.why))


def _subject(subject: str | Sought) -> str:
    if isinstance(subject, str):
        return subject
    device = subject.device or f"[{subject.device_of or '*'}]"
    metric = subject.metric or f"[{subject.metric_of or '*'}]"
    return say("each linked reading {reading}", reading=f"{device}/{metric}")
