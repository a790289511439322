"""What there is to say of an order or a mandate, to programs and to people.

In: an order with all that is held about it. Out: facts with English words, and lines in the
reader's language.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from gateway.activities import mandate, order
from gateway.activities.approval import Verdict
from gateway.cli.words import pad, plain, say
from gateway.query import show_time
from gateway.records.identity import Certificate
from gateway.records.record import ClockSource, Record
from gateway.store.mandates import Given
from gateway.store.orders import Held, Word

SHORT: Final = 16
# The states of an order and the reasons for which one waits; each has a Chinese text.
WORDS: Final = (
    *("sent", "waiting", "started", "done", "failed", "refused", "indeterminate", "cancelled"),
    *("approve", "refuse", "cancel", "valid", "withdrawn"),
    *("approvals", "organisations", "agreed", "final", "local", "activity", "certificate"),
    *("busy", "pending", "mandate", "cause"),
)


def facts(held: Held) -> dict[str, Any]:
    """Give an order to a program."""
    wanted, end, first = held.said.order, held.end, held.sightings[0]
    return {
        "order": held.said.hash.hex(),
        "id": wanted.id.hex(),
        "activity": wanted.activity.hex(),
        "record": first.by.record.id.hex(),
        "target": wanted.target.hex(),
        "target_name": wanted.target_name,
        "point": wanted.point,
        "value": wanted.value,
        "unit": wanted.unit,
        "mandate": None if wanted.mandate is None else wanted.mandate.hex(),
        "by": None if first.person is None else first.person.name,
        "node": first.by.node.hex(),
        "organisation": first.by.organisation.hex(),
        "time": when(first.by.record),
        "state": state_of(held),
        "waits": held.waits,
        "reason": None if end is None else end.reason,
        "read_back": None if end is None else end.value,
        "words": [_word(each) for each in held.words],
        "text": order.text(wanted, wanted.language),
    }


def state_of(held: Held) -> str:
    """Say how an order stands, in a word."""
    if held.end is not None:
        return held.end.outcome.name.lower()
    if held.starts:
        return "started"
    return "sent" if held.waits is None else "waiting"


def row(told: Mapping[str, Any]) -> str:
    """Give an order in a line: what, to whom, how it stands and why."""
    value = f"{told['point']} = {told['value']} {told['unit']}".rstrip()
    why = told["reason"] or (say(told["waits"]) if told["waits"] else "")
    state = pad(say(told["state"]), 14)
    name = pad(plain(str(told["target_name"])), 20)
    return f"{told['order'][:SHORT]}  {state}{name} {pad(value, 28)} {why}".rstrip()


def lines(told: Mapping[str, Any]) -> Iterator[str]:
    """Give all there is to say of an order to a person."""
    yield from str(told["text"]).splitlines()
    yield say("sent by {by} at {time}", by=told["by"] or told["node"], time=told["time"] or "-")
    for each in told["words"]:
        yield "  " + say("{verdict}: {by}", verdict=say(each["verdict"]), by=each["by"])
    yield say("state: {state}", state=say(told["state"]))
    if told["waits"]:
        yield say("it waits for: {what}", what=say(told["waits"]))
    if told["reason"]:
        yield say("why: {code}", code=told["reason"])
    if told["read_back"] is not None:
        yield say("read back: {value}", value=told["read_back"])
    if told["state"] == "indeterminate":
        yield say("nobody knows whether the machine moved: look at it; nothing is tried again")


def given(one: Given) -> dict[str, Any]:
    """Give a mandate to a program."""
    said = one.said.mandate
    against = any(each.said.approval.verdict is not Verdict.APPROVE for each in one.words)
    return {
        "mandate": one.said.hash.hex(),
        "activity": one.activity.hex(),
        "asking": said.asking.hex(),
        "device": said.device,
        "target": said.target.hex(),
        "target_name": said.target_name,
        "point": said.point,
        "by": one.person.name,
        "state": "withdrawn" if against else "valid",
        "text": mandate.text(said, said.language),
    }


def when(said: Record) -> str | None:
    """Say when a record was written, as its author's clock had it; None where none was set."""
    known = said.moment.source is not ClockSource.UNSET
    return show_time(said.moment.unix_ms) if known else None


def _word(one: Word) -> dict[str, Any]:
    by: Certificate = one.person
    said = one.said.approval
    organisation = by.issuer.hex()
    return {"by": by.name, "organisation": organisation, "verdict": said.verdict.name.lower()}
