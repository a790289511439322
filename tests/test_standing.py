"""How far feeds stand in the store: two sizes that only grow, whatever order they are told in."""

import functools

from gateway.groups import agreement
from gateway.groups.agreement import Entry
from gateway.records import record
from gateway.records.feed import Head
from gateway.records.record import SALT_BYTES, Kind
from gateway.store import database, feeds, groups, membership, standing
from gateway.store.standing import Standing
from tests.people import chain, group_of, party, run_of
from tests.test_acting import GROUP as ACTED, NAMES, Gateway

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
    standing.cosigned(db, name, 3)
    assert standing.of(db, name) == Standing(0, 7)
    assert Standing(5, 7).final == Standing(7, 5).final == 5
    standing.cosigned(db, bytes(32), 3)
    assert standing.of(db, bytes(32)) == Standing()


def test_what_asks_for_a_new_fold() -> None:
    """Observations never do, nor a genesis that tells nothing new: they are most of all records."""
    ace, bolt, *_ = (Gateway(name) for name in NAMES)
    bolt.say()
    (head,) = feeds.heads(bolt.db, ACTED.id)
    (genesis, strokes) = feeds.slice_of(bolt.db, head.feed, 0, 9, 1 << 20)
    asked = functools.partial(membership.concerns, ace.db, ACTED.id, bolt.node)
    assert genesis.body
    assert strokes.body
    content = genesis.body[SALT_BYTES:]
    assert asked(Kind.MEMBERSHIP, b"")
    assert not asked(Kind.GENESIS, content)
    assert not asked(Kind.OBSERVATION, strokes.body[SALT_BYTES:])
    assert not asked(Kind.RECEIPT, b"")
    ace.hear(bolt)
    beyond = Head(head.feed, head.size + 1, bytes(32))
    ace.remove("bolt")
    assert asked(Kind.GENESIS, content)
    assert not asked(Kind.RECEIPT, agreement.encode_receipt([Entry(head)]))
    assert asked(Kind.RECEIPT, agreement.encode_receipt([Entry(beyond)]))
