"""The fold of an activity: one state in whatever order entries come; rights, merges, guards."""

import random
from collections.abc import Callable
from itertools import permutations

import pytest

from gateway.activities import judging
from gateway.activities.activity import Close, Correction, Linked, Update, Value
from gateway.activities.fold import KEEP_EVERY, PARKED_MAX, Fold
from gateway.activities.judging import Rules
from gateway.activities.state import Entry, State
from gateway.activities.terms import Approving
from gateway.activities.tree import Key, Tree
from gateway.errors import AuthorError, GuardForbids, MalformedActivity, SlotTaken
from tests.activity_histories import WEIGHED, History, by_chance, named, new, person, weighed
from tests.faults import activities


def _codes(state: State) -> list[str]:
    return [rejected.code for rejected in state.rejected.values()]


def _values(state: State, name: str) -> list[Value]:
    return [given.value for given in state.given(name)]


def _every_merge(name: str) -> tuple[History, list[Entry]]:
    history = History(name, {"ordered": 100})
    start = history.say("bolt", Update({"note": "first"}))
    return history, [
        history.say("ace", Update({"ordered": 90}), start),
        history.say("ace.2", Update({"ordered": 80, "limit": 5}), start),
        history.say("bolt", Update({"made": 40, "lot": "b"}), start),
        history.say("coil", Update({"made": 45, "lot": "c"}), start),
        history.say("coil.2", Update({"note": "second"}, bound=("press",)), start),
        history.say("ace.3", weighed({"verdict": "yes"}), start, mass=20.0),
        history.say("ace.4", weighed({"verdict": "no"}), start, mass=20.0),
    ]


def _guards_and_a_close(name: str) -> tuple[History, list[Entry]]:
    history = History(name, {"ordered": 100})
    verdict = history.say("ace", weighed({"verdict": "yes"}), mass=20.5)
    made = history.say("bolt", Update({"made": 60}))
    lot = history.say("coil", Update({"lot": "c", "made": 10}))
    return history, [
        history.say("ace.2", Close(Update({"note": "done"})), verdict, made, lot),
        history.say("coil.2", Update({"made": 30}), lot),
        history.say("bolt.2", Update({"made": 20}), made),
        history.say("bolt.3", Correction(made.id, {"made": 65}), made),
        history.say("bolt.4", Correction(made.id, {"made": 35}), made),
        history.say("coil.3", Correction(lot.id, {"lot": "d"}), lot),
        history.say("ace.3", Update({"ordered": 70}), verdict),
    ]


def _words_and_strangers(name: str) -> tuple[History, list[Entry]]:
    history = History(name, {"ordered": 100, "limit": 3})
    note = history.say("coil", Update({"note": "here"}))
    limit = history.say("ace", Update({"limit": 7}, bound=("oven",)), note)
    return history, [
        history.say("ace.2", person("ace/ann", limit), limit),
        history.say("bolt", person("bolt/bo", limit), limit),
        history.say("bolt.2", person("bolt/bo", limit, 1), limit),
        history.say("east", Update({"note": "I"}), note),
        history.say("dyne", person("dyne/di", limit), limit),
        history.say("ace", Update({"note": "there"}, unbound=("oven",)), note, limit),
        history.say("bolt.3", MalformedActivity(reason="no map"), note),
    ]


@pytest.mark.parametrize("written", [_every_merge, _guards_and_a_close, _words_and_strangers])
def test_seven_concurrent_entries_fold_alike_in_every_order(
    written: Callable[[str], tuple[History, list[Entry]]],
) -> None:
    """All 5,040 orders of seven entries that do not know of one another give one state."""
    history, concurrent = written("every order")
    before = history.entries[1 : -len(concurrent)]
    expected = history.fold().state
    assert (len(concurrent), expected.parked) == (7, frozenset())
    for number, order in enumerate(permutations(concurrent)):
        fold = new(history)
        fold.add([*before, *order[:4]])
        if number % 4 == 0:  # what comes after a state was read folds again what is behind it
            assert fold.state.count == len(before) + 5
        fold.add(order[4:])
        assert fold.state == expected


