"""What one peer can have kept in memory: driven to the worst, it stays below 16 MiB."""

import tracemalloc

from gateway.records.feed import Head
from gateway.sync import message
from gateway.sync.message import Heads, Listed
from tests.liar import World
from tests.people import seed
from tests.vectors.build_message import HIGHEST

MEMORY_BYTES_MAX = 16 * 1024 * 1024
ROUNDS = 16


def _nowhere(number: int) -> Heads:
    listed = sorted(seed(f"{number} {each}") for each in range(message.HEADS_MAX))
    return Heads(tuple(Listed(Head(name, HIGHEST, name)) for name in listed))


def test_what_a_peer_names_without_end_is_kept_within_its_bound() -> None:
    """Feeds that are nowhere, offered, given up and offered again, and greetings without end."""
    world = World()
    world.liar.greet(1)
    world.pass_ms(5_000)
    said = [_nowhere(number) for number in range(ROUNDS)]
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for each in said:
            world.liar.control(each)
            world.pass_ms(1_000)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    relation = world.maker.exchange._circle.relations[world.liar.who.node.id]
    assert len(relation.asking._waiting) > 3_000, "the bound was not reached"
    assert grown <= MEMORY_BYTES_MAX
