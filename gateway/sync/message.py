"""What gateways say to each other. Protocol: docs/protocol/message.md.

In: one of the nouns below, or bytes from anywhere. Out: bytes; or the noun, or a PeerError. It
checks form alone: who said it, and whether it may be believed, is for `control`, `agreement`,
`feed` and `group` to say. Size is bounded before anything is decoded (I1).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise
from typing import Final

from gateway.errors import (
    AuthorError,
    InvitationTooLarge,
    MalformedCbor,
    MalformedMessage,
    RecordTooLarge,
)
from gateway.groups import agreement, group
from gateway.groups.agreement import Claim, Ranges, is_number, read_ranges
from gateway.records import cbor, feed, journal
from gateway.records.feed import Credentials, Head
from gateway.records.record import CARRIED_BODY_BYTES_MAX, RECORD_BYTES_MAX
from gateway.sync import invitation
from gateway.sync.invitation import Invite

MESSAGE_BYTES_MAX: Final = 64 * 1024 - 96  # an envelope of 64 KiB passes a default broker
HEADS_MAX: Final = 500
PARTS_MAX: Final = 500
ROSTERS_MAX: Final = 64
RECORDS_MAX: Final = 1024
COSIGNATURES_MAX: Final = 64
PATH_MAX: Final = 64
NONCE_BYTES: Final = 16
# A body in pieces stands on a grid of these, so that what came is known by numbers.
PIECE_BYTES: Final = CARRIED_BODY_BYTES_MAX


class Type(IntEnum):
    """The types, in the order of chapter 9."""

    HELLO = 0
    INVITE = 1
    HEADS = 2
    WANT = 3
    RECS = 4
    BWANT = 5
    BODY = 6
    NOTE = 7
    ACK = 8
    EVIDENCE = 9


@dataclass(frozen=True, slots=True)
class Limits:
    """What the sender takes: bytes of a message, heads in one, bytes on the way to it at once."""

    message_bytes: int = 64 * 1024
    heads: int = HEADS_MAX
    credit_bytes: int = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Hello:
    """Who I am, in this run; its hash and the peer's name the session."""

    credentials: Credentials
    rosters: tuple[bytes, ...]
    nonce: bytes
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True)
class Listed:
    """A feed as its holder has it: from 0 without a gap, and what it has beyond gaps."""

    head: Head
    islands: Ranges = ()


@dataclass(frozen=True, slots=True)
class Heads:
    """What the sender holds."""

    rows: tuple[Listed, ...]


@dataclass(frozen=True, slots=True)
class Want:
    """Records [start, stop) of a feed, up to so many bytes."""

    feed: bytes
    start: int
    stop: int
    credit: int


@dataclass(frozen=True, slots=True)
class Carried:
    """A record and its body, as they travel."""

    record: bytes
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Recs:
    """Consecutive records of a feed."""

    feed: bytes
    start: int
    records: tuple[Carried, ...]


@dataclass(frozen=True, slots=True, order=True)
class Part:
    """The bytes [start, stop) of what has this hash."""

    hash: bytes
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Bwant:
    """Parts of bodies, rosters, foundings or templates, wanted by their hash."""

    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Body:
    """A piece of what was wanted by its hash."""

    hash: bytes
    offset: int
    piece: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A journal's checkpoint, who cosigned it, and this group's heads in it."""

    checkpoint: str
    cosignatures: tuple[str, ...]
    leaves: tuple[journal.Entry, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What shows that somebody broke a rule."""

    content: bytes


def wanted_whole(hashes: Iterable[bytes]) -> Bwant:
    """Ask for what one piece holds, such as a roster."""
    return Bwant(tuple(Part(name, 0, PIECE_BYTES) for name in sorted(hashes)))


Message = Hello | Invite | Heads | Want | Recs | Bwant | Body | Note | Claim | Evidence


