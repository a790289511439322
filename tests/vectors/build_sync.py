"""The vectors of decisions: what is held and a message -> actions: docs/protocol/sync.md."""

from collections.abc import Sequence

from gateway.groups import agreement
from gateway.groups.agreement import Ack, Claim, Entry
from gateway.records import cbor
from gateway.records.feed import Head
from gateway.sync import decide, message
from gateway.sync.decide import (
    Acknowledge,
    Action,
    Append,
    Ask,
    Forked,
    Holdings,
    Ignore,
    Island,
    Ours,
    Release,
    SendBodies,
    SendRecords,
)
from gateway.sync.invitation import Invite
from gateway.sync.message import (
    Body,
    Bwant,
    Carried,
    Evidence,
    Heads,
    Hello,
    Listed,
    Note,
    Part,
    Recs,
    Want,
)
from tests.damage import refusal
from tests.people import run_of, seed
from tests.vectors.build_message import BUYER, GROUP, MAKER, feeds

A, B = feeds(2)
R3, R5 = seed("root of three"), seed("root of five")
OTHER = seed("root of another history")
RECORDS = tuple(Carried(seed(f"record {number}"), None) for number in range(3))
NOBODY: Holdings = {}
Case = tuple[Holdings, bytes]


def text(action: Action) -> str:
    """Write an action as the vectors do: hashes by their first eight digits."""
    match action:
        case Ask(feed, start, stop):
            return f"ask {_short(feed)} [{start}, {stop})"
        case Acknowledge(head):
            return f"acknowledge {_head(head)}"
        case Forked(ours, theirs):
            return f"forked {_head(ours)} here, {_head(theirs)} there"
        case SendRecords(feed, start, stop, credit):
            return f"send {_short(feed)} [{start}, {stop}) within {credit} bytes"
        case SendBodies(parts):
            named = (f"{_short(each.hash)} [{each.start}, {each.stop})" for each in parts)
            return f"send bodies {' '.join(named)}"
        case Append(feed, start, records):
            return f"append {_short(feed)} [{start}, {start + len(records)})"
        case Island(feed, start, records):
            return f"island {_short(feed)} [{start}, {start + len(records)})"
        case Release(head, ()):
            return f"release {_head(head)}"
        case Release(head, owed):
            ranges = " ".join(f"[{start}, {stop})" for start, stop in owed)
            return f"release {_head(head)} but {ranges}"
        case Ignore(reason):
            return f"ignore: {reason}"


def decided(held: Holdings, encoded: bytes) -> Sequence[str]:
    """Read a message and decide on it; raise a PeerError."""
    said = message.decode(encoded)
    assert not isinstance(said, Hello | Invite), "what is sealed to a node is not decided on"
    heard = said.ack if isinstance(said, Claim) else said
    return [text(each) for each in decide.decide(held, heard)]


def build() -> dict[str, object]:
    """Give the vectors as the JSON says them."""
    return {
        "noun": "sync",
        "chapter": "docs/protocol/sync.md",
        "good": [
            {**_vector(name, each), "expect": decided(*each)} for name, each in _good().items()
        ],
        "bad": [{**_vector(name, each), "error": _error(each)} for name, each in _bad().items()],
    }


def _vector(name: str, case: Case) -> dict[str, object]:
    held, encoded = case
    ours = [[feed.hex(), each.size, each.root.hex()] for feed, each in held.items()]
    return {"name": name, "ours": ours, "hex": encoded.hex()}


def _error(case: Case) -> str:
    return refusal(lambda: decided(*case))


def _good() -> dict[str, Case]:
    return {
        name: (held, message.encode(said))
        for name, (held, said) in (_heads() | _wants() | _records() | _acks()).items()
    }


def _heads() -> dict[str, tuple[Holdings, message.Message]]:
    listed = Heads((Listed(Head(A, 3, R3)), Listed(Head(B, 5, R5))))
    one = Heads((Listed(Head(A, 3, R3)),))
    return {
        "heads: none": ({A: Ours(3, R3)}, Heads(())),
        "heads: unknown feeds": (NOBODY, listed),
        "heads: the peer has more": ({A: Ours(1, OTHER)}, one),
        "heads: both have the same": ({A: Ours(3, R3)}, one),
        "heads: the peer has less": ({A: Ours(5, R3)}, one),
        "heads: one the same, of the other more": ({A: Ours(3, R3), B: Ours(4, OTHER)}, listed),
        "heads: another root at the same size": ({A: Ours(3, OTHER)}, one),
        "heads: another root below our size": ({A: Ours(5, OTHER)}, one),
        "heads: islands lead to nothing yet": (
            {A: Ours(3, R3)},
            Heads((Listed(Head(A, 3, R3), ((4, 9),)),)),
        ),
    }


def _wants() -> dict[str, tuple[Holdings, message.Message]]:
    return {
        "want: held": ({A: Ours(5)}, Want(A, 1, 3, 4_096)),
        "want: more than is held": ({A: Ours(5)}, Want(A, 1, 900, 4_096)),
        "want: beyond what is held": ({A: Ours(5)}, Want(A, 5, 6, 4_096)),
        "want: of an unknown feed": ({A: Ours(5)}, Want(B, 0, 1, 4_096)),
        "bodies wanted": (NOBODY, Bwant((Part(A, 0, 49_152), Part(B, 98_304, 100_000)))),
        "body": (NOBODY, Body(A, 0, b"piece")),
    }


