"""Feeds of which two histories are signed, or said, to be: compared, traced to where they part.

In: records that come with a number that is held, a peer's word of another root, evidence. Out:
questions to who holds the other history, and suspicions for the commit that judges them. It judges
nobody: signed bytes do. What a peer says without them is counted, and freezes nothing. Protocol:
docs/protocol/evidence.md.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.errors import (
    AuthorError,
    BadAck,
    BadBody,
    ForkedFeed,
    GatewayError,
    GroupError,
    MalformedMessage,
    WrongFeed,
)
from gateway.groups.group import Group
from gateway.peers.accusing import Accusing
from gateway.peers.circle import Circle
from gateway.peers.relation import Relation
from gateway.peers.staging import Staged
from gateway.peers.voice import Voice
from gateway.peers.wire import Outgoing
from gateway.records import record
from gateway.records.record import CARRIED_BODY_BYTES_MAX, RECORD_BYTES_MAX
from gateway.store import evidence, feeds, freezing
from gateway.store.database import Connection
from gateway.store.evidence import Origin
from gateway.store.receipts import Doubt
from gateway.sync import decide
from gateway.sync.decide import Forked
from gateway.sync.message import Carried, Evidence, Recs, Want
from gateway.sync.retry import NEVER_TRIED, Pace, Retry
from gateway.sync.tracing import Trace

FORKS_MAX: Final = 1024
TRACES_MAX: Final = 64
ASKING: Final = Pace(3_000, 30_000)
TRIES_MAX: Final = 6
_CREDIT: Final = RECORD_BYTES_MAX + CARRIED_BODY_BYTES_MAX


@dataclass(frozen=True, slots=True)
class _Traced:
    """A trace, of whom it is asked, in which group, and when again."""

    trace: Trace
    node: bytes
    group: Group
    retry: Retry = NEVER_TRIED


class Doubts:
    """All of one exchange."""

    def __init__(
        self, circle: Circle, voice: Voice, read: Connection, counts: Counter[str]
    ) -> None:
        self._circle, self._voice, self._read, self._counts = circle, voice, read, counts
        # Claims of peers, by feed.
        self.forks: dict[bytes, Forked] = {}
        # By run, two checkpoints of its journal that contradict each other: it signed both.
        self.journals: dict[bytes, tuple[bytes, bytes]] = {}
        self._traced: dict[bytes, _Traced] = {}

    @property
    def frozen(self) -> frozenset[bytes]:
        """Give the feeds that end, because their author broke a rule in them."""
        return freezing.every(self._read)

    def end(self, feed: bytes, stop: int) -> int:
        """Give up to where records of a feed are taken, of those below `stop`."""
        limit = freezing.frozen(self._read, feed)
        return stop if limit is None else min(limit, stop)

    def within(self, recs: decide.Append | decide.Island) -> tuple[Carried, ...]:
        """Give the records that are taken of what came: none from where its feed ends."""
        stop = self.end(recs.feed, recs.start + len(recs.records))
        if stop <= recs.start:
            self._counts[ForkedFeed.code] += 1
        return recs.records[: max(0, stop - recs.start)]

    def said(self, fork: Forked, relation: Relation | None, group: Group, now_ms: int) -> None:
        """Remember a peer's word, which is not the author's: ask it for its records."""
        self._counts[ForkedFeed.code] += 1
        name, size = fork.ours.feed, fork.theirs.size
        if len(self.forks) < FORKS_MAX:
            self.forks.setdefault(name, fork)
        is_free = name not in self._traced and len(self._traced) < TRACES_MAX
        if is_free and relation is not None and relation.may_answer(now_ms):
            self._traced[name] = _Traced(Trace(size), relation.node, group)

    def all_said(self, doubts: Sequence[Doubt], now_ms: int) -> None:
        """Remember what receipts and removals name that is not ours, and ask who signed them."""
        for fork, node, name in doubts:
            group = next((each for each in self._circle.groups.values() if each.id == name), None)
            if group is not None:
                self.said(fork, self._circle.find(node, name), group, now_ms)

    def forked(self, run: bytes, both: tuple[bytes, bytes]) -> None:
        """Remember that a run signed two journals."""
        self._counts[ForkedFeed.code] += 1
        if len(self.journals) < FORKS_MAX:
            self.journals.setdefault(run, both)

    def heard(self, said: Recs, group: Group, staged: Staged) -> bool:
        """Compare a record that came with the one held under its number; say if it was asked."""
        feed = feeds.load(self._read, said.feed)
        stop = min(said.start + len(said.records), 0 if feed is None else feed.size)
        if feed is None or feed.group != group.id or said.start >= stop:
            return False
        at = self._parts(said, stop)
        ours, theirs = self._held(said.feed, at), said.records[at - said.start].record
        if ours == theirs and said.feed not in self._traced:
            return False
        try:
            other = record.decode(theirs, feed.run_key)
        except AuthorError as fault:
            self._counts[fault.code] += 1
            return False
        if (other.feed, other.seq) != (said.feed, at):
            self._counts[WrongFeed.code] += 1
            return False
        return self._compared(record.parse(ours), other, staged.accusing)

    def stopped(self, staged: Staged, feed: bytes, fault: AuthorError | GroupError | None) -> None:
        """Count what was wrong with a record; what its author signed twice, is shown."""
        if fault is None:
            return
        self._counts[fault.code] += 1
        pair = staged.stopped_at.pop(feed, None)
        match fault:
            case ForkedFeed() if pair is not None:
                staged.accusing.forked(pair[0], pair[1].record)
                for relation in self._circle.relations.values():
                    relation.asking.give_up(feed)
            case BadBody() if pair is not None and pair[1].body is not None:
                now_ms = self._circle.me.unix_ms()
                staged.accusing.misbodied(pair[1].record, pair[1].body, now_ms)

    def shown(self, said: Evidence, staged: Staged) -> None:
        """Take in evidence that somebody sent, unless it is held."""
        if evidence.is_known(self._read, said.content):
            self._counts[decide.REPEATED] += 1
        else:
            staged.accusing.shown(said.content)

    def impossible(self, fault: GatewayError, signer: bytes, staged: Staged) -> None:
        """Remember of who proved that it said it what no honest peer says."""
        if signer and isinstance(fault, MalformedMessage | BadAck):
            staged.accusing.impossible(signer, fault.code, self._circle.me.unix_ms())

    def settled(self, accusing: Accusing, now_ms: int) -> list[Outgoing]:
        """Say at once what was found here; where a feed ends now, see who comes to the same end."""
        said = []
        for finding, content, origin in accusing.found:
            self._traced.pop(finding.thing, None)
            near = [
                (each, group)
                for each in self._circle.relations.values()
                for group in each.shared
                if finding.group in (None, group.id)
            ]
            for relation, group in near:
                relation.asking.give_up(finding.thing)
                relation.offer, relation.idle = Retry(now_ms), False
                if origin is Origin.FOUND:
                    said.append(self._voice.bare(relation, group, Evidence(content)))
        return said

    def ask(self, now_ms: int) -> list[Outgoing]:
        """Ask what is due; who does not answer is asked a few times."""
        said = []
        for name, each in list(self._traced.items()):
            if each.retry.due_ms > now_ms:
                continue
            relation, seq = self._circle.find(each.node, each.group.id), each.trace.asked
            if relation is None or seq is None or each.retry.attempt >= TRIES_MAX:
                del self._traced[name]
            elif relation.met:
                again = each.retry.again(now_ms, ASKING, self._voice.chance())
                self._traced[name] = _Traced(each.trace, each.node, each.group, again)
                want = Want(name, seq, seq + 1, _CREDIT)
                said.append(self._voice.control(relation, each.group, want))
            else:
                later = each.retry.again(now_ms, ASKING, self._voice.chance())
                self._traced[name] = _Traced(each.trace, each.node, each.group, later)
        return said

    def due_ms(self) -> int | None:
        """Say when there is something to ask; None for never."""
        return min((each.retry.due_ms for each in self._traced.values()), default=None)

    def _parts(self, said: Recs, stop: int) -> int:
        """Give the first number below `stop` at which what came is not what is held; or the last.

        Where the last is the same, so are those before it.
        """
        last = stop - 1
        if self._held(said.feed, last) != said.records[last - said.start].record:
            for each in feeds.slice_of(self._read, said.feed, said.start, last, 1 << 30):
                if each.encoded != said.records[each.seq - said.start].record:
                    return each.seq
        return last

    def _held(self, feed: bytes, seq: int) -> bytes:
        return feeds.slice_of(self._read, feed, seq, seq + 1, 1)[0].encoded

    def _compared(self, ours: record.Record, other: record.Record, accusing: Accusing) -> bool:
        """Take two records of one number: an answer leads to the next question, or to the end."""
        traced = self._traced.get(other.feed)
        if traced is None or traced.trace.asked != other.seq:
            if ours.id != other.id:
                accusing.forked(ours.encoded, other.encoded)
            return ours.id != other.id
        trace = traced.trace.answered(ours, other)
        if trace is None:  # What was said of the root is not so, or others answered in its place.
            del self._traced[other.feed]
            return False
        self._traced[other.feed] = _Traced(trace, traced.node, traced.group)
        if trace.asked is None:
            self._end(trace, accusing)
        return True

    def _end(self, trace: Trace, accusing: Accusing) -> None:
        theirs = trace.theirs
        assert theirs is not None, "what ended had an answer"
        del self._traced[theirs.feed]
        accusing.forked(self._held(theirs.feed, theirs.seq), theirs.encoded)
