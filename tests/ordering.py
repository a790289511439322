"""A machine's gateway and the gateways of who asks, each a real store in one process.

In: organisations of `people`, a template, what persons sign. Out: orders as records, carried from
store to store as a peer takes them over, and carried out by the production code on simulated
machines. Time is what the test says; nothing sleeps and no socket is opened.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Final, TypeVar

from gateway.activities import activity, approval, execution, order, stated, wording
from gateway.activities.activity import Mode, Open, Party as Taking
from gateway.activities.approval import Approval, Verdict
from gateway.activities.execution import End, Outcome
from gateway.activities.order import Order
from gateway.activities.stated import Stated
from gateway.config.points import FramedPoint, Point
from gateway.errors import GatewayError
from gateway.executing import Around, Executing
from gateway.groups.group import ActivityKind, Group, Role
from gateway.peers.meaning import Reader
from gateway.readings.reading import Value
from gateway.records import feed, identity, record
from gateway.records.cose import SigningKey, key_id
from gateway.records.feed import CBOR_TYPE, feed_id
from gateway.records.identity import Named
from gateway.records.record import Kind, Said
from gateway.sources.source import Moved
from gateway.store import (
    acting,
    authoring,
    database,
    feeds,
    groups,
    membership,
    orders,
    quoting,
    receipts,
    weighing,
)
from gateway.store.authoring import Author, Venue
from gateway.store.database import Connection
from gateway.store.folding import Folds
from gateway.store.orders import Held
from gateway.store.writer import Writer
from tests.people import Party, group_of, moment, party, run_of, seed

T = TypeVar("T")
MAKER, BUYER, REGULATOR = party("maker"), party("buyer"), party("regulator")
TEMPLATE = """
name = "set-points"
title = {en = "Set-points", zh = "设定值"}
kind = "industrial"
mode = "information"
version = 1
[field.note]
title = {en = "Note", zh = "备注"}
type = "text"
merge = "append"
write = ["initiator", "receiver"]
[close]
write = ["initiator"]
[order]
write = ["initiator"]
approvals = 1
organisations = 1
"""


@dataclass(frozen=True, slots=True)
class Human:
    """A person with a key and a certificate of an organisation."""

    key: SigningKey
    certificate: bytes


def human(name: str, of: Party, counter: int = 1) -> Human:
    """Give a person whom an organisation certifies: the same for a name."""
    key = SigningKey(seed(f"{name} person"))
    ids = of.root.id, key_id(key.public)
    certified = identity.issue_person(of.root, ids, key.public, counter, Named(name))
    return Human(key, certified)


@dataclass(slots=True)
class Machine:
    """What a source moves, by the production interface: it takes, refuses, or goes silent."""

    points: Mapping[str, Point]
    moved: list[tuple[str, Value]] = field(default_factory=list)
    fault: GatewayError | None = None
    takes: bool = True  # whether it moves although it raises

    async def move(self, point: str, value: Value) -> Moved:
        """Take a value, and show it."""
        if self.fault is None or self.takes:
            self.moved.append((point, value))
        if self.fault is not None:
            raise self.fault
        return Moved(value)


def press() -> Machine:
    """Give a press whose pressure the buyer may set, once another person approves."""
    point = FramedPoint(
        name="pressure",
        unit="kPa",
        min=100,
        max=250,
        orders_from=("buyer",),
        approvals=1,
        command=1,
    )
    return Machine({"pressure": point})


class Side:
    """One gateway: a party's run over a store of its own; started again it is the next run."""

    def __init__(self, who: Party, group: Group, path: str = database.MEMORY) -> None:
        self.who, self.group, self.path, self.runs = who, group, path, 0
        self.moment, self._draw = moment(), random.Random(who.name).randbytes
        self._connect()
        self.on(lambda db: groups.register(db, group.founding.purpose, group))
        self.start()

    def _connect(self) -> None:
        self.writer = Writer(database.connect(self.path), self.path)

    def on(self, job: Callable[[Connection], T]) -> T:
        """Do something in a commit of its own."""
        return self.writer.submit(job).result()

    def start(self, *machines: Machine) -> None:
        """Begin the next run over the same store, with what there is to move."""
        self.run, self.machines = run_of(self.who, self.runs), machines
        self.runs += 1
        self.author = Author(self.run, lambda: self.moment, self._draw)
        is_founder = self.group.founder.run.key == self.run.key.public
        founding = self.group.encoded if is_founder else None
        self.venue = Venue(self.group.id, self.group.roster.hash, founding)
        folds = Folds()
        around = Around(
            self.author,
            lambda: {self.group.id: self.venue},
            lambda db, named: weighing.rights_in(db, folds, named),
            machines,
        )
        self.executing = Executing(around, self.writer)

    def reopen(self, *machines: Machine) -> None:
        """Close the store and open it again, as the next start of the process does."""
        self.writer.close()
        self._connect()
        self.start(*machines)

    def copy(self) -> bytes:
        """Give all that is in a store in memory, as a backup has it."""
        return self.on(lambda db: db.serialize("main"))

    def restore(self, copied: bytes, *machines: Machine) -> None:
        """Start over what a copy has, as after a disk's death: what came since is forgotten."""
        self.writer.close()
        db = database.connect(database.MEMORY)
        db.deserialize("main", copied)
        self.writer = Writer(db, database.MEMORY)
        self.start(*machines)

    def close(self) -> None:
        """Let go of the store."""
        self.writer.close()

    def later(self, ms: int) -> None:
        """Let time pass."""
        now = self.moment
        self.moment = replace(now, unix_ms=now.unix_ms + ms, monotonic_ms=now.monotonic_ms + ms)

    def say(self, said: Said) -> bytes:
        """Write a record; give its id."""

        def job(db: Connection) -> bytes:
            return orders.by_of(db, authoring.say(db, self.author, self.venue, said)).record.id

        return self.on(job)

    def open(self, parties: Mapping[Party, Role], template: str = TEMPLATE) -> bytes:
        """Open an activity; give its id."""
        rows = [Taking(each.root.id, (role,)) for each, role in parties.items()]
        taking = tuple(sorted(rows, key=lambda each: each.organisation))
        said = Open(ActivityKind.INDUSTRIAL, Mode.INFORMATION, "pressing", taking, template)
        return self.say(Said(Kind.ACTIVITY_OPEN, activity.encode(said), activity.CONTENT_TYPE))

    def hear(self, other: "Side", most: Callable[[], int] = lambda: 1 << 30) -> Counter[str]:
        """Take over what another holds that is not here, of each feed at most so many records.

        Gives what was refused of it.
        """
        counts: Counter[str] = Counter()
        reader = Reader((self.who.encryption,), lambda _group: self.group.roster, counts)
        held = dict(self.on(lambda db: list(db.execute(_SIZES))))
        theirs = other.on(lambda db: _beyond(db, held, most))
        self.on(lambda db: self._take(db, theirs, reader))
        return counts

    def _take(
        self, db: Connection, theirs: Mapping[bytes, list[feeds.Held]], reader: Reader
    ) -> None:
        for name, came in theirs.items():
            follows = feeds.load(db, name)
            for each in came:
                if follows is None:
                    rosters = groups.rosters(db)
                    said, follows, _ = feed.open_feed(each.encoded, each.body or b"", rosters)
                else:
                    said, follows = follows.accept(each.encoded)
                place, body = feeds.append(db, said, each.body, follows), each.body or b""
                reader.read(db, place, said, body)
                if said.kind is Kind.RECEIPT:
                    receipts.take(db, place, body[record.SALT_BYTES :])
            receipts.grown(db, name)
        reader.finish(db)
        membership.refold(db, self.group.id)

    def receipt(self) -> None:
        """Say what is held of the others."""
        self.on(lambda db: acting.receipt(db, self.author, self.venue))

    def execute(self) -> None:
        """Decide all that is open, have moved what is begun, and tell what came of it."""
        asyncio.run(self.executing.once())

    def holds(self, id: bytes) -> bool:
        """Say whether a record is in the store."""
        wanted = "SELECT 1 FROM records WHERE id = ?"
        return self.on(lambda db: db.execute(wanted, (id,)).fetchone() is not None)

    def about(self, named: bytes) -> Held:
        """Give all that is held about an order."""
        return self.on(lambda db: orders.load(db, named))

    def order(self, activity_id: bytes, target: "Side", value: Value, **more: object) -> Order:
        """Prepare an order: it quotes the newest record held of the target's newest run."""
        found = self.on(lambda db: quoting.quotable(db, self.group.id, target.run.node))
        assert found is not None
        number, name = self.author.random(16), target.run.credentials.node.name
        wanted = Order(
            number, activity_id, target.run.node, name, "pressure", value, (found.feed, found.seq)
        )
        return replace(wanted, **{"unit": "kPa", **more})  # type: ignore[arg-type]

    def send(self, by: Human, wanted: Order) -> bytes:
        """Sign an order as a person and write it; give its hash."""
        return self.post(order.sign(by.key, wanted), by.certificate, wanted.activity)

    def post(self, signed: bytes, certificate: bytes, activity_id: bytes) -> bytes:
        """Write an order that somebody signed; give its hash."""
        content = stated.encode(Kind.ORDER, Stated(signed, certificate))
        deps = (activity_id,)
        self.say(Said(Kind.ORDER, content, stated.CONTENT_TYPE, activity_id, deps))
        return sha256(signed).digest()

    def post_unread(self, signed: bytes, certificate: bytes, activity_id: bytes) -> None:
        """Write bytes as an order as no honest gateway does: without looking at them."""
        content = stated.encode(Kind.ORDER, Stated(signed, certificate))
        told = Said(Kind.ORDER, content, stated.CONTENT_TYPE, activity_id, (activity_id,))

        def job(db: Connection) -> None:
            before = feeds.load(db, feed_id(self.run.key.public, self.group.id))
            assert before is not None and self.group.founding.clear
            salt = self.author.random(record.SALT_BYTES)
            written = self.run.write(before, told, self.moment, salt)
            feeds.append(db, record.parse(written.encoded), written.body, written.feed)

        self.on(job)

    def say_end(self, named: bytes, outcome: Outcome, *deps: bytes) -> None:
        """Say what became of an order, whoever was asked."""
        about = self.about(named).sightings[0].by.record
        content = execution.encode_end(End(named, outcome))
        named_too = tuple(sorted({about.id, *deps}))
        self.say(Said(Kind.EXECUTION_END, content, CBOR_TYPE, about.activity, named_too))

    def word(self, by: Human, named: bytes, verdict: Verdict) -> None:
        """Sign a word about an order as a person who was shown it, and write it."""
        held = self.about(named)
        shown = approval.text(verdict, order.text(held.said.order, "en"), "en")
        said = approval.sign(by.key, Approval(named, verdict, wording.digest(shown)))
        content = stated.encode(Kind.APPROVAL, Stated(said, by.certificate))
        about = held.sightings[0].by.record
        told = Said(Kind.APPROVAL, content, stated.CONTENT_TYPE, about.activity, (about.id,))
        self.say(told)


def sides(*paths: str) -> tuple[Side, Side]:
    """Give the maker's gateway with a press, and the buyer's, which share an open activity."""
    group = group_of(BUYER, MAKER)
    maker, buyer = Side(MAKER, group, *paths[:1]), Side(BUYER, group, *paths[1:])
    maker.start(press())
    meet(maker, buyer)
    return maker, buyer


def meet(one: Side, other: Side) -> None:
    """Carry all that either holds to the other."""
    one.execute()
    other.execute()
    one.hear(other)
    other.hear(one)


_SIZES: Final = "SELECT f.id, h.size FROM feeds f JOIN heads h ON h.feed = f.number"
_FEEDS: Final = "SELECT id FROM feeds ORDER BY number"


def _beyond(
    db: Connection, held: Mapping[bytes, int], most: Callable[[], int]
) -> dict[bytes, list[feeds.Held]]:
    """Give what there is of each feed beyond what is held, at most so many records of it."""
    found = {}
    for (name,) in list(db.execute(_FEEDS)):
        start, count = held.get(name, 0), most()
        if count:
            found[name] = feeds.slice_of(db, name, start, start + count, 1 << 30)
    return found
