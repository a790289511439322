"""The vectors of rosters: docs/protocol/roster.md."""

from gateway.records import cbor, roster
from gateway.records.roster import Roster
from tests.damage import refusal
from tests.people import Party, party, roster_of
from tests.vectors.build_cose import SMALL_ORDER

ONE, TWO, THREE = party("maker"), party("buyer"), party("carrier")
MEMBERS = tuple(sorted((ONE, TWO), key=lambda each: each.root.id))


def expect(found: Roster) -> dict[str, object]:
    """Give what a roster says, as JSON."""
    rows = [
        {"id": each.id.hex(), "name": each.name, "root": each.root.hex()}
        for each in found.organisations
    ]
    return {"hash": found.hash.hex(), "name": found.name, "organisations": rows}


def build() -> dict[str, object]:
    """Give the vectors as the JSON says them."""
    good = {
        "an organisation alone": roster_of(ONE),
        "two organisations": roster_of(ONE, TWO),
        "three organisations": roster_of(ONE, TWO, THREE, name="水泵"),
    }
    return {
        "noun": "roster",
        "chapter": "docs/protocol/roster.md",
        "good": [
            {"name": name, "hex": each.encoded.hex(), "expect": expect(roster.decode(each.encoded))}
            for name, each in good.items()
        ],
        "bad": [
            {"name": name, "hex": wire.hex(), "error": _error(wire)}
            for name, wire in _bad().items()
        ],
    }


def _error(wire: bytes) -> str:
    return refusal(lambda: roster.decode(wire))


def _signed(payload: bytes, *by: Party) -> bytes:
    return cbor.encode([payload, sorted(roster.sign(each.root, payload) for each in by)])


def _bad() -> dict[str, bytes]:
    whole = roster_of(ONE, TWO).encoded
    payload = roster.compose("consortium", [each.organisation for each in (ONE, TWO)])
    signatures = [roster.sign(each.root, payload) for each in (ONE, TWO)]
    return {
        "empty": b"",
        "cut": whole[:-1],
        "a byte more": whole + b"\x00",
        "a bit of a signature flipped": whole[:-1] + bytes([whole[-1] ^ 1]),
        "a signature missing": _signed(payload, ONE),
        "a signature too many": _signed(payload, ONE, TWO, THREE),
        "a signature twice": _signed(payload, ONE, ONE),
        "a stranger's signature": _signed(payload, ONE, THREE),
        "signatures not sorted": cbor.encode([payload, sorted(signatures)[::-1]]),
        "a signature as text": cbor.encode([payload, ["a", "b"]]),
        "signatures of another roster": cbor.encode(
            [roster.compose("other", [ONE.organisation]), [signatures[0]]]
        ),
        "only a payload": payload,
        **{name: _signed(cbor.encode(each), ONE, TWO) for name, each in _bad_payloads().items()},
    }


def _bad_payloads() -> dict[str, object]:
    rows = [
        [each.root.id, each.name, each.root.public, each.archive.public, None] for each in MEMBERS
    ]
    said: dict[int, object] = {0: 1, 1: 0, 2: 0, 3: None, 4: "consortium", 5: rows, 6: {}}
    first = rows[0]
    weak = bytes.fromhex(SMALL_ORDER[0])
    wrong: dict[str, tuple[int, object]] = {
        "version 2": (0, 2),
        "number 1": (1, 1),
        "number false": (1, False),
        "attempt 1": (2, 1),
        "a roster before it": (3, bytes(32)),
        "a name of 65": (4, "n" * 65),
        "no organisation": (5, []),
        "organisations not sorted": (5, rows[::-1]),
        "an organisation twice": (5, [first, first]),
        "an id of another key": (5, [[rows[1][0], *first[1:]], rows[1]]),
        "a root of small order": (5, [[first[0], "x", weak, first[3], None], rows[1]]),
        "an archive key of small order": (5, [[*first[:3], bytes(32), None], rows[1]]),
        "a witness of small order": (5, [[*first[:4], weak], rows[1]]),
        "a witness as text": (5, [[*first[:4], "w"], rows[1]]),
        "one witness key twice": (5, [[*each[:4], ONE.witness.public] for each in rows]),
        "an organisation without an archive": (5, [first[:3], rows[1]]),
        "unknown policies": (6, {0: 1}),
        "an unknown field": (7, 0),
    }
    return {name: {**said, key: value} for name, (key, value) in wrong.items()}
