"""Evidence in the store: kept over restarts, one feed ends by it, and all else stays as it was."""

from pathlib import Path

import apsw

from gateway.completeness import Holder
from gateway.errors import EvidenceFails
from gateway.groups import evidence as proofs
from gateway.records import record
from gateway.records.feed import CBOR_TYPE, Feed, View
from gateway.records.record import Kind, Said
from gateway.records.run import Origin as Beginning, Run, Written
from gateway.store import (
    checking,
    claims,
    database,
    evidence,
    feeds,
    freezing,
    groups,
    outbox,
    standing,
)
from gateway.store.evidence import Origin
from gateway.store.marking import CONTESTED, Marks
from tests.damage import refusal
from tests.people import moment, opened, run_of, seed
from tests.vectors.build_evidence import BUYER, GROUP, RUN, author, parsed, signed_twice, wrong_body


def _after(by: Run, feed: Feed, number: int) -> Written:
    said = Said(Kind.OBSERVATION, number.to_bytes(4, "big"), "text/plain")
    return by.write(feed, said, moment(number), seed(f"salt {number}"))


def _chain(by: Run, count: int) -> list[Written]:
    written = [opened(by, GROUP)]
    for number in range(1, count):
        written.append(_after(by, written[-1].feed, number))
    return written


OTHER = run_of(BUYER)
OURS, THEIRS = _chain(RUN, 300), _chain(OTHER, 5)


def _keep(db: apsw.Connection, written: list[Written]) -> None:
    with db:
        for each in written:
            feeds.append(db, record.parse(each.encoded), each.body, each.feed)


def _fork(at: int, number: int = 1000) -> bytes:
    """Give evidence that the run signed another record under a number."""
    other = _after(RUN, OURS[at - 1].feed, number + at)
    return proofs.encode(proofs.record_fork(author(), parsed(OURS[at]), parsed(other)))


def _held() -> apsw.Connection:
    db = database.connect(database.MEMORY)
    groups.register(db, "own", GROUP)
    _keep(db, OURS)
    _keep(db, THEIRS)
    return db


def test_a_fork_ends_its_feed_at_the_prefix_and_no_other() -> None:
    """Head, root, heads of the group and what a peer lacks are those of the prefix from then on."""
    db = _held()
    name, others = OURS[-1].feed.id, feeds.heads(db, GROUP.id)
    lacking = outbox.lacking(db, GROUP.id, BUYER.node.id).records
    finding = evidence.keep(db, _fork(260), Origin.FOUND)
    assert finding is not None
    assert (finding.thing, finding.seq, freezing.frozen(db, name)) == (name, 260, 260)
    assert feeds.load(db, name) == OURS[259].feed
    assert feeds.head(db, name) == OURS[259].feed.head()
    rest = [head for head in others if head.feed != name]
    assert [head for head in feeds.heads(db, GROUP.id) if head.feed != name] == rest
    assert outbox.lacking(db, GROUP.id, BUYER.node.id).records == lacking - 40
    assert checking.heads(db) == checking.tiles(db) == checking.totals(db) == []
    assert checking.verify_all(db).faults == []


def test_of_several_forks_the_earliest_counts() -> None:
    """A later one changes nothing, an earlier one ends the feed earlier, in any order."""
    db, name = _held(), OURS[-1].feed.id
    assert evidence.keep(db, _fork(200), Origin.FOUND) is not None
    assert evidence.keep(db, _fork(250), Origin.FOUND) is None
    assert evidence.keep(db, _fork(200, number=2000), Origin.HEARD) is None
    assert freezing.frozen(db, name) == 200
    assert evidence.keep(db, _fork(3), Origin.RECORD) is not None
    assert feeds.load(db, name) == OURS[2].feed
    assert [each.finding.seq for each in evidence.held(db)] == [3]
    assert len(freezing.contested(db)) == 297


def test_two_geneses_leave_nothing_that_counts() -> None:
    """The feed is in no list of heads, and is no end of its node's feeds."""
    db, name = _held(), OURS[-1].feed.id
    again = RUN.begin(GROUP.id, Beginning((), View(GROUP.roster.hash)), moment(9), seed("salt 9"))
    fork = proofs.record_fork(author(), parsed(OURS[0]), parsed(again))
    assert evidence.keep(db, proofs.encode(fork), Origin.FOUND) is not None
    assert name not in {head.feed for head in feeds.heads(db, GROUP.id)}
    assert feeds.tips(db, GROUP.id, RUN.node) == []
    assert feeds.head(db, name) is None
    assert checking.heads(db) == []
    assert checking.verify_all(db).faults == []


def test_what_rests_on_the_contested_is_contested() -> None:
    """Records that name one beyond the end in their deps, and those that name these, before and
    after it is known; their feeds go on."""
    db = _held()
    feed = THEIRS[-1].feed
    first = OTHER.write(feed, _naming(OURS[280].id), moment(6), seed("salt 6"))
    second = OTHER.write(first.feed, _naming(first.id), moment(7), seed("salt 7"))
    free = OTHER.write(second.feed, _naming(OURS[10].id), moment(8), seed("salt 8"))
    _keep(db, [first, second, free])
    assert evidence.keep(db, _fork(260), Origin.FOUND) is not None
    third = OTHER.write(free.feed, _naming(second.id), moment(9), seed("salt 9"))
    _keep(db, [third])
    found = [freezing.is_contested(db, feed.id, seq) for seq in range(4, 9)]
    assert found == [False, True, True, False, True]
    assert Marks(db).of(record.parse(third.encoded)) == (CONTESTED,)
    assert not freezing.is_contested(db, OURS[-1].feed.id, 259)
    assert freezing.is_contested(db, OURS[-1].feed.id, 260)
    assert feeds.head(db, feed.id) == third.feed.head()


