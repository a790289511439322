"""Heads and a message -> what to do. Protocol: docs/protocol/sync.md.

In: what is held of the feeds a message speaks of, and the message. Out: actions, in the order in
which they are to be carried out. It acts on nothing, waits for nothing and remembers nothing, so a
lost, late, doubled or reordered message costs time and never truth.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.groups.agreement import Ack, Entry, Ranges
from gateway.records.feed import Head
from gateway.sync.message import Body, Bwant, Carried, Evidence, Heads, Note, Part, Recs, Want

# Why a part of a message leads to nothing; counted by the edge under these names.
REPEATED: Final = "sync.repeated"
NOT_HELD: Final = "sync.not-held"
AHEAD: Final = "sync.ahead"
UNASKED: Final = "sync.unasked"
NOT_YET: Final = "sync.not-yet"


@dataclass(frozen=True, slots=True)
class Ours:
    """How many records of a feed are held from 0, and their root at the smaller of both sizes.

    `root` is needed for heads and ACKs only, and is of our size where the peer's is larger.
    """

    size: int
    root: bytes = b""


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask the peer for records [start, stop)."""

    feed: bytes
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Sign for what the peer has shown to hold, and is held here too."""

    head: Head


@dataclass(frozen=True, slots=True)
class Forked:
    """Two histories of one feed: our root and the peer's, at one size."""

    ours: Head
    theirs: Head


@dataclass(frozen=True, slots=True)
class SendRecords:
    """Send records [start, stop), until so many bytes are sent."""

    feed: bytes
    start: int
    stop: int
    credit: int


@dataclass(frozen=True, slots=True)
class SendBodies:
    """Send these parts of what has these hashes, where it is held."""

    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Append:
    """Verify these records, the first of which has the number `start`, and keep them."""

    feed: bytes
    start: int
    records: tuple[Carried, ...]


@dataclass(frozen=True, slots=True)
class Island:
    """Verify these records, which begin beyond a gap, and keep them apart until it is closed."""

    feed: bytes
    start: int
    records: tuple[Carried, ...]


@dataclass(frozen=True, slots=True)
class Release:
    """Let go of what the peer has signed for: up to this head all but those whose body it owes."""

    head: Head
    owed: Ranges = ()


@dataclass(frozen=True, slots=True)
class Ignore:
    """Do nothing, and count why."""

    reason: str


Action = Ask | Acknowledge | Forked | SendRecords | SendBodies | Append | Island | Release | Ignore
Holdings = Mapping[bytes, Ours]


def decide(
    held: Holdings, message: Heads | Want | Recs | Bwant | Body | Note | Ack | Evidence
) -> Sequence[Action]:
    """Say what follows from a message of a member; unknown feeds are not in `held`."""
    match message:
        case Heads(rows):
            return [_on_head(held.get(row.head.feed), row.head) for row in rows]
        case Want():
            return [_on_want(held.get(message.feed), message)]
        case Recs():
            return _on_records(held.get(message.feed), message)
        case Ack(entries=entries):
            return [_on_entry(held.get(entry.head.feed), entry) for entry in entries]
        case Bwant(parts):
            return [SendBodies(parts)]
        case Body():
            return [Ignore(UNASKED)]
        case Note() | Evidence():
            return [Ignore(NOT_YET)]


def _on_head(ours: Ours | None, theirs: Head) -> Action:
    """Ask for what is lacking; sign for what both hold; where roots differ, say so."""
    if ours is None:
        return Ask(theirs.feed, 0, theirs.size)
    if theirs.size > ours.size:
        return Ask(theirs.feed, ours.size, theirs.size)
    if theirs.root != ours.root:
        return Forked(Head(theirs.feed, theirs.size, ours.root), theirs)
    return Acknowledge(theirs)


def _on_want(ours: Ours | None, want: Want) -> Action:
    if ours is None or want.start >= ours.size:
        return Ignore(NOT_HELD)
    return SendRecords(want.feed, want.start, min(want.stop, ours.size), want.credit)


def _on_records(ours: Ours | None, recs: Recs) -> Sequence[Action]:
    """Append what follows without a gap; what comes too early is asked for from where we are.

    It is besides an island, where the feed is known: then so is who can have signed it.
    """
    size = 0 if ours is None else ours.size
    stop = recs.start + len(recs.records)
    if recs.start > size:
        ask = Ask(recs.feed, size, stop)
        return [ask, Island(recs.feed, recs.start, recs.records)] if size else [ask]
    if stop <= size:
        return [Ignore(REPEATED)]
    return [Append(recs.feed, size, recs.records[size - recs.start :])]


def _on_entry(ours: Ours | None, entry: Entry) -> Action:
    """Release what the peer signed for and we can check, but no record whose body it owes."""
    theirs = entry.head
    if ours is None:
        return Ignore(NOT_HELD)
    if theirs.size > ours.size:
        return Ignore(AHEAD)
    if theirs.root != ours.root:
        return Forked(Head(theirs.feed, theirs.size, ours.root), theirs)
    return Release(theirs, entry.ranges)
