"""What one more entry makes of an activity's state, or why it does not count.

In: the template, who the parties are, the state so far, and the next entry in fold order. Out: the
state after it. It looks at nothing that members could know differently: no clock, no status.
Protocol: docs/protocol/activity.md.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from gateway.activities.activity import Close, Correction, Open, Update, Value
from gateway.activities.state import (
    Bound,
    Closing,
    Contributor,
    Entry,
    Given,
    Rejected,
    State,
    Word,
    at,
)
from gateway.activities.template import CLOSE, Template
from gateway.activities.terms import Field, Guard, Merge, Relation, Sought, check_value, relates
from gateway.activities.tree import Key, Tree
from gateway.errors import (
    ActivityClosed,
    AuthorError,
    BadValue,
    GuardForbids,
    MalformedActivity,
    NotEntitled,
    NotYours,
    SlotTaken,
    UnknownField,
)
from gateway.groups.group import Role

BESIDE_MAX: Final = 64  # values of one field that stand beside one another
_ONLY: Final = at(b"")  # where the value of a field stands that has one
_SPEAKERS: Final = frozenset({Role.INITIATOR, Role.RECEIVER, Role.SUPERVISOR})


@dataclass(frozen=True, slots=True)
class Rules:
    """What entries are judged by: the template, the parties' roles, and the entries known."""

    template: Template
    roles: Mapping[bytes, frozenset[Role]]
    entries: Mapping[bytes, tuple[Key, Entry]]


def after(rules: Rules, before: State, key: Key, entry: Entry) -> State:
    """Give the state after an entry; one that does not count is among the rejected."""
    try:
        state = judge(rules, before, key, entry)
    except AuthorError as fault:
        facts = tuple(sorted((name, str(fact)) for name, fact in fault.facts.items()))
        found = Rejected(entry.id, entry.node, entry.organisation, type(fault), facts)
        return replace(before, rejected=before.rejected.put(key, found), count=before.count + 1)
    who = at(entry.node)
    earlier = before.contributors.get(who)
    times = 1 if earlier is None else earlier.count + 1
    said = Contributor(entry.node, entry.organisation, times, entry.id)
    return replace(state, contributors=before.contributors.put(who, said), count=before.count + 1)


def judge(rules: Rules, before: State, key: Key, entry: Entry) -> State:
    """Give the state with what an entry says, or raise the AuthorError that keeps it out."""
    match entry.said:
        case MalformedActivity() as fault:
            raise fault
        case Word() as word:
            return _spoken(rules, before, key, word)
        case Open(fields=fields):
            return _written(rules, before, key, entry, fields)
        case Correction() as said:
            return _corrected(rules, before, key, entry, said)
        case Update() as said:
            return _updated(rules, before, key, entry, said)
        case Close(said=said):
            _entitled(rules, entry, rules.template.close.write, CLOSE)
            state = _updated(rules, before, key, entry, said)
            _guard(rules, state, entry, CLOSE)
            closing = Closing(entry.id, entry.organisation, entry.node, entry.unix_ms)
            return replace(state, closed=closing, bound=Tree())


def _entitled(rules: Rules, entry: Entry, allowed: Iterable[Role], subject: str) -> None:
    if rules.roles.get(entry.organisation, frozenset()).isdisjoint(allowed):
        raise NotEntitled(organisation=entry.organisation.hex(), subject=subject)


def _updated(rules: Rules, before: State, key: Key, entry: Entry, said: Update) -> State:
    if not {linked.record for linked in said.readings} <= set(entry.deps):
        raise MalformedActivity(reason="a linked reading's record is none of the deps")
    _entitled(rules, entry, Role, "anything")
    if before.closed is not None:
        raise ActivityClosed(record=before.closed.record.hex())
    state = _written(rules, before, key, entry, said.fields)
    if not said.bound and not said.unbound:
        return state
    bound = before.bound
    for device in said.unbound:
        bound = bound.drop(_device(entry, device))
    for device in said.bound:
        bound = bound.put(_device(entry, device), Bound(entry.node, device, entry.id))
    return replace(state, bound=bound)


def _device(entry: Entry, device: str) -> Key:
    return at(entry.node + device.encode())


def _written(
    rules: Rules, before: State, key: Key, entry: Entry, said: Mapping[str, Value]
) -> State:
    if not said:
        return before
    fields = dict(before.fields)
    for name in sorted(said):
        field = rules.template.fields.get(name)
        if field is None:
            raise UnknownField(field=name)
        _entitled(rules, entry, field.write, name)
        standing = fields.get(name) or Tree()
        given = _given(entry, check_value(field, said[name]))
        fields[name] = _merged(rules, field, standing, (key, entry), given)
    return _guarded(rules, replace(before, fields=fields), entry, said)


def _given(entry: Entry, value: Value) -> Given:
    return Given(value, entry.id, entry.id, entry.organisation, entry.node, entry.unix_ms)


def _guarded(rules: Rules, state: State, entry: Entry, said: Iterable[str]) -> State:
    for name in sorted(said):
        _guard(rules, state, entry, name)
    return state


