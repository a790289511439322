"""A record: one thing one run says, signed, never changed after. Protocol: docs/protocol/record.md.

In: what happened and what came before; or bytes from anywhere. Out: signed bytes; or a verified
record. Its body is detached, so that it can be shredded while the chain stays. No clock and no
randomness: the moment and the salt are arguments.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256
from hmac import compare_digest

from gateway.errors import (
    BadBody,
    MalformedCbor,
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


_LAST_KIND, _LAST_SOURCE = max(Kind), max(ClockSource)


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
    return _committed(record, sealing.open_sealed(own_key, body, bound))


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
        payload = cbor.decode(signed.payload, RECORD_BYTES_MAX)
    except (MalformedSignature, MalformedCbor) as fault:
        raise MalformedRecord(reason=fault) from None
    match payload:
        case {
            0: version,
            1: bytes() as feed,
            2: int() as seq,
            3: bytes() as previous,
            4: bytes() as group,
            5: int() as key_number,
            6: int() as kind,
            7: activity,
            8: list() as deps,
            9: time,
            10: boot,
            11: body,
            **more,
        } if not more and version == 1:
            _check_hashes(feed, previous, group, *([] if activity is None else [activity]))
            _check_numbers(version, seq, key_number)
            if (seq == 0) != (previous == NO_RECORD) or (seq == 0) != (kind == Kind.GENESIS):
                raise MalformedRecord(reason="a genesis, and only that, is number 0 after nothing")
            said = _kind(kind, key_number)
            record = Record(
                feed,
                seq,
                previous,
                group,
                key_number,
                said,
                activity,
                _deps(deps),
                _moment(time, boot),
                _body(body, said, key_number),
                leaf_hash(encoded),
                encoded,
            )
            return record, signed
    raise MalformedRecord(reason="fields are missing, unknown, or of the wrong type")


def _check_hashes(*hashes: object) -> None:
    for value in hashes:
        if not isinstance(value, bytes) or len(value) != 32:
            raise MalformedRecord(reason="a hash is not 32 bytes")


def _check_numbers(*numbers: object) -> None:
    for value in numbers:
        if type(value) is not int or not 0 <= value < 1 << 53:
            raise MalformedRecord(reason="a number is not a small positive integer")


def _kind(number: int, key_number: int) -> Kind:
    if type(number) is not int or not 0 <= number <= _LAST_KIND:
        raise MalformedRecord(reason="an unknown kind")
    kind = Kind(number)
    if kind in FIXED_KINDS and key_number:
        raise MalformedRecord(reason="a body that always travels must be clear")
    return kind


def _deps(deps: list[object]) -> tuple[bytes, ...]:
    _check_hashes(*deps)
    hashes = tuple(dep for dep in deps if isinstance(dep, bytes))
    if len(hashes) > DEPS_MAX or list(hashes) != sorted(set(hashes)):
        raise MalformedRecord(reason="deps are too many, repeated, or not sorted")
    return hashes


def _moment(time: object, boot: object) -> Moment:
    match time, boot:
        case [int() as unix_ms, int() as uncertainty_ms, int() as source], [
            bytes() as boot_id,
            int() as monotonic_ms,
        ] if len(boot_id) == 8:
            _check_numbers(unix_ms, uncertainty_ms, source, monotonic_ms)
            if source > _LAST_SOURCE or (source == 0 and (unix_ms or uncertainty_ms)):
                raise MalformedRecord(reason="an unset or unknown clock that tells a time")
            return Moment(unix_ms, uncertainty_ms, ClockSource(source), boot_id, monotonic_ms)
    raise MalformedRecord(reason="time or boot have the wrong shape")


def _body(body: object, kind: Kind, key_number: int) -> BodyRef | None:
    shortest = SALT_BYTES + (SEAL_BYTES if key_number else 0)
    match body:
        case None:
            return None
        case [bytes() as digest, int() as length, bytes() as committed, str() as content_type]:
            _check_hashes(digest, committed)
            _check_numbers(length)
            if not shortest <= length <= body_bytes_max(kind):
                raise MalformedRecord(reason="the body is shorter than its salt, or too long")
            if len(content_type) > CONTENT_TYPE_CHARS_MAX:
                raise MalformedRecord(reason="the content type is too long")
            return BodyRef(digest, length, committed, content_type)
    raise MalformedRecord(reason="the body's description has the wrong shape")
