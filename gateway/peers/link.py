"""A link, as those see it who speak over it; and the ear that each link has behind it.

In: what is to be said, from any thread. Out: what arrived, and word of what changed. A link only
carries: it decides nothing about what it carries, and no call of it waits for a network, a disk or
another link. Its kinds: a broker (peers/mqtt.py), HTTPS (peers/https.py), all that
is found on the local network (peers/searching.py). docs/protocol/links.md.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from gateway.peers.wire import Arrived, Outgoing

CONNECTING: Final = "connecting"
UP: Final = "up"
DOWN: Final = "down"
FULL: Final = "link.full"  # counted: what was to be said and had no room; sync says it again


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """How it stands with a link: what it is, whether it is up and why not, whom it reaches."""

    name: str
    kind: str
    state: str
    reason: str
    peers: tuple[str, ...]
    counts: dict[str, int]


class Ear(Protocol):
    """Who is told what links hear; from any thread, and it never waits."""

    def heard(self, link: "Link", arrivals: Sequence[Arrived]) -> bool:
        """Take arrivals, all of one sender where it is known; False if there is no room for them.

        Then none of them was taken: the link reads no further there, so that its other end waits,
        and offers them again after `resume`; or it lets go of them, counted.
        """

    def changed(self, link: "Link") -> None:
        """Tell that the link went up or down, or reaches other nodes than before."""


class Link(Protocol):
    """A way to peers; between `start` and `stop` it comes back by itself."""

    @property
    def name(self) -> str:
        """Give its name in the config."""

    @property
    def kind(self) -> str:
        """Say what it is: mqtt, https, listen or lan."""

    @property
    def state(self) -> str:
        """Say how it stands: connecting, up or down."""

    @property
    def reason(self) -> str:
        """Say why it is not up, or whom it does not reach; "" where there is nothing to say."""

    @property
    def counts(self) -> Counter[str]:
        """Count what was dropped and refused, by reason."""

    @property
    def direct(self) -> frozenset[bytes] | None:
        """Name the nodes that are at its other ends now; None: whoever listens on its broker."""

    @property
    def claimed(self) -> frozenset[bytes]:
        """Name those of `direct` that did not prove to be there: the other end says so."""

    def start(self, ear: Ear) -> None:
        """Begin to connect or to listen."""

    def stop(self) -> None:
        """Leave, and end the threads; from then on the ear is not told anything."""

    def say(self, said: Sequence[Outgoing]) -> None:
        """Carry messages, backlog behind the rest; what has no room is dropped and counted."""

    def has_room(self) -> bool:
        """Say whether backlog may be handed over now; if not, `changed` or time will tell."""

    def resume(self) -> None:
        """Take notice that the ear has room again."""
