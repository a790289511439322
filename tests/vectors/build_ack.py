"""The vectors of acknowledgements: docs/protocol/ack.md."""

from gateway.groups import agreement
from gateway.groups.agreement import Ack, Entry
from gateway.records import cbor, cose
from gateway.records.feed import Head
from tests.damage import refusal
from tests.people import run_of
from tests.vectors.build_message import BUYER, FEED, GROUP, HIGHEST, MAKER, ROOT, feeds

KEY = run_of(BUYER).key


def read(encoded: bytes) -> Ack:
    """Read and verify an ACK under the run key of its signer; raise BadAck."""
    return agreement.decode(encoded).verify(KEY.public)


def expect(ack: Ack) -> dict[str, object]:
    """Give an ACK as JSON: bytes in hex."""
    entries = [
        [
            one.head.feed.hex(),
            one.head.size,
            one.head.root.hex(),
            [list(pair) for pair in one.ranges],
        ]
        for one in ack.entries
    ]
    return {
        "group": ack.group.hex(),
        "receiver": ack.receiver.hex(),
        "counter": ack.counter,
        "entries": entries,
    }


def build() -> dict[str, object]:
    """Give the vectors as the JSON says them."""
    return {
        "noun": "ack",
        "chapter": "docs/protocol/ack.md",
        "good": [
            {**_vector(name, each), "expect": expect(read(each))} for name, each in _good().items()
        ],
        "bad": [{**_vector(name, each), "error": _error(each)} for name, each in _bad().items()],
    }


def _vector(name: str, encoded: bytes) -> dict[str, object]:
    return {"name": name, "hex": encoded.hex(), "run_key": KEY.public.hex()}


def _error(encoded: bytes) -> str:
    return refusal(lambda: read(encoded))


def ack(*entries: Entry, counter: int = 1) -> Ack:
    """Give what the buyer says to the maker."""
    return Ack(GROUP.id, MAKER.node.id, counter, entries)


def _good() -> dict[str, bytes]:
    one, two = feeds(2)
    owed = Entry(Head(one, 9, ROOT), ((0, 1), (3, 9)))
    said = {
        "one feed": ack(Entry(FEED)),
        "two feeds, bodies owed": ack(owed, Entry(Head(two, HIGHEST, ROOT))),
        "a hundred bodies owed": ack(
            Entry(Head(one, 200, ROOT), tuple((at, at + 1) for at in range(0, 200, 2)))
        ),
        "the highest counter": ack(Entry(FEED), counter=HIGHEST),
    }
    return {name: agreement.sign(KEY, each) for name, each in said.items()}


def _bad() -> dict[str, bytes]:
    whole = agreement.sign(KEY, ack(Entry(FEED)))
    payload = cose.decode(whole, "ack").payload
    group, node = GROUP.id, MAKER.node.id
    one, two = feeds(2)
    row = [one, 3, ROOT, []]
    many = [[at, at + 1] for at in range(0, 202, 2)]
    fields: dict[str, object] = {
        "a map": {0: group, 1: node, 2: 1, 3: [row]},
        "group of 31 bytes": [group[1:], node, 1, [row]],
        "receiver of 32 bytes": [group, ROOT, 1, [row]],
        "counter 0": [group, node, 0, [row]],
        "counter 2^53": [group, node, 1 << 53, [row]],
        "counter true": [group, node, True, [row]],
        "no entries": [group, node, 1, []],
        "501 entries": [group, node, 1, [[name, 1, ROOT, []] for name in feeds(501)]],
        "not sorted": [group, node, 1, [[two, 3, ROOT, []], row]],
        "a feed twice": [group, node, 1, [row, [one, 4, ROOT, []]]],
        "size 0": [group, node, 1, [[one, 0, ROOT, []]]],
        "size 2^53": [group, node, 1, [[one, 1 << 53, ROOT, []]]],
        "root of 31 bytes": [group, node, 1, [[one, 3, ROOT[1:], []]]],
        "no ranges": [group, node, 1, [row[:3]]],
        "ranges beyond the size": [group, node, 1, [[one, 3, ROOT, [[2, 4]]]]],
        "an empty range": [group, node, 1, [[one, 3, ROOT, [[2, 2]]]]],
        "ranges that touch": [group, node, 1, [[one, 3, ROOT, [[0, 1], [1, 2]]]]],
        "ranges not sorted": [group, node, 1, [[one, 5, ROOT, [[3, 4], [0, 1]]]]],
        "101 ranges": [group, node, 1, [[one, 999, ROOT, many]]],
        "a field more": [group, node, 1, [row], None],
    }
    signed = {name: cose.sign(KEY, "ack", cbor.encode(each)) for name, each in fields.items()}
    return {
        "nothing": b"",
        "cut": whole[:-1],
        "a byte more": whole + b"\x00",
        "signature changed": whole[:-1] + bytes([whole[-1] ^ 1]),
        "size changed": whole.replace(payload, payload.replace(b"\x03\x58\x20", b"\x04\x58\x20")),
        "by another run of the node": agreement.sign(run_of(BUYER, 1).key, ack(Entry(FEED))),
        "by the receiver": agreement.sign(run_of(MAKER).key, ack(Entry(FEED))),
        "signed as a control message": cose.sign(KEY, "control", payload),
        "not signed": payload,
        **signed,
    }
