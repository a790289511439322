"""The pure fold of receipts: any order gives the same, and what is agreed stays agreed."""

import random
from itertools import permutations

from gateway.groups.group import Policies, Role
from gateway.groups.status import Requirements, Span, agreed
from tests.histories import Histories, by_chance, known

ACE, BOLT, COIL = (known(name).root.id for name in ("ace", "bolt", "coil"))
THREE = {"ace": Role.INITIATOR, "bolt": Role.RECEIVER, "coil": Role.OBSERVER}


def _required(history: Histories, view: set[bytes]) -> frozenset[bytes] | None:
    said = history.changes.values(), history.vouchers, history.beginnings
    return Requirements(history.founding, *said).of(view)


def test_every_required_organisation_is_waited_for_span_by_span() -> None:
    """The author counts, nobody agrees alone, and a span that cannot be agreed holds the rest."""
    both, more = frozenset({ACE, BOLT}), frozenset({ACE, BOLT, COIL})
    spans = [Span(0, both), Span(10, more)]
    assert agreed(ACE, spans, {}) == 0
    assert agreed(ACE, spans, {ACE: 50}) == 0
    assert agreed(ACE, spans, {BOLT: 7}) == 7
    assert agreed(ACE, spans, {BOLT: 30}) == 10
    assert agreed(ACE, spans, {BOLT: 30, COIL: 20}) == 20
    assert agreed(COIL, spans, {ACE: 30, BOLT: 12}) == 12
    assert agreed(ACE, [Span(0, frozenset({ACE}))], {}) == 0
    assert agreed(ACE, [Span(0, frozenset({ACE})), Span(3, both)], {BOLT: 9}) == 9
    assert agreed(ACE, [Span(0, both), Span(4, None)], {BOLT: 9, COIL: 9}) == 4


def test_more_receipts_never_agree_on_less() -> None:
    """Whatever was receipted, a receipt more lowers nothing, and spans may be taken up late."""
    chance = random.Random(5)
    whose = (ACE, BOLT, COIL)
    for _ in range(500):
        starts = sorted({0, *(chance.randrange(1, 40) for _ in range(3))})
        spans = [
            Span(at, None if chance.random() < 0.1 else frozenset(chance.sample(whose, 2)))
            for at in starts
        ]
        covers = {who: chance.randrange(50) for who in whose}
        before = agreed(ACE, spans, covers)
        rest = [each for each in spans if each.start >= before]
        begun = [each for each in spans if each.start <= before][-1:]
        assert max(before, agreed(ACE, begun + rest, covers)) == before
        grown = chance.choice(whose)
        assert agreed(ACE, spans, {**covers, grown: covers[grown] + 9}) >= before


def test_who_must_receipt_is_said_by_the_view() -> None:
    """Roles of the founding's policy are required; who was removed since is not; who came later is
    not asked of what was said before."""
    history = Histories(THREE)
    assert _required(history, set()) == frozenset({ACE, BOLT})
    history.add("ace", "dyne", Role.RECEIVER)
    history.tell("ace", "bolt", "coil")
    assert _required(history, set()) == frozenset({ACE, BOLT})
    history.remove("ace", "bolt")
    assert _required(history, set()) == frozenset({ACE})
    assert _required(history, {bytes(32)}) is None
    observers = Histories(THREE, Policies(receipts=(Role.OBSERVER,)))
    assert _required(observers, set()) == frozenset({COIL})


def test_a_supervisor_is_not_let_off() -> None:
    """Where the required supervisor is gone nothing is agreed, unless somebody supervises now."""
    roles = {"ace": Role.INITIATOR, "bolt": Role.SUPERVISOR, "coil": Role.RECEIVER}
    history = Histories(roles)
    assert _required(history, set()) == frozenset({ACE, BOLT, COIL})
    history.leave("bolt")
    assert _required(history, set()) is None
    indifferent = Histories(roles, Policies(receipts=(Role.INITIATOR, Role.RECEIVER)))
    indifferent.leave("bolt")
    assert _required(indifferent, set()) == frozenset({ACE, COIL})


def test_any_order_of_arrival_requires_the_same() -> None:
    """Who must receipt what is a function of the set of records."""
    for seed in range(12):
        history = by_chance(seed, steps=10)
        views = [set[bytes](), *({name} for name in history.changes)]
        told = [_required(history, view) for view in views]
        changes, some = list(history.changes.values()), random.Random(seed)
        for _ in range(4):
            some.shuffle(changes)
            said = changes, history.vouchers[::-1], history.beginnings
            mixed = Requirements(history.founding, *said)
            assert [mixed.of(view) for view in views] == told


def test_covers_have_no_order() -> None:
    """The same receipts, told in any order, agree on the same."""
    spans = [Span(0, frozenset({ACE, BOLT})), Span(5, frozenset({ACE, COIL}))]
    covers = [(ACE, 3), (BOLT, 8), (COIL, 6)]
    assert {agreed(ACE, spans, dict(some)) for some in permutations(covers)} == {6}
