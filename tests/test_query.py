"""Questions: which readings answer, in which order, and what is said to be missing."""

import random
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway import query
from gateway.errors import OperatorError, UnknownRecord
from gateway.query import Question, Status
from gateway.readings.reading import Quality, Reading
from gateway.records.feed import Head
from gateway.store import outbox, questions
from gateway.store.database import connect_to_read
from tests.damage import refusal
from tests.holding import T0, Holding
from tests.vectors import load
from tests.vectors.build_query import expect


def _reading(at: int, device: str = "press-1", metric: str = "strokes") -> Reading:
    return Reading(device, metric, at, "1", T0 + at)


def _filled(folder: Path, batches: Sequence[Sequence[Reading]]) -> Holding:
    held = Holding(folder)
    for readings in batches:
        held.say(readings)
    return held


def _asked(held: Holding, question: Question) -> query.Answer:
    db = connect_to_read(held.path)
    return query.answer(question, questions.select(db, question, held.state.node_id))


def _values(answer: query.Answer) -> list[object]:
    return [row.reading.value for row in answer.rows]


def test_an_answer_is_what_a_plain_filter_finds(tmp_path: Path) -> None:
    """For any question over a shuffled history, the rows are those of a plain filter."""
    draw = random.Random(7)
    history = [
        _reading(at, draw.choice(("press-1", "press-2", "oven")), draw.choice(("a", "b")))
        for at in range(300)
    ]
    shuffled = draw.sample(history, len(history))
    held = _filled(tmp_path, [shuffled[at : at + 20] for at in range(0, 300, 20)])
    for _ in range(60):
        low, high = sorted((draw.randrange(300), draw.randrange(300)))
        question = Question(
            device=draw.choice((None, "press-1", "press-*", "nobody")),
            metric=draw.choice((None, "a", "?")),
            from_ms=draw.choice((None, T0 + low)),
            to_ms=draw.choice((None, T0 + high)),
            limit=draw.choice((None, 0, 1, 10, 1000)),
        )
        expected = [
            one.value
            for one in history
            if query.matches(question.device, one.device)
            and query.matches(question.metric, one.metric)
            and (question.from_ms is None or question.from_ms <= (one.time_ms or 0))
            and (question.to_ms is None or (one.time_ms or 0) < question.to_ms)
        ]
        answer = _asked(held, question)
        count = len(expected) if question.limit is None else min(question.limit, len(expected))
        assert _values(answer) == expected[len(expected) - count :]
        assert answer.more or count == len(expected)


@pytest.mark.parametrize("vector", load("query")["good"], ids=lambda vector: vector["name"])
def test_a_good_question_is_understood(vector: dict[str, Any]) -> None:
    """Filters as they are typed ask what the vector says."""
    assert expect(query.understand(vector["options"])) == vector["expect"]


@pytest.mark.parametrize("vector", load("query")["bad"], ids=lambda vector: vector["name"])
def test_a_bad_question_is_refused(vector: dict[str, Any]) -> None:
    """A filter that cannot be understood is never left out, but refused with its code."""
    assert refusal(lambda: query.understand(vector["options"]), OperatorError) == vector["error"]


def test_rows_come_in_one_order_with_and_without_a_limit(tmp_path: Path) -> None:
    """Streamed or held, rows are in the order of time, feed, number and place; untimed ones too."""
    draw = random.Random(8)
    batches = []
    for at in range(40):
        untimed = Reading("oven", "t", at, "1", None, 7)
        timed = [_reading(draw.randrange(200)) for _ in range(draw.randrange(4))]
        batches.append([*timed, untimed] if at % 4 == 0 or not timed else timed)
    held = _filled(tmp_path, batches)
    streamed, limited = _asked(held, Question()), _asked(held, Question(limit=1_000))
    assert streamed == limited
    assert len(streamed.rows) == sum(map(len, batches))
    times = [row.reading.time_ms for row in streamed.rows if row.reading.time_ms is not None]
    assert times == sorted(times)


def test_an_answer_of_any_length_takes_the_same_memory(tmp_path: Path) -> None:
    """Rows that are streamed are not held: four times the history peaks at no more memory."""
    history = [[_reading(at * 50 + each) for each in range(50)] for at in range(160)]
    peaks = []
    for count in (40, 160):
        held = _filled(tmp_path / str(count), history[:count])
        db, missing, rows = connect_to_read(held.path), query.Missing(), 0
        tracemalloc.start()
        told = questions.select(db, Question(), held.state.node_id)
        for _ in query.stream(Question(), told, missing):
            rows += 1
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert (rows, missing.more) == (50 * count, False)
    assert peaks[1] < 1.3 * peaks[0]


def test_a_row_has_the_names_that_tools_rely_on(tmp_path: Path) -> None:
    """A row shows at least the contract's names, times in RFC 3339 with milliseconds."""
    bad = Reading("press-1", "temp", 1.5, "Cel", T0 + 7, quality=Quality.BAD)
    (row,) = _asked(_filled(tmp_path, [[bad]]), Question()).rows
    shown = row.shown("now")
    names = "record feed seq node org group device metric value unit time quality clock status"
    assert {*names.split(), "activity", "as_of"} <= shown.keys()
    assert shown["time"] == "2026-09-21T14:13:20.007Z"
    assert (shown["quality"], shown["clock"], shown["group"]) == ("bad", "ntp", "own")
    assert (shown["seq"], shown["status"], shown["activity"]) == (1, "local", None)


def test_a_reading_without_a_time_is_shown_without_one(tmp_path: Path) -> None:
    """An unset clock gives no time; such readings answer, but no question about a time."""
    unset = Reading("press-1", "temp", 1.5, "Cel", None, 4_000)
    held = _filled(tmp_path, [[unset]])
    (row,) = _asked(held, Question()).rows
    assert (row.shown("")["time"], row.shown("")["monotonic_ms"]) == (None, 4_000)
    assert _asked(held, Question(from_ms=0)).rows == ()


def test_a_body_that_is_not_held_is_counted(tmp_path: Path) -> None:
    """A record whose body was shredded is said to be missing, not silently left out."""
    held = _filled(tmp_path, [[_reading(1)], [_reading(2)]])
    held.db.execute("UPDATE records SET body = NULL WHERE place & 0xffffffff = 1")
    answer = _asked(held, Question())
    assert (_values(answer), answer.bodies_missing) == ([2], 1)


def test_status_follows_the_signed_receipts(tmp_path: Path) -> None:
    """A record is replicated when somebody else signed for it, and can be asked for as such."""
    held = _filled(tmp_path, [[_reading(1)], [_reading(2)]])
    feed = _asked(held, Question()).rows[0].told.record.feed
    outbox.acknowledged(held.db, b"p" * 16, Head(feed, 2, bytes(32)), b"ack")
    assert _values(_asked(held, Question(status_min=Status.REPLICATED))) == [1]


def test_a_record_is_found_by_the_beginning_of_its_id(tmp_path: Path) -> None:
    """A beginning that is one record's finds it; none, several or nonsense is an error."""
    held = _filled(tmp_path, [[_reading(1)]])
    identity = _asked(held, Question()).rows[0].told.record.id.hex()
    for name in (identity, identity[:12]):
        assert questions.find(held.db, name).record.id.hex() == identity
    for name in ("", "zz", "00", identity + "00", "f" * 64):
        with pytest.raises(UnknownRecord):
            questions.find(held.db, name)
