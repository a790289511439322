"""What this node is doing with one peer: their session, what is asked, what is owed, when to speak.

In: what was heard, and the present time. Out: what is due. Everything in it is bounded, and all of
it may be lost: it is drawn anew from a greeting.
"""

from dataclasses import dataclass, replace

from gateway.groups.agreement import Claim
from gateway.groups.group import Group
from gateway.records.feed import Credentials
from gateway.sync.asking import Asking
from gateway.sync.clones import Alarm, Runs
from gateway.sync.control import Control
from gateway.sync.decide import SendRecords
from gateway.sync.retry import NEVER_TRIED, Pace, Retry
from gateway.sync.session import Session

# A peer that comes back says so, and is offered everything at once: so the wait may grow long.
OFFERING = Pace(2_000, 600_000)
SETTLED_MS = 2_000
# What others wrote is first of all offered by its author; together with what else came meanwhile.
RELAYED_MS = 20_000
OFFER_MS_MAX = 30_000
# Heads are said again though nothing is lacking: it heals what both believe wrongly.
REFRESH = Pace(300_000, 300_000)
SILENT_MS = 750_000
AWAY_MS = 10_000
# Offers in vain, and how long nothing was heard: then a peer that is there does not answer.
STALLED_OFFERS, STALLED_MS = 4, 30_000
HEARD_MS = 60_000
# Answers that cost more than their question, at once; each second one more.
ANSWERS_MAX = 16
ANSWER_MS = 1_000
SERVING_MAX = 64
SERVING_BYTES_MAX = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Owed:
    """Records [start, stop) that the peer asked for, until so many bytes are sent.

    `again`: it asked for them from there before, so they may not have come.
    """

    group: Group
    feed: bytes
    start: int
    stop: int
    credit: int
    again: bool = False