def test_random_orders_fold_alike() -> None:
    """Histories by chance give one state in random orders, parked and late ones among them."""
    assert "state" in activities.campaign(500)


def test_each_order_matters_to_what_the_sets_say() -> None:
    """The sets above are sharp: where the ids come out otherwise, so does the state."""
    for written in (_every_merge, _guards_and_a_close):
        states = []
        for name in ("one", "two", "three", "four"):
            history, _ = written(name)
            state = history.fold().state
            states.append([*map(str, _codes(state)), *_values(state, "ordered")])
        assert any(states[0] != each for each in states[1:])


def test_every_merge_does_what_it_says() -> None:
    """What stands: a set, the last, a sum by node, all that nobody replaced, the first."""
    history = History("merges", {"ordered": 100})
    for count in (10, 25):
        history.say("bolt", Update({"made": count, "lot": f"lot {count}"}))
    history.say("coil", Update({"made": 0.5}))
    history.say("ace", Update({"ordered": 60}))
    root = history.say("ace", Update({"note": "a"}))
    beside = [
        history.say("ace.2", Update({"note": "b"}), root),
        history.say("bolt", Update({"note": "c"}), root),
    ]
    state = history.fold().state
    assert _values(state, "lot") == ["lot 10", "lot 25"]
    assert (_values(state, "ordered"), state.total("made")) == ([60], 25.5)
    assert sorted(map(str, _values(state, "note"))) == ["b", "c"]
    history.say("coil", Update({"note": "d"}), *beside)
    history.say("ace", weighed({"verdict": "yes"}), mass=20.5)
    history.say("ace", weighed({"verdict": "no"}), mass=20.5)
    state = history.fold().state
    assert (_values(state, "note"), _values(state, "verdict")) == (["d"], ["yes"])
    assert _codes(state) == ["activity.slot-taken"]
    assert [one.count for one in state.contributors.values() if one.node == named("bolt.1")] == [3]


@pytest.mark.parametrize(
    ("who", "said", "mass", "code"),
    [
        ("east", Update({"note": "I"}), None, "activity.unauthorised"),
        ("east", Update(), None, "activity.unauthorised"),
        ("bolt", Update({"ordered": 3}), None, "activity.unauthorised"),
        ("bolt", Close(), None, "activity.unauthorised"),
        ("coil", weighed({"verdict": "yes"}), 20.0, "activity.unauthorised"),
        ("ace", Update({"colour": 3}), None, "activity.unknown-field"),
        ("ace", Update({"note": "kept out too", "colour": 3}), None, "activity.unknown-field"),
        ("ace", Update({"ordered": 0}), None, "activity.bad-value"),
        ("ace", Update({"ordered": True}), None, "activity.bad-value"),
        ("ace", weighed({"verdict": "maybe"}), 20.0, "activity.bad-value"),
        ("bolt", Update({"made": 101}), None, "activity.guard"),
        ("ace", weighed({"verdict": "yes"}), 20.6, "activity.guard"),
        ("ace", Update({"verdict": "yes"}), None, "activity.guard"),
        ("ace", weighed({"verdict": "yes"}), None, "activity.malformed"),
        ("ace", Close(), None, "activity.guard"),
        ("ace", MalformedActivity(reason="no map"), None, "activity.malformed"),
        ("ace", Correction(named("ace") * 2, {"note": "x"}), None, "activity.not-yours"),
        ("dyne", person("dyne/di", WEIGHED), None, ""),
    ],
)
def test_what_does_not_count_says_why_and_blocks_nothing(
    who: str, said: Update, mass: float | None, code: str
) -> None:
    """A rejected entry is shown with its code and changes no value; what follows counts (I9)."""
    history = History("rejected", {"ordered": 100})
    before = history.fold().state
    history.say(who, said, mass=mass)
    state = history.fold().state
    assert _codes(state) == ([code] if code else [])
    assert (state.fields, state.closed) == (before.fields, None)
    assert all(rejected.reason for rejected in state.rejected.values())
    history.say("bolt", Update({"note": "after it"}))
    assert _values(history.fold().state, "note") == ["after it"]


