"""The vectors of clones: answers of one node -> its runs, or an alarm: docs/protocol/clones.md."""

from collections.abc import Iterable

from gateway.errors import ClonedNode
from gateway.sync.clones import RUNS_MAX, Alarm, Runs
from tests.damage import refusal
from tests.people import seed

NODE = seed("a cloned node")[:16]
Answer = tuple[int, int, int]  # of which run, to which HELLO, when so many were drawn


def run_id(number: int) -> bytes:
    """Give the id of a numbered run's key."""
    return number.to_bytes(16, "big")


def heard(answers: Iterable[Answer]) -> tuple[Runs, list[Alarm]]:
    """Take answers one after another; give what is remembered, and all alarms."""
    runs, raised = Runs(NODE), list[Alarm]()
    for run, challenge, drawn in answers:
        runs, alarms = runs.answered(run_id(run), challenge, drawn)
        raised += alarms
    return runs, raised


def quietly(answers: Iterable[Answer]) -> Runs:
    """Give what is remembered of a node that is no clone; raise ClonedNode."""
    runs, raised = heard(answers)
    if raised:
        raise ClonedNode(node=NODE.hex(), organisation="")
    return runs


def build() -> dict[str, object]:
    """Give the vectors as the JSON says them."""
    return {
        "noun": "clones",
        "chapter": "docs/protocol/clones.md",
        "good": [_good(name, answers) for name, answers in GOOD.items()],
        "bad": [_bad(name, answers) for name, answers in BAD.items()],
    }


def _good(name: str, answers: list[Answer]) -> dict[str, object]:
    runs = quietly(answers)
    seen = [[each.run.hex(), each.since, each.latest] for each in runs.seen]
    return {**_vector(name, answers), "expect": {"due": runs.due, "runs": seen}}


def _bad(name: str, answers: list[Answer]) -> dict[str, object]:
    quietly(answers[:-1])
    _, raised = heard(answers)
    pairs = [[each.older.hex(), each.newer.hex()] for each in raised]
    error = refusal(lambda: quietly(answers))
    return {**_vector(name, answers), "alarms": pairs, "error": error}


def _vector(name: str, answers: list[Answer]) -> dict[str, object]:
    rows = [[run_id(run).hex(), challenge, drawn] for run, challenge, drawn in answers]
    return {"name": name, "answers": rows}


GOOD: dict[str, list[Answer]] = {
    "one run": [(1, 1, 1), (1, 1, 1)],
    "one run, greeted anew": [(1, 1, 1), (1, 2, 2), (1, 3, 3)],
    "a second run: a challenge is due": [(1, 1, 1), (2, 1, 1)],
    "a restart": [(1, 1, 1), (2, 1, 1), (2, 2, 2)],
    "a restart, the old run's last message came late": [(2, 1, 1), (1, 1, 1), (2, 2, 2)],
    "a restart, and a message of the old run after the challenge": [
        *((1, 1, 1), (2, 1, 1), (2, 2, 2), (1, 1, 2)),
    ],
    "the old run was never heard before its last message": [(2, 1, 1), (2, 2, 2), (1, 1, 2)],
    "a restart after a restart": [(1, 1, 1), (2, 1, 1), (2, 2, 2), (3, 2, 2), (3, 3, 3)],
    "a restart, heard in the wrong order": [(3, 1, 1), (1, 1, 1), (2, 1, 1), (3, 2, 2)],
    "more runs than are remembered": [
        (run, run + later, run + later) for run in range(1, RUNS_MAX + 3) for later in (0, 1)
    ],
}
BAD: dict[str, list[Answer]] = {
    "both answer the challenge, the newer first": [(1, 1, 1), (2, 1, 1), (2, 2, 2), (1, 2, 2)],
    "both answer the challenge, the older first": [(1, 1, 1), (2, 1, 1), (1, 2, 2), (2, 2, 2)],
    "the older answers much later": [
        *((1, 1, 1), (2, 1, 1), (2, 2, 2), (2, 3, 3), (2, 4, 4), (1, 4, 4)),
    ],
    "the newer came long after the older, which goes on": [
        *((1, 1, 1), (1, 2, 2), (2, 2, 2), (2, 3, 3), (1, 3, 3)),
    ],
    "an answer to the HELLO before, late": [(1, 1, 1), (2, 1, 1), (2, 2, 2), (1, 2, 3)],
    "the copy was started while the older was away, and both go on": [
        *((1, 1, 1), (2, 2, 2), (1, 3, 3)),
    ],
    "a restart, then a clone of it": [
        *((1, 1, 1), (2, 1, 1), (2, 2, 2), (3, 2, 2), (3, 3, 3), (2, 3, 3)),
    ],
    "three at once, the third pair with the second": [
        *((1, 1, 1), (2, 1, 1), (3, 1, 1), (2, 2, 2), (3, 2, 2)),
    ],
    "one that outlives two": [(1, 1, 1), (2, 2, 2), (3, 2, 2), (1, 3, 3)],
    "an old run comes back after a restart": [
        *((1, 1, 1), (2, 1, 1), (2, 2, 2), (3, 2, 2), (3, 3, 3), (1, 3, 3)),
    ],
}
