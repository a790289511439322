"""What was acknowledged to machines, held against what members can find of it.

In: acknowledgements, and stores that were replaced by old copies. Out: nothing, or an
AssertionError: a reading that nobody finds, finds twice, or that only some find.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.groups.group import Group
from gateway.records.feed import feed_id
from gateway.store import feeds
from tests.sim.gateway import Gateway


@dataclass(frozen=True, slots=True)
class Entry:
    """Where the record is that holds what a machine said."""

    group: bytes
    feed: bytes
    size: int  # of the feed that ends in it


class Ledger:
    """All that was acknowledged, and is not known to be lost with every disk that had it."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}

    def acknowledged(self, gateway: Gateway, group: Group, device: str) -> None:
        """Note that what a machine said is committed: in the last record of the run's feed."""
        name = feed_id(gateway.run.key.public, group.id)
        head = feeds.head(gateway.db, name)
        if head is not None:  # Else its run ended in that very moment, after the commit.
            self._entries[device] = Entry(group.id, name, head.size)

    def replaced(self, held: Mapping[bytes, int]) -> None:
        """Let go of what no honest store holds any more, after one was replaced."""
        self._entries = {
            device: each
            for device, each in self._entries.items()
            if held.get(each.feed, 0) >= each.size
        }

    def check(self, honest: Sequence[Gateway], groups: Sequence[Group]) -> None:
        """Have each honest member of a group find the same, each thing once, and all of it."""
        nodes = {each.node for each in honest}
        for group in groups:
            wanted = {device for device, each in self._entries.items() if each.group == group.id}
            found = [_devices(each, group, nodes) for each in honest if group in each.groups]
            for each in found:
                assert max(each.values(), default=1) == 1, "a reading was doubled"
                lost = wanted - each.keys()
                assert not lost, f"acknowledged, and not found: {sorted(lost)}"


def _devices(gateway: Gateway, group: Group, nodes: set[bytes]) -> Counter[str]:
    """Count the records of these nodes in which each machine speaks."""
    rows = gateway.db.execute(
        "SELECT o.device, f.node FROM observations o JOIN feeds f ON f.number = o.place >> 32"
        " JOIN groups g ON g.number = f.in_group WHERE g.id = ?",
        (group.id,),
    )
    return Counter(str(device) for device, node in rows if node in nodes)
