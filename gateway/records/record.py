"""A record: one thing one run says, signed, never changed after. Protocol: docs/protocol/record.md.

In: what happened and what came before; or bytes from anywhere. Out: signed bytes; or a verified
record. Its body is detached, so that it can be shredded while the chain stays. No clock and no
randomness: the moment and the salt are arguments.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256
from hmac import compare_digest

from gateway.errors import (
    BadBody,
    MalformedRecord,
    MalformedSignature,
    RecordTooLarge,
)
from gateway.records import cbor, cose, sealing
from gateway.records.cose import SigningKey
from gateway.records.merkle import leaf_hash
from gateway.records.sealing import SEAL_BYTES, Sealing

RECORD_BYTES_MAX = 2048
BODY_BYTES_MAX = 16 * 1024 * 1024
CARRIED_BODY_BYTES_MAX = 48 * 1024  # a longer body travels apart from its record
FIXED_BODY_BYTES_MAX = 40 * 1024  # a body that always travels with its record
DEPS_MAX = 16
CONTENT_TYPE_CHARS_MAX = 64
SALT_BYTES = 32
# The fields of the payload that a sealed body is bound to, in this order.
_BOUND = (1, 2, 4, 5, 6, 7)
NO_RECORD = bytes(32)


class Kind(IntEnum):
    """What a record says; numbered as chapter 3 lists them."""

    GENESIS = 0
    ANNOUNCEMENT = 1
    MEMBERSHIP = 2
    RECEIPT = 3
    OBSERVATION = 4
    ACTIVITY_OPEN = 5
    ACTIVITY_UPDATE = 6
    ACTIVITY_CLOSE = 7
    CORRECTION = 8
    ATTACHMENT = 9
    ORDER = 10
    APPROVAL = 11
    EXECUTION_START = 12
    EXECUTION_END = 13
    MANDATE = 14
    CATALOGUE = 15
    REQUEST = 16
    GRANT = 17
    REVOCATION = 18
    USAGE_RECEIPT = 19
    TIME_BRIDGE = 20
    GAP = 21
    EVIDENCE = 22
    TOMBSTONE = 23


# What an author may write with a body that travels apart from its record.
APART_KINDS = frozenset({Kind.OBSERVATION, Kind.ATTACHMENT})

# Their bodies are clear, always travel with the record, and are never shredded.
FIXED_KINDS = frozenset(
    {Kind.GENESIS, Kind.ANNOUNCEMENT, Kind.MEMBERSHIP, Kind.RECEIPT, Kind.APPROVAL}
)


class ClockSource(IntEnum):
    """Who set the clock."""

    UNSET = 0
    NTP = 1
    PTP = 2
    GNSS = 3
    BY_HAND = 4
    PEERS = 5


_KINDS, _SOURCES = tuple(Kind), tuple(ClockSource)

# The payload, to the byte: it has one encoding, so it is read by a pattern that is that encoding.
_UINT = rb"([\x00-\x17]|\x18[\x18-\xff]|\x19(?!\x00)..|\x1a(?!\x00\x00).{4}|\x1b(?!\x00{4}).{8})"
_HASH = rb"\x58\x20(.{32})"
_TEXT = rb"([\x60-\x77]|\x78[\x18-\xff]|\x79(?!\x00)..)(.*)"
_PAYLOAD = re.compile(
    rb"\xac\x00\x01"
    rb"\x01%(hash)b\x02%(uint)b\x03%(hash)b\x04%(hash)b\x05%(uint)b\x06%(uint)b"
    rb"\x07(?:\xf6|%(hash)b)"
    rb"\x08([\x80-\x90])((?:\x58\x20.{32})*)"
    rb"\x09\x83%(uint)b%(uint)b%(uint)b"
    rb"\x0a\x82\x48(.{8})%(uint)b"
    rb"\x0b(?:\xf6|\x84%(hash)b%(uint)b%(hash)b%(text)b)"
    % {b"hash": _HASH, b"uint": _UINT, b"text": _TEXT},
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Moment:
    """Now, by both of the kernel's clocks; `unix_ms` counts only where a source set the clock."""

    unix_ms: int
    uncertainty_ms: int
    source: ClockSource
    boot: bytes  # the first 8 bytes of the kernel's boot id
    monotonic_ms: int  # CLOCK_BOOTTIME


