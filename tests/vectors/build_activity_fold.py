"""The vectors of folded activities: docs/protocol/activity.md.

A good history shows what its records come to; a bad one, a record that does not count, and by which
rule. Ids stand in hex; entries are in the order in which they were written.
"""

from collections.abc import Callable

from gateway.activities import activity
from gateway.activities.activity import Close, Correction, Update, Value
from gateway.activities.state import Entry, Given, State, Word
from gateway.errors import MalformedActivity
from tests.activity_histories import WEIGHED, History, Said, person, weighed
from tests.vectors.build_activity import KINDS

ORDERED: dict[str, Value] = {"ordered": 100}


def _values_beside() -> History:
    history = History("beside", ORDERED)
    root = history.say("ace", Update({"note": "a"}))
    beside = [
        history.say("ace.2", Update({"note": "b"}), root),
        history.say("bolt", Update({"note": "c"}), root),
    ]
    history.say("coil", Update({"lot": "of all"}), *beside)
    return history


def _values_replaced() -> History:
    history = _values_beside()
    history.say("coil", Update({"note": "d"}), *(each for each in history.entries[2:4]))
    return history


def _counted() -> History:
    history = History("counted", ORDERED)
    for count in (10, 25):
        history.say("bolt", Update({"made": count, "lot": f"lot {count}"}))
    history.say("bolt.2", Update({"made": 0.5}))
    history.say("coil", Update({"made": 4}))
    return history


def _at_once() -> History:
    history = History("at once", ORDERED)
    for number in range(4):
        history.say(f"ace.{number}", Update({"ordered": 50 + number}), history.opened)
    return history


def _corrected() -> History:
    history = History("corrected", ORDERED)
    made = history.say("bolt", Update({"made": 60, "lot": "b"}))
    history.say("ace", weighed({"verdict": "yes"}), mass=20.5)
    history.say("ace", Close())
    history.say("bolt", Correction(made.id, {"made": 61}))
    history.say("bolt.2", Correction(made.id, {"made": 62, "lot": "c"}))
    return history


def _approved() -> History:
    history = History("approved")
    limit = history.say("ace", Update({"limit": 7}))
    for who, verdict in (("ace/ann", 0), ("bolt/bo", 1), ("bolt/bo", 0)):
        history.say(who.split("/")[0], person(who, limit, verdict))
    history.say("ace", person("ace/ann", WEIGHED))
    return history


def _bound() -> History:
    history = History("bound")
    history.say("bolt", Update(bound=("oven", "press")))
    history.say("coil", Update(bound=("press",), unbound=("oven",)))
    history.say("bolt", Update(unbound=("press",)))
    return history


def _waiting() -> History:
    history = History("waiting")
    absent = history.say("bolt", Update({"note": "never came"}))
    history.say("coil", Update({"note": "after it"}))
    history.entries.remove(absent)
    return history


def _raced() -> History:
    history = History("raced", ORDERED)
    history.say("ace", weighed({"verdict": "yes"}), history.opened, mass=20.0)
    first = history.entries[-1]
    history.say("ace.2", Close(), first)
    history.say("bolt", Update({"made": 1}), history.opened)
    return history


GOOD: dict[str, Callable[[], History]] = {
    "values beside one another": _values_beside,
    "values that one replaces": _values_replaced,
    "counts of nodes, and a set": _counted,
    "four at once: the last in order": _at_once,
    "corrected, and again, after the close": _corrected,
    "approved after a refusal": _approved,
    "devices bound and let go": _bound,
    "one that waits": _waiting,
    "an update below a close that it did not know": _raced,
}


def _said(who: str, said: Said, mass: float | None = None) -> Callable[[], History]:
    """Give a history with one more entry, which does not count."""

    def written() -> History:
        history = History(f"bad {who}", ORDERED)
        history.say(who, said, mass=mass)
        return history

    return written


def _after(said: Callable[[History], Said], who: str, closed: bool = True) -> Callable[[], History]:
    """Give a history with a verdict, closed or not, and one more entry, which does not count."""

    def written() -> History:
        history = History(f"after {who}", ORDERED)
        history.say("bolt", Update({"made": 60}))
        history.say("ace", weighed({"verdict": "yes"}), mass=20.0)
        if closed:
            history.say("ace", Close())
        history.say(who, said(history), mass=20.0)
        return history

    return written


