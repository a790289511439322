"""Two honest holders of conflicting bytes: one exchange, and both hold evidence of it."""

from hashlib import sha256

import pytest

from gateway.groups import evidence as proofs
from gateway.groups.evidence import Kind as Broken
from gateway.peers import wire
from gateway.peers.wire import Outgoing
from gateway.records import record
from gateway.records.feed import feed_id
from gateway.records.record import Kind, Place, Record, Said
from gateway.records.run import Run, Written
from gateway.store import acting, checking, evidence, feeds, freezing
from gateway.sync import control, envelope, message
from gateway.sync.message import Carried, Evidence, Recs
from gateway.sync.tracing import Trace
from tests.liar import ALL, BUYER, LIAR, MAKER, World, enveloped
from tests.people import Party, moment, opened, run_of, seed
from tests.sim.gateway import Gateway
from tests.vectors.build_evidence import misbodied

RUN = run_of(LIAR)
NAME = feed_id(RUN.key.public, ALL.id)


def _write(written: list[Written], count: int, mark: str, by: Run = RUN) -> list[Written]:
    """Go on with a history; what is written differs by the mark."""
    written = list(written) or [opened(by, ALL)]
    for number in range(count):
        said = Said(Kind.OBSERVATION, f"{mark} {number}".encode(), "text/plain")
        salt = seed(f"{mark} {number}")
        written.append(by.write(written[-1].feed, said, moment(number), salt))
    return written


def _tell(world: World, to: Party, written: list[Written], start: int = 0) -> None:
    """Have a member hear records of the liar, as anybody may say them."""
    for at in range(start, len(written), 50):
        some = tuple(Carried(each.encoded, each.body) for each in written[at : at + 50])
        content = message.encode(Recs(written[0].feed.id, at, some))
        payload = envelope.encode(enveloped(content, ALL))
        world.network.publish("liar", Outgoing(wire.to_node(to.node.id), payload))
    world.pass_ms(50)


def _parted(both: int, maker: int, buyer: int) -> tuple[World, list[list[Written]]]:
    """Have both hold a history of the liar's feed while they are apart."""
    world = World()
    first = _write([], both - 1, "both")
    histories = [_write(first, maker, "one"), _write(first, buyer, "other")]
    world.network.cut.add(world.buyer.name)
    _tell(world, MAKER, histories[0])
    world.network.cut = {world.maker.name}
    _tell(world, BUYER, histories[1])
    world.network.cut = set()
    for gateway, written in zip((world.maker, world.buyer), histories, strict=True):
        assert feeds.head(gateway.db, NAME) == written[-1].feed.head()
    return world, histories


def _meet(world: World, wait_ms: int = 30_000) -> None:
    for gateway in (world.maker, world.buyer):
        gateway.reconnect()
    world.pass_ms(wait_ms)


@pytest.mark.parametrize(
    ("both", "maker", "buyer"), [(5, 9, 9), (5, 30, 2), (5, 1, 40), (1, 3, 3), (40, 1, 1)]
)
def test_one_exchange_of_two_honest_holders_gives_both_evidence(
    both: int, maker: int, buyer: int
) -> None:
    """Both come to the same end of that feed, the first record that differs, and to no other's."""
    world, _ = _parted(both, maker, buyer)
    _meet(world)
    for gateway in (world.maker, world.buyer):
        (found,) = [each.finding for each in evidence.held(gateway.db)]
        assert (found.kind, found.node, found.thing) == (Broken.RECORD_FORK, LIAR.node.id, NAME)
        assert found.seq == both
        assert freezing.every(gateway.db) == {NAME}
        assert checking.heads(gateway.db) == []
    assert feeds.head(world.maker.db, NAME) == feeds.head(world.buyer.db, NAME)
    world.converse()


def test_what_both_hold_is_verified_offline_from_the_rosters_alone() -> None:
    """The bytes and the rosters are all that anybody needs."""
    world, _ = _parted(5, 9, 9)
    _meet(world)
    for gateway in (world.maker, world.buyer):
        (held,) = evidence.held(gateway.db)
        known = {ALL.roster.hash: ALL.roster}
        assert proofs.verify(proofs.decode(held.encoded), known).node == LIAR.node.id


