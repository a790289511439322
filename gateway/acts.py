"""Acts: what people on this computer ask the running agent to do with groups.

In: a request as JSON from the door. Out: facts, after the commit that holds what was done; or a
GatewayError, and then nothing changed. Only the agent can do it: the run's key is in its memory.
It decides nothing: who may do what is for `membership` to say.
"""

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from gateway.errors import (
    AmbiguousParty,
    AskedWrongly,
    GatewayError,
    GroupExists,
    MalformedFounding,
    UnknownGroup,
    UnknownParty,
)
from gateway.groups import parties
from gateway.groups.group import (
    REQUIRED_ROLES,
    ActivityKind,
    Founding,
    Group,
    Member,
    Policies,
    Role,
)
from gateway.groups.membership import Add, Roles
from gateway.groups.parties import Party
from gateway.records.roster import Roster
from gateway.store import acting, authoring, contacts, council, groups, heard, membership, state
from gateway.store.authoring import Author, Venue
from gateway.store.database import Connection
from gateway.store.state import State
from gateway.store.writer import Writer

Asked = Mapping[str, object]
Facts = dict[str, object]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Acting:
    """Who acts: the author, the writer, what is in the state directory, and whom to tell."""

    author: Author
    writer: Writer
    state_dir: Path
    groups: dict[str, Group]
    joined: Callable[[str, Group], None]
    changed: Callable[[bytes], None]
    heard: Collection[str] = ()  # the tags under which a member spoke to this run
    written: Callable[[Sequence[bytes]], None] = lambda _: None  # in which groups, after the commit


