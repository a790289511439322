"""Which devices of this gateway belong to which activity, so that their readings go there.

In: what this node itself said, as the activities have it; nobody else binds its devices. Out: for
each device the activity and its group. What belonged to an activity that is closed is let go. It
decides nothing: the fold does. Protocol: docs/protocol/activity.md.
"""

from dataclasses import replace

from gateway.store import activities, folding
from gateway.store.authoring import Venue
from gateway.store.database import Connection
from gateway.store.folding import Bound, Folded
from gateway.store.writer import Writer


class Bindings:
    """The devices bound by one node, as looked at last."""

    def __init__(self, node: bytes, folded: Folded, writer: Writer) -> None:
        self._node, self._folded, self._writer = node, folded, writer
        self._now = Bound()

    def look(self) -> bool:
        """Look again; say whether readings go elsewhere from now on."""
        before = self._now.devices
        self._now = self._folded.ask(lambda db, folds: folding.bound(db, folds, self._node))
        if self._now.closed:
            self._writer.submit(self._let_go).result()
        return self._now.devices != before

    def venues(self, groups: dict[bytes, Venue]) -> dict[str, Venue]:
        """Give by device where its readings are written, in these groups."""
        return {
            device: replace(groups[within], activity=named)
            for device, (named, within) in self._now.devices.items()
            if within in groups
        }

    def _let_go(self, db: Connection) -> None:
        for named in self._now.closed:
            activities.let_go(db, self._node, named)
