"""All links of this gateway, and the one thread that turns the exchange between them.

In: links, the exchange, a monotonic clock; from the links what they hear. Out: what the exchange
says, over the links that it names; a status. Links hand over and never wait for the exchange: what
one link floods, or does not carry, keeps no other waiting. docs/protocol/reach.md.
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence

from gateway.peers.exchange import Brought, Exchange, PeerStatus
from gateway.peers.inbox import Inbox
from gateway.peers.inviting import Invited
from gateway.peers.letters import Letters
from gateway.peers.link import UP, Link, LinkStatus
from gateway.peers.wire import Arrived, Outgoing
from gateway.sync.bundle import Entry
from gateway.sync.duty import Duty
from gateway.sync.reach import Way

# What is verified and committed at once; what is new to be said has its turn in between.
PORTION_BYTES_MAX = 512 * 1024
SERVED_BYTES_MAX = 256 * 1024
STATUS_MS = 1_000
# A link without room tells when it has some again; should it forget, nobody waits for ever.
ROOM_MS = 500


class Links:
    """The links, the exchange and its thread; an ear for all of them."""

    def __init__(
        self, links: Sequence[Link], exchange: Exchange, now_ms: Callable[[], int]
    ) -> None:
        self.exchange, self.now_ms = exchange, now_ms
        self._links = {link.name: link for link in links}
        self._turn = threading.Lock()  # whose it is, has the exchange
        self._guard = threading.Lock()  # held for moments only
        self._inbox, self._duty = Inbox(), Duty()
        self._written: set[bytes] = set()
        self._wake = threading.Event()
        self._changed, self._stopping = True, False
        self._thread = threading.Thread(target=self._run, name="exchange", daemon=True)
        self._note_status(now_ms())

    def start(self) -> None:
        """Begin to connect, to greet and to listen."""
        if self._links:
            self._thread.start()
        for link in self._links.values():
            link.start(self)

    def stop(self) -> None:
        """Leave all links and end the thread; what peers lack waits in the store."""
        self._stopping = True
        self._wake.set()
        for link in self._links.values():
            link.stop()
        if self._thread.is_alive():
            self._thread.join()

    # -- what anybody may ask, from any thread ----------------------------------------------------

    def written(self, groups: Iterable[bytes]) -> None:
        """Tell, after the commit, in which groups this run has written."""
        with self._guard:
            self._written.update(groups)
        self._wake.set()

    def status(self) -> tuple[PeerStatus, ...]:
        """Say how it stood with each peer, a second ago at most."""
        return self._status

    def links(self) -> list[LinkStatus]:
        """Say how it stands with each link."""
        reached = self._reached
        return [
            LinkStatus(
                name,
                link.kind,
                link.state,
                link.reason,
                tuple(node.hex() for node in reached.get(name, ())),
                dict(link.counts),
            )
            for name, link in self._links.items()
        ]

    def invited(self, group: bytes) -> list[bytes]:
        """Give the nodes that this one invited to a group and that have not come."""
        return self.exchange.invited(group)

    def take_invitations(self) -> list[Invited]:
        """Take the invitations that came since this was asked last."""
        with self._turn:
            invited = list(self.exchange.invitations.values())
            self.exchange.invitations.clear()
            return invited

    def regroup(self, group: bytes) -> None:
        """This gateway changed who is a member: say so, and look again.

        In this order: whoever was removed is a peer until it was told.
        """
        with self._turn:
            now_ms = self.now_ms()
            self._say(self.exchange.written(group, now_ms), now_ms)
            self.exchange.regroup()
        self.written([group])

    def carry(self, envelopes: Sequence[bytes]) -> Brought:
        """Hand over what was carried by hand; raise what the store refused."""
        with self._turn:
            now_ms = self.now_ms()
            brought, said = self.exchange.carry(envelopes, now_ms)
            self._say(said, now_ms)
            self._note_status(now_ms)
            return brought

    def letters(self, write: Callable[[Letters], Iterable[Entry]]) -> list[Entry]:
        """Have the exchange write what is to be carried by hand."""
        with self._turn:
            return list(write(self.exchange.letters))

    # -- what links tell, from their threads ------------------------------------------------------

    def heard(self, link: Link, arrivals: Sequence[Arrived]) -> bool:
        """Take arrivals of one sender; False if there is no room for them."""
        taken = self._inbox.put(link.name, arrivals)
        if taken:  # Who is told no is told of room when some of what waits was taken.
            self._wake.set()
        return taken

    def changed(self, link: Link) -> None:
        """Look again which links are up, whom they reach and which have room."""
        self._changed = True
        self._wake.set()

    # -- the exchange's thread --------------------------------------------------------------------

    def _run(self) -> None:
        wait_s = 0.0
        while not self._stopping:
            self._wake.wait(wait_s)
            self._wake.clear()
            if not self._stopping:
                wait_s = self._take_turn()

    def _take_turn(self) -> float:
        """Do what there is to do, what is new first; give the seconds until there is more."""
        with self._turn:
            now_ms = self.now_ms()
            if now_ms >= self._status_ms + STATUS_MS:
                self._note_status(now_ms)
            self._see_changes(now_ms)
            if self.exchange.reach.links:
                self._say_new(now_ms)
            resumed = self._hear(now_ms)
            served = self._serve(now_ms)
        for name in resumed:
            self._links[name].resume()
        if served or self._inbox.waits(self._duty.resting(now_ms)):
            return 0.0
        until_ms = min(self._status_ms + STATUS_MS, self._duty.due_ms(now_ms) or 1 << 62)
        if self.exchange.reach.links:
            until_ms = min(until_ms, self.exchange.due_ms())
        if self.exchange.owes():
            until_ms = min(until_ms, now_ms + ROOM_MS)
        return max(0.0, (until_ms - now_ms) / 1000)

    def _see_changes(self, now_ms: int) -> None:
        if self._changed:
            self._changed = False
            up = [link for link in self._links.values() if link.state == UP]
            ways = [Way(link.name, link.direct, link.claimed) for link in up]
            self._say(self.exchange.over(ways, now_ms), now_ms)

    def _say_new(self, now_ms: int) -> None:
        with self._guard:
            written, self._written = self._written, set()
        for group in sorted(written):
            self._say(self.exchange.written(group, now_ms), now_ms)
        if self.exchange.due_ms() <= now_ms:
            self._say(self.exchange.tick(now_ms), now_ms)

    def _hear(self, now_ms: int) -> frozenset[str]:
        """Take in a portion of what arrived; give the links that may read on."""
        resting = self._duty.resting(now_ms)
        portion = self._inbox.take(PORTION_BYTES_MAX, resting)
        resumed = self._inbox.resumed(resting)
        if portion:
            began_s = time.perf_counter()
            said = self.exchange.receive(portion, now_ms)
            each_ms = (time.perf_counter() - began_s) * 1000 / len(portion)
            for link, count in self.exchange.fruitless().items():
                self._duty.spent(link, count * each_ms, self.now_ms())
            self._say(said, now_ms)
        return resumed

    def _serve(self, now_ms: int) -> bool:
        """Hand over backlog where there is room for it; say whether there may be more."""
        if not self.exchange.owes():
            return False
        roomy = {name for name, link in self._links.items() if link.state == UP and link.has_room()}
        reach = self.exchange.reach
        said = self.exchange.serve(
            SERVED_BYTES_MAX, lambda node: any(name in roomy for name in reach.to(node))
        )
        self._say(said, now_ms)
        return bool(said)

    def _say(self, said: Sequence[Outgoing], now_ms: int) -> None:
        over: dict[str, list[Outgoing]] = {}
        for outgoing in said:
            for name in self.exchange.ways(outgoing, now_ms):
                over.setdefault(name, []).append(outgoing)
        for name, each in over.items():
            self._links[name].say(each)

    def _note_status(self, now_ms: int) -> None:
        self._status, self._status_ms = tuple(self.exchange.status(now_ms)), now_ms
        self._reached = self.exchange.reach.reached()
