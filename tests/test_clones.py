"""Clones told from restarts: by thought, by a session, and what is kept of an alarm."""

from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings, strategies as some

from gateway.errors import BadControl, ClonedNode
from gateway.records.run import Run
from gateway.store import alarms, database, groups, peers
from gateway.sync import control, message
from gateway.sync.clones import RUNS_MAX, Alarm, Runs
from gateway.sync.message import Heads, Hello
from gateway.sync.session import Session
from tests.damage import refusal
from tests.people import run_of, seed
from tests.vectors import load
from tests.vectors.build_clones import heard, quietly
from tests.vectors.build_message import BUYER, GROUP, MAKER

VECTORS = load("clones")
NODE = seed("a node")[:16]
HEADS = message.encode(Heads(()))
STEPS = some.lists(
    some.tuples(some.sampled_from(("start", "sign", "arrive", "draw")), some.integers(0, 9)),
    max_size=60,
)


def _answers(vector: dict[str, Any]) -> list[tuple[int, int, int]]:
    return [(int(run, 16), challenge, drawn) for run, challenge, drawn in vector["answers"]]


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda vector: vector["name"])
def test_answers_of_a_node_that_is_no_clone_are_remembered(vector: dict[str, Any]) -> None:
    """They raise nothing, and say whether another challenge is due."""
    runs = quietly(_answers(vector))
    seen = [[each.run.hex(), each.since, each.latest] for each in runs.seen]
    assert {"due": runs.due, "runs": seen} == vector["expect"]


@pytest.mark.parametrize("vector", VECTORS["bad"], ids=lambda vector: vector["name"])
def test_the_last_answer_of_a_clone_raises_its_alarms(vector: dict[str, Any]) -> None:
    """It names the older and the newer run; what came before was quiet."""
    answers = _answers(vector)
    quietly(answers[:-1])
    _, raised = heard(answers)
    assert [[each.older.hex(), each.newer.hex()] for each in raised] == vector["alarms"]
    assert refusal(lambda: quietly(answers)) == vector["error"] == ClonedNode.code


