"""How it stands with an order at the gateway that is asked, gathered from all that is held here.

In: the store, inside the one commit in which it is decided; the run, the moment, the points of the
config, the newest readings. Out: the standing that `execution.decide` reads. It decides nothing.
Protocol: docs/protocol/order.md.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import apsw

from gateway.activities import mandate, order, template
from gateway.activities.activity import Open
from gateway.activities.order import SignedOrder
from gateway.activities.standing import (
    Earlier,
    Found,
    Granted,
    Person,
    Place,
    PointRules,
    Quoted,
    Reached,
    Rights,
    Spoken,
    Standing,
    Thing,
    Use,
    Vouched,
)
from gateway.activities.terms import Needs
from gateway.config.points import Point
from gateway.errors import AuthorError, MalformedTemplate, UnknownActivity
from gateway.groups.group import Role
from gateway.records import record
from gateway.records.feed import feed_id
from gateway.records.identity import Certificate
from gateway.records.record import Kind, Moment
from gateway.records.run import Run
from gateway.store import (
    activities,
    freezing,
    keyring,
    mandates,
    membership,
    observations,
    orders,
    quoting,
    standing,
    vouching,
)
from gateway.store.folding import Folds
from gateway.store.mandates import Given
from gateway.store.orders import By, Held, Sighting, Word

_NEEDS = {Needs.NOTHING: "local", Needs.AGREED: "agreed", Needs.FINAL: "final"}
Readings = Mapping[tuple[str, str], Found]


@dataclass(frozen=True, slots=True)
class Here:
    """The gateway that is asked: its run, what it may move, what it read last, what is going on."""

    run: Run
    points: Mapping[str, Point]
    found: Readings
    rights: Callable[[apsw.Connection, bytes], Rights | None]


def weigh(db: apsw.Connection, here: Here, now: Moment, about: tuple[Held, Sighting]) -> Standing:
    """Say how it stands with an order, as it stands in one record, now."""
    held, sighting = about
    by, wanted, node = sighting.by, held.said.order, here.run.credentials.node
    group = by.record.group
    # In another group others would have to agree, and the activity's would never hear of it.
    within = activities.group_of(db, wanted.activity)
    rights = here.rights(db, wanted.activity) if within == group else None
    needs = rights.needs if rights else "final"
    look = _Look(db, group, node.subject, needs, now)
    signer = Thing() if sighting.person is None else look.person(sighting.person)
    return Standing(
        held.said,
        Place(node.subject, node.issuer, node.name),
        Place(by.node, by.organisation),
        signer,
        look.reached(by),
        _quoted(db, here.run, group, (held.said, now)),
        now,
        rights,
        _rules(db, group, here.points.get(wanted.point)),
        tuple(
            look.spoken(word, order.text(wanted, word.said.approval.language))
            for word in held.words
            if word.by.record.group == group
        ),
        here.found,
        _granted(look, held, by, node.issuer),
        _earlier(db, held, sighting),
    )


def rights_in(db: apsw.Connection, folds: Folds, named: bytes) -> Rights | None:
    """Say what an activity allows by all that is held of it; None where it is not here yet."""
    try:
        state = folds.state(db, named)
    except UnknownActivity:
        return None
    return rights_of(state.opened, state.closed is not None)


def rights_of(opened: Open, is_closed: bool) -> Rights | None:
    """Say what an activity's open record and template allow; None where they cannot be read."""
    try:
        made = template.parse(opened.template)
    except MalformedTemplate:
        return None
    step, parties = made.order, opened.parties
    acting = {each.organisation for each in parties if set(each.roles) - {Role.OBSERVER}}
    if step is None:
        return Rights(frozenset(), frozenset(acting), "local", is_closed=is_closed)
    return Rights(
        frozenset(each.organisation for each in parties if set(each.roles) & set(step.write)),
        frozenset(acting),
        _NEEDS[made.needs(step, opened.mode)],
        step.approving.persons,
        step.approving.organisations,
        is_closed,
    )


