"""Activities written by hand or by chance, as entries that the fold reads, without any record.

In: a template, parties, and what each says. Out: entries, with deps as an agent would write them.
Ids are hashes of the history's name and a number: two histories order the same acts differently.
"""

import random
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256

from gateway.activities.activity import Close, Correction, Linked, Mode, Open, Party, Update, Value
from gateway.activities.fold import Fold
from gateway.activities.state import Entry, Word
from gateway.activities.template import parse
from gateway.errors import MalformedActivity
from gateway.groups.group import ActivityKind, Role

TEXT = """\
name = "trial"
title = { en = "Trial" }
kind = "industrial"
mode = "trust"
version = 1

[field.ordered]
title = { en = "Ordered" }
type = "number"
min = 1
write = ["initiator"]

[field.made]
title = { en = "Made" }
type = "number"
merge = "counter"
write = ["receiver"]

[field.lot]
title = { en = "Lots" }
type = "text"
merge = "append"
write = ["receiver", "supervisor"]

[field.note]
title = { en = "Notes" }
type = "text"
merge = "values"
write = ["initiator", "receiver", "supervisor"]

[field.limit]
title = { en = "Limit" }
type = "number"
write = ["initiator", "supervisor"]
approvals = 2
organisations = 2

[field.verdict]
title = { en = "Verdict" }
type = "choice"
choices.yes = { en = "yes" }
choices.no = { en = "no" }
merge = "slot"
decider = "initiator"

[[guard]]
on = "made"
is = "<="
than = "ordered"
why = { en = "no more than was ordered" }

[[guard]]
on = "verdict"
reading = { device = "scale", metric = "mass" }
is = "<="
value = 20.5
why = { en = "it was weighed, and is not too heavy" }

[[guard]]
on = "close"
field = "verdict"
is = "set"
why = { en = "there is a verdict" }

[close]
write = ["initiator", "supervisor"]
"""
ROLES = {
    "ace": (Role.INITIATOR,),
    "bolt": (Role.RECEIVER,),
    "coil": (Role.RECEIVER, Role.SUPERVISOR),
    "dyne": (Role.OBSERVER,),
}
WEIGHED = sha256(b"what the scale said").digest()
MASS = Linked(WEIGHED, "scale", "mass")
Said = Update | Close | Correction | Word | MalformedActivity


def named(who: str) -> bytes:
    """Give the id of an organisation, a node or a person."""
    return sha256(who.encode()).digest()[:16]


def person(who: str, about: Entry | bytes, verdict: int = 0) -> Word:
    """Give the word of a person: "ace/ann" is of the organisation "ace"."""
    record = about if isinstance(about, bytes) else about.id
    return Word(record, verdict, named(who), named(who.split("/")[0]))


def opening(fields: dict[str, Value] | None = None) -> Open:
    """Give what opens the activity: all parties but the stranger, "east"."""
    parties = sorted((named(who), roles) for who, roles in ROLES.items())
    made = tuple(Party(*each) for each in parties)
    return Open(ActivityKind.INDUSTRIAL, Mode.TRUST, "trial", made, TEXT, fields or {})


class History:
    """Entries of one activity, and what each node holds of them."""

    def __init__(self, name: str, fields: dict[str, Value] | None = None) -> None:
        self.name, self.template = name, parse(TEXT)
        self.opened = Entry(self._id(0), named("ace.1"), named("ace"), opening(fields))
        self.entries = [self.opened]
        self._last: dict[str, bytes] = {"ace": self.opened.id}

    def say(
        self,
        who: str,
        said: Said,
        *deps: Entry | bytes,
        mass: float | None = None,
    ) -> Entry:
        """Have a node ("ace" or "ace.2") say something; without deps it knows all there is."""
        known = [each if isinstance(each, bytes) else each.id for each in deps]
        if not deps:
            known = list(self.fold().heads[:8])
        weighed = (WEIGHED,) if mass is not None else ()
        entry = Entry(
            self._id(len(self.entries)),
            named(who if "." in who else f"{who}.1"),
            named(who.split(".")[0]),
            said,
            tuple(sorted({*known, *weighed})),
            self._last.get(who),
            () if mass is None else (mass,),
            1_795_262_400_000 + len(self.entries),
        )
        self._last[who] = entry.id
        self.entries.append(entry)
        return entry

    def fold(self, entries: Iterable[Entry] | None = None) -> Fold:
        """Fold what there is, or entries in the order given; the open record is there."""
        made = new(self)
        made.add(self.entries if entries is None else entries)
        return made

    def _id(self, number: int) -> bytes:
        return sha256(f"{self.name} {number}".encode()).digest()


