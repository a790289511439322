"""What is said to those who were removed while they were away: their removal, and no more.

In: a node that greets, or speaks in an old session, and is no member now. Out: the records of the
feed that holds its removal, from where it last signed for that feed up to the removal. It is told
now and then, and never asked. docs/protocol/sync.md.
"""

from gateway.groups.group import Group
from gateway.peers.circle import Circle
from gateway.peers.voice import Voice
from gateway.peers.wire import Outgoing
from gateway.store import feeds, membership, outbox
from gateway.store.database import Connection
from gateway.sync.message import RECORDS_MAX, Carried, Recs

PAUSE_MS = 60_000
# Of records and bodies in one message; with what CBOR and the envelope add it is below 64 KiB.
_RECORDS_BYTES_MAX = 56 * 1024
_MESSAGES_MAX = 16


class Farewells:
    """Whom this node has told that it was removed, and when again at the earliest."""

    def __init__(self, circle: Circle, voice: Voice, read: Connection) -> None:
        self._circle, self._voice, self._read = circle, voice, read
        self._again_ms: dict[bytes, int] = {}

    def to(self, node: bytes, now_ms: int) -> list[Outgoing]:
        """Give what tells a node of its removals; nothing to members, strangers and too often."""
        groups = [each for each in self._circle.groups.values() if self._is_removed(each, node)]
        if not groups or now_ms < self._again_ms.get(node, now_ms):
            return []
        self._again_ms[node] = now_ms + PAUSE_MS
        return [said for each in groups for said in self._removals(each, node)]

    def _is_removed(self, group: Group, node: bytes) -> bool:
        held = self._circle.members(group.id)
        return node in held.cuts and not held.has(node)

    def _removals(self, group: Group, node: bytes) -> list[Outgoing]:
        said: list[Outgoing] = []
        for feed, seq in membership.removals(self._read, group.id, node):
            start = outbox.cursor(self._read, node, feed)
            while start <= seq and len(said) < _MESSAGES_MAX:
                stop = min(seq + 1, start + RECORDS_MAX)
                held = feeds.slice_of(self._read, feed, start, stop, _RECORDS_BYTES_MAX)
                if not held:
                    break
                carried = tuple(Carried(each.encoded, each.body) for each in held)
                said.append(self._voice.tell(node, group, Recs(feed, start, carried)))
                start += len(held)
        return said
