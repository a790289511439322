"""The vectors of rosters after number 0, and of what a root may sign: docs/protocol/roster.md."""

from dataclasses import replace

from gateway.records import cbor, roster, succession
from gateway.records.cose import SigningKey
from gateway.records.roster import Organisation, Roster
from gateway.records.succession import Vote
from tests.damage import refusal
from tests.people import Party, party, roster_of, seed
from tests.vectors.build_roster import expect

NAMES = ("maker", "buyer", "carrier", "bank")
FOUR = tuple(sorted(map(party, NAMES), key=lambda each: each.root.id))
ONE, TWO, THREE, LAST = FOUR
NEWCOMER, STRANGER = party("newcomer"), party("stranger")
RENEWED = SigningKey(seed("a renewed root"))
ALONE, FOUNDED = roster_of(ONE, name="ring"), roster_of(*FOUR, name="ring")
ROWS = tuple(each.organisation for each in FOUR)
WITH_NEWCOMER = (*ROWS, NEWCOMER.organisation)
QUORUM = (ONE.root, TWO.root, THREE.root)
CHANGED = replace(ONE.organisation, root=RENEWED.public)


def signed(payload: bytes, *by: SigningKey) -> bytes:
    """Give the payload with the signatures of these roots."""
    return roster.assemble(payload, [roster.sign(each, payload) for each in by])


def follow(before: Roster, rows: tuple[Organisation, ...], *by: SigningKey) -> Roster:
    """Give the roster after another, signed by these roots."""
    return roster.decode_next(signed(roster.compose_next(before, rows), *by), before)


SECOND = follow(FOUNDED, WITH_NEWCOMER, *QUORUM, NEWCOMER.root)


def build() -> dict[str, object]:
    """Give the vectors as the JSON says them."""
    return {
        "noun": "succession",
        "chapter": "docs/protocol/roster.md",
        "good": [
            {**_vector(name, before, wire), "expect": _told(wire, before)}
            for name, (before, wire) in _good().items()
        ]
        + [{**_asked(name, case), "expect": "sign"} for name, case in may().items()],
        "bad": [
            {**_vector(name, before, wire), "error": _error(wire, before)}
            for name, (before, wire) in _bad().items()
        ]
        + [
            {**_asked(name, case), "error": refusal(lambda case=case: judge(case))}  # type: ignore[misc]
            for name, case in may_not().items()
        ],
    }


def chain_of(before: Roster) -> list[str]:
    """Give the rosters from number 0 up to this one, in hex."""
    return [each.encoded.hex() for each in ((FOUNDED, before) if before.number else (before,))]


def _vector(name: str, before: Roster, wire: bytes) -> dict[str, object]:
    return {"name": name, "before": chain_of(before), "hex": wire.hex()}


def _told(wire: bytes, before: Roster) -> dict[str, object]:
    found = roster.decode_next(wire, before)
    more = {"number": found.number, "attempt": found.attempt, "consortium": found.consortium.hex()}
    return expect(found) | more


def _error(wire: bytes, before: Roster) -> str:
    return refusal(lambda: roster.decode_next(wire, before))


def _good() -> dict[str, tuple[Roster, bytes]]:
    same = roster.compose_next(FOUNDED, ROWS)
    admitted = roster.compose_next(FOUNDED, WITH_NEWCOMER)
    alone = roster.compose_next(ALONE, [ONE.organisation, TWO.organisation])
    renewed = roster.compose_next(FOUNDED, [CHANGED, *ROWS[1:]])
    named = roster.compose_next(FOUNDED, [replace(ROWS[0], name="泵"), *ROWS[1:]])
    return {
        "an organisation alone admits another": (ALONE, signed(alone, ONE.root, TWO.root)),
        "a quorum of three admits a fifth": (FOUNDED, signed(admitted, *QUORUM, NEWCOMER.root)),
        "the same, signed by everybody": (
            FOUNDED,
            signed(admitted, *QUORUM, LAST.root, NEWCOMER.root),
        ),
        "nothing changes": (FOUNDED, signed(same, *QUORUM)),
        "a quorum expels one": (FOUNDED, signed(roster.compose_next(FOUNDED, ROWS[:3]), *QUORUM)),
        "one leaves and is of the quorum": (
            FOUNDED,
            signed(roster.compose_next(FOUNDED, ROWS[1:]), *QUORUM),
        ),
        "a root is renewed": (FOUNDED, signed(renewed, *QUORUM, RENEWED)),
        "a name is changed by its organisation": (FOUNDED, signed(named, *QUORUM)),
        "the third attempt": (FOUNDED, signed(roster.compose_next(FOUNDED, ROWS, 2), *QUORUM)),
        "number 2": (SECOND, signed(roster.compose_next(SECOND, ROWS), *QUORUM, NEWCOMER.root)),
    }