class Relation:
    """One peer, in all groups that both are in."""

    def __init__(
        self, node: bytes, organisation: str, encryption: bytes, groups: tuple[Group, ...]
    ) -> None:
        self.node, self.organisation, self.groups = node, organisation, groups
        self.encryption = encryption  # the key to which a HELLO is sealed
        self.session = Session(node, b"")
        self.runs = Runs(node)
        self.shared: tuple[Group, ...] = ()  # those that its certificates admit it to
        self.asking = Asking()
        self.owed: dict[bytes, Owed] = {}
        self._wanted: dict[bytes, int] = {}  # from where it asked for each feed last
        self.offer: Retry = NEVER_TRIED
        self.idle = False
        self.lacking = 0
        self._offered_ms = self._refresh_ms = 0
        self._offered_to: dict[bytes, bytes] = {}
        self._heard_ms: dict[bytes, int] = {}
        self._answered_ms = -ANSWERS_MAX * ANSWER_MS
        self._acked = (b"", 0)  # the run and the counter of its newest ACK

    @property
    def met(self) -> bool:
        """Say whether its HELLO was heard, so that it can be spoken to."""
        return bool(self.session.theirs)

    def share(self, groups: tuple[Group, ...], shared: tuple[Group, ...]) -> None:
        """Note in which groups both are now: others end, and what is new is offered."""
        ids = {group.id for group in groups}
        if {group.id for group in shared} - {group.id for group in self.shared}:
            self.offer, self.idle = NEVER_TRIED, False
        self.groups, self.shared = groups, shared
        self.owed = {feed: owed for feed, owed in self.owed.items() if owed.group.id in ids}

    @property
    def greeted(self) -> Credentials | None:
        """Give the certificates under which it last signed, or greeted, if it did."""
        for each in self.session.greetings:
            if each.name == self.session.theirs:
                return each.credentials
        return None

    def credentials_of(self, kid: bytes) -> Credentials | None:
        """Give the certificates, heard in a greeting, of the run whose key is named so."""
        for each in self.session.greetings:
            if each.credentials.run.subject[:8] == kid:
                return each.credentials
        return None

    def is_heard_anew(self, group: bytes, now_ms: int) -> bool:
        """Say, at most once a minute, that it is to be kept that it spoke in a group now."""
        if now_ms - self._heard_ms.get(group, now_ms - HEARD_MS) < HEARD_MS:
            return False
        self._heard_ms[group] = now_ms
        return True

    def is_fresh(self, claim: Claim) -> bool:
        """Say whether an ACK, verified, is of the run that greeted last, and newer than the last.

        Whoever carries messages may keep an ACK and repeat it: only a fresh one shows that the
        peer is there.
        """
        if self.greeted is None or claim.kid != self.greeted.run.subject[:8]:
            return False
        kid, counter = self._acked
        if kid == claim.kid and claim.ack.counter <= counter:
            return False
        self._acked = claim.kid, claim.ack.counter
        return True

    def state(self, now_ms: int) -> str:
        """Say how it stands: greeting, connected, not answering or silent."""
        heard_ms = self.session.heard_ms
        if heard_ms is not None and now_ms - heard_ms > SILENT_MS:
            return "silent"
        if self.session.up and self._is_stalled(now_ms):
            return "not answering"
        return "connected" if self.session.up else "greeting"

    def _is_stalled(self, now_ms: int) -> bool:
        """Say whether it was offered again and again, and neither signs nor speaks: half-open."""
        heard_ms = self.session.heard_ms or 0
        return self.offer.attempt >= STALLED_OFFERS and now_ms - heard_ms > STALLED_MS

    def answered(self, heard: Control) -> tuple[Alarm, ...]:
        """Note which run signed a message that the session took; give what alarms that raises."""
        run, challenge = self.session.answer(heard)
        self.runs, alarms = self.runs.answered(run, challenge, self.session.number)
        return alarms

    def may_answer(self, now_ms: int) -> bool:
        """Say whether there is an answer left for what costs more than its question; count it."""
        since_ms = max(self._answered_ms, now_ms - ANSWERS_MAX * ANSWER_MS)
        if since_ms + ANSWER_MS > now_ms:
            return False
        self._answered_ms = since_ms + ANSWER_MS
        return True

    def owe(self, group: Group, send: SendRecords) -> bool:
        """Queue what the peer asked for; False if it has asked for too much."""
        others = [each for each in self.owed.values() if each.feed != send.feed]
        queued = sum(each.credit for each in others) + send.credit
        if len(others) >= SERVING_MAX or queued > SERVING_BYTES_MAX:
            return False
        again = self._wanted.pop(send.feed, None) == send.start
        self._wanted[send.feed] = send.start
        while len(self._wanted) > SERVING_MAX:
            del self._wanted[next(iter(self._wanted))]
        self.owed[send.feed] = Owed(group, send.feed, send.start, send.stop, send.credit, again)
        return True

    def next_owed(self) -> Owed | None:
        """Give what is to be sent next; feeds take turns."""
        if not self.owed:
            return None
        return self.owed.pop(next(iter(self.owed)))

    def sent(self, owed: Owed, count: int, sent_bytes: int) -> None:
        """Note what was sent; the rest waits for its turn."""
        left = replace(owed, start=owed.start + count, credit=owed.credit - sent_bytes)
        if count and left.start < left.stop and left.credit > 0 and owed.feed not in self.owed:
            self.owed[owed.feed] = left

    def stir(self, now_ms: int, wait_ms: int = SETTLED_MS) -> None:
        """There is something new for the peer: offer it soon, unless it is being offered."""
        sooner = self.offer.attempt == 0 and self.offer.due_ms > now_ms + wait_ms
        if self.idle or sooner:
            self.offer, self.idle = Retry(now_ms + wait_ms), False

    def hurry(self, now_ms: int) -> None:
        """The way to the peer was gone, or it was silent: greet, ask and offer at once."""
        self.session = replace(self.session, retry=NEVER_TRIED)
        self.asking.hurry()
        self.offer, self.idle = Retry(now_ms), False

    def progressed(self, now_ms: int) -> None:
        """The peer signed for something: give it time to sign for more."""
        if not self.idle and self.offer.attempt:
            due_ms = min(now_ms + SETTLED_MS, self._offered_ms + OFFER_MS_MAX)
            self.offer = Retry(max(due_ms, now_ms))

    def offered(self, now_ms: int, chance: float) -> None:
        """Note that what the peer has not signed for was said, to be said again."""
        self.offer, self.idle = self.offer.again(now_ms, OFFERING, chance), False
        self._offered_ms = now_ms

    def settled(self, now_ms: int, chance: float) -> bool:
        """Note that the peer has signed for all; say whether heads are to be refreshed even so."""
        is_due = now_ms >= self._refresh_ms
        if is_due:
            self._refresh_ms = NEVER_TRIED.again(now_ms, REFRESH, chance).due_ms
        self.offer, self.idle = Retry(self._refresh_ms), True
        return is_due

    def rotate(self, group: bytes, last: bytes | None) -> None:
        """Note the last feed offered of a group; None to begin at the first again."""
        self._offered_to[group] = last or b""

    def rotated(self, group: bytes) -> bytes:
        """Give the feed after which the next offer of a group begins."""
        return self._offered_to.get(group, b"")

    def due_ms(self) -> int:
        """Say when it is next to be spoken to."""
        due = [self.offer.due_ms] if self.session.up else [self.session.retry.due_ms]
        asking = self.asking.due_ms() if self.met else None
        return min(due if asking is None else [*due, asking])
