"""Merkle trees by RFC 6962: roots, inclusion and consistency. Protocol: docs/protocol/feed.md.

In: leaf hashes (a record's id is its leaf hash), or the hash of any complete subtree on request.
Out: roots and paths. Verification takes hashes only and answers with the root they lead to, or
raises ProofFails. Nothing here knows where hashes are kept.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from gateway.errors import ProofFails

EMPTY_ROOT = sha256().digest()

# The hash of the complete subtree over leaves [index << level, (index + 1) << level).
Subtree = Callable[[int, int], bytes]


def leaf_hash(content: bytes) -> bytes:
    """Hash a leaf (RFC 6962, 2.1)."""
    return sha256(b"\x00" + content).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash an inner node (RFC 6962, 2.1)."""
    return sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """A tree that only grows: its size and the roots of its complete subtrees, largest first."""

    size: int = 0
    roots: tuple[bytes, ...] = ()

    def append(self, leaf: bytes) -> "Frontier":
        """Add one leaf hash."""
        roots, size = self.roots, self.size
        while size & 1:
            leaf, roots, size = node_hash(roots[-1], leaf), roots[:-1], size >> 1
        return Frontier(self.size + 1, (*roots, leaf))

    def extended(self, leaves: Iterable[bytes]) -> "Frontier":
        """Add several leaf hashes, or roots of complete subtrees of one size."""
        grown = self
        for leaf in leaves:
            grown = grown.append(leaf)
        return grown

    def root(self) -> bytes:
        """Give the root of the whole tree; of an empty one, the hash of nothing."""
        if not self.roots:
            return EMPTY_ROOT
        root = self.roots[-1]
        for left in reversed(self.roots[:-1]):
            root = node_hash(left, root)
        return root


def frontier(size: int, subtree: Subtree) -> Frontier:
    """Give the frontier that the tree had at a size."""
    return Frontier(size, tuple(subtree(level, index) for level, index in _cover(0, size)))


def subtrees_of(leaves: Sequence[bytes]) -> Subtree:
    """Serve subtrees from leaf hashes held in memory."""

    def subtree(level: int, index: int) -> bytes:
        if level == 0:
            return leaves[index]
        return node_hash(subtree(level - 1, 2 * index), subtree(level - 1, 2 * index + 1))

    return subtree


def inclusion(index: int, size: int, subtree: Subtree) -> tuple[bytes, ...]:
    """Give the audit path of a leaf in the tree of that size (RFC 6962, 2.1.1), leaf first."""
    low, high, path = 0, size, []
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(_root(middle, high, subtree))
            high = middle
        else:
            path.append(_root(low, middle, subtree))
            low = middle
    return tuple(reversed(path))


def consistency(old: int, new: int, subtree: Subtree) -> tuple[bytes, ...]:
    """Give the proof that the tree of size `new` extends that of size `old` (RFC 6962, 2.1.2)."""
    low, high, whole, path = 0, new, True, []
    while old != high:
        middle = low + _split(high - low)
        if old <= middle:
            path.append(_root(middle, high, subtree))
            high = middle
        else:
            path.append(_root(low, middle, subtree))
            low, whole = middle, False
    if not whole:
        path.append(_root(low, high, subtree))
    return tuple(reversed(path))


def root_by_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """Give the root that an audit path leads to (RFC 9162, 2.1.3.2); raise ProofFails."""
    if not 0 <= index < size:
        raise ProofFails(reason="the leaf's number is not below the tree's size")
    number, last, root = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            raise ProofFails(reason="the inclusion path is too long")
        if number & 1 or number == last:
            root = node_hash(sibling, root)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            root = node_hash(root, sibling)
        number, last = number >> 1, last >> 1
    if last:
        raise ProofFails(reason="the inclusion path is too short")
    return root


def verify_consistency(
    old: int, old_root: bytes, new: int, new_root: bytes, path: Sequence[bytes]
) -> None:
    """Check that one root extends another (RFC 9162, 2.1.4.2); raise ProofFails if it does not."""
    if not 0 < old <= new or (old == new) == bool(path):
        raise ProofFails(reason="sizes and consistency path do not fit")
    if old == new:
        if old_root != new_root:
            raise ProofFails(reason="two roots for one size")
        return
    hashes = [old_root, *path] if old & (old - 1) == 0 else list(path)
    number, last = old - 1, new - 1
    while number & 1:
        number, last = number >> 1, last >> 1
    first = second = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            raise ProofFails(reason="the consistency path is too long")
        if number & 1 or number == last:
            first, second = node_hash(sibling, first), node_hash(sibling, second)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            second = node_hash(second, sibling)
        number, last = number >> 1, last >> 1
    if last or first != old_root or second != new_root:
        raise ProofFails(reason="the newer root does not extend the older one")


def _split(count: int) -> int:
    """Give the largest power of two below a count of at least two."""
    return 1 << (count - 1).bit_length() - 1


def _cover(low: int, high: int) -> list[tuple[int, int]]:
    """Cut leaves [low, high) into complete subtrees (level, index), left to right.

    RFC 6962 cuts where the left part is the largest complete subtree; `low` is a multiple of it.
    """
    parts = []
    while low < high:
        level = (high - low).bit_length() - 1
        parts.append((level, low >> level))
        low += 1 << level
    return parts


def _root(low: int, high: int, subtree: Subtree) -> bytes:
    roots = [subtree(level, index) for level, index in _cover(low, high)]
    root = roots.pop()
    while roots:
        root = node_hash(roots.pop(), root)
    return root
