"""The vectors of records and their bodies: docs/protocol/record.md."""

from hashlib import sha256

from gateway.records import cbor, cose, record
from gateway.records.record import NO_RECORD, ClockSource, Kind, Moment, Place, Record, Said
from gateway.records.sealing import Sealing
from tests.damage import refusal
from tests.people import BOOT, SENML_TYPE, moment, party, run_of, seed

RUN = run_of(party("maker"))
KEY = RUN.key
GROUP, FEED = seed("a group"), seed("a feed")
FIRST = Place(FEED, 0, NO_RECORD, GROUP)
SECOND = Place(FEED, 1, seed("record 0"), GROUP)
SEALED = Place(FEED, 1, seed("record 0"), GROUP, Sealing(1, seed("sender key"), bytes(24)))
UNSET = Moment(0, 0, ClockSource.UNSET, BOOT, 60_000)
SALT = seed("salt")
DEPS = tuple(sorted(seed(f"dep {number}") for number in range(17)))
HELLO = Said(Kind.OBSERVATION, b"hello", "text/plain")

Payload = dict[int | str, object]
Pair = tuple[bytes, bytes]


def read(encoded: bytes, body: bytes) -> tuple[Record, bytes]:
    """Read a record and its body as every reader does; raise an AuthorError."""
    found = record.decode(encoded, KEY.public)
    return found, record.check_body(found, body)


def _good() -> dict[str, Pair]:
    late = Place(FEED, (1 << 53) - 1, seed("record before"), GROUP)
    answer = Said(Kind.CORRECTION, b"", "text/plain", seed("activity"), DEPS[:16])
    return {
        "observation": _sign(SECOND, HELLO),
        "genesis": _sign(FIRST, Said(Kind.GENESIS, b"\xa0", "application/cbor")),
        "clock unset": record.sign(KEY, SECOND, HELLO, UNSET, SALT),
        "sixteen deps and an activity": _sign(SECOND, answer),
        "highest number": _sign(late, HELLO),
        "longest content type": _sign(SECOND, Said(Kind.GAP, b"x", "t" * 64)),
        **{f"kind {kind.name}": _sign(SECOND, Said(kind, b"x", SENML_TYPE)) for kind in _KINDS},
    }


_KINDS = (Kind.ANNOUNCEMENT, Kind.RECEIPT, Kind.ATTACHMENT, Kind.TIME_BRIDGE, Kind.TOMBSTONE)


def _sign(place: Place, said: Said) -> Pair:
    return record.sign(KEY, place, said, moment(1), SALT)


def build() -> dict[str, object]:
    """Give the vectors as the JSON says them."""
    return {
        "noun": "record",
        "chapter": "docs/protocol/record.md",
        "good": [
            {**_vector(name, pair), "expect": expect(*pair)} for name, pair in _good().items()
        ],
        "bad": [
            {**_vector(name, (wire, body)), "error": _error(wire, body)}
            for name, (wire, body) in _bad().items()
        ],
    }


def expect(encoded: bytes, body: bytes) -> dict[str, object]:
    """Give the fields of a good record as JSON: bytes in hex."""
    found, content = read(encoded, body)
    at = found.moment
    return {
        "id": found.id.hex(),
        "feed": found.feed.hex(),
        "seq": found.seq,
        "previous": found.previous.hex(),
        "group": found.group.hex(),
        "kind": int(found.kind),
        "activity": None if found.activity is None else found.activity.hex(),
        "deps": [dep.hex() for dep in found.deps],
        "time": [at.unix_ms, at.uncertainty_ms, int(at.source)],
        "boot": [at.boot.hex(), at.monotonic_ms],
        "content": content.hex(),
        "content type": found.body.content_type if found.body else None,
    }


def _vector(name: str, pair: Pair) -> dict[str, object]:
    wire, body = pair
    return {"name": name, "hex": wire.hex(), "body": body.hex(), "run_key": KEY.public.hex()}


def _error(wire: bytes, body: bytes) -> str:
    return refusal(lambda: read(wire, body))