def encode(message: Message) -> bytes:
    """Write a message: its type and its fields; raise InvitationTooLarge."""
    match message:
        case Hello(credentials, rosters, nonce, limits):
            bounds = [limits.message_bytes, limits.heads, limits.credit_bytes]
            fields = [Type.HELLO, *credentials.encoded(), list(rosters), nonce, bounds]
        case Invite():
            fields = [Type.INVITE, *invitation.write(message)]
        case Heads(rows):
            listed = [[*_row(each.head), _pairs(each.islands)] for each in rows]
            fields = [Type.HEADS, listed]
        case Want(name, start, stop, credit):
            fields = [Type.WANT, name, start, stop, credit]
        case Recs(name, start, records):
            fields = [Type.RECS, name, start, [[each.record, each.body] for each in records]]
        case Bwant(parts):
            fields = [Type.BWANT, [[each.hash, each.start, each.stop] for each in parts]]
        case Body(name, offset, piece):
            fields = [Type.BODY, name, offset, piece]
        case Note(checkpoint, cosignatures, leaves):
            shown = [[each.index, *_row(each.head), list(each.path)] for each in leaves]
            fields = [Type.NOTE, checkpoint, list(cosignatures), shown]
        case Claim():
            fields = [Type.ACK, message.encoded]
        case Evidence(content):
            fields = [Type.EVIDENCE, content]
    encoded = cbor.encode([int(fields[0]), *fields[1:]])  # type: ignore[call-overload]
    if isinstance(message, Invite) and len(encoded) > MESSAGE_BYTES_MAX:
        named, size = group.group_id(message.founding).hex()[:16], len(encoded)
        raise InvitationTooLarge(group=named, size=size, size_max=MESSAGE_BYTES_MAX)
    return encoded


def decode(encoded: bytes) -> Message:
    """Read a message; raise MalformedMessage or BadAck."""
    try:
        said = cbor.decode(encoded, MESSAGE_BYTES_MAX)
    except MalformedCbor as fault:
        raise MalformedMessage(reason=fault) from None
    match said:
        case [int() as number, *fields] if type(number) is int and 0 <= number <= max(Type):
            return _READERS[Type(number)](fields)
    raise MalformedMessage(reason="not a list that begins with a known type")


def _row(head: Head) -> list[object]:
    return [head.feed, head.size, head.root]


def _pairs(ranges: Ranges) -> list[list[int]]:
    return [list(pair) for pair in ranges]


def _hello(fields: list[object]) -> Hello:
    match fields:
        case [
            bytes() as node,
            bytes() as run,
            bytes() as encryption,
            list() as rosters,
            bytes() as nonce,
            [message_bytes, heads, credit_bytes],
        ] if len(nonce) == NONCE_BYTES:
            bounds = [_number(each, 1) for each in (message_bytes, heads, credit_bytes)]
            try:
                credentials = feed.decode_credentials(node, run, encryption)
            except AuthorError as fault:
                raise MalformedMessage(reason=fault) from None
            return Hello(credentials, _hashes(rosters, ROSTERS_MAX), nonce, Limits(*bounds))
    raise _wrong(Type.HELLO)


def _heads(fields: list[object]) -> Heads:
    match fields:
        case [list() as rows] if len(rows) <= HEADS_MAX:
            listed = tuple(_listed(row) for row in rows)
            feeds = [each.head.feed for each in listed]
            if feeds == sorted(set(feeds)):
                return Heads(listed)
            raise MalformedMessage(reason="feeds are not sorted, or one is there twice")
    raise _wrong(Type.HEADS)


def _listed(row: object) -> Listed:
    match row:
        case [name, size, root, beyond]:
            head = _head(name, size, root)
            # An island begins after a gap, so never at the size itself.
            islands = read_ranges(beyond, head.size + 1, agreement.NUMBER_MAX)
            if islands is not None:
                return Listed(head, islands)
    raise _wrong(Type.HEADS)


def _want(fields: list[object]) -> Want:
    match fields:
        case [name, start, stop, credit]:
            first = _number(start)
            return Want(_hash(name), first, _number(stop, first + 1), _number(credit, 1))
    raise _wrong(Type.WANT)


def _recs(fields: list[object]) -> Recs:
    match fields:
        case [name, start, list() as rows] if 0 < len(rows) <= RECORDS_MAX:
            first = _number(start)
            _number(first + len(rows))
            return Recs(_hash(name), first, tuple(_carried(row) for row in rows))
    raise _wrong(Type.RECS)


