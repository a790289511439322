"""The vectors of messages: docs/protocol/message.md."""

from dataclasses import replace

from gateway.groups import agreement
from gateway.groups.agreement import Ack, Claim, Entry
from gateway.records import cbor, journal
from gateway.records.feed import Head
from gateway.sync import invitation, message
from gateway.sync.invitation import Invite
from gateway.sync.message import (
    Body,
    Bwant,
    Carried,
    Evidence,
    Heads,
    Hello,
    Listed,
    Message,
    Note,
    Part,
    Recs,
    Want,
)
from tests.damage import refusal
from tests.people import chain, group_of, party, run_of, seed

MAKER, BUYER = party("maker"), party("buyer")
GROUP = group_of(MAKER, BUYER)
RUN = run_of(MAKER)
RECORDS = chain(RUN, GROUP, 3)
FEED = RECORDS[-1].feed.head()
ROOT = seed("a root")
HIGHEST = (1 << 53) - 1
PAIR = (RECORDS[0].encoded, RECORDS[0].body)
INVITE = Invite(
    GROUP.encoded, GROUP.founder, (GROUP.roster.encoded,), (PAIR,), GROUP.secret, "pressing"
)


def feeds(count: int) -> list[bytes]:
    """Give so many names of feeds, sorted."""
    return sorted(seed(f"feed {number}") for number in range(count))


def good() -> dict[str, Message]:
    """Give a message of each kind, by name."""
    one, two = feeds(2)
    hello = Hello(RUN.credentials, (GROUP.roster.hash,), seed("nonce")[:16])
    carried = tuple(Carried(each.encoded, each.body) for each in RECORDS)
    shown = journal.Entry(7, FEED, (seed("left"), seed("right")))
    ack = Ack(GROUP.id, MAKER.node.id, 1, (Entry(FEED),))
    return {
        "hello": hello,
        "hello without rosters": Hello(RUN.credentials, (), bytes(16)),
        "invite": INVITE,
        "invite to a group without changes": replace(INVITE, membership=()),
        "no heads": Heads(()),
        "one head": Heads((Listed(FEED),)),
        "heads with islands": Heads(
            (Listed(Head(one, 3, ROOT), ((4, 5), (7, 9))), Listed(Head(two, HIGHEST, ROOT)))
        ),
        "want": Want(FEED.feed, 1, 3, 65_536),
        "want of everything": Want(FEED.feed, 0, HIGHEST, HIGHEST),
        "records": Recs(FEED.feed, 0, carried[:1]),
        "record without a body": Recs(FEED.feed, 2, (Carried(carried[2].record, None),)),
        "parts wanted": Bwant((Part(one, 0, 49_152), Part(one, 98_304, HIGHEST), Part(two, 7, 8))),
        "rosters wanted": message.wanted_whole((two, one)),
        "body": Body(one, 0, b"the first piece"),
        "note": Note("origin\n3\n", ("\u2014 a witness", "\u2014 another"), (shown,)),
        "ack": agreement.decode(agreement.sign(run_of(BUYER).key, ack)),
        "evidence": Evidence(b"two records of one number"),
    }


def expect(said: Message) -> dict[str, object]:
    """Give what a message says, as JSON: bytes in hex."""
    match said:
        case Hello(credentials, rosters, nonce, limits):
            bounds = [limits.message_bytes, limits.heads, limits.credit_bytes]
            node, run = credentials.node.subject.hex(), credentials.run.subject.hex()
            names = [each.hex() for each in rosters]
            return {
                "type": 0,
                "node": node,
                "run": run,
                "rosters": names,
                "nonce": nonce.hex(),
                "limits": bounds,
            }
        case Invite():
            return _expect_invite(said)
        case Heads(rows):
            listed = [[*_head(each.head), [list(pair) for pair in each.islands]] for each in rows]
            return {"type": 2, "heads": listed}
        case Want(feed, start, stop, credit):
            return {"type": 3, "feed": feed.hex(), "range": [start, stop], "credit": credit}
        case Recs(feed, start, records):
            sizes = [[len(each.record), _size(each.body)] for each in records]
            return {"type": 4, "feed": feed.hex(), "start": start, "sizes": sizes}
        case Bwant(parts):
            shares = [[each.hash.hex(), each.start, each.stop] for each in parts]
            return {"type": 5, "parts": shares}
        case Body(name, offset, piece):
            return {"type": 6, "hash": name.hex(), "offset": offset, "piece": piece.hex()}
        case Note(checkpoint, cosignatures, leaves):
            shown = [
                [each.index, *_head(each.head), [one.hex() for one in each.path]] for each in leaves
            ]
            return {
                "type": 7,
                "checkpoint": checkpoint,
                "cosignatures": list(cosignatures),
                "leaves": shown,
            }
        case Claim(encoded=encoded):
            return {"type": 8, "ack": encoded.hex()}
        case Evidence(content):
            return {"type": 9, "evidence": content.hex()}


