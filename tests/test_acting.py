"""Membership in the store: the tables are the fold of the records, wherever they came from."""

import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import apsw
import pytest

from gateway.errors import GatewayError, NotAllowed, NotAMember, UnknownGroup
from gateway.groups import announcement
from gateway.groups.group import Policies, Role
from gateway.groups.membership import Add, Leave, Membership, Remove, Roles, encode
from gateway.records import cbor, feed, identity, run
from gateway.records.feed import feed_id
from gateway.records.identity import EncryptionKey, Validity
from gateway.records.record import SALT_BYTES, Kind, Moment, Said
from gateway.records.run import Run
from gateway.store import acting, authoring, checking, database, feeds, groups, membership, receipts
from gateway.store.authoring import Author, Venue
from gateway.store.heard import hear
from tests.histories import addition, known
from tests.people import group_of, moment, observation, roster_of, run_of

NAMES = ("ace", "bolt", "coil", "dyne")
PARTIES = {name: known(name) for name in NAMES}
WITHIN = roster_of(*PARTIES.values(), known("east"), known("flux"))
GROUP = group_of(*PARTIES.values(), chain=(WITHIN,), policies=Policies(2))
OTHER = group_of(*PARTIES.values(), chain=(WITHIN,), purpose="other")
VENUE = Venue(GROUP.id, WITHIN.hash)


def _salts() -> Iterator[bytes]:
    return (number.to_bytes(32, "big") for number in itertools.count(1))


@dataclass(slots=True)
class Gateway:
    """A node with a store of its own, and its run of now."""

    name: str
    runs: int = 0
    db: apsw.Connection = field(default_factory=lambda: database.connect(database.MEMORY))
    salts: Iterator[bytes] = field(default_factory=_salts)

    def __post_init__(self) -> None:
        with self.db:
            groups.register(self.db, "first", GROUP)

    @property
    def run(self) -> Run:
        return run_of(known(self.name), self.runs)

    @property
    def node(self) -> bytes:
        return known(self.name).node.id

    @property
    def author(self) -> Author:
        def now() -> Moment:
            return moment(1)

        return Author(self.run, now, lambda count: next(self.salts)[-count:])

    def say(self, said: Said | None = None) -> int:
        """Write a record: an observation, if nothing else is to be said."""
        with self.db:
            place = authoring.say(self.db, self.author, VENUE, said or observation())
        return int(place)

    def propose(self, name: str, *roles: Role) -> bytes:
        with self.db:
            said = acting.propose(self.db, self.author, VENUE, addition(name, *roles))
        return bytes(said)

    def approve(self, proposal: bytes) -> bytes:
        with self.db:
            said = acting.approve(self.db, self.author, VENUE, proposal)
        return bytes(said)

    def remove(self, name: str, revocation: bytes | None = None) -> bytes:
        node = known(name).node.id
        with self.db:
            said = acting.remove(self.db, self.author, VENUE, node, revocation)
        return bytes(said)

    def leave(self) -> bytes:
        with self.db:
            said = acting.leave(self.db, self.author, VENUE)
        return bytes(said)

    def renew(self, encryption: bytes) -> None:
        """Begin a run with another encryption certificate."""
        who = known(self.name)
        renewed = run.start(who.node, who.node_certificate, encryption, b"r" * 32)
        author = Author(renewed, self.author.now, self.author.random)
        with self.db:
            authoring.say(self.db, author, VENUE, observation())

    def members(self) -> set[str]:
        return _names(membership.load(self.db, GROUP.id))

    def hear(self, other: "Gateway", *, skip: frozenset[bytes] = frozenset()) -> None:
        """Take over what another holds, but for some feeds, as sync does: verified, in order."""
        with self.db:
            for head in feeds.heads(other.db, GROUP.id):
                if head.feed not in skip:
                    _take(self.db, other.db, head.feed)
                    receipts.grown(self.db, head.feed)
            membership.refold(self.db, GROUP.id)


