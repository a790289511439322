"""A bundle looked through before anything of it is stored: entries opened, records checked.

In: a file's entries in order, the store for questions, this node's key and groups. Out: what is in
it for this node, or RefusedBundle with the entry that cannot be. Who is a member, and what follows,
is decided when it is taken in, as for any link; so a fork or an author nobody knows is no fault of
the file. Memory does not grow with the file. docs/protocol/bundle.md.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, Protocol

from gateway.errors import (
    AuthorError,
    BadBody,
    BadEnvelope,
    ForeignBundle,
    ForkedFeed,
    GroupError,
    PeerError,
    RefusedBundle,
    UnknownRoster,
    WrongFeed,
)
from gateway.groups import seal
from gateway.groups.agreement import Claim
from gateway.groups.group import Group
from gateway.peers import enclosing, inviting, meaning
from gateway.peers.succession import Succession
from gateway.records.feed import Credentials, Feed, open_feed
from gateway.records.identity import EncryptionKey
from gateway.records.roster import Roster
from gateway.store import bodies, feeds
from gateway.store.chain import rosters
from gateway.store.database import Connection
from gateway.sync import envelope, message
from gateway.sync.bundle import Entry, Survey
from gateway.sync.envelope import Seal
from gateway.sync.invitation import Invite
from gateway.sync.message import PIECE_BYTES, Body, Carried, Hello, Recs
from gateway.sync.pieces import is_part, number_of

FEEDS_MAX: Final = 65_536
_CUT = "a body of which pieces are lacking"
GAP: Final = "bundle.gap"  # records that follow others which are neither held nor in the file


@dataclass(slots=True)
class Found:
    """What is in a file for this node: records it lacks and has, ACKs, and what must wait."""

    fresh: int = 0
    known: int = 0
    acks: int = 0
    bodies: int = 0  # long ones that were lacking, and end in this file
    elsewhere: int = 0
    invitations: list[str] = field(default_factory=list)
    left: Counter[str] = field(default_factory=Counter)


class Digest(Protocol):
    """A hash that is not finished."""

    def update(self, content: bytes, /) -> None:
        """Go on with some bytes."""

    def digest(self) -> bytes:
        """Give the hash of all so far."""


@dataclass(slots=True)
class _Half:
    """A long body of which pieces came: where it is, and the hash of what is before that."""

    group: bytes
    hash: bytes
    length: int
    at: int
    digest: Digest

    def goes_on(self, group: Group, said: message.Message) -> bool:
        """Say whether a message is the next piece of it, as far as its name says."""
        return isinstance(said, Body) and (group.id, said.hash) == (self.group, self.hash)

    def add(self, said: Body) -> bool:
        """Take the next piece; say whether it was the last, or raise BadBody."""
        is_next = said.offset == self.at
        if not is_next or number_of(self.length, said.offset, len(said.piece)) is None:
            raise BadBody(reason="a piece that is not the next one")
        self.digest.update(said.piece)
        self.at += len(said.piece)
        if self.at < self.length:
            return False
        if self.digest.digest() != self.hash:
            raise BadBody(reason="its pieces make another body")
        return True


class Examination:
    """One look through one file."""

    def __init__(
        self, db: Connection, node: bytes, keys: Sequence[EncryptionKey], groups: Iterable[Group]
    ) -> None:
        self._db, self._node, self._keys = db, node, keys
        self._groups = {group.tag: group for group in groups}
        self._rosters: dict[bytes, Roster] = dict(rosters(db))
        self._succession = Succession()
        self._seen: set[bytes] = set()
        self._name, self._stuck, self._unknown = b"", False, b""
        self._feed: Feed | None = None
        self._author: Credentials | None = None
        # Of the last message with records: the long bodies that must come, by hash; and one of
        # which pieces came, until it is whole.
        self._due: dict[bytes, int] = {}
        self._half: _Half | None = None
        self._lost = False  # the last message with records follows others that are not here
        self.found = Found()

    def look(self, place: int, entry: Entry) -> None:
        """Check the next entry; raise RefusedBundle."""
        if entry.receiver not in (None, self._node):
            self.found.elsewhere += 1
            return
        try:
            self._look(entry)
        except (UnknownRoster, ForkedFeed) as fault:
            self.found.left[fault.code] += 1
            self._stuck = True
        except (PeerError, AuthorError, GroupError) as fault:
            raise RefusedBundle(entry=place, reason=fault) from None

    def conclude(self, whole: Survey) -> Found:
        """Check who made it: a run of its sender that greets this node; raise what is wrong."""
        author, count = self._author, whole.trailer.count
        if author is None:
            raise ForeignBundle(node=whole.head.sender.hex())
        try:
            self._vouch(author)
            whole.signed.verify(author.run.key)
        except AuthorError as fault:
            raise RefusedBundle(entry=count, reason=fault) from None
        if author.node.subject != whole.head.sender:
            raise RefusedBundle(entry=count, reason="another gateway made it than it says")
        if self._half is not None and not whole.trailer.has_more:
            raise RefusedBundle(entry=count, reason=BadBody(reason=_CUT))
        return self.found

    def _look(self, entry: Entry) -> None:
        enveloped = envelope.decode(entry.envelope)
        if enveloped.seal is Seal.NODE:
            self._sealed(message.decode(self._open(enveloped.content)))
            return
        group = self._groups.get(enveloped.tag or "")
        if group is None:
            self.found.elsewhere += 1
            return
        heard = message.decode(enclosing.opened(group, enveloped))
        if self._half is not None and not self._half.goes_on(group, heard):
            raise BadBody(reason=_CUT)
        match heard:
            case Recs() as said:
                self._records(group, said)
            case Body() as said if is_part(said):
                self._piece(group, said)
            case Body(name, _, piece):
                for known in self._succession.take(name, piece, self._rosters):
                    self._rosters[known.hash] = known
            case Claim() as said:
                self._acked(group, said)
            case _:
                raise BadEnvelope(reason="a message that only a session can have")

    def _open(self, content: bytes) -> bytes:
        for key in self._keys[:-1]:
            try:
                return seal.open_sealed(key, content)
            except BadEnvelope:
                continue
        return seal.open_sealed(self._keys[-1], content)

    def _sealed(self, said: message.Message) -> None:
        match said:
            case Hello():
                self._author = said.credentials
                self._succession.lacking(said.rosters, self._rosters)
            case Invite():
                invited = inviting.verified(said, self._rosters)
                self._rosters |= {each.hash: each for each in invited.group.chain}
                self._groups.setdefault(invited.group.tag, invited.group)
                self.found.invitations.append(invited.name)
            case _:
                raise BadEnvelope(reason="only HELLO and INVITE are sealed to a node")

    def _acked(self, group: Group, said: Claim) -> None:
        if self._author is None:
            raise BadEnvelope(reason="an acknowledgement before its author's greeting")
        said.verify(self._author.run.key)
        if said.ack.group != group.id or said.ack.receiver != self._node:
            raise BadEnvelope(reason="an acknowledgement of another group, or to another node")
        self.found.acks += 1

    def _records(self, group: Group, said: Recs) -> None:
        self._turn_to(said.feed)
        size = 0 if self._feed is None else self._feed.size
        self._due.clear()
        self._lost = self._stuck or said.start > size
        if self._stuck or said.start > size:
            self.found.left[GAP] += 0 if self._stuck else len(said.records)
            return
        if self._feed is not None and self._feed.group != group.id:
            raise WrongFeed(part="group")
        self.found.known += min(size - said.start, len(said.records))
        for carried in said.records[size - said.start :]:
            self._feed = self._after(group, said.feed, carried)
            self.found.fresh += 1

    def _turn_to(self, name: bytes) -> None:
        """Begin with another feed: the records of one stand together, so one is in memory."""
        if name == self._name:
            return
        if name in self._seen or len(self._seen) >= FEEDS_MAX:
            raise BadEnvelope(reason="the records of a feed do not stand together")
        self._seen.add(name)
        self._name, self._feed, self._stuck = name, feeds.load(self._db, name), False

    def _after(self, group: Group, name: bytes, carried: Carried) -> Feed:
        if self._feed is None:
            first, opened, _ = open_feed(carried.record, carried.body or b"", self._rosters)
            if opened.id != name or opened.group != group.id:
                raise WrongFeed(part="feed" if opened.id != name else "group")
            meaning.check(first, carried.body)
            return opened
        said, after = self._feed.accept(carried.record)
        meaning.check(said, carried.body)
        if said.is_apart and said.body is not None:
            self._due[said.body.hash] = said.body.length
        return after

    def _piece(self, group: Group, said: Body) -> None:
        """Check the next piece of a long body that is lacking; one that is held is passed over."""
        if self._half is None:
            self._half = self._begun(group, said)
        if self._half is not None and self._half.add(said):
            self._half = None
            self.found.bodies += 1

    def _begun(self, group: Group, said: Body) -> "_Half | None":
        """Begin with a body of a record of this file, or of one that owes it since an earlier."""
        if bodies.length_of(self._db, group.id, said.hash) is not None:
            return None
        owed = next(iter(bodies.owing(self._db, group.id, said.hash)), None)
        length = self._due.get(said.hash) or (owed.length if owed else 0)
        before = range(said.offset // PIECE_BYTES)
        if not length or (before and (owed is None or not owed.had.issuperset(before))):
            # What records lack that are not here is counted with them.
            self.found.left[GAP] += 0 if self._lost or said.hash == self._unknown else 1
            self._unknown = said.hash
            return None
        begun = _Half(group.id, said.hash, length, said.offset, sha256())
        for piece in bodies.first_pieces(self._db, owed.place, len(before)) if owed else ():
            begun.digest.update(piece)
        return begun

    def _vouch(self, author: Credentials) -> None:
        """Check certificates by a roster that is held, or came and follows one; raise why not."""
        fault: AuthorError = UnknownRoster(roster=author.node.issuer.hex())
        newest = sorted(self._rosters.values(), key=lambda each: each.number, reverse=True)
        for within in newest:
            try:
                author.verify(within)
                return
            except AuthorError as wrong:
                fault = wrong
        raise fault