def _expect_invite(said: Invite) -> dict[str, object]:
    return {
        "type": 1,
        "founding": said.founding.hex(),
        "founder": [each.hex() for each in said.founder.encoded()],
        "rosters": [each.hex() for each in said.rosters],
        "membership": [[record.hex(), body.hex()] for record, body in said.membership],
        "secret": said.secret.hex(),
        "name": said.name,
    }


def _head(head: Head) -> list[object]:
    return [head.feed.hex(), head.size, head.root.hex()]


def _size(body: bytes | None) -> int | None:
    return None if body is None else len(body)


def build() -> dict[str, object]:
    """Give the vectors as the JSON says them."""
    encoded = {name: message.encode(each) for name, each in good().items()}
    return {
        "noun": "message",
        "chapter": "docs/protocol/message.md",
        "good": [
            {"name": name, "hex": each.hex(), "expect": expect(message.decode(each))}
            for name, each in encoded.items()
        ],
        "bad": [
            {"name": name, "hex": each.hex(), "error": _error(each)}
            for name, each in _bad(encoded).items()
        ],
    }


def _error(encoded: bytes) -> str:
    return refusal(lambda: message.decode(encoded))


def _bad(encoded: dict[str, bytes]) -> dict[str, bytes]:
    ack = encoded["ack"]
    written = {name: cbor.encode(each) for name, each in _bad_fields().items()}
    return {
        "nothing": b"",
        "cut": encoded["want"][:-1],
        "a byte more": encoded["want"] + b"\x00",
        "not the shortest number": encoded["no heads"].replace(b"\x02", b"\x18\x02"),
        "a list without an end": b"\x9f\x02\x80\xff",
        "ack of another domain": ack.replace(b"hulian/1/ack", b"hulian/1/run"),
        **written,
    }


def _bad_fields() -> dict[str, object]:
    return _bad_hello() | _bad_invite() | _bad_others()


def _bad_invite() -> dict[str, object]:
    whole = [1, *invitation.write(INVITE)]
    wrong: dict[str, tuple[int, object]] = {
        "founding of 40 KiB and a byte": (1, bytes(40_961)),
        "certificates exchanged": (2, RUN.credentials.run.encoded),
        "no rosters": (5, []),
        "257 rosters": (5, [b""] * 257),
        "roster as text": (5, ["x"]),
        "roster of 40 KiB and a byte": (5, [bytes(40_961)]),
        "1025 records": (6, [[b"", b""]] * 1025),
        "record of 2049 bytes": (6, [[bytes(2049), b""]]),
        "record without its body": (6, [[PAIR[0], None]]),
        "body of 40 KiB and a byte": (6, [[b"", bytes(40_961)]]),
        "secret of 31 bytes": (7, GROUP.secret[1:]),
        "no name": (8, ""),
        "name of 65": (8, "n" * 65),
        "name as bytes": (8, b"n"),
    }
    changed: dict[str, object] = {
        f"invite: {name}": [*whole[:at], value, *whole[at + 1 :]]
        for name, (at, value) in wrong.items()
    }
    return {**changed, "invite: nothing": [1], "invite: a field more": [*whole, None]}


def _bad_hello() -> dict[str, object]:
    node, run, encryption = RUN.credentials.encoded()
    nonce, bounds, rosters = bytes(16), [65_536, 500, 2_097_152], feeds(65)
    return {
        "hello: node and run certificates exchanged": _hello([run, node, encryption]),
        "hello: nonce of 15 bytes": [0, node, run, encryption, [], bytes(15), bounds],
        "hello: limits of zero": [0, node, run, encryption, [], nonce, [65_536, 0, 1]],
        "hello: a limit missing": [0, node, run, encryption, [], nonce, [65_536, 500]],
        "hello: rosters not sorted": [0, node, run, encryption, rosters[1::-1], nonce, bounds],
        "hello: 65 rosters": [0, node, run, encryption, rosters, nonce, bounds],
    }