def _bad() -> dict[str, tuple[Roster, bytes]]:
    admitted = roster.compose_next(FOUNDED, WITH_NEWCOMER)
    renewed = roster.compose_next(FOUNDED, [CHANGED, *ROWS[1:]])
    whole = signed(admitted, *QUORUM, NEWCOMER.root)
    signatures = [roster.sign(root, admitted) for root in (*QUORUM, NEWCOMER.root)]
    three = (TWO.root, THREE.root, LAST.root)
    cases = {
        "empty": b"",
        "cut": whole[:-1],
        "a byte more": whole + b"\x00",
        "one signature does not verify": whole[:-1] + bytes([whole[-1] ^ 1]),
        "a good quorum and one signature that does not verify": _with_bad(admitted),
        "signed by too few": signed(admitted, ONE.root, TWO.root, NEWCOMER.root),
        "signed by nobody": signed(admitted),
        "without the newcomer's signature": signed(admitted, *QUORUM, LAST.root),
        "with a stranger's signature": signed(admitted, *QUORUM, NEWCOMER.root, STRANGER.root),
        "a signature twice": cbor.encode([admitted, sorted([*signatures, signatures[0]])]),
        "signatures not sorted": cbor.encode([admitted, sorted(signatures)[::-1]]),
        "signatures of another roster": cbor.encode([renewed, sorted(signatures)]),
        "a root renewed without its old root": signed(renewed, *three, RENEWED),
        "a root renewed without its new root": signed(renewed, *QUORUM),
        "an archive key changed without its organisation": signed(_changed(1), *three),
        "a name changed without its organisation": signed(_changed(0), *three),
        "roster 0": roster_of(*FOUR, name="ring").encoded,
        "roster 0 of somebody else": roster_of(STRANGER).encoded,
        "only a payload": admitted,
    }
    late = signed(roster.compose_next(FOUNDED, ROWS[:3]), *QUORUM)
    named = {name: (FOUNDED, wire) for name, wire in cases.items()}
    named |= {name: (FOUNDED, _by_all(said)) for name, said in _bad_payloads().items()}
    return named | {"an earlier roster's successor once more": (SECOND, late)}


def _with_bad(payload: bytes) -> bytes:
    bad = roster.sign(LAST.root, roster.compose_next(FOUNDED, ROWS))
    good = [roster.sign(each, payload) for each in (*QUORUM, NEWCOMER.root)]
    return roster.assemble(payload, [*good, bad])


def _changed(which: int) -> bytes:
    other = STRANGER.archive.public
    rows = (replace(ROWS[0], name="x"), replace(ROWS[0], archive=other))
    return roster.compose_next(FOUNDED, [rows[which], *ROWS[1:]])


def _by_all(said: object) -> bytes:
    return signed(cbor.encode(said), *(each.root for each in FOUR), RENEWED, NEWCOMER.root)


