"""Arrivals: what may be delivered again, and how far a line was heard, over restarts."""

from itertools import chain
from pathlib import Path

import apsw
import pytest

from gateway.readings.reading import Delivered, Position, digest
from gateway.store import arrivals, database
from gateway.store.arrivals import DIGEST_BYTES

BOOT = bytes(range(8))


@pytest.fixture
def db(tmp_path: Path) -> apsw.Connection:
    return database.connect(str(tmp_path / "store.db"))


def _delivered(*numbers: int) -> list[Delivered]:
    return [Delivered(number, digest("a/b", b"%d" % number)) for number in numbers]


def _expected(db: apsw.Connection, source: str) -> list[int]:
    """Read on a connection of its own what a resumed session of the source may repeat."""
    reader = database.connect_to_read(db.filename)
    found = [*chain(*arrivals.perhaps_unacknowledged(reader, source))]
    reader.close()
    assert found == [
        Delivered(each.packet, each.digest[:DIGEST_BYTES])
        for each in _delivered(*(each.packet for each in found))
    ]
    return [each.packet for each in found]


def test_what_may_come_again_is_remembered_in_order(tmp_path: Path, db: apsw.Connection) -> None:
    """Deliveries are given back in their order, with what knows them again, after a restart too."""
    arrivals.expect_acknowledged(db, "meters", _delivered(9, 2, 65_535))
    arrivals.expect_acknowledged(db, "meters", _delivered(1))
    db.close()
    again = database.connect(str(tmp_path / "store.db"))
    assert _expected(again, "meters") == [9, 2, 65_535, 1]


def test_sources_are_kept_apart(db: apsw.Connection) -> None:
    """Settling one source's deliveries leaves every other source's."""
    arrivals.expect_acknowledged(db, "one", _delivered(1))
    arrivals.expect_acknowledged(db, "two", _delivered(2))
    arrivals.settle(db, "one")
    assert (_expected(db, "one"), _expected(db, "two")) == ([], [2])


def test_the_oldest_are_settled_first(db: apsw.Connection) -> None:
    """So many batches as the broker has shown to be acknowledged are let go of, and no more."""
    for numbers in ((1, 2), (3,), (4, 5)):
        arrivals.expect_acknowledged(db, "meters", _delivered(*numbers))
    arrivals.settle(db, "meters", 2)
    assert _expected(db, "meters") == [4, 5]
    arrivals.expect_acknowledged(db, "meters", _delivered(6))
    arrivals.settle(db, "meters", 1)
    assert _expected(db, "meters") == [6]
    arrivals.settle(db, "meters", 7)
    assert _expected(db, "meters") == []


def test_a_position_is_the_last_one_of_its_source(tmp_path: Path, db: apsw.Connection) -> None:
    """Each line has one position, the newest, over restarts; also at the highest number."""
    assert arrivals.position(db, "line-1") is None
    for position in (Position(BOOT, 7), Position(BOOT, 8), Position(BOOT[::-1], (1 << 63) - 1)):
        arrivals.move_position(db, "line-1", position)
    arrivals.move_position(db, "line-2", Position(BOOT, 0))
    db.close()
    again = database.connect(str(tmp_path / "store.db"))
    assert arrivals.position(again, "line-1") == Position(BOOT[::-1], (1 << 63) - 1)
    assert arrivals.position(again, "line-2") == Position(BOOT, 0)
    assert arrivals.position(again, "line-3") is None


def test_what_is_rolled_back_is_not_expected(db: apsw.Connection) -> None:
    """Deliveries and positions live and die with the commit of what they brought."""
    with pytest.raises(ZeroDivisionError), db:
        arrivals.expect_acknowledged(db, "meters", _delivered(1))
        arrivals.move_position(db, "line-1", Position(BOOT, 1))
        raise ZeroDivisionError
    assert (_expected(db, "meters"), arrivals.position(db, "line-1")) == ([], None)
