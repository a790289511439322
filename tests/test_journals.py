"""Journals in the store: proofs of what was signed, tails of crashed runs, what is cosigned."""

from itertools import pairwise, product

import pytest

from gateway.errors import ProofFails
from gateway.groups.group import Policies
from gateway.records import checkpoint, journal as leaves, merkle, record, roster
from gateway.records.feed import Head, View
from gateway.records.run import Origin, Run, Written
from gateway.store import checkpoints, database, feeds, groups, journal, journal_checks, standing
from gateway.store.database import Connection
from tests.people import Party, after, group_of, moment, party, run_of, seed, witnessed

MAKER, BUYER = witnessed(party("maker")), witnessed(party("buyer"))
GROUP = group_of(MAKER, BUYER)
FIRST, SECOND = run_of(MAKER), run_of(MAKER, 1)


def _store() -> Connection:
    db = database.connect(database.MEMORY)
    groups.register(db, "pressing", GROUP)
    return db


def _write(db: Connection, by: Run, count: int, since: Written | None = None) -> Written:
    """Have a run open its feed, or go on, with so many records."""
    for _ in range(count):
        if since is None:
            earlier = tuple(feeds.tips(db, GROUP.id, by.node))
            origin = Origin(earlier, View(GROUP.roster.hash))
            since = by.begin(GROUP.id, origin, moment(), seed("salt"))
        else:
            since = after(by, since.feed, since.feed.size)
        feeds.append(db, record.parse(since.encoded), since.body, since.feed)
    assert since is not None
    return since


def _cosign(db: Connection, by: Run, *who: Party) -> None:
    """Have witnesses cosign a run's newest checkpoint."""
    note = journal.newest_checkpoint(db, by.key.id)
    assert note is not None
    found = checkpoint.verify(note, by.key.public)
    for each in who:
        assert journal.keep_cosignature(db, by.key.id, found.size, each.cosign(found.text))


def test_every_proof_is_that_of_the_leaves() -> None:
    """Paths and proofs from the store are those of the same leaves in memory, at every size."""
    db = _store()
    feed = _write(db, FIRST, 1).feed.id
    heads = [Head(feed, size, seed(f"root {size}")) for size in range(1, 41)]
    plain = merkle.subtrees_of([leaves.leaf(head) for head in heads])
    for size, head in enumerate(heads, 1):
        assert journal.append(db, FIRST.key.id, [head]) == merkle.frontier(size, plain)
    for old, new in product(range(41), range(41)):
        if old <= new and new:
            path = merkle.consistency(old, new, plain) if old else ()
            assert journal.consistency(db, FIRST.key.id, old, new) == path
        elif old > new:
            with pytest.raises(ProofFails):
                journal.consistency(db, FIRST.key.id, old, new)
    with pytest.raises(ProofFails):
        journal.consistency(db, FIRST.key.id, 3, 41)


def test_a_journal_takes_what_grew_and_nothing_twice() -> None:
    """Each growth is one leaf a feed, under a checkpoint that extends the one before."""
    db = _store()
    assert (journal.lacking(db, FIRST), journal.grow(db, FIRST)) == (0, None)
    last, notes = _write(db, FIRST, 3), []
    assert journal.lacking(db, FIRST) == 3
    for size in (1, 2, 3):
        assert journal.grow(db, FIRST) == size
        assert (journal.lacking(db, FIRST), journal.grow(db, FIRST)) == (0, None)
        notes.append(
            checkpoint.verify(journal.newest_checkpoint(db, FIRST.key.id) or b"", FIRST.key.public)
        )
        last = _write(db, FIRST, 2, last)
    for old, new in pairwise(notes):
        path = journal.consistency(db, FIRST.key.id, old.size, new.size)
        merkle.verify_consistency(old.size, old.root, new.size, new.root, path)
    for kept in checkpoints.of_run(db, FIRST.key.id):
        (entry,) = journal.entries(db, kept)
        entry.check(kept.checkpoint)
        assert entry.head.size == 1 + 2 * kept.checkpoint.size
        assert entry.head.root == feeds.root_at(db, last.feed.id, entry.head.size)


def test_what_is_not_committed_was_never_signed_for() -> None:
    """A checkpoint stands in the commit of its leaves: without it there is neither."""
    db = _store()
    _write(db, FIRST, 3)
    with pytest.raises(ZeroDivisionError), db:
        journal.grow(db, FIRST)
        raise ZeroDivisionError
    assert journal.newest_checkpoint(db, FIRST.key.id) is None
    assert (journal.size(db, FIRST.key.id), journal.lacking(db, FIRST)) == (0, 3)


def test_a_quorum_of_witnesses_makes_it_cosigned_and_fewer_do_not() -> None:
    """Of two organisations both must cosign; what came after the checkpoint is not cosigned."""
    db = _store()
    last = _write(db, FIRST, 4)
    journal.grow(db, FIRST)
    _write(db, FIRST, 2, last)
    _cosign(db, FIRST, MAKER)
    assert standing.of(db, last.feed.id).cosigned == 0
    _cosign(db, FIRST, BUYER)
    assert standing.of(db, last.feed.id).cosigned == 4


def test_a_line_of_a_stranger_counts_nothing() -> None:
    """The witness of an organisation that is not in the group is no one of its quorum."""
    db = _store()
    last = _write(db, FIRST, 4)
    journal.grow(db, FIRST)
    _cosign(db, FIRST, MAKER, witnessed(party("stranger")))
    assert standing.of(db, last.feed.id).cosigned == 0


