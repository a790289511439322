"""Receipt records in the store: who holds what is agreed on, and said no more than needed."""

from gateway.groups import agreement
from gateway.groups.agreement import Entry
from gateway.query import Question, Status
from gateway.records import record
from gateway.records.feed import CBOR_TYPE, Head
from gateway.records.record import SALT_BYTES, Kind, Said
from gateway.store import acting, feeds, outbox, questions, receipts, standing
from tests.test_acting import GROUP, NAMES, VENUE, Gateway


def _receipt(who: Gateway) -> bool:
    with who.db:
        said = acting.receipt(who.db, who.author, VENUE)
    return bool(said)


def _meet(gateways: list[Gateway]) -> None:
    for each in gateways:
        for other in gateways:
            if other is not each:
                each.hear(other)


def _own(who: Gateway) -> bytes:
    (feed,) = feeds.tips(who.db, GROUP.id, who.node)
    return feed.feed


def _agreed(gateways: list[Gateway], feed: bytes) -> set[int]:
    return {standing.of(each.db, feed).agreed for each in gateways}


def test_what_all_have_receipted_is_agreed_everywhere_and_then_all_fall_silent() -> None:
    """An idle group writes no more: two that receipt each other end after a round or two."""
    gateways = [Gateway(name) for name in NAMES]
    ace, *others = gateways
    for _ in range(3):
        ace.say()
    _meet(gateways)
    name = _own(ace)
    assert _agreed(gateways, name) == {0}
    said = feeds.head(ace.db, name)
    assert said is not None
    rounds = []
    for _ in range(6):
        rounds.append(sum(_receipt(each) for each in gateways))
        _meet(gateways)
    assert rounds[0] == len(others)
    assert rounds[-3:] == [0, 0, 0]
    assert _agreed(gateways, name) == {said.size}
    for each in others:  # They opened feeds by it: these are agreed too, but for later receipts.
        (size,) = _agreed(gateways, _own(each))
        assert size > 0
    ace.say()
    _meet(gateways)
    assert [_receipt(each) for each in others] == [True] * len(others)


def test_a_receipt_is_an_ack_to_all() -> None:
    """Its author's outbox is released at whoever hears it, and an ACK that was held stays."""
    ace, bolt, coil = (Gateway(name) for name in NAMES[:3])
    ace.say()
    _meet([ace, bolt, coil])
    name = _own(ace)
    head = feeds.head(ace.db, name)
    assert head is not None
    with coil.db:
        outbox.acknowledged(
            coil.db, bolt.node, Head(name, 1, feeds.root_at(coil.db, name, 1)), b"a"
        )
    assert _receipt(bolt)
    coil.hear(bolt)
    assert outbox.cursor(coil.db, bolt.node, name) == head.size
    assert [encoded for _, _, encoded in outbox.receipts(coil.db, name)] == [b"a"]
    assert outbox.cursor(bolt.db, bolt.node, name) == 0


def test_a_receipt_that_is_ahead_counts_once_so_much_is_held() -> None:
    """In whatever order receipt and records come, the same is agreed."""
    gateways = [Gateway(name) for name in NAMES]
    ace, bolt, coil, dyne = gateways
    ace.say()
    name = _own(ace)
    for each in (bolt, coil):
        each.hear(ace)
        assert _receipt(each)
        dyne.hear(each, skip=frozenset({name}))
    assert standing.of(dyne.db, name).agreed == 0
    dyne.hear(ace)
    assert _receipt(dyne)
    for each in (bolt, coil):
        ace.hear(each)
    ace.hear(dyne)
    assert _agreed([ace, dyne], name) == {2}


def test_another_root_covers_nothing_and_is_doubted() -> None:
    """A receipt of a history that is not ours releases nothing, and says who signed it."""
    ace, bolt = Gateway("ace"), Gateway("bolt")
    ace.say()
    bolt.hear(ace)
    false = agreement.encode_receipt([Entry(Head(_own(ace), 2, bytes(32)))])
    place = bolt.say(Said(Kind.RECEIPT, false, CBOR_TYPE))
    held = feeds.slice_of(bolt.db, _own(bolt), 0, 99, 1 << 20)
    ace.hear(bolt)
    assert outbox.cursor(ace.db, bolt.node, _own(ace)) == 0
    assert held[-1].body is not None
    ace.db.execute("DELETE FROM receipted")
    number = feeds.feed_number(ace.db, _own(bolt))
    assert number is not None
    at = feeds.place(number, feeds.parted(place)[1])
    (doubt,) = receipts.take(ace.db, at, held[-1].body[SALT_BYTES:])
    assert (doubt.node, doubt.group) == (bolt.node, GROUP.id)
    assert (doubt.fork.theirs.root, doubt.fork.ours.size) == (bytes(32), 2)


def test_who_is_removed_holds_up_agreement_no_more() -> None:
    """An organisation that stays away is waited for until it is removed; its old receipts count."""
    gateways = [Gateway(name) for name in NAMES]
    ace, bolt, coil, dyne = gateways
    ace.say()
    name = _own(ace)
    for each in (bolt, coil):
        each.hear(ace)
        _receipt(each)
    _meet([ace, bolt, coil])
    assert _agreed([ace, bolt, coil], name) == {0}
    ace.remove("dyne")
    _meet([ace, bolt, coil])
    assert _agreed([ace, bolt, coil], name) == {2}
    ace.remove("coil")
    assert standing.of(ace.db, name).agreed == 2
    assert dyne.members() == set(NAMES)


def test_a_question_by_status_finds_what_stands_so_far() -> None:
    """Rows of a lower status are left out by their place; a record's story says the same."""
    ace, bolt, coil, dyne = (Gateway(name) for name in NAMES)
    places = [ace.say() for _ in range(4)]
    for each in (bolt, coil, dyne):
        each.hear(ace)
        _receipt(each)
        ace.hear(each)
    ace.say()
    answer = Said(Kind.OBSERVATION, b"an answer", CBOR_TYPE, deps=(b"u" * 32,))
    places += [ace.say(answer)]
    with ace.db:
        for place in places:
            ace.db.execute("INSERT INTO observations VALUES (?, 'press', 1, 1, 1)", (place,))
        standing.cosigned(ace.db, _own(ace), 3)

    def found(status: Status) -> list[tuple[Status, tuple[str, ...]]]:
        told = questions.select(ace.db, Question(status_min=status), ace.node)
        return [(each.status, each.marks) for each in told if each.status >= status]

    agreed, final = (Status.AGREED, ()), (Status.FINAL, ())
    assert found(Status.FINAL) == [final, final]
    assert found(Status.AGREED) == [final, final, agreed, agreed]
    assert found(Status.LOCAL) == [final, final, agreed, agreed, (Status.LOCAL, ("pending",))]
    held = feeds.slice_of(ace.db, _own(ace), 3, 4, 1 << 20)
    story = questions.find(ace.db, record.parse(held[0].encoded).id.hex(), ace.node)
    assert story.status(ace.node) is Status.AGREED
    assert story.marks == ()
