"""What a run shows its witnesses, out of the store: checkpoints, proofs, rosters.

In: the run, the writer, the files. Out: the same bytes that were committed; cosignatures go into
the next commit. It has a reading connection of its own, in the thread that first asks.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

from gateway.records.roster import Roster
from gateway.store import consortium, database, journal
from gateway.store.database import Connection
from gateway.store.writer import Writer


class JournalLedger:
    """This run's journal, and where its cosignatures are kept."""

    def __init__(self, run: bytes, writer: Writer, path: str, state_dir: Path) -> None:
        self._run, self._writer, self._path, self._state_dir = run, writer, path, state_dir
        self.told: Callable[[], None] = lambda: None  # after each cosignature that is news

    @cached_property
    def _read(self) -> Connection:
        return database.connect_to_read(self._path)

    def newest(self) -> bytes | None:
        """Give this run's newest checkpoint, signed; None where there is none yet."""
        with database.explained(self._path):
            return journal.newest_checkpoint(self._read, self._run)

    def consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        """Prove that the journal at one size extends it at another; raise ProofFails."""
        with database.explained(self._path):
            return journal.consistency(self._read, self._run, old, new)

    def keep(self, size: int, line: str) -> None:
        """Keep a cosignature of the checkpoint of a size, which was verified."""
        run = self._run
        if self._writer.submit(lambda db: journal.keep_cosignature(db, run, size, line)).result():
            self.told()

    def chains(self) -> Sequence[Sequence[Roster]]:
        """Give the rosters held, a consortium after another."""
        held = consortium.load_rosters(self._state_dir)
        of = sorted({each.consortium for each in held.values()})
        return [consortium.chain(held, each) for each in of]
