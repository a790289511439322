"""A map that is never changed: putting gives another one that shares all but a few nodes.

In: keys, here (height, id), so that it goes in fold order; and what stands there. Out: such maps,
read in the order of their keys. An AVL tree: reading and putting take steps of the order of log n.
"""

from collections.abc import Iterator
from typing import Generic, NamedTuple, TypeVar

Key = tuple[int, bytes]
V = TypeVar("V")


class _Node(NamedTuple, Generic[V]):
    rank: int
    left: "_Node[V] | None"
    key: Key
    value: V
    right: "_Node[V] | None"


class Tree(Generic[V]):
    """The map; an empty one to begin with."""

    __slots__ = ("_root", "_size")

    def __init__(self, root: _Node[V] | None = None, size: int = 0) -> None:
        self._root, self._size = root, size

    def __eq__(self, other: object) -> bool:
        """Say whether the same is in both, whatever their shapes."""
        return isinstance(other, Tree) and list(self.items()) == list(other.items())

    __hash__ = None  # type: ignore[assignment]  # equal trees may have different shapes

    def __len__(self) -> int:
        """Count what is in it."""
        return self._size

    def get(self, key: Key) -> V | None:
        """Give what stands at a key, None where nothing does."""
        node = self._root
        while node is not None and node.key != key:
            node = node.left if key < node.key else node.right
        return None if node is None else node.value

    def put(self, key: Key, value: V) -> "Tree[V]":
        """Give the map with this at that key, instead of what was there."""
        return Tree(_put(self._root, key, value), self._size + (self.get(key) is None))

    def drop(self, key: Key) -> "Tree[V]":
        """Give the map without that key."""
        return self if self.get(key) is None else Tree(_drop(self._root, key), self._size - 1)

    @property
    def rank(self) -> int:
        """Say how many steps it takes at most to find something."""
        return _rank(self._root)

    def last(self) -> V | None:
        """Give what stands at the last key, None where nothing does."""
        node = self._root
        while node is not None and node.right is not None:
            node = node.right
        return None if node is None else node.value

    def items(self) -> Iterator[tuple[Key, V]]:
        """Go through it in the order of its keys."""
        waiting: list[_Node[V]] = []
        node = self._root
        while waiting or node is not None:
            while node is not None:
                waiting.append(node)
                node = node.left
            node = waiting.pop()
            yield node.key, node.value
            node = node.right

    def values(self) -> Iterator[V]:
        """Go through what is in it, in the order of the keys."""
        return (value for _, value in self.items())


def _rank(node: _Node[V] | None) -> int:
    return 0 if node is None else node.rank


def _node(left: _Node[V] | None, at: _Node[V], right: _Node[V] | None) -> _Node[V]:
    return _Node(1 + max(_rank(left), _rank(right)), left, at.key, at.value, right)


def _balanced(left: _Node[V] | None, at: _Node[V], right: _Node[V] | None) -> _Node[V]:
    """Put two trees under a node, turned where one is two ranks above the other."""
    if left is not None and left.rank > _rank(right) + 1:
        if _rank(left.left) < _rank(left.right):
            assert left.right is not None
            inner = left.right
            return _node(_node(left.left, left, inner.left), inner, _node(inner.right, at, right))
        return _node(left.left, left, _node(left.right, at, right))
    if right is not None and right.rank > _rank(left) + 1:
        if _rank(right.right) < _rank(right.left):
            assert right.left is not None
            inner = right.left
            return _node(_node(left, at, inner.left), inner, _node(inner.right, right, right.right))
        return _node(_node(left, at, right.left), right, right.right)
    return _node(left, at, right)


def _put(node: _Node[V] | None, key: Key, value: V) -> _Node[V]:
    if node is None:
        return _Node(1, None, key, value, None)
    if key == node.key:
        return node._replace(value=value)
    if key < node.key:
        return _balanced(_put(node.left, key, value), node, node.right)
    return _balanced(node.left, node, _put(node.right, key, value))


def _drop(node: _Node[V] | None, key: Key) -> _Node[V] | None:
    if node is None:
        return None
    if key < node.key:
        return _balanced(_drop(node.left, key), node, node.right)
    if key > node.key:
        return _balanced(node.left, node, _drop(node.right, key))
    if node.left is None or node.right is None:
        return node.right if node.left is None else node.left
    first = node.right
    while first.left is not None:
        first = first.left
    return _balanced(node.left, first, _drop(node.right, first.key))
