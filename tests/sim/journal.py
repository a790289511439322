"""What a gateway of a world does with its journal: it grows, and witnesses are shown it.

In: a gateway, the witnesses it asks, and a network that loses requests and answers. Out: whether
cosignatures came that were not there before. What is asked for and kept is what the agent asks for
and keeps; here a question is answered on the spot, or lost.
"""

import random
from collections.abc import Sequence

import apsw

from gateway.groups import witnessing
from gateway.records import checkpoint, note
from gateway.records.checkpoint import Checkpoint
from gateway.records.run import Run
from gateway.store import journal
from gateway.transport.http import Response
from gateway.web import witness as door
from tests.sim.disk import Desk
from tests.sim.witness import Witness

_TRIES = 3


class Submitting:
    """One gateway's journal, a run after another."""

    def __init__(self, witnesses: Sequence[Witness], dice: random.Random, loss: float) -> None:
        self._witnesses, self._dice, self._loss = witnesses, dice, loss
        self._sizes: dict[tuple[str, bytes], int] = {}  # what a witness said that it knows of a run

    def grow(self, desk: Desk, run: Run) -> bool:
        """Have the journal grow, in one commit; False where the disk refused."""
        return desk.submit(lambda db: journal.grow(db, run)).exception() is None

    def submit(self, db: apsw.Connection, desk: Desk, run: Run) -> tuple[bool, bool]:
        """Show all witnesses the newest checkpoint; say whether one and whether each cosigned it.

        One that did before is not asked again.
        """
        newest = journal.newest_checkpoint(db, run.key.id)
        if newest is None:
            return False, True
        _, shown = checkpoint.read(newest)
        behind = [each for each in self._witnesses if self._knows(each, run) != shown.size]
        said = [self._shown(each, db, desk, run, newest) for each in behind]
        return any(said), all(said)

    def _knows(self, witness: Witness, run: Run) -> int:
        return self._sizes.get((witness.who.name, run.key.id), 0)

    def _shown(self, to: Witness, db: apsw.Connection, desk: Desk, run: Run, newest: bytes) -> bool:
        """Show one witness a checkpoint, from the size that it says it knows."""
        _, shown = checkpoint.read(newest)
        key = to.who.name, run.key.id
        for _ in range(_TRIES):
            old = self._knows(to, run)
            proof = journal.consistency(db, run.key.id, old, shown.size)
            answer = self._post(to, door.ADD, witnessing.encode(old, proof, newest))
            match answer:
                case Response(200):
                    self._sizes[key] = shown.size
                    return self._keep(desk, run, shown, answer.body.decode().rstrip("\n"), to)
                case Response(409) if answer.header("Content-Type") == door.SIZE_TYPE:
                    if int(answer.body) > shown.size:
                        return False
                    self._sizes[key] = int(answer.body)
                case Response(404):
                    node, own = run.credentials.node.encoded, run.credentials.run.encoded
                    self._post(to, door.RUN, witnessing.introduce(node, own))
                case _:
                    return False
        return False

    def _keep(self, desk: Desk, run: Run, shown: Checkpoint, line: str, of: Witness) -> bool:
        """Keep a cosignature, verified; say whether it is news."""
        name = checkpoint.witness_name(of.who.root.id)
        note.check_cosignature(shown.text, line, name, of.key.public)
        kept = desk.submit(lambda db: journal.keep_cosignature(db, run.key.id, shown.size, line))
        return kept.exception() is None and kept.result()

    def _post(self, to: Witness, target: str, body: bytes) -> Response | None:
        """Ask a witness; the question or the answer may be lost."""
        if self._dice.random() < self._loss:
            return None
        answer = to.post(target, body, self._dice)
        return None if self._dice.random() < self._loss else answer