def test_a_correction_supersedes_and_keeps_what_was() -> None:
    """Only one's own, of what counts, after the close too, never a slot; the last one stands."""
    history = History("corrections", {"ordered": 100})
    made = history.say("bolt", Update({"made": 60, "lot": "b"}))
    history.say("coil", Correction(made.id, {"made": 1}))
    verdict = history.say("ace", weighed({"verdict": "yes"}), mass=20.0)
    history.say("ace", Close())
    history.say("bolt", Correction(made.id, {"made": 61}))
    last = history.say("bolt.2", Correction(made.id, {"made": 62}))
    history.say("bolt", Correction(made.id, {"note": "never said"}))
    history.say("bolt", Correction(last.id, {"made": 5}))
    history.say("bolt", Correction(made.id, {"made": 101}))
    history.say("ace", Correction(verdict.id, {"verdict": "no"}))
    history.say("bolt", Update({"made": 63}))
    state = history.fold().state
    (given,) = state.given("made")
    assert (given.value, given.record, given.origin) == (62, last.id, made.id)
    assert given.before is not None
    assert given.before.before is not None
    assert (given.before.value, given.before.before.value) == (61, 60)
    assert _codes(state) == [
        "activity.not-yours",
        "activity.unknown-field",
        "activity.not-yours",
        "activity.guard",
        "activity.slot-taken",
        "activity.closed",
    ]


def test_approvals_count_by_person_and_by_organisation() -> None:
    """Two persons of two organisations approve; one against undoes it; observers have no word."""
    history, wanted = History("approvals"), Approving(2, 2)
    limit = history.say("ace", Update({"limit": 7}))

    def approved(who: str, verdict: int = 0) -> bool:
        history.say(who.split("/")[0], person(who, limit, verdict))
        return history.fold().state.approved(limit.id, wanted)

    assert not approved("ace/ann")
    assert not approved("ace/ann")
    assert not approved("ace/amy")
    assert not approved("dyne/di")
    assert approved("bolt/bo")
    assert not approved("bolt/bo", 1)
    assert approved("bolt/bo")
    assert len(history.fold().state.spoken(limit.id)) == 3


def test_bound_devices_are_let_go_by_their_own_node_or_the_close() -> None:
    """A device belongs to the activity for its own node, until that lets it go or all ends."""
    history = History("devices")
    history.say("bolt", Update(bound=("oven", "press")))
    history.say("coil", Update(unbound=("press",)))
    assert [one.device for one in history.fold().state.bound.values()] == ["oven", "press"]
    history.say("bolt", Update(unbound=("press",)))
    assert [one.device for one in history.fold().state.bound.values()] == ["oven"]
    history.say("ace", weighed({"verdict": "no"}), mass=1.0)
    history.say("coil", Close())
    assert len(history.fold().state.bound) == 0


def test_what_waits_is_bounded_and_comes_when_what_it_waits_for_does() -> None:
    """At most 1,000 entries are parked; who found no room is named, and taken again later."""
    history = History("parked")
    root = history.say("ace", Update({"note": "root"}))
    chain = [history.say(f"bolt.{each}", Update(), root) for each in range(PARKED_MAX + 5)]
    fold = new(history)
    left = fold.add(reversed(chain))
    assert left == tuple(each.id for each in reversed(chain[:5]))
    assert (len(fold.state.parked), sorted(fold.state.wanted)) == (PARKED_MAX, [root.id])
    assert fold.add([root]) == ()
    assert fold.add(chain) == ()
    assert fold.state == history.fold().state
    assert fold.state.parked == frozenset()


def test_linked_readings_are_waited_for() -> None:
    """An update that rests on a reading waits until that is held, and is judged then."""
    history = History("readings")
    history.say("ace", weighed({"verdict": "yes"}), mass=20.0)
    fold = Fold(history.template, history.opened)
    fold.add(history.entries)
    assert (sorted(fold.state.wanted), _values(fold.state, "verdict")) == ([WEIGHED], [])
    fold.add((), [WEIGHED])
    assert (sorted(fold.state.wanted), _values(fold.state, "verdict")) == ([], ["yes"])


