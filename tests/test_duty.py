"""A link that costs work in vain rests as long as it cost; the others are heard meanwhile."""

from hypothesis import given, strategies as some

from gateway.peers.inbox import Inbox
from gateway.peers.wire import Arrived
from gateway.sync.duty import REST_MS_MAX, WASTE_MS, Duty


@given(some.lists(some.floats(0, 300), min_size=1, max_size=200))
def test_at_most_half_of_the_time_goes_to_one_link_in_vain(costs_ms: list[float]) -> None:
    """Whenever it may be heard it is, and each time it costs what it likes."""
    duty, now_ms, spent_ms, rested_ms = Duty(), 0, 0.0, 0
    for cost_ms in costs_ms:
        if "flood" in duty.resting(now_ms):
            until_ms = duty.due_ms(now_ms)
            assert until_ms is not None and now_ms < until_ms <= now_ms + REST_MS_MAX + 1
            rested_ms += until_ms - now_ms
            now_ms = until_ms
            assert "flood" not in duty.resting(now_ms)
        now_ms += int(cost_ms)
        duty.spent("flood", cost_ms, now_ms)
        spent_ms += cost_ms
        assert "other" not in duty.resting(now_ms)
    assert spent_ms <= rested_ms + WASTE_MS + max(costs_ms) + len(costs_ms)


def test_what_a_resting_link_brought_waits_and_the_others_is_taken() -> None:
    """Nothing of it is lost; it is told no when its place is full, and resumes."""
    inbox = Inbox()
    for name in ("flood", "quiet"):
        assert inbox.put(name, [Arrived("topic", name.encode(), name)] * 3)
    resting = frozenset({"flood"})
    assert {each.link for each in inbox.take(1 << 20, resting)} == {"quiet"}
    assert inbox and not inbox.waits(resting) and inbox.waits()
    assert [each.link for each in inbox.take(1 << 20)] == ["flood"] * 3
