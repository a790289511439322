"""Rosters that peers know and this node does not: what is asked for, and what follows.

In: hashes that a greeting lists, rosters as they come. Out: hashes to ask for; verified rosters, in
order, of consortia that are known here. It stores nothing; all of it is bounded, and may be lost.
"""

from collections.abc import Iterable, Mapping

from gateway.errors import AuthorError
from gateway.records import roster
from gateway.records.roster import Roster

LACKING_MAX = 64


class Succession:
    """What is lacking of the rosters that follow those held."""

    def __init__(self) -> None:
        self._asked: set[bytes] = set()
        # By hash, with the one before it: what came and does not follow yet.
        self._came: dict[bytes, tuple[bytes | None, bytes]] = {}
        # Verified ones whose number another has: taken away by who asks who signed both.
        self.rivals: list[bytes] = []

    def lacking(self, names: Iterable[bytes], held: Mapping[bytes, Roster]) -> tuple[bytes, ...]:
        """Give what of the named rosters is to be asked for."""
        lacking = sorted(set(names) - held.keys())[:LACKING_MAX]
        if len(self._asked) + len(lacking) > LACKING_MAX:  # Of consortia that are none of ours.
            self._asked.clear()
            self._came.clear()
        self._asked.update(lacking)
        return tuple(lacking)

    def awaits(self, name: bytes) -> bool:
        """Say whether a roster was asked for that has not come."""
        return name in self._asked and name not in self._came

    def take(self, name: bytes, encoded: bytes, held: Mapping[bytes, Roster]) -> list[Roster]:
        """Take a roster that was asked for; give those that now follow what is held, in order."""
        if name not in self._asked:
            return []
        try:
            called, previous = roster.place(encoded)
        except AuthorError:
            return []
        if called != name:
            return []  # It is another than its name says: the right one may still come.
        self._came[name] = previous, encoded
        known, found = dict(held), list[Roster]()
        while following := self._following(known):
            known[following.hash] = following
            found.append(following)
            self._asked.discard(following.hash)
        return found

    def _following(self, known: Mapping[bytes, Roster]) -> Roster | None:
        for name, (previous, encoded) in list(self._came.items()):
            before = known.get(previous or b"")
            if before is None:
                continue  # It follows another, perhaps one that is still on its way.
            del self._came[name]
            try:
                following = roster.decode_next(encoded, before)
            except AuthorError:
                continue
            if not _is_taken(following, known):
                return following
            self.rivals.append(encoded)
        return None


def _is_taken(found: Roster, known: Mapping[bytes, Roster]) -> bool:
    """Say whether its number has a roster already: nobody goes back, nor aside."""
    place = found.consortium, found.number
    return any((each.consortium, each.number) == place for each in known.values())