@dataclass(frozen=True, slots=True)
class BodyRef:
    """What a record says of its body: the stored bytes' hash and length, and the commitment."""

    hash: bytes
    length: int
    commitment: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class Record:
    """A record whose form is right. `decode` gives it with its signature verified."""

    feed: bytes
    seq: int
    previous: bytes
    group: bytes
    key_number: int
    kind: Kind
    activity: bytes | None
    deps: tuple[bytes, ...]
    moment: Moment
    body: BodyRef | None
    id: bytes
    encoded: bytes

    @property
    def is_apart(self) -> bool:
        """Say whether its body is too long to travel with it."""
        return self.body is not None and self.body.length > CARRIED_BODY_BYTES_MAX


@dataclass(frozen=True, slots=True)
class Place:
    """Where a new record stands: after which record, of which feed, in which group, how sealed."""

    feed: bytes
    seq: int
    previous: bytes
    group: bytes
    sealing: Sealing | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What a new record says: its kind and content, and what it belongs to and answers."""

    kind: Kind
    content: bytes
    content_type: str
    activity: bytes | None = None
    deps: tuple[bytes, ...] = ()


def body_bytes_max(kind: Kind) -> int:
    """Say how long a stored body of this kind may be; what always travels stays shorter."""
    return FIXED_BODY_BYTES_MAX if kind in FIXED_KINDS else BODY_BYTES_MAX


def clear_body(content: bytes, salt: bytes) -> bytes:
    """Give the stored bytes of a clear body; the salt keeps its commitment from being guessed."""
    return salt + content


def commitment(salt: bytes, content: bytes) -> bytes:
    """Commit to one content; no other can be shown for it later."""
    return commitment_of((salt, content))


def commitment_of(parts: Iterable[bytes]) -> bytes:
    """Commit to what salt and content, one after the other, are cut into: a clear body's bytes."""
    digest = sha256(b"hulian/1/commit")
    for part in parts:
        digest.update(part)
    return digest.digest()


def sign(
    key: SigningKey, place: Place, said: Said, moment: Moment, salt: bytes
) -> tuple[bytes, bytes]:
    """Sign what comes at a place; give the record's bytes and the body's.

    The body is sealed where the place says so, but never that of a kind that always travels.
    """
    sealed = None if said.kind in FIXED_KINDS else place.sealing
    known = moment.source is not ClockSource.UNSET
    payload: dict[int, object] = {
        0: 1,
        1: place.feed,
        2: place.seq,
        3: place.previous,
        4: place.group,
        5: 0 if sealed is None else sealed.number,
        6: int(said.kind),
        7: said.activity,
        8: sorted(said.deps),
        9: [moment.unix_ms, moment.uncertainty_ms, int(moment.source)] if known else [0, 0, 0],
        10: [moment.boot, moment.monotonic_ms],
    }
    body = clear_body(said.content, salt)
    if sealed is not None:
        own = sealing.record_key(sealed.key, place.group, place.feed, sealed.number, place.seq)
        body = sealing.seal(own, sealed.nonce, body, [payload[field] for field in _BOUND])
    limit = body_bytes_max(said.kind)
    if said.kind not in APART_KINDS:
        limit = min(limit, CARRIED_BODY_BYTES_MAX)
    if len(body) > limit:
        raise RecordTooLarge(size=len(body), size_max=limit)
    said_of_body = [sha256(body).digest(), len(body), commitment(salt, said.content)]
    payload[11] = [*said_of_body, said.content_type]
    encoded = cose.sign(key, "record", cbor.encode(payload))
    if len(encoded) > RECORD_BYTES_MAX:
        raise RecordTooLarge(size=len(encoded), size_max=RECORD_BYTES_MAX)
    return encoded, body


def decode(encoded: bytes, run_key: bytes) -> Record:
    """Verify bytes from anywhere as a record of that run; raise an AuthorError if they are not."""
    record, signed = _parse(encoded)
    signed.verify(run_key)
    return record


def parse(encoded: bytes) -> Record:
    """Read a record that was verified when it was stored, or whose genesis is still being read."""
    return _parse(encoded)[0]


def check_body(record: Record, body: bytes) -> bytes:
    """Check a clear body against its record and give its content; raise BadBody."""
    check_stored(record, body)
    if record.key_number != 0:
        raise BadBody(reason="it is sealed")
    return _committed(record, body)[1]


def check_stored(record: Record, body: bytes) -> None:
    """Check that stored bytes are those of a record's body, sealed or not; raise BadBody."""
    if record.body is None:
        raise BadBody(reason="the record has no body")
    if len(body) != record.body.length or sha256(body).digest() != record.body.hash:
        raise BadBody(reason="its length or hash differs")


def open_body(record: Record, body: bytes, own_key: bytes) -> tuple[bytes, bytes]:
    """Open a sealed body by its record's own key; give salt and content, or raise BadBody."""
    return _committed(record, unsealed(record, body, own_key))


