"""What a gateway of a world does with its journal: it grows, and witnesses are shown it.

In: a gateway's store and run, the witnesses it knows, a network that loses requests and answers.
Out: cosignatures, in the store. All of it is the agent's own code, but for the connections: a
question is answered on the spot, or lost.
"""

import random
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import apsw

from gateway.config import Witness as Settings
from gateway.errors import GatewayError, LinkUnreachable, WitnessBusy
from gateway.peers.witnesses import Shown, _Followed
from gateway.records import checkpoint
from gateway.records.feed import Head
from gateway.records.roster import Roster
from gateway.records.run import Run
from gateway.store import checkpoints, feeds, journal
from gateway.transport.http import Response
from tests.sim import disk
from tests.sim.disk import Desk
from tests.sim.witness import Witness

Ask = Callable[[Witness, str, bytes], Response | None]


@dataclass(frozen=True, slots=True)
class Ledger:
    """This run's journal, and where its cosignatures are kept."""

    run: bytes
    db: apsw.Connection
    desk: Desk
    rosters: Sequence[Sequence[Roster]]

    def newest(self) -> bytes | None:
        """Give this run's newest checkpoint, signed; None where there is none yet."""
        return journal.newest_checkpoint(self.db, self.run)

    def consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        """Prove that the journal at one size extends it at another; raise ProofFails."""
        return journal.consistency(self.db, self.run, old, new)

    def keep(self, size: int, line: str) -> None:
        """Keep a cosignature of the checkpoint of a size, which was verified."""
        kept = self.desk.submit(lambda db: journal.keep_cosignature(db, self.run, size, line))
        kept.result()

    def chains(self) -> Sequence[Sequence[Roster]]:
        """Give the rosters held, a consortium after another."""
        return self.rosters


class Submitting:
    """One run's journal."""

    def __init__(
        self, run: Run, ledger: Ledger, witnesses: Sequence[Witness], ask: Ask, dice: random.Random
    ) -> None:
        self._run, self._ledger, self._witnesses = run, ledger, witnesses
        self._ask, self._dice = ask, dice
        shown = Shown(run, ledger, dice.randbytes)
        self._followed = [_Asked(each, shown, ask) for each in witnesses]

    def beside(self, db: apsw.Connection) -> "Submitting":
        """Have some of the witnesses see the journal in another store."""
        ledger = replace(self._ledger, db=db, desk=Desk(db, self._dice, 0.0))
        some = self._dice.sample(self._witnesses, self._dice.randint(1, len(self._witnesses)))
        return Submitting(self._run, ledger, some, self._ask, self._dice)

    def grow(self) -> bool:
        """Have the journal grow, in one commit; False where the disk refused."""
        grown = self._ledger.desk.submit(lambda db: journal.grow(db, self._run))
        return grown.exception() is None

    def show(self) -> bool:
        """Show the newest checkpoint to whoever has not cosigned it; say whether all have then."""
        signed = self._ledger.newest()
        if signed is None:
            return True
        size = checkpoint.read(signed)[1].size
        for each in self._followed:
            if each.status.size < size:
                with suppress(GatewayError):
                    _done(each._show(signed))
        return all(each.status.size == size for each in self._followed)


class _Asked(_Followed):
    """A witness that is asked without a connection."""

    def __init__(self, witness: Witness, shown: Shown, ask: Ask) -> None:
        settings = Settings(name=witness.who.name, url="http://witness")
        super().__init__(settings, shown, Counter())
        self._witness, self._ask = witness, ask

    async def _post(self, path: str, body: bytes) -> Response:
        answer = self._ask(self._witness, path, body)
        if answer is None:
            raise LinkUnreachable(peer=self._witness.who.name, reason="it is lost")
        if answer.status == 429:
            raise WitnessBusy(who="run", seconds=1)
        # As a client reads them.
        headers = tuple((name.lower(), value) for name, value in answer.headers)
        return replace(answer, headers=headers)


def forked(db: apsw.Connection, run: Run, dice: random.Random) -> apsw.Connection | None:
    """Have a journal grow, and give a copy of the store in which it grew otherwise: as far, with
    one head that is an earlier one of its feed, or none of it. None where nothing is new.
    """
    branch, before = disk.copy_of(db), journal.size(db, run.key.id)
    with db:
        if journal.grow(db, run) is None:
            return None
    rows = db.execute(
        "SELECT f.id, e.size, e.root FROM journal_entries e JOIN feeds f ON f.number = e.feed"
        " JOIN journals j ON j.number = e.journal WHERE j.run = ? AND e.position >= ?"
        " ORDER BY e.position",
        (run.key.id, before),
    )
    heads = [Head(bytes(feed), size, bytes(root)) for feed, size, root in rows]
    at = dice.randrange(len(heads))
    name, size = heads[at].feed, heads[at].size
    held = branch.execute(
        "SELECT max(e.size) FROM journal_entries e JOIN feeds f ON f.number = e.feed"
        " WHERE f.id = ?",
        (name,),
    ).get
    if size - (held or 0) > 1 and dice.random() < 0.6:
        heads[at] = Head(name, size - 1, feeds.root_at(db, name, size - 1))
    else:
        heads[at] = Head(name, size, dice.randbytes(32))
    with branch:
        grown = journal.append(branch, run.key.id, heads)
        note = checkpoint.sign(run.key, grown.size, grown.root())
        checkpoints.keep(branch, run.key.id, grown.size, note)
    return branch


def _done(work: Coroutine[object, object, None]) -> None:
    """Do something that never waits."""
    with suppress(StopIteration):
        work.send(None)
