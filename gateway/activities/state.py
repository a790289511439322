"""What an activity has come to: the nouns that `fold` reads and gives. docs/protocol/activity.md.

In: what the store knows of each record of an activity. Out: what stands, of whom, and what does
not count. A state is never changed: a later one shares with it what both have.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.activities.activity import Close, Correction, Open, Update, Value
from gateway.activities.terms import Approving
from gateway.activities.tree import Key, Tree
from gateway.errors import AuthorError, MalformedActivity


@dataclass(frozen=True, slots=True)
class Word:
    """A person's verified word on a record of the activity: 0 approves it, 1 refuses it."""

    about: bytes
    verdict: int
    person: bytes
    organisation: bytes  # the person's own
    key: bytes = b""


@dataclass(frozen=True, slots=True)
class Entry:
    """A record of an activity: open, update, close, correction or approval, as the store has it.

    `deps` are all of the record's; `previous` is the entry of this activity before it in its feed.
    `readings` are the values of the linked readings, in their order; None where the record that
    is named does not have it. What cannot be read says why.
    """

    id: bytes
    node: bytes
    organisation: bytes
    said: Open | Update | Close | Correction | Word | MalformedActivity
    deps: tuple[bytes, ...] = ()
    previous: bytes | None = None
    readings: tuple[Value | None, ...] = ()
    unix_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Given:
    """A value that stands in a field: whose it is, by which record, and what it corrects.

    `record` wrote this value; `origin` is the record that it corrects, or the same.
    """

    value: Value
    record: bytes
    origin: bytes
    organisation: bytes
    node: bytes
    unix_ms: int | None
    before: "Given | None" = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that does not count: by which rule, and what is to be said of it."""

    record: bytes
    node: bytes
    organisation: bytes
    error: type[AuthorError]
    facts: tuple[tuple[str, str], ...]

    @property
    def code(self) -> str:
        """Give the stable code of the rule."""
        return self.error.code

    @property
    def reason(self) -> str:
        """Say in English by what it does not count."""
        return self.error.what.format(**dict(self.facts))


@dataclass(frozen=True, slots=True)
class Contributor:
    """A node that says something in the activity: how often what counts, and what last."""

    node: bytes
    organisation: bytes
    count: int
    last: bytes


@dataclass(frozen=True, slots=True)
class Bound:
    """A device whose readings belong to the activity, since which record."""

    node: bytes
    device: str
    record: bytes


@dataclass(frozen=True, slots=True)
class Closing:
    """The record that closed the activity."""

    record: bytes
    organisation: bytes
    node: bytes
    unix_ms: int | None


@dataclass(frozen=True, slots=True)
class State:
    """What the records that count come to; all trees but `words` and `bound` in fold order."""

    opened: Open
    fields: Mapping[str, Tree[Given]] = field(default_factory=dict)
    contributors: Tree[Contributor] = field(default_factory=Tree)
    rejected: Tree[Rejected] = field(default_factory=Tree)
    words: Tree[Mapping[bytes, Word]] = field(default_factory=Tree)
    bound: Tree[Bound] = field(default_factory=Tree)
    closed: Closing | None = None
    count: int = 0  # entries folded, those that do not count included
    parked: frozenset[bytes] = frozenset()  # entries that wait
    wanted: frozenset[bytes] = frozenset()  # what they wait for

    def given(self, name: str) -> tuple[Given, ...]:
        """Give every value that stands in a field: in fold order, a counter's by node."""
        return tuple(self.fields[name].values()) if name in self.fields else ()

    def total(self, name: str) -> int | float:
        """Add up a counter: exactly, rounded once."""
        counts = [each.value for each in self.given(name) if isinstance(each.value, int | float)]
        whole = all(isinstance(each, int) for each in counts)
        return sum(map(int, counts)) if whole else math.fsum(counts)

    def approved(self, record: bytes, wanted: Approving) -> bool:
        """Say whether as many approve a record as is wanted, and nobody is against it."""
        said = self.spoken(record)
        persons, organisations = len(said), len({word.organisation for word in said})
        against = any(word.verdict != 0 for word in said)
        return not against and persons >= wanted.persons and organisations >= wanted.organisations

    def spoken(self, record: bytes) -> tuple[Word, ...]:
        """Give the last word of each person on a record of the activity."""
        said = self.words.get(at(record))
        return () if said is None else tuple(said[person] for person in sorted(said))


def at(name: bytes) -> Key:
    """Give the key of what goes by a name, and not by its place in the fold."""
    return 0, name