def _records() -> dict[str, tuple[Holdings, message.Message]]:
    return {
        "records: the next": ({A: Ours(2)}, Recs(A, 2, RECORDS)),
        "records: of an unknown feed": (NOBODY, Recs(A, 0, RECORDS)),
        "records: some are held": ({A: Ours(4)}, Recs(A, 2, RECORDS)),
        "records: all are held": ({A: Ours(5)}, Recs(A, 2, RECORDS)),
        "records: after a gap": ({A: Ours(1)}, Recs(A, 2, RECORDS)),
        "records: of an unknown feed, not from its beginning": (NOBODY, Recs(A, 2, RECORDS)),
    }


def _acks() -> dict[str, tuple[Holdings, message.Message]]:
    one = _ack(Entry(Head(A, 3, R3)))
    return {
        "ack: of all": ({A: Ours(3, R3)}, one),
        "ack: of a beginning": ({A: Ours(5, R3)}, one),
        "ack: of two": (
            {A: Ours(3, R3), B: Ours(9, R5)},
            _ack(Entry(Head(A, 3, R3)), Entry(Head(B, 5, R5))),
        ),
        "ack: of more than is held": ({A: Ours(2, OTHER)}, one),
        "ack: of an unknown feed": (NOBODY, one),
        "ack: of another history": ({A: Ours(3, OTHER)}, one),
        "ack: a body is owed": ({A: Ours(3, R3)}, _ack(Entry(Head(A, 3, R3), ((1, 2),)))),
        "ack: bodies are owed of a beginning": (
            {A: Ours(9, R5)},
            _ack(Entry(Head(A, 5, R5), ((0, 1), (3, 5)))),
        ),
        "ack: a body is owed of another history": (
            {A: Ours(3, OTHER)},
            _ack(Entry(Head(A, 3, R3), ((1, 2),))),
        ),
        "note": (NOBODY, Note("origin\n1\n", (), ())),
        "evidence": (NOBODY, Evidence(b"x")),
    }


def _ack(*entries: Entry) -> Claim:
    said = Ack(GROUP.id, MAKER.node.id, 1, entries)
    return agreement.decode(agreement.sign(run_of(BUYER).key, said))


def _bad() -> dict[str, Case]:
    ours: Holdings = {A: Ours(5, R5)}
    row: list[object] = [A, 5, R5, []]
    record: list[object] = [seed("record"), None]
    fields: dict[str, object] = {
        "heads: one feed with two sizes": [2, [[A, 3, R3, []], row]],
        "heads: not sorted": [2, [[B, 3, R3, []], row]],
        "heads: of no size": [2, [[A, 0, R3, []]]],
        "heads: beyond 2^53": [2, [[A, 1 << 53, R3, []]]],
        "heads: a row that is none": [2, [[A, 5, R5, []], None]],
        "heads: an island within what is held": [2, [[A, 5, R5, [[4, 9]]]]],
        "want: backwards": [3, A, 3, 1, 4_096],
        "want: nothing": [3, A, 1, 1, 4_096],
        "want: before the genesis": [3, A, -1, 1, 4_096],
        "want: without end": [3, A, 0, None, 4_096],
        "want: beyond 2^53": [3, A, 0, 1 << 53, 4_096],
        "want: without credit": [3, A, 0, 5, 0],
        "want: credit beyond 2^53": [3, A, 0, 5, 1 << 53],
        "records: none": [4, A, 5, []],
        "records: before the genesis": [4, A, -1, [record]],
        "records: beyond 2^53": [4, A, (1 << 53) - 1, [record]],
        "records: a body that is text": [4, A, 5, [[seed("record"), "body"]]],
        "records: of no feed": [4, None, 5, [record]],
        "bodies wanted: none": [5, []],
        "bodies wanted: not sorted": [5, [[B, 0, 9], [A, 0, 9]]],
        "body: empty": [6, A, 0, b""],
        "ack: not signed": [8, cbor.encode([GROUP.id, MAKER.node.id, 1, [row]])],
        "ack: as a list": [8, [GROUP.id, MAKER.node.id, 1, [row]]],
        "evidence: none": [9],
        "an invitation": [1, b""],
        "a type that nobody knows": [10, b""],
        "heads: islands that touch": [2, [[A, 5, R5, [[6, 7], [7, 8]]]]],
        "records: the feed's name cut": [4, A[1:], 5, [record]],
        "body: before its beginning": [6, A, -1, b"x"],
        "two messages in one": [2, [row], 3, A, 0, 1, 1],
    }
    written = {name: (ours, cbor.encode(each)) for name, each in fields.items()}
    return {"nothing": (ours, b""), "heads: cut": (ours, b"\x82\x02"), **written}


def _short(name: bytes) -> str:
    return name.hex()[:8]


def _head(head: Head) -> str:
    return f"{_short(head.feed)} at {head.size} with {_short(head.root)}"
