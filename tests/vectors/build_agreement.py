"""The vectors of receipt records: docs/protocol/agreement.md."""

from gateway.groups import agreement
from gateway.groups.agreement import Entry
from gateway.records import cbor
from gateway.records.feed import Head
from tests.damage import refusal
from tests.vectors.build_message import FEED, HIGHEST, ROOT, feeds


def expect(content: bytes) -> list[list[object]]:
    """Give what a receipt says, as JSON: up to where each feed is held with all bodies."""
    entries = agreement.decode_receipt(content)
    return [
        [each.head.feed.hex(), each.head.size, each.head.root.hex(), each.cover.prefix]
        for each in entries
    ]


def build() -> dict[str, object]:
    """Give the vectors as the JSON says them."""
    good, bad = _good(), _bad()
    return {
        "noun": "agreement",
        "chapter": "docs/protocol/agreement.md",
        "good": [
            {"name": name, "hex": said.hex(), "expect": expect(said)} for name, said in good.items()
        ],
        "bad": [
            {"name": name, "hex": said.hex(), "error": _error(said)} for name, said in bad.items()
        ],
    }


def _error(content: bytes) -> str:
    return refusal(lambda: agreement.decode_receipt(content))


def _good() -> dict[str, bytes]:
    one, two = feeds(2)
    said = {
        "one feed": [Entry(FEED)],
        "two feeds, bodies owed": [
            Entry(Head(one, 9, ROOT), ((4, 5), (7, 9))),
            Entry(Head(two, HIGHEST, ROOT)),
        ],
        "nothing held with its body": [Entry(Head(one, 3, ROOT), ((0, 3),))],
    }
    return {name: agreement.encode_receipt(each) for name, each in said.items()}


def _bad() -> dict[str, bytes]:
    one, two = feeds(2)
    rows: dict[str, list[object]] = {
        "no entries": [],
        "a size of 0": [[one, 0, ROOT, []]],
        "a root of 31 bytes": [[one, 1, ROOT[:31], []]],
        "not sorted": [[two, 1, ROOT, []], [one, 1, ROOT, []]],
        "a feed twice": [[one, 1, ROOT, []], [one, 2, ROOT, []]],
        "no ranges": [[one, 1, ROOT]],
        "a range beyond the size": [[one, 3, ROOT, [[2, 4]]]],
        "ranges that touch": [[one, 3, ROOT, [[0, 1], [1, 2]]]],
    }
    whole = agreement.encode_receipt([Entry(FEED)])
    return {
        **{name: cbor.encode(each) for name, each in rows.items()},
        "empty": b"",
        "cut": whole[:-1],
        "a byte more": whole + b"\x00",
    }
