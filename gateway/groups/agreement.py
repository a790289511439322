"""An ACK: what a member signs that it durably holds. Protocol: docs/protocol/ack.md.

In: a run key and entries; or bytes from anywhere. Out: signed bytes; or a claim whose signature the
caller verifies under the run key it is said to be of. It stands alone: no session, no envelope and
no clock is needed to check it, so it survives a restart and can be carried by hand.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.errors import BadAck, BadSignature, MalformedCbor, MalformedSignature
from gateway.records import cbor, cose
from gateway.records.cose import Signed, SigningKey
from gateway.records.feed import Head

ENTRIES_MAX: Final = 500
RANGES_MAX: Final = 100
ACK_BYTES_MAX: Final = 64 * 1024
NUMBER_MAX: Final = (1 << 53) - 1
# What entries take in an ACK at most, as CBOR: two hashes, a size, and the ranges.
ENTRIES_BYTES_MAX: Final = 56 * 1024
# And in a receipt record, whose body always travels with it.
RECEIPT_BYTES_MAX: Final = 39 * 1024
_ENTRY_BYTES: Final = 82
_RANGE_BYTES: Final = 19

Ranges = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Cover:
    """Up to where a feed is held with its bodies, but for the records whose body is owed."""

    size: int
    owed: Ranges = ()

    @property
    def prefix(self) -> int:
        """Give up to where nothing is owed."""
        return self.owed[0][0] if self.owed else self.size

    def covers(self, seq: int) -> bool:
        """Say whether a record is held with the body it owes."""
        return seq < self.size and not any(start <= seq < stop for start, stop in self.owed)

    def adding(self, other: "Cover") -> "Cover":
        """Give what both say together: what one of them covers is covered."""
        size = max(self.size, other.size)
        return Cover(size, tuple(_shared(self._open(size), other._open(size))))

    def _open(self, size: int) -> list[tuple[int, int]]:
        return [*self.owed, *([(self.size, size)] if self.size < size else [])]


@dataclass(frozen=True, slots=True)
class Entry:
    """A head that is held from 0 on, and the ranges of bodies that are owed and not held."""

    head: Head
    ranges: Ranges = ()

    @property
    def cover(self) -> Cover:
        """Say what it covers."""
        return Cover(self.head.size, self.ranges)


@dataclass(frozen=True, slots=True)
class Ack:
    """What a run says to one peer about one group; `counter` grows with each ACK of the run."""

    group: bytes
    receiver: bytes
    counter: int
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Claim:
    """An ACK as it came; `verify` before believing it."""

    ack: Ack
    signed: Signed
    encoded: bytes

    @property
    def kid(self) -> bytes:
        """Name the key it is said to be signed with: the first 8 bytes of the run key's id."""
        return self.signed.kid

    def verify(self, run_key: bytes) -> Ack:
        """Check the signature under a run key and give the ACK; raise BadAck."""
        try:
            self.signed.verify(run_key)
        except BadSignature as fault:
            raise BadAck(reason=fault) from None
        return self.ack


def encode_receipt(entries: Sequence[Entry]) -> bytes:
    """Write the content of a receipt record's body; as many entries as one of `batched` has."""
    return cbor.encode(_rows(entries))


def sign(key: SigningKey, ack: Ack) -> bytes:
    """Sign an ACK; at most 500 entries."""
    payload = cbor.encode([ack.group, ack.receiver, ack.counter, _rows(ack.entries)])
    return cose.sign(key, "ack", payload)


def batched(
    entries: Sequence[Entry], bytes_max: int = ENTRIES_BYTES_MAX
) -> Iterator[tuple[Entry, ...]]:
    """Part entries so that each ACK of them fits into a message, or a receipt into a body."""
    some: list[Entry] = []
    size = 0
    for entry in entries:
        grows = _ENTRY_BYTES + _RANGE_BYTES * len(entry.ranges)
        if some and (len(some) == ENTRIES_MAX or size + grows > bytes_max):
            yield tuple(some)
            some, size = [], 0
        some.append(entry)
        size += grows
    if some:
        yield tuple(some)


def decode(encoded: bytes) -> Claim:
    """Read an ACK, not yet verified; raise BadAck."""
    if len(encoded) > ACK_BYTES_MAX:
        raise BadAck(reason=f"longer than {ACK_BYTES_MAX} bytes")
    try:
        signed = cose.decode(encoded, "ack")
        said = cbor.decode(signed.payload, ACK_BYTES_MAX)
    except (MalformedSignature, MalformedCbor) as fault:
        raise BadAck(reason=fault) from None
    match said:
        case [bytes() as group, bytes() as receiver, counter, list() as rows] if (
            len(group) == 32 and len(receiver) == 16 and is_number(counter, 1)
        ):
            assert isinstance(counter, int)
            return Claim(Ack(group, receiver, counter, _entries(rows)), signed, encoded)
    raise BadAck(reason="fields are missing or of the wrong type")


def decode_receipt(content: bytes) -> tuple[Entry, ...]:
    """Read the content of a receipt record's body; raise BadAck."""
    try:
        rows = cbor.decode(content, ACK_BYTES_MAX)
    except MalformedCbor as fault:
        raise BadAck(reason=fault) from None
    if not isinstance(rows, list):
        raise BadAck(reason="a receipt is no list of entries")
    return _entries(rows)


def is_number(value: object, low: int = 0) -> bool:
    """Say whether a value is an integer from `low` below 2^53."""
    return type(value) is int and low <= value <= NUMBER_MAX


def read_ranges(value: object, low: int, high: int) -> Ranges | None:
    """Read half-open, ascending, separate ranges within [low, high); None if it is not such."""
    if not isinstance(value, list) or len(value) > RANGES_MAX:
        return None
    ranges = []
    for pair in value:
        match pair:
            case [start, stop] if is_number(start, low) and is_number(stop, start + 1):
                if stop > high:
                    return None
                ranges.append((start, stop))
                low = stop + 1  # Ranges that touch are one range.
            case _:
                return None
    return tuple(ranges)


def _shared(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Give what two lists of ranges have in common; ranges that touch become one."""
    last: tuple[int, int] | None = None
    for start, stop in one:
        for first, end in other:
            low, high = max(start, first), min(stop, end)
            if low >= high:
                continue
            if last is not None and last[1] == low:
                last = last[0], high
                continue
            if last is not None:
                yield last
            last = low, high
    if last is not None:
        yield last


def _rows(entries: Sequence[Entry]) -> list[list[object]]:
    return [
        [each.head.feed, each.head.size, each.head.root, [list(pair) for pair in each.ranges]]
        for each in sorted(entries, key=lambda entry: entry.head.feed)
    ]


def _entries(rows: list[object]) -> tuple[Entry, ...]:
    if not 0 < len(rows) <= ENTRIES_MAX:
        raise BadAck(reason=f"not 1 to {ENTRIES_MAX} entries")
    entries = tuple(_entry(row) for row in rows)
    feeds = [entry.head.feed for entry in entries]
    if feeds != sorted(set(feeds)):
        raise BadAck(reason="entries are not sorted, or a feed is there twice")
    return entries


def _entry(row: object) -> Entry:
    match row:
        case [bytes() as feed, int() as size, bytes() as root, owed] if (
            len(feed) == 32 and len(root) == 32 and is_number(size, 1)
        ):
            ranges = read_ranges(owed, 0, size)
            if ranges is not None:
                return Entry(Head(feed, size, root), ranges)
    raise BadAck(reason="an entry is not feed, size, root and ranges")