def test_what_would_not_count_is_known_before_it_is_written() -> None:
    """An author is told the same error that every member would find, and nothing changes."""
    history = History("checked", {"ordered": 10})
    history.say("ace", weighed({"verdict": "yes"}), mass=20.0)
    fold = history.fold()
    before = fold.state
    for said, error in (
        (Update({"ordered": 5}), None),
        (Update({"made": 11}), GuardForbids),
        (weighed({"verdict": "no"}), SlotTaken),
    ):
        who = "bolt" if isinstance(said, Update) and "made" in said.fields else "ace"
        trial = History("trial").say(who, said, history.entries[-1], mass=20.0)
        found: type[AuthorError] | None = None
        try:
            fold.check(trial)
        except AuthorError as fault:
            found = type(fault)
        assert found is error
    assert fold.state == before


def test_values_beside_one_another_are_bounded() -> None:
    """Who never replaces what it knows fills no memory: 64 values stand, the 65th does not."""
    history = History("beside")
    for each in range(70):
        history.say(f"bolt.{each}", Update({"note": f"{each}"}), history.opened)
    state = history.fold().state
    assert (len(state.given("note")), len(_codes(state))) == (64, 6)


def test_a_late_entry_folds_again_only_from_a_state_near_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One that sorts last is one step; one that is late, at most twice what comes after it."""
    history = History("late", {"ordered": 100})
    forks = []
    for each in range(2_000):
        before = history.entries[-1]
        history.say("bolt", Update({"note": f"{each}"}), before)
        if each in (1_000, 1_900):
            forks.append(
                Entry(bytes([each % 251]) * 32, named("c"), named("coil"), Update(), (before.id,))
            )
    fold, steps, real = history.fold(), [0], judging.after
    assert fold.state.count == 2_001

    def counted(rules: Rules, before: State, key: Key, entry: Entry) -> State:
        steps[0] += 1
        return real(rules, before, key, entry)

    monkeypatch.setattr(judging, "after", counted)
    costs: list[int] = []
    for entry in (*reversed(forks), history.say("bolt", Update({"note": "last"}))):
        steps[0] = 0
        fold.add([entry])
        assert fold.state.count == 2_001 + len(costs) + 1
        costs.append(steps[0])
    late, earlier, last = costs
    assert 99 <= late <= 2 * 101 + 2 * KEEP_EVERY
    assert 999 <= earlier <= 2 * 1_001 + 2 * KEEP_EVERY
    assert last == 1


def test_a_state_given_out_never_changes() -> None:
    """Who holds an earlier state still reads it, whatever was folded since."""
    history = by_chance(3, 60)
    fold, given = new(history), []
    for entry in history.entries[1:]:
        fold.add([entry])
        given.append((fold.state, repr([_values(fold.state, name) for name in fold.state.fields])))
    for state, told in given:
        assert repr([_values(state, name) for name in state.fields]) == told


def test_a_tree_holds_what_a_dictionary_does() -> None:
    """Put and dropped at random, a tree has the entries of a dict, in order, and stays low."""
    dice, tree, plain = random.Random(7), Tree[int](), dict[tuple[int, bytes], int]()
    for step in range(4_000):
        key = (dice.randrange(200), bytes([dice.randrange(4)]))
        if dice.random() < 0.6:
            tree, plain[key] = tree.put(key, step), step
        else:
            tree = tree.drop(key)
            plain.pop(key, None)
        assert len(tree) == len(plain)
    assert list(tree.items()) == sorted(plain.items())
    assert all(tree.get(key) == value for key, value in plain.items())
    for number in range(10_000):
        tree = tree.put((1_000 + number, b""), number)
    assert tree.rank <= 20
    assert tree.last() == 9_999


def test_a_reading_of_another_device_is_no_weighing() -> None:
    """A guard on readings is about those of its device and metric; others do not count for it."""
    history = History("devices and metrics")
    other = Update({"verdict": "yes"}, (Linked(WEIGHED, "scale", "zero"),))
    history.say("ace", other, mass=1.0)
    assert _codes(history.fold().state) == ["activity.guard"]
