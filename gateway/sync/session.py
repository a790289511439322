"""One peer relation: who greeted whom, and which control messages count. docs/protocol/sync.md.

In: HELLOs and control messages that were heard, the present time, chance. Out: the next state, and
what is to be said. A session is a pair of HELLOs. Either side may begin anew at any time; what was
said in another session, or was heard before, is refused and leads to nothing but a greeting.
"""

from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final

from gateway.errors import BadControl, BadSignature
from gateway.records.cose import SigningKey
from gateway.records.feed import Credentials
from gateway.sync import control
from gateway.sync.control import Control, Pair
from gateway.sync.retry import NEVER_TRIED, Pace, Retry

PACE: Final = Pace(1_000, 300_000)
GREETING_MS_MIN: Final = 1_000
WINDOW: Final = 64
# Greetings of a peer whose counters are remembered; one more, and we greet anew ourselves.
GREETINGS_MAX: Final = 16


@dataclass(frozen=True, slots=True)
class Window:
    """Which counters of a session were heard: the highest, and the 64 below it as bits."""

    highest: int = 0
    seen: int = 0

    def take(self, counter: int) -> "Window":
        """Note a counter; raise BadControl if it was heard before, or is too old to say."""
        ahead = counter - self.highest
        if ahead > 0:
            kept = self.seen << ahead if ahead < WINDOW else 0
            return Window(counter, (kept | 1) & (1 << WINDOW) - 1)
        if -ahead >= WINDOW or self.seen >> -ahead & 1:
            raise BadControl(reason="it was heard before")
        return Window(self.highest, self.seen | 1 << -ahead)


NOTHING_HEARD: Final = Window()


@dataclass(frozen=True, slots=True)
class Greeting:
    """A HELLO of the peer: its hash, its verified certificates, the counters heard under it."""

    name: bytes
    credentials: Credentials
    window: Window = NOTHING_HEARD


@dataclass(frozen=True, slots=True)
class Session:
    """What is known of one peer in this run; `hello` is our own HELLO to it, unsealed."""

    peer: bytes
    hello: bytes
    number: int = 1  # of our HELLO, among those drawn for this peer
    before: bytes = b""  # the name of the one before, while it still counts
    earlier: tuple[Greeting, ...] = ()  # what was heard under that one
    retry: Retry = NEVER_TRIED
    greeted_ms: int = -GREETING_MS_MIN
    theirs: bytes = b""
    greetings: tuple[Greeting, ...] = ()
    counter: int = 0
    up: bool = False
    heard_ms: int | None = None

    @property
    def mine(self) -> bytes:
        """Name our HELLO."""
        return sha256(self.hello).digest()

    @property
    def full(self) -> bool:
        """Say whether so many greetings were heard that ours must be drawn anew."""
        return len(self.greetings) > GREETINGS_MAX

    def renewed(self, hello: bytes) -> "Session":
        """Begin anew under another HELLO of ours: all that was said before is void."""
        return Session(self.peer, hello, self.number + 1, heard_ms=self.heard_ms)

    def challenged(self, hello: bytes) -> "Session":
        """Have the peer answer another HELLO of ours: only a run that lives can.

        What is on its way under the one before is still heard, and what was said is not void.
        """
        asked = tuple(Greeting(each.name, each.credentials) for each in self.greetings)
        again = replace(self, hello=hello, number=self.number + 1, greetings=asked, up=False)
        return replace(again, before=self.mine, earlier=self.greetings, retry=NEVER_TRIED)

    def may_greet(self, now_ms: int) -> bool:
        """Say whether our last HELLO is long enough ago for one that nobody waits for."""
        return now_ms - self.greeted_ms >= GREETING_MS_MIN

    def greeted(self, now_ms: int, chance: float) -> "Session":
        """Note that our HELLO was sent."""
        return replace(self, retry=self.retry.again(now_ms, PACE, chance), greeted_ms=now_ms)

    def heard_hello(self, plain: bytes, credentials: Credentials) -> "Session":
        """Take a HELLO whose certificates were verified; the same one again changes nothing."""
        name = sha256(plain).digest()
        if name == self.theirs:
            return self
        known = any(each.name == name for each in self.greetings)
        greetings = self.greetings if known else (*self.greetings, Greeting(name, credentials))
        return replace(self, theirs=name, greetings=greetings, up=False, retry=NEVER_TRIED)

    def heard_control(self, heard: Control, now_ms: int) -> "Session":
        """Take a control message of this session, once; raise BadControl.

        A HELLO proves nothing: anybody may repeat one, or make one from certificates that are no
        secret. So the peer's session is the one under which it last signed something.
        """
        was_before = bool(self.before) and heard.pair.receiver == self.before
        greetings = self.earlier if was_before else self.greetings
        said = [each for each in greetings if each.name == heard.pair.sender]
        if not said or not (was_before or heard.pair.receiver == self.mine):
            raise BadControl(reason="it is of another session")
        taken = replace(said[0], window=said[0].window.take(heard.counter))
        try:
            heard.signed.verify(said[0].credentials.run.key)
        except BadSignature as fault:
            raise BadControl(reason=fault) from None
        greetings = tuple(taken if each is said[0] else each for each in greetings)
        if was_before:  # It may not have heard our last HELLO: that is said until it answers.
            return replace(self, earlier=greetings, heard_ms=now_ms)
        return replace(self, greetings=greetings, theirs=taken.name, up=True, heard_ms=now_ms)

    def answer(self, heard: Control) -> tuple[bytes, int]:
        """Name the run that signed a message, which was taken, and give which HELLO it answers."""
        is_mine = heard.pair.receiver == self.mine
        greetings = self.greetings if is_mine else self.earlier
        greeting = next(each for each in greetings if each.name == heard.pair.sender)
        return greeting.credentials.run.subject, self.number if is_mine else self.number - 1

    def said(self, key: SigningKey, message: bytes) -> tuple["Session", bytes]:
        """Sign a message to the peer, whose HELLO must have been heard."""
        counter = self.counter + 1
        pair = Pair(self.mine, self.theirs)
        return replace(self, counter=counter), control.sign(key, counter, pair, message)
