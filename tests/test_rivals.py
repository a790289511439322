"""Two rosters of one number that one root signed: wherever both come together, it is shown."""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.cli.desk import Desk
from gateway.errors import MalformedRoster
from gateway.groups import evidence as proofs, pairing, rivals
from gateway.groups.admission import Standing
from gateway.groups.evidence import Finding, Kind
from gateway.groups.pairing import Motion, Notice
from gateway.peers.circle import Circle, Me
from gateway.peers.greeting import Greeter
from gateway.peers.staging import Staged
from gateway.peers.voice import Voice
from gateway.records import roster
from gateway.records.roster import Roster
from gateway.store import database, evidence, found, groups, pairing as kept_pairing, state
from gateway.store.database import Connection
from gateway.sync import message
from gateway.sync.invitation import Invite
from tests.keeping import Keeper, follow, know
from tests.people import Party, group_of, party, roster_of, run_of, seed
from tests.sim.clock import Clock
from tests.sim.gateway import Gateway
from tests.sim.network import Network, Temper

ACE, BOLT, COIL, DYE = (party(name) for name in ("ace", "bolt", "coil", "dye"))
FIRST = roster_of(ACE, BOLT, COIL)
GROUP = group_of(ACE, BOLT, COIL, chain=(FIRST,))


def _naming(key: str, *by: Party, attempt: int = 0) -> Roster:
    """Give a second roster, in which the witness of ace has a key."""
    rows = [
        replace(each, witness=party(key).node.public) if each.id == ACE.root.id else each
        for each in FIRST.organisations
    ]
    payload = roster.compose_next(FIRST, rows, attempt)
    signatures = [roster.sign(each.root, payload) for each in by]
    return roster.decode_next(roster.assemble(payload, signatures), FIRST)


ONE, OTHER = _naming("one", ACE, BOLT), _naming("other", ACE, COIL)


def _accused(db: Connection) -> list[Finding]:
    return [each.finding for each in evidence.held(db)]


def test_who_signed_both_is_shown_and_nobody_else() -> None:
    """Of the signatures under two rosters of one attempt, only a root that is under both."""
    known = {FIRST.hash: FIRST, ONE.hash: ONE}
    (said,) = rivals.signed_twice([FIRST.encoded, ONE.encoded, OTHER.encoded], known)
    shown = proofs.verify(proofs.decode(proofs.encode(said)), known)
    assert (shown.kind, shown.name, shown.seq) == (Kind.ROSTER_TWICE, "ace", 1)
    later = _naming("other", ACE, COIL, attempt=1)
    assert rivals.signed_twice([ONE.encoded, later.encoded], known) == []
    assert rivals.signed_twice([ONE.encoded, ONE.encoded, b"noise"], known) == []
    assert rivals.signed_twice([ONE.encoded, OTHER.encoded], {}) == []


def test_two_who_greet_each_other_by_two_rosters_both_come_to_show_it() -> None:
    """Each asks for the roster that the other names, and all in the group know it then."""
    clock, dice = Clock(), random.Random(1)
    network = Network(clock, dice, Temper(delay_ms=2), ("broker",))
    made = [Gateway(who, [GROUP], clock, network, 0) for who in (ACE, BOLT, COIL)]
    for gateway, known in zip(made[1:], (ONE, OTHER), strict=True):
        with gateway.db:
            assert groups.keep_roster(gateway.db, known)
        gateway.start()
    clock.run(clock.now_ms + 300_000)
    for gateway in made:
        (shown,) = _accused(gateway.db)
        assert (shown.kind, shown.organisation) == (Kind.ROSTER_TWICE, ACE.root.id)
        assert not gateway.exchange.frozen
    newest = {
        max(groups.rosters(each.db).values(), key=lambda one: one.number).hash for each in made
    }
    assert newest <= {ONE.hash, OTHER.hash}, "what is held stays"


def test_an_invitation_with_another_roster_of_a_number_shows_it() -> None:
    """It is refused as before; and what its rosters show against a root is kept."""
    db, counts = database.connect(database.MEMORY), Counter[str]()
    with db:
        groups.register(db, "pressing", GROUP)
        groups.keep_roster(db, ONE)
    me = Me(run_of(BOLT), (BOLT.encryption,))
    circle = Circle(me, [replace(GROUP, secret=seed("made up"))], db)
    greeter, staged = (
        Greeter(circle, Voice(me, circle.all_rosters, bytes), db, counts),
        Staged(db, circle, counts),
    )
    chain = (FIRST.encoded, OTHER.encoded)
    said = Invite(GROUP.encoded, GROUP.founder, chain, (), GROUP.secret, "pressing")
    with pytest.raises(MalformedRoster):
        greeter.sealed(message.encode(said), 0, staged)
    with db:
        staged.job(db)
    assert [each.name for each in _accused(db)] == ["ace"]


@pytest.fixture
def keepers(tmp_path: Path) -> Iterator[list[Keeper]]:
    """Give the gateways of three organisations that are one consortium, with their upkeep."""
    made = [Keeper(tmp_path, name, ()) for name in ("ace", "bolt", "coil")]
    first = made[0].held.roster
    after = follow(first, [each.row for each in made], *made)
    know(*made, rosters=[first, after])
    yield made
    for each in made:
        each.stop()


def test_what_a_command_finds_in_the_mailbox_the_gateway_tells(keepers: list[Keeper]) -> None:
    """A root that lost its memory signs two motions; who reads both of them shows it to all."""
    ace, bolt, coil = keepers
    ace.upkeep.once()
    consortium = ace.groups["consortium"].founding.consortium
    chain = ace.held.chain(consortium)
    root = state.root_key(bolt.path, "pass")
    motions = []
    for gone in (ace, coil):
        rows = [each.row for each in keepers if each is not gone]
        payload = roster.compose_next(chain[-1], rows)
        motions.append(Motion(roster.assemble(payload, [roster.sign(root, payload)])))
    desk = Desk(ace.held, kept_pairing.load(ace.path), None)
    papers = [_said(each, chain, one) for each, one in zip((bolt, coil), motions, strict=True)]
    desk._compare(Standing(chain), papers[:1])
    assert found.left(ace.path) == []
    desk._compare(Standing(chain), papers)
    assert len(found.left(ace.path)) == 1
    before = ace.records()
    for _ in range(2):
        ace.upkeep.once()
    assert found.left(ace.path) == []
    assert [(each.kind, each.name) for each in _accused(ace.read)] == [(Kind.ROSTER_TWICE, "bolt")]
    assert ace.records() > before, "it is written into no group"


def _said(by: Keeper, chain: tuple[Roster, ...], motion: Motion) -> pairing.Paper:
    """Give what a member's gateway says at the mailbox of its consortium."""
    notice = Notice(tuple(each.encoded for each in chain), (motion,), ())
    held = by.held
    return pairing.decode(pairing.encode(notice, held.node_key, (held.node, held.encryption)))
