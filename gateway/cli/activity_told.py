"""One activity as people and programs see it: what stands, of whom, and how far it is agreed.

In: the state that its records come to, its template, and what the store says of each record. Out:
facts, and lines made of them. It judges nothing; what may be acted on is said beside each value.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.activities.activity import Value
from gateway.activities.state import Given, State
from gateway.activities.template import Template
from gateway.activities.terms import Approving, Field, Merge, Needs
from gateway.cli import values
from gateway.cli.templates import title
from gateway.cli.words import pad, retell, say
from gateway.query import show_time

_REACHED = {"agreed": Needs.AGREED, "final": Needs.FINAL}
# What the facts say in one word each, in English; people read it in their language.
WORDS = ("open", "closed", "local", "replicated", "agreed", "final", "rejected")


@dataclass(frozen=True, slots=True)
class Scene:
    """What is around an activity: its id and group, what is called how, and how far records are."""

    id: bytes
    group: str
    names: Mapping[bytes, str]  # of organisations and nodes
    status: Callable[[bytes], str]
    waiting: int = 0  # records of it that wait for others
    attached: Sequence[Mapping[str, Any]] = ()

    def name(self, who: bytes) -> str:
        """Name an organisation or a node, by its id where it has no name here."""
        return self.names.get(who, who.hex()[:16])


def facts(scene: Scene, state: State, read: Template) -> dict[str, Any]:
    """Give all there is to say of an activity."""
    opened, closed = state.opened, state.closed
    return {
        **summary(scene, state, read),
        "kind": opened.kind.name.lower().replace("_", "-"),
        "mode": opened.mode.name.lower(),
        "parties": [
            {
                "organisation": each.organisation.hex(),
                "name": scene.name(each.organisation),
                "roles": [role.name.lower() for role in each.roles],
            }
            for each in opened.parties
        ],
        "fields": [_field(scene, state, read, one) for one in read.fields.values()],
        "closed": None
        if closed is None
        else {
            "record": closed.record.hex(),
            **_whose(scene, closed.organisation, closed.node, closed.unix_ms),
            **_standing(scene, state, closed.record, read.close.approving),
            "needs": read.needs(read.close, opened.mode).name.lower(),
        },
        "rejected": [
            {
                "record": each.record.hex(),
                **_whose(scene, each.organisation, each.node, None),
                "code": each.code,
                "reason": each.reason,
            }
            for each in state.rejected.values()
        ],
        "parked": scene.waiting,
        "wanted": sorted(each.hex() for each in state.wanted),
        "devices": [
            {"device": each.device, "node": each.node.hex(), "gateway": scene.name(each.node)}
            for each in state.bound.values()
        ],
        "contributors": [
            {
                **_whose(scene, each.organisation, each.node, None),
                "records": each.count,
                "last": each.last.hex(),
            }
            for each in state.contributors.values()
        ],
        "attachments": [dict(each) for each in scene.attached],
    }


def summary(scene: Scene, state: State, read: Template) -> dict[str, Any]:
    """Give what a list says of an activity."""
    return {
        "activity": scene.id.hex(),
        "group": scene.group,
        "purpose": state.opened.purpose,
        "state": "open" if state.closed is None else "closed",
        "template": {
            "name": read.name,
            "hash": read.hash.hex(),
            "title": {"en": read.title.en, "zh": read.title.zh},
        },
        "records": state.count,
    }


def lines(told: Mapping[str, Any], read: Template) -> Iterator[str]:
    """Tell an activity to a person."""
    about = {**told, "title": title(read.title), "state": say(told["state"])}
    yield say("{purpose}: {title}, {state}", **about)
    yield say("  activity {activity}, in the group {group}", **about)
    yield say("  template {name}, {hash}", **told["template"])
    for each in told["parties"]:
        roles = ", ".join(say(role) for role in each["roles"])
        yield f"  {pad(each['name'], 24)} {roles}"
    yield ""
    width = max(len(name) for name in read.fields) + 2
    for one in told["fields"]:
        if one["values"]:
            yield from _field_lines(read.fields[one["name"]], one, width)
    yield from _beside(told, read)


def _field(scene: Scene, state: State, read: Template, one: Field) -> dict[str, Any]:
    given = state.given(one.name)
    found = [_value(scene, state, one, each) for each in given]
    needs = read.needs(one, state.opened.mode)
    for each in found:
        reached = _REACHED.get(each["status"], Needs.NOTHING)
        each["usable"] = reached >= needs and each["wanted"]["persons"] == 0
        each["usable"] &= each["wanted"]["organisations"] == 0 and not each["refused"]
    return {
        "name": one.name,
        "title": {"en": one.title.en, "zh": one.title.zh},
        "type": one.type.value,
        "merge": one.merge.value,
        "unit": one.unit,
        "needs": needs.name.lower(),
        "values": found,
        "total": state.total(one.name) if one.merge is Merge.COUNTER and given else None,
        "concurrent": one.merge is Merge.VALUES and len(given) > 1,
    }


def _value(scene: Scene, state: State, one: Field, given: Given) -> dict[str, Any]:
    earlier, before = [], given.before
    while before is not None:
        earlier.append({"value": _plain(before.value), "record": before.record.hex()})
        before = before.before
    return {
        "value": _plain(given.value),
        "record": given.record.hex(),
        **_whose(scene, given.organisation, given.node, given.unix_ms),
        **_standing(scene, state, given.record, one.approving),
        "corrects": earlier,
    }


def _standing(scene: Scene, state: State, record: bytes, wanted: Approving) -> dict[str, Any]:
    """Give how far a record is agreed, who spoke for or against it, and who still must."""
    spoken = state.spoken(record)
    persons = [word for word in spoken if word.verdict == 0]
    organisations = {word.organisation for word in persons}
    return {
        "status": scene.status(record),
        "approved": [
            {"person": word.person.hex(), "organisation": scene.name(word.organisation)}
            for word in persons
        ],
        "refused": [word.person.hex() for word in spoken if word.verdict != 0],
        "wanted": {
            "persons": max(0, wanted.persons - len(persons)),
            "organisations": max(0, wanted.organisations - len(organisations)),
        },
    }


def _whose(scene: Scene, organisation: bytes, node: bytes, unix_ms: int | None) -> dict[str, Any]:
    return {
        "organisation": organisation.hex(),
        "by": scene.name(organisation),
        "node": node.hex(),
        "gateway": scene.name(node),
        "time": None if unix_ms is None else show_time(unix_ms),
    }


def _plain(value: Value) -> int | float | str | bool:
    return value.hex() if isinstance(value, bytes) else value


def _field_lines(field: Field, one: Mapping[str, Any], width: int) -> Iterator[str]:
    """Tell a field: its value, whose it is, and how far it is; several under each other."""
    heading = f"{pad(field.name, width)}{title(field.title)}"
    if one["total"] is not None:
        yield f"{heading}: {values.number(field, one['total'])}"
    elif one["concurrent"]:
        yield f"{heading}: {say('said at the same time, all of it stands')}"
    else:
        yield heading
    for each in one["values"]:
        value = values.told(field, each["value"])
        whose = {"by": each["by"], "time": each["time"] or "-", "status": say(each["status"])}
        told = say("{value}  ({by}, {time}, {status})", value=value, **whose)
        yield f"{' ' * width}{told}  {each['record'][:16]}"
        for line in _notes(one, each):
            yield f"{' ' * width}  {line}"


def _notes(one: Mapping[str, Any], each: Mapping[str, Any]) -> Iterator[str]:
    """Tell what was there before, what is still to be approved, and what cannot be acted on."""
    for before in each["corrects"]:
        yield say(
            "before: {value}, by record {record}", **{**before, "record": before["record"][:16]}
        )
    if each["refused"]:
        yield say("refused by {count} person(s)", count=len(each["refused"]))
    if each["wanted"]["persons"] or each["wanted"]["organisations"]:
        yield say(
            "still to approve it: {persons} person(s), of {organisations} more organisation(s)",
            **each["wanted"],
        )
    if _REACHED.get(each["status"], Needs.NOTHING) < Needs[one["needs"].upper()]:
        yield say("not to be acted on before it is {status}", status=say(one["needs"]))


def _beside(told: Mapping[str, Any], read: Template) -> Iterator[str]:
    """Tell what is beside the fields: devices, files, what was rejected, what waits, the end."""
    for each in told["devices"]:
        yield say("readings of {device} at {gateway} belong to it", **each)
    for each in told["attachments"]:
        whole = say("whole") if each["whole"] else say("not whole yet")
        yield say("attached: {name}, {size} bytes, {whole}", **{**each, "whole": whole})
    for each in told["rejected"]:
        facts = {"record": each["record"][:16], "by": each["by"]}
        reason = retell(f"{each['code']}: {each['reason']}")
        for guard in read.guards:
            reason = reason.replace(guard.why.of("en"), title(guard.why))
        yield say("rejected: record {record} of {by}: {reason}", **facts, reason=reason)
    if told["parked"]:
        yield say("{parked} record(s) wait for others that are not here yet", **told)
    if told["closed"]:
        closed = {**told["closed"], "time": told["closed"]["time"] or "-"}
        closed["status"] = say(closed["status"])
        yield say("closed by {by}, {time}, {status}", **closed)
