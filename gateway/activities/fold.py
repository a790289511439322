"""What an activity comes to: pure, and the same in whatever order its records came.

In: the template, and entries as the store has them. Out: the state, and what waits for what. An
entry that sorts last costs one step; a late one folds again what comes after it, from the nearest
state before it that was kept. Protocol: docs/protocol/activity.md.
"""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from gateway.activities import judging
from gateway.activities.activity import Open
from gateway.activities.judging import Rules
from gateway.activities.state import Entry, State
from gateway.activities.template import Template
from gateway.activities.tree import Key

PARKED_MAX: Final = 1_000
KEEP_EVERY: Final = 64
_AFTER_ALL: Final = b"\xff" * 32


class Fold:
    """One activity's entries in fold order, and the state they come to."""

    def __init__(self, template: Template, opened: Entry) -> None:
        said = opened.said
        assert isinstance(said, Open), "an activity begins with its open record"
        roles = {each.organisation: frozenset(each.roles) for each in said.parties}
        self._entries: dict[bytes, tuple[Key, Entry]] = {}
        self._rules = Rules(template, roles, self._entries)
        self._order: list[Key] = []
        self._heads: set[bytes] = set()
        self._parked: dict[bytes, Entry] = {}
        self._waiting: dict[bytes, set[bytes]] = {}  # by what they wait for
        self._aside: set[bytes] = set()
        self._kept = [State(said)]  # the states kept, by their counts; the first of nothing
        self._now = self._kept[0]
        self._place(opened, (0, opened.id))

    @property
    def template(self) -> Template:
        """Give the template that all is judged by."""
        return self._rules.template

    @property
    def state(self) -> State:
        """Give what all entries come to that wait for nothing."""
        while self._now.count < len(self._order):
            key = self._order[self._now.count]
            self._now = judging.after(self._rules, self._now, key, self._entries[key[1]][1])
            if self._now.count % KEEP_EVERY == 0:
                self._keep(self._now)
        return replace(self._now, parked=frozenset(self._parked), wanted=frozenset(self._waiting))

    @property
    def heads(self) -> tuple[bytes, ...]:
        """Give the entries that no other names, the last in fold order first."""
        return tuple(sorted(self._heads, key=lambda id: self._entries[id][0], reverse=True))

    def key(self, id: bytes) -> Key | None:
        """Give an entry's height and id; None where it is not there, or waits."""
        found = self._entries.get(id)
        return None if found is None else found[0]

    def add(self, entries: Iterable[Entry], aside: Iterable[bytes] = ()) -> tuple[bytes, ...]:
        """Take entries, in any order, each once; give the ids of those for which no room was left.

        `aside` are records that deps name and that are held in the activity's group, but are no
        entries of it, such as those of linked readings: nothing waits for them, or counts them.
        """
        left = []
        for record in aside:
            if record not in self._aside:
                self._aside.add(record)
                self._wake(record)
        for entry in entries:
            if entry.id in self._entries or entry.id in self._parked:
                continue
            if missing := self._missing(entry):
                if len(self._parked) < PARKED_MAX:
                    self._park(entry, missing)
                else:
                    left.append(entry.id)
            else:
                self._place(entry, self._key(entry))
                self._wake(entry.id)
        return tuple(left)

    def check(self, entry: Entry) -> None:
        """Raise the AuthorError for which an entry would not count if it came after all others."""
        key, _ = self._key(entry), self.state
        judging.judge(self._rules, self._now, (key[0], _AFTER_ALL), entry)

    def _links(self, entry: Entry) -> tuple[bytes, ...]:
        return entry.deps if entry.previous is None else (*entry.deps, entry.previous)

    def _missing(self, entry: Entry) -> set[bytes]:
        links = self._links(entry)
        return {each for each in links if each not in self._entries and each not in self._aside}

    def _key(self, entry: Entry) -> Key:
        """Give the place of an entry that misses nothing; the open record is before all others."""
        known = (self._entries.get(each) for each in self._links(entry))
        return 1 + max((found[0][0] for found in known if found is not None), default=0), entry.id

    def _park(self, entry: Entry, missing: set[bytes]) -> None:
        self._parked[entry.id] = entry
        for each in missing:
            self._waiting.setdefault(each, set()).add(entry.id)

    def _wake(self, come: bytes) -> None:
        """Place what waited for this, and what waited for that, and so on."""
        woken = [come]
        while woken:
            for id in sorted(self._waiting.pop(woken.pop(), ())):
                entry = self._parked.get(id)
                if entry is not None and not self._missing(entry):
                    del self._parked[id]
                    self._place(entry, self._key(entry))
                    woken.append(id)

    def _place(self, entry: Entry, key: Key) -> None:
        self._entries[entry.id] = key, entry
        self._heads.difference_update(self._links(entry))
        self._heads.add(entry.id)
        at = len(self._order)
        if self._order and key < self._order[-1]:
            at = bisect_left(self._order, key)
        self._order.insert(at, key)
        if at < self._now.count:
            while self._kept[-1].count > at:
                self._kept.pop()
            self._now = self._kept[-1]

    def _keep(self, state: State) -> None:
        """Keep a state; of earlier ones, the fewer the older they are, so that they are log n."""
        newest = state.count // KEEP_EVERY
        self._kept = [each for each in self._kept if _is_kept(each.count // KEEP_EVERY, newest)]
        self._kept.append(state)


def _is_kept(earlier: int, newest: int) -> bool:
    """Say whether an earlier state is kept: going back costs at most twice the way."""
    return earlier == 0 or newest - earlier < 2 * (earlier & -earlier)
