"""Acts about activities: what people on this computer ask the running agent to open and to say.

In: a request as JSON from the door. Out: facts, after the commit that holds what was done; or a
GatewayError, and then nothing changed. What the activity would not take is refused before it is
written; so is a step that rests on what is not agreed yet. It decides nothing: the fold does.
Protocol: docs/protocol/activity.md.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from gateway import asked as door
from gateway.activities import activity, template
from gateway.activities.activity import (
    Act,
    Chunk,
    Close,
    Correction,
    Linked,
    Open,
    Party,
    Update,
    Value,
)
from gateway.activities.fold import Fold
from gateway.activities.state import Entry
from gateway.activities.template import CLOSE, Template
from gateway.activities.terms import Merge
from gateway.acts import Acting, Acts
from gateway.errors import (
    AskedWrongly,
    DeviceBound,
    NoLinkedReading,
    NotAMember,
    NotReached,
    OtherTemplate,
    UnknownGroup,
)
from gateway.groups import parties
from gateway.groups.group import ActivityKind, Group, Role
from gateway.records.record import DEPS_MAX, NO_RECORD, Kind, Said
from gateway.store import (
    activities,
    authoring,
    council,
    folding,
    membership,
    questions,
    reaching,
    state,
)
from gateway.store.activities import Opened
from gateway.store.authoring import Venue
from gateway.store.database import Connection
from gateway.store.folding import Folded, Folds

PREFIX: Final = "activity."
HEADS_MAX: Final = 8
_KINDS: Final[Mapping[type[Act], Kind]] = {
    Open: Kind.ACTIVITY_OPEN,
    Update: Kind.ACTIVITY_UPDATE,
    Close: Kind.ACTIVITY_CLOSE,
    Correction: Kind.CORRECTION,
    Chunk: Kind.ATTACHMENT,
}
Asked = Mapping[str, object]
Facts = dict[str, object]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Draft:
    """What is to be said in an activity, what it rests on, and the values of what it links."""

    said: Update | Close | Correction
    deps: frozenset[bytes]
    values: tuple[Value, ...] = ()


class ActivityActs:
    """The acts, by name."""

    def __init__(
        self, acting: Acting, groups: Acts, folded: Folded, rebound: Callable[[], object]
    ) -> None:
        self._by, self._groups, self._folded, self._rebound = acting, groups, folded, rebound
        self._turn = threading.RLock()  # One act at a time: two may want one slot.
        self._known: dict[str, Callable[[Asked], Facts]] = {
            "activity.open": self._open,
            "activity.update": self._update,
            "activity.close": self._close,
            "activity.correct": self._correct,
            "activity.attach": self._attach,
        }

    def do(self, asked: Asked) -> Facts:
        """Do what is asked, and wait for its commit; raise a GatewayError."""
        act = self._known.get(str(asked.get("act")))
        if act is None:
            raise AskedWrongly(reason="an unknown act")
        with self._turn:
            return act(asked)

    def _open(self, asked: Asked) -> Facts:
        """Find or found the parties' group, and open an activity in it."""
        by = template.parse(door.text(asked, "template"))
        kind, mode = door.word(asked, "kind", by.kind), door.word(asked, "mode", by.mode)
        fields, devices = door.values(asked, by), door.texts(asked, "devices")
        self._check_free(devices, None)
        name, group, is_reused = self._place(asked, by, kind)
        if group.founding.templates and by.hash not in group.founding.templates:
            raise OtherTemplate(group=name, template=by.hash.hex()[:16])
        purpose = door.text(asked, "purpose")
        opened = Open(kind, mode, purpose, self._parties(asked, group), by.text, fields)
        self._check_open(by, opened)
        named = self._say(group, opened, None, ())
        if devices:
            self._write(named, _Draft(Update(bound=tuple(sorted(devices))), frozenset()))
        facts: Facts = {"activity": named.hex(), "group": name, "id": group.id.hex()}
        return {**facts, "template": by.hash.hex(), "reused": is_reused}

    def _update(self, asked: Asked) -> Facts:
        """Say something new in an activity."""
        return self._step(asked, lambda said: said)

    def _close(self, asked: Asked) -> Facts:
        """Close an activity."""
        return self._step(asked, Close)

    def _step(self, asked: Asked, step: Callable[[Update], Update | Close]) -> Facts:
        at = self._find(asked)
        links = [self._linked(at, row) for row in door.rows(asked, "readings")]
        bound, unbound = door.texts(asked, "bind"), door.texts(asked, "unbind")
        self._check_free(bound, at.id)
        links.sort(key=lambda each: (each[0].record, each[0].device, each[0].metric))
        readings = tuple(link for link, _ in links)
        said = Update(
            door.values(asked, template.parse(at.said.template)), readings, bound, unbound
        )
        deps = frozenset(link.record for link in readings)
        draft = _Draft(step(said), deps, tuple(value for _, value in links))
        return {"activity": at.id.hex(), "record": self._write(at.id, draft).hex()}

    def _correct(self, asked: Asked) -> Facts:
        """Say again, otherwise, what this organisation said in a record."""
        at = self._find(asked)
        wanted = door.text(asked, "record")
        corrected = self._folded.ask(lambda db, _: questions.find(db, wanted).record.id)
        fields = door.values(asked, template.parse(at.said.template))
        if not fields:
            raise AskedWrongly(reason="a correction of no field")
        draft = _Draft(Correction(corrected, fields), frozenset((corrected,)))
        return {"activity": at.id.hex(), "record": self._write(at.id, draft).hex()}

    def _attach(self, asked: Asked) -> Facts:
        """Attach a piece of a file to an activity."""
        at = self._find(asked)
        whole, names = (
            door.digest(asked, "file"),
            (door.text(asked, "name"), door.text(asked, "type")),
        )
        placed = door.number(asked, "size"), door.number(asked, "offset")
        chunk = Chunk(whole, *names, *placed, door.piece(asked, "bytes"))
        activity.decode(Kind.ATTACHMENT, activity.encode(chunk))  # as its readers will
        record = self._say(self._group(at.group_id), chunk, at.id, (at.id,))
        return {"activity": at.id.hex(), "record": record.hex()}

    def _write(self, named: bytes, draft: _Draft) -> bytes:
        """Write what the activity takes now, over all that is held of it; give its record."""
        node, organisation = self._by.author.run.node, self._organisation

        def job(db: Connection, folds: Folds) -> tuple[bytes, tuple[bytes, ...]]:
            fold = folds.fold(db, named)
            deps = _deps(fold, draft)
            fold.check(
                Entry(NO_RECORD, node, organisation, draft.said, deps, readings=draft.values)
            )
            _check_reached(db, named, fold, draft.said)
            return activities.find(db, named.hex()).group_id, deps

        within, deps = self._folded.ask(job)
        record = self._say(self._group(within), draft.said, named, deps)
        said = draft.said.said if isinstance(draft.said, Close) else draft.said
        if isinstance(draft.said, Close) or (
            isinstance(said, Update) and said.bound + said.unbound
        ):
            self._rebound()
        return record

    def _say(self, group: Group, act: Act, named: bytes | None, deps: Iterable[bytes]) -> bytes:
        author, venue = self._by.author, Venue(group.id, group.roster.hash)
        content = activity.encode(act)
        activity.decode(_KINDS[type(act)], content)  # as its readers will
        said = Said(_KINDS[type(act)], content, activity.CONTENT_TYPE, named, tuple(deps))

        def job(db: Connection) -> bytes:
            if not membership.load(db, group.id).has(author.run.node):
                raise NotAMember(node=author.run.node.hex(), group=group.id.hex()[:16])
            place = authoring.say(db, author, venue, said)
            return bytes(db.execute("SELECT id FROM records WHERE place = ?", (place,)).get)

        record = self._by.writer.submit(job).result()
        self._by.written([group.id])
        return record

    def _place(self, asked: Asked, by: Template, kind: ActivityKind) -> tuple[str, Group, bool]:
        """Give the group that is named and there, else the parties' one, made where there is none.

        It is for all activities between them by templates of this name, and is named like that.
        """
        wanted = str(asked.get("group") or "")
        if wanted in self._by.groups:
            return wanted, self._by.groups[wanted], True
        if not door.rows(asked, "parties"):
            raise UnknownGroup(group=wanted) if wanted else AskedWrongly(reason="no parties")
        facts = self._groups.do(
            {
                **asked,
                "act": "group.create",
                "group": wanted or self._groups.free_name(by.name),
                "purpose": by.name,
                "kind": kind.name.lower().replace("_", "-"),
                "templates": [by.hash.hex()],
            }
        )
        name = str(facts["group"])
        return name, self._by.groups[name], facts["reused"] is True

    def _parties(self, asked: Asked, group: Group) -> tuple[Party, ...]:
        """Give the parties of an activity with their roles: as asked, else as in the group."""
        held = state.load(self._by.state_dir)

        def job(db: Connection, _: Folds) -> dict[bytes, set[Role]]:
            members = membership.load(db, group.id).members
            roles: dict[bytes, set[Role]] = {}
            for each in members:
                roles.setdefault(each.organisation, set()).update(each.roles)
            if not door.rows(asked, "parties"):
                return roles
            mine = held.organisation
            wanted = {mine: set(door.roles(asked.get("roles"))) or roles.get(mine, set())}
            known, within = council.known_nodes(db, held), group.founding.consortium
            roster = next(r for r in council.newest_rosters(db, held) if r.consortium == within)
            for row in door.rows(asked, "parties"):
                who, said = door.party(row)
                for contact in parties.find(who, known, roster):
                    if contact.node.issuer not in roles:
                        raise NotAMember(node=contact.node.subject.hex(), group=group.id.hex()[:16])
                    wanted.setdefault(contact.node.issuer, set()).update(said)
            return wanted

        found = self._folded.ask(job)
        return tuple(Party(each, tuple(sorted(found[each]))) for each in sorted(found))

    def _check_open(self, by: Template, opened: Open) -> None:
        """Raise the AuthorError for which the first values would not count."""
        node = self._by.author.run.node
        fold = Fold(by, Entry(NO_RECORD, node, self._organisation, opened))
        for rejected in fold.state.rejected.values():
            raise rejected.error(**dict(rejected.facts))

    def _check_free(self, devices: Iterable[str], named: bytes | None) -> None:
        """Check that no device belongs to another activity; raise DeviceBound."""
        node = self._by.author.run.node
        bound = self._folded.ask(lambda db, folds: folding.bound(db, folds, node)).devices
        for device in devices:
            if device in bound and bound[device][0] != named:
                raise DeviceBound(device=device, activity=bound[device][0].hex()[:16])

    def _linked(self, at: Opened, row: object) -> tuple[Linked, Value]:
        match row:
            case [str() as device, str() as metric]:
                found = self._folded.ask(
                    lambda db, _: folding.newest_reading(db, at.group_id, device, metric)
                )
                if found is None:
                    raise NoLinkedReading(device=device, metric=metric, group=at.group)
                return Linked(found[0], device, metric), found[1]
        raise AskedWrongly(reason="a reading is linked by its device and metric")

    def _find(self, asked: Asked) -> Opened:
        wanted = door.text(asked, "activity")
        return self._folded.ask(lambda db, _: activities.find(db, wanted))

    def _group(self, within: bytes) -> Group:
        for group in self._by.groups.values():
            if group.id == within:
                return group
        raise UnknownGroup(group=within.hex()[:16])

    @property
    def _organisation(self) -> bytes:
        return self._by.author.run.credentials.node.issuer