def _naming(dep: bytes) -> Said:
    return Said(Kind.OBSERVATION, b"an answer", CBOR_TYPE, deps=(dep,))


def test_nothing_beyond_is_agreed_claimed_or_missing() -> None:
    """What stood beyond stands as it did, and grows no more; nobody's word is kept of more."""
    db, name = _held(), OURS[-1].feed.id
    number, by = feeds.feed_number(db, name), feeds.feed_number(db, THEIRS[-1].feed.id)
    assert number is not None
    assert by is not None
    place = feeds.place(by, 1)
    standing.covered(db, number, place, 299)
    assert standing.of(db, name).agreed == 299
    standing.cosigned(db, name, 290)
    evidence.keep(db, _fork(260), Origin.FOUND)
    assert standing.of(db, name) == standing.Standing(299, 290)
    standing.covered(db, number, place, 300)
    standing.cosigned(db, name, 300)
    assert standing.of(db, name) == standing.Standing(299, 290)
    claims.keep(db, GROUP.id, BUYER.node.id, {name: Holder(BUYER.node.id, 300, None)})
    assert claims.wanting(db, BUYER.node.id) == 0


def test_a_feed_that_is_not_held_yet_ends_there_too() -> None:
    """Evidence may come before the feed: the end is known, and what came is below it."""
    db = database.connect(database.MEMORY)
    groups.register(db, "own", GROUP)
    assert evidence.keep(db, _fork(7), Origin.HEARD) is not None
    assert freezing.frozen(db, OURS[0].feed.id) == 7
    _keep(db, OURS[:7])
    assert feeds.head(db, OURS[0].feed.id) == OURS[6].feed.head()
    assert freezing.contested(db) == []


def test_the_living_run_does_not_freeze_its_own_feed() -> None:
    """It goes on writing, and its operator is told: another start writes elsewhere."""
    db, name = _held(), OURS[-1].feed.id
    assert evidence.keep(db, _fork(7), Origin.HEARD, RUN.key.public) is not None
    assert freezing.frozen(db, name) is None
    assert evidence.count(db) == 1


def test_evidence_is_kept_over_restarts_and_found_by_its_id(tmp_path: Path) -> None:
    """What was frozen stays so; the bytes are those that were kept."""
    path = str(tmp_path / "store.db")
    db = database.connect(path)
    groups.register(db, "own", GROUP)
    _keep(db, OURS[:9])
    said = [_fork(7), proofs.encode(signed_twice()), proofs.encode(wrong_body())]
    for each in said:
        assert evidence.keep(db, each, Origin.FOUND) is not None
    db.close()
    again = database.connect(path)
    assert freezing.frozen(again, OURS[0].feed.id) == 1  # Where the body is wrong.
    assert [each.encoded for each in evidence.held(again)] == said
    for each in said:
        name = proofs.evidence_id(each).hex()
        assert [one.encoded for one in evidence.find(again, name[:12])] == [each]
        assert evidence.is_known(again, each)
    assert evidence.count(again) == 3


def test_what_shows_nothing_is_not_kept() -> None:
    """Forged evidence changes nothing."""
    db = _held()
    honest = proofs.record_fork(author(), parsed(OURS[3]), parsed(OURS[4]))
    encoded = proofs.encode(honest)
    assert refusal(lambda: evidence.keep(db, encoded, Origin.HEARD)) == EvidenceFails.code
    assert evidence.count(db) == 0 and feeds.head(db, OURS[-1].feed.id) == OURS[-1].feed.head()


def test_who_finds_it_writes_it_once_and_who_heard_of_it_waits() -> None:
    """A group is owed what no record in it shows; hearsay is written only when nobody else has."""
    db = _held()
    evidence.keep(db, _fork(260), Origin.FOUND)
    assert evidence.owed(db, GROUP.id, 1000) == [_fork(260)]
    evidence.told(db, GROUP.id, _fork(250))
    assert evidence.owed(db, GROUP.id, 1000) == []
    evidence.keep(db, _fork(240), Origin.HEARD)
    assert evidence.owed(db, GROUP.id, 2000) == []
    assert evidence.owed(db, GROUP.id, 2000 + evidence.PATIENCE_MS) == [_fork(240)]
    assert evidence.owed(db, GROUP.id, 5) == []  # The clock began anew, and so does the wait.


def test_a_storm_of_forks_of_one_feed_is_bounded() -> None:
    """Of 100 forks, each earlier than the last, one node writes no more than its bound."""
    db = _held()
    written = 0
    for at in range(120, 20, -1):
        evidence.keep(db, _fork(at), Origin.FOUND)
        for each in evidence.owed(db, GROUP.id, 1000):
            evidence.told(db, GROUP.id, each, is_own=True)
            written += 1
    assert written == evidence.TELLINGS_MAX
    assert evidence.count(db) == 1
    assert freezing.frozen(db, OURS[0].feed.id) == 21


def test_what_peers_said_that_cannot_be_is_remembered_and_bounded() -> None:
    """Counted by code; of each peer the last ones stay, and no peer pushes out another's."""
    db = _held()
    for number in range(100):
        evidence.note_impossible(db, b"a" * 16, f"code.{number}", number)
    evidence.note_impossible(db, b"b" * 16, "message.malformed", 5)
    evidence.note_impossible(db, b"b" * 16, "message.malformed", 6)
    found = evidence.impossible(db)
    assert len(found) == evidence.IMPOSSIBLE_MAX + 1
    assert evidence.Impossible(b"b" * 16, "message.malformed", 2, 6) in found
    assert {each.code for each in found if each.node == b"a" * 16} == {
        f"code.{number}" for number in range(100 - evidence.IMPOSSIBLE_MAX, 100)
    }
