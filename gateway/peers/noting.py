"""Notes on the wire: what witnesses stand for is told to members, and what they tell is taken.

In: NOTE messages, and what is noted in the store. Out: entries to be kept, each verified with its
checkpoint and its cosignatures; what is to be said to a peer. A note stands alone: it is good by
whatever way it came. What contradicts a head held here is a doubt, and moves nothing. Protocol:
docs/protocol/journal.md.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Final

from gateway.errors import BadNote
from gateway.groups import finality
from gateway.groups.group import Group
from gateway.peers.circle import Circle
from gateway.peers.doubts import Doubts
from gateway.peers.gate import Worth
from gateway.peers.relation import Relation
from gateway.peers.staging import Staged
from gateway.records import checkpoint
from gateway.records.checkpoint import Checkpoint
from gateway.records.cose import key_id
from gateway.records.feed import Credentials, Head
from gateway.records.journal import Entry
from gateway.store import checkpoints, feeds, noted, outbox, peers
from gateway.store.checkpoints import Kept, Signer
from gateway.store.database import Connection
from gateway.store.evidence import Leaf
from gateway.store.noted import Key, Noted
from gateway.sync.decide import Forked
from gateway.sync.message import COSIGNATURES_MAX, Note

# Said once more after this long, and ever more seldom: the link may have lost it.
AGAIN_MS: Final = 300_000
_DOUBLINGS_MAX: Final = 6
# Of hashes and lines in one message; with all that is around them it is below 64 KiB.
ENTRIES_BYTES_MAX: Final = 40 * 1024
_ENTRY_BYTES: Final = 96
_HASH_BYTES: Final = 34


@dataclass(frozen=True, slots=True)
class Taken:
    """What of a NOTE is to be kept: a run's checkpoint, lines that count, entries that fit."""

    run: bytes
    size: int
    encoded: bytes
    lines: tuple[str, ...]
    entries: tuple[Entry, ...]

    replaces: bool = False  # the checkpoint of that size that is kept: too few stand for it

    def keep(self, db: Connection) -> None:
        """Keep it; for the writer. Of two checkpoints of one size the first stays, else."""
        number = checkpoints.keep(db, self.run, self.size, self.encoded)
        if self.replaces and checkpoints.load(db, number).encoded != self.encoded:
            checkpoints.drop(db, number)
            number = checkpoints.keep(db, self.run, self.size, self.encoded)
        if checkpoints.load(db, number).checkpoint == checkpoint.read(self.encoded)[1]:
            for line in self.lines:
                checkpoints.cosign(db, number, line)
            noted.keep(db, number, self.entries)
        checkpoints.prune(db, self.run)


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of a NOTE: what is to be kept, and which heads contradict those held here.

    `fork` is a run, its checkpoint that is kept and the one that came: one size, two roots. Of
    `rewrites`, each is what was noted and what came under one number of the run's journal.
    """

    taken: Taken | None
    forks: tuple[Forked, ...]
    fork: tuple[bytes, tuple[bytes, bytes]] | None = None
    rewrites: tuple[tuple[bytes, Leaf, Leaf], ...] = ()


@dataclass(slots=True)
class _Said:
    """What a peer was told in its present run: how often, and when it may be told again."""

    run: bytes = b""
    told: dict[Key, tuple[int, int]] = field(default_factory=dict)


class Noting:
    """The notes of one exchange."""

    def __init__(self, circle: Circle, read: Connection) -> None:
        self._circle, self._read = circle, read
        self._said: dict[bytes, _Said] = {}
        self._stamp = (-1, -1)
        self._known: dict[bytes, tuple[Noted, ...]] = {}

    def take(self, said: Note, group: Group, staged: Staged, doubts: Doubts) -> Worth:
        """Take a NOTE into what is committed next; say what it is worth, or raise as `hear`."""
        heard = self.hear(said, group)
        for each in heard.forks:
            doubts.said(each, None, group, 0)
        if heard.fork is not None:
            doubts.forked(*heard.fork)
            staged.accusing.journals(*heard.fork, said.cosignatures)
        for run, one, other in heard.rewrites:
            staged.accusing.rewritten(run, one, other)
        if heard.taken is None:
            return Worth.KNOWN
        staged.later.append(heard.taken.keep)
        return Worth.USEFUL

    def hear(self, said: Note, group: Group) -> Heard:
        """Verify a NOTE of a group; raise BadNote, MalformedCheckpoint or ProofFails.

        What is compared with is committed: of records in the batch that brought it, it knows none.
        """
        encoded = said.checkpoint.encode()
        signed, found = checkpoint.read(encoded)
        key, node = self._signer(found, group)
        checkpoint.verify(encoded, key)
        if len(signed.signatures) != 1:
            raise BadNote(name=found.origin, reason="others' lines stand beside its own")
        for each in said.leaves:
            each.check(found)
        by = checkpoints.witnesses(self._read, group.id)
        lines = finality.counting(found, said.cosignatures, by)
        if not lines:
            raise BadNote(name="a witness of this group", reason="no line is of one")
        signers = checkpoints.signers(lines.values())
        fresh, forks = [], []
        for each in said.leaves:
            ours = self._ours(each.head, group, node)
            if ours is not None and ours != each.head:
                forks.append(Forked(ours, each.head))
            elif ours is not None and not self._is_replaced(each.head, signers):
                fresh.append(each)
        run = key_id(key)
        taken = Taken(run, found.size, encoded, tuple(lines.values()), tuple(fresh))
        rewrites = tuple(self._rewrites(run, found, (encoded, said.leaves)))
        number = checkpoints.find(self._read, run, found.size)
        kept = None if number is None else checkpoints.load(self._read, number)
        if kept is None or kept.checkpoint == found:
            return Heard(taken if fresh else None, tuple(forks), None, rewrites)
        both = run, (kept.encoded, encoded)
        # At most one of them can have a quorum: each that is told it comes to the same by it.
        is_better = by.suffice(lines) and not by.suffice(checkpoints.signed(kept, by))
        better = replace(taken, replaces=True) if fresh and is_better else None
        return Heard(better, tuple(forks), both, rewrites)

    def owed(self, relation: Relation, now_ms: int) -> Iterator[tuple[Group, Note]]:
        """Give what a peer is to be told: what it holds, did not write, and was not told of."""
        greeted = relation.greeted
        if greeted is None or not relation.session.up:
            return
        said = self._said.setdefault(relation.node, _Said())
        if said.run != greeted.run.subject:
            said.run, said.told = greeted.run.subject, {}
        self._forget(said, relation)
        for group in relation.shared:
            fresh = [each for each in self._notes(group.id) if self._is_due(said, each, now_ms)]
            held = [each for each in fresh if self._holds(greeted, each.entry.head)]
            for each in held:
                times, _ = said.told.get(each.key, (0, 0))
                again_ms = AGAIN_MS << min(times, _DOUBLINGS_MAX)
                said.told[each.key] = times + 1, now_ms + again_ms
            yield from ((group, each) for each in _messages(held))

    def _forget(self, said: _Said, relation: Relation) -> None:
        """Forget that a peer was told of what is noted no more, so that memory is bounded."""
        every = [self._notes(group.id) for group in relation.shared]
        if len(said.told) > sum(map(len, every)):
            keys = {each.key for some in every for each in some}
            said.told = {key: told for key, told in said.told.items() if key in keys}

    def _is_due(self, said: _Said, each: Noted, now_ms: int) -> bool:
        return said.told.get(each.key, (0, now_ms))[1] <= now_ms

    def _holds(self, peer: Credentials, head: Head) -> bool:
        """Say whether a peer holds a head, by its own word or as who wrote it.

        Its present run knows itself what is cosigned; of its earlier ones a restored copy may not.
        """
        feed, node = feeds.load(self._read, head.feed), peer.node.subject
        if feed is None:
            return False
        if feed.node == node:
            return feed.run_key != peer.run.key
        return outbox.cursor(self._read, node, head.feed) >= head.size

    def _notes(self, group: bytes) -> tuple[Noted, ...]:
        stamp = noted.stamp(self._read)
        if stamp != self._stamp:
            self._stamp, self._known = stamp, {}
        if group not in self._known:
            # Of which runs every member has the certificates, by their geneses. Who was met here
            # was most likely met by the others too.
            runs = {key_id(key) for key, _ in feeds.runs_of(self._read, group)} | {
                self._circle.me.run.key.id
            }
            every = chain.from_iterable(
                noted.of_feed(self._read, name) for name in noted.feeds_of(self._read, group)
            )
            self._known[group] = tuple(
                one for one in every if self._is_met(one.kept.checkpoint.run or b"", runs)
            )
        return self._known[group]

    def _is_met(self, run: bytes, runs: set[bytes]) -> bool:
        met = () if run in runs else peers.runs(self._read, run[:8])
        return run in runs or any(each.run.subject == run for each in met)

    def _signer(self, found: Checkpoint, group: Group) -> tuple[bytes, bytes]:
        """Find the key and the node of the run that a checkpoint names; raise BadNote."""
        run = found.run or b""
        peer = self._circle.of_run(run[:8])
        greeted = peer.credentials_of(run[:8]) if peer else None
        if greeted is not None and greeted.run.subject == run:
            return greeted.run.key, greeted.node.subject  # A full disk may not have kept it.
        for each in peers.runs(self._read, run[:8]):
            if each.run.subject == run:
                return each.run.key, each.node.subject
        for key, node in feeds.runs_of(self._read, group.id):
            if key_id(key) == run:
                return key, node
        raise BadNote(name=found.origin, reason="no run is known that has this key")

    def _rewrites(
        self, run: bytes, found: Checkpoint, said: tuple[bytes, Sequence[Entry]]
    ) -> Iterator[tuple[bytes, Leaf, Leaf]]:
        """Give what was noted under the numbers of these entries, and is another head."""
        encoded, leaves = said
        for leaf in leaves:
            for each in noted.under(self._read, run, leaf.index):
                if each.entry.head != leaf.head and each.kept.checkpoint.size != found.size:
                    yield run, (each.kept.encoded, each.entry), (encoded, leaf)
                    break

    def _ours(self, theirs: Head, group: Group, node: bytes) -> Head | None:
        """Give our head of that size of a feed of that node in the group; None where we have it
        not."""
        feed = feeds.load(self._read, theirs.feed)
        if feed is None or (feed.group, feed.node) != (group.id, node) or feed.size < theirs.size:
            return None
        return Head(feed.id, theirs.size, feeds.root_at(self._read, feed.id, theirs.size))

    def _is_replaced(self, head: Head, signers: frozenset[Signer]) -> bool:
        """Say whether as much of a feed is noted, under the same keys of witnesses at least."""
        return any(
            each.entry.head.size >= head.size and signers <= each.kept.signers
            for each in noted.of_feed(self._read, head.feed)
        )


def _messages(held: Sequence[Noted]) -> Iterator[Note]:
    """Put what is under one checkpoint together, as much as fits into a message."""
    under: dict[int, list[Noted]] = {}
    for each in held:
        under.setdefault(each.kept.number, []).append(each)
    for every in under.values():
        kept, room = every[0].kept, ENTRIES_BYTES_MAX
        some: list[Entry] = []
        for each in every:
            room -= _ENTRY_BYTES + _HASH_BYTES * len(each.entry.path)
            if room < 0:
                yield _message(kept, some)
                some, room = [], ENTRIES_BYTES_MAX
            some.append(each.entry)
        yield _message(kept, some)


def _message(kept: Kept, entries: Sequence[Entry]) -> Note:
    return Note(kept.encoded.decode(), kept.cosignatures[:COSIGNATURES_MAX], tuple(entries))
