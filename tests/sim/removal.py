"""Worlds in which members are added, change roles, leave and are removed while others are away.

In: a seed. Out: figures; or an AssertionError that names the seed. One who is removed rebels: it
knows the group's secret and goes on with its keys, its view and an earlier time. What must hold
when the ways are mended is in `after`.
"""

import dataclasses
import random
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial

from gateway.groups import group as groups
from gateway.groups.group import ActivityKind, Founding, Group, Policies, Role
from gateway.groups.membership import Add, Roles
from gateway.readings import senml
from gateway.readings.reading import Provenance
from gateway.records import identity
from gateway.records.record import Kind, Said
from gateway.store import acting, authoring, heard
from tests import people
from tests.people import Party
from tests.sim.after import Figures, Left, look
from tests.sim.consortium import Consortium
from tests.sim.device import Device
from tests.sim.gateway import Gateway
from tests.sim.members import Member, Rebel, Wish
from tests.sim.options import Options, plain_options

_PAUSE_MS = 3_000
_ORDINARY = (Role.RECEIVER, Role.OBSERVER)


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of a group's members."""

    members: int
    outsiders: int
    rebel: int  # which member is removed, and rebels
    way: str  # by whom: the initiator, a supervisor, or by its organisation's revocation
    is_strong: bool  # the rebel itself might have removed others
    other_removals: int
    leavings: int
    role_changes: int
    lies: int
    approvals: int
    history: bool


def fate_of(seed: int) -> Fate:
    """Draw what becomes of the members."""
    dice = random.Random(f"members {seed}")
    members, way = (
        dice.choice((3, 3, 3, 3, 3, 4, 4, 5)),
        dice.choice(("initiator", "supervisor", "revoked")),
    )
    is_strong = way != "initiator" and dice.random() < 0.3
    first = {"initiator": 1, "supervisor": 2, "revoked": 1}[way]
    rebel = dice.randrange(first, members)
    if is_strong:  # The initiator is removed by the supervisor, or a supervisor is revoked.
        rebel = 0 if way == "supervisor" else 1
    return Fate(
        members,
        outsiders=dice.choice((0, 0, 0, 1)),
        rebel=rebel,
        way=way,
        is_strong=is_strong,
        other_removals=dice.choice((0, 0, 1)) if members > 3 else 0,
        leavings=dice.choice((0, 0, 1)) if members > 3 else 0,
        role_changes=dice.randint(0, 2),
        lies=dice.randint(1, 4),
        approvals=dice.choice((0, 1, 2)),
        history=dice.random() < 0.5,
    )


def options_with_members(seed: int) -> Options:
    """Draw a small world whose broker is never down for days."""
    drawn, fate = plain_options(seed), fate_of(seed)
    return replace(
        drawn,
        nodes=fate.members + fate.outsiders,
        groups=1 + bool(fate.outsiders),
        sayings=drawn.sayings % 5 + 2,
        loss=drawn.loss / 3,
        doubling=drawn.doubling / 3,
        cuts=min(drawn.cuts, 1) + 1,
        cut_ms_max=min(drawn.cut_ms_max, 20_000),
        days_down=0,
        restarts=min(drawn.restarts, 1),
        sealed=1.0,
        receipts=seed % 4 == 1,
    )


