"""What a batch brought against somebody, judged and kept in the commit that stores the batch.

In: pairs of records that cannot be in one feed, evidence that was sent, records of evidence, bodies
that are not those committed to. Out: what was found, and the groups it changes. Whatever shows
nothing is counted, and stops nothing. Protocol: docs/protocol/evidence.md.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from gateway.errors import AuthorError
from gateway.groups.evidence import Finding
from gateway.store import evidence
from gateway.store.database import Connection
from gateway.store.evidence import Leaf, Origin

# Of one batch; what is more is found again.
SUSPICIONS_MAX: Final = 64

_Suspicion = Callable[[Connection], bytes | None]
_Journals = tuple[bytes, tuple[bytes, bytes], Sequence[str]]


class Accusing:
    """The suspicions of one batch."""

    def __init__(self, own: bytes, counts: Counter[str]) -> None:
        self._own, self._counts = own, counts
        self._suspicions: list[tuple[_Suspicion, Origin]] = []
        self._journals: list[_Journals] = []
        self._rosters: list[bytes] = []
        self._impossible: list[tuple[bytes, str, int]] = []
        # What was new when the batch was stored, with its bytes and how it came.
        self.found: list[tuple[Finding, bytes, Origin]] = []

    def __bool__(self) -> bool:
        return bool(self._suspicions or self._journals or self._rosters or self._impossible)

    def forked(self, one: bytes, other: bytes) -> None:
        """Suspect that two signed records cannot be in one feed."""
        self._add(partial(evidence.fork, one=one, other=other), Origin.FOUND)

    def misbodied(self, signed: bytes, body: bytes, unix_ms: int) -> None:
        """Suspect that a body that a record names is not the one it commits to."""
        suspicion = partial(evidence.wrong_body, signed=signed, body=body, unix_ms=unix_ms)
        self._add(suspicion, Origin.FOUND)

    def journals(self, run: bytes, both: tuple[bytes, bytes], lines: Sequence[str]) -> None:
        """Suspect that a run signed two checkpoints of one size, the second under these lines."""
        if len(self._journals) < SUSPICIONS_MAX:
            self._journals.append((run, both, lines))

    def rival(self, encoded: bytes) -> None:
        """Suspect that somebody signed this roster, and another one of its number that is held."""
        if len(self._rosters) < SUSPICIONS_MAX:
            self._rosters.append(encoded)

    def rewritten(self, run: bytes, one: Leaf, other: Leaf) -> None:
        """Suspect that a run's journal has had two heads under one number."""
        self._add(partial(evidence.rewrite, run=run, one=one, other=other), Origin.FOUND)

    def shown(self, content: bytes) -> None:
        """Judge what somebody sent as evidence."""
        self._add(partial(_itself, content), Origin.HEARD)

    def impossible(self, node: bytes, code: str, unix_ms: int) -> None:
        """Remember that a peer said in its proven name what no honest one says."""
        if len(self._impossible) < SUSPICIONS_MAX:
            self._impossible.append((node, code, unix_ms))

    def settle(
        self, db: Connection, records: Sequence[tuple[int, bytes | None]]
    ) -> frozenset[bytes]:
        """Keep what shows something, `records` of evidence too; give the groups it changes."""
        self.found.clear()
        for suspicion, origin in self._suspicions:
            self._judge(db, suspicion, origin)
        for run, both, lines in self._journals:
            for each in evidence.journal_forks(db, run, *both, lines):
                self._judge(db, partial(_itself, each), Origin.FOUND)
        for each in evidence.rosters_twice(db, self._rosters) if self._rosters else ():
            self._judge(db, partial(_itself, each), Origin.FOUND)
        for place, content in records:
            try:
                self._note(evidence.read(db, place, content, self._own), content, Origin.RECORD)
            except AuthorError as fault:
                self._counts[fault.code] += 1
        for node, code, unix_ms in self._impossible:
            evidence.note_impossible(db, node, code, unix_ms)
        return frozenset(each.group for each, _, _ in self.found if each.group is not None)

    def _add(self, suspicion: _Suspicion, origin: Origin) -> None:
        if len(self._suspicions) < SUSPICIONS_MAX:
            self._suspicions.append((suspicion, origin))

    def _judge(self, db: Connection, suspicion: _Suspicion, origin: Origin) -> None:
        try:
            content = suspicion(db)
            if content is not None:
                self._note(evidence.keep(db, content, origin, self._own), content, origin)
        except AuthorError as fault:
            self._counts[fault.code] += 1

    def _note(self, finding: Finding | None, content: bytes | None, origin: Origin) -> None:
        if finding is not None and content is not None:
            self.found.append((finding, content, origin))


def _itself(content: bytes, _db: Connection) -> bytes:
    return content
