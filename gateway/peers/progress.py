"""Catching up, told in the log: once when it begins, each half minute while it lasts, when it ends.

In: how it stands with each peer, once a second, and the time. Out: lines for the log. It waits for
nothing and asks nobody; what it says is what `hulian status` says at that moment.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from gateway.peers.exchange import PeerStatus

_LOG = logging.getLogger(__name__)
EVERY_MS: Final = 30_000
# What comes within this time is no catching up: it is how records come.
SETTLED_MS: Final = 3_000
_PERIOD_S = 1.0


class Progress:
    """What was said of whom."""

    def __init__(self) -> None:
        self._since: dict[str, int] = {}
        self._said: dict[str, tuple[int, int]] = {}  # when, and how much was lacking at first

    def see(self, peers: Sequence[PeerStatus], now_ms: int) -> list[str]:
        """Give what is to be said now of those from whom something is lacking."""
        lines = []
        for peer in peers:
            name = f"{peer.organisation} {peer.node[:8]}"
            if not peer.wanting:
                self._since.pop(peer.node, None)
                if began := self._said.pop(peer.node, None):
                    lines.append(f"caught up with {name}: {began[1]} records")
                continue
            since_ms = self._since.setdefault(peer.node, now_ms)
            said = self._said.get(peer.node)
            if said is None and now_ms - since_ms >= SETTLED_MS:
                self._said[peer.node] = now_ms, peer.wanting
                lines.append(f"catching up with {name}: {told(peer)}")
            elif said is not None and now_ms - said[0] >= EVERY_MS:
                self._said[peer.node] = now_ms, max(said[1], peer.wanting)
                lines.append(f"still catching up with {name}: {told(peer)}")
        gone = self._said.keys() - {peer.node for peer in peers}
        for node in gone:
            del self._said[node]
        return lines

    async def watch(
        self, peers: Callable[[], Sequence[PeerStatus]], now_ms: Callable[[], int]
    ) -> None:
        """Look once a second, and log, until cancelled."""
        while True:
            for line in self.see(peers(), now_ms()):
                _LOG.info("%s", line)
            await asyncio.sleep(_PERIOD_S)


def told(peer: PeerStatus) -> str:
    """Say what is lacking of a peer, and how long it will take if it goes on like this."""
    if peer.eta_s is None:
        return f"{peer.wanting} records lacking, nothing comes now"
    return f"{peer.wanting} records lacking, {peer.rate:g} a second, about {peer.eta_s} s left"
