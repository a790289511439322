"""What it costs to say how complete an answer is, beside the answer, over 100,000 records.

The store is filled as the agent fills it, in larger commits. A question is put as `hulian query`
puts it, without the start of the process: the newest ten readings of one device. Then a member
claims as many feeds as are kept of one.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from gateway import query
from gateway.completeness import Holder
from gateway.query import Missing, Question
from gateway.readings import senml
from gateway.readings.reading import Provenance
from gateway.records.record import Kind, Said
from gateway.store import authoring, claims, database, groups, observations, questions
from gateway.store.authoring import Author, Venue
from tests.holding import strokes
from tests.people import group_of, moment, party, run_of, seed

RECORDS = 100_000
_COMMIT = 2_000
_ROUNDS = 15
_ACE, _BOLT = party("ace"), party("bolt")
_GROUP = group_of(_ACE, _BOLT)


def run() -> list[str]:
    """Time the question alone, and what is said of its completeness."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "store.db")
        _fill(path)
        read = database.connect_to_read(path)
        answer = _ms(lambda: _asked(read))
        few = _ms(lambda: _said(read))
        with (db := database.connect(path)):
            said = {
                seed(f"{at}"): Holder(_BOLT.node.id, 1 + at, None) for at in range(claims.FEEDS_MAX)
            }
            claims.keep(db, _GROUP.id, _BOLT.node.id, said)
        many = _ms(lambda: _said(read))
    return [
        f"the newest ten of {RECORDS:,} records {answer:.1f} ms, how complete they are"
        f" {few:.1f} ms, where a member claims {claims.FEEDS_MAX:,} more feeds {many:.1f} ms"
    ]


def _fill(path: str) -> None:
    db = database.connect(path)
    groups.register(db, "press", _GROUP)
    drawn = iter(range(1, 1 << 30))
    author = Author(run_of(_ACE), moment, lambda size: next(drawn).to_bytes(size, "big"))
    venue = Venue(_GROUP.id, _GROUP.roster.hash, _GROUP.encoded)
    for start in range(0, RECORDS, _COMMIT):
        with db:
            for reading in strokes(_COMMIT, start):
                (pack,) = senml.encode([reading], Provenance.GATEWAY_ATTESTED)
                said = Said(Kind.OBSERVATION, pack.encoded, senml.CONTENT_TYPE)
                observations.keep(db, authoring.say(db, author, venue, said), pack.spans)
    db.close()


def _asked(read: database.Connection) -> None:
    question = Question(device="press-1", limit=10)
    told = questions.select(read, question, _ACE.node.id)
    assert len(list(query.stream(question, told, Missing()))) == 10


def _said(read: database.Connection) -> None:
    (extent,) = claims.extents(read, "press", _ACE.node.id)
    shown = extent.shown()
    assert shown["records"] == RECORDS + 1


def _ms(asked: Callable[[], None]) -> float:
    took = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        asked()
        took.append((time.perf_counter() - began) * 1_000)
    return statistics.median(took)
