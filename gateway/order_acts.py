"""Acts about orders: what people on this computer ask the running agent to prepare and to send.

In: a request as JSON from the door; what was signed, by a key that is never here. Out: what is to
be signed, or the record that holds what was, after its commit; or a GatewayError, and then nothing
changed. It decides nothing: whether an order is carried out is for the gateway that it asks.
"""

from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

from gateway.activities import approval, mandate, order, stated
from gateway.activities.order import Expected, Order
from gateway.activities.standing import Vouched
from gateway.activities.stated import Stated
from gateway.acts import Acting, member_of
from gateway.errors import (
    AskedWrongly,
    NothingToQuote,
    OrderOver,
    PersonUncertified,
    UnknownGroup,
    UnknownOrder,
)
from gateway.groups.group import Group
from gateway.readings.reading import Value
from gateway.records import identity
from gateway.records.record import ClockSource, Kind, Moment, Said
from gateway.store import activities, authoring, contacts, orders, quoting, state, vouching
from gateway.store.authoring import Venue
from gateway.store.database import Connection
from gateway.store.quoting import Quotable

PREFIXES: Final = ("order.", "mandate.")
_ORDER_ID_BYTES: Final = 16
_NOTHING_HELD: Final = "nothing that it wrote is held here"
Asked = Mapping[str, object]
Facts = dict[str, object]
Written = tuple[bytes, bytes]  # in which group, and the record
T = TypeVar("T")


class OrderActs:
    """The acts, by name."""

    def __init__(
        self,
        acting: Acting,
        venue: Callable[[Group], Venue],
        written: Callable[[Sequence[bytes]], None],
    ) -> None:
        self._by, self._venue, self._written = acting, venue, written
        self._known: dict[str, Callable[[Asked], Facts]] = {
            "order.prepare": self._prepare,
            "order.submit": self._submit,
            "order.word": self._word,
            "mandate.submit": self._mandate,
        }

    def do(self, asked: Asked) -> Facts:
        """Do what is asked, and wait for its commit; raise a GatewayError."""
        act = self._known.get(str(asked.get("act")))
        if act is None:
            raise AskedWrongly(reason="an unknown act")
        return act(asked)

    def _prepare(self, asked: Asked) -> Facts:
        """Write what is to be signed, with a fresh record of its target quoted in it."""
        held, now = state.load(self._by.state_dir), self._by.author.now()

        def job(db: Connection) -> Order:
            activity, group = self._activity(db, _text(asked, "activity"))
            target = member_of(db, held, group, _text(asked, "target"))
            known = contacts.of_group(db, group.id).get(target)
            if known is None:  # It is a member that has written nothing yet.
                raise NothingToQuote(target=asked["target"], reason=_NOTHING_HELD)
            name = known.node.name
            validity_ms = _count(asked, "validity_ms", order.VALIDITY_MS)
            found = quoting.quotable(db, group.id, target)
            quoted = check_fresh(found, name, now, validity_ms)
            return Order(
                self._by.author.random(_ORDER_ID_BYTES),
                activity,
                target,
                name,
                _text(asked, "point"),
                _value(asked.get("value")),
                (quoted.feed, quoted.seq),
                str(asked.get("unit") or ""),
                _expected(asked.get("expected")),
                validity_ms,
                "zh" if asked.get("language") == "zh" else "en",
            )

        wanted = self._on_store(job)
        payload = order.encode(wanted)
        told = {"order": b64encode(payload).decode(), "text": order.text(wanted, wanted.language)}
        return {**told, "id": wanted.id.hex()}

    def _submit(self, asked: Asked) -> Facts:
        """Send an order that a person signed."""
        signed, person = _bytes(asked, "order"), _bytes(asked, "certificate")
        said = order.decode(signed)
        said.verify(identity.decode(person, "person").key)

        def job(db: Connection) -> Written:
            activity, group = self._activity(db, said.order.activity.hex())
            quoted = quoting.id_at(db, *said.order.quoted)
            deps = (activity,) if quoted is None else (activity, quoted)
            return self._say(db, group, Stated(signed, person), Kind.ORDER, (activity, deps))

        return {"order": said.hash.hex(), "record": self._sent(job)}

    def _word(self, asked: Asked) -> Facts:
        """Send what a person signed about an order, a mandate or a record."""
        signed, person = _bytes(asked, "signed"), _bytes(asked, "certificate")
        word = approval.decode(signed)
        word.verify(identity.decode(person, "person").key)

        def job(db: Connection) -> Written:
            about = quoting.subject_of(db, word.approval.about)
            activity, group = self._activity(db, about.activity.hex())
            _check_open(db, word.approval.about)
            told = Stated(signed, person)
            return self._say(db, group, told, Kind.APPROVAL, (activity, (about.record,)))

        return {"about": word.approval.about.hex(), "record": self._sent(job)}

    def _mandate(self, asked: Asked) -> Facts:
        """Send a mandate that a person signed."""
        signed, person = _bytes(asked, "mandate"), _bytes(asked, "certificate")
        given = mandate.decode(signed)
        given.verify(identity.decode(person, "person").key)

        def job(db: Connection) -> Written:
            activity, group = self._activity(db, _text(asked, "activity"))
            told = Stated(signed, person)
            return self._say(db, group, told, Kind.MANDATE, (activity, (activity,)))

        return {"mandate": given.hash.hex(), "record": self._sent(job)}

    def _say(
        self,
        db: Connection,
        group: Group,
        told: Stated,
        kind: Kind,
        where: tuple[bytes, tuple[bytes, ...]],
    ) -> Written:
        """Write what a person signed, as a record of an activity that answers others."""
        activity, deps = where
        person = identity.decode(told.certificate or b"", "person")
        worth = vouching.judge(db, group.id, person, self._by.author.now())
        if worth is not Vouched.GOOD:
            raise PersonUncertified
        content = stated.encode(kind, told)
        said = Said(kind, content, stated.CONTENT_TYPE, activity, tuple(sorted(set(deps))))
        place = authoring.say(db, self._by.author, self._venue(group), said)
        return group.id, orders.by_of(db, place).record.id

    def _activity(self, db: Connection, named: str) -> tuple[bytes, Group]:
        """Find an activity by its id or the beginning of it, and the group in which it is."""
        found = activities.find(db, named)
        for group in self._by.groups.values():
            if group.id == found.group_id:
                return found.id, group
        raise UnknownGroup(group=found.group)

    def _sent(self, job: Callable[[Connection], Written]) -> str:
        """Name the record that was written, once the peers were told that there is one."""
        group, record = self._on_store(job)
        self._written([group])
        return record.hex()

    def _on_store(self, job: Callable[[Connection], T]) -> T:
        return self._by.writer.submit(job).result()