class _Look:
    """What records and people's words are worth in one group, now."""

    def __init__(
        self, db: apsw.Connection, group: bytes, node: bytes, needs: str, now: Moment
    ) -> None:
        self.db, self._group, self._node, self._needs, self._now = db, group, node, needs, now

    def person(self, one: Certificate) -> Person:
        """Say who signed, and what the certificate is worth."""
        worth = vouching.judge(self.db, self._group, one, self._now)
        return Person(one.subject, one.issuer, one.key, worth)

    def spoken(self, word: Word, text: str) -> Spoken:
        """Say what a person said of what has this text."""
        said = word.said
        person, is_shown = self.person(word.person), said.is_of(text)
        return Spoken(said.approval.verdict, person, is_shown, self.reached(word.by))

    def reached(self, by: By) -> Reached:
        """Say how far a record has come beside what is needed."""
        said = by.record
        if said.seq >= membership.counted(self.db, said.feed, self._node):
            return Reached.REJECTED
        if freezing.is_contested(self.db, said.feed, said.seq):
            return Reached.CONTESTED
        wanted = "SELECT 1 FROM records WHERE id = ?"
        if any(self.db.execute(wanted, (dep,)).fetchone() is None for dep in said.deps):
            return Reached.PENDING
        stands = standing.of(self.db, said.feed)
        sizes = {"agreed": stands.agreed, "final": stands.final}
        return Reached.ENOUGH if said.seq < sizes.get(self._needs, said.seq + 1) else Reached.SHORT


def _quoted(
    db: apsw.Connection, run: Run, group: bytes, about: tuple[SignedOrder, Moment]
) -> Quoted:
    """Say whether the record quoted is this run's, and how old it is by the same clock."""
    (feed, seq), now = about[0].order.quoted, about[1]
    if feed != feed_id(run.key.public, group):
        return Quoted(False, None)
    written = quoting.moment_of(db, feed, seq)
    return Quoted(True, None if written is None else now.monotonic_ms - written.monotonic_ms)


def _rules(db: apsw.Connection, group: bytes, point: Point | None) -> PointRules | None:
    """Give a point's rules; who may order is named in the config, and must be one organisation."""
    if point is None:
        return None
    named: dict[str, list[bytes]] = {}
    within = vouching.newest(db, group)
    for each in () if within is None else within.organisations:
        named.setdefault(each.name, []).append(each.id)
    allowed = [ids[0] for name in point.orders_from if len(ids := named.get(name, [])) == 1]
    return PointRules(
        point.kind,
        point.unit,
        point.min,
        point.max,
        frozenset(allowed),
        point.approvals,
        point.organisations,
    )


def _granted(look: _Look, held: Held, by: By, whose: bytes) -> Granted | None:
    """Give the mandate of an order with all that was said of it and done under it."""
    named = held.said.order.mandate
    given = mandates.load(look.db, named) if named is not None else []
    if not given or named is None:
        return None
    # Who copies it beside another certificate of the same key spoils nothing: the best counts.
    first = min(given, key=lambda each: _doubt(look.person(each.person), each, whose))
    return Granted(
        first.said,
        look.person(first.person),
        _causes(look.db, by),
        tuple(
            look.spoken(word, mandate.text(first.said.mandate, word.said.approval.language))
            for word in first.words
        ),
        tuple(
            Use(each.by.record.moment.boot, each.by.record.moment.monotonic_ms, each.value)
            for each in mandates.used(look.db, named, held.said.order.target)
        ),
    )


def _doubt(giver: Person, given: Given, whose: bytes) -> tuple[bool, bool]:
    is_own = (giver.organisation, giver.id) == (whose, given.said.mandate.issuer)
    return not is_own, giver.vouched is not Vouched.GOOD


def _causes(db: apsw.Connection, by: By) -> frozenset[str] | None:
    """Name the devices of an author whose readings stand in the records that its order answers."""
    devices: set[str] = set()
    for dep in by.record.deps:
        row: tuple[Any, ...] | None = db.execute(
            "SELECT r.encoded, r.body, f.node FROM records r"
            " JOIN feeds f ON f.number = r.place >> 32 WHERE r.id = ?",
            (dep,),
        ).fetchone()
        if row is None:
            return None
        said = record.parse(row[0])
        if row[2] != by.node or said.kind is not Kind.OBSERVATION:
            continue
        with suppress(AuthorError):  # What cannot be understood causes nothing.
            content = None if row[1] is None else keyring.content(db, said, row[1])
            if content is None:
                return None
            devices |= {span.device for span in observations.spans_of(said.kind, content)}
    return frozenset(devices)


def _earlier(db: apsw.Connection, held: Held, sighting: Sighting) -> Earlier:
    if held.starts or held.ends:
        return Earlier.THIS
    return Earlier.OTHER if orders.is_repeated(db, held, sighting.signer) else Earlier.NONE