def _bad() -> dict[str, Pair]:
    wire, body = _sign(SECOND, HELLO)
    other = run_of(party("stranger")).key
    stranger, _ = record.sign(other, SECOND, HELLO, moment(1), SALT)
    return {
        "empty": (b"", body),
        "cut": (wire[:-1], body),
        "a byte more": (wire + b"\x00", body),
        "2,049 bytes": (wire + bytes(2049 - len(wire)), body),
        "a bit of the signature flipped": (wire[:-1] + bytes([wire[-1] ^ 1]), body),
        "signed by another run": (stranger, body),
        "signed as another type": (cose.sign(KEY, "run", cbor.encode(_payload())), body),
        "without the tag": (wire[1:], body),
        **{name: (_signed(changed), body) for name, changed in _changes().items()},
        "payload with a byte more": (_raw(cbor.encode(_payload()) + b"\x00"), body),
        "payload of indefinite length": (
            _raw(b"\xbf" + cbor.encode(_payload())[1:] + b"\xff"),
            body,
        ),
        **_bad_bodies(wire, body),
    }


def _bad_bodies(wire: bytes, body: bytes) -> dict[str, Pair]:
    sealed, nothing, short = _payload(), _payload(), _payload()
    sealed[5] = 1
    nothing[11] = None
    short[11] = [sha256(body).digest(), len(body), seed("not that"), "text/plain"]
    return {
        "body changed": (wire, body[:-1] + b"O"),
        "body cut": (wire, body[:-1]),
        "body missing": (wire, b""),
        "body of a sealed record in clear": (_signed(sealed), body),
        "body that is sealed": _sign(SEALED, HELLO),
        "body of a record without one": (_signed(nothing), body),
        "body with another commitment": (_signed(short), body),
    }


def _payload() -> Payload:
    wire, _ = _sign(SECOND, HELLO)
    payload = cbor.decode(cose.decode(wire, "record").payload, 2048)
    assert isinstance(payload, dict)
    return payload


def _signed(payload: object) -> bytes:
    return _raw(cbor.encode(payload))


def _raw(payload: bytes) -> bytes:
    return cose.sign(KEY, "record", payload)


def _changes() -> dict[str, object]:
    """Payloads, each wrong in one place, signed by the right run."""
    body = _payload()[11]
    assert isinstance(body, list)
    wrong: dict[str, tuple[int | str, object]] = {
        "version 2": (0, 2),
        "version true": (0, True),
        "feed of 31 bytes": (1, FEED[:31]),
        "feed as text": (1, "feed"),
        "number negative": (2, -1),
        "number 2^53": (2, 1 << 53),
        "number true": (2, True),
        "number as a float": (2, 1.0),
        "number 0 after a record": (2, 0),
        "no record before number 1": (3, NO_RECORD),
        "group null": (4, None),
        "key number negative": (5, -1),
        "kind 24": (6, 24),
        "kind -1": (6, -1),
        "genesis as number 1": (6, 0),
        "activity of 16 bytes": (7, bytes(16)),
        "deps not sorted": (8, [DEPS[1], DEPS[0]]),
        "deps repeated": (8, [DEPS[0], DEPS[0]]),
        "seventeen deps": (8, list(DEPS)),
        "dep of 16 bytes": (8, [bytes(16)]),
        "deps null": (8, None),
        "time of an unset clock": (9, [1, 0, 0]),
        "clock source 6": (9, [1, 0, 6]),
        "time negative": (9, [-1, 0, 1]),
        "time as a float": (9, [1.5, 0, 1]),
        "time with a field more": (9, [1, 0, 1, 0]),
        "boot of 16 bytes": (10, [bytes(16), 1]),
        "boot without monotonic time": (10, [BOOT]),
        "body shorter than its salt": (11, [body[0], 31, *body[2:]]),
        "body of 16 MiB and a byte": (11, [body[0], (16 << 20) + 1, *body[2:]]),
        "body hash of 31 bytes": (11, [seed("x")[:31], *body[1:]]),
        "content type of 65": (11, [*body[:3], "t" * 65]),
        "content type as bytes": (11, [*body[:3], b"t"]),
        "an unknown field": (12, 0),
        "an unknown field by name": ("x", 0),
    }
    changed: dict[str, object] = {
        name: {**_payload(), key: value} for name, (key, value) in wrong.items()
    }
    sealed_receipt = {**_payload(), 5: 1, 6: int(Kind.RECEIPT)}
    long_receipt = {**_payload(), 6: int(Kind.RECEIPT), 11: [body[0], 40 * 1024 + 1, *body[2:]]}
    without = {key: value for key, value in _payload().items() if key != 8}
    return {
        **changed,
        "receipt sealed": sealed_receipt,
        "receipt of 40 KiB and a byte": long_receipt,
        "deps missing": without,
        "not a map": [1, 2],
        "null": None,
    }
