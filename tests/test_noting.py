"""Notes on the wire: what witnesses stand for reaches every member, and no lie moves anything."""

import random
from dataclasses import replace

import pytest

from gateway.errors import AuthorError, BadNote, ProofFails
from gateway.groups.evidence import Kind as Broken
from gateway.peers import wire
from gateway.peers.noting import Noting
from gateway.peers.wire import Arrived
from gateway.records import checkpoint, journal as leaves, merkle, note
from gateway.records.cose import SigningKey
from gateway.records.feed import Head, feed_id
from gateway.records.journal import Entry
from gateway.store import checkpoints, evidence, feeds, groups, journal, noted, standing
from gateway.sync import envelope, message
from gateway.sync.message import Note
from tests.damage import all_refused, flips
from tests.liar import enveloped
from tests.people import Party, group_of, party, seed, witnessed
from tests.sim.clock import Clock
from tests.sim.device import Device
from tests.sim.gateway import Gateway
from tests.sim.network import Network, Temper
from tests.witnessed import naming

MAKER, BUYER, CARRIER = (witnessed(party(name)) for name in ("maker", "buyer", "carrier"))
EVERYBODY = MAKER, BUYER, CARRIER
GROUP = group_of(MAKER, BUYER, CARRIER)


class World:
    """A maker and a buyer on one broker, and a carrier that reaches the buyer alone."""

    def __init__(self) -> None:
        self.clock, dice = Clock(), random.Random(3)
        self.network = Network(self.clock, dice, Temper(delay_ms=2), ("broker", "other"))
        self.network.absent |= {("maker", "other"), ("carrier", "broker")}
        self.maker, self.buyer, self.carrier = (
            Gateway(who, [GROUP], self.clock, self.network, 0) for who in EVERYBODY
        )
        self._device = Device("press-1", dice)
        self.pass_s(20)

    def pass_s(self, wait_s: int) -> None:
        """Let time pass."""
        self.clock.run(self.clock.now_ms + 1000 * wait_s)

    def say(self, count: int = 1) -> Head:
        """Have the maker say something; give its head."""
        for _ in range(count):
            assert self.maker.say(GROUP, self._device.say(self.clock.now_ms))
        found = feeds.head(self.maker.db, feed_id(self.maker.run.key.public, GROUP.id))
        assert found is not None
        return found

    def cosign(self, *who: Party) -> None:
        """Have the maker's journal grow if it can, and witnesses cosign it."""
        with self.maker.db:
            journal.grow(self.maker.db, self.maker.run)
            run = self.maker.run.key.id
            found = checkpoints.of_run(self.maker.db, run)[0].checkpoint
            for each in who:
                journal.keep_cosignature(self.maker.db, run, found.size, each.cosign(found.text))

    def cosigned(self, feed: bytes) -> tuple[int, int, int]:
        """Say up to where a feed is cosigned at the maker, the buyer, the carrier."""
        maker, buyer, carrier = (
            standing.of(one.db, feed).cosigned for one in (self.maker, self.buyer, self.carrier)
        )
        return maker, buyer, carrier


def test_a_quorum_reaches_every_member_and_fewer_move_nothing() -> None:
    """Of three organisations two must cosign; who cannot reach the author hears it from others."""
    world = World()
    head = world.say(5)
    world.pass_s(60)
    world.cosign(MAKER)
    world.pass_s(700)
    assert world.cosigned(head.feed) == (0, 0, 0)
    assert [len(each.kept.names) for each in noted.of_feed(world.buyer.db, head.feed)] == [1]
    world.cosign(CARRIER)
    world.pass_s(700)
    assert world.cosigned(head.feed) == (head.size,) * 3
    assert [len(each.kept.names) for each in noted.of_feed(world.carrier.db, head.feed)] == [2]


def test_what_was_said_while_a_member_was_away_reaches_it_when_it_is_back() -> None:
    """A note that was lost is said again; until then the member takes nothing for cosigned."""
    world = World()
    head = world.say(3)
    world.network.cut.add("buyer")
    world.cosign(*EVERYBODY)
    world.pass_s(900)
    assert world.cosigned(head.feed) == (head.size, 0, 0)
    world.network.cut.clear()
    for each in (world.maker, world.buyer, world.carrier):
        each.reconnect()
    world.pass_s(900)
    assert world.cosigned(head.feed) == (head.size,) * 3


def test_the_tail_of_a_run_that_crashed_is_cosigned_under_the_next_runs_journal() -> None:
    """What was said after the last cosigned checkpoint of a run counts by the run after it."""
    world = World()
    before = world.say(3)
    world.cosign(*EVERYBODY)
    tail = world.say(4)
    world.pass_s(60)
    world.maker.start()
    world.pass_s(60)
    new = world.say()
    world.pass_s(60)
    assert world.cosigned(tail.feed)[1] == before.size < tail.size
    world.cosign(MAKER, BUYER)
    world.pass_s(900)
    assert world.cosigned(tail.feed) == (tail.size,) * 3
    assert world.cosigned(new.feed) == (new.size,) * 3


