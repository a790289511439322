"""What a receipt, a checkpoint and a proof cost after a thousand records of a feed, and a million.

One store is filled as the agent fills it, in larger commits, its journal growing at every thousand
records. At both sizes, again and again, a hundred records come, and then are timed: the other
member's receipt for them, from what is due until its record is committed, with what is agreed by
it; the journal's growing until the checkpoint is committed; and the gathering of the proof of any
final record, which is judged besides. Both members are in one store here, so that it holds all.
"""

import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway.groups import verdict
from gateway.readings import senml
from gateway.readings.reading import Provenance
from gateway.records import checkpoint, proof
from gateway.records.feed import feed_id
from gateway.records.record import Kind, Said
from gateway.store import (
    acting,
    authoring,
    database,
    feeds,
    groups,
    journal,
    observations,
    proofs,
    questions,
    standing,
)
from gateway.store.authoring import Author, Venue
from gateway.store.database import Connection
from tests.holding import strokes
from tests.people import group_of, moment, party, run_of, witnessed

FEW, MANY = 1_000, 1_000_000
TIMES = 3
_COMMIT = 1_000
_MORE = 100
_ROUNDS = 25
_ACE, _BOLT = witnessed(party("ace")), witnessed(party("bolt"))
_GROUP = group_of(_ACE, _BOLT)
_VENUE = Venue(_GROUP.id, _GROUP.roster.hash, _GROUP.encoded)


@dataclass
class Plant:
    """The store, who writes into it, and how many records the feed has."""

    db: Connection
    records: int = 0

    def __post_init__(self) -> None:
        """Let both members run."""
        drawn = iter(range(1, 1 << 60))

        def fresh(size: int) -> bytes:
            return next(drawn).to_bytes(size, "big")

        self.ace, self.bolt = (Author(run_of(each), moment, fresh) for each in (_ACE, _BOLT))

    def write(self, count: int) -> None:
        """Write records of one reading each, in one commit."""
        with self.db:
            for reading in strokes(count, self.records):
                (pack,) = senml.encode([reading], Provenance.GATEWAY_ATTESTED)
                said = Said(Kind.OBSERVATION, pack.encoded, senml.CONTENT_TYPE)
                observations.keep(
                    self.db, authoring.say(self.db, self.ace, _VENUE, said), pack.spans
                )
        self.records += count

    def receipt(self) -> None:
        """Have the other member say what it holds."""
        with self.db:
            assert acting.receipt(self.db, self.bolt, _VENUE)

    def grow(self) -> None:
        """Have the journal grow, and a checkpoint be signed."""
        with self.db:
            assert journal.grow(self.db, self.ace.run)

    def cosign(self) -> None:
        """Have both witnesses cosign the newest checkpoint."""
        run = self.ace.run.key
        found = checkpoint.verify(journal.newest_checkpoint(self.db, run.id) or b"", run.public)
        with self.db:
            for each in (_ACE, _BOLT):
                line = each.cosign(found.text)
                assert journal.keep_cosignature(self.db, run.id, found.size, line)

    def prove(self, seq: int) -> bytes:
        """Give the proof of a record, by its number."""
        number = self.db.execute("SELECT number FROM feeds WHERE id = ?", (self.feed,)).get
        at = feeds.place(number, seq)
        name: bytes = self.db.execute("SELECT id FROM records WHERE place = ?", (at,)).get
        return proof.encode(proofs.of(self.db, questions.find(self.db, name.hex())))

    @property
    def feed(self) -> bytes:
        """Name the feed."""
        return feed_id(self.ace.run.key.public, _GROUP.id)


@dataclass(frozen=True, slots=True)
class Costs:
    """Medians in milliseconds, and how large what came of it is."""

    receipt_ms: float
    checkpoint_ms: float
    proof_ms: float
    judging_ms: float
    proof_bytes: int


def run() -> list[str]:
    """Fill the store, and time at both sizes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.db"
        plant = Plant(database.connect(str(path)))
        groups.register(plant.db, "press", _GROUP)
        few = _at(plant, FEW)
        many = _at(plant, MANY)
        gib = path.stat().st_size / (1 << 30)
        plant.db.close()
    return [*_told(few, many), f"the store of {MANY:,} records: {gib:.2f} GiB"]


def _at(plant: Plant, size: int) -> Costs:
    """Write on until there are so many records, then time."""
    while plant.records < size:
        plant.write(min(_COMMIT, size - plant.records))
        plant.grow()
    plant.receipt()
    plant.cosign()
    timed = [_round(plant) for _ in range(_ROUNDS)]
    receipt, checkpoint_, gathered, judged = (
        statistics.median(each) for each in zip(*(it[:4] for it in timed), strict=True)
    )
    return Costs(receipt, checkpoint_, gathered, judged, max(it[4] for it in timed))


def _round(plant: Plant) -> tuple[float, float, float, float, int]:
    plant.write(_MORE)
    receipt, grown = _ms(plant.receipt), _ms(plant.grow)
    plant.cosign()
    final = standing.of(plant.db, plant.feed).final
    assert final == plant.records + 1, "not all is final: the genesis, and what was said"
    shown = []
    seq = random.Random(plant.records).randrange(final)
    gathered = _ms(lambda: shown.append(plant.prove(seq)))
    judged = _ms(lambda: _judge(shown[0]))
    return receipt, grown, gathered, judged, len(shown[0])


def _judge(encoded: bytes) -> None:
    found = verdict.judge(encoded, {_GROUP.roster.hash})
    held = {each.name for each in found.statements if each.held}
    assert found.holds and "final" in held, found.statements


def _ms(what: Callable[[], None]) -> float:
    began = time.perf_counter()
    what()
    return (time.perf_counter() - began) * 1_000


def _told(few: Costs, many: Costs) -> Iterator[str]:
    for name, before, after in (
        ("a receipt", few.receipt_ms, many.receipt_ms),
        ("a checkpoint", few.checkpoint_ms, many.checkpoint_ms),
        ("a final proof", few.proof_ms, many.proof_ms),
        ("judging it", few.judging_ms, many.judging_ms),
    ):
        yield (
            f"{name}: {before:.2f} ms after {FEW:,} records, {after:.2f} ms after {MANY:,}:"
            f" ratio {after / before:.2f} ({TIMES} promised)"
        )
    yield f"a final proof has {few.proof_bytes:,} bytes, then {many.proof_bytes:,}"