def _bad_payloads() -> dict[str, dict[int, object]]:
    rows = sorted(
        [each.root.id, each.name, each.root.public, each.archive.public, None]
        for each in (*FOUR, NEWCOMER)
    )
    said: dict[int, object] = {
        0: 1, 1: 1, 2: 0, 3: FOUNDED.hash, 4: "ring", 5: rows, 6: {},
    }  # fmt: skip
    first = rows[0]
    wrong: dict[str, tuple[int, object]] = {
        "skipping a number": (1, 2),
        "number 0": (1, 0),
        "a number below zero": (1, -1),
        "number true": (1, True),
        "an attempt below zero": (2, -1),
        "attempt false": (2, False),
        "another roster before it": (3, ALONE.hash),
        "none before it": (3, None),
        "a hash of 31 bytes before it": (3, FOUNDED.hash[:31]),
        "another name of the consortium": (4, "other"),
        "no organisation": (5, []),
        "organisations not sorted": (5, rows[::-1]),
        "an id changed": (5, [[bytes(16), *first[1:]], *rows[1:]]),
        "two organisations with one root": (5, [[*first[:2], rows[1][2], *first[3:]], *rows[1:]]),
        "a newcomer under another's id": (5, sorted([*rows[:4], [RENEWED.id, *rows[4][1:]]])),
        "policies": (6, {0: 1}),
        "an unknown field": (7, 0),
    }
    return {name: {**said, key: value} for name, (key, value) in wrong.items()}


Case = tuple[tuple[Vote, ...], bytes, tuple[bytes, ...]]


def judge(case: Case) -> None:
    """Ask whether a root with these votes may sign after FOUNDED, as who signs does."""
    earlier, payload, shown = case
    succession.may_sign(FOUNDED, earlier, payload, shown)


def _asked(name: str, case: Case) -> dict[str, object]:
    earlier, payload, shown = case
    return {
        "name": name,
        "before": chain_of(FOUNDED),
        "earlier": [[one.number, one.attempt, one.hash.hex()] for one in earlier],
        "payload": payload.hex(),
        "shown": [each.hex() for each in shown],
    }


def _vote(payload: bytes) -> Vote:
    found = roster.read_next(payload, FOUNDED)
    return Vote(found.number, found.attempt, found.hash)


def _rivals(attempt: int) -> tuple[bytes, bytes]:
    return (
        roster.compose_next(FOUNDED, WITH_NEWCOMER, attempt),
        roster.compose_next(FOUNDED, ROWS[:3], attempt),
    )


def may() -> dict[str, Case]:
    """Give what a root may sign."""
    (one, other), (again, _) = _rivals(0), _rivals(1)
    split = (signed(one, ONE.root, TWO.root), signed(other, THREE.root, LAST.root))
    return {
        "may sign: its first": ((), one, ()),
        "may sign: the same again": ((_vote(one),), one, ()),
        "may sign: a second attempt after a split": ((_vote(one),), again, split),
        "may sign: one who has not voted, after a split": ((), again, split),
    }


def may_not() -> dict[str, Case]:
    """Give what a root may not sign."""
    (one, other), (again, _), (third, _) = _rivals(0), _rivals(1), _rivals(2)
    split = (signed(one, ONE.root, TWO.root), signed(other, THREE.root, LAST.root))
    twice = (signed(one, ONE.root, TWO.root), signed(other, TWO.root, THREE.root, LAST.root))
    return {
        "may not sign: another of one attempt": ((_vote(one),), other, ()),
        "may not sign: an earlier attempt": ((_vote(again),), one, ()),
        "may not sign: an earlier number": ((Vote(2, 0, bytes(32)),), one, ()),
        "may not sign: a second attempt with nothing shown": ((_vote(one),), again, ()),
        "may not sign: one voice may still decide": ((), again, (signed(one, ONE.root, TWO.root),)),
        "may not sign: who signed two may sign any": ((), again, twice),
        "may not sign: shown is another attempt": ((), third, split),
        "may not sign: shown has a bad signature": ((), again, (_with_bad(one),)),
        "may not sign: it does not follow": (
            (),
            roster.compose_next(ALONE, [ONE.organisation]),
            (),
        ),
    }


def quorum_of(parties: tuple[Party, ...]) -> tuple[SigningKey, ...]:
    """Give the roots of the first so many that decide."""
    return tuple(each.root for each in parties[: roster.quorum(len(parties))])