def _take(db: apsw.Connection, source: apsw.Connection, name: bytes) -> None:
    held = feeds.load(db, name)
    for each in feeds.slice_of(source, name, held.size if held else 0, 1 << 20, 1 << 30):
        if held is None:
            assert each.body is not None
            said, held, _ = feed.open_feed(each.encoded, each.body, groups.rosters(db))
        else:
            said, held = held.accept(each.encoded)
        place = feeds.append(db, said, each.body, held)
        if said.kind is Kind.RECEIPT and each.body is not None:
            receipts.take(db, place, each.body[SALT_BYTES:])


def _names(folded: Membership) -> set[str]:
    every = {known(name).node.id: name for name in (*NAMES, "east", "flux")}
    return {every[member.node] for member in folded.members}


def _all() -> list[Gateway]:
    return [Gateway(name) for name in NAMES]


def test_a_registered_group_has_the_members_of_its_founding() -> None:
    """The tables hold from the first moment, and again after every start."""
    (ace, *_) = _all()
    with ace.db:
        groups.register(ace.db, "renamed", GROUP)
    folded = membership.load(ace.db, GROUP.id)
    assert folded.members == GROUP.founding.members
    assert (folded.newest, folded.cuts) == ((), {})
    assert membership.view(ace.db, GROUP.id, WITHIN.hash) == feed.View(WITHIN.hash, ())
    assert membership.newest_roster(ace.db, GROUP.id) == WITHIN.hash
    with pytest.raises(UnknownGroup):
        membership.load(ace.db, OTHER.id)


def test_one_proposes_and_another_organisation_approves() -> None:
    """Each sees what waits and what came of it, once it has heard the other."""
    ace, bolt, *_ = _all()
    proposal = ace.propose("east", Role.OBSERVER)
    (waiting,) = hear(ace.db, GROUP.id).fold().pending
    assert (waiting.id, ace.members()) == (proposal, set(NAMES))
    bolt.hear(ace)
    bolt.approve(proposal)
    ace.hear(bolt)
    for each in (ace, bolt):
        assert each.members() == {*NAMES, "east"}
        assert membership.member(each.db, GROUP.id, known("east").node.id).roles == (Role.OBSERVER,)
        assert checking.verify_all(each.db).ok


def test_the_tables_say_what_the_fold_says() -> None:
    """Members, cuts and newest are read back as they were folded."""
    ace, bolt, coil, _ = _all()
    for each in (bolt, coil):
        each.say()
        ace.hear(each)
    removal = ace.remove("bolt")
    folded = membership.refold(ace.db, GROUP.id)
    assert membership.load(ace.db, GROUP.id) == folded
    assert folded.newest == (removal,) == membership.view(ace.db, GROUP.id, b"").membership
    assert folded.cuts[bolt.node] == {feed_id(bolt.run.key.public, GROUP.id): 2}


def test_what_was_held_of_the_removed_counts_and_nothing_after() -> None:
    """The cut of a removal is what its author holds; a record beyond it is kept, and counts not."""
    ace, bolt, *_ = _all()
    name = feed_id(bolt.run.key.public, GROUP.id)
    bolt.say()
    ace.hear(bolt)
    ace.remove("bolt")
    bolt.say()
    ace.hear(bolt)
    assert [membership.counts(ace.db, name, seq) for seq in range(3)] == [True, True, False]
    own = feed_id(ace.run.key.public, GROUP.id)
    assert membership.counts(ace.db, own, 1)
    assert not membership.counts(ace.db, b"f" * 32, 0)
    with pytest.raises(NotAMember):
        membership.member(ace.db, GROUP.id, bolt.node)


def test_another_organisations_receipt_counts_for_the_removed() -> None:
    """A receipt record that knew of no removal keeps what it covers from being erased."""
    ace, bolt, coil, _ = _all()
    name = feed_id(bolt.run.key.public, GROUP.id)
    bolt.say()
    coil.hear(bolt)
    (head,) = feeds.heads(coil.db, GROUP.id)
    coil.say(Said(Kind.RECEIPT, cbor.encode([[head.feed, head.size, head.root, []]]), "x"))
    ace.remove("bolt")
    ace.hear(bolt)
    assert not membership.counts(ace.db, name, 1)
    ace.hear(coil)
    assert [membership.counts(ace.db, name, seq) for seq in (1, 2)] == [True, False]