def _place(field: Field, key: Key, entry: Entry) -> Key:
    """Say where in its field the value of an entry stands."""
    match field.merge:
        case Merge.REGISTER | Merge.SLOT:
            return _ONLY
        case Merge.COUNTER:
            return at(entry.node)
        case Merge.APPEND | Merge.VALUES:
            return key


def _merged(
    rules: Rules, field: Field, standing: Tree[Given], by: tuple[Key, Entry], given: Given
) -> Tree[Given]:
    """Put a value beside those that stand, or instead of them."""
    if field.merge is Merge.SLOT and (taken := standing.get(_ONLY)) is not None:
        raise SlotTaken(field=field.name, record=taken.record.hex())
    if field.merge is Merge.VALUES:
        for replaced in by[1].deps:
            standing = standing.drop(_origin(rules, replaced))
        if len(standing) >= BESIDE_MAX:
            reason = f"more than {BESIDE_MAX} values beside one another"
            raise BadValue(field=field.name, reason=reason)
    return standing.put(_place(field, *by), given)


def _origin(rules: Rules, record: bytes) -> Key:
    """Give the key of a record, or of the one that it corrects; one that nothing has otherwise."""
    key, entry = rules.entries.get(record, (_ONLY, None))
    if entry is not None and isinstance(entry.said, Correction):
        key, _ = rules.entries.get(entry.said.record, (_ONLY, None))
    return key


def _corrected(rules: Rules, before: State, key: Key, entry: Entry, said: Correction) -> State:
    where, origin = rules.entries.get(said.record, (key, entry))
    match origin.said:
        case Open(fields=written) | Update(fields=written) | Close(said=Update(fields=written)):
            mine = where < key and origin.organisation == entry.organisation
        case _:
            mine, written = False, {}
    if not mine or before.rejected.get(where) is not None:
        raise NotYours(record=said.record.hex())
    fields = dict(before.fields)
    for name in sorted(said.fields):
        if name not in written:
            raise UnknownField(field=name)
        field = rules.template.fields[name]
        if field.merge is Merge.SLOT:
            raise SlotTaken(field=name, record=said.record.hex())
        place, value = _place(field, where, origin), check_value(field, said.fields[name])
        old = fields[name].get(place)
        if old is not None and old.origin == origin.id:
            new = replace(_given(entry, value), origin=origin.id, node=origin.node, before=old)
            fields[name] = fields[name].put(place, new)
    return _guarded(rules, replace(before, fields=fields), entry, said.fields)


def _spoken(rules: Rules, before: State, key: Key, word: Word) -> State:
    where, about = rules.entries.get(word.about, (key, None))
    if about is None or where >= key or word.verdict not in (0, 1):
        return before  # of an order: that is judged where it is executed
    if rules.roles.get(word.organisation, frozenset()).isdisjoint(_SPEAKERS):
        raise NotEntitled(organisation=word.organisation.hex(), subject="an approval")
    spoken = {**(before.words.get(at(word.about)) or {}), word.person: word}
    return replace(before, words=before.words.put(at(word.about), spoken))


def _guard(rules: Rules, state: State, entry: Entry, step: str) -> None:
    """Raise GuardForbids where a guard on this step does not hold with all that is written."""
    for guard in rules.template.guards_on(step):
        if not _holds(rules, state, entry, guard):
            raise GuardForbids(subject=step, reason=guard.why.of("en"))


def _holds(rules: Rules, state: State, entry: Entry, guard: Guard) -> bool:
    found = list(_subjects(rules, state, entry, guard.subject))
    if guard.relation is Relation.SET:
        return bool(found)
    others = [guard.value] if guard.than is None else list(_values(rules, state, guard.than))
    pairs = [(one, other) for one in found for other in others]
    return bool(pairs) and all(relates(guard.relation, one, other) for one, other in pairs)


def _subjects(rules: Rules, state: State, entry: Entry, subject: str | Sought) -> Iterator[Value]:
    """Give what a guard is about: a field's values, or those of readings that the entry links."""
    if isinstance(subject, str):
        yield from _values(rules, state, subject)
        return
    said = entry.said.said if isinstance(entry.said, Close) else entry.said
    links = said.readings if isinstance(said, Update) else ()
    devices = _names(rules, state, subject.device, subject.device_of)
    metrics = _names(rules, state, subject.metric, subject.metric_of)
    for linked, value in zip(links, entry.readings, strict=False):
        of_device = devices is None or linked.device in devices
        if of_device and (metrics is None or linked.metric in metrics) and value is not None:
            yield value


def _names(
    rules: Rules, state: State, name: str | None, field: str | None
) -> frozenset[Value] | None:
    """Give the names that will do; None: any."""
    if field is not None:
        return frozenset(_values(rules, state, field))
    return None if name is None else frozenset({name})


def _values(rules: Rules, state: State, name: str) -> Iterator[Value]:
    """Give the values of a field that a guard sees: the newest of a set, the sum of a counter."""
    standing = state.fields.get(name)
    if not standing:
        return
    match rules.template.fields[name].merge:
        case Merge.COUNTER:
            yield state.total(name)
        case Merge.APPEND:
            newest = standing.last()
            assert newest is not None
            yield newest.value
        case _:
            yield from (given.value for given in standing.values())
