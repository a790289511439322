"""What an activity's next step waits for: how far the records are that it rests on.

In: a fold, what is to be written next, and the store. Out: what is not agreed, not final or not
approved yet of what the template says must be. It is never in the fold: members know of it at
different times. It gates who writes. Protocol: docs/protocol/template.md, Acting.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

import apsw

from gateway.activities.fold import Fold
from gateway.activities.state import Given, State
from gateway.activities.template import CLOSE, Template
from gateway.activities.terms import Approving, Needs
from gateway.store import feeds, groups, standing

_APPROVE = 0


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a value's record is, and how far it must be before anybody acts on it.

    `approved` counts persons and their organisations, `approving` says how many it takes.
    """

    field: str
    given: Given
    found: Needs
    needed: Needs
    approved: Approving
    approving: Approving

    @property
    def lacking(self) -> str:
        """Say in short what it waits for; nothing where it may be acted on."""
        if self.found < self.needed:
            return self.needed.name.lower()
        if self.approved.persons < self.approving.persons:
            return f"approvals ({self.approved.persons} of {self.approving.persons})"
        if self.approved.organisations < self.approving.organisations:
            return "the approval of another organisation"
        return ""


def reached(db: apsw.Connection, name: bytes) -> Needs:
    """Say whether a record that is held is agreed, or final too."""
    row = db.execute(
        "SELECT f.id, r.place FROM records r JOIN feeds f ON f.number = r.place >> 32"
        " WHERE r.id = ?",
        (name,),
    ).fetchone()
    if row is None:
        return Needs.NOTHING
    stands, seq = standing.of(db, bytes(row[0])), feeds.parted(row[1])[1]
    if seq < stands.final:
        return Needs.FINAL
    return Needs.AGREED if seq < stands.agreed else Needs.NOTHING


def of_field(db: apsw.Connection, fold: Fold, name: str) -> list[Reach]:
    """Say of each value that stands in a field how far it is."""
    field, state = fold.template.fields[name], fold.state
    needed = fold.template.needs(field, state.opened.mode)
    barred = groups.revoked(db).keys() if field.approving.persons else frozenset()
    return [
        Reach(
            name,
            given,
            reached(db, given.record),
            needed,
            approved(state, given.record, barred),
            field.approving,
        )
        for given in state.given(name)
    ]


def waits(db: apsw.Connection, fold: Fold, fields: Iterable[str], closes: bool) -> Iterator[Reach]:
    """Give what lacks before these fields are written, or the activity is closed with them."""
    steps = [*fields, CLOSE] if closes else [*fields]
    for name in sorted({each for step in steps for each in _looked_at(fold.template, step)}):
        yield from (each for each in of_field(db, fold, name) if each.lacking)
    if closes:
        needed = fold.template.needs(fold.template.close, fold.state.opened.mode)
        for name in fold.template.fields:
            every = (replace(each, needed=needed) for each in of_field(db, fold, name))
            yield from (each for each in every if each.found < needed)


def approved(state: State, name: bytes, barred: Collection[tuple[bytes, bytes]]) -> Approving:
    """Count who approves a record, without those whose organisation revoked them: nobody where one
    is against it. Persons are told apart by their keys too."""
    said = state.spoken(name)
    given = [each for each in said if (each.organisation, each.person) not in barred]
    if any(each.verdict != _APPROVE for each in given):
        return Approving()
    persons = min(len({each.person for each in given}), len({each.key for each in given}))
    return Approving(persons, min(persons, len({each.organisation for each in given})))


def _looked_at(template: Template, step: str) -> Iterator[str]:
    """Give the fields that the guards of a step look at, but for the one that is written."""
    for guard in template.guards_on(step):
        match guard.subject:
            case str() as field:
                named = [field, guard.than]
            case sought:
                named = [sought.device_of, sought.metric_of, guard.than]
        yield from (each for each in named if each is not None and each != step)