def test_a_run_that_was_met_is_known_where_the_store_did_not_keep_it() -> None:
    """A full disk loses who was met; a note of that run, which has no feed here, counts still."""
    world = World()
    tail = world.say(4)
    world.maker.start()
    world.pass_s(60)
    world.buyer.db.execute("DELETE FROM peers")
    world.cosign(MAKER, BUYER)
    world.pass_s(900)
    assert world.cosigned(tail.feed)[1] == tail.size


def test_a_renewed_key_of_a_witness_stands_for_the_same_anew() -> None:
    """What is under the old key counts nothing: the same head under the new one is news."""
    world = World()
    head = world.say(3)
    world.pass_s(60)
    good = _grown(world, [head], MAKER, BUYER)
    _tell(world, good)
    db, text = world.buyer.db, checkpoint.read(good.checkpoint.encode())[1].text
    renewed = party("the renewed key of the buyer's witness").root
    with db:
        groups.keep_roster(db, naming(GROUP.roster, BUYER, renewed.public, MAKER))
    by = checkpoints.witnesses(db, GROUP.id)
    (one,) = noted.of_feed(db, head.feed)
    assert checkpoints.signed(one.kept, by) == {MAKER.root.id}
    line = note.cosign(checkpoint.witness_name(BUYER.root.id), renewed, text, 1_795_262_500)
    _tell(world, replace(good, cosignatures=(good.cosignatures[0], line)))
    (one,) = noted.of_feed(db, head.feed)
    assert checkpoints.signed(one.kept, by) == {MAKER.root.id, BUYER.root.id}
    assert evidence.held(db) == []


def test_what_was_told_is_forgotten_once_more_is_cosigned() -> None:
    """However often a journal grows, no more is remembered of a peer than there is to tell it."""
    world = World()
    for _ in range(6):
        world.say()
        world.pass_s(60)
        world.cosign(*EVERYBODY)
        world.pass_s(60)
    told = [len(each.told) for each in world.buyer.exchange._hearing.noting._said.values()]
    assert 0 < max(told) <= 2


def _forged(world: World, head: Head, key: SigningKey | None = None) -> Note:
    """Have a key sign a journal of one head, which everybody's witness cosigns."""
    signed = checkpoint.sign(key or world.maker.run.key, 1, leaves.leaf(head))
    text = checkpoint.read(signed)[1].text
    lines = tuple(each.cosign(text) for each in EVERYBODY)
    return Note(signed.decode(), lines, (Entry(0, head, ()),))


def _tell(world: World, said: Note) -> None:
    """Say a note to the buyer, in the group."""
    payload = envelope.encode(enveloped(message.encode(said), GROUP))
    arrived = Arrived(wire.to_node(BUYER.node.id), payload)
    world.buyer.exchange.receive([arrived], world.clock.now_ms)


def test_a_head_that_is_not_ours_is_a_doubt_and_moves_nothing() -> None:
    """A journal whose head contradicts what its run gave us shows two histories of that feed."""
    world = World()
    head = world.say(3)
    world.pass_s(60)
    _tell(world, _forged(world, replace(head, root=seed("another history"))))
    assert world.cosigned(head.feed) == (0, 0, 0)
    assert world.buyer.exchange.forks == {head.feed}


def test_of_two_journals_of_one_size_the_first_is_believed_and_both_are_remembered() -> None:
    """A run that signed two checkpoints of one size forked its journal: both show it."""
    world = World()
    head = world.say(3)
    world.pass_s(60)
    earlier = Head(head.feed, 1, feeds.root_at(world.maker.db, head.feed, 1))
    first, second = _forged(world, earlier), _forged(world, head)
    _tell(world, first)
    _tell(world, second)
    assert world.cosigned(head.feed) == (0, 1, 0)
    shown = world.buyer.exchange.journal_forks
    assert shown == {
        world.maker.run.key.id: (first.checkpoint.encode(), second.checkpoint.encode())
    }
    found = [each.finding for each in evidence.held(world.buyer.db)]
    assert [each.kind for each in found] == [Broken.JOURNAL_FORK, *3 * [Broken.WITNESS_FORK]]
    assert (found[0].node, found[0].thing) == (world.maker.node, world.maker.run.key.id)
    assert not world.buyer.exchange.frozen


def _grown(world: World, heads: list[Head], *who: Party) -> Note:
    """Have the maker sign a journal of some heads, and tell the last of them."""
    subtree = merkle.subtrees_of([leaves.leaf(each) for each in heads])
    root = merkle.frontier(len(heads), subtree).root()
    signed = checkpoint.sign(world.maker.run.key, len(heads), root)
    text, index = checkpoint.read(signed)[1].text, len(heads) - 1
    path = merkle.inclusion(index, len(heads), subtree)
    lines = tuple(each.cosign(text) for each in who)
    return Note(signed.decode(), lines, (Entry(index, heads[-1], path),))