def check_fresh(found: Quotable | None, name: str, now: Moment, validity_ms: int) -> Quotable:
    """See that there is a record to quote that is not too old already; raise NothingToQuote."""
    if found is None:
        raise NothingToQuote(target=name, reason=_NOTHING_HELD)
    written = found.moment
    age_ms = 0
    if written.boot == now.boot:
        age_ms = now.monotonic_ms - written.monotonic_ms
    elif ClockSource.UNSET not in (written.source, now.source):
        age_ms = now.unix_ms - written.unix_ms
    if age_ms >= validity_ms:
        hours = f"{age_ms / 3_600_000:.1f}"
        raise NothingToQuote(target=name, reason=f"the newest is {hours} hours old")
    return found


def _check_open(db: Connection, about: bytes) -> None:
    """See that what a word is about has not come to its end; raise OrderOver."""
    try:
        end = orders.load(db, about).end
    except UnknownOrder:
        return
    if end is not None:
        raise OrderOver(order=about.hex()[:16], outcome=end.outcome.name.lower())


def _expected(said: object) -> tuple[Expected, ...]:
    """Read what an order expects, as rows of device, metric, relation and value."""
    found = []
    for row in said if isinstance(said, list) else []:
        match row:
            case [str() as device, str() as metric, str() as relation, value]:
                found.append(Expected(device, metric, relation, _value(value)))
            case _:
                raise AskedWrongly(reason="what is expected is no device, metric, relation, value")
    return tuple(found)


def _value(said: object) -> Value:
    match said:
        case bool() | int() | float() | str():
            return said
    raise AskedWrongly(reason="value is missing")


def _count(asked: Asked, key: str, otherwise: int) -> int:
    said = asked.get(key, otherwise)
    if type(said) is not int or said <= 0:
        raise AskedWrongly(reason=f"{key} is no number above 0")
    return said


def _text(asked: Asked, key: str) -> str:
    said = asked.get(key)
    if not isinstance(said, str) or not said:
        raise AskedWrongly(reason=f"{key} is missing")
    return said


def _bytes(asked: Asked, key: str) -> bytes:
    try:
        return b64decode(_text(asked, key), validate=True)
    except ValueError:
        raise AskedWrongly(reason=f"{key} is no base64") from None
