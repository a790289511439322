"""What this node does to a group's membership, at the wish of a person here.

In: the run, the group, and whom it concerns. Out: the id of the membership record that says it. It
is written, and the membership folded anew, in the caller's commit; an act that no member would
count is refused before anything is written. Protocol: docs/protocol/membership.md.
"""

from typing import Final

import apsw

from gateway.errors import NotAllowed
from gateway.groups import agreement, membership as acts
from gateway.groups.heard import Heard, is_sound
from gateway.groups.membership import (
    CUT_MAX,
    Act,
    Add,
    Approve,
    Change,
    Leave,
    Remove,
    Roles,
)
from gateway.records.feed import CBOR_TYPE, Head, feed_id
from gateway.records.record import DEPS_MAX, NO_RECORD, Kind, Said
from gateway.store import authoring, evidence, feeds, membership, receipts
from gateway.store.authoring import Author, Venue
from gateway.store.heard import hear

REASONS: Final[dict[type[Act], str]] = {
    Add: "only a member proposes, and the new node's certificates must verify",
    Roles: "members change members' roles, and nobody takes a supervisor's role away",
    Approve: "only a member approves, once in a feed, and only a proposal that is held here",
    Remove: "the initiator, a supervisor or its own organisation removes a node, "
    "and only a revocation a supervisor",
    Leave: "only a member leaves",
}


def attend(db: apsw.Connection, author: Author, venue: Venue) -> bool:
    """Do what a member owes its group without being asked; say whether anything was written.

    It opens its first feed, which accepts; and announces at once to the members that are now.
    """
    held = membership.load(db, venue.group)
    if not held.has(author.run.node):
        return False
    if not feeds.tips(db, venue.group, author.run.node):
        authoring.begin(db, author, venue)
        return True
    if testify(db, author, venue):
        return True
    # A feed that this run has not opened owes nothing: it says nothing where it has nothing to say.
    if authoring.owed(db, author, venue) is None:
        return False
    authoring.announce(db, author, venue)
    return True


def testify(db: apsw.Connection, author: Author, venue: Venue) -> bool:
    """Write the evidence that no record of the group shows yet; say whether there was any."""
    found = evidence.reread(db, author.run.key.public)
    for each in {finding.group for finding in found if finding.group is not None}:
        membership.refold(db, each)
    owed = evidence.owed(db, venue.group, author.now().monotonic_ms)
    for encoded in owed:
        said = Said(Kind.EVIDENCE, encoded, evidence.EVIDENCE_TYPE)
        authoring.say(db, author, venue, said)
        evidence.told(db, venue.group, encoded, is_own=True)
    return bool(owed or found)


def receipt(db: apsw.Connection, author: Author, venue: Venue) -> bool:
    """Receipt what a member holds of others since it did last; say whether there was anything."""
    owed = list(receipts.due(db, venue.group, author.run.node))
    if not owed or not membership.load(db, venue.group).has(author.run.node):
        return False
    for some in agreement.batched(owed, agreement.RECEIPT_BYTES_MAX):
        said = Said(Kind.RECEIPT, agreement.encode_receipt(some), CBOR_TYPE)
        authoring.say(db, author, venue, said)
    return True


def propose(db: apsw.Connection, author: Author, venue: Venue, act: Add | Roles) -> bytes:
    """Propose a member or other roles for one; raise NotAllowed."""
    return _say(db, author, venue, act)


def approve(db: apsw.Connection, author: Author, venue: Venue, proposal: bytes) -> bytes:
    """Give this organisation's word for a proposal; raise NotAllowed."""
    return _say(db, author, venue, Approve(proposal))


def remove(
    db: apsw.Connection,
    author: Author,
    venue: Venue,
    node: bytes,
    revocation: bytes | None = None,
) -> bytes:
    """Remove a node: what is held of its feeds counts, and nothing after; raise NotAllowed."""
    parts = _cut(db, venue.group, node)
    said = [_say(db, author, venue, Remove(node, part, revocation)) for part in parts]
    return said[0]


def leave(db: apsw.Connection, author: Author, venue: Venue) -> bytes:
    """Leave a group: all that this node said in it counts; raise NotAllowed."""
    own = feed_id(author.run.key.public, venue.group)
    heads = [head for head in feeds.tips(db, venue.group, author.run.node) if head.feed != own]
    return _say(db, author, venue, Leave(tuple(heads[:CUT_MAX])))


def _cut(db: apsw.Connection, group: bytes, node: bytes) -> list[tuple[Head, ...]]:
    """Give the heads held of a node's feeds, in as many parts as there must be records."""
    rows = db.execute(
        "SELECT f.id FROM feeds f JOIN groups g ON g.number = f.in_group"
        " WHERE g.id = ? AND f.node = ? ORDER BY f.id",
        (group, node),
    )
    held = (feeds.head(db, name) for (name,) in list(rows))
    heads = tuple(head for head in held if head is not None and head.size)
    return [heads[at : at + CUT_MAX] for at in range(0, len(heads), CUT_MAX)] or [()]


def _say(db: apsw.Connection, author: Author, venue: Venue, act: Act) -> bytes:
    heard = hear(db, venue.group)
    newest = heard.fold().newest
    if not heard.allows(_change(db, author, venue, act, heard)):
        raise NotAllowed(group=venue.group.hex()[:16], reason=REASONS[type(act)])
    named = {act.proposal} if isinstance(act, Approve) else set[bytes]()
    # All that is known is in this record's past, also where no announcement has said so yet.
    deps = [*named, *sorted(set(newest) - named)][:DEPS_MAX]
    said = Said(Kind.MEMBERSHIP, acts.encode(act), acts.CONTENT_TYPE, deps=tuple(deps))
    place = authoring.say(db, author, venue, said)
    name = db.execute("SELECT id FROM records WHERE place = ?", (place,)).get
    membership.refold(db, venue.group)
    return bytes(name)


def _change(db: apsw.Connection, author: Author, venue: Venue, act: Act, heard: Heard) -> Change:
    """Give the change that an act of this run would be, with all in its past that is held."""
    feed = feed_id(author.run.key.public, venue.group)
    head = feeds.head(db, feed)
    credentials = author.run.credentials
    within = heard.rosters.get(membership.newest_roster(db, venue.group) or venue.roster)
    return Change(
        NO_RECORD,
        feed,
        head.size if head else 1,
        credentials.node.subject,
        credentials.node.issuer,
        heard.whole(),
        act,
        within is not None and is_sound(act, within),
        None if within is None else frozenset(each.id for each in within.organisations),
    )
