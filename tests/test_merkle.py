"""Merkle trees: the known roots of RFC 6962, every path small, any path large, no path wrong."""

from typing import Any

import pytest
from hypothesis import given, settings, strategies as some

from gateway.errors import ProofFails
from gateway.records import merkle
from gateway.records.merkle import EMPTY_ROOT, Frontier
from tests.damage import refusal
from tests.vectors import load
from tests.vectors.build_merkle import SUBTREES, check, root

VECTORS: dict[str, Any] = load("merkle")
# The roots that the reference implementation of RFC 6962 gives for its eight leaves.
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
MANY = [merkle.leaf_hash(number.to_bytes(2, "big")) for number in range(600)]
OF_MANY = merkle.subtrees_of(MANY)

sizes = some.integers(1, len(MANY))


def test_the_known_roots_come_out() -> None:
    """The empty tree and the eight of the reference implementation have their published roots."""
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert root(0) == Frontier().root() == EMPTY_ROOT
    assert [root(size).hex() for size in range(1, 9)] == list(ROOTS)


def test_the_known_paths_come_out() -> None:
    """Two of the reference implementation's published paths are ours."""
    assert [each.hex() for each in merkle.inclusion(5, 8, SUBTREES)] == [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]
    assert [each.hex() for each in merkle.consistency(2, 5, SUBTREES)] == [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ]


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda vector: vector["name"])
def test_a_good_vector_holds(vector: dict[str, Any]) -> None:
    """A right path leads to the root."""
    check(vector)


@pytest.mark.parametrize("vector", VECTORS["bad"], ids=lambda vector: vector["name"])
def test_a_bad_vector_fails(vector: dict[str, Any]) -> None:
    """A path to another root, too long or too short, fails."""
    assert refusal(lambda: check(vector), ProofFails) == vector["error"]


@given(sizes, some.data())
@settings(max_examples=80)
def test_any_leaf_is_shown_and_no_other_in_its_place(size: int, drawn: some.DataObject) -> None:
    """An inclusion path holds for its leaf and number, and for no other leaf."""
    index = drawn.draw(some.integers(0, size - 1))
    path = merkle.inclusion(index, size, OF_MANY)
    whole = merkle.frontier(size, OF_MANY).root()
    assert merkle.root_by_inclusion(MANY[index], index, size, path) == whole
    assert merkle.root_by_inclusion(bytes(32), index, size, path) != whole
    for wrong in (path[:-1], (*path, bytes(32))):
        if len(wrong) != len(path):
            with pytest.raises(ProofFails):
                merkle.root_by_inclusion(MANY[index], index, size, wrong)


@given(sizes, sizes, some.data())
@settings(max_examples=80)
def test_any_growth_is_shown_and_no_rewriting(one: int, two: int, drawn: some.DataObject) -> None:
    """A consistency path holds between the two roots, and between no others."""
    old, new = sorted((one, two))
    before, whole = (merkle.frontier(size, OF_MANY).root() for size in (old, new))
    path = merkle.consistency(old, new, OF_MANY)
    merkle.verify_consistency(old, before, new, whole, path)
    with pytest.raises(ProofFails):
        merkle.verify_consistency(old, bytes(32), new, whole, path)
    with pytest.raises(ProofFails):
        merkle.verify_consistency(old, before, new, bytes(32), path)
    if path:
        at = drawn.draw(some.integers(0, len(path) - 1))
        with pytest.raises(ProofFails):
            wrong = (*path[:at], bytes(32), *path[at + 1 :])
            merkle.verify_consistency(old, before, new, whole, wrong)


@pytest.mark.parametrize(("old", "new"), [(0, 1), (2, 1), (-1, 1), (0, 0)])
def test_impossible_sizes_fail(old: int, new: int) -> None:
    """Nothing is proved of an empty tree, or of one that shrank."""
    with pytest.raises(ProofFails):
        merkle.verify_consistency(old, EMPTY_ROOT, new, EMPTY_ROOT, ())


@pytest.mark.parametrize(("index", "size"), [(0, 0), (1, 1), (-1, 4), (4, 4)])
def test_impossible_leaves_fail(index: int, size: int) -> None:
    """No leaf has a number outside the tree."""
    with pytest.raises(ProofFails):
        merkle.root_by_inclusion(bytes(32), index, size, ())