def test_what_no_member_would_count_is_not_even_written() -> None:
    """A person here is told why, and the store is as it was."""
    ace, bolt, *_ = _all()
    outside = Gateway("east")
    root = known("coil").root
    stolen = identity.issue_node(root, (root.id, b"n" * 16), root.public, 1, identity.Named("x"))
    bad = Add(known("flux").member(), stolen)
    attempts: list[Callable[[], bytes]] = [
        lambda: bolt.remove("coil"),
        lambda: bolt.approve(b"p" * 32),
        lambda: outside.propose("flux"),
        outside.leave,
        lambda: acting.propose(ace.db, ace.author, VENUE, bad),
        lambda: acting.propose(ace.db, ace.author, VENUE, Roles(b"n" * 16, (Role.OBSERVER,))),
    ]
    for attempt in attempts:
        with pytest.raises(NotAllowed) as refused:
            attempt()
        assert refused.value.code == "group.not-allowed"
    for each in (ace, bolt, outside):
        assert feeds.heads(each.db, GROUP.id) == []


def test_who_leaves_is_gone_and_its_earlier_feeds_count() -> None:
    """A leaving names what the node said in earlier runs."""
    ace, _, _, dyne = _all()
    for _ in range(3):
        dyne.say()
        dyne.runs += 1
    dyne.leave()
    ace.hear(dyne)
    assert ace.members() == set(NAMES) - {"dyne"}
    heads = feeds.heads(ace.db, GROUP.id)
    assert len(heads) == 4
    assert all(membership.counts(ace.db, head.feed, head.size - 1) for head in heads)
    assert not any(membership.counts(ace.db, head.feed, head.size) for head in heads)


def test_the_removed_come_back_with_a_new_run() -> None:
    """Once added again a node begins anew: its next feed counts, the old one no further."""
    ace, bolt, coil, _ = _all()
    bolt.say()
    ace.hear(bolt)
    ace.remove("bolt")
    again = ace.propose("bolt")
    coil.hear(ace)
    coil.approve(again)
    bolt.hear(coil)
    old = feed_id(bolt.run.key.public, GROUP.id)
    place = bolt.say()
    bolt.runs += 1
    bolt.say()
    new = feed_id(bolt.run.key.public, GROUP.id)
    ace.hear(bolt)
    assert place
    assert "bolt" in ace.members()
    assert membership.concerns(ace.db, GROUP.id, bolt.node, Kind.GENESIS, b"")
    assert [membership.counts(ace.db, name, 2) for name in (old, new)] == [False, True]
    assert membership.counts(ace.db, new, 0)


def test_a_renewed_encryption_key_is_the_one_to_seal_to() -> None:
    """The certificate issued last counts, from a genesis or an announcement, if its node signed."""
    ace, bolt, *_ = _all()
    who, keys = known("bolt"), [EncryptionKey(bytes([number]) * 32) for number in (1, 2, 3)]
    first, later, forged = (
        identity.issue_encryption(signs, who.node.id, key.public, Validity(time_s))
        for signs, key, time_s in zip(
            (who.node, who.node, who.root), keys, (9, 11, 99), strict=True
        )
    )
    bolt.renew(first)
    ace.hear(bolt)
    assert membership.member(ace.db, GROUP.id, bolt.node).encryption.encoded == first
    for encoded in (later, forged):
        view = membership.view(bolt.db, GROUP.id, WITHIN.hash)
        renewed = identity.decode(encoded, "encryption")
        told = announcement.announce_view(feed_id(bolt.run.key.public, GROUP.id), view, renewed)
        content = announcement.encode(told)
        assert membership.concerns(ace.db, GROUP.id, bolt.node, Kind.ANNOUNCEMENT, content)
        bolt.say(Said(Kind.ANNOUNCEMENT, content, "x"))
        ace.hear(bolt)
        assert membership.member(ace.db, GROUP.id, bolt.node).encryption.encoded == later
    assert membership.load(ace.db, GROUP.id) == membership.refold(ace.db, GROUP.id)