def test_of_two_journals_the_one_with_a_quorum_stays_whichever_came_first() -> None:
    """Who heard first of the one that few witnesses stand for comes to the same as all others."""
    world = World()
    head = world.say(3)
    world.pass_s(60)
    earlier = Head(head.feed, 1, feeds.root_at(world.maker.db, head.feed, 1))
    for heads, who in (([earlier], [CARRIER]), ([head], [MAKER, BUYER]), ([earlier], [CARRIER])):
        _tell(world, _grown(world, heads, *who))
    assert world.cosigned(head.feed)[1] == head.size
    (kept,) = checkpoints.of_run(world.buyer.db, world.maker.run.key.id)
    assert kept.checkpoint.root == leaves.leaf(head)
    assert [each.finding.kind for each in evidence.held(world.buyer.db)] == [Broken.JOURNAL_FORK]


def test_another_head_under_a_number_that_was_noted_is_a_rewrite_that_all_come_to_know() -> None:
    """Where a later journal has another leaf, both notes show it: at who met both, and then all."""
    world = World()
    head = world.say(3)
    world.pass_s(60)
    root = feeds.root_at
    one, two = (Head(head.feed, size, root(world.maker.db, head.feed, size)) for size in (1, 2))
    _tell(world, _grown(world, [one, two], CARRIER))
    longer = _grown(world, [one, head, two], MAKER)
    told = leaves.leaf(one), leaves.leaf(head), leaves.leaf(two)
    path = merkle.inclusion(1, 3, merkle.subtrees_of(told))
    _tell(world, replace(longer, leaves=(Entry(1, head, path),)))
    (found,) = [each.finding for each in evidence.held(world.buyer.db)]
    assert (found.kind, found.seq) == (Broken.REWRITE, 1)
    assert (found.node, found.thing) == (world.maker.node, world.maker.run.key.id)
    assert not world.buyer.exchange.frozen
    world.pass_s(300)
    (told_of,) = evidence.held(world.carrier.db)
    assert told_of.finding == found


def test_a_journal_that_only_grew_shows_nothing_against_its_run() -> None:
    """The same head under the same number, and others under later ones, are no rewrite."""
    world = World()
    head = world.say(3)
    world.pass_s(60)
    one = Head(head.feed, 1, feeds.root_at(world.maker.db, head.feed, 1))
    for heads in ([one], [one, head], [one, head]):
        _tell(world, _grown(world, heads, CARRIER))
    assert evidence.held(world.buyer.db) == []
    assert len(noted.of_feed(world.buyer.db, head.feed)) == 1


def test_what_is_ahead_or_of_somebody_else_is_left_out() -> None:
    """A head beyond what is held, or of a feed of another node, is not noted."""
    world = World()
    head = world.say(3)
    assert world.buyer.say(GROUP, Device("other", random.Random(1)).say(0))
    world.pass_s(60)
    others = feeds.head(world.buyer.db, feed_id(world.buyer.run.key.public, GROUP.id))
    assert others is not None
    for wrong in (replace(head, size=head.size + 1), others, replace(head, feed=seed("none"))):
        _tell(world, _forged(world, wrong))
    assert noted.feeds_of(world.buyer.db, GROUP.id) == []
    assert not world.buyer.exchange.forks


def test_no_bit_of_a_note_can_be_changed() -> None:
    """Checkpoint, cosignature and head: whatever bit is flipped, the note is refused."""
    world = World()
    head = world.say(3)
    world.pass_s(60)
    noting, good = Noting(world.buyer.exchange._circle, world.buyer.db), _forged(world, head)
    heard = noting.hear(good, GROUP)
    assert heard.taken is not None
    assert (heard.taken.entries, heard.forks) == (good.leaves, ())

    def checkpoint_as(said: bytes) -> object:
        return noting.hear(replace(good, checkpoint=said.decode(errors="replace")), GROUP)

    def line_as(said: bytes) -> object:
        return noting.hear(replace(good, cosignatures=(said.decode(errors="replace"),)), GROUP)

    def root_as(said: bytes) -> object:
        changed = replace(good.leaves[0], head=replace(head, root=said))
        return noting.hear(replace(good, leaves=(changed,)), GROUP)

    all_refused(checkpoint_as, flips(good.checkpoint.encode()), AuthorError)
    all_refused(line_as, flips(good.cosignatures[0].encode()), AuthorError)
    all_refused(root_as, flips(head.root), ProofFails)


def test_a_note_by_nobody_or_under_nobody_is_refused() -> None:
    """An unknown run's note, one without a witness of the group, and one with more lines."""
    world = World()
    head = world.say(3)
    world.pass_s(60)
    noting, good = Noting(world.buyer.exchange._circle, world.buyer.db), _forged(world, head)
    stranger = witnessed(party("stranger"))
    text = checkpoint.read(good.checkpoint.encode())[1].text
    for bad in (
        _forged(world, head, SigningKey(seed("nobody's run"))),
        replace(good, cosignatures=()),
        replace(good, cosignatures=(stranger.cosign(text),)),
        replace(good, checkpoint=f"{good.checkpoint}{good.cosignatures[0]}\n"),
    ):
        with pytest.raises(BadNote):
            noting.hear(bad, GROUP)