def _hello(certificates: list[bytes]) -> list[object]:
    return [0, *certificates, [], bytes(16), [65_536, 500, 2_097_152]]


def _bad_others() -> dict[str, object]:
    one, two = feeds(2)
    row, names = [one, 3, ROOT, []], feeds(501)
    return {
        "a map": {0: 2},
        "type 10": [10, []],
        "type true": [True, one],
        "type as text": ["2", []],
        "type below zero": [-1, []],
        "heads: 501": [2, [[name, 1, ROOT, []] for name in names]],
        "heads: not sorted": [2, [[two, 3, ROOT, []], row]],
        "heads: a feed twice": [2, [row, [one, 4, ROOT, []]]],
        "heads: size 0": [2, [[one, 0, ROOT, []]]],
        "heads: size 2^53": [2, [[one, 1 << 53, ROOT, []]]],
        "heads: root of 31 bytes": [2, [[one, 3, ROOT[1:], []]]],
        "heads: an island at the size": [2, [[one, 3, ROOT, [[3, 5]]]]],
        "heads: islands that touch": [2, [[one, 3, ROOT, [[4, 5], [5, 6]]]]],
        "heads: an empty island": [2, [[one, 3, ROOT, [[4, 4]]]]],
        "heads: 101 islands": [2, [[one, 3, ROOT, [[at, at + 1] for at in range(4, 206, 2)]]]],
        "heads: no islands": [2, [[one, 3, ROOT]]],
        "want: nothing": [3, one, 2, 2, 1],
        "want: backwards": [3, one, 2, 1, 1],
        "want: below zero": [3, one, -1, 1, 1],
        "want: up to 2^53": [3, one, 0, 1 << 53, 1],
        "want: no credit": [3, one, 0, 1, 0],
        "want: a float": [3, one, 0.5, 1, 1],
        "want: of a short name": [3, one[1:], 0, 1, 1],
        "records: none": [4, one, 0, []],
        "records: 1025": [4, one, 0, [[b"", None]] * 1025],
        "records: beyond 2^53": [4, one, HIGHEST, [[b"", None]]],
        "records: one of 2049 bytes": [4, one, 0, [[bytes(2049), None]]],
        "records: a body of 49153 bytes": [4, one, 0, [[b"", bytes(49_153)]]],
        "records: no body and no null": [4, one, 0, [[b""]]],
        "bodies wanted: none": [5, []],
        "bodies wanted: hashes alone": [5, [one, two]],
        "bodies wanted: twice": [5, [[one, 0, 9], [one, 0, 9]]],
        "bodies wanted: parts that touch": [5, [[one, 0, 9], [one, 9, 12]]],
        "bodies wanted: parts that overlap": [5, [[one, 0, 9], [one, 4, 12]]],
        "bodies wanted: not sorted by hash": [5, [[two, 0, 9], [one, 0, 9]]],
        "bodies wanted: not sorted by place": [5, [[one, 20, 29], [one, 0, 9]]],
        "bodies wanted: nothing of one": [5, [[one, 9, 9]]],
        "bodies wanted: backwards": [5, [[one, 9, 4]]],
        "bodies wanted: below zero": [5, [[one, -1, 4]]],
        "bodies wanted: up to 2^53": [5, [[one, 0, 1 << 53]]],
        "bodies wanted: to no end": [5, [[one, 0]]],
        "bodies wanted: a hash of 31 bytes": [5, [[one[1:], 0, 9]]],
        "bodies wanted: 501": [5, [[name, 0, 9] for name in names]],
        "body: empty": [6, one, 0, b""],
        "body: beyond 2^53": [6, one, HIGHEST, b"x"],
        "note: 65 cosignatures": [7, "", [""] * 65, []],
        "note: cosignature as bytes": [7, "", [b""], []],
        "note: path of 65": [7, "", [], [[0, one, 1, ROOT, [ROOT] * 65]]],
        "ack: nothing": [8, b""],
        "ack: not signed": [8, cbor.encode([GROUP.id, MAKER.node.id, 1, []])],
        "evidence: text": [9, "x"],
    }
