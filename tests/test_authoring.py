"""Authoring: what a run says opens its feed by itself, and a genesis stays small for ever."""

from collections.abc import Sequence

import apsw
import pytest

from gateway.errors import RecordTooLarge
from gateway.groups.group import Group
from gateway.readings import senml
from gateway.readings.reading import Provenance, Reading
from gateway.records import feed, record
from gateway.records.feed import Feed, Genesis, Head, feed_id
from gateway.records.record import (
    BODY_BYTES_MAX,
    FIXED_BODY_BYTES_MAX,
    SALT_BYTES,
    Kind,
    Moment,
    Said,
)
from gateway.records.run import Run
from gateway.store import authoring, checking, database, feeds, groups
from gateway.store.authoring import PREDECESSORS_MAX, Author, Venue
from gateway.store.feeds import Held
from tests.people import group_of, moment, observation, party, run_of

MAKER, BUYER = party("maker"), party("buyer")
GROUP, OTHER = group_of(MAKER, BUYER), group_of(MAKER, BUYER, purpose="other")


def _store() -> apsw.Connection:
    db = database.connect(database.MEMORY)
    groups.register(db, "first", GROUP)
    groups.register(db, "second", OTHER)
    return db


def _author(run: Run) -> Author:
    def now() -> Moment:
        return moment(1)

    return Author(run, now, lambda count: b"s" * count)


def _venue(run: Run, group: Group = GROUP) -> Venue:
    founded = group.founder.run.key == run.key.public
    return Venue(group.id, group.roster.hash, group.encoded if founded else None)


def _strokes(number: int) -> Said:
    reading = Reading("press-1", "strokes", number, time_ms=moment(number).unix_ms)
    (pack,) = senml.encode([reading], Provenance.GATEWAY_ATTESTED)
    return Said(Kind.OBSERVATION, pack.encoded, senml.CONTENT_TYPE)


def _say(db: apsw.Connection, run: Run, number: int = 0) -> Feed:
    with db:
        authoring.say(db, _author(run), _venue(run), _strokes(number))
    held = feeds.load(db, feed_id(run.key.public, GROUP.id))
    assert held is not None
    return held


def _genesis(db: apsw.Connection, run: Run) -> Genesis:
    (first,) = feeds.slice_of(db, feed_id(run.key.public, GROUP.id), 0, 1, 1)
    assert first.body is not None
    assert len(first.body) <= FIXED_BODY_BYTES_MAX
    return feed.decode_genesis(first.body[SALT_BYTES:])


def _give(db: apsw.Connection, name: bytes, held: Sequence[Held]) -> None:
    """Take a feed over as a peer gives it, verified."""
    first = held[0]
    assert first.body is not None
    said, follows, _ = feed.open_feed(first.encoded, first.body, groups.rosters(db))
    with db:
        feeds.append(db, said, first.body, follows)
        for each in held[1:]:
            said, follows = follows.accept(each.encoded)
            feeds.append(db, said, each.body, follows)
    assert follows.id == name


def test_a_feed_is_opened_by_the_first_thing_said_in_a_group() -> None:
    """Each group has its own feed of a run: a genesis, then what was said, in order."""
    db, run = _store(), run_of(MAKER)
    with db:
        places = [
            authoring.say(db, _author(run), _venue(run, group), _strokes(number))
            for number in range(3)
            for group in (GROUP, OTHER)
        ]
    assert len(set(places)) == 6
    for group in (GROUP, OTHER):
        held = feeds.slice_of(db, feed_id(run.key.public, group.id), 0, 9, 1 << 20)
        kinds = [record.parse(each.encoded).kind for each in held]
        assert kinds == [Kind.GENESIS, *3 * [Kind.OBSERVATION]]
    assert _genesis(db, run).founding == GROUP.encoded
    assert (checking.verify_all(db).valid, checking.heads(db)) == (8, [])


def test_what_is_too_large_changes_nothing() -> None:
    """A content that no record can hold is refused, and not even the genesis is left of it."""
    db, run = _store(), run_of(MAKER)
    with pytest.raises(RecordTooLarge), db:
        authoring.say(db, _author(run), _venue(run), observation(0, BODY_BYTES_MAX))
    assert feeds.heads(db, GROUP.id) == []
    assert _say(db, run).size == 2


def test_a_thousand_runs_leave_a_genesis_small() -> None:
    """Each run names the one before and no other; all verify, and what is missing is known."""
    db = _store()
    held = [_say(db, run_of(MAKER, number)) for number in range(1000)]
    for number in (1, 2, 999):
        assert _genesis(db, run_of(MAKER, number)).predecessors == (held[number - 1].head(),)
    assert feeds.tips(db, GROUP.id) == [held[-1].head()]
    tally = checking.verify_all(db)
    assert (tally.valid, tally.ok, feeds.missing(db, GROUP.id)) == (2000, True, [])
    elsewhere, last = _store(), held[-1].id
    _give(elsewhere, last, feeds.slice_of(db, last, 0, 2, 1 << 20))
    (lost,) = feeds.missing(elsewhere, GROUP.id)
    assert (lost.feed, lost.start, lost.stop) == (held[-2].id, 0, 2)
    _give(elsewhere, lost.feed, feeds.slice_of(db, lost.feed, 0, 2, 1 << 20))
    assert [each.feed for each in feeds.missing(elsewhere, GROUP.id)] == [held[-3].id]


def test_more_tips_than_a_genesis_holds_are_named_by_the_next() -> None:
    """Copies of one state leave many tips; a genesis names some, and nothing stays unnamed."""
    db = _store()
    copies = [run_of(MAKER, number) for number in range(1, 301)]
    for run in copies:
        copy = _store()
        last = _say(copy, run)
        _give(db, last.id, feeds.slice_of(copy, last.id, 0, 2, 1 << 20))
    before = set(feeds.tips(db, GROUP.id))
    named: set[Head] = set()
    for number, tips in ((400, 300 - PREDECESSORS_MAX + 1), (401, 1)):
        _say(db, run_of(MAKER, number))
        named |= set(_genesis(db, run_of(MAKER, number)).predecessors)
        assert len(feeds.tips(db, GROUP.id)) == tips
    assert len(before) == 300
    assert before < named
    assert checking.verify_all(db).ok


def test_an_earlier_feed_that_turns_out_longer_is_named_again() -> None:
    """What peers give back of a restored node's lost past is named by its next run."""
    db, first, copy = _store(), run_of(MAKER, 1), _store()
    begun = _say(db, first)
    _give(copy, begun.id, feeds.slice_of(db, begun.id, 0, 2, 1 << 20))
    longer = _say(db, first, 1)
    named = _say(copy, run_of(MAKER, 2))
    assert _genesis(copy, run_of(MAKER, 2)).predecessors == (begun.head(),)
    (lost,) = feeds.slice_of(db, begun.id, 2, 3, 1 << 20)
    said, follows = begun.accept(lost.encoded)
    with copy:
        feeds.append(copy, said, lost.body, follows)
    assert set(feeds.tips(copy, GROUP.id)) == {longer.head(), named.head()}
    _say(copy, run_of(MAKER, 3))
    assert set(_genesis(copy, run_of(MAKER, 3)).predecessors) == {longer.head(), named.head()}
