"""What an answer says of its own completeness, checked against the stores of others."""

import json
from pathlib import Path

import pytest

from gateway.cli import lacking
from gateway.completeness import Absent, Extent, Hearing, Holder, digest
from gateway.groups.agreement import Entry
from gateway.query import Missing
from gateway.records.feed import Head
from gateway.store import claims, feeds, state
from gateway.sync.message import Heads, Listed
from tests.holding import Holding
from tests.liar import ALL, APART, BUYER, LIAR, MAKER, World
from tests.lies import ack, tell_ack
from tests.people import party, seed
from tests.sim.gateway import Gateway
from tests.vectors import load
from tests.vectors.build_completeness import read

T_MS = 1_795_262_400_000


def _extents(gateway: Gateway) -> dict[bytes, Extent]:
    return {each.id: each for each in claims.extents(gateway.db, None, gateway.node)}


def _behind(world: World, sayings: int) -> None:
    """Have the buyer miss what the maker says, and then hear how much there is, and no more."""
    world.network.cut.add(world.buyer.name)
    for _ in range(sayings):
        world.say()
    world.pass_ms(5_000)
    world.network.cut.discard(world.buyer.name)
    world.buyer.reconnect()
    while _extents(world.buyer)[APART.id].complete:
        world.pass_ms(1)
    world.network.cut.add(world.buyer.name)
    world.pass_ms(100)


def test_who_is_behind_says_exactly_what_is_missing() -> None:
    """The feed, the numbers and the holder are those of the other's store; then it has come."""
    world = World()
    assert _extents(world.buyer)[APART.id].complete
    _behind(world, 7)
    extent = _extents(world.buyer)[APART.id]
    (head,) = feeds.tips(world.maker.db, APART.id, MAKER.node.id)
    held = feeds.head(world.buyer.db, head.feed)
    assert held is not None and head.size - held.size == 7 and not extent.complete
    assert extent.absent == (
        Absent(head.feed, held.size, (Holder(MAKER.node.id, head.size, None),), ()),
    )
    assert (extent.missing, extent.said_by()) == (7, {MAKER.node.id: 7})
    assert extent.heads == tuple(feeds.heads(world.buyer.db, APART.id))
    world.network.cut.clear()
    world.buyer.reconnect()
    world.agree(60_000)
    maker, buyer = (_extents(each)[APART.id] for each in (world.maker, world.buyer))
    assert maker.complete and buyer.complete
    assert digest(maker.heads) == digest(buyer.heads)
    assert world.buyer.db.execute("SELECT count(*) FROM claims").get == 0


def test_a_claim_is_kept_over_a_restart() -> None:
    """What a member signed is known to the next run too, before anybody is heard again."""
    world = World()
    _behind(world, 3)
    before = _extents(world.buyer)
    world.buyer.start()
    assert _extents(world.buyer) == before and before[APART.id].missing == 3


def test_a_lie_is_its_tellers_and_stays_in_its_group() -> None:
    """A million records that are nowhere are that member's word, and other groups are complete."""
    world = World()
    nowhere = Head(seed("nowhere"), 1_000_000, seed("root"))
    world.liar.control(Heads((Listed(nowhere),)))
    world.pass_ms(1_000)
    extents = _extents(world.maker)
    assert extents[ALL.id].absent == (
        Absent(nowhere.feed, 0, (Holder(LIAR.node.id, 1_000_000, None),), ()),
    )
    assert [each.group for each in extents.values() if not each.complete] == [extents[ALL.id].group]
    assert all(each.complete for each in _extents(world.buyer).values())
    world.converse()
    told = extents[ALL.id].shown()
    assert (told["complete"], told["records_missing"]) == (False, 1_000_000)


def test_an_ack_ahead_of_what_is_held_is_a_claim() -> None:
    """A member that signs for more than is held here says that there is more."""
    world = World()
    (head,) = feeds.tips(world.maker.db, ALL.id, MAKER.node.id)
    tell_ack(world, ack(world, Entry(Head(head.feed, head.size + 5, head.root))))
    world.pass_ms(1_000)
    (absent,) = _extents(world.maker)[ALL.id].absent
    assert (absent.feed, absent.held, absent.records) == (head.feed, head.size, 5)
    assert [each.node for each in absent.holders] == [LIAR.node.id]


def test_what_nobody_signed_is_no_claim() -> None:
    """Heads that are broadcast, or of another group's feed, make no group incomplete."""
    world = World()
    world.liar.say(Heads((Listed(Head(seed("nowhere"), 9, seed("root"))),)))
    (apart,) = feeds.tips(world.maker.db, APART.id, MAKER.node.id)
    world.liar.control(Heads((Listed(Head(apart.feed, apart.size + 9, seed("root"))),)))
    world.pass_ms(1_000)
    assert all(each.complete for each in _extents(world.maker).values())


