"""What was final at somebody honest, held against all that comes after it.

In: gateways that have just done something, and stores that were replaced by old copies. Out:
nothing, or an AssertionError: a final record that is final no more, that is another one elsewhere,
or that a member of its group does not hold in the end.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

from gateway.groups.group import Group
from gateway.store import feeds
from tests.sim.gateway import Gateway

_FINAL = (
    "SELECT f.id, f.number, g.id, min(s.agreed, s.cosigned) FROM standing s"
    " JOIN feeds f ON f.number = s.feed JOIN groups g ON g.number = f.in_group"
    " WHERE s.agreed > 0 AND s.cosigned > 0"
)
# Of all feeds that are held, also of those that stand nowhere yet.
_STANDING = (
    "SELECT f.id, coalesce(s.agreed, 0), coalesce(s.cosigned, 0) FROM feeds f"
    " JOIN heads h ON h.feed = f.number LEFT JOIN standing s ON s.feed = f.number"
)
_SHORT = (
    "SELECT f.id, coalesce(s.agreed, 0), coalesce(s.cosigned, 0), h.spoken FROM feeds f"
    " JOIN groups g ON g.number = f.in_group JOIN heads h ON h.feed = f.number"
    " LEFT JOIN standing s ON s.feed = f.number"
    " WHERE g.id = ? AND h.spoken > min(coalesce(s.agreed, 0), coalesce(s.cosigned, 0))"
)


class Finals:
    """All that is final, and not known to be lost with every disk that had it."""

    def __init__(self) -> None:
        self._ids: dict[bytes, list[bytes]] = {}  # by feed: its records up to where it is final
        self._groups: dict[bytes, bytes] = {}  # by feed
        self._seen: dict[str, dict[bytes, int]] = {}  # by gateway and feed: how far it is final

    def __len__(self) -> int:
        return sum(map(len, self._ids.values()))

    def look(self, gateway: Gateway) -> None:
        """See what is final by now at a gateway."""
        every = self._seen.setdefault(gateway.name, {})
        rows = list(gateway.db.execute(_FINAL))
        assert every.keys() <= {row[0] for row in rows}, "what was final is final no more"
        for feed, number, group, final in rows:
            seen = every.get(feed, 0)
            assert final >= seen, "what was final is final no more"
            every[feed] = final
            if final <= seen:
                continue
            self._groups[feed] = group
            known = self._ids.setdefault(feed, [])
            held = _ids(gateway, number, seen, final)
            assert len(held) == final - seen, "what is final is not held"
            both = min(final, len(known))
            assert held[: max(both - seen, 0)] == known[seen:both], "two records are final"
            known += held[max(len(known) - seen, 0) :]

    def replaced(self, gateway: Gateway) -> None:
        """Begin anew with a gateway that now has another store, over which no run began yet."""
        self._seen.pop(gateway.name, None)

    def let_go(self, held: Mapping[bytes, int]) -> None:
        """Forget what no honest store holds any more, after one was replaced."""
        for feed, ids in self._ids.items():
            del ids[held.get(feed, 0) :]

    def check(self, honest: Sequence[Gateway]) -> None:
        """See that each honest member of a group holds what was final in it, unchanged."""
        for gateway in honest:
            numbers = dict(gateway.db.execute("SELECT id, number FROM feeds"))
            joined = {group.id for group in gateway.groups}
            for feed, ids in self._ids.items():
                if ids and self._groups[feed] in joined:
                    assert feed in numbers, "a feed with final records is lost"
                    held = _ids(gateway, numbers[feed], 0, len(ids))
                    assert held == ids, "a final record is lost or changed"

    def differ(self, honest: Sequence[Gateway], besides: Collection[bytes]) -> Iterator[str]:
        """Say how far feeds are agreed and cosigned at one member and not at another.

        Where a feed was forked, receipts beyond the fork came to some members and not to others:
        then only how far feeds are cosigned is the same.
        """
        first: dict[bytes, tuple[str, tuple[int, int]]] = {}
        for gateway in honest:
            for feed, *stands in list(gateway.db.execute(_STANDING)):
                here = gateway.name, (0 if besides else stands[0], stands[1])
                there = first.setdefault(feed, here)
                if there[1] != here[1] and feed not in besides:
                    yield f"{feed.hex()[:6]} stands at {there} and at {here}"

    def short(self, gateway: Gateway, group: Group) -> Iterator[str]:
        """Say which feeds of a group are not final yet up to what is more than receipts."""
        for feed, agreed, cosigned, spoken in list(gateway.db.execute(_SHORT, (group.id,))):
            stands = f"agreed {agreed}, cosigned {cosigned} of {spoken}"
            yield f"{feed.hex()[:6]} at {gateway.name}: {stands}"


def _ids(gateway: Gateway, number: int, start: int, stop: int) -> list[bytes]:
    rows = gateway.db.execute(
        "SELECT id FROM records WHERE place >= ? AND place < ? ORDER BY place",
        (feeds.place(number, start), feeds.place(number, stop)),
    )
    return [bytes(name) for (name,) in rows]
