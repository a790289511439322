"""Merkle trees against vectors that others published: the hashes, the paths, and each wrong form.

The numbers are facts of the test vectors of RFC 6962 and RFC 9162 that transparency-dev/merkle
publishes (`testdata/inclusion`, `testdata/consistency`), which come from the reference
implementation of Certificate Transparency; each wrong form has there the name it has here.
"""

from functools import partial

import pytest

from gateway.errors import ProofFails
from gateway.records import merkle
from tests.damage import refusal
from tests.test_merkle import ROOTS
from tests.vectors.build_merkle import SUBTREES

# Every complete subtree over the eight leaves, by level.
NODES = [
    [bytes.fromhex(node) for node in level.split()]
    for level in (
        """6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d
        96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7
        0298d122906dcfc10892cb53a73992fc5b9f493ea4c9badb27b791b4127a7fe7
        07506a85fd9dd2f120eb694f86011e5bb4662e5c415a62917033d4a9624487e7
        bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b
        4271a26be0d8a84f0bd54c8c302e7cb3a3b5d1fa6780a40bcce2873477dab658
        b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f
        46f6ffadd3d06a09ff3c5860d2755c8b9819db7df44251788c7d8e3180de8eb1""",
        """fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125
        5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e
        0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a
        ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0""",
        """d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7
        6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4""",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    )
]
Path = list[tuple[int, int]]  # each hash of a path, as (level, index) above
INCLUSION: list[tuple[int, int, Path]] = [
    (0, 1, []),
    (0, 8, [(0, 1), (1, 1), (2, 1)]),
    (5, 8, [(0, 4), (1, 3), (2, 0)]),
    (2, 3, [(1, 0)]),
    (1, 5, [(0, 0), (1, 1), (0, 4)]),
]
CONSISTENCY: list[tuple[int, int, Path]] = [
    (1, 1, []),
    (1, 8, [(0, 1), (1, 1), (2, 1)]),
    (6, 8, [(1, 2), (1, 3), (2, 0)]),
    (2, 5, [(1, 1), (0, 4)]),
    (6, 7, [(1, 2), (0, 6), (2, 0)]),
]
OTHER = merkle.leaf_hash(b"of no tree")


def _hashes(path: Path) -> list[bytes]:
    return [NODES[level][index] for level, index in path]


def _root(size: int) -> bytes:
    return bytes.fromhex(ROOTS[size - 1]) if size else merkle.EMPTY_ROOT


def _wrong_paths(path: list[bytes], *roots: bytes) -> dict[str, list[bytes]]:
    wrong = {"preceding garbage": [b"", *path], "trailing garbage": [*path, b""]}
    wrong |= {"preceding root": [roots[-1], *path], "trailing root": [*path, roots[-1]]}
    wrong |= {"preceding root 1": [roots[0], *path], "trailing root 1": [*path, roots[0]]}
    for at, each in enumerate(path):
        flipped = bytes([each[0] ^ 1 << 4]) + each[1:]
        wrong[f"modified proof [{at}]"] = [*path[:at], flipped, *path[at + 1 :]]
    if path:
        wrong |= {"truncated proof": path[:-1], "empty proof": []}
        wrong |= {"preceding proof": [path[0], *path], "removed component": path[1:]}
        wrong["inserted component"] = [path[0], OTHER, *path[1:]]
    return wrong


def _included(leaf: bytes, index: int, size: int, root: bytes, path: list[bytes]) -> None:
    found = merkle.root_by_inclusion(leaf, index, size, path)
    merkle.verify_consistency(size, found, size, root, ())


def test_the_published_hashes_come_out() -> None:
    """Every leaf and every complete subtree has the hash that was published."""
    ours = [[SUBTREES(level, at) for at in range(8 >> level)] for level in range(4)]
    assert ours == NODES


@pytest.mark.parametrize(("index", "size", "path"), INCLUSION)
def test_a_published_inclusion_holds_and_no_wrong_form_of_it(
    index: int, size: int, path: Path
) -> None:
    """We make the published path, accept it, and refuse each of its published wrong forms."""
    right, leaf, root = _hashes(path), NODES[0][index], _root(size)
    assert list(merkle.inclusion(index, size, SUBTREES)) == right
    _included(leaf, index, size, root, right)
    wrong = [(leaf, index, size, root, each) for each in _wrong_paths(right, root).values()]
    wrong += [(leaf, at, size, root, right) for at in (index - 1, index + 1, index ^ 2)]
    wrong += [(leaf, index, other, root, right) for other in (2 * size, size // 2)]
    wrong += [(leaf, index, size, other, right) for other in (merkle.EMPTY_ROOT, OTHER, b"")]
    wrong += [(other, index, size, root, right) for other in (OTHER, b"")]
    for each in wrong:
        assert refusal(partial(_included, *each), ProofFails) == ProofFails.code, each


@pytest.mark.parametrize(("old", "new", "path"), CONSISTENCY)
def test_a_published_consistency_holds_and_no_wrong_form_of_it(
    old: int, new: int, path: Path
) -> None:
    """We make the published proof, accept it, and refuse each of its published wrong forms."""
    right, before, after = _hashes(path), _root(old), _root(new)
    assert list(merkle.consistency(old, new, SUBTREES)) == right
    merkle.verify_consistency(old, before, new, after, right)
    wrong = [
        (old, before, new, after, each) for each in _wrong_paths(right, before, after).values()
    ]
    wrong += [(size, before, new, after, right) for size in (old - 1, old + 1, old ^ 2)]
    wrong += [(old, before, size, after, right) for size in (2 * new, new // 2)]
    wrong += [(old, OTHER, new, after, right), (old, before, new, OTHER, right)]
    if before != after:
        wrong.append((old, after, new, before, right))
    for each in wrong:
        attempt = partial(merkle.verify_consistency, *each)
        assert refusal(attempt, ProofFails) == ProofFails.code, each


@pytest.mark.parametrize(("old", "new"), [(0, 0), (0, 1), (1, 0), (2, 1), (0, 5)])
def test_what_says_nothing_of_growth_is_refused(old: int, new: int) -> None:
    """Sizes of nothing, or that shrink, hold with no path, whatever the roots, as is published."""
    for path in ([], [OTHER]):
        for roots in ((OTHER, OTHER), (OTHER, merkle.EMPTY_ROOT)):
            with pytest.raises(ProofFails):
                merkle.verify_consistency(old, roots[0], new, roots[1], path)