def _deps(fold: Fold, draft: _Draft) -> tuple[bytes, ...]:
    """Give what a record answers: what it links, the values that it replaces, the heads."""
    said = draft.said.said if isinstance(draft.said, Close) else draft.said
    needed = set(draft.deps)
    if isinstance(said, Update):
        replaced = (
            fold.state.given(name)
            for name in said.fields
            if fold.template.fields[name].merge is Merge.VALUES
        )
        needed |= {each.record for given in replaced for each in given}
    if len(needed) >= DEPS_MAX:
        raise AskedWrongly(reason=f"it would answer more than {DEPS_MAX - 1} records at once")
    heads = [each for each in fold.heads if each not in needed]
    return tuple(sorted({*needed, *heads[: min(HEADS_MAX, DEPS_MAX - len(needed))]}))


def _check_reached(
    db: Connection, named: bytes, fold: Fold, said: Update | Close | Correction
) -> None:
    """Check that what the step rests on may be acted on; raise NotReached."""
    closes = isinstance(said, Close)
    fields = said.said.fields if isinstance(said, Close) else said.fields
    for lacks in reaching.waits(db, fold, fields, closes):
        raise NotReached(
            step=CLOSE if closes else ", ".join(sorted(fields)),
            field=lacks.field,
            record=lacks.given.record.hex()[:16],
            lacking=lacks.lacking,
            activity=named.hex()[:16],
        )