BAD: dict[str, tuple[str, Callable[[], History]]] = {
    "a stranger": ("activity.unauthorised", _said("east", Update({"note": "I"}))),
    "a stranger who says nothing": ("activity.unauthorised", _said("east", Update())),
    "another's field": ("activity.unauthorised", _said("bolt", Update({"ordered": 3}))),
    "another's slot": (
        "activity.unauthorised",
        _said("coil", weighed({"verdict": "yes"}), 20.0),
    ),
    "another's close": ("activity.unauthorised", _said("bolt", Close())),
    "an unknown field": ("activity.unknown-field", _said("ace", Update({"colour": 3}))),
    "a good field beside an unknown": (
        "activity.unknown-field",
        _said("ace", Update({"note": "kept out", "colour": 3})),
    ),
    "a number below its least": ("activity.bad-value", _said("ace", Update({"ordered": 0}))),
    "true for a number": ("activity.bad-value", _said("ace", Update({"ordered": True}))),
    "no such choice": ("activity.bad-value", _said("ace", weighed({"verdict": "so"}), 20.0)),
    "more than was ordered": ("activity.guard", _said("bolt", Update({"made": 100.5}))),
    "too heavy": ("activity.guard", _said("ace", weighed({"verdict": "yes"}), 20.6)),
    "not weighed": ("activity.guard", _said("ace", Update({"verdict": "yes"}))),
    "closed too early": ("activity.guard", _said("ace", Close())),
    "a reading that is no dep": (
        "activity.malformed",
        _said("ace", weighed({"verdict": "yes"})),
    ),
    "a body that cannot be read": (
        "activity.malformed",
        _said("ace", MalformedActivity(reason="not a map with integers as keys")),
    ),
    "the slot is taken": (
        "activity.slot-taken",
        _after(lambda _: weighed({"verdict": "no"}), "ace", closed=False),
    ),
    "after the close": ("activity.closed", _after(lambda _: Update({"made": 61}), "bolt")),
    "a second close": ("activity.closed", _after(lambda _: Close(), "ace")),
    "another's record corrected": (
        "activity.not-yours",
        _after(lambda it: Correction(it.entries[1].id, {"made": 1}), "coil"),
    ),
    "a close that said nothing corrected": (
        "activity.unknown-field",
        _after(lambda it: Correction(it.entries[3].id, {"note": "x"}), "ace"),
    ),
    "a correction of nothing held": (
        "activity.not-yours",
        _said("ace", Correction(WEIGHED, {"note": "x"})),
    ),
    "a slot corrected": (
        "activity.slot-taken",
        _after(lambda it: Correction(it.entries[2].id, {"verdict": "no"}), "ace"),
    ),
    "a correction beyond the guard": (
        "activity.guard",
        _after(lambda it: Correction(it.entries[1].id, {"made": 101}), "bolt"),
    ),
    "an observer's approval": (
        "activity.unauthorised",
        _after(lambda it: person("dyne/di", it.entries[1]), "dyne"),
    ),
}


def build() -> dict[str, object]:
    """Give the vectors as the JSON says them."""
    good = []
    for name, written in GOOD.items():
        history = written()
        good.append({"name": name, **told(history), "expect": expect(history.fold().state)})
    bad = [
        {"name": name, **told(written()), "error": code} for name, (code, written) in BAD.items()
    ]
    chapter = "docs/protocol/activity.md"
    return {"noun": "activity_fold", "chapter": chapter, "good": good, "bad": bad}


def told(history: History) -> dict[str, object]:
    """Give a history as JSON: the records that are no entries, and the entries."""
    return {"aside": [WEIGHED.hex()], "entries": [_told(each) for each in history.entries]}


def _told(entry: Entry) -> dict[str, object]:
    told: dict[str, object] = {
        "id": entry.id.hex(),
        "node": entry.node.hex(),
        "organisation": entry.organisation.hex(),
        "deps": [each.hex() for each in entry.deps],
        "previous": None if entry.previous is None else entry.previous.hex(),
        "readings": list(entry.readings),
    }
    match entry.said:
        case Word(about, verdict, by, organisation):
            told["approval"] = [about.hex(), verdict, by.hex(), organisation.hex()]
        case MalformedActivity():
            told |= {"kind": 6, "content": "80"}
        case said:
            told |= {"kind": int(KINDS[type(said)]), "content": activity.encode(said).hex()}
    return told


def expect(state: State) -> dict[str, object]:
    """Give a state as JSON."""
    return {
        "fields": {name: [_given(each) for each in state.given(name)] for name in state.fields},
        "rejected": {each.record.hex(): each.code for each in state.rejected.values()},
        "approvals": {
            key[1].hex(): [[one.person.hex(), one.verdict] for one in state.spoken(key[1])]
            for key, _ in state.words.items()
        },
        "bound": [[each.node.hex(), each.device] for each in state.bound.values()],
        "closed": None if state.closed is None else state.closed.record.hex(),
        "parked": sorted(each.hex() for each in state.parked),
        "wanted": sorted(each.hex() for each in state.wanted),
    }


def _given(given: Given) -> list[object]:
    """Give a value with the record that wrote it, and those of the values that it corrects."""
    records: list[object] = []
    at: Given | None = given
    while at is not None:
        records.append(at.record.hex())
        at = at.before
    return [given.value, *records]
