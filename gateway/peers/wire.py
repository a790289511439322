"""Topics and what travels on them: the names of docs/protocol/sync.md, chapter 9.

In: nodes and tags. Out: topics. What arrives and what is to go are plain pairs of topic and bytes,
so that any link, a simulated one too, can carry them.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Arrived:
    """What came over a link: over which; and from whom, where the link proved who its end is."""

    topic: str
    payload: bytes
    link: str = ""
    sender: bytes | None = None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What is to go over links: a greeting over all of them, a backlog behind what is new."""

    topic: str
    payload: bytes
    everywhere: bool = False
    backlog: bool = False


def to_node(node: bytes) -> str:
    """Name where a node hears what is said to it alone."""
    return f"hl/1/n/{node.hex()}"


def whom(topic: str) -> bytes | None:
    """Give the one node that hears what is said under a topic; None where it is for a group."""
    match topic.split("/"):
        case ["hl", "1", "n", node]:
            return bytes.fromhex(node)
    return None


def records_of(tag: str, node: bytes) -> str:
    """Name where a node says its new records to a group."""
    return f"hl/1/g/{tag}/rec/{node.hex()}"


def heads_of(tag: str, node: bytes) -> str:
    """Name where a node says to a group how far its own feeds go."""
    return f"hl/1/g/{tag}/head/{node.hex()}"


def subscriptions(node: bytes, tags: Iterable[str]) -> tuple[str, ...]:
    """Name all that a node listens to."""
    kinds = ("rec", "head")
    return (to_node(node), *(f"hl/1/g/{tag}/{kind}/+" for tag in sorted(tags) for kind in kinds))
