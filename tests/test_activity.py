"""What an activity's records say: every vector, and no bytes escape; and what they come to."""

from typing import Any

import pytest

from gateway.activities import activity
from gateway.activities.activity import Open, Update
from gateway.activities.fold import Fold
from gateway.activities.state import Entry, State, Word
from gateway.activities.template import parse
from gateway.errors import MalformedActivity
from gateway.records.record import Kind
from tests.damage import all_refused, flips, never_escapes, refusal, truncations
from tests.mutate import known, mutations, vectors
from tests.vectors import build_activity as written, build_activity_fold as folded

_KINDS = tuple(written.KINDS.values())


@pytest.mark.parametrize("vector", vectors("activity"), ids=lambda vector: vector["name"])
def test_every_vector_is_read_or_refused(vector: dict[str, Any]) -> None:
    """A good content gives its noun and is written so again; a bad one has the chapter's code."""
    kind, content = Kind(vector["kind"]), bytes.fromhex(vector["hex"])
    if "error" in vector:
        assert refusal(lambda: activity.decode(kind, content), MalformedActivity) == vector["error"]
    else:
        said = activity.decode(kind, content)
        assert written.expect(said) == vector["expect"]
        assert activity.encode(said) == content


@pytest.mark.parametrize("kind", _KINDS, ids=lambda kind: kind.name)
def test_no_bytes_escape_the_decoder(kind: Kind) -> None:
    """Any bytes are a noun of that kind or its own error."""

    def decode(content: bytes) -> object:
        return activity.decode(kind, content)

    whole = next(each for each in written.GOOD.values() if written.KINDS[type(each)] is kind)
    encoded = activity.encode(whole)
    all_refused(decode, truncations(encoded), MalformedActivity)
    never_escapes(decode, flips(encoded), MalformedActivity)
    assert never_escapes(decode, mutations(known("activity"), 500, seed=7), MalformedActivity) > 100


@pytest.mark.parametrize("vector", vectors("activity_fold"), ids=lambda vector: vector["name"])
def test_every_folded_vector_comes_to_what_it_says(vector: dict[str, Any]) -> None:
    """From the JSON alone: the state of a good one; of a bad one, the code of its last entry."""
    entries = [_entry(told) for told in vector["entries"]]
    state = _state(vector, entries)
    assert state == _state(vector, entries[::-1])
    if "error" in vector:
        found = {each.record: each.code for each in state.rejected.values()}
        assert found == {entries[-1].id: vector["error"]}
    else:
        assert folded.expect(state) == vector["expect"]


def test_the_least_an_update_can_say_is_an_empty_map() -> None:
    """What is empty is left out, so that there is one way to say nothing."""
    assert activity.encode(Update()) == b"\xa0"
    assert activity.decode(Kind.ACTIVITY_UPDATE, b"\xa0") == Update()


def _state(vector: dict[str, Any], entries: list[Entry]) -> State:
    (opened,) = (each for each in entries if isinstance(each.said, Open))
    assert isinstance(opened.said, Open)
    fold = Fold(parse(opened.said.template), opened)
    fold.add(entries, [bytes.fromhex(record) for record in vector["aside"]])
    return fold.state


def _entry(told: dict[str, Any]) -> Entry:
    """Read an entry as the vectors write it."""
    if "approval" in told:
        about, verdict, person, organisation = told["approval"]
        said: Any = Word(bytes.fromhex(about), verdict, *_ids(person, organisation))
    else:
        try:
            said = activity.decode(Kind(told["kind"]), bytes.fromhex(told["content"]))
        except MalformedActivity as fault:
            said = fault
    id, node, organisation = _ids(told["id"], told["node"], told["organisation"])
    deps, readings = _ids(*told["deps"]), tuple(told["readings"])
    previous = None if told["previous"] is None else bytes.fromhex(told["previous"])
    return Entry(id, node, organisation, said, deps, previous, readings)


def _ids(*said: str) -> tuple[bytes, ...]:
    return tuple(map(bytes.fromhex, said))
