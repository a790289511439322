"""The vectors of Merkle paths: docs/protocol/feed.md."""

from gateway.records import merkle
from tests.damage import refusal

# The leaves of the test vectors of RFC 6962's reference implementation.
LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
HASHES = [merkle.leaf_hash(leaf) for leaf in LEAVES]
SUBTREES = merkle.subtrees_of(HASHES)
INCLUSION = ((0, 1), (0, 8), (5, 8), (2, 3), (1, 5), (6, 7))
CONSISTENCY = ((1, 1), (1, 8), (6, 8), (2, 5), (3, 7), (4, 8))

Row = dict[str, object]


def root(size: int) -> bytes:
    """Give the root of the first leaves."""
    return merkle.frontier(size, SUBTREES).root()


def check(row: Row) -> None:
    """Verify a path as every reader does; raise ProofFails."""
    path = [bytes.fromhex(each) for each in _texts(row["path"])]
    new, new_root = int(str(row["size"])), bytes.fromhex(str(row["root"]))
    if row["proof"] == "inclusion":
        leaf = bytes.fromhex(str(row["leaf"]))
        found = merkle.root_by_inclusion(leaf, int(str(row["index"])), new, path)
        merkle.verify_consistency(new, found, new, new_root, ())
    else:
        old, old_root = int(str(row["old size"])), bytes.fromhex(str(row["old root"]))
        merkle.verify_consistency(old, old_root, new, new_root, path)


def build() -> dict[str, object]:
    """Give the vectors as the JSON says them."""
    good = [_inclusion(*each) for each in INCLUSION] + [_consistency(*each) for each in CONSISTENCY]
    for row in good:
        check(row)
    return {
        "noun": "merkle",
        "chapter": "docs/protocol/feed.md",
        "good": [{**row, "expect": "holds"} for row in good],
        "bad": [{**row, "error": _error(row)} for each in good for row in _bad(each)],
    }


def _texts(value: object) -> list[str]:
    assert isinstance(value, list)
    return value


def _hex(path: tuple[bytes, ...]) -> list[str]:
    return [each.hex() for each in path]


def _inclusion(index: int, size: int) -> Row:
    path = _hex(merkle.inclusion(index, size, SUBTREES))
    name = f"leaf {index} of {size}"
    rest: Row = {"size": size, "root": root(size).hex(), "path": path, "hex": "".join(path)}
    return {"name": name, "proof": "inclusion", "leaf": HASHES[index].hex(), "index": index, **rest}


def _consistency(old: int, new: int) -> Row:
    path = _hex(merkle.consistency(old, new, SUBTREES))
    rest: Row = {"size": new, "root": root(new).hex(), "path": path, "hex": "".join(path)}
    before: Row = {"old size": old, "old root": root(old).hex()}
    return {"name": f"{new} after {old}", "proof": "consistency", **before, **rest}


def _bad(row: Row) -> list[Row]:
    path, name = _texts(row["path"]), row["name"]
    wrong = [
        {**row, "name": f"{name}, another root", "root": root(0).hex()},
        {**row, "name": f"{name}, a hash more", "path": [*path, root(0).hex()]},
    ]
    if path:
        wrong.append({**row, "name": f"{name}, a hash less", "path": path[:-1]})
    return [{**each, "hex": "".join(_texts(each["path"]))} for each in wrong]


def _error(row: Row) -> str:
    return refusal(lambda: check(row))