def test_claims_of_one_member_are_bounded() -> None:
    """Whoever claims ever more feeds has so many kept, and takes no room from another's claims."""
    world = World()
    db = world.maker.db
    refused, count = 0, claims.FEEDS_MAX + 904
    for start in range(0, count, 1_000):
        said = {seed(f"{at}"): Holder(LIAR.node.id, 9, None) for at in range(start, start + 1_000)}
        refused += claims.keep(db, ALL.id, LIAR.node.id, said)
    assert refused == count - claims.FEEDS_MAX
    again = {seed("0"): Holder(LIAR.node.id, 10, None), seed("new"): Holder(LIAR.node.id, 9, None)}
    assert claims.keep(db, ALL.id, LIAR.node.id, again) == 1
    assert claims.keep(db, ALL.id, BUYER.node.id, again) == 0
    extent = _extents(world.maker)[ALL.id]
    assert len(extent.absent) == claims.FEEDS_MAX + 1
    shown = extent.shown()
    assert isinstance(shown["missing"], list) and len(shown["missing"]) == 500


def test_a_members_word_goes_with_it() -> None:
    """Who is no member any more makes nothing incomplete."""
    world = World()
    world.liar.control(Heads((Listed(Head(seed("nowhere"), 9, seed("root"))),)))
    world.pass_ms(1_000)
    db = world.maker.db
    db.execute("DELETE FROM members WHERE node = ?", (LIAR.node.id,))
    assert _extents(world.maker)[ALL.id].complete


def test_an_earlier_feed_that_a_genesis_names_is_missing() -> None:
    """A genesis that was heard before the feed it continues says that there is one, and how far."""
    world = World()
    (head,) = feeds.tips(world.maker.db, ALL.id, BUYER.node.id)
    db = world.maker.db
    number = feeds.feed_number(db, head.feed)
    db.execute("INSERT INTO successions VALUES (?, ?, 4, ?)", (seed("earlier"), number, seed("r")))
    extent = _extents(world.maker)[ALL.id]
    assert extent.absent == (Absent(seed("earlier"), 0, (), (Holder(BUYER.node.id, 4, None),)),)
    assert (extent.named(), extent.said_by()) == (4, {})


def test_when_a_member_was_heard_is_kept() -> None:
    """The last time counts, null under a clock that was not set; nobody else's changes."""
    world = World()
    for unix_ms in (T_MS, T_MS + 5):
        claims.heard(world.maker.db, ALL.id, BUYER.node.id, unix_ms)
    members = {each.node: each.heard_ms for each in _extents(world.maker)[ALL.id].members}
    assert members == {BUYER.node.id: T_MS + 5, LIAR.node.id: None}


def test_a_digest_is_of_sorted_heads() -> None:
    """Heads give the digest of the vector; other heads, or another order, do not."""
    vectors = load("completeness")
    assert all(read(each) == each["expect"] for each in vectors["good"])
    assert all(read(each) != each["expect"] for each in vectors["bad"])


HERE, THERE = party("ace"), party("bolt")


def _lacking() -> Missing:
    there = Holder(THERE.node.id, 12, T_MS)
    absent = (Absent(seed("a"), 5, (there,), (Holder(THERE.node.id, 9, None),)),)
    members = (
        Hearing(THERE.node.id, THERE.root.id, T_MS),
        Hearing(HERE.node.id, HERE.root.id, None),
    )
    return Missing([Extent("press", seed("g"), (), absent, members)])


@pytest.mark.parametrize(
    ("language", "lines"),
    [
        (
            "en",
            [
                "press: 7 records of 1 feeds are known to be missing here",
                "signed that it holds 7 of them",
                "press: 4 of them are in earlier feeds",
                "was last heard 2026-11-21T12:00:00.000Z",
                "press: nothing was heard of",
            ],
        ),
        ("zh", ["已知此处缺少 1 条日志流中的 7 条记录", "持有其中 7 条", "4 条", "最近", "尚未"]),
    ],
)
def test_people_are_told_what_is_missing_and_on_whose_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str, lines: list[str]
) -> None:
    """Each is a sentence of its own, in the reader's language."""
    monkeypatch.setenv("HULIAN_LANG", language)
    held = state.load(Holding(tmp_path).folder)
    told = list(lacking.told_of(_lacking(), held, T_MS + lacking.SILENT_MS + 1))
    assert len(told) == len(lines)
    for said, part in zip(told, lines, strict=True):
        assert part in said
    assert len(list(lacking.told_of(_lacking(), held, T_MS + 1))) == len(lines) - 1


def test_a_file_for_programs_holds_one_object(tmp_path: Path) -> None:
    """What is missing is written as JSON, in whatever form the rows are asked for."""
    lacking.keep(tmp_path / "known.json", _lacking().shown())
    facts = json.loads((tmp_path / "known.json").read_text("utf-8"))
    assert facts["complete"] is False and facts["groups"][0]["records_missing"] == 7
