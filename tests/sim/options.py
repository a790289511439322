"""What a seed stands for: how many there are, how bad their ways and disks, who lies, and how.

In: a seed. Out: options, which are all that a world is made of.
"""

import random
from dataclasses import dataclass, replace

from tests.sim.witness import FALSE, FORGETS, HONEST, STALLS

HOUR_MS = 3_600_000
LIES = (
    "forks",
    "dates back",
    "withholds",
    "replays",
    "false ACKs",
    "false heads",
    "huge counts",
    "floods",
    "tampers",
)
WORDS = ("false receipts", "forks its journal")
_PRESENT = (HONEST, HONEST, HONEST, HONEST, HONEST, STALLS, FORGETS, "")


@dataclass(frozen=True, slots=True)
class Options:
    """What a seed stands for."""

    seed: int
    nodes: int
    groups: int
    sayings: int
    loss: float
    doubling: float
    delay_ms: int
    cuts: int
    cut_ms_max: int
    days_down: int
    restarts: int
    failing: float
    sealed: float
    links: int = 1  # each a broker; some nodes are not on all of them
    crashes: int = 0  # the process dies in a commit, before it is durable or right after
    tears: int = 0  # commits that fail by themselves, with nothing changed
    fills: int = 0  # times in which a disk has no space
    restores: int = 0  # an old copy of a store comes in its place
    clock_steps: int = 0  # a node's time of day goes years ahead or back, or is not set
    lies: tuple[str, ...] = ()  # what the hostile member, the last of them, does; none: nobody is
    lyings: int = 0  # how often
    is_relentless: bool = False  # it goes on when all else is mended
    words: tuple[str, ...] = ()  # what it says falsely of agreement, besides
    wordings: int = 0  # how often
    receipts: bool = False  # members receipt what they hold: three times the records, so not always
    # How each organisation's witness is, "" where one has none; none at all: nothing is final.
    witnesses: tuple[str, ...] = ()


def _witnesses(seed: int, nodes: int, groups: int) -> tuple[str, ...]:
    """Draw who has a witness, and how it is; at most f of the n in a group are false."""
    dice = random.Random(f"witnesses {seed}")
    if dice.random() > (0.2 if nodes < 5 else 0.12):
        return ()
    drawn = [dice.choice(_PRESENT) for _ in range(nodes)]
    false_max = (sum(map(bool, drawn)) - 1) // 3 if groups == 1 else 0
    for place in dice.sample(range(nodes), nodes):
        if drawn[place] and false_max > 0 and dice.random() < 0.5:
            drawn[place], false_max = dice.choice(sorted(FALSE)), false_max - 1
    return tuple(drawn)


def plain_options(seed: int) -> Options:
    """Draw a world whose ways are bad, and in which nobody lies and no disk fails but by space."""
    dice = random.Random(seed)
    return Options(
        seed,
        nodes=dice.choice((2, 2, 3, 3, 4, 5)),
        groups=dice.randint(1, 3),
        sayings=dice.randint(8, 40),
        loss=dice.uniform(0, 0.3) if dice.random() < 0.8 else 0.0,
        doubling=dice.uniform(0, 0.5) if dice.random() < 0.8 else 0.0,
        delay_ms=dice.choice((2, 50, 500, 3_000)),
        cuts=dice.randint(0, 3),
        cut_ms_max=dice.choice((5_000, 60_000, 60_000, HOUR_MS // 3)),
        days_down=dice.choice((0, 0, 0, 1, 5)),
        restarts=dice.randint(0, 3),
        failing=dice.choice((0.0, 0.0, 0.1)),
        sealed=dice.choice((0.0, 0.5, 1.0)),
    )


def options_of(seed: int) -> Options:
    """Draw a world in which anything may fail."""
    plain, dice = plain_options(seed), random.Random(f"world {seed}")
    nodes = dice.choice((2, 2, 2, 3, 3, 3, 3, 3, 4, 4, 5, 6, 7))
    lies: tuple[str, ...] = ()
    if nodes > 2 and dice.random() < 0.5:
        lies = tuple(sorted(dice.sample(LIES, dice.randint(1, len(LIES)))))
    groups = dice.choice((1, 1, 2, 3)) if nodes < 5 else 1
    witnesses = _witnesses(seed, nodes, groups)
    drawn = replace(
        plain,
        nodes=nodes,
        groups=groups,
        sayings=dice.randint(5, 42 // nodes),
        links=dice.choice((1, 1, 2, 3)) if nodes < 6 else 1,
        crashes=dice.choice((0, 0, 1, 3)),
        tears=dice.choice((0, 0, 2)),
        fills=dice.choice((0, 0, 1, 2)),
        restores=dice.choice((0, 0, 0, 1, 2)),
        clock_steps=dice.choice((0, 0, 2)),
        lies=lies,
        lyings=dice.randint(3, 12) if lies else 0,
        is_relentless=bool(lies) and dice.random() < 0.5,
        receipts=bool(witnesses) or dice.random() < 0.1,
        witnesses=witnesses,
    )
    return _worded(drawn)


def _worded(drawn: Options) -> Options:
    """Draw what who lies says falsely of agreement, apart, so that old worlds are as they were."""
    dice = random.Random(f"words {drawn.seed}")
    if not (drawn.lies and drawn.receipts) or dice.random() < 0.4:
        return drawn
    some = WORDS if drawn.witnesses else WORDS[:1]
    words = tuple(sorted(dice.sample(some, dice.randint(1, len(some)))))
    return replace(drawn, words=words, wordings=dice.randint(2, 6))
