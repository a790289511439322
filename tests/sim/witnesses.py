"""The witnesses of a world, and when they fail; when gateways show them their journals.

In: organisations with the natures of their witnesses, gateways that did something. Out: journals
that grow and are cosigned, soon after something is new in them, and again until each witness that
answers has cosigned all of it.
"""

import random
from collections.abc import Sequence
from functools import partial

from gateway.groups.group import Group
from gateway.records.roster import quorum
from gateway.store import journal
from gateway.transport.http import Response
from tests.people import Party
from tests.sim.clock import Clock
from tests.sim.gateway import Gateway
from tests.sim.journal import Ledger, Submitting
from tests.sim.options import Options
from tests.sim.witness import HONEST, Witness

JOURNAL_MS = 15_000
AGAIN_MS_MAX = 600_000


class Witnesses:
    """All of them; none where the world has none."""

    def __init__(
        self, options: Options, parties: Sequence[Party], groups: list[Group], clock: Clock
    ) -> None:
        self._options, self._clock = options, clock
        self._dice = random.Random(f"journals {options.seed}")
        self.all = [
            Witness(who, groups, nature, clock)
            for who, nature in zip(parties, options.witnesses, strict=False)
            if nature
        ]
        self._tries: dict[str, int] = {}  # of gateways that will show their journals
        self._seen: dict[str, tuple[int, int]] = {}

    def meet(self, gateway: Gateway) -> None:
        """Have a gateway know where they are."""
        if self.all:
            gateway.submitting = self._submitting

    def befall(self, span_ms: int) -> None:
        """Draw when they are copied, and fail."""
        for each in self.all:
            copied_ms = self._dice.randrange(span_ms)
            self._clock.at(copied_ms, each.copy)
            self._clock.at(self._dice.randrange(copied_ms, span_ms), each.fail)

    def stir(self, gateway: Gateway) -> None:
        """Have a gateway show its journal soon, if something may be new in it."""
        seen = gateway.runs, gateway.db.total_changes()
        if self.all and self._seen.get(gateway.name) != seen and gateway.name not in self._tries:
            self._seen[gateway.name] = seen
            db, run = gateway.db, gateway.run
            if journal.lacking(db, run) or journal.tails(db, run):
                self._soon(gateway, 0)

    def suffice(self, group: Group) -> bool:
        """Say whether enough of a group's witnesses answer, and cosign what they should."""
        members = {each.organisation for each in group.founding.members}
        of = [each for each in self.all if each.who.root.id in members]
        good = [each for each in of if each.nature == HONEST]
        return bool(of) and len(good) >= quorum(len(of))

    def _submitting(self, gateway: Gateway) -> Submitting:
        chains = [(*group.earlier, group.roster) for group in gateway.groups]
        ledger = Ledger(gateway.run.key.id, gateway.db, gateway.desk, chains)
        return Submitting(gateway.run, ledger, self.all, self._ask, self._dice)

    def _ask(self, witness: Witness, path: str, body: bytes) -> Response | None:
        """Ask a witness; the question or the answer may be lost."""
        if self._dice.random() < self._options.loss:
            return None
        answer = witness.post(path, body, self._dice)
        return None if self._dice.random() < self._options.loss else answer

    def _soon(self, gateway: Gateway, tries: int) -> None:
        self._tries[gateway.name] = tries
        wait_ms = min(JOURNAL_MS << min(tries, 10), AGAIN_MS_MAX)
        self._clock.after(self._dice.uniform(wait_ms / 2, wait_ms), partial(self._show, gateway))

    def _show(self, gateway: Gateway) -> None:
        is_done = gateway.show_journal()
        tries = self._tries.pop(gateway.name)
        if not is_done:
            self._soon(gateway, tries + 1)
