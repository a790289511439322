"""What is sealed to this node alone: greetings answered, invitations kept, rosters asked for.

In: opened HELLOs and INVITEs, rosters that were asked for. Out: what is to be said; sessions begun.
Nothing said here is believed without a certificate, and nothing is stored before the commit.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from gateway.errors import ClonedNode, MalformedMessage, NotAMember
from gateway.groups import rivals
from gateway.groups.group import Group, group_id
from gateway.peers import inviting
from gateway.peers.circle import Circle
from gateway.peers.farewell import Farewells
from gateway.peers.inviting import Invited
from gateway.peers.relation import Relation
from gateway.peers.staging import Staged
from gateway.peers.succession import Succession
from gateway.peers.voice import Voice
from gateway.peers.wire import Outgoing
from gateway.records.feed import Head
from gateway.store import feeds, groups, outbox, peers
from gateway.store.database import Connection
from gateway.sync import decide, message
from gateway.sync.control import Control
from gateway.sync.invitation import Invite
from gateway.sync.message import HEADS_MAX, Body, Hello

INVITATIONS_MAX = 64
UNANSWERED = "sync.unanswered"
UNKEPT = "sync.unkept"  # more invitations at once than are kept


class Greeter:
    """The part of an exchange's ear that meets others."""

    def __init__(
        self, circle: Circle, voice: Voice, read: Connection, counts: Counter[str]
    ) -> None:
        self._circle, self._voice, self._read, self._counts = circle, voice, read, counts
        self.succession = Succession()
        self._farewells = Farewells(circle, voice, read)
        # Invitations that could be accepted, by group: taken away by who decides that.
        self.invitations: dict[bytes, Invited] = {}

    def sealed(self, plain: bytes, now_ms: int, staged: Staged) -> list[Outgoing]:
        """Take what was sealed to this node: a greeting, or an invitation."""
        match message.decode(plain):
            case Hello() as said:
                gone = self._farewells.to(said.credentials.node.subject, now_ms)
                try:
                    return gone + self._hello(said, plain, now_ms, staged)
                except NotAMember:
                    if not gone:
                        raise
                    return gone
            case Invite() as said:
                return self._invited(said, staged)
        raise MalformedMessage(reason="only HELLO and INVITE are sealed to a node")

    def introduced(self, plain: bytes, staged: Staged) -> None:
        """Take what was sealed to this node and carried by hand: no session begins by it."""
        match message.decode(plain):
            case Hello() as said:
                self._circle.admitted(said.credentials)
                staged.remember(said.credentials)
                self.succession.lacking(said.rosters, self._circle.all_rosters())
            case Invite() as said:
                self._invited(said, staged)
            case _:
                raise MalformedMessage(reason="only HELLO and INVITE are sealed to a node")

    def farewell(self, kid: bytes, now_ms: int) -> list[Outgoing]:
        """Tell who signs with a run's key that its node was removed, if it was."""
        nodes = {each.node.subject for each in peers.runs(self._read, kid)}
        return [said for node in sorted(nodes) for said in self._farewells.to(node, now_ms)]

    def tell_apart(
        self, relation: Relation, heard: Control, now_ms: int, staged: Staged
    ) -> list[Outgoing]:
        """See whether two runs of a peer both go on; have all that live answer a fresh HELLO."""
        for alarm in relation.answered(heard):
            self._counts[ClonedNode.code] += 1
            staged.alarm(alarm, self._circle.me.unix_ms())
        session = relation.session
        if relation.runs.due and relation.may_answer(now_ms):
            relation.session = session.challenged(self._voice.new_hello(relation))
        elif heard.pair.receiver == session.mine or not session.may_greet(now_ms):
            return []
        return [self._voice.hello(relation, now_ms)]

    def roster(self, said: Body, staged: Staged) -> bool:
        """Take a roster that was asked for, if it follows those that are held; say whether."""
        found = self.succession.take(said.hash, said.piece, self._circle.all_rosters())
        rivals, self.succession.rivals = self.succession.rivals, []
        for rival in rivals:
            staged.accusing.rival(rival)
        if not found and not rivals:
            self._counts[decide.UNASKED] += 1
        for known in found:
            staged.keep_roster(known)
        return bool(found)

    def tips(self, relation: Relation) -> list[Outgoing]:
        """Say to a peer, over all links, what is held of each group that both are in."""
        said: list[Outgoing] = []
        for group in relation.shared:
            said += self._voice.heads(relation, group, self._tips(relation, group))
        return [replace(each, everywhere=True) for each in said]

    def _tips(self, relation: Relation, group: Group) -> list[Head]:
        """Give the tips, and what the peer held but for bodies: the ACK of these may be lost."""
        tips = {each.feed: each for each in feeds.tips(self._read, group.id)}
        partly = outbox.partly(self._read, group.id, relation.node, HEADS_MAX)
        tips |= {each.feed: each for each in partly}
        return [tips[name] for name in sorted(tips)]

    def _hello(self, said: Hello, plain: bytes, now_ms: int, staged: Staged) -> list[Outgoing]:
        """Take a greeting, and answer it: with ours if it is new or we were not heard yet."""
        shared = self._circle.admitted(said.credentials)
        relation = self._circle.relation(said.credentials.node.subject)
        before = relation.session
        session = before.heard_hello(plain, said.credentials)
        if session.full:
            fresh = session.renewed(self._voice.new_hello(relation))
            session = fresh.heard_hello(plain, said.credentials)
        relation.session, relation.shared = session, shared
        if session.theirs != before.theirs:
            staged.remember(said.credentials)
            if not relation.may_answer(now_ms):
                self._counts[UNANSWERED] += 1
                return []
        elif not session.may_greet(now_ms):
            return []
        answer: list[Outgoing] = []
        if not session.up:
            answer.append(self._voice.hello(relation, now_ms))
        else:
            relation.session = session.greeted(now_ms, 0.0)
        return answer + self._want(said.rosters, relation, shared[0]) + self.tips(relation)

    def _want(self, names: Iterable[bytes], relation: Relation, group: Group) -> list[Outgoing]:
        """Ask a peer for the rosters that it knows and we do not."""
        lacking = self.succession.lacking(names, self._circle.all_rosters())
        return (
            [self._voice.control(relation, group, message.wanted_whole(lacking))] if lacking else []
        )

    def _invited(self, said: Invite, staged: Staged) -> list[Outgoing]:
        """Keep an invitation that could be accepted, for whoever decides that."""
        present = {each.id: each for each in self._circle.groups.values()}
        if self._is_settled(present.get(group_id(said.founding)), said.secret):
            self._counts[decide.REPEATED] += 1  # As most are: nothing of it is verified again.
            return []
        held = groups.rosters(self._read)
        for each in said.rosters:
            if rivals.is_rival(each, held):
                staged.accusing.rival(each)
        invited = inviting.verified(said, held)
        if len(self.invitations) < INVITATIONS_MAX:
            self.invitations[invited.group.id] = invited
        else:
            self._counts[UNKEPT] += 1
        return []

    def _is_settled(self, present: Group | None, secret: bytes) -> bool:
        """Say whether an invitation can change nothing any more.

        Nobody signs it, so its secret may be wrong: until somebody is heard under it, another may.
        """
        if present is None:
            return False
        me = self._circle.me
        return (
            present.secret == secret
            or present.tag in me.heard
            or present.founder.node.subject == me.node
            or not groups.is_alone(self._read, present.id, me.node)
        )
