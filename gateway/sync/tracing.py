"""Where two histories of one feed part: found by halving, by few questions to one holder.

In: how much of a feed both hold with different roots, then the other's record at each number that
is asked for. Out: the next number to ask for, and at the end the first record that differs. It
believes nobody: what it ends in is two records, which are evidence or are not. Protocol:
docs/protocol/evidence.md.
"""

from dataclasses import dataclass, replace

from gateway.records.record import Record


@dataclass(frozen=True, slots=True)
class Trace:
    """What is known: below `same` all is one history, from `differs` on it is not.

    `theirs` is the other's record at `differs`; None until the first answer.
    """

    differs: int
    same: int = 0
    theirs: Record | None = None

    @property
    def asked(self) -> int | None:
        """Give the number to ask for; None when the first record that differs is known."""
        if self.theirs is None:
            return self.differs - 1
        return None if self.same >= self.differs else (self.same + self.differs) // 2

    def answered(self, ours: Record, theirs: Record) -> "Trace | None":
        """Take an answer to what was asked; None where histories do not differ as was said."""
        if ours.id != theirs.id:
            # A record that follows our own one is the first that differs.
            same = theirs.seq if ours.previous == theirs.previous else self.same
            return replace(self, differs=theirs.seq, same=same, theirs=theirs)
        return None if self.theirs is None else replace(self, same=theirs.seq + 1)