def test_a_founding_names_whose_witnesses_count() -> None:
    """Where it names organisations, a member that it does not name is no one of the quorum."""
    db = database.connect(database.MEMORY)
    policies = Policies(witnesses=(BUYER.root.id,))
    named = group_of(MAKER, BUYER, purpose="named", policies=policies)
    groups.register(db, "named", named)
    said = FIRST.begin(named.id, Origin((), View(named.roster.hash)), moment(), seed("salt"))
    feeds.append(db, record.parse(said.encoded), said.body, said.feed)
    journal.grow(db, FIRST)
    _cosign(db, FIRST, MAKER)
    assert standing.of(db, said.feed.id).cosigned == 0
    _cosign(db, FIRST, BUYER)
    assert standing.of(db, said.feed.id).cosigned == 1


def test_a_witness_that_a_later_roster_names_counts_for_what_it_cosigned_before() -> None:
    """What was cosigned is looked at again when other witnesses count: nothing is said twice."""
    db = database.connect(database.MEMORY)
    alone, unnamed = party("maker"), group_of(party("maker"), party("buyer"), purpose="later")
    groups.register(db, "later", unnamed)
    said = FIRST.begin(unnamed.id, Origin((), View(unnamed.roster.hash)), moment(), seed("salt"))
    feeds.append(db, record.parse(said.encoded), said.body, said.feed)
    journal.grow(db, FIRST)
    _cosign(db, FIRST, MAKER)
    assert standing.of(db, said.feed.id).cosigned == 0
    before, rows = unnamed.roster, [MAKER.organisation, party("buyer").organisation]
    payload = roster.compose_next(before, rows)
    by = [roster.sign(each.root, payload) for each in (alone, BUYER)]
    assert groups.keep_roster(db, roster.decode_next(roster.assemble(payload, by), before))
    assert standing.of(db, said.feed.id).cosigned == 1


def test_the_next_run_completes_the_tail_of_one_that_crashed() -> None:
    """What a run wrote after its last cosigned checkpoint is in the next one's journal, once."""
    db = _store()
    tail = _write(db, FIRST, 3)
    journal.grow(db, FIRST)
    _cosign(db, FIRST, MAKER, BUYER)
    assert journal.tails(db, SECOND) == []
    tail = _write(db, FIRST, 2, tail)
    journal.grow(db, FIRST)  # and nobody cosigned it before the run ended
    own = _write(db, SECOND, 1)
    assert journal.tails(db, SECOND) == [tail.feed.head()]
    assert journal.grow(db, SECOND, with_tails=False) == 1
    assert journal.grow(db, SECOND) == 2
    assert journal.tails(db, SECOND) == []
    _cosign(db, SECOND, MAKER, BUYER)
    assert standing.of(db, tail.feed.id).cosigned == 5
    assert standing.of(db, own.feed.id).cosigned == 1
    third = run_of(MAKER, 2)
    _write(db, third, 1)
    assert journal.tails(db, third) == []


def test_without_a_witness_there_is_no_tail_to_complete() -> None:
    """Where nobody can cosign, closed feeds do not go from journal to journal."""
    db = database.connect(database.MEMORY)
    alone = group_of(party("maker"), party("buyer"), purpose="unwitnessed")
    groups.register(db, "alone", alone)
    first = FIRST.begin(alone.id, Origin((), View(alone.roster.hash)), moment(), seed("salt"))
    feeds.append(db, record.parse(first.encoded), first.body, first.feed)
    assert journal.tails(db, SECOND) == []


def test_useless_checkpoints_are_forgotten_and_cosigned_ones_stay() -> None:
    """However long a run goes on, its newest checkpoints stay, and the newest of each quorum."""
    db = _store()
    last = _write(db, FIRST, 1)
    for round_ in range(30):
        journal.grow(db, FIRST)
        if round_ == 10:
            _cosign(db, FIRST, MAKER, BUYER)
        if round_ in (11, 12):
            _cosign(db, FIRST, MAKER)
        last = _write(db, FIRST, 1, last)
    kept = checkpoints.of_run(db, FIRST.key.id)
    assert [each.checkpoint.size for each in kept] == [*range(30, 22, -1), 13, 11]
    assert standing.of(db, last.feed.id).cosigned == 11


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ("UPDATE journal_entries SET root = zeroblob(32) WHERE position = 1", "not those of"),
        ("UPDATE journals SET size = size + 1", "not those of its root"),
        ("UPDATE journal_hashes SET hash = zeroblob(32) WHERE level = 1", "subtree 0 of level 1"),
        ("DELETE FROM journal_hashes WHERE level = 0 AND number = 1", "subtree 0 of level 1"),
        ("UPDATE noted SET path = zeroblob(32)", "does not lead to the checkpoint's root"),
        ("UPDATE noted SET root = zeroblob(32)", "another root of it"),
        ("UPDATE heads SET size = 1", "more of it than is held"),
    ],
)
def test_a_damaged_journal_is_found(damage: str, told: str) -> None:
    """What is kept of journals is checked against the feeds; a whole one has no fault."""
    db = _store()
    last = _write(db, FIRST, 2)
    journal.grow(db, FIRST)
    _write(db, FIRST, 2, last)
    journal.grow(db, FIRST)
    _cosign(db, FIRST, MAKER, BUYER)
    assert journal_checks.journals(db) == []
    db.execute(damage)
    assert any(told in fault for fault in journal_checks.journals(db))
