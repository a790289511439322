"""What this node says by hand rather than over a link: greetings, rosters, invitations, ACKs.

In: for which nodes, of which groups. Out: envelopes, each with whom it is for. They begin no
session and change nothing here: whatever comes back is judged as if a link had brought it.
docs/protocol/bundle.md.
"""

from collections.abc import Collection, Iterator

from gateway.groups.group import Group
from gateway.peers.circle import Circle
from gateway.peers.inviting import Inviting
from gateway.peers.voice import Voice
from gateway.store import feeds, outbox
from gateway.store.database import Connection
from gateway.sync.bundle import Entry
from gateway.sync.message import ROSTERS_MAX, Body


class Letters:
    """The part of an exchange that writes what is carried by hand."""

    def __init__(self, circle: Circle, voice: Voice, inviting: Inviting, read: Connection) -> None:
        self._circle, self._voice, self._inviting, self._read = circle, voice, inviting, read

    def greetings(self, nodes: Collection[bytes], groups: Collection[bytes]) -> Iterator[Entry]:
        """Introduce this run to each node, and invite whom this node invited; then the rosters."""
        met: dict[bytes, Group] = {}
        for node in sorted(nodes):
            relation = self._circle.relation(node)
            for group in relation.groups:
                if group.id not in groups:
                    continue
                met[group.id] = group
                if node in self._inviting.waiting(group.id):
                    yield Entry(node, self._inviting.invite(group, node).payload)
            yield Entry(node, self._voice.greeting(relation))
        for group in met.values():
            yield from self._rosters(group)

    def receipts(self, node: bytes, group: bytes) -> Iterator[Entry]:
        """Sign to a node for all that is held here of a group and that others wrote."""
        relation = self._circle.relation(node, group)
        within = next(each for each in relation.groups if each.id == group)
        own = feeds.sizes(self._read, group, self._circle.me.node)
        heads = (head for head in feeds.heads(self._read, group) if head.feed not in own)
        held = [outbox.entry(self._read, head) for head in heads]
        for said in self._voice.acks(relation, within, held):
            yield Entry(node, said.payload)

    def _rosters(self, group: Group) -> Iterator[Entry]:
        """Give the rosters after the one that a group was founded by: each member has that."""
        known = self._circle.rosters(group)
        founded = known.get(group.founding.roster)
        later = [each for each in known.values() if founded is None or each.number > founded.number]
        for each in sorted(later, key=lambda one: one.number)[-ROSTERS_MAX:]:
            yield Entry(None, self._voice.enclosed(group, Body(each.hash, 0, each.encoded)))