def unsealed(record: Record, body: bytes, own_key: bytes) -> bytes:
    """Give what is in a sealed body, whatever its record commits to; raise BadBody."""
    check_stored(record, body)
    if record.key_number == 0:
        raise BadBody(reason="it is not sealed")
    bound = [
        record.feed,
        record.seq,
        record.group,
        record.key_number,
        int(record.kind),
        record.activity,
    ]
    return sealing.open_sealed(own_key, body, bound)


def _committed(record: Record, plain: bytes) -> tuple[bytes, bytes]:
    """Part salt and content, and check that they are what the record commits to."""
    salt, content = plain[:SALT_BYTES], plain[SALT_BYTES:]
    said = commitment(salt, content)
    if (
        record.body is None
        or len(salt) != SALT_BYTES
        or not compare_digest(said, record.body.commitment)
    ):
        raise BadBody(reason="its content is not the one committed to")
    return salt, content


def _parse(encoded: bytes) -> tuple[Record, cose.Signed]:
    if len(encoded) > RECORD_BYTES_MAX:
        raise RecordTooLarge(size=len(encoded), size_max=RECORD_BYTES_MAX)
    try:
        signed = cose.decode(encoded, "record")
    except MalformedSignature as fault:
        raise MalformedRecord(reason=fault) from None
    found = _PAYLOAD.fullmatch(signed.payload)
    if found is None:
        raise MalformedRecord(reason="not the fields of a record in deterministic CBOR")
    feed, place, previous, group, sealed, said, activity, *more = found.groups()
    seq, key_number, kind = _number(place), _number(sealed), _kind(_number(said))
    if (seq == 0) != (previous == NO_RECORD) or (seq == 0) != (kind is Kind.GENESIS):
        raise MalformedRecord(reason="a genesis, and only that, is number 0 after nothing")
    if key_number and kind in FIXED_KINDS:
        raise MalformedRecord(reason="a body that always travels must be clear")
    record = Record(
        feed,
        seq,
        previous,
        group,
        key_number,
        kind,
        activity,
        _deps(*more[:2]),
        _moment(*more[2:7]),
        None if more[7] is None else _body(more[7:], kind, key_number),
        leaf_hash(encoded),
        encoded,
    )
    return record, signed


def _number(head: bytes) -> int:
    """Give the number that an integer as the payload's pattern knows it stands for."""
    number = int.from_bytes(head[1:], "big") if len(head) > 1 else head[0]
    if number >= 1 << 53:
        raise MalformedRecord(reason="a number is not a small positive integer")
    return number


def _kind(number: int) -> Kind:
    if number >= len(_KINDS):
        raise MalformedRecord(reason="an unknown kind")
    return _KINDS[number]


def _deps(count: bytes, listed: bytes) -> tuple[bytes, ...]:
    if not listed and count == b"\x80":
        return ()
    hashes = tuple(listed[at + 2 : at + 34] for at in range(0, len(listed), 34))
    if len(hashes) != count[0] & 0x1F or list(hashes) != sorted(set(hashes)):
        raise MalformedRecord(reason="deps are too many, repeated, or not sorted")
    return hashes


def _moment(unix: bytes, uncertain: bytes, by: bytes, boot: bytes, monotonic: bytes) -> Moment:
    unix_ms, uncertainty_ms, source = _number(unix), _number(uncertain), _number(by)
    if source >= len(_SOURCES) or (source == 0 and (unix_ms or uncertainty_ms)):
        raise MalformedRecord(reason="an unset or unknown clock that tells a time")
    return Moment(unix_ms, uncertainty_ms, _SOURCES[source], boot, _number(monotonic))


def _body(parts: Sequence[bytes], kind: Kind, key_number: int) -> BodyRef:
    digest, size, committed, head, text = parts
    shortest = SALT_BYTES + (SEAL_BYTES if key_number else 0)
    length = _number(size)
    if not shortest <= length <= body_bytes_max(kind):
        raise MalformedRecord(reason="the body is shorter than its salt, or too long")
    if len(text) != (int.from_bytes(head[1:], "big") if len(head) > 1 else head[0] & 0x1F):
        raise MalformedRecord(reason="the content type is cut short, or bytes trail it")
    try:
        content_type = text.decode()
    except UnicodeDecodeError:
        raise MalformedRecord(reason="the content type is not UTF-8") from None
    if len(content_type) > CONTENT_TYPE_CHARS_MAX:
        raise MalformedRecord(reason="the content type is too long")
    return BodyRef(digest, length, committed, content_type)
