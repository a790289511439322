"""The store: what was committed is given back, with its roots; a failing job disturbs no other."""

from pathlib import Path

import apsw
import pytest

from gateway.errors import StoreClosed, UnknownGroup
from gateway.records import merkle, record
from gateway.store import database, feeds, groups
from gateway.store.writer import Writer
from tests.people import chain, group_of, party, run_of

MAKER, BUYER = party("maker"), party("buyer")
GROUP = group_of(MAKER, BUYER)
RUN = run_of(MAKER)


def _group_number(db: apsw.Connection) -> int:
    return len(groups.registered(db))


def _fails(db: apsw.Connection) -> None:
    groups.register(db, "second", group_of(MAKER, BUYER, purpose="second"))
    raise UnknownGroup(group="none")


def test_a_failing_job_disturbs_no_other(tmp_path: Path) -> None:
    """A job that fails changes nothing; its neighbours are committed; after close none is taken."""
    path = str(tmp_path / "store.db")
    writer = Writer(database.connect(path), path)
    kept = writer.submit(lambda db: groups.register(db, "first", GROUP))
    failed = writer.submit(_fails)
    assert writer.submit(_group_number).result(5) == 1
    assert kept.result(5) is None
    assert isinstance(failed.exception(5), UnknownGroup)
    writer.close()
    with pytest.raises(StoreClosed):
        writer.submit(_group_number)
    assert groups.load(database.connect_to_read(path), GROUP.id).encoded == GROUP.encoded


def test_roots_and_slices_over_tiles_are_those_of_the_records() -> None:
    """Past 256 records every root, slice and path is that of the records' ids."""
    db = database.connect(database.MEMORY)
    groups.register(db, "own", GROUP)
    written = chain(RUN, GROUP, 530)
    with db:
        for each in written:
            feeds.append(db, record.parse(each.encoded), each.body, each.feed)
    held, ids = written[-1].feed, [each.id for each in written]
    plain, stored = merkle.subtrees_of(ids), feeds.subtree(db, held.id)
    assert feeds.load(db, held.id) == held
    for size in (0, 1, 255, 256, 257, 511, 512, 513, 530):
        assert feeds.root_at(db, held.id, size) == merkle.frontier(size, plain).root()
    for index in (0, 255, 256, 529):
        assert merkle.inclusion(index, 530, stored) == merkle.inclusion(index, 530, plain)
    assert merkle.consistency(257, 530, stored) == merkle.consistency(257, 530, plain)
    part = feeds.slice_of(db, held.id, 250, 260, 1 << 20)
    assert [each.encoded for each in part] == [each.encoded for each in written[250:260]]
    assert len(feeds.slice_of(db, held.id, 0, 530, 1)) == 1
