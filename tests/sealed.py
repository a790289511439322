"""Stores of members of one sealed group, and what one says carried to another by hand.

In: parties. Out: real stores, records that a real run wrote, taken in as a peer takes them in.
"""

from collections.abc import Sequence

import apsw

from gateway.errors import AuthorError
from gateway.groups.group import Group
from gateway.readings import senml
from gateway.readings.reading import Provenance, Reading
from gateway.records import feed, record
from gateway.records.identity import EncryptionKey
from gateway.records.record import ClockSource, Kind, Moment, Said
from gateway.store import (
    authoring,
    database,
    feeds,
    groups,
    keyring,
    membership,
    observations,
    projections,
)
from gateway.store.authoring import Author, Venue
from tests.people import BOOT, Party, moment, run_of, seed

HOUR_MS = 3_600_000


class Gateway:
    """One member's store and run; its clock stands until it is moved."""

    def __init__(self, who: Party, within: Group, run: int = 0) -> None:
        self.who, self.group = who, within
        self.db = database.connect(database.MEMORY)
        groups.register(self.db, "sealed", within)
        membership.refold(self.db, within.id)
        self.now_ms, self._drawn = 60_000, 0
        self.faults: list[AuthorError] = []
        self.start(run)

    def start(self, run: int) -> None:
        """Begin the numbered run."""
        self.run = run_of(self.who, run)
        self.author = Author(self.run, self._now, self._random)
        founded = self.group.founder.run.key == self.run.key.public
        encoded = self.group.encoded if founded else None
        self.venue = Venue(self.group.id, self.group.roster.hash, encoded)

    @property
    def feed(self) -> bytes:
        """Name this run's feed."""
        return feed.feed_id(self.run.key.public, self.group.id)

    @property
    def keys(self) -> list[EncryptionKey]:
        """Give what may open shares here."""
        return [self.who.encryption]

    def say(self, said: Said) -> None:
        """Say something in a commit of its own."""
        with self.db:
            authoring.say(self.db, self.author, self.venue, said)

    def strokes(self, number: int) -> int:
        """Say a reading, indexed as the agent does."""
        (pack,) = senml.encode([stroke(number)], Provenance.GATEWAY_ATTESTED)
        with self.db:
            said = Said(Kind.OBSERVATION, pack.encoded, senml.CONTENT_TYPE)
            place = authoring.say(self.db, self.author, self.venue, said)
            observations.keep(self.db, place, pack.spans)
        return place

    def records(self, name: bytes | None = None) -> list[feeds.Held]:
        """Give all that is held of a feed, of this run's if none is named."""
        return feeds.slice_of(self.db, name or self.feed, 0, 1 << 20, 1 << 30)

    def kinds(self) -> list[Kind]:
        """Give the kinds of this run's records, in order."""
        return [record.parse(each.encoded).kind for each in self.records()]

    def hear(self, other: "Gateway", name: bytes | None = None) -> None:
        """Take over a feed as a peer gives it, verified, from where this store has it."""
        name = name or other.feed
        with self.db:
            follows = feeds.load(self.db, name)
            for each in other.records(name)[0 if follows is None else follows.size :]:
                if follows is None:
                    assert each.body is not None
                    rosters = groups.rosters(self.db)
                    said, follows, _ = feed.open_feed(each.encoded, each.body, rosters)
                else:
                    said, follows = follows.accept(each.encoded)
                self._keep(feeds.append(self.db, said, each.body, follows), said, each.body)
            membership.refold(self.db, self.group.id)

    def _keep(self, place: int, said: record.Record, body: bytes | None) -> None:
        if said.kind is Kind.ANNOUNCEMENT and body is not None:
            taken = keyring.take(self.db, place, said, body, self.keys)
            projections.index_opened(self.db, taken.readable)
            self.faults += [taken.fault] if taken.fault else []
        projections.index(self.db, place, said, body)

    def contents(self, name: bytes) -> list[bytes | None]:
        """Open every body of a feed with the keys of this store; None where none opens it."""
        return [
            keyring.content(self.db, record.parse(each.encoded), each.body or b"")
            for each in self.records(name)
        ]

    def _now(self) -> Moment:
        return Moment(moment().unix_ms, 5, ClockSource.NTP, BOOT, self.now_ms)

    def _random(self, count: int) -> bytes:
        self._drawn += 1
        name = f"{self.who.name} {self.run.key.id.hex()} draws {self._drawn}"
        return seed(name)[:count]


def stroke(number: int) -> Reading:
    """Give a reading that is known again."""
    return Reading("press-1", "strokes", number, "1", moment(number).unix_ms)


def values(gateway: Gateway, name: bytes) -> Sequence[object]:
    """Give the values that this store can read of a feed."""
    found = []
    for each, content in zip(gateway.records(name), gateway.contents(name), strict=True):
        if record.parse(each.encoded).kind is Kind.OBSERVATION and content is not None:
            found += [reading.value for reading in senml.decode(content)]
    return found


def count(db: apsw.Connection, table: str) -> int:
    """Count the rows of a table."""
    return int(db.execute(f"SELECT count(*) FROM {table}").get)
