"""The inbox: bounded for each link and sender, nothing lost, everybody has a turn."""

import threading
from collections import Counter

from hypothesis import given, strategies as some

from gateway.peers.inbox import LINK_BYTES_MAX, SENDER_BYTES_MAX, TURN_BYTES, Inbox
from gateway.peers.wire import Arrived

_PIECE = 32 * 1024


def _arrived(link: str, sender: bytes | None, number: int = 0) -> Arrived:
    return Arrived("", number.to_bytes(4, "big") + bytes(_PIECE - 4), link, sender)


@given(
    some.lists(
        some.tuples(
            some.sampled_from(["a", "b"]),
            some.sampled_from([None, b"x", b"y"]),
            some.integers(1, 40),
        ),
        max_size=60,
    )
)
def test_what_is_taken_is_given_once_and_never_more_than_there_is_room(
    offers: list[tuple[str, bytes | None, int]],
) -> None:
    """Each offer is taken whole or not at all, and what was taken comes out in its order."""
    inbox, number = Inbox(), 0
    taken: dict[tuple[str, bytes | None], list[bytes]] = {}
    held: Counter[str] = Counter()
    for link, sender, count in offers:
        arrivals = [_arrived(link, sender, number + each) for each in range(count)]
        number += count
        if inbox.put(link, arrivals):
            held[link] += count * _PIECE
            taken.setdefault((link, sender), []).extend(each.payload for each in arrivals)
        assert held[link] <= LINK_BYTES_MAX
    given_out: dict[tuple[str, bytes | None], list[bytes]] = {}
    while inbox:
        for each in inbox.take(100_000):
            given_out.setdefault((each.link, each.sender), []).append(each.payload)
    assert given_out == taken


def test_one_sender_cannot_fill_the_place_of_another() -> None:
    """A flood over a link leaves room for the others on it, and their turn comes at once."""
    inbox, number = Inbox(), 0
    while inbox.put("a", [_arrived("a", b"flood", number)]):
        number += 1
    assert SENDER_BYTES_MAX - _PIECE < number * _PIECE <= SENDER_BYTES_MAX
    assert inbox.put("a", [_arrived("a", b"other")])
    first = inbox.take(TURN_BYTES + 1)
    assert {each.sender for each in first} == {b"flood", b"other"}


def test_a_link_that_was_refused_is_told_once() -> None:
    """It waits for word that there is room again."""
    inbox = Inbox()
    while inbox.put("a", [_arrived("a", None)]):
        continue
    inbox.take(_PIECE)
    assert inbox.resumed() == {"a"}
    assert inbox.resumed() == frozenset()
    assert inbox.put("a", [_arrived("a", None)])


def test_more_than_there_is_room_for_is_taken_where_nothing_waits() -> None:
    """Else it would be offered for ever."""
    arrivals = [_arrived("a", None, each) for each in range(2 * LINK_BYTES_MAX // _PIECE)]
    inbox = Inbox()
    assert inbox.put("a", arrivals)
    assert not inbox.put("a", arrivals[:1])


def test_a_link_that_rests_is_told_of_room_only_when_something_was_taken_of_it() -> None:
    """Else it would offer again and again while it rests, and keep two threads busy in vain."""
    inbox, resting = Inbox(), frozenset({"a"})
    while inbox.put("a", [_arrived("a", None)]):
        continue
    assert inbox.take(_PIECE, resting) == []
    assert inbox.resumed(resting) == frozenset()
    assert inbox.take(_PIECE)
    assert inbox.resumed() == {"a"}


def test_links_may_hand_over_while_somebody_looks() -> None:
    """However many senders come while others of a link that rests wait, both go on."""
    inbox, is_over = Inbox(), threading.Event()

    def hand_over() -> None:
        while not is_over.is_set():
            for number in range(50):
                inbox.put("a", [Arrived("topic", b"", "a", number.to_bytes(2, "big"))])
            inbox.take(TURN_BYTES * 50)

    thread = threading.Thread(target=hand_over)
    thread.start()
    try:
        for _ in range(20_000):
            assert not inbox.waits(frozenset({"a"}))
    finally:
        is_over.set()
        thread.join()
