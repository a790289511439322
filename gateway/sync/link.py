"""What two ends of an HTTPS link say to each other: who they are, and what is carried.

In: a run, what both ends see of their conversation, parcels; or bytes from anywhere. Out: signed
proofs and batches, or a PeerError. A proof says nothing in another conversation; that its
certificates make somebody a member, the circle says. Protocol: docs/protocol/links.md.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from gateway.errors import (
    AuthorError,
    BadProof,
    BadSignature,
    LinkIntercepted,
    MalformedCbor,
    MalformedLink,
    MalformedSignature,
)
from gateway.records import cbor, cose, feed
from gateway.records.cose import Signed
from gateway.records.feed import Credentials
from gateway.records.run import Run
from gateway.sync.envelope import ENVELOPE_BYTES_MAX, is_tag

VERSION: Final = 1
CHALLENGE_BYTES: Final = 32
CHALLENGE_SAID_BYTES_MAX: Final = 64
TOKEN_BYTES: Final = 16
PROOF_BYTES_MAX: Final = 4 * 1024
BATCH_BYTES_MAX: Final = 256 * 1024
ROWS_MAX: Final = 2048
PRESENT_MAX: Final = 1024
HEARD_BYTES_MAX: Final = BATCH_BYTES_MAX + 32 * 1024
_HASH_BYTES: Final = 32
_NODE_BYTES: Final = 16
_TOPIC_CHARS_MAX: Final = 80
_ROW_BYTES: Final = 12  # what CBOR adds to topic and envelope, at most
_BACKLOG, _CARRIED = 1, 2


class Side(IntEnum):
    """Which end of a link."""

    DIALLER = 0
    LISTENER = 1


@dataclass(frozen=True, slots=True)
class Meeting:
    """A conversation: SHA-256 of the listener's TLS certificate as seen, and both challenges."""

    certificate: bytes
    listener: bytes
    dialler: bytes


@dataclass(frozen=True, slots=True)
class Proof:
    """Who an end says it is, and in which conversation; not yet verified."""

    side: Side
    meeting: Meeting
    credentials: Credentials
    token: bytes
    signed: Signed

    def check(self, side: Side, meeting: Meeting) -> None:
        """See that it is the other side's in our conversation; raise a PeerError."""
        if self.side is not side:
            raise BadProof(reason="it is of the wrong end")
        if (self.meeting.listener, self.meeting.dialler) != (meeting.listener, meeting.dialler):
            raise BadProof(reason="it answers other challenges")
        if self.meeting.certificate != meeting.certificate:
            raise LinkIntercepted

    def verify(self) -> None:
        """Check the signature under the run that it names; raise BadProof."""
        try:
            self.signed.verify(self.credentials.run.key)
        except BadSignature as fault:
            raise BadProof(reason=fault) from None


@dataclass(frozen=True, slots=True)
class Parcel:
    """A message in its envelope with its topic; whether newer ones go first, and who said it.

    `is_carried`: the listener has it from somebody else that is linked to it.
    """

    topic: str
    envelope: bytes
    is_backlog: bool = False
    is_carried: bool = False

    @property
    def size(self) -> int:
        """Give the bytes it takes in a batch, at most."""
        return len(self.topic) + len(self.envelope) + _ROW_BYTES


@dataclass(frozen=True, slots=True)
class Heard:
    """What a listener answers: which other nodes are linked to it now, and parcels."""

    present: tuple[bytes, ...]
    parcels: tuple[Parcel, ...]


def encode_challenge(challenge: bytes) -> bytes:
    """Write a listener's challenge."""
    return cbor.encode([VERSION, challenge])


def decode_challenge(encoded: bytes) -> bytes:
    """Read a challenge; raise MalformedLink."""
    match _decode(encoded, CHALLENGE_SAID_BYTES_MAX):
        case [version, bytes() as challenge] if (
            _is_version(version) and len(challenge) == CHALLENGE_BYTES
        ):
            return challenge
    raise MalformedLink(reason="not a challenge of version 1")


def sign(run: Run, side: Side, meeting: Meeting, token: bytes = b"") -> bytes:
    """Prove to the other end who this one is; the listener gives a token with it."""
    said = [
        VERSION,
        int(side),
        meeting.certificate,
        meeting.listener,
        meeting.dialler,
        run.credentials.encoded(),
        token,
    ]
    return cose.sign(run.key, "link", cbor.encode(said))


