"""A link to all that are found on the local network: each is dialled, whoever is a member stays.

In: what is announced there, this run. Out: arrivals to the ear; a state, and who is not linked and
why. Anybody may announce anything, so attempts are bounded and take turns, and who is none of ours
is left for long. It is one link, however many are found. Protocol: docs/protocol/links.md.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from gateway.config.settings import Link as Settings
from gateway.errors import GatewayError, LinkDoubled, LinkRefused, LinkUnmet, PeerError
from gateway.peers.dialling import PACE, Dialled
from gateway.peers.https import FLOODING, Own, Thread
from gateway.peers.link import CONNECTING, DOWN, UP, Ear, Link
from gateway.peers.listening import CROWDED, UNKNOWN_TOKEN
from gateway.peers.wire import Arrived, Outgoing, whom
from gateway.sync.retry import NEVER_TRIED, Pace, Retry
from gateway.transport import lan
from gateway.transport.http_client import Address
from gateway.transport.lan import Found, Places

# Attempts and links at the same time; the others take their turn.
AT_ONCE_MAX: Final = 32
# For who is none of ours; and again when this gateway learns of other members.
STRANGER: Final = Pace(300_000, 3_600_000)
LOOK_S: Final = 5.0
_PASSING: Final = ("link.slow", "link.unreachable", "link.changed", LinkDoubled.code)
_PASSING_SAID: Final = (CROWDED, UNKNOWN_TOKEN, FLOODING)


class End:
    """Somebody found: where, the dialling end, and how it went."""

    def __init__(self, dialled: Dialled) -> None:
        self.dialled = dialled
        self.places: Places = ()
        self.is_gone = False
        self.fault: LinkUnmet | None = None
        self.task: asyncio.Task[None] | None = None


class Searched:
    """A link to whoever announces that it listens."""

    kind = "lan"

    def __init__(self, name: str, own: Own, is_ours: Callable[[str, int], bool]) -> None:
        self.name, self._own, self._is_ours = name, own, is_ours
        self._ends: dict[str, End] = {}  # by the name announced; another dict at each change
        self._past: Counter[str] = Counter()
        self._searches, self._fault = False, ""
        self._thread = Thread(f"link {name}", self._main)
        self._turns = asyncio.Semaphore(AT_ONCE_MAX)
        self._ear: Ear | None = None

    @property
    def state(self) -> str:
        """Say whether it searches, or somebody is linked all the same."""
        if self._searches or self._linked():
            return UP
        return DOWN if self._fault else CONNECTING

    @property
    def reason(self) -> str:
        """Say why nothing is searched, or who was found last that is not linked."""
        ends = [each for each in self._ends.values() if each.dialled.state != UP]
        unmet = [str(each.fault) for each in ends if each.fault]
        return self._fault or (unmet[-1] if unmet else "")

    @property
    def counts(self) -> Counter[str]:
        """Count what was dropped and refused, by reason, at all ends."""
        return sum((each.dialled.counts for each in self._ends.values()), Counter(self._past))

    @property
    def direct(self) -> frozenset[bytes]:
        """Name the listeners, and who else is linked to them."""
        return frozenset().union(*(each.direct for each in self._linked()))

    @property
    def claimed(self) -> frozenset[bytes]:
        """Name who is linked to them by their word alone."""
        return self.direct - {each.listener for each in self._linked()}

    def start(self, ear: Ear) -> None:
        """Begin to search."""
        self._ear = ear
        self._thread.start()

    def stop(self) -> None:
        """Hang up everywhere."""
        self._ear = None
        self._thread.stop()

    def say(self, said: Sequence[Outgoing]) -> None:
        """Queue at the end that leads to whom it is for; what is for all, at all of them."""
        ends = self._linked()
        for each in said:
            for end in _towards(each.topic, ends):
                end.say([each])

    def has_room(self) -> bool:
        """Say whether somebody who is linked takes backlog now."""
        return any(each.has_room() for each in self._linked())

    def resume(self) -> None:
        """Go on to hear."""
        for each in self._ends.values():
            each.dialled.resume()

    # -- what the ends tell -----------------------------------------------------------------------

    def heard(self, link: Link, arrivals: Sequence[Arrived]) -> bool:
        """Pass on what an end heard."""
        return self._ear is not None and self._ear.heard(self, arrivals)

    def changed(self, link: Link) -> None:
        """Pass on that an end reaches others than before."""
        if self._ear is not None:
            self._ear.changed(self)

    # -- in its thread ----------------------------------------------------------------------------

    async def _main(self) -> None:
        retry = NEVER_TRIED
        try:
            while True:
                try:
                    await self._search()
                    retry = NEVER_TRIED
                except PeerError as fault:
                    self._searches, self._fault = False, str(fault)
                    self.changed(self)
                retry = retry.again(0, PACE, self._own.chance())
                await asyncio.sleep(retry.due_ms / 1000)
        finally:
            tasks = [each.task for each in self._ends.values() if each.task]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _search(self) -> None:
        """Search until this computer is in other networks than before."""
        within = await asyncio.to_thread(lan.networks)
        search = await asyncio.to_thread(lan.Search, self._told)
        try:
            self._searches, self._fault = True, ""
            self.changed(self)
            while await asyncio.to_thread(lan.networks) == within:
                await asyncio.sleep(LOOK_S)
        finally:
            await asyncio.to_thread(search.stop)

    def _told(self, found: Found) -> None:
        self._thread.call(lambda: self._see(found))

    def _see(self, found: Found) -> None:
        """Begin with who is new; let go of who went, unless it is linked."""
        others = {
            name: tuple(each for each in places if not self._is_ours(*each))
            for name, places in found.items()
        }
        for name, end in self._ends.items():
            end.is_gone = not others.get(name)
            if end.is_gone and end.dialled.state != UP and end.task:
                end.task.cancel()
        for name, places in others.items():
            if not places:
                continue
            if name not in self._ends:
                first = Address(*places[0])
                end = End(Dialled(self.name, first, self._own, self._thread))
                self._ends = {**self._ends, name: end}
                end.task = asyncio.create_task(self._attend(name, end))
            self._ends[name].places = places

    async def _attend(self, name: str, end: End) -> None:
        """Be linked to somebody as often as it goes, at its addresses in turn."""
        retry, number = NEVER_TRIED, 0
        try:
            while not end.is_gone:
                known = self._own.guests()
                async with self._turns:
                    end.dialled.address = Address(*end.places[number % len(end.places)])
                    fault = await end.dialled.once(self)
                retry = await self._rest(end, fault, retry, known)
                number += 1
        finally:
            self._past += end.dialled.counts
            self._ends = {each: kept for each, kept in self._ends.items() if kept is not end}
            self.changed(self)

    async def _rest(
        self, end: End, fault: GatewayError | None, retry: Retry, known: object
    ) -> Retry:
        """Wait after an attempt, for long after a stranger; give how often it was in vain."""
        said = _said(fault)
        is_stranger = not end.dialled.was_up and said not in (*_PASSING, *_PASSING_SAID)
        shown = end.dialled.address.shown
        end.fault = None if said == LinkDoubled.code else LinkUnmet(address=shown, said=said)
        if end.dialled.was_up:
            retry = NEVER_TRIED
        retry = retry.again(0, STRANGER if is_stranger else PACE, self._own.chance())
        until_s = time.monotonic() + max(retry.due_ms / 1000, end.dialled.asked_s)
        while (left_s := until_s - time.monotonic()) > 0:
            await asyncio.sleep(min(left_s, LOOK_S))
            if is_stranger and self._own.guests() is not known:
                break
        return retry

    def _linked(self) -> list[Dialled]:
        return [each.dialled for each in self._ends.values() if each.dialled.state == UP]


def _said(fault: GatewayError | None) -> str:
    """Give the code of why it ended: theirs where they refused."""
    if isinstance(fault, LinkRefused):
        return str(fault.facts["said"])
    return fault.code if fault else ""


def _towards(topic: str, ends: Sequence[Dialled]) -> Sequence[Dialled]:
    """Give the ends for a topic: for one node the one that it listens at, else one near it."""
    node = whom(topic)
    if node is None:
        return ends
    at = [each for each in ends if each.listener == node]
    near = [each for each in ends if node in each.direct]
    return (at or near)[:1]


def is_ours(links: Sequence[Settings]) -> Callable[[str, int], bool]:
    """Give the question whether one of these links listens at an address."""
    here = [each.here for each in links if each.kind == "listen"]
    return lambda host, port: any(
        port == each.port and host in lan.hosts(each.host) for each in here
    )


def check_installed(links: Sequence[Settings]) -> None:
    """Raise LanAbsent where a link needs the local network, and the extra is not installed."""
    for each in links:
        if each.kind == "lan" or each.announce:
            lan.check_installed(each.name)
