"""Over which links a peer is reached: the best one, and all of them while that is in doubt.

In: which links are up and whom they reach, over which a peer was heard and when, what was tried in
vain. Out: the links for a message to one peer, or to all members of a group. It is only a hint: a
message that goes astray is said again, so a wrong answer costs time. docs/protocol/reach.md.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import combinations
from typing import Final

# Copies of one message come over several links within this time, or over one of them not at all.
NEAR_MS: Final = 2_000
# What is tried within this time of an attempt is the same attempt.
TRY_MS: Final = 1_000
TRIES_MAX: Final = 2
# A member from whom nothing came for so long, though asked, keeps no broadcast on all links.
GONE_MS: Final = 60_000
COPIES_MAX: Final = 256
LINKS_MAX: Final = 8  # beyond it the fewest links that reach all are not searched for


@dataclass(frozen=True, slots=True)
class Way:
    """A link that is up; `direct` are the nodes at its other ends, None for a broker.

    Of those `claimed` did not prove to be there: somebody at the other end says so.
    """

    link: str
    direct: frozenset[bytes] | None = None
    claimed: frozenset[bytes] = frozenset()


@dataclass(frozen=True, slots=True)
class Shift:
    """What a change of the links means: peers to be met at once, and whether it is all of them."""

    nodes: frozenset[bytes]
    every: bool


class Reach:
    """Where each peer was heard; everything in it is bounded by the peers and links there are."""

    def __init__(self) -> None:
        self._ways: tuple[Way, ...] = ()
        self._heard: dict[bytes, dict[str, int]] = {}
        self._tries: dict[bytes, tuple[int, int]] = {}
        self._copies: dict[bytes, tuple[bytes, int]] = {}

    @property
    def links(self) -> tuple[str, ...]:
        """Name all links that are up."""
        return tuple(way.link for way in self._ways)

    def change(self, ways: Sequence[Way], now_ms: int) -> Shift:
        """Take the links that are up now, in the order of the config; say who is to be met."""
        before, present = ({way.link: way for way in each} for each in (self._ways, ways))
        gone = before.keys() - present.keys()
        nodes = {node for node in self._heard if gone & set(self._near(node))}
        self._ways = tuple(ways)
        for heard in self._heard.values():
            for link in gone:
                heard.pop(link, None)
        for link, way in present.items():
            earlier = before[link].direct if link in before else None
            came = (way.direct or frozenset()) - (earlier or frozenset())
            went = (earlier or frozenset()) - (way.direct or frozenset())
            nodes |= came | {node for node in went if link in self._near(node)}
            for node in went:
                self._heard.get(node, {}).pop(link, None)
            for node in came - way.claimed:
                self._note(node, link, now_ms)
        return Shift(frozenset(nodes), every=bool(present.keys() - before.keys()))

    def heard(self, node: bytes, link: str, now_ms: int, payload: bytes = b"") -> None:
        """Note that a peer was heard over a link: it signed this, or the link vouches for it."""
        self._tries.pop(node, None)
        self._note(node, link, now_ms)
        if payload and len(self._ways) > 1:
            self._copies[sha256(payload).digest()] = node, now_ms
            while len(self._copies) > COPIES_MAX:
                del self._copies[next(iter(self._copies))]

    def copied(self, payload: bytes, link: str) -> bool:
        """Say whether this was heard, over another link; then the peer is there on this one too.

        It counts from when it was heard first: a slow link is no fresher than a fast one.
        """
        if len(self._ways) < 2 or not self._copies:
            return False
        node, heard_ms = self._copies.get(sha256(payload).digest(), (b"", 0))
        if not node or self._heard.get(node, {}).get(link, -1) >= heard_ms:
            return False
        self._note(node, link, heard_ms)
        return True

    def tried(self, node: bytes, now_ms: int) -> None:
        """Note that something was said to a peer that it is to answer."""
        count, last_ms = self._tries.get(node, (0, now_ms - TRY_MS))
        if now_ms - last_ms >= TRY_MS:
            self._tries[node] = min(count + 1, TRIES_MAX), now_ms

    def in_doubt(self, node: bytes) -> bool:
        """Say whether a peer has left two attempts unanswered."""
        return self._tries.get(node, (0, 0))[0] >= TRIES_MAX

    def to(self, node: bytes) -> tuple[str, ...]:
        """Give the links for what is said to one peer: the best; in doubt, all."""
        near = () if self.in_doubt(node) else self._near(node)
        return near[:1] or self.links

    def to_all(self, nodes: Iterable[bytes], now_ms: int) -> tuple[str, ...]:
        """Give the fewest links that reach all of these nodes that are known to be there."""
        wanted = set[tuple[str, ...]]()
        for node in nodes:
            near = self._near(node)
            if self.in_doubt(node) and near:
                if now_ms - self._heard[node][near[0]] < GONE_MS:
                    return self.links
            elif near:
                wanted.add(near)
        return self._fewest(wanted) if wanted else self.links

    def reached(self) -> Mapping[str, tuple[bytes, ...]]:
        """Give, by link, the peers that were last heard over it."""
        near = {node: self._near(node) for node in sorted(self._heard)}
        return {link: tuple(n for n, links in near.items() if link in links) for link in self.links}

    def _note(self, node: bytes, link: str, heard_ms: int) -> None:
        if any(way.link == link for way in self._ways):
            known = self._heard.setdefault(node, {})
            known[link] = max(known.get(link, heard_ms), heard_ms)

    def _near(self, node: bytes) -> tuple[str, ...]:
        """Give the links over which a peer was heard lately, the best first."""
        heard = self._heard.get(node, {})
        newest_ms = max(heard.values(), default=0)
        ways = [way for way in self._ways if heard.get(way.link, -NEAR_MS) > newest_ms - NEAR_MS]
        ways.sort(key=lambda way: node not in (way.direct or ()))
        return tuple(way.link for way in ways)

    def _fewest(self, wanted: set[tuple[str, ...]]) -> tuple[str, ...]:
        ways = sorted(self._ways, key=lambda way: way.direct is None)
        links = [way.link for way in ways]
        counts = range(1, len(links)) if len(links) <= LINKS_MAX else ()
        for some in (each for count in counts for each in combinations(links, count)):
            if all(set(some) & set(near) for near in wanted):
                return some
        return tuple(link for link in links if any(near[0] == link for near in wanted))