def _carried(row: object) -> Carried:
    match row:
        case [bytes() as record, None | bytes() as body]:
            sizes_max = ((record, RECORD_BYTES_MAX), (body or b"", CARRIED_BODY_BYTES_MAX))
            for part, size_max in sizes_max:
                if len(part) > size_max:
                    fault = RecordTooLarge(size=len(part), size_max=size_max)
                    raise MalformedMessage(reason=fault)
            return Carried(record, body)
    raise _wrong(Type.RECS)


def _bwant(fields: list[object]) -> Bwant:
    match fields:
        case [list() as rows] if 0 < len(rows) <= PARTS_MAX:
            parts = tuple(_part(row) for row in rows)
            for before, after in pairwise(parts):
                if after.hash < before.hash or (
                    after.hash == before.hash and after.start <= before.stop
                ):
                    raise MalformedMessage(reason="parts are not sorted, or touch")
            return Bwant(parts)
    raise _wrong(Type.BWANT)


def _part(row: object) -> Part:
    match row:
        case [name, start, stop]:
            first = _number(start)
            return Part(_hash(name), first, _number(stop, first + 1))
    raise _wrong(Type.BWANT)


def _body(fields: list[object]) -> Body:
    match fields:
        case [name, offset, bytes() as piece] if 0 < len(piece) <= PIECE_BYTES:
            first = _number(offset)
            _number(first + len(piece))
            return Body(_hash(name), first, piece)
    raise _wrong(Type.BODY)


def _note(fields: list[object]) -> Note:
    match fields:
        case [str() as checkpoint, list() as cosignatures, list() as leaves] if (
            len(leaves) <= HEADS_MAX and len(cosignatures) <= COSIGNATURES_MAX
        ):
            texts = tuple(each for each in cosignatures if isinstance(each, str))
            if len(texts) == len(cosignatures):
                return Note(checkpoint, texts, tuple(_leaf(row) for row in leaves))
    raise _wrong(Type.NOTE)


def _leaf(row: object) -> journal.Entry:
    match row:
        case [index, name, size, root, list() as path] if len(path) <= PATH_MAX:
            hashes = tuple(_hash(each) for each in path)
            return journal.Entry(_number(index), _head(name, size, root), hashes)
    raise _wrong(Type.NOTE)


def _ack(fields: list[object]) -> Claim:
    match fields:
        case [bytes() as signed]:
            return agreement.decode(signed)
    raise _wrong(Type.ACK)


def _evidence(fields: list[object]) -> Evidence:
    match fields:
        case [bytes() as content]:
            return Evidence(content)
    raise _wrong(Type.EVIDENCE)


_READERS: Final[dict[Type, Callable[[list[object]], Message]]] = {
    Type.HELLO: _hello,
    Type.INVITE: invitation.read,
    Type.HEADS: _heads,
    Type.WANT: _want,
    Type.RECS: _recs,
    Type.BWANT: _bwant,
    Type.BODY: _body,
    Type.NOTE: _note,
    Type.ACK: _ack,
    Type.EVIDENCE: _evidence,
}


def _wrong(kind: Type) -> MalformedMessage:
    return MalformedMessage(reason=f"{kind.name} has missing fields or fields of the wrong type")


def _head(name: object, size: object, root: object) -> Head:
    return Head(_hash(name), _number(size, 1), _hash(root))


def _hash(value: object) -> bytes:
    if isinstance(value, bytes) and len(value) == 32:
        return value
    raise MalformedMessage(reason="a hash is not 32 bytes")


def _hashes(values: list[object], most: int) -> tuple[bytes, ...]:
    hashes = tuple(_hash(value) for value in values)
    if len(hashes) > most or list(hashes) != sorted(set(hashes)):
        raise MalformedMessage(reason="hashes are too many, not sorted, or repeated")
    return hashes


def _number(value: object, low: int = 0) -> int:
    if is_number(value, low) and isinstance(value, int):
        return value
    raise MalformedMessage(reason="a number is out of bounds")
