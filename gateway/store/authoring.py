"""What this run says, appended to its own feeds in the same commit that must hold it.

In: the run, a group, what is said, when, and fresh salts. Out: the place of the record. A feed is
opened by its genesis at the first write (I3: a new run opens new feeds, which name those before).
"""

from collections.abc import Callable
from dataclasses import dataclass

import apsw

from gateway.records import record
from gateway.records.feed import Feed, View, feed_id
from gateway.records.record import Moment, Said
from gateway.records.run import Origin, Run, Written
from gateway.store import feeds

# A genesis always travels whole: with a founding of 64 members this many heads still fit in it.
PREDECESSORS_MAX = 256


@dataclass(frozen=True, slots=True)
class Author:
    """This start of the agent as a writer: its run, the clock, and a source of random bytes."""

    run: Run
    now: Callable[[], Moment]
    random: Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Venue:
    """Where this run writes: a group, the roster its genesis is judged by, its own founding."""

    group: bytes
    roster: bytes
    founding: bytes | None = None


def say(db: apsw.Connection, author: Author, venue: Venue, said: Said) -> int:
    """Append one record to this run's feed in a group; give its place."""
    feed = feeds.load(db, feed_id(author.run.key.public, venue.group)) or _begin(db, author, venue)
    salt = author.random(record.SALT_BYTES)
    written = author.run.write(feed, said, author.now(), salt)
    return _keep(db, written)


def _begin(db: apsw.Connection, author: Author, venue: Venue) -> Feed:
    # What is left out is still a tip when the next run begins, and is named by that one.
    tips = feeds.tips(db, venue.group, author.run.node)[:PREDECESSORS_MAX]
    origin = Origin(tuple(tips), View(venue.roster), venue.founding)
    salt = author.random(record.SALT_BYTES)
    written = author.run.begin(venue.group, origin, author.now(), salt)
    _keep(db, written)
    return written.feed


def _keep(db: apsw.Connection, written: Written) -> int:
    return feeds.append(db, record.parse(written.encoded), written.body, written.feed)