class Removal(Consortium):
    """A sealed group whose members change; beside it a clear one where somebody is to come in."""

    gateways: list[Member]  # type: ignore[assignment]
    patience_ms: int = 1_800_000
    _waited_since_ms = 0

    def __init__(self, options: Options, fate: Fate) -> None:
        self.fate, self.fates = fate, random.Random(f"fate {options.seed}")
        self._made = 0
        super().__init__(options)
        self.sealed = self.groups[-1]
        rebel = self.gateways[fate.rebel]
        assert isinstance(rebel, Rebel)
        self.left = Left(self.sealed, self.gateways, rebel, fate.is_strong)

    def remove(self) -> Figures:
        """Let it all happen, mend the ways, have everybody say something more, and look."""
        self.befall(self.span_ms)
        self._plan()
        self.clock.run(self.span_ms)
        self._heal()
        if not self.left.is_told():  # Perhaps it was by somebody who left, or is away for ever.
            self._remove_rebel(by_force=True)
        self._lie(self.clock.now_ms + 1)
        self.settle(self.agreed, 5_000)
        for each in self.left.remaining():
            each.say(self.sealed, Device(f"press {each.name}", self.fates).say(self.clock.now_ms))
        self.settle(self.agreed, 5_000)
        return look(self.left, self.clock.now_ms, self.network.carried)

    @property
    def span_ms(self) -> int:
        """Say how long machines speak, people act and things go wrong."""
        return 10_000 + 2 * self.options.cut_ms_max

    def agreed(self) -> bool:
        """Say whether all who are members still hold the same, and have signed for it.

        Whom a strong rebel has split is not waited for any longer than for all others.
        """
        if self.left.agree():
            return True
        self._waited_since_ms = self._waited_since_ms or self.clock.now_ms
        waited_ms = self.clock.now_ms - self._waited_since_ms
        return waited_ms > self.patience_ms // 2 and self.left.is_split()

    def differences(self, waited_ms: int) -> str:
        """Say how it stands with whoever is not agreed."""
        return f"{self.left.differences()}\n{super().differences(waited_ms)}"

    def _group(self, parties: list[Party], number: int) -> Group:
        if number < self.options.groups - 1:
            return people.group_of(*parties, purpose="consortium")
        within, founder = people.roster_of(*parties), people.run_of(parties[0])
        fate = self.fate
        chosen = parties[: fate.members]
        roles = [Role.INITIATOR] + [self.fates.choice(_ORDINARY) for _ in chosen[1:]]
        if fate.way == "supervisor" or fate.is_strong:
            roles[1] = Role.SUPERVISOR
        founding = Founding(
            people.seed("sealed nonce"),
            within.consortium,
            within.hash,
            "pressing",
            ActivityKind.INDUSTRIAL,
            tuple(each.member(role) for each, role in zip(chosen, roles, strict=True)),
            False,
            Policies(fate.approvals, fate.history),
        )
        founded = groups.found(founder.key, founder.credentials, founding, within)
        return dataclasses.replace(founded, secret=people.seed("sealed secret"))

    def _gateway(self, who: Party) -> Gateway:
        number, self._made = self._made, self._made + 1
        joined = self.groups[:] if number < self.fate.members else self.groups[:1]
        kind = Rebel if number == self.fate.rebel else Member
        made = kind(who, joined, self.clock, self.network, self.options.seed)
        made.desk.failing, made.receipts = self.options.failing, self.options.receipts
        return made

    def _saying(self, gateway: Gateway, device: Device) -> Callable[[], None]:
        assert isinstance(gateway, Member)

        def say() -> None:
            if isinstance(gateway, Rebel) and gateway.rebels:
                self._lie_once(gateway)
            elif gateway.is_member(self.sealed):
                gateway.say(self.sealed, device.say(self.clock.now_ms))

        return say

    def _plan(self) -> None:
        """Draw when people act, while the ways are cut and gateways start again."""
        fate, span_ms = self.fate, self.span_ms
        late_ms = self.fates.randrange(span_ms // 4, span_ms)
        self.clock.at(late_ms, partial(self._remove_rebel, by_force=False))
        self._lie(late_ms)
        if fate.outsiders:
            self._soon(self._add, span_ms // 2)
        for _ in range(fate.role_changes):
            self._soon(self._change_role, span_ms)
        for _ in range(fate.other_removals):
            self._soon(self._remove_another, span_ms)
        for _ in range(fate.leavings):
            self._soon(self._leave, span_ms)
        for at_ms in range(0, span_ms, span_ms // 12):
            self.clock.at(at_ms, self._approve)

    def _soon(self, event: Callable[[], None], within_ms: int) -> None:
        self.clock.at(self.fates.randrange(within_ms), event)

    def _somebody(self) -> Member:
        """Give who acts: an honest member, as far as it knows itself, away or not."""
        honest = [each for each in self.gateways if each is not self.left.rebel]
        # Where a strong rebel has misled all of them, whoever tries is refused.
        return self.fates.choice(self.left.loyal() or honest)

    def _remove_rebel(self, by_force: bool) -> None:
        """Remove the one who will rebel; whoever cannot yet is followed by one who can."""
        rebel = self.left.rebel
        ways = {"initiator": 0, "supervisor": 1, "revoked": None}
        number = None if by_force else ways[self.fate.way]
        by = self._somebody() if number is None else self.gateways[number]
        if by_force:
            by = self.left.remaining()[0]
        revocation = None
        if number is None:
            root = rebel.who.root
            revocation = identity.issue_revocation(root, (root.id, rebel.node), 1)
        if not by.is_member(self.sealed) or not self.removes(by, rebel, revocation):
            assert not by_force, "nobody can remove it"

    def removes(self, by: Member, gone: Member, revocation: bytes | None = None) -> bool:
        """Have one remove another; False where it may not."""

        def wish(db: object, author: authoring.Author, venue: authoring.Venue) -> None:
            acting.remove(by.db, author, venue, gone.node, revocation)
            self.left.cut(by, gone)
            if isinstance(gone, Rebel) and not gone.rebels:
                gone.rebel()

        done = by.wish(self.sealed, wish)
        gone.was_removed |= done
        return done

    def _remove_another(self) -> None:
        """Have the initiator remove an honest member, who may not hear of it for long."""
        others = [each for each in self.left.loyal() if each is not self.gateways[0]]
        if len(others) > 1 and self.gateways[0] in self.left.loyal():
            self.removes(self.gateways[0], self.fates.choice(others))

    def _leave(self) -> None:
        others = [each for each in self.left.loyal() if each is not self.gateways[0]]
        if len(others) > 1:
            gone = self.fates.choice(others)
            gone.was_removed |= gone.wish(self.sealed, acting.leave)

    def _add(self) -> None:
        who, by = self.gateways[-1].who, self._somebody()
        known = by.known(self.sealed)
        if who.node.id not in known.cuts:
            added = Add(who.member(self.fates.choice(_ORDINARY)), who.node_certificate)
            by.wish(self.sealed, _proposing(added))

    def _change_role(self) -> None:
        by = self._somebody()
        node = self.fates.choice(by.known(self.sealed).members).node
        change = Roles(node, (self.fates.choice(_ORDINARY),))
        by.wish(self.sealed, _proposing(change))

    def _approve(self) -> None:
        """Have somebody approve all that waits for its organisation's word."""
        by = self._somebody()
        for pending in heard.hear(by.db, self.sealed.id).fold().pending:
            if by.who.root.id not in pending.approved:
                by.wish(self.sealed, _approving(pending.id))
        newcomer = self.gateways[-1]
        members = {member.node for member in by.known(self.sealed).members}
        if self.fate.history and newcomer.node in members:
            by.wish(self.sealed, _sharing(newcomer.node))

    def _lie(self, from_ms: int) -> None:
        for _ in range(self.fate.lies):
            lying = partial(self._lie_once, self.left.rebel)
            self.clock.at(from_ms + self.fates.randrange(10_000), lying)

    def _lie_once(self, rebel: Rebel) -> None:
        """Have the rebel say a reading, an act or a receipt, now and then in a new run."""
        if not rebel.rebels:
            return
        if self.fates.random() < 0.3:
            rebel.start()
        device = Device("press of old", self.fates)
        (pack, *_) = senml.encode(device.say(self.clock.now_ms), Provenance.GATEWAY_ATTESTED)
        said = Said(Kind.OBSERVATION, pack.encoded, senml.CONTENT_TYPE)
        if self.fates.random() < 0.5:
            others = [each.node for each in self.gateways if each is not rebel]
            somebody = Party.member(self.gateways[-1].who, Role.INITIATOR)
            accomplice = Add(somebody, self.gateways[-1].who.node_certificate)
            said = self.fates.choice(rebel.lies(self.sealed, others, accomplice))
        rebel.lie(self.sealed, said)


def _approving(proposal: bytes) -> Wish:
    return lambda db, author, venue: acting.approve(db, author, venue, proposal)


def _proposing(act: Add | Roles) -> Wish:
    return lambda db, author, venue: acting.propose(db, author, venue, act)


def _sharing(node: bytes) -> Wish:
    return lambda db, author, venue: authoring.share_history(db, author, venue, node)


def removed(seed: int) -> Figures:
    """Live through the world of a seed; an AssertionError says how to run it again."""
    options, fate = options_with_members(seed), fate_of(seed)
    try:
        return Removal(options, fate).remove()
    except AssertionError as fault:
        facts = {**asdict(options), **asdict(fate)}
        raise AssertionError(f"{fault}\nremoval world {seed}: {facts}") from fault
