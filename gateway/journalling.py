"""When this run's journal grows: looked at again and again, and done in the store's own commit.

In: the run, the writer, whether a witness can be reached now. Out: a journal that grew, with its
checkpoint, once it is durable. Who shows it to witnesses asks the store. Protocol:
docs/protocol/journal.md.
"""

from collections.abc import Callable

from gateway.records.journal import Rule, due
from gateway.store import journal
from gateway.store.authoring import Author
from gateway.store.database import Connection
from gateway.store.writer import Writer


class Journalling:
    """The journal of one start of the agent."""

    def __init__(
        self, author: Author, writer: Writer, reachable: Callable[[], bool], rule: Rule
    ) -> None:
        self._author, self._writer, self._reachable, self._rule = author, writer, reachable, rule
        self._since_ms: int | None = None  # when something was lacking first

    def once(self) -> bool:
        """Grow the journal if that is due; say whether it did. Blocks for the commit."""
        now_ms, reachable = self._author.now().monotonic_ms, self._reachable()
        since_ms = now_ms if self._since_ms is None else self._since_ms

        def job(db: Connection) -> tuple[int, bool]:
            run = self._author.run
            lacking = journal.lacking(db, run)
            # What closed runs left is of use only where somebody can cosign it.
            lacking += len(journal.tails(db, run)) if reachable else 0
            if not due(lacking, now_ms - since_ms, reachable, self._rule):
                return lacking, False
            return 0, journal.grow(db, run, with_tails=reachable) is not None

        lacking, has_grown = self._writer.submit(job).result()
        self._since_ms = since_ms if lacking else None
        return has_grown