def test_nothing_beyond_the_end_is_taken_asked_for_or_signed() -> None:
    """More of either history changes nothing; the liar's next run is heard as ever."""
    world, histories = _parted(5, 9, 9)
    _meet(world)
    before = feeds.head(world.maker.db, NAME)
    for written in (_write(histories[0], 5, "more"), _write(histories[1], 5, "more")):
        _tell(world, MAKER, written)
    assert feeds.head(world.maker.db, NAME) == before
    assert before is not None and before.size == 5
    following = run_of(LIAR, 1)
    _tell(world, MAKER, _write([], 4, "next run", following))
    world.pass_ms(20_000)
    for gateway in (world.maker, world.buyer):
        head = feeds.head(gateway.db, feed_id(following.key.public, ALL.id))
        assert head is not None and head.size == 5


def test_a_second_record_under_a_number_that_is_held_is_evidence_at_once() -> None:
    """No peer needs to be asked: both are signed."""
    world = World()
    first = _write([], 5, "both")
    _tell(world, MAKER, _write(first, 5, "one"))
    _tell(world, MAKER, _write(first, 3, "other"), 5)
    assert freezing.frozen(world.maker.db, NAME) == 6
    world.pass_ms(5_000)
    assert freezing.frozen(world.buyer.db, NAME) == 6  # It was told at once.


def test_a_record_that_does_not_follow_is_evidence_at_once() -> None:
    """Its author signed what comes before it, which is not what it signed before."""
    world = World()
    first = _write([], 5, "both")
    _tell(world, MAKER, _write(first, 1, "one"))
    _tell(world, MAKER, _write(first, 2, "other"), 7)
    assert freezing.frozen(world.maker.db, NAME) == 6


def test_a_body_that_was_not_committed_to_is_evidence() -> None:
    """The record is its author's, and so is the hash of the body, which is another content."""
    world = World()
    first = _write([], 3, "both")
    _tell(world, MAKER, first)
    after = first[-1].feed
    signed, body = misbodied(RUN, Place(NAME, after.size, after.last, ALL.id))
    content = message.encode(Recs(NAME, after.size, (Carried(signed, body),)))
    world.liar.tell(content)
    world.pass_ms(5_000)
    (held,) = evidence.held(world.maker.db)
    assert (held.finding.kind, held.finding.seq) == (Broken.BAD_BODY, after.size)
    assert freezing.frozen(world.buyer.db, NAME) == after.size


def test_a_restart_a_restored_backup_and_a_clone_accuse_nobody() -> None:
    """Runs that went on from one state write feeds of their own (I3)."""
    world = World()
    for number in range(4):
        _tell(world, MAKER, _write([], 5 + number, f"run {number}", run_of(LIAR, number)))
        _tell(world, BUYER, _write([], 5 + number, f"run {number}", run_of(LIAR, number)))
    world.maker.start()
    world.buyer.start()
    world.pass_ms(20_000)
    world.converse()
    for gateway in (world.maker, world.buyer):
        assert evidence.count(gateway.db) == 0 and not freezing.every(gateway.db)


def test_forged_evidence_accuses_nobody() -> None:
    """A flipped bit, an honest history, one record twice: counted, and nothing ends."""
    world, histories = _parted(5, 1, 1)
    fork = _fork(histories)
    flipped = fork[:-9] + bytes([fork[-9] ^ 4]) + fork[-8:]
    one = histories[0]
    author = proofs.Author(RUN.credentials.node.encoded, RUN.credentials.run.encoded)
    honest = proofs.encode(
        proofs.record_fork(author, record.parse(one[2].encoded), record.parse(one[3].encoded))
    )
    twice = proofs.encode(proofs.RecordFork(author, one[2].encoded, one[2].encoded))
    for each in (flipped, honest, twice, b"", fork[:-1]):
        world.liar.say(Evidence(each))
    world.pass_ms(50)
    assert evidence.count(world.maker.db) == 0
    counted = world.counted()
    assert counted["evidence.fails"] == 3 and counted["evidence.malformed"] == 2


def _fork(histories: list[list[Written]]) -> bytes:
    author = proofs.Author(RUN.credentials.node.encoded, RUN.credentials.run.encoded)
    pair = (record.parse(each[5].encoded) for each in histories)
    return proofs.encode(proofs.record_fork(author, *pair))


