"""Who is a member by records of members, as docs/protocol/{proof,membership}.md say.

In: a founding's members and the records shown. Out: the members, by all of them or by a view of one
feed; or Refused. Of acts it knows additions and approvals alone: who asks more of it is refused. It
imports nothing of gateway/.
"""

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from tests.oracle.authors import claims_of, named_by, record_of
from tests.oracle.signed import is_bytes, is_number, need, payload_of, read
from tests.oracle.way import quorum

Node = tuple[str, str]  # organisation and node in hex
Roles = dict[Node, list[int]]
REQUIRED = {0, 1, 2}


@dataclass
class Act:
    """A membership record: whose it is, what it names before it, and what it says."""

    by: Node
    named: set[bytes]
    said: list[Any]


@dataclass
class Feed:
    """What was shown of one feed."""

    by: tuple[str, str, bytes]
    last: int = -1
    view: list[bytes] = field(default_factory=list)
    own: set[bytes] = field(default_factory=set)  # its last membership record
    views: list[tuple[int, list[bytes], int]] = field(default_factory=list)


class Shown:
    """The records of members of one group, read in the order in which they stand."""

    def __init__(self, group: bytes, first: Roles, roots: dict[str, bytes], trusted: bytes) -> None:
        self.group, self.first, self.roots, self.trusted = group, first, roots, trusted
        self.feeds: dict[bytes, Feed] = {}
        self.acts: dict[bytes, Act] = {}

    def add(self, encoded: bytes, body: bytes) -> None:
        """Read the next record."""
        claimed = read(payload_of(encoded), 2048)
        need(isinstance(claimed, dict) and is_number(claimed.get(6)) and claimed[6] <= 3)
        content = read(body[32:], 40_960)
        if claimed[6] == 0:
            need(isinstance(content, dict) and set(content) == set(range(6)))
            need(content[5][0] == self.trusted)
            by = named_by([content[0], content[1], content[2]], self.roots)
            self.feeds.setdefault(claimed[1], Feed(by))
        need(claimed[1] in self.feeds)
        feed = self.feeds[claimed[1]]
        said = record_of(encoded, feed.by)
        need(said[4] == self.group and said[2] > feed.last and said[11] is not None)
        need(said[11][:2] == [sha256(body).digest(), len(body)])
        need(sha256(b"hulian/1/commit" + body).digest() == said[11][2])
        feed.last = said[2]
        self._take(feed, said, content, sha256(b"\x00" + encoded).digest())

    def _take(self, feed: Feed, said: dict[int, Any], content: Any, name: bytes) -> None:
        if said[6] < 2:
            feed.view = content[5][1] if said[6] == 0 else content[3][1]
            own = said[6] == 1 and content[0] == said[1]
            feed.views.append((said[2], feed.view, content[1] if own else 0))
        elif said[6] == 2:
            need(isinstance(content, list) and content[0] in (0, 2))
            self.acts[name] = Act(feed.by[:2], {*feed.own, *feed.view, *said[8]}, content)
            feed.own = {name}

    def past(self, names: set[bytes]) -> set[bytes] | None:
        """Give these and what was before them; None where some of it is not shown."""
        found, open_still = set[bytes](), list(names)
        while open_still:
            name = open_still.pop()
            if name not in self.acts:
                return None
            if name not in found:
                found.add(name)
                open_still += self.acts[name].named
        return found

    def members(self, part: set[bytes] | None = None) -> Roles:
        """Give the members by a part that holds the past of each; by default, all that is whole."""
        if part is None:
            part = {name for name in self.acts if self.past({name}) is not None}
        members = dict(self.first)
        for name in part:
            said = self.acts[name].said
            if said[0] == 0 and self._complete(name, part):
                members[said[1].hex(), said[2].hex()] = said[4]
        return members

    def _complete(self, name: bytes, part: set[bytes]) -> bool:
        before = self._before(name)
        if self.acts[name].by not in before or not self._sound(self.acts[name].said):
            return False
        voices = {self.acts[name].by[0]}
        for other in part:
            act = self.acts[other]
            if act.said[0] == 2 and act.said[1] == name and name in (self.past(act.named) or ()):
                voices |= {act.by[0]} if act.by in self._before(other) else set()
        return len(voices) >= quorum(len({organisation for organisation, _ in before}))

    def _before(self, name: bytes) -> Roles:
        return self.members(self.past(self.acts[name].named) or set())

    def _sound(self, said: list[Any]) -> bool:
        """See that the certificates of an addition verify."""
        organisation, node, encryption, _, certificate = said[1:]
        need(is_bytes(organisation, 16) and organisation.hex() in self.roots)
        names = claims_of(certificate, "node", self.roots[organisation.hex()])
        need(names[:2] == (organisation.hex(), node.hex()))
        return bool(claims_of(encryption, "encryption", names[2])[0] == node.hex())

    def required(self, said: dict[int, Any]) -> set[str] | None:
        """Give the organisations that must have receipted a record; None where it is not shown."""
        feed = self.feeds.get(said[1])
        views = [each for each in (feed.views if feed else []) if each[0] <= said[2]]
        if not views or (said[5] and all(number != said[5] for _, _, number in views)):
            return None
        part = self.past(set(views[-1][1]))
        if part is None:
            return None
        members = self.members(part)
        return {node[0] for node, roles in members.items() if REQUIRED & set(roles)}
