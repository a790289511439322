"""Who is linked to this listener, and what waits for each: a small broker among members.

In: proofs that were judged, parcels of one of them or of this gateway. Out: parcels in the queues
of those whom they are for; counts. What has no room or nobody to go to is dropped: sync says it
again. It believes no topic: a node says only its own on a group's. docs/protocol/links.md.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from gateway.errors import AuthorError, GroupError, PeerError
from gateway.peers.guests import Guest, Guests
from gateway.peers.https import ABSENT, Own
from gateway.peers.link import FULL
from gateway.peers.waiting import Flow, Waiting
from gateway.peers.wire import whom
from gateway.records.feed import Credentials
from gateway.sync import link
from gateway.sync.link import Parcel
from gateway.transport.http_server import Visit

SEATS_MAX: Final = 256
# Of one node: a run that is ending and the next, or the two copies of a clone.
SEATS_PER_NODE_MAX: Final = 2
ALL_BYTES_MAX: Final = 64 * 1024 * 1024
# Said by one node, and waiting for all others together.
CARRIED_BYTES_MAX: Final = 8 * 1024 * 1024
VISITS_MAX: Final = 4
# Two polls that did not come.
SILENT_S_MAX: Final = 60.0
ALIEN: Final = "link.alien"  # counted: said in another's name, or to a group it does not share
# Of one whose connections are all closed: it may be on its way back.
GONE_S_MAX: Final = 5.0
POSTS_MAX: Final = 200  # at once; each second half as many more
POSTS_PER_S: Final = 100.0
# So many posts after it was told to wait, and it is barred.
DEAF_MAX: Final = 100
BARRED_S: Final = 30.0


class Seat:
    """One run of a node that is linked: what waits for it, and how it behaves."""

    def __init__(self, guest: Guest, credentials: Credentials, now_s: float) -> None:
        self.guest, self.credentials = guest, credentials
        self.token = b""
        self.waiting, self.flow = Waiting(), Flow()
        self.news = asyncio.Event()
        self.visits: list[Visit] = []
        self.heard_s = now_s
        self.told: tuple[bytes, ...] = ()
        self.looked: Guests | None = None
        self._posts, self._posts_s, self._deaf = float(POSTS_MAX), now_s, 0

    def take_visit(self, visit: Visit) -> None:
        """Note one of its connections; with too many the oldest is cut."""
        if visit not in self.visits:
            self.visits.append(visit)
            visit.welcome()
        while len(self.visits) > VISITS_MAX:
            self.visits.pop(0).cut()

    def may_post(self, now_s: float) -> bool:
        """Say whether another post may be read now, and count it."""
        since_s, self._posts_s = now_s - self._posts_s, now_s
        self._posts = min(self._posts + since_s * POSTS_PER_S, float(POSTS_MAX))
        if self._posts < 1.0:
            self._deaf += 1
            return False
        self._posts -= 1.0
        if self._posts > POSTS_MAX / 2:  # It did pause.
            self._deaf = 0
        return True

    def is_over(self, now_s: float) -> bool:
        """Say whether nothing came of it for too long."""
        return now_s - self.heard_s > (SILENT_S_MAX if self.visits else GONE_S_MAX)

    @property
    def is_deaf(self) -> bool:
        """Say whether it goes on though it was told to wait."""
        return self._deaf > DEAF_MAX


class Seats:
    """All that are linked to one listener; thread-safe, but for the connections."""

    def __init__(
        self, own: Own, counts: Counter[str], call: Callable[[Callable[[], object]], None]
    ) -> None:
        # `call` has the thread of the connections do something soon: they are touched nowhere else.
        self._own, self._counts, self._call = own, counts, call
        self._seats: dict[bytes, Seat] = {}  # by run
        self._barred: dict[bytes, float] = {}  # by node, until when
        self._lock = threading.RLock()

    @property
    def nodes(self) -> frozenset[bytes]:
        """Name the nodes that are linked."""
        with self._lock:
            return frozenset(each.guest.node for each in self._seats.values() if each.visits)

    def barred_s(self, node: bytes, now_s: float) -> float:
        """Say for how long a node that flooded is not let in; 0 for none."""
        return max(0.0, self._barred.get(node, 0.0) - now_s)

    def bar(self, seat: Seat, now_s: float) -> None:
        """Let a node in no more for a while, half a while more or less."""
        self._barred = {node: until for node, until in self._barred.items() if until > now_s}
        self._barred[seat.guest.node] = now_s + BARRED_S * (0.5 + self._own.chance())
        self.leave(seat)

    def sit(self, guest: Guest, credentials: Credentials, now_s: float) -> Seat | None:
        """Give a run its seat, with a new token; None where there are too many."""
        with self._lock:
            seat = self._seats.get(guest.run)
            if seat is None:
                same = [each for each in self._seats.values() if each.guest.node == guest.node]
                while len(same) >= SEATS_PER_NODE_MAX:
                    self.leave(same.pop(0))
                if len(self._seats) >= SEATS_MAX:
                    return None
                seat = self._seats[guest.run] = Seat(guest, credentials, now_s)
            for visit in seat.visits:
                self._call(visit.cut)
            seat.visits, seat.guest, seat.heard_s, seat.told = [], guest, now_s, ()
            seat.looked = self._own.guests()
            seat.token = self._own.random(link.TOKEN_BYTES)
            return seat

    def leave(self, seat: Seat) -> None:
        """Take a seat away: its token is void, and what waited is let go of."""
        with self._lock:
            self._seats.pop(seat.guest.run, None)
            visits, seat.visits, seat.token = seat.visits, [], b""
        for visit in visits:
            self._call(visit.cut)

    def of_token(self, token: bytes) -> Seat | None:
        """Find the seat of a token, if its node may still be there."""
        with self._lock:
            found = [each for each in self._seats.values() if token and each.token == token]
            return found[0] if found and self._is_welcome(found[0]) else None

    def sweep(self, now_s: float) -> None:
        """Let go of the silent, and of those that may be here no more."""
        with self._lock:
            for seat in list(self._seats.values()):
                if seat.is_over(now_s) or not self._is_welcome(seat):
                    self.leave(seat)

    def present(self, seat: Seat) -> tuple[bytes, ...]:
        """Name the other nodes that somebody's words are carried to."""
        with self._lock:
            seats = [each for each in self._seats.values() if each.visits]
            others = {each.guest.node for each in seats if each.guest.may_meet(seat.guest)}
            return tuple(sorted(others)[: link.PRESENT_MAX])

    def wake_all(self) -> None:
        """Have all hear who is present now."""
        with self._lock:
            for each in self._seats.values():
                self._call(each.news.set)

    def has_room(self, room_bytes: int) -> bool:
        """Say whether backlog may be handed over to anybody."""
        with self._lock:
            each_room = (
                each.waiting.has_room(min(2 * each.flow.bytes_max, room_bytes))
                for each in self._seats.values()
            )
            return any(each_room)

    def for_us(self, parcels: Sequence[Parcel], by: Seat) -> list[Parcel]:
        """Give those of a node's parcels that are for this gateway."""
        me = f"hl/1/n/{self._own.run.node.hex()}"
        return [each for each in parcels if each.topic == me or _is_own(each, by)]

    def say(self, parcels: Sequence[Parcel], by: Seat | None = None) -> None:
        """Queue parcels for those linked whom they are for.

        `by` is the seat of who says them; None for this gateway itself.
        """
        with self._lock:
            # First of all who has come and gone since: it says to whom a group's words may go.
            near = [each for each in list(self._seats.values()) if self._may_stay(each)]
            others = [each for each in near if each is not by]
            for parcel in parcels:
                self._carry(parcel, by, self._to(parcel, by, others))

    def _to(self, parcel: Parcel, by: Seat | None, seats: Sequence[Seat]) -> list[Seat]:
        if (node := whom(parcel.topic)) is not None:
            found = [each for each in seats if each.guest.node == node]
            if by is None:
                return found
            near = [each for each in found if each.guest.may_meet(by.guest)]
            if not near and node != self._own.run.node:
                self._counts[ABSENT] += 1
            return near
        match parcel.topic.split("/"):
            case ["hl", "1", "g", tag, *_] if by is None or _is_own(parcel, by):
                return [each for each in seats if tag in each.guest.tags]
        self._counts[ALIEN] += 1
        return []

    def _may_stay(self, seat: Seat) -> bool:
        if self._is_welcome(seat):
            return True
        self.leave(seat)
        return False

    def _carry(self, parcel: Parcel, by: Seat | None, to: Sequence[Seat]) -> None:
        carried = Parcel(parcel.topic, parcel.envelope, parcel.is_backlog, by is not None)
        said_by = by.guest.node if by else b""
        whole = sum(each.waiting.size for each in self._seats.values())
        theirs = sum(each.waiting.size_of(said_by) for each in self._seats.values()) if by else 0
        for seat in to:
            dropped = 1
            if whole + carried.size <= ALL_BYTES_MAX and theirs + carried.size <= CARRIED_BYTES_MAX:
                before = seat.waiting.size
                dropped = seat.waiting.put(carried, said_by)
                whole += seat.waiting.size - before
                theirs += seat.waiting.size - before
            if dropped:
                self._counts[FULL] += dropped
            self._call(seat.news.set)

    def _is_welcome(self, seat: Seat) -> bool:
        """Say whether a node may still be here: somebody may have come or gone since."""
        guests = self._own.guests()
        if seat.looked is guests:
            return True
        try:
            seat.guest = guests.admit(seat.credentials, self._own.unix_ms() // 1000)
        except (PeerError, GroupError, AuthorError) as fault:
            self._counts[fault.code] += 1
            return False
        seat.looked = guests
        return True


def _is_own(parcel: Parcel, by: Seat) -> bool:
    """Say whether a node says it under its own name to a group that it shares with us."""
    match parcel.topic.split("/"):
        case ["hl", "1", "g", tag, _, node]:
            return tag in by.guest.tags and node == by.guest.node.hex()
    return False
