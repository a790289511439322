"""Over which link the arrival came that is being heard: what shows where peers are reached.

In: arrivals, and word of which of them a peer signed. Out: what sync/reach.py goes by. Only what
proves that the peer is there counts: a fresh signature, or a link that vouches for its other end.
"""

from collections import Counter
from collections.abc import Container
from typing import Final

from gateway.peers.wire import Arrived
from gateway.sync.reach import Reach

COPIED: Final = "sync.copied"  # counted: heard already, over another link


class Whence:
    """The arrival that is being heard, and where peers are reached by all before it."""

    def __init__(self, counts: Counter[str]) -> None:
        self._counts = counts
        self.reach = Reach()
        self._arrived = Arrived("", b"")

    def is_copy(self, arrived: Arrived, peers: Container[bytes], now_ms: int) -> bool:
        """Take an arrival; say whether it was heard already, over another link."""
        self._arrived = arrived
        if arrived.sender is not None and arrived.sender in peers:
            self.reach.heard(arrived.sender, arrived.link, now_ms)
        is_copy = self.reach.copied(arrived.payload, arrived.link)
        if is_copy:
            self._counts[COPIED] += 1
        return is_copy

    def signed(self, node: bytes, now_ms: int) -> None:
        """Note that a peer signed this, and not long ago."""
        self.reach.heard(node, self._arrived.link, now_ms, self._arrived.payload)

    def answered(self, node: bytes, now_ms: int) -> None:
        """Note that this is what a peer was asked for, as far as can be seen."""
        self.reach.heard(node, self._arrived.link, now_ms)
