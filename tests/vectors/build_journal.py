"""The vectors of entries in a journal: docs/protocol/journal.md."""

from gateway.records import cbor, journal, merkle
from gateway.records.checkpoint import Checkpoint, run_name
from gateway.records.feed import Head
from gateway.records.journal import Entry
from tests.damage import refusal
from tests.people import seed
from tests.vectors.build_note import KEY

HEADS = [Head(seed(f"feed {n % 3}"), 1 + n, seed(f"root {n}")) for n in range(11)]
SUBTREES = merkle.subtrees_of([journal.leaf(head) for head in HEADS])

Row = dict[str, object]


def at(size: int) -> Checkpoint:
    """Give the checkpoint of the first heads."""
    return Checkpoint(run_name(KEY.id), size, merkle.frontier(size, SUBTREES).root())


def entry(index: int, size: int) -> Entry:
    """Give the entry of a head under the checkpoint of a size."""
    return Entry(index, HEADS[index], merkle.inclusion(index, size, SUBTREES))


def check(row: Row) -> None:
    """Check a row as every reader does; raise ProofFails."""
    head = Head(_bytes(row["feed"]), int(str(row["head size"])), _bytes(row["head root"]))
    path, index = row["path"], int(str(row["index"]))
    assert isinstance(path, list)
    against = Checkpoint(run_name(KEY.id), int(str(row["size"])), _bytes(row["root"]))
    Entry(index, head, tuple(_bytes(each) for each in path)).check(against)


def build() -> dict[str, object]:
    """Give the vectors as the JSON says them."""
    good = [
        _row(entry(index, size), at(size)) for index, size in ((0, 1), (0, 7), (5, 7), (10, 11))
    ]
    for row in good:
        check(row)
    bad = [row for each in good[1:] for row in _bad(each)]
    return {
        "noun": "journal",
        "chapter": "docs/protocol/journal.md",
        "good": [{**row, "expect": _leaf(row)} for row in good],
        "bad": [{**row, "error": refusal(lambda row=row: check(row))} for row in bad],  # type: ignore[misc]
    }


def _leaf(row: Row) -> Row:
    head = Head(_bytes(row["feed"]), int(str(row["head size"])), _bytes(row["head root"]))
    content = cbor.encode([head.feed, head.size, head.root])
    return {"content": content.hex(), "leaf": journal.leaf(head).hex()}


def _bytes(value: object) -> bytes:
    return bytes.fromhex(str(value))


def _row(said: Entry, against: Checkpoint) -> Row:
    return {
        "name": f"head {said.index} of {against.size}",
        "hex": b"".join(said.path).hex(),
        "index": said.index,
        "feed": said.head.feed.hex(),
        "head size": said.head.size,
        "head root": said.head.root.hex(),
        "path": [each.hex() for each in said.path],
        "size": against.size,
        "root": against.root.hex(),
    }


def _bad(row: Row) -> list[Row]:
    path, index, size = row["path"], int(str(row["index"])), int(str(row["size"]))
    assert isinstance(path, list)
    changes: dict[str, Row] = {
        "index of another": {"index": index ^ 1},
        "index beyond": {"index": size},
        "another feed": {"feed": HEADS[(index + 1) % 11].feed.hex()},
        "a head one larger": {"head size": int(str(row["head size"])) + 1},
        "another root of the head": {"head root": HEADS[(index + 1) % 11].root.hex()},
        "path cut": {"path": path[:-1]},
        "path longer": {"path": [*path, path[-1]]},
        "another root": {"root": at(2).root.hex()},
    }
    return [{**row, **change, "name": f"{row['name']}: {name}"} for name, change in changes.items()]
