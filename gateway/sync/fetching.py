"""Which bodies are asked for next, and of whom. Protocol: docs/protocol/sync.md.

In: bodies that are owed, pieces that were stored, who can be asked, the present time, chance. Out:
which parts to ask of whom, and which body to let go of. Bounded in bodies, bytes and parts under
way; what nobody gives waits longer and longer, and keeps nothing else waiting.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from gateway.groups.agreement import Cover
from gateway.sync.message import Body, Bwant
from gateway.sync.pieces import EARLIER, Drop, Near, Request, Wanted, number_of, parts_of
from gateway.sync.retry import NEVER_TRIED, Pace, Retry

# Under way from one peer at once; a body that a peer has not begun to give has one of them.
OPEN_MAX: Final = 5
# Of a group: known here at once, and in progress. The store knows all that are owed.
WANTED_MAX: Final = 256
BEGUN_MAX: Final = 64
BEGUN_BYTES_MAX: Final = 64 * 1024 * 1024
SLOW: Final = Pace(30_000, 600_000)
WAIT_MS_MIN: Final = 2_000
WAIT_MS_MAX: Final = 120_000
# A piece that takes longer goes over a slow link: more at once would only stand in the way there.
SPAN_MS_MAX: Final = 4_000


@dataclass(slots=True)
class _Giver:
    """How fast a peer gives: pieces under way, and how long one takes."""

    window: int = 1
    span_ms: int = 0

    def came(self, span_ms: int) -> None:
        self.span_ms = max(span_ms, self.span_ms * 3 // 4)
        self.window = 1 if self.span_ms > SPAN_MS_MAX else min(self.window + 1, OPEN_MAX)

    def wait_ms(self, chance: float) -> int:
        wait_ms = min(max(WAIT_MS_MIN, 3 * self.span_ms), WAIT_MS_MAX)
        return int(wait_ms * (0.75 + chance / 2))


class Fetching:
    """All bodies that are asked for, of all peers."""

    def __init__(self) -> None:
        self._wanted: dict[int, Wanted] = {}
        self._givers: dict[bytes, _Giver] = {}
        self._sent: dict[tuple[int, int], tuple[int, int]] = {}
        self._near: tuple[Near, ...] = ()
        self._next_ms: int | None = None
        # Pieces under way from each peer, and from whom one is that nobody may have.
        self._opened: Counter[bytes] = Counter()
        self._slow: set[bytes] = set()

    def __len__(self) -> int:
        return len(self._wanted)

    def count(self, group: bytes) -> int:
        """Count the bodies of a group that are known here."""
        return sum(each.group == group for each in self._wanted.values())

    def find(self, place: int) -> Wanted | None:
        """Give a body that is wanted by the place of its record."""
        return self._wanted.get(place)

    def add(self, wanted: Wanted) -> bool:
        """Want a body; False where so many are wanted already, or it is."""
        if wanted.place in self._wanted:
            return False
        if self.count(wanted.group) >= WANTED_MAX:
            slow = (
                each.place
                for each in self._wanted.values()
                if each.group == wanted.group and each.is_slow and not each.is_begun
            )
            if (last := next(slow, None)) is None:
                return False
            self.forget(last)
        self._put(replace(wanted, givers=frozenset({EARLIER}) if wanted.had else frozenset()))
        return True

    def forget(self, place: int) -> None:
        """Want a body no more: it is there."""
        self._wanted.pop(place, None)
        self._sent = {key: sent for key, sent in self._sent.items() if key[0] != place}
        self._next_ms = 0

    def expects(self, group: bytes, node: bytes, body: Body) -> list[tuple[int, int]]:
        """Say of which bodies this is which piece: those that were asked of the peer."""
        found = []
        for each in self._wanted.values():
            if each.group == group and each.hash == body.hash and node in each.asked:
                number = number_of(each.length, body.offset, len(body.piece))
                is_other = each.alone and each.giver != node
                if number is not None and node not in each.barred and not is_other:
                    found.append((each.place, number))
        return found

    def has(self, place: int, number: int) -> bool:
        """Say whether a piece is had."""
        return place in self._wanted and number in self._wanted[place].had

    def came(self, place: int, number: int, node: bytes, now_ms: int, chance: float) -> None:
        """Note that a piece is stored."""
        known = self._wanted.get(place)
        if known is None:
            return
        giver = self._givers.setdefault(node, _Giver())
        sent_ms, times = self._sent.pop((place, number), (0, 0))
        if times == 1:  # Of one asked for twice, nobody knows which answer this is.
            giver.came(now_ms - sent_ms)
        known = replace(
            known,
            had=known.had | {number},
            open=known.open - {number},
            givers=known.givers | {node},
            passed=known.passed - {node},
        )
        if known.giver == node:
            known = replace(known, is_giving=True, retry=Retry(now_ms + giver.wait_ms(chance)))
        elif known.giver is None:
            known = replace(known, retry=Retry(now_ms))
        self._put(known)

    def wrong(self, place: int) -> None:
        """Note that the pieces made another body, and are gone: whose fault it was counts."""
        known = self._wanted.get(place)
        if known is None:
            return
        blamed = known.givers if len(known.givers) == 1 and EARLIER not in known.givers else None
        self._put(
            replace(
                _emptied(known),
                giver=None,
                is_giving=False,
                barred=known.barred | (blamed or frozenset()),
                alone=True,
                retry=NEVER_TRIED,
            )
        )

    def holds(self, node: bytes, feed: bytes, cover: Cover) -> None:
        """Note what a peer signed to hold of a feed: what is wanted of it is asked for at once."""
        for each in list(self._wanted.values()):
            if each.feed != feed or node in each.barred:
                continue
            if not cover.covers(each.seq):
                continue
            due_ms = each.retry.due_ms if each.giver or node in each.holders else 0
            self._put(
                replace(
                    each,
                    holders=each.holders | {node},
                    passed=each.passed - {node},
                    retry=replace(each.retry, due_ms=due_ms),
                )
            )

    def due_ms(self) -> int | None:
        """Say when something is next to be done; None for not before something comes."""
        return self._next_ms if self._wanted else None

    def take(self, now_ms: int, chance: float, near: tuple[Near, ...]) -> list[Request | Drop]:
        """Give what is to be asked now, and what is to be let go of before."""
        if not self._wanted or (
            near == self._near and (self._next_ms is None or self._next_ms > now_ms)
        ):
            return []
        self._meet(near)
        for each in list(self._wanted.values()):
            if each.open and each.retry.due_ms <= now_ms:
                self._miss(each, now_ms)
        self._opened.clear()
        self._slow.clear()
        for each in self._wanted.values():
            if each.giver is not None:
                self._opened[each.giver] += len(each.open)
                if each.is_slow and each.open:
                    self._slow.add(each.giver)
        said: list[Request | Drop] = []
        for place in [each.place for each in sorted(self._wanted.values(), key=_urgency)]:
            said += self._advance(place, now_ms, chance)
        waiting = (each for each in self._wanted.values() if each.retry.due_ms > now_ms)
        self._next_ms = min((each.retry.due_ms for each in waiting), default=None)
        return said

    def _meet(self, near: tuple[Near, ...]) -> None:
        """See who went, and is asked no more, and who came, and may have what nobody had."""
        before, here = {each.node for each in self._near}, {each.node for each in near}
        self._near = near
        for each in list(self._wanted.values()):
            if each.giver is not None and each.giver not in here:
                self._wanted[each.place] = replace(
                    each, giver=None, open=frozenset(), is_giving=False, retry=Retry(0)
                )
            elif each.giver is None and here - before:
                self._wanted[each.place] = replace(each, retry=replace(each.retry, due_ms=0))

    def _miss(self, known: Wanted, now_ms: int) -> None:
        """Note that nothing more came in time: who gave is asked again, who did not is passed."""
        assert known.giver is not None, "only what is asked can be missed"
        if known.giver in self._givers:
            self._givers[known.giver].window = 1
        missed = replace(known, open=frozenset(), retry=replace(known.retry, due_ms=now_ms))
        if not known.is_giving:
            missed = replace(missed, giver=None, passed=known.passed | {known.giver})
        self._wanted[known.place] = replace(missed, is_giving=False)

    def _advance(self, place: int, now_ms: int, chance: float) -> Iterator[Request | Drop]:
        known = self._wanted[place]
        if known.giver is None:
            if known.retry.due_ms > now_ms:
                return
            choice = self._choose(known)
            if choice is None:
                self._end_round(known, now_ms, chance)
                return
            if not any(self._room(known, each) for each in choice):
                return
            if not known.is_begun:
                freed = self._make_room(known)
                if freed is None:
                    return
                yield from freed
            node = next(each.node for each in choice if self._room(known, each))
            if known.alone and known.had and known.givers != {node}:
                yield Drop(place)
                known = _emptied(known)
            known = replace(known, giver=node, is_giving=False, asked=known.asked | {node})
        yield from self._request(known, now_ms, chance)

    def _request(self, known: Wanted, now_ms: int, chance: float) -> Iterator[Request]:
        assert known.giver is not None, "somebody was chosen"
        peer = next(each for each in self._near if each.node == known.giver)
        giver = self._givers.setdefault(peer.node, _Giver())
        most = giver.window if known.is_giving else 1
        room = min(self._room(known, peer), most - len(known.open))
        numbers = known.lacking(room) if room > 0 else []
        if numbers:
            for number in numbers:
                times = self._sent.get((known.place, number), (0, 0))[1]
                self._sent[known.place, number] = now_ms, times + 1
            if not known.open:
                due_ms = now_ms + giver.wait_ms(chance)
                known = replace(known, retry=replace(known.retry, due_ms=due_ms))
            known = replace(known, open=known.open | set(numbers))
            self._opened[peer.node] += len(numbers)
            if known.is_slow:
                self._slow.add(peer.node)
            yield Request(peer.node, known.group, Bwant(tuple(parts_of(known, numbers))))
        self._wanted[known.place] = known

    def _choose(self, known: Wanted) -> Sequence[Near] | None:
        """Give whom to ask, the best first; None where all were asked in vain."""
        near = [each for each in self._near if known.group in each.groups]
        left = [
            each for each in near if each.node not in known.passed and each.node not in known.barred
        ]
        return sorted(left, key=lambda each: known.rank(each.node)) or None

    def _end_round(self, known: Wanted, now_ms: int, chance: float) -> None:
        """Wait longer, once all were asked; where there is nobody, wait for somebody."""
        retry = known.retry.again(now_ms, SLOW, chance)
        if not any(known.group in each.groups for each in self._near):
            retry = replace(known.retry, due_ms=now_ms + SLOW.longest_ms)
        self._wanted[known.place] = replace(known, passed=frozenset(), retry=retry)

    def _room(self, known: Wanted, peer: Near) -> int:
        """Say how many pieces more may be asked of a peer for a body."""
        if known.is_slow and peer.node in self._slow:
            return 0
        return (1 if peer.is_busy else OPEN_MAX) - self._opened[peer.node]

    def _make_room(self, known: Wanted) -> list[Drop] | None:
        """Let go of what waits in vain until one more can be begun; None if that is not enough."""
        begun = [
            each for each in self._wanted.values() if each.group == known.group and each.is_begun
        ]
        stalled = sorted(
            (each for each in begun if each.is_slow and not each.open),
            key=lambda each: -each.retry.attempt,
        )
        freed: list[Wanted] = []
        while not _fits(known, len(begun) - len(freed), _bytes(begun) - _bytes(freed)):
            if not stalled:
                return None
            freed.append(stalled.pop(0))
        for each in freed:
            self._wanted[each.place] = _emptied(each)
        return [Drop(each.place) for each in freed]

    def _put(self, wanted: Wanted) -> None:
        self._wanted[wanted.place] = wanted
        self._next_ms = 0


def _urgency(wanted: Wanted) -> tuple[bool, bool]:
    return wanted.is_slow, not wanted.had


def _emptied(wanted: Wanted) -> Wanted:
    return replace(wanted, had=frozenset(), givers=frozenset(), open=frozenset())


def _fits(wanted: Wanted, count: int, size: int) -> bool:
    return count < BEGUN_MAX and size + wanted.length <= BEGUN_BYTES_MAX


def _bytes(bodies: Sequence[Wanted]) -> int:
    return sum(each.length for each in bodies)