def new(history: History) -> Fold:
    """Begin a fold of a history's activity; what the scale said is held."""
    made = Fold(history.template, history.opened)
    made.add((), [WEIGHED])
    return made


def weighed(fields: dict[str, Value]) -> Update:
    """Give an update that rests on what the scale said."""
    return Update(fields, (MASS,))


def by_chance(seed: int, count: int) -> History:
    """Write a history: nodes that hear of one another late, and say whatever comes to mind."""
    dice = random.Random(seed)
    history = History(f"chance {seed}", {"ordered": dice.randint(50, 200)})
    held = {who: new(history) for who in {*_NODES, *_STRANGERS}}
    for _ in range(count):
        who = dice.choice(_NODES if dice.random() < 0.9 else _STRANGERS)
        # It hears of some of what there is, in the order written, and of the rest another time.
        heard = history.entries[: dice.randint(0, len(history.entries))]
        held[who].add(heard if dice.random() < 0.5 else heard[-3:])
        make, mass = dice.choice(_SAYINGS)
        said = make(dice, [each for each in heard or history.entries if _is_by(each, who)])
        deps = [*held[who].heads[:6], *_replaced(held[who], said)]
        if isinstance(said, Correction) and dice.random() < 0.8:
            deps.append(said.record)
        mass += dice.choice((0.0, 0.0, 9.0)) if mass else 0.0
        written = history.say(who, said, *(deps or [history.opened.id]), mass=mass or None)
        held[who].add([written])
    return history


def _is_by(entry: Entry, who: str) -> bool:
    """Say whether a node would speak of an entry: of its own most often."""
    return entry.organisation == named(who.split(".")[0]) or entry.id[0] < 32


def _replaced(known: Fold, said: Said) -> list[bytes]:
    """Give the records whose values of the field "note" this one replaces."""
    if isinstance(said, Update) and "note" in said.fields:
        return [given.record for given in known.state.given("note")][:4]
    return []


def _correct(dice: random.Random, entries: Sequence[Entry]) -> Said:
    if not entries:
        return Correction(WEIGHED, {"note": "of nothing"})
    chosen = dice.choice(entries)
    fields = chosen.said.fields if isinstance(chosen.said, Update | Open) else {}
    name = dice.choice([*fields, *fields, "note"])
    value: Value = "corrected" if name in ("note", "lot") else dice.randint(0, 120)
    return Correction(chosen.id, {name: value})


def _approve(dice: random.Random, entries: Sequence[Entry]) -> Said:
    who = dice.choice(("ace/ann", "bolt/bo", "coil/cy", "dyne/di", "east/ed"))
    return person(who, dice.choice(entries) if entries else WEIGHED, dice.choice((0, 0, 1, 2)))


def _close(dice: random.Random, _: Sequence[Entry]) -> Said:
    if dice.random() < 0.7:
        return Update()
    return Close(Update({"note": "end"} if dice.random() < 0.5 else {}))


_NODES = ("ace", "ace", "ace.2", "bolt", "coil", "coil.2")
_STRANGERS = ("dyne", "east")
_SAYINGS: tuple[tuple[Callable[[random.Random, Sequence[Entry]], Said], float], ...] = (
    (lambda dice, _: Update({"ordered": dice.randint(0, 200)}), 0),
    (lambda dice, _: Update({"made": dice.randint(0, 60)}), 0),
    (lambda dice, _: Update({"made": dice.randint(0, 60)}), 0),
    (lambda dice, _: Update({"lot": f"lot {dice.randint(0, 9)}"}), 0),
    (lambda dice, _: Update({"note": f"note {dice.randint(0, 9)}"}), 0),
    (lambda dice, _: Update({"note": f"note {dice.randint(0, 9)}"}), 0),
    (lambda dice, _: Update({"limit": dice.randint(0, 9), "note": "both"}), 0),
    (lambda dice, _: Update(bound=(f"press {dice.randint(0, 3)}",)), 0),
    (lambda dice, _: Update(unbound=(f"press {dice.randint(0, 3)}",)), 0),
    (lambda dice, _: weighed({"verdict": dice.choice(("yes", "no", "maybe"))}), 20.0),
    (lambda _, __: Update({"colour": 1}), 0),
    (lambda _, __: MalformedActivity(reason="no map"), 0),
    (_close, 0),
    (_correct, 0),
    (_correct, 0),
    (_approve, 0),
    (_approve, 0),
)