class Acts:
    """The acts, by name."""

    def __init__(self, acting: Acting) -> None:
        self._by = acting
        self._turn = threading.RLock()  # One act at a time: two may want one name.
        self._known: dict[str, Callable[[Asked], Facts]] = {
            "group.create": self._create,
            "group.accept": self._accept,
            "group.decline": self._decline,
            "group.add": self._add,
            "group.roles": self._roles,
            "group.approve": self._approve,
            "group.remove": self._remove,
            "group.leave": self._leave,
            "group.share": self._share,
        }

    def do(self, asked: Asked) -> Facts:
        """Do what is asked, and wait for its commit; raise a GatewayError."""
        act = self._known.get(_text(asked, "act"))
        if act is None:
            raise AskedWrongly(reason="an unknown act")
        with self._turn:
            return act(asked)

    def follow(self, wanted: str, joined: Group) -> str:
        """Take part in a group, under its proposed name or one like it; give that name."""
        with self._turn:
            for known, group in list(self._by.groups.items()):
                if group.id == joined.id:
                    self._speak_under(known, group, joined.secret)
                    return known
            name = self.free_name(wanted)
            self._join(name, joined)
            return name

    def _create(self, asked: Asked) -> Facts:
        """Found a group of the parties, or give the live one that is just so."""
        name, purpose = _text(asked, "group"), _text(asked, "purpose")
        if name in self._by.groups:
            raise GroupExists(group=name)
        held = state.load(self._by.state_dir)
        own = Party(held.node_id.hex(), _roles(asked.get("roles")) or (Role.INITIATOR,))
        wanted = [own, *(_party(row) for row in _rows(asked.get("parties")))]
        rosters, members = self._on_store(lambda db: _members(db, held, wanted))
        founding = Founding(
            self._by.author.random(32),
            rosters[-1].consortium,
            rosters[-1].hash,
            purpose,
            _kind(asked),
            members,
            asked.get("clear") is True,
            self._policies(asked, rosters[-1]),
            _templates(asked),
        )
        like = self._on_store(lambda db: membership.alike(db, founding))
        for known, group in self._by.groups.items():
            if group.id == like:
                return {"group": known, "id": group.id.hex(), "reused": True}
        try:
            founded = council.found(self._by.author, founding, rosters)
        except MalformedFounding as fault:  # What was asked cannot be said in a founding.
            raise AskedWrongly(reason=fault.facts["reason"]) from None
        self._join(name, founded)
        return {"group": name, "id": founded.id.hex(), "reused": False}

    def _accept(self, asked: Asked) -> Facts:
        """Follow an invitation that waits."""
        invited = council.find_waiting(self._by.state_dir, _text(asked, "invitation"))
        name = self.follow(str(asked.get("name") or invited.name), invited.group)
        return {"group": name, "id": invited.group.id.hex(), "organisation": invited.organisation}

    def _decline(self, asked: Asked) -> Facts:
        """Let go of an invitation that waits, for good."""
        invited = council.find_waiting(self._by.state_dir, _text(asked, "invitation"))
        council.decline(self._by.state_dir, invited)
        facts: Facts = {"group": invited.name, "id": invited.group.id.hex()}
        return {**facts, "organisation": invited.organisation}

    def _speak_under(self, name: str, group: Group, secret: bytes) -> None:
        """Take another secret for a group, if nobody was ever heard under the one there is.

        Nobody signs an INVITE: the first to come may have had a wrong secret in it.
        """
        node = self._by.author.run.node
        council.forget_waiting(self._by.state_dir, group.id)
        if secret == group.secret or group.tag in self._by.heard:
            return
        if group.founder.node.subject == node:
            return
        if self._on_store(lambda db: groups.is_alone(db, group.id, node)):
            changed = replace(group, secret=secret)
            state.keep_group(self._by.state_dir, name, changed)
            self._by.joined(name, changed)

    def _join(self, name: str, joined: Group) -> None:
        """Keep a group in its file and the store; whoever founded it opens its feed at once."""
        state.keep_group(self._by.state_dir, name, joined)
        try:
            self._on_store(lambda db: council.join(db, self._by.author, name, joined))
        except GatewayError:  # Nothing changed: no later start finds a group that nobody founded.
            state.forget_group(self._by.state_dir, name)
            raise
        council.forget_waiting(self._by.state_dir, joined.id)
        self._by.joined(name, joined)

    def free_name(self, wanted: str) -> str:
        """Give a group's name as it is proposed, numbered where there is one of that name.

        Others propose it, and it names a file here.
        """
        wanted = "".join("-" if each in "/\\\0" else each for each in wanted)
        wanted = "-" if wanted in (".", "..") else wanted
        name, number = wanted, 2
        while name in self._by.groups:
            name, number = f"{wanted}-{number}", number + 1
        return name

    def _add(self, asked: Asked) -> Facts:
        """Propose a member; it is one at once where this organisation's word is enough."""
        name, group = self._group(asked)
        roles = _roles(asked.get("roles")) or (Role.RECEIVER,)
        held = state.load(self._by.state_dir)

        def job(db: Connection) -> list[str]:
            within = max(_of(db, held, group), key=lambda each: each.number)
            found = parties.find(_text(asked, "who"), council.known_nodes(db, held), within)
            venue = self._venue(group)
            told = []
            for each in found:
                member = Member(each.node.issuer, each.encryption, roles)
                act = Add(member, each.node.encoded)
                told.append(acting.propose(db, self._by.author, venue, act).hex())
            return told

        return self._changed(name, group, {"proposals": self._on_store(job)})

    def _roles(self, asked: Asked) -> Facts:
        """Propose that a member is something else from now on."""
        name, group = self._group(asked)
        roles = _roles(asked.get("roles"))

        def job(db: Connection) -> str:
            node = self._member(db, group, _text(asked, "who"))
            act = Roles(node, roles)
            return acting.propose(db, self._by.author, self._venue(group), act).hex()

        return self._changed(name, group, {"proposals": [self._on_store(job)]})

    def _approve(self, asked: Asked) -> Facts:
        """Give this organisation's word for a proposal."""
        name, group = self._group(asked)
        wanted = _text(asked, "proposal")

        def job(db: Connection) -> str:
            for pending in heard.hear(db, group.id).fold().pending:
                if wanted and pending.id.hex().startswith(wanted):
                    acting.approve(db, self._by.author, self._venue(group), pending.id)
                    return pending.id.hex()
            raise AskedWrongly(reason=f"no proposal {wanted} waits in this group")

        return self._changed(name, group, {"proposals": [self._on_store(job)]})

    def _remove(self, asked: Asked) -> Facts:
        """Remove a member at once; what it wrote so far goes on counting."""
        name, group = self._group(asked)

        def job(db: Connection) -> str:
            node = self._member(db, group, _text(asked, "who"))
            acting.remove(db, self._by.author, self._venue(group), node)
            return node.hex()

        return self._changed(name, group, {"removed": self._on_store(job)})

    def _leave(self, asked: Asked) -> Facts:
        """Be no member any more."""
        name, group = self._group(asked)
        author, venue = self._by.author, self._venue(group)
        self._on_store(lambda db: acting.leave(db, author, venue))
        return self._changed(name, group, {})

    def _share(self, asked: Asked) -> Facts:
        """Let a member read what was said before it came: each key shared is a record."""
        name, group = self._group(asked)

        def job(db: Connection) -> int:
            node = self._member(db, group, _text(asked, "who"))
            return authoring.share_history(db, self._by.author, self._venue(group), node)

        return self._changed(name, group, {"keys": self._on_store(job)})

    def _changed(self, name: str, group: Group, facts: Facts) -> Facts:
        self._by.changed(group.id)
        return {"group": name, "id": group.id.hex(), **facts}

    def _group(self, asked: Asked) -> tuple[str, Group]:
        name = _text(asked, "group")
        if name not in self._by.groups:
            raise UnknownGroup(group=name)
        return name, self._by.groups[name]

    def _venue(self, group: Group) -> Venue:
        return Venue(group.id, group.roster.hash)

    def _member(self, db: Connection, group: Group, who: str) -> bytes:
        return member_of(db, state.load(self._by.state_dir), group, who)

    def _policies(self, asked: Asked, within: Roster) -> Policies:
        approvals = asked.get("approvals", 0)
        succeeds = asked.get("succeeds")
        earlier = self._by.groups.get(str(succeeds)) if succeeds else None
        if succeeds and earlier is None:
            raise UnknownGroup(group=succeeds)
        if not isinstance(approvals, int):
            raise AskedWrongly(reason="approvals is no number")
        return Policies(
            approvals,
            asked.get("history") is True,
            earlier.id if earlier else None,
            _roles(asked.get("receipts")) or REQUIRED_ROLES,
            _witnesses(asked.get("witnesses"), within),
        )

    def _on_store(self, job: Callable[[Connection], T]) -> T:
        return self._by.writer.submit(job).result()


