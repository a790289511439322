"""How far feeds stand in the store: two sizes that only grow, whatever order they are told in."""

from gateway.records import record
from gateway.store import database, feeds, groups, standing
from gateway.store.standing import Standing
from tests.people import chain, group_of, party, run_of

MAKER, BUYER = party("maker"), party("buyer")
GROUP = group_of(MAKER, BUYER)
RUN = run_of(MAKER)


def test_sizes_only_grow_and_a_feed_that_is_not_held_stands_nowhere() -> None:
    """Neither size falls, each is kept apart, and what is not held changes nothing."""
    db = database.connect(database.MEMORY)
    groups.register(db, "own", GROUP)
    with db:
        for each in chain(RUN, GROUP, 9):
            feeds.append(db, record.parse(each.encoded), each.body, each.feed)
    name = each.feed.id
    assert standing.of(db, name) == Standing(0, 0)
    standing.cosigned(db, name, 7)
    assert standing.of(db, name) == Standing(0, 7)
    standing.agreed(db, name, 5)
    standing.cosigned(db, name, 3)
    standing.agreed(db, name, 4)
    assert standing.of(db, name) == Standing(5, 7)
    assert standing.of(db, name).final == 5
    standing.cosigned(db, bytes(32), 3)
    assert standing.of(db, bytes(32)) == Standing()