def decode(encoded: bytes) -> Proof:
    """Read a proof, not yet verified; raise MalformedLink."""
    if len(encoded) > PROOF_BYTES_MAX:
        raise MalformedLink(reason=f"longer than {PROOF_BYTES_MAX} bytes")
    try:
        signed = cose.decode(encoded, "link")
    except MalformedSignature as fault:
        raise MalformedLink(reason=fault) from None
    match _decode(signed.payload, PROOF_BYTES_MAX):
        case [
            version,
            int() as side,
            bytes() as certificate,
            bytes() as listener,
            bytes() as dialler,
            [bytes() as node, bytes() as run, bytes() as encryption],
            bytes() as token,
        ] if _is_version(version) and type(side) is int and side in (0, 1):
            meeting = Meeting(certificate, listener, dialler)
            _check_sizes(meeting, token, Side(side))
            return Proof(Side(side), meeting, _credentials(node, run, encryption), token, signed)
    raise MalformedLink(reason="fields are missing or of the wrong type")


def encode_batch(parcels: Iterable[Parcel]) -> bytes:
    """Write what a dialler says."""
    return cbor.encode([_row(each) for each in parcels])


def decode_batch(encoded: bytes) -> tuple[Parcel, ...]:
    """Read what a dialler says; raise MalformedLink."""
    said = _decode(encoded, BATCH_BYTES_MAX)
    return _parcels(said, _BACKLOG)


def encode_heard(heard: Heard) -> bytes:
    """Write what a listener answers to who hears."""
    return cbor.encode([list(heard.present), [_row(each) for each in heard.parcels]])


def decode_heard(encoded: bytes) -> Heard:
    """Read what a listener answers; raise MalformedLink."""
    match _decode(encoded, HEARD_BYTES_MAX):
        case [list() as present, list() as rows] if len(present) <= PRESENT_MAX:
            nodes = tuple(each for each in present if _is_node(each))
            if len(nodes) != len(present) or list(nodes) != sorted(set(nodes)):
                raise MalformedLink(reason="not a sorted list of nodes")
            return Heard(nodes, _parcels(rows, _BACKLOG | _CARRIED))
    raise MalformedLink(reason="not a list of nodes and a list of parcels")


def take(parcels: Sequence[Parcel], size_max: int) -> int:
    """Say how many of these, from the first, one batch may hold: at least one, if there is one."""
    size = 0
    for place, parcel in enumerate(parcels[:ROWS_MAX]):
        size += parcel.size
        if size > size_max and place:
            return place
    return min(len(parcels), ROWS_MAX)


def _row(parcel: Parcel) -> list[object]:
    flags = _BACKLOG * parcel.is_backlog | _CARRIED * parcel.is_carried
    return [parcel.topic, flags, parcel.envelope]


def _parcels(rows: object, allowed: int) -> tuple[Parcel, ...]:
    if not isinstance(rows, list) or len(rows) > ROWS_MAX:
        raise MalformedLink(reason=f"not a list of at most {ROWS_MAX} parcels")
    return tuple(_parcel(row, allowed) for row in rows)


def _parcel(row: object, allowed: int) -> Parcel:
    match row:
        case [str() as topic, int() as flags, bytes() as envelope] if (
            type(flags) is int and not flags & ~allowed and len(envelope) <= ENVELOPE_BYTES_MAX
        ):
            if not is_topic(topic):
                raise MalformedLink(reason="a topic that is none of ours")
            return Parcel(topic, envelope, bool(flags & _BACKLOG), bool(flags & _CARRIED))
    raise MalformedLink(reason="not a parcel of topic, flags and envelope")


def is_topic(topic: str) -> bool:
    """Say whether something can be said under a topic."""
    if len(topic) > _TOPIC_CHARS_MAX:
        return False
    match topic.split("/"):
        case ["hl", "1", "n", node]:
            return is_tag(node)
        case ["hl", "1", "g", tag, "rec" | "head", node]:
            return is_tag(tag) and is_tag(node)
    return False


def _decode(encoded: bytes, size_max: int) -> object:
    try:
        return cbor.decode(encoded, size_max)
    except MalformedCbor as fault:
        raise MalformedLink(reason=fault) from None


def _credentials(node: bytes, run: bytes, encryption: bytes) -> Credentials:
    try:
        return feed.decode_credentials(node, run, encryption)
    except AuthorError as fault:
        raise MalformedLink(reason=fault) from None


def _check_sizes(meeting: Meeting, token: bytes, side: Side) -> None:
    hashes = meeting.certificate, meeting.listener, meeting.dialler
    if any(len(each) != _HASH_BYTES for each in hashes):
        raise MalformedLink(reason="a hash or a challenge is not 32 bytes")
    if len(token) != (TOKEN_BYTES if side is Side.LISTENER else 0):
        raise MalformedLink(reason="a token that is not of this end's length")


def _is_version(version: object) -> bool:
    return type(version) is int and version == VERSION


def _is_node(value: object) -> bool:
    return isinstance(value, bytes) and len(value) == _NODE_BYTES