def test_a_live_group_of_the_same_members_and_purpose_is_found_again() -> None:
    """Nobody founds a second group where there is one just so; members and roles of now decide."""
    (ace, *_) = _all()
    whole, dyne = GROUP.founding, known("dyne").node.id
    fewer = replace(whole, members=tuple(each for each in whole.members if each.node != dyne))
    assert membership.alike(ace.db, whole) == GROUP.id
    for other in (replace(whole, purpose="other"), replace(whole, clear=not whole.clear), fewer):
        assert membership.alike(ace.db, other) is None
    ace.remove("dyne")
    assert membership.alike(ace.db, whole) is None
    assert membership.alike(ace.db, fewer) == GROUP.id


def test_what_cannot_be_read_changes_nothing() -> None:
    """A membership record that says nothing sensible is kept, and judged by nobody."""
    ace, bolt, *_ = _all()
    for content in (b"", b"\xff", encode(Leave())[:-1], encode(Remove(ace.node, ()))):
        bolt.say(Said(Kind.MEMBERSHIP, content, "x"))
    ace.hear(bolt)
    assert ace.members() == set(NAMES)


def test_a_removal_of_very_many_feeds_takes_several_records(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No cut grows beyond what a record carries, and every feed is named."""
    monkeypatch.setattr(acting, "CUT_MAX", 2)
    ace, bolt, *_ = _all()
    for number in range(5):
        bolt.runs = number
        bolt.say()
    ace.hear(bolt)
    ace.remove("bolt")
    folded = membership.load(ace.db, GROUP.id)
    assert sorted(folded.cuts[bolt.node].values()) == [2] * 5
    kinds = [row[0] for row in ace.db.execute("SELECT kind FROM records ORDER BY place")]
    assert kinds.count(int(Kind.MEMBERSHIP)) == 3


@pytest.mark.parametrize("seed", range(15))
def test_whoever_holds_the_same_records_has_the_same_tables(seed: int) -> None:
    """Acts on four stores that hear each other late, partly and in any order, fold alike."""
    chance, gateways = random.Random(seed), _all()
    for _ in range(25):
        _act(chance, gateways)
    for hearing, heard in itertools.permutations(gateways * 2, 2):
        if hearing is not heard:
            hearing.hear(heard)
    folded = [membership.load(each.db, GROUP.id) for each in gateways]
    assert all(each == folded[0] for each in folded)
    assert len({membership.view(each.db, GROUP.id, WITHIN.hash) for each in gateways}) == 1
    counted = [
        [membership.counts(each.db, head.feed, head.size - 1) for head in _heads(each)]
        for each in gateways
    ]
    assert all(each == counted[0] for each in counted)
    held = [{each.id for each in hear(one.db, GROUP.id).changes} for one in gateways]
    assert held[0]
    assert all(each == held[0] for each in held)


def _heads(gateway: Gateway) -> list[feed.Head]:
    return feeds.heads(gateway.db, GROUP.id)


def _act(chance: random.Random, gateways: list[Gateway]) -> None:
    one, other = chance.sample(gateways, 2)
    skip = frozenset(head.feed for head in _heads(other) if chance.random() < 0.3)
    try:
        match chance.randrange(9):
            case 0 | 1 | 2:
                one.hear(other, skip=skip)
            case 3:
                one.say()
            case 4:
                one.propose(chance.choice(("east", "flux", other.name)))
            case 5 | 6:
                for waiting in hear(one.db, GROUP.id).fold().pending:
                    one.approve(waiting.id)
            case 7 if chance.random() < 0.5:
                one.remove(other.name)
            case 8 if chance.random() < 0.3:
                one.leave()
            case _:
                one.runs += 1
    except NotAllowed:
        pass  # Many acts are not this one's to do.
    except GatewayError as fault:
        raise AssertionError(f"{one.name}: {fault}") from fault
