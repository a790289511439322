"""What one peer is asked for, at which pace: by its rate, and slowly what it gave up answering."""

from dataclasses import dataclass, field

from hypothesis import given, strategies as some

from gateway.sync.asking import (
    ATTEMPTS_MAX,
    SLOW,
    SLOW_AT_ONCE,
    SLOW_HEARD_MAX,
    SLOW_MAX,
    Asking,
)
from gateway.sync.message import Want
from gateway.sync.rate import (
    CREDIT_MAX,
    CREDIT_TOTAL_MAX,
    STALLED_MS,
    WINDOW_MIN,
    Lately,
    Rate,
)
from tests.people import seed
from tests.vectors.build_message import GROUP, feeds

FEED = seed("a feed")
RECORD_BYTES = 400
MESSAGE_RECORDS = 140


@dataclass
class Line:
    """A way over which a peer answers: so many bytes a second, and as long until the first."""

    bytes_s: float
    delay_ms: int
    asking: Asking = field(default_factory=Asking)
    now_ms: int = 0
    free_ms: float = 0
    under_way_most: int = 0
    came: int = 0
    _coming: list[tuple[float, Want, int, int]] = field(default_factory=list)

    def pass_ms(self, until_ms: int) -> None:
        """Let time pass; the peer answers each WANT with messages, one after another."""
        while self.now_ms < until_ms:
            self.now_ms += 10
            for _, want in self.asking.take(self.now_ms, 0.5):
                self._answer(want)
            while self._coming and self._coming[0][0] <= self.now_ms:
                _, want, stop, size = self._coming.pop(0)
                self.came += size
                self.asking.came(want.feed, stop, size, self.now_ms)
            self.under_way_most = max(self.under_way_most, sum(each[3] for each in self._coming))

    def slow_down(self, bytes_s: float) -> None:
        """From now on everything takes longer, what is on its way too."""
        self.bytes_s, self.free_ms = bytes_s, self.now_ms
        coming, self._coming = self._coming, []
        for _, want, stop, size in coming:
            self._send(want, stop, size)

    def _send(self, want: Want, stop: int, size: int) -> None:
        self.free_ms = max(self.free_ms, self.now_ms + self.delay_ms / 2)
        self.free_ms += size * 1000 / self.bytes_s
        self._coming.append((self.free_ms + self.delay_ms / 2, want, stop, size))

    def _answer(self, want: Want) -> None:
        at, credit = want.start, want.credit
        while at < want.stop and credit > 0:
            fits = max(min(credit // RECORD_BYTES, MESSAGE_RECORDS), 1)
            stop = min(at + fits, want.stop)
            size = (stop - at) * RECORD_BYTES
            self._send(want, stop, size)
            at, credit = stop, credit - size


def test_over_a_slow_line_some_seconds_are_under_way() -> None:
    """At 64 kbit/s, from the first moment: so a live record waits some seconds at most."""
    line = Line(8_000, 50)
    for name in feeds(2):
        line.asking.offered(GROUP.id, name, 0, 100_000)
    line.pass_ms(900_000)
    assert line.under_way_most <= 6 * 8_000
    assert line.came >= 0.9 * 8_000 * 900


def test_over_a_line_that_becomes_slow_no_more_is_asked_for_than_it_bears() -> None:
    """What is on its way comes in its time; then some seconds are under way, as ever."""
    line = Line(20_000_000, 50)
    for name in feeds(6):
        line.asking.offered(GROUP.id, name, 0, 1 << 30)
    line.pass_ms(3_000)
    line.slow_down(8_000)
    line.pass_ms(20_000)
    assert line.under_way_most <= CREDIT_TOTAL_MAX + CREDIT_MAX
    line.pass_ms(420_000)
    line.under_way_most = 0
    line.pass_ms(550_000)
    assert line.under_way_most <= 6 * 8_000


def test_a_fast_line_is_kept_busy() -> None:
    """Within seconds as much is under way as is allowed, however little it began with."""
    line = Line(20_000_000, 50)
    for name in feeds(6):
        line.asking.offered(GROUP.id, name, 0, 1 << 30)
    line.pass_ms(3_000)
    assert line.asking.rate.window == CREDIT_TOTAL_MAX
    before = line.came
    line.pass_ms(13_000)
    assert line.came - before >= 10 * 8_000_000
    assert line.under_way_most < CREDIT_TOTAL_MAX + CREDIT_MAX


def test_a_long_feed_alone_keeps_a_fast_line_busy() -> None:
    """One WANT after another, each of the most there may be: 2,000 records a second and more."""
    line = Line(20_000_000, 100)
    line.asking.offered(GROUP.id, FEED, 0, 1 << 30)
    line.pass_ms(20_000)
    assert line.came / RECORD_BYTES / 20 >= 5_000


@given(
    some.lists(
        some.tuples(some.integers(0, 20_000), some.integers(1, 1 << 20), some.integers(1, 1024)),
        max_size=60,
    )
)
def test_what_may_be_under_way_stays_within_bounds(events: list[tuple[int, int, int]]) -> None:
    """Whatever came when: the window is from 8 KiB to 2 MiB, and draining has an end."""
    rate, now_ms = Rate(), 0
    for wait_ms, came_bytes, count in events:
        rate = rate.began(now_ms)
        now_ms += wait_ms
        rate = rate.came(came_bytes, count, now_ms)
        assert WINDOW_MIN <= rate.window <= CREDIT_TOTAL_MAX
        assert 0 <= rate.drain_ms(CREDIT_TOTAL_MAX) <= 30_000
        if wait_ms % 2:
            rate = rate.rested(now_ms)


def _give_up(asking: Asking, now_ms: int = 0) -> int:
    """Let nothing be answered until nothing is waited for; give when that is."""
    while asking._open or asking._waiting or asking._heard:
        now_ms += 1_000
        asking.take(now_ms, 0.5)
    return now_ms


def test_what_was_given_up_is_asked_for_once_more_now_and_then() -> None:
    """After five minutes, a quarter more or less, and once each time; what comes ends it."""
    asking = Asking()
    asking.offered(GROUP.id, FEED, 0, 9)
    gone_ms = _give_up(asking)
    said = []
    for now_ms in range(gone_ms, gone_ms + 4 * SLOW.first_ms, 1_000):
        said += [now_ms for _ in asking.take(now_ms, 0.5)]
    assert len(said) == 3
    assert all(each - gone_ms >= SLOW.first_ms * 0.75 for each in said)
    asking.came(FEED, 9, 4_000, said[-1] + 100)
    assert not asking.asks(FEED) and asking.due_ms() is None


def test_what_is_slow_is_bounded_takes_turns_and_keeps_nobody_waiting() -> None:
    """Every feed has its turn; a feed that is offered meanwhile is asked for at once."""
    asking = Asking()
    asking.rate = Rate(1_000_000)
    names = [number.to_bytes(32, "big") for number in range(SLOW_AT_ONCE * 3)]
    for name in names:
        asking.offered(GROUP.id, name, 0, 1)
    now_ms = _give_up(asking)
    asked = set[bytes]()
    for _ in range(4 * SLOW.first_ms // 1_000):
        now_ms += 1_000
        said = [want.feed for _, want in asking.take(now_ms, 0.5)]
        asked.update(said)
        if said:  # While those that are slow have their turn.
            name = seed(f"another {now_ms}")
            asking.offered(GROUP.id, name, 0, 9)
            assert [want.feed for _, want in asking.take(now_ms, 0.5)][:1] in ([name], [])
            asking.came(name, 9, 4_000, now_ms)
    assert asked >= set(names)


def test_no_more_is_kept_than_there_is_room_for() -> None:
    """Of a peer that offers without end, and of what is said in its name, so much is kept."""
    asking = Asking()
    now_ms = 0
    for number in range(2):
        for at in range(600):
            name = (number * 10_000 + at).to_bytes(32, "big")
            asking.offered(GROUP.id, name, 0, 1)
            asking.heard_of(GROUP.id, seed(f"{number} {at}"), 0, 1)
        now_ms = _give_up(asking, now_ms)
    slow = asking._slow.values()
    assert sum(each.offered for each in slow) <= SLOW_MAX
    assert sum(not each.offered for each in slow) <= SLOW_HEARD_MAX
    assert asking._slow and all(each.retry.attempt <= ATTEMPTS_MAX for each in slow)


def test_the_rate_is_of_lately_and_the_rest_is_estimated_only_while_something_comes() -> None:
    """Steady records give their rate at once; a minute after the last there is none."""
    lately = Lately()
    assert lately.eta_s(100, 0) is None
    for now_ms in range(1_000, 90_000, 500):
        lately = lately.came(100, now_ms)
        if now_ms > 5_000:
            assert 180 <= lately.per_s(now_ms) <= 260
    assert 4 <= (lately.eta_s(1_000, 90_000) or 0) <= 6
    assert lately.per_s(95_000) < lately.per_s(90_000)
    assert lately.eta_s(1_000, 90_000 + STALLED_MS + 1) is None


def test_what_came_and_was_not_kept_is_asked_for_again() -> None:
    """Its commit failed: the next offer has it asked for from where this node really is."""
    asking = Asking()
    asking.offered(GROUP.id, FEED, 3, 9)
    assert [want.start for _, want in asking.take(0, 0.5)] == [3]
    asking.came(FEED, 5, 1_000, 100)
    asking.offered(GROUP.id, FEED, 3, 9)
    said = [want.start for now_ms in range(0, 60_000, 1_000) for _, want in asking.take(now_ms, 0)]
    assert said and set(said) == {3}
