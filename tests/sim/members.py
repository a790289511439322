"""Gateways whose groups change: one does what the agent's upkeep does, one rebels when removed.

In: what arrives, what people here want. Out: as the gateway of the simulator; besides, whether a
wish was one that membership allows. All rules are those of the store; nothing is decided here.
"""

from collections.abc import Callable, Sequence
from functools import partial

import apsw

from gateway.errors import NotAllowed
from gateway.groups import membership as acts
from gateway.groups.group import Group
from gateway.groups.membership import Act, Membership
from gateway.peers.wire import Arrived
from gateway.records import cbor
from gateway.records.feed import Head, feed_id
from gateway.records.record import Kind, Moment, Said
from gateway.store import acting, authoring, feeds, groups, membership
from gateway.store.authoring import Author, Venue
from tests.sim.gateway import Gateway

UPKEEP_MS = 2_000
_FROZEN = ("views", "members", "cuts")
Wish = Callable[[apsw.Connection, Author, Venue], object]


class Member(Gateway):
    """A gateway that follows invitations, and announces to the members that are now."""

    groups: list[Group]
    was_removed = False  # or left; it may not know
    _known: tuple[int, bytes, Membership] | None = None

    def start(self) -> None:
        """Begin a run, and look after the groups soon."""
        super().start()
        self._look_soon()

    def hear(self, arrived: Arrived) -> None:
        """Take in one message, and what it changed."""
        super().hear(arrived)
        for invited in list(self.exchange.invitations.values()):
            self._join(invited.group)
        if self.exchange.changes():
            self._look_soon()

    def wish(self, group: Group, wish: Wish) -> bool:
        """Do what a person here wants, and tell the others; False where membership forbids it."""
        try:
            with self.db:
                wish(self.db, self.author, self.venue(group))
        except NotAllowed:
            return False
        self._tell(group)
        self._look_soon()
        return True

    def keep_up(self) -> None:
        """Do what members owe their groups, as the agent does; a full disk is tried again."""
        for group in self.groups:
            job = partial(acting.attend, author=self.author, venue=self.venue(group))
            done = self.desk.submit(job)
            if done.exception() is not None:
                self._look_soon()
            elif done.result():
                self._tell(group)

    def known(self, group: Group) -> Membership:
        """Give the members of a group as this store has them; read again if it changed since."""
        since = self.db.total_changes()
        if self._known is None or self._known[:2] != (since, group.id):
            self._known = since, group.id, membership.load(self.db, group.id)
        return self._known[2]

    def is_member(self, group: Group) -> bool:
        """Say whether this node is a member, as far as it knows."""
        return group in self.groups and self.node in _nodes(self.known(group))

    def owes(self, group: Group) -> bool:
        """Say whether its members were not yet announced to as they are now."""
        return authoring.owed(self.db, self.author, self.venue(group)) is not None

    def _tell(self, group: Group) -> None:
        self._speak(self.exchange.written(group.id, self._clock.now_ms))
        self.exchange.regroup()
        self.wake()

    def _look_soon(self) -> None:
        self._clock.after(self.dice.uniform(0, UPKEEP_MS), self.keep_up)

    def _join(self, group: Group) -> None:
        """Follow an invitation, and meet everybody anew in the same run."""
        if group not in self.groups:
            with self.db:
                groups.register(self.db, group.founding.purpose, group)
            self.groups.append(group)
            self.runs -= 1
            self.start()


class Rebel(Member):
    """A member like others until it is removed: then it goes on as if it never heard of that.

    It keeps its keys, the group's secret and its view; it writes under an earlier time, begins new
    runs, and says whatever a member might say.
    """

    def __init__(self, *args: object) -> None:
        self.rebels, self.evil = False, list[tuple[bytes, int]]()
        super().__init__(*args)  # type: ignore[arg-type]

    def rebel(self) -> None:
        """Have the store believe in the members of this moment for ever."""
        self.rebels = True
        for table in _FROZEN:
            for event in ("INSERT", "DELETE", "UPDATE"):
                self.db.execute(
                    f"CREATE TEMP TRIGGER keep_{table}_{event} BEFORE {event} ON main.{table}"
                    " BEGIN SELECT RAISE(IGNORE); END"
                )

    def keep_up(self) -> None:
        """Do as members do, until it rebels."""
        if not self.rebels:
            super().keep_up()

    def lie(self, group: Group, said: Said) -> None:
        """Say anything, under the old view and key, whether or not anybody would count it."""
        size = self._own_size(group)
        with self.db:
            authoring.say(self.db, self.author, self.venue(group), said)
        self.remember(group, size)
        self._speak(self.exchange.written(group.id, self._clock.now_ms))

    def remember(self, group: Group, size: int) -> None:
        """Note what of its feed it wrote since."""
        feed = feed_id(self.run.key.public, group.id)
        self.evil += [(feed, seq) for seq in range(size, self._own_size(group))]

    def lies(self, group: Group, others: Sequence[bytes], accomplice: Act) -> list[Said]:
        """Give what it might say: acts against others and for itself, and a receipt of its own."""
        own = feeds.head(self.db, feed_id(self.run.key.public, group.id))
        rows = [] if own is None else [[own.feed, own.size, own.root, []]]
        victims: list[Act] = [acts.Remove(node, self._held_of(group, node)) for node in others]
        said = [Said(Kind.MEMBERSHIP, acts.encode(act), acts.CONTENT_TYPE) for act in victims]
        said.append(Said(Kind.MEMBERSHIP, acts.encode(accomplice), acts.CONTENT_TYPE))
        receipts = [Said(Kind.RECEIPT, cbor.encode([row]), acts.CONTENT_TYPE) for row in rows]
        return [*said, *receipts]

    def _held_of(self, group: Group, node: bytes) -> tuple[Head, ...]:
        """Name little of what somebody wrote, as if nothing had come after."""
        return tuple(feeds.tips(self.db, group.id, node)[:1])

    def _own_size(self, group: Group) -> int:
        head = feeds.head(self.db, feed_id(self.run.key.public, group.id))
        return 0 if head is None else head.size

    def _moment(self) -> Moment:
        now = super()._moment()
        if not self.rebels:
            return now
        return Moment(now.unix_ms - 3_600_000, 5, now.source, now.boot, now.monotonic_ms)


def _nodes(known: Membership) -> set[bytes]:
    return {member.node for member in known.members}