def _members(
    db: Connection, held: State, wanted: Sequence[Party]
) -> tuple[tuple[Roster, ...], tuple[Member, ...]]:
    """Find all parties in one consortium that is known here, a smaller one before a larger."""
    known = council.known_nodes(db, held)
    missing: UnknownParty | None = None
    for within in council.newest_rosters(db, held):
        try:
            found = parties.members(wanted, known, within)
        except UnknownParty as fault:
            missing = fault
            continue
        return council.chain(db, held, within), found
    assert missing is not None, "an organisation knows at least its own roster"
    raise missing


def member_of(db: Connection, held: State, group: Group, who: str) -> bytes:
    """Find a member by its organisation's or its own name or id; raise UnknownParty."""
    within = max(_of(db, held, group), key=lambda each: each.number)
    named = {each.id: each.name for each in within.organisations}
    known = contacts.of_group(db, group.id)
    found = [
        member.node
        for member in membership.load(db, group.id).members
        if who in (member.node.hex(), member.organisation.hex())
        or who == named.get(member.organisation)
        or (member.node in known and who == known[member.node].node.name)
    ]
    if len(found) > 1:
        raise AmbiguousParty(who=who)
    if not found:
        raise UnknownParty(who=who, known=", ".join(sorted(named.values())))
    return found[0]


def _of(db: Connection, held: State, group: Group) -> list[Roster]:
    known = council.newest_rosters(db, held)
    return [each for each in known if each.consortium == group.founding.consortium]


def _party(row: object) -> Party:
    match row:
        case {"who": str() as who, "roles": list() as roles}:
            return Party(who, _roles(roles) or (Role.RECEIVER,))
    raise AskedWrongly(reason="a party without who or roles")


def _roles(said: object) -> tuple[Role, ...]:
    names = {role.name.lower(): role for role in Role}
    rows = said if isinstance(said, list) else []
    if any(each not in names for each in rows):
        raise AskedWrongly(reason=f"a role that is none of {', '.join(names)}")
    return tuple(sorted({names[each] for each in rows}))


def _witnesses(said: object, within: Roster) -> tuple[bytes, ...]:
    """Find the organisations whose witnesses are to count, by name or id; none: the members'."""
    found = set()
    for who in said if isinstance(said, list) else []:
        rows = [each for each in within.organisations if who in (each.name, each.id.hex())]
        if len(rows) != 1:
            names = ", ".join(each.name for each in within.organisations)
            raise AskedWrongly(reason=f"witness {who!r}: not one of {names}")
        found.add(rows[0].id)
    return tuple(sorted(found))


def _kind(asked: Asked) -> ActivityKind:
    names = {kind.name.lower().replace("_", "-"): kind for kind in ActivityKind}
    kind = names.get(str(asked.get("kind", "industrial")))
    if kind is None:
        raise AskedWrongly(reason=f"a kind that is none of {', '.join(names)}")
    return kind


def _templates(asked: Asked) -> tuple[bytes, ...]:
    said = asked.get("templates", [])
    try:
        return tuple(sorted({bytes.fromhex(each) for each in _rows(said) if isinstance(each, str)}))
    except ValueError:
        raise AskedWrongly(reason="a template is no hash in hex digits") from None


def _rows(said: object) -> list[object]:
    if not isinstance(said, list):
        raise AskedWrongly(reason="parties is no list")
    return said


def _text(asked: Asked, key: str) -> str:
    said = asked.get(key)
    if not isinstance(said, str) or not said:
        raise AskedWrongly(reason=f"{key} is missing")
    return said