def test_evidence_that_is_known_is_neither_judged_nor_told_again() -> None:
    """Whoever repeats it is charged; who hears of it for the first time passes on nothing."""
    world, histories = _parted(5, 1, 1)
    world.liar.say(Evidence(_fork(histories)))
    world.pass_ms(100)
    assert freezing.frozen(world.maker.db, NAME) == 5
    assert freezing.frozen(world.buyer.db, NAME) is None
    for _ in range(20):
        world.liar.say(Evidence(_fork(histories)))
    world.pass_ms(100)
    assert evidence.count(world.maker.db) == 1
    assert world.counted()["sync.repeated"] > 0


def test_who_finds_it_writes_one_record_and_who_reads_that_writes_none() -> None:
    """A group has evidence of one fork once, and it comes to all as any record does."""
    world, histories = _parted(5, 9, 9)
    world.network.cut.add(world.buyer.name)
    world.liar.tell(_recs(histories[1], 5))
    world.pass_ms(100)
    assert _testify(world, world.maker) and not _testify(world, world.maker)
    world.network.cut.clear()
    _meet(world)
    assert freezing.frozen(world.buyer.db, NAME) == 5
    assert not _testify(world, world.buyer) and not _testify(world, world.maker)
    told = world.buyer.db.execute(
        "SELECT count(*) FROM records WHERE kind = ?", (int(Kind.EVIDENCE),)
    )
    assert told.get == 1


def _recs(written: list[Written], at: int) -> bytes:
    return message.encode(Recs(NAME, at, (Carried(written[at].encoded, written[at].body),)))


def _testify(world: World, gateway: Gateway) -> bool:
    """Have a gateway write what it owes, as its upkeep does."""
    with gateway.db:
        is_told = acting.testify(gateway.db, gateway.author, gateway.venue(ALL))
    for outgoing in gateway.exchange.written(ALL.id, world.clock.now_ms):
        world.network.publish(gateway.name, outgoing)
    world.pass_ms(100)
    return is_told


def test_a_false_word_of_another_root_freezes_nothing() -> None:
    """It is asked for, and what is not signed by the author shows nothing."""
    world = World()
    written = _write([], 8, "one")
    _tell(world, MAKER, written)
    head = written[-1].feed.head()
    world.liar.control(
        message.Heads((message.Listed(type(head)(head.feed, head.size, seed("a root"))),))
    )
    world.pass_ms(300_000)
    assert world.counted()["feed.fork"] >= 1
    assert evidence.count(world.maker.db) == 0 and not freezing.every(world.maker.db)


def test_what_a_peer_says_malformed_in_its_own_name_is_remembered() -> None:
    """Signed within the session, so nobody else can have said it; kept over restarts."""
    world = World()
    world.liar.counter += 1
    signed = control.sign(
        world.liar.run.key, world.liar.counter, world.liar.pair(), b"\x81\x18\x63"
    )
    world.liar.tell(signed)
    world.pass_ms(50)
    (found,) = evidence.impossible(world.maker.db)
    assert (found.node, found.code, found.count) == (LIAR.node.id, "message.malformed", 1)


def _plain(number: int, fork: int, mark: str) -> Record:
    """Give a record of a history that parts at a number, as far as a trace looks at it."""
    names = [
        sha256(f"{mark if at >= fork else ''} {at}".encode()).digest()
        for at in (number - 1, number)
    ]
    when = moment()
    return Record(NAME, number, names[0], ALL.id, 0, Kind.GAP, None, (), when, None, names[1], b"")


@pytest.mark.parametrize("at", [0, 1, 2, 50_000, 65_536, 99_998, 99_999])
def test_a_fork_among_100_000_records_is_found_in_few_questions(at: int) -> None:
    """By halving: at most 20 questions, wherever it is, and also where the last alone differs."""
    trace, count = Trace(100_000), 0
    while trace.asked is not None:
        count += 1
        found = trace.answered(_plain(trace.asked, at, "one"), _plain(trace.asked, at, "other"))
        assert found is not None
        trace = found
    assert trace.theirs is not None and trace.theirs.seq == at
    assert count <= 20


def test_a_trace_ends_where_there_is_no_other_history() -> None:
    """Who said that roots differ and shows the same last record has said what is not so."""
    same = _plain(99, 500, "one")
    assert Trace(100).answered(same, same) is None
