"""What is cosigned: whose witnesses count in a group, and whether enough of them signed.

In: the organisations that a founding names, the members', a roster; a checkpoint and lines under
it. Out: the witnesses, and which organisations' cosignatures hold. It knows no store and no time:
when a cosignature was made is the witness's word. Protocol: docs/protocol/journal.md.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from gateway.records import note, roster
from gateway.records.checkpoint import Checkpoint, witness_name
from gateway.records.note import COSIGNATURE
from gateway.records.roster import Roster


@dataclass(frozen=True, slots=True)
class Witnesses:
    """The witness keys that count in a group, by organisation."""

    keys: Mapping[bytes, bytes]

    @property
    def quorum(self) -> int:
        """Give how many must cosign; one where there is none, so that nothing is ever enough."""
        return roster.quorum(len(self.keys)) if self.keys else 1

    def suffice(self, organisations: Collection[bytes]) -> bool:
        """Say whether so many organisations' witnesses are a quorum."""
        return len(self.keys.keys() & set(organisations)) >= self.quorum


def witnesses(named: Collection[bytes], members: Collection[bytes], newest: Roster) -> Witnesses:
    """Give the witnesses of a group: of the organisations named, or, where none is, the members'.

    Their keys are those of the newest roster: what a witness signed under another counts nothing.
    """
    counting = frozenset(named or members)
    return Witnesses(
        {
            each.id: each.witness
            for each in newest.organisations
            if each.id in counting and each.witness is not None
        }
    )


def cosigned(
    checkpoint: Checkpoint, cosignatures: Iterable[str], by: Witnesses
) -> frozenset[bytes]:
    """Give the organisations whose witnesses cosigned; lines of other keys are passed over.

    Raises MalformedNote where a line is none, BadNote where one of a witness's key is false.
    """
    return frozenset(counting(checkpoint, cosignatures, by))


def counting(
    checkpoint: Checkpoint, cosignatures: Iterable[str], by: Witnesses
) -> dict[bytes, str]:
    """Give the lines that count, by organisation; raise as `cosigned`."""
    known = {}
    for organisation, public in by.keys.items():
        name = witness_name(organisation)
        known[name, note.kid_of(name, COSIGNATURE, public)] = organisation, public
    lines = {}
    for line in cosignatures:
        said = note.parse_line(line)
        found = known.get((said.name, said.kid))
        if found is not None:
            note.check_cosignature(checkpoint.text, line, said.name, found[1])
            lines[found[0]] = line
    return lines
