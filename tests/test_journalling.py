"""When a journal grows: soon where a witness is there, seldom where none is, never in vain."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.journalling import Journalling
from gateway.records.journal import RULE, Rule
from gateway.records.record import ClockSource, Moment
from gateway.records.run import Run
from gateway.store import authoring, database, groups, journal
from gateway.store.authoring import Author, Venue
from gateway.store.writer import Writer
from tests import people
from tests.people import group_of, party, run_of, witnessed

MAKER, BUYER = witnessed(party("maker")), witnessed(party("buyer"))
GROUP = group_of(MAKER, BUYER)


class Clocked:
    """A store whose runs write and keep journals by a clock that the test sets."""

    def __init__(self, path: str) -> None:
        self.writer = Writer(database.connect(path), path)
        self.writer.submit(lambda db: groups.register(db, "pressing", GROUP)).result()
        self.now_ms, self.reachable = 0, True
        self.begin(0)

    def begin(self, number: int, rule: Rule = RULE) -> None:
        """Begin a run of the maker."""
        self.run: Run = run_of(MAKER, number)
        self._author = Author(self.run, self._moment, lambda size: people.seed("x")[:size])
        self._journalling = Journalling(self._author, self.writer, lambda: self.reachable, rule)

    def say(self, count: int) -> None:
        """Have the run sign so many records."""
        venue = Venue(GROUP.id, GROUP.roster.hash)
        for number in range(count):
            said = people.observation(number)
            self.writer.submit(lambda db: authoring.say(db, self._author, venue, said)).result()  # noqa: B023

    def grows(self, after_ms: int = 0) -> bool:
        """Look after so long; say whether the journal grew."""
        self.now_ms += after_ms
        return self._journalling.once()

    def size(self) -> int:
        """Give how many leaves the run's journal has."""
        return self.writer.submit(lambda db: journal.size(db, self.run.key.id)).result()

    def _moment(self) -> Moment:
        return Moment(0, 0, ClockSource.UNSET, people.BOOT, self.now_ms)


@pytest.fixture
def clocked(tmp_path: Path) -> Iterator[Clocked]:
    """Give a store, closed at the end."""
    made = Clocked(str(tmp_path / "store.db"))
    yield made
    made.writer.close()


def test_it_grows_a_minute_after_the_first_record_it_lacks(clocked: Clocked) -> None:
    """Waiting begins with the first record, and begins anew after each growth."""
    assert not clocked.grows(10 * RULE.heard_ms)
    clocked.say(2)
    assert not clocked.grows()
    assert not clocked.grows(RULE.heard_ms - 1)
    assert clocked.grows(1)
    assert not clocked.grows(10 * RULE.heard_ms)
    clocked.say(1)
    assert not clocked.grows()
    assert clocked.grows(RULE.heard_ms)
    assert clocked.size() == 2


def test_it_grows_by_the_hour_where_no_witness_is(clocked: Clocked) -> None:
    """A gateway that reaches no witness keeps its journal all the same, and seldom."""
    clocked.reachable = False
    clocked.say(1)
    assert not clocked.grows()
    assert not clocked.grows(RULE.heard_ms)
    clocked.reachable = True
    assert clocked.grows()  # It has waited for long enough, now that one is there.
    clocked.reachable = False
    clocked.say(1)
    assert not clocked.grows()
    assert clocked.grows(RULE.silent_ms)


def test_many_records_make_it_grow_at_once(clocked: Clocked) -> None:
    """Nobody waits a minute for so much."""
    clocked.begin(1, Rule(records=5))
    clocked.say(3)  # with the genesis before them, four
    assert not clocked.grows()
    clocked.say(1)
    assert clocked.grows()


def test_a_tail_is_completed_though_the_next_run_says_nothing(clocked: Clocked) -> None:
    """What the run before left is taken when a witness can be reached, and not before."""
    clocked.say(3)
    clocked.begin(1)
    clocked.reachable = False
    assert not clocked.grows(RULE.silent_ms)
    clocked.reachable = True
    assert not clocked.grows()
    assert clocked.grows(RULE.heard_ms)
    assert not clocked.grows(RULE.heard_ms)
    assert clocked.size() == 1
