"""Which runs of a node lived after which: clones told from restarts. docs/protocol/clones.md.

In: verified answers of a peer to challenges: fresh HELLOs of ours, numbered as they are drawn.
Out: the next state, the alarms that an answer raises, and whether another challenge is to be drawn.
It knows no time: that a run answers a challenge shows only that it lived after that was drawn.
"""

from dataclasses import dataclass, replace
from typing import Final

# Runs of a node that are remembered; the one that answered longest ago is forgotten first.
RUNS_MAX: Final = 16


@dataclass(frozen=True, slots=True)
class Alarm:
    """Two runs of one node that both went on; `older` is the one that answered us first."""

    node: bytes
    older: bytes
    newer: bytes


@dataclass(frozen=True, slots=True)
class Seen:
    """A run by its key's id: the newest challenge when it was first heard, and that it answered."""

    run: bytes
    since: int
    latest: int

    def outlived(self, other: "Seen") -> bool:
        """Say whether it answered a challenge that was drawn after the other was first heard."""
        return self.latest > other.since


@dataclass(frozen=True, slots=True)
class Runs:
    """The runs heard of a peer, in the order of their first answers; `drawn` challenges so far."""

    node: bytes
    drawn: int = 0
    seen: tuple[Seen, ...] = ()

    @property
    def due(self) -> bool:
        """Say whether a challenge is to be drawn: none is younger than the first answers of all."""
        return len(self.seen) > 1 and any(each.since == self.drawn for each in self.seen)

    def answered(self, run: bytes, challenge: int, drawn: int) -> tuple["Runs", tuple[Alarm, ...]]:
        """Take an answer verified when so many were drawn; two that outlived each other alarm."""
        before = next((each for each in self.seen if each.run == run), None)
        if before is None:
            seen = (*self._remembered(), Seen(run, drawn, challenge))
            return Runs(self.node, drawn, seen), ()
        after = replace(before, latest=max(before.latest, challenge))
        seen = tuple(after if each is before else each for each in self.seen)
        place = self.seen.index(before)
        alarms = []
        for at, other in enumerate(self.seen):
            newly = after.outlived(other) and not before.outlived(other)
            if newly and other.outlived(before):
                pair = (other.run, run) if at < place else (run, other.run)
                alarms.append(Alarm(self.node, *pair))
        return Runs(self.node, drawn, seen), tuple(alarms)

    def _remembered(self) -> tuple[Seen, ...]:
        """Give the runs that stay beside a new one."""
        if len(self.seen) < RUNS_MAX:
            return self.seen
        forgotten = min(self.seen, key=lambda each: each.latest)
        return tuple(each for each in self.seen if each is not forgotten)