@dataclass
class _World:
    """Runs of one node, what they signed, and the one that draws challenges and hears them."""

    alive: list[int]
    drawn: int = 1
    runs: Runs = field(default_factory=lambda: Runs(NODE))
    raised: list[Alarm] = field(default_factory=list)
    wire: list[tuple[int, int]] = field(default_factory=list)
    heard: list[tuple[int, int, int]] = field(default_factory=list)

    def step(self, what: str, number: int, honest: bool) -> None:
        """Start a run, sign an answer, have one arrive (perhaps again), or draw a challenge."""
        match what:
            case "start" if honest:
                self.alive = [self.alive[-1] + 1]
            case "start":
                self.alive.append(len(self.alive))
            case "sign":
                challenge = max(1, self.drawn - number // 4)
                self.wire.append((self.alive[number % len(self.alive)], challenge))
            case "arrive" if self.wire:
                self.arrive(*self.wire[-1 - number % len(self.wire)])
            case "draw":
                self.drawn += 1

    def arrive(self, run: int, challenge: int) -> None:
        """Verify an answer; draw a challenge when one is due."""
        self.heard.append((run, challenge, self.drawn))
        self.runs, raised = self.runs.answered(bytes([run]), challenge, self.drawn)
        self.raised += raised
        self.drawn += self.runs.due


@given(STEPS)
@settings(max_examples=1_000)
def test_no_history_of_restarts_and_restores_raises(steps: list[tuple[str, int]]) -> None:
    """One run at a time, whatever is late, lost, doubled, reordered or repeated by others."""
    world = _World([0])
    for what, number in steps:
        world.step(what, number, honest=True)
    assert world.raised == []
    assert len(world.runs.seen) <= RUNS_MAX


@given(STEPS)
@settings(max_examples=1_000)
def test_each_two_runs_that_outlived_each_other_raise_once(steps: list[tuple[str, int]]) -> None:
    """Of those remembered: an alarm if and only if each answered a challenge after the other."""
    world = _World([0, 1])
    for what, number in steps:
        if what != "start" or len(world.alive) < RUNS_MAX:
            world.step(what, number, honest=False)
    since: dict[int, int] = {}
    latest: dict[int, int] = {}
    for run, challenge, drawn in world.heard:
        since.setdefault(run, drawn)
        latest[run] = max(latest.get(run, 0), challenge)
    expected = {
        Alarm(NODE, bytes([older]), bytes([newer]))
        for older, newer in combinations(since, 2)
        if latest[older] > since[newer] and latest[newer] > since[older]
    }
    assert set(world.raised) == expected
    assert len(world.raised) == len(expected)


@given(STEPS, some.booleans())
def test_one_round_after_both_were_heard_there_is_an_alarm(
    steps: list[tuple[str, int]], older_first: bool
) -> None:
    """Whatever came before: two that live both answer the newest challenge, and that is enough."""
    world = _World([0])
    for what, number in steps:
        world.step(what, number, honest=True)
    older = world.alive[-1]
    newer = older + 1
    for run in (older, newer):  # Each is heard once, under whatever was drawn then.
        world.arrive(run, world.drawn)
    assert world.drawn > max(each.since for each in world.runs.seen[-2:])
    for run in (older, newer) if older_first else (newer, older):
        world.arrive(run, world.drawn)
    names = {bytes([older]), bytes([newer])}
    assert [each for each in world.raised if {each.older, each.newer} == names]


def test_memory_is_bounded_and_what_is_forgotten_raises_nothing() -> None:
    """A gateway that starts again for ever costs sixteen runs, and one challenge a start."""
    world = _World([0])
    for run in range(200):
        world.arrive(run, world.drawn)
        world.arrive(run, world.drawn)
        assert len(world.runs.seen) <= RUNS_MAX
    assert world.raised == []
    assert world.drawn <= 200


def _hello(run: Run) -> bytes:
    return message.encode(Hello(run.credentials, (), seed(f"nonce of {run.key.id.hex()}")[:16]))


def _says(run: Run, ours: bytes, counter: int) -> control.Control:
    """Have a run sign something under a HELLO of ours."""
    pair = control.Pair(Session(NODE, _hello(run)).mine, Session(NODE, ours).mine)
    return control.decode(control.sign(run.key, counter, pair, HEADS))


def _session() -> tuple[Session, Run, Run]:
    """Give a session that heard the HELLOs of two runs of the maker, and a word of the first."""
    one, two = run_of(MAKER, 0), run_of(MAKER, 1)
    session = Session(MAKER.node.id, b"first")
    for run in (one, two):
        session = session.heard_hello(_hello(run), run.credentials)
    return session.heard_control(_says(one, b"first", 1), 0), one, two


def test_a_challenge_loses_nothing_that_is_on_its_way() -> None:
    """What signs under the HELLO before is heard, once; it is an answer to that one alone."""
    session, one, _ = _session()
    session = session.challenged(b"second")
    late = _says(one, b"first", 2)
    heard_late = session.heard_control(late, 5)
    assert (heard_late.up, heard_late.heard_ms) == (False, 5)
    assert heard_late.answer(late) == (one.key.id, 1)
    with pytest.raises(BadControl):
        heard_late.heard_control(late, 6)
    with pytest.raises(BadControl):
        session.heard_control(_says(one, b"first", 1), 6)


def test_only_what_signs_under_the_new_hello_answers_a_challenge() -> None:
    """Then the session is up again; what is two HELLOs old is refused."""
    session, one, two = _session()
    session = session.challenged(b"second")
    said = _says(two, b"second", 1)
    session = session.heard_control(said, 0)
    assert session.up and session.answer(said) == (two.key.id, 2)
    session = session.challenged(b"third")
    with pytest.raises(BadControl):
        session.heard_control(_says(one, b"first", 9), 0)
    renewed = session.renewed(b"fourth")
    assert renewed.number == 4
    with pytest.raises(BadControl):
        renewed.heard_control(_says(one, b"third", 1), 0)


def test_an_alarm_is_kept_once_with_its_organisation() -> None:
    """The first time stays; of each node the last 64 are kept, and other nodes lose none."""
    db = database.connect(database.MEMORY)
    groups.register(db, "partner", GROUP)
    run = run_of(MAKER, 3)
    peers.remember(db, run.credentials)
    first = Alarm(MAKER.node.id, seed("older")[:16], run.key.id)
    alarms.keep(db, first, 1_000)
    alarms.keep(db, first, 2_000)
    alarms.keep(db, Alarm(first.node, first.newer, first.older), 3_000)
    assert alarms.load(db) == [alarms.Kept(first, MAKER.name, 1_000)]
    for number in range(alarms.ALARMS_MAX + 9):
        alarms.keep(db, Alarm(BUYER.node.id, bytes([number]), b"newer"), number)
    kept = alarms.load(db)
    assert len(kept) == 1 + alarms.ALARMS_MAX
    assert kept[0].alarm == first
    assert kept[1].heard_ms == alarms.ALARMS_MAX + 8
