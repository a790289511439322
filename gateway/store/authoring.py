"""What this run says, appended to its own feeds in the same commit that must hold it.

In: the run, a group, what is said, when, and fresh random bytes. Out: the place of the record. A
feed is opened by its genesis at the first write (I3: a new run opens new feeds, which name those
before). Where bodies are sealed, who may read is announced before the record that needs it (I5).
Protocol: docs/protocol/sealing.md.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import apsw

from gateway.errors import HistoryNotShared, NotAMember, UnknownGroup, UnknownRoster
from gateway.groups import announcement, group, ring
from gateway.groups.announcement import Announcement, SenderKey
from gateway.groups.group import Founding
from gateway.groups.ring import Due, Ring
from gateway.records import identity, record
from gateway.records.cose import key_id
from gateway.records.feed import CBOR_TYPE, Feed, View, feed_id
from gateway.records.record import FIXED_KINDS, Kind, Moment, Said
from gateway.records.roster import Roster
from gateway.records.run import Origin, Run, Written
from gateway.records.sealing import KEY_BYTES, NONCE_BYTES, Sealing, key_hash
from gateway.store import feeds, heard, keyring, membership, projections, receipts
from gateway.store.chain import rosters

# A genesis always travels whole: with a founding of 64 members this many heads still fit in it.
PREDECESSORS_MAX = 256
_ID_BYTES = 32


@dataclass(frozen=True, slots=True)
class Author:
    """This start of the agent as a writer: its run, the clock, and a source of random bytes."""

    run: Run
    now: Callable[[], Moment]
    random: Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Venue:
    """Where this run writes: a group, the roster to go by until its members are known, its own
    founding; and readings, to which activity they belong."""

    group: bytes
    roster: bytes
    founding: bytes | None = None
    activity: bytes | None = None


@dataclass(frozen=True, slots=True)
class _Standing:
    """Where a feed of this run stands: its ring with the key that seals now, and the view."""

    ring: Ring | None
    key: bytes | None
    view: View

    @property
    def named(self) -> bytes:
        return ring.view_hash(self.view)


def say(db: apsw.Connection, author: Author, venue: Venue, said: Said) -> int:
    """Append one record to this run's feed in a group, sealed where its founding wants it; give
    its place. What is owed to the members before it is announced in the same commit."""
    feed, standing = _ready(db, author, venue)
    sealing = None
    if standing.ring is not None and standing.ring.number and said.kind not in FIXED_KINDS:
        assert standing.key is not None, "what this run announced is in its own keyring"
        sealing = Sealing(standing.ring.number, standing.key, author.random(NONCE_BYTES))
    salt = author.random(record.SALT_BYTES)
    written = author.run.write(feed, said, author.now(), salt, sealing)
    place = _keep(db, written)
    projections.index_own(db, place, said, written.encoded)
    if said.kind is Kind.RECEIPT:
        receipts.take(db, place, said.content, is_own=True)
    return place


def begin(db: apsw.Connection, author: Author, venue: Venue) -> Feed:
    """Open this run's feed in a group if it is not open, which is a member's acceptance."""
    return _ready(db, author, venue)[0]


def owed(db: apsw.Connection, author: Author, venue: Venue) -> Due | None:
    """Say why this run must announce before it writes again; None where it need not yet."""
    feed = feeds.load(db, feed_id(author.run.key.public, venue.group))
    if feed is None:
        return None
    standing = _standing(db, feed.id, venue)
    return ring.due(standing.ring, standing.named, author.now().monotonic_ms, feed.size)


def announce(db: apsw.Connection, author: Author, venue: Venue) -> None:
    """Announce a fresh key, or in a clear group a changed view, now; an unopened feed owes none."""
    feed = feeds.load(db, feed_id(author.run.key.public, venue.group))
    if feed is None:
        return
    standing = _standing(db, feed.id, venue)
    if standing.ring is None or standing.ring.number or standing.ring.view != standing.named:
        _announce(db, author, feed, standing)


def share_history(
    db: apsw.Connection, author: Author, venue: Venue, node: bytes, insist: bool = False
) -> int:
    """Give a member every key held of this group's feeds that it was not given; count them.

    A key whose view names acts that are not held here waits for them.
    Where the founding does not let history be shared, an author who insists gives those of its own
    feeds alone; raise HistoryNotShared or NotAMember.
    """
    is_policy = _founding(db, venue.group).policies.history
    if not is_policy and not insist:
        raise HistoryNotShared(group=venue.group.hex()[:16])
    public = _encryption(db, venue.group, node)
    own = None if is_policy else author.run.node
    count, whole = 0, heard.hear(db, venue.group).whole()
    for sender in keyring.held_of(db, venue.group, own):
        view = keyring.announced_view(db, sender.feed, sender.number)
        if view is None or not whole.issuperset(view.membership):
            continue  # Perhaps it was made because of a removal of this very member.
        if keyring.is_shared_with(db, sender.feed, sender.number, key_id(public)):
            continue
        feed, standing = _ready(db, author, venue)
        shared = announcement.announce(sender, standing.view, [public], [author.random(KEY_BYTES)])
        place, _ = _say(db, author, feed, shared)
        keyring.note(db, place, sender.feed, sender.number, key_hash(sender.key))
        count += 1
    return count


def _ready(db: apsw.Connection, author: Author, venue: Venue) -> tuple[Feed, _Standing]:
    """Give the feed, opened, with all announced that is owed before its next record."""
    name = feed_id(author.run.key.public, venue.group)
    feed, standing = feeds.load(db, name), _standing(db, name, venue)
    if feed is None:
        feed = _begin(db, author, venue, standing.view)
        if _founding(db, venue.group).clear:
            # The genesis itself says the view; in a clear group nothing else is announced.
            now = _keep_ring(db, feed.id, 0, standing.named, 0)
            standing = _Standing(now, None, standing.view)
    if ring.due(standing.ring, standing.named, author.now().monotonic_ms, feed.size) is None:
        return feed, standing
    return _announce(db, author, feed, standing)


def _standing(db: apsw.Connection, feed: bytes, venue: Venue) -> _Standing:
    row: tuple[Any, ...] | None = db.execute(
        "SELECT v.roster, v.newest, k.key, r.number, r.view, r.monotonic_ms, r.seq FROM groups g"
        " LEFT JOIN views v ON v.in_group = g.number LEFT JOIN rings r ON r.feed = ?1"
        " LEFT JOIN sender_keys k ON k.feed = r.feed AND k.number = r.number WHERE g.id = ?2",
        (feed, venue.group),
    ).fetchone()
    if row is None:
        return _Standing(None, None, View(venue.roster))
    roster, newest, key, *last = row
    view = View(venue.roster)
    if roster is not None:
        view = View(roster, tuple(newest[at : at + 32] for at in range(0, len(newest), _ID_BYTES)))
    return _Standing(None if last[0] is None else Ring(*last), key, view)


def _begin(db: apsw.Connection, author: Author, venue: Venue, view: View) -> Feed:
    # What is left out is still a tip when the next run begins, and is named by that one.
    tips = feeds.tips(db, venue.group, author.run.node)[:PREDECESSORS_MAX]
    origin = Origin(tuple(tips), view, venue.founding)
    salt = author.random(record.SALT_BYTES)
    written = author.run.begin(venue.group, origin, author.now(), salt)
    _keep(db, written)
    # A node that was removed and is there again: what it writes in its new feeds counts.
    content = written.body[record.SALT_BYTES :]
    if membership.concerns(db, venue.group, author.run.node, Kind.GENESIS, content):
        membership.refold(db, venue.group)
    return written.feed


def _announce(
    db: apsw.Connection, author: Author, feed: Feed, standing: _Standing
) -> tuple[Feed, _Standing]:
    """Announce a fresh key to all who may read by the view, or in a clear group the view alone."""
    view, seq = standing.view, feed.size
    number, key = 0, None
    if _founding(db, feed.group).clear:
        _, feed = _say(db, author, feed, announcement.announce_view(feed.id, view))
    else:
        number, key = _next(db, feed.id), author.random(KEY_BYTES)
        sender = SenderKey(feed.group, feed.id, number, key)
        recipients, room = _recipients(db, author, feed.group, view), announcement.room(view)
        for start in range(0, len(recipients), room):
            some = recipients[start : start + room]
            ephemerals = [author.random(KEY_BYTES) for _ in some]
            said = announcement.announce(sender, view, some, ephemerals)
            place, feed = _say(db, author, feed, said)
            keyring.keep(db, place, sender, key_hash(key))
    now = _keep_ring(db, feed.id, number, standing.named, seq)
    return feed, _Standing(now, key, view)


def _keep_ring(db: apsw.Connection, feed: bytes, number: int, view: bytes, seq: int) -> Ring:
    """Remember what a feed announced, as of the moment that its record tells."""
    held = feeds.slice_of(db, feed, seq, seq + 1, 0)[0]
    now = Ring(number, view, record.parse(held.encoded).moment.monotonic_ms, seq)
    keyring.keep_ring(db, feed, now)
    return now


def _recipients(db: apsw.Connection, author: Author, among: bytes, view: View) -> list[bytes]:
    """Give the X25519 keys of all who may read by a view, each once: members, archives, author."""
    members = _members(db, among)
    within = {each.id: each for each in _roster(db, view.roster).organisations}
    # Whoever the consortium expelled is owed nothing, also before its removal is written.
    there = [(within[whose], public) for whose, public in members.values() if whose in within]
    found = {key for organisation, public in there for key in (organisation.archive, public)}
    found.add(author.run.credentials.encryption.key)
    return sorted(found, key=key_id)


def _members(db: apsw.Connection, among: bytes) -> dict[bytes, tuple[bytes, bytes]]:
    """Give each member's organisation and X25519 key; before any was folded, the founding's."""
    rows: list[tuple[Any, ...]] = db.execute(
        "SELECT m.node, m.organisation, m.encryption FROM views v JOIN groups g"
        " ON g.number = v.in_group LEFT JOIN members m ON m.in_group = v.in_group WHERE g.id = ?",
        (among,),
    ).fetchall()
    if not rows:  # Nothing was folded yet. Where all members are gone there is one empty row.
        founders = _founding(db, among).members
        return {each.node: (each.organisation, each.encryption.key) for each in founders}
    return {
        node: (organisation, identity.decode(encryption, "encryption").key)
        for node, organisation, encryption in rows
        if node is not None
    }


def _encryption(db: apsw.Connection, among: bytes, node: bytes) -> bytes:
    found = _members(db, among).get(node)
    if found is None:
        raise NotAMember(node=node.hex(), group=among.hex()[:16])
    return found[1]


def _founding(db: apsw.Connection, identity: bytes) -> Founding:
    """Give a group's founding, which was verified when the group was registered."""
    row = db.execute("SELECT founding FROM groups WHERE id = ?", (identity,)).fetchone()
    if row is None:
        raise UnknownGroup(group=identity.hex()[:16])
    return group.parse(row[0])


def _roster(db: apsw.Connection, name: bytes) -> Roster:
    """Give a roster that is held; raise UnknownRoster."""
    found = rosters(db).get(name)
    if found is None:
        raise UnknownRoster(roster=name.hex())
    return found


def _next(db: apsw.Connection, feed: bytes) -> int:
    """Give the number of a feed's next sender key."""
    highest = db.execute("SELECT max(number) FROM sender_keys WHERE feed = ?", (feed,)).get
    return 1 if highest is None else int(highest) + 1


def _say(
    db: apsw.Connection, author: Author, feed: Feed, announced: Announcement
) -> tuple[int, Feed]:
    said = Said(Kind.ANNOUNCEMENT, announcement.encode(announced), CBOR_TYPE)
    salt = author.random(record.SALT_BYTES)
    written = author.run.write(feed, said, author.now(), salt)
    return _keep(db, written), written.feed


def _keep(db: apsw.Connection, written: Written) -> int:
    return feeds.append(db, record.parse(written.encoded), written.body, written.feed)
