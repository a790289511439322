"""Reach: the best link, all of them in doubt, and the fewest that reach everybody."""

from hypothesis import given, strategies as some

from gateway.sync.reach import GONE_MS, LINKS_MAX, NEAR_MS, TRY_MS, Reach, Way

ANNA, BERT, CARL = (bytes([each]) * 16 for each in range(3))
BOTH = (Way("first"), Way("second"))


def _reach(*ways: Way) -> Reach:
    reach = Reach()
    reach.change(ways or BOTH, 0)
    return reach


def _try(reach: Reach, node: bytes, now_ms: int) -> int:
    """Try twice in vain; give when."""
    for _ in range(2):
        reach.tried(node, now_ms)
        now_ms += TRY_MS
    return now_ms


def test_who_was_never_heard_is_spoken_to_over_all_links() -> None:
    """Before anything was heard nobody can say which link is right."""
    assert _reach().to(ANNA) == ("first", "second")


def test_the_first_link_of_the_config_over_which_a_peer_was_heard_lately_is_the_best() -> None:
    """Two links that both carried its signature just now: the config's order decides."""
    reach = _reach()
    reach.heard(ANNA, "second", 1_000)
    assert reach.to(ANNA) == ("second",)
    reach.heard(ANNA, "first", 1_000 + NEAR_MS - 1)
    assert reach.to(ANNA) == ("first",)


def test_a_direct_link_comes_before_a_broker() -> None:
    """Whoever is at the other end of a direct link is spoken to there, whatever the order."""
    reach = _reach(Way("broker"), Way("direct", frozenset({ANNA})))
    reach.heard(ANNA, "broker", 100)
    assert reach.to(ANNA) == ("direct",)
    reach.heard(BERT, "broker", 100)
    assert reach.to(BERT) == ("broker",)


def test_a_peer_is_not_where_somebody_else_says_it_is() -> None:
    """A listener that names everybody again and again has nothing that is for them."""
    said = Way("direct", frozenset({ANNA, BERT}), frozenset({ANNA}))
    reach = _reach(Way("broker"), said)
    reach.heard(ANNA, "broker", 0)
    for now_ms in range(3_000, 60_000, 3_000):
        reach.change((Way("broker"), Way("direct", frozenset({BERT}))), now_ms)
        shift = reach.change((Way("broker"), said), now_ms)
        assert ANNA in shift.nodes
        assert reach.to(ANNA) == ("broker",) and "broker" in reach.to_all([ANNA], now_ms)
    reach.heard(ANNA, "broker", 60_000)
    reach.heard(ANNA, "direct", 60_100)
    assert reach.to(ANNA) == ("direct",)


def test_a_link_on_which_nothing_comes_while_another_carries_is_left() -> None:
    """A half-open link: what is heard now, is heard elsewhere."""
    reach = _reach(Way("broker"), Way("direct", frozenset({ANNA})))
    reach.heard(ANNA, "direct", 1_000)
    reach.heard(ANNA, "broker", 1_000 + NEAR_MS)
    assert reach.to(ANNA) == ("broker",)


def test_two_attempts_in_vain_are_doubt_and_any_answer_ends_it() -> None:
    """One may be lost; what is repeated at once is no second attempt."""
    reach = _reach()
    reach.heard(ANNA, "first", 0)
    for now_ms in (100, 200, 300):
        reach.tried(ANNA, now_ms)
    assert reach.to(ANNA) == ("first",)
    reach.tried(ANNA, 100 + TRY_MS)
    assert reach.in_doubt(ANNA) and reach.to(ANNA) == ("first", "second")
    reach.heard(ANNA, "second", 5_000)
    assert reach.to(ANNA) == ("second",)


def test_a_copy_shows_the_other_link_and_counts_from_when_it_was_heard_first() -> None:
    """A link that is slow, or woke up late, is no fresher than the fast one."""
    reach = _reach()
    reach.heard(ANNA, "second", 10_000, b"signed")
    assert reach.copied(b"signed", "first")
    assert reach.to(ANNA) == ("first",)
    assert not reach.copied(b"signed", "first")
    assert not reach.copied(b"another", "first")
    slow = _reach()
    slow.heard(ANNA, "first", 10_000, b"signed")
    assert slow.copied(b"signed", "second")
    assert slow.to(ANNA) == ("first",)


def test_what_is_heard_twice_over_one_link_is_no_copy() -> None:
    """Only the exchange knows what to make of a repetition."""
    reach = _reach()
    reach.heard(ANNA, "first", 10_000, b"signed")
    assert not reach.copied(b"signed", "first")


def test_who_was_heard_over_a_link_that_went_down_is_met_at_once() -> None:
    """And nobody else; a link that comes back is met by all."""
    reach = _reach()
    reach.heard(ANNA, "first", 10)
    reach.heard(BERT, "second", 10)
    shift = reach.change(BOTH[1:], 20)
    assert (shift.nodes, shift.every) == (frozenset({ANNA}), False)
    assert reach.to(ANNA) == reach.to(BERT) == ("second",)
    assert reach.change(BOTH, 30).every


def test_who_comes_to_a_direct_link_is_met_and_who_leaves_it_too() -> None:
    """A listener is up all the time; its nodes come and go."""
    reach = _reach(Way("listener", frozenset()))
    came = reach.change([Way("listener", frozenset({ANNA}))], 10)
    assert (came.nodes, came.every) == (frozenset({ANNA}), False)
    went = reach.change([Way("listener", frozenset())], 20)
    assert (went.nodes, went.every) == (frozenset({ANNA}), False)


def test_a_broadcast_goes_over_the_fewest_links_that_reach_all() -> None:
    """One broker for all of them, rather than each one's best link."""
    reach = _reach(Way("a"), Way("b"), Way("c"))
    for node, links in ((ANNA, "ac"), (BERT, "bc")):
        for link in links:
            reach.heard(node, link, 100)
    assert reach.to_all([ANNA, BERT], 100) == ("c",)
    assert reach.to_all([ANNA], 100) == ("a",)
    assert reach.to_all([CARL], 100) == ("a", "b", "c")


def test_doubt_about_one_member_sends_a_broadcast_everywhere_but_not_for_ever() -> None:
    """A member that is switched off must not double what the others are told for weeks."""
    reach = _reach()
    reach.heard(ANNA, "first", 0)
    reach.heard(BERT, "first", 0)
    now_ms = _try(reach, ANNA, 0)
    assert reach.to_all([ANNA, BERT], now_ms) == ("first", "second")
    assert reach.to_all([ANNA, BERT], GONE_MS) == ("first",)


_LINKS = [f"link {each}" for each in range(LINKS_MAX + 2)]


@given(
    some.lists(some.sampled_from(_LINKS), min_size=1, unique=True),
    some.dictionaries(some.binary(min_size=1, max_size=1), some.sets(some.sampled_from(_LINKS))),
)
def test_a_broadcast_reaches_every_member_that_is_known(
    up: list[str], heard: dict[bytes, set[str]]
) -> None:
    """Whatever was heard where: each known member is behind one of the links, and all are up."""
    reach = _reach(*(Way(link) for link in up))
    for node, links in heard.items():
        for link in sorted(links):
            reach.heard(node, link, 5)
    chosen = reach.to_all(heard, 5)
    assert set(chosen) <= set(up) and len(set(chosen)) == len(chosen)
    for links in heard.values():
        assert not links & set(up) or links & set(chosen)
