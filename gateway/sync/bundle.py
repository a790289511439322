"""A file that carries messages by hand: its framing, and what binds it. docs/protocol/bundle.md.

In: envelopes with whom they are for; or a way to read bytes from anywhere. Out: bytes, an element
at a time; or the head, the entries and the signed trailer, or DamagedBundle. It holds one element
in memory, however long the file is, and opens no envelope: what they say is for others to check.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from gateway.errors import DamagedBundle, MalformedCbor, MalformedSignature
from gateway.groups.agreement import is_number
from gateway.records import cbor, cose
from gateway.records.cose import Signed, SigningKey
from gateway.sync.envelope import ENVELOPE_BYTES_MAX

MARK: Final = "hulian/1/bundle"
KIND: Final = "bundle"
NODES_MAX: Final = 1024
ELEMENT_BYTES_MAX: Final = ENVELOPE_BYTES_MAX + 32
_ID_BYTES: Final = 16
HASH_BYTES: Final = 32
_SIGNED: Final = b"\xd2"  # tag 18: no entry begins with it
_WIDTHS: Final = {0x58: 1, 0x59: 2, 0x5A: 4}

Read = Callable[[int], bytes]  # so many bytes, or fewer at the end, as a file gives them


@dataclass(frozen=True, slots=True)
class Head:
    """Which bundle it is, whose, for which nodes, and which part of it."""

    name: bytes
    sender: bytes
    receivers: tuple[bytes, ...]
    part: int = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """An envelope as a link carries it, and the node it is for; None: for all members."""

    receiver: bytes | None
    envelope: bytes


@dataclass(frozen=True, slots=True)
class Trailer:
    """How many entries there are, what all before it hashes to, and whether a part follows."""

    count: int
    digest: bytes
    has_more: bool


@dataclass(frozen=True, slots=True)
class Survey:
    """A whole file as it was found: `signed` is to be verified under the run of its sender."""

    head: Head
    trailer: Trailer
    signed: Signed
    bytes: int


class Binding:
    """What was written of one file: each part of it is given as the bytes to write next."""

    def __init__(self) -> None:
        self._digest = sha256()
        self.count = self.size = 0

    def head(self, said: Head) -> bytes:
        """Begin the file."""
        row = [MARK, said.name, said.sender, list(said.receivers), said.part]
        return self._add(cbor.encode(row))

    def entry(self, said: Entry) -> bytes:
        """Go on with an envelope."""
        self.count += 1
        return self._add(cbor.encode([said.receiver, said.envelope]))

    def close(self, has_more: bool) -> Trailer:
        """Give what is to be signed: nothing comes after it but the signature."""
        return Trailer(self.count, self._digest.digest(), has_more)

    def _add(self, content: bytes) -> bytes:
        element = enclose(content)
        self._digest.update(element)
        self.size += len(element)
        return element


def sign(key: SigningKey, said: Trailer) -> bytes:
    """Sign a trailer as the run that made the file."""
    return cose.sign(key, KIND, cbor.encode([said.count, said.digest, said.has_more]))


def enclose(content: bytes) -> bytes:
    """Write an element: a CBOR byte string in its shortest form."""
    return cbor.encode(content)


def survey(read: Read) -> Survey:
    """Read a whole file: its form, its count and its digest; raise DamagedBundle."""
    digest = sha256()
    head: Head | None = None
    last, count, size = b"", 0, 0
    for content in _elements(read):
        if last:  # It is no trailer, for something follows it.
            element = enclose(last)
            digest.update(element)
            size += len(element)
            if head is None:
                head = _head(last)
            else:
                _entry(last)
                count += 1
        last = content
    if head is None or not last.startswith(_SIGNED):
        raise DamagedBundle(reason="it ends before its trailer")
    trailer, signed = _trailer(last)
    if (trailer.count, trailer.digest) != (count, digest.digest()):
        raise DamagedBundle(reason="it is not what its trailer says that was written")
    return Survey(head, trailer, signed, size + len(enclose(last)))


def entries(read: Read) -> Iterator[Entry]:
    """Read the entries of a file again that was surveyed; raise DamagedBundle."""
    for place, content in enumerate(_elements(read)):
        if place and content.startswith(_SIGNED):
            return
        if place:
            yield _entry(content)
    raise DamagedBundle(reason="it ends before its trailer")


def _elements(read: Read) -> Iterator[bytes]:
    """Read byte strings, each below the bound and in its shortest form."""
    while head := read(1):
        width = _WIDTHS.get(head[0], 0)
        if not width and not 0x40 <= head[0] < 0x58:
            raise DamagedBundle(reason="something in it is no byte string")
        length = read(width) if width else b""
        size = int.from_bytes(length, "big") if width else head[0] & 0x1F
        if not 0 < size <= ELEMENT_BYTES_MAX:
            raise DamagedBundle(reason=f"an element of {size} bytes")
        content = read(size)
        if len(length) != width or len(content) != size:
            raise DamagedBundle(reason="it is cut short")
        if not enclose(content).startswith(head + length):
            raise DamagedBundle(reason="a length that is not in its shortest form")
        yield content


def _head(content: bytes) -> Head:
    match _decoded(content):
        case [str() as mark, bytes() as name, bytes() as sender, list() as rows, part] if (
            mark == MARK and len(name) == len(sender) == _ID_BYTES and is_number(part, 1)
        ):
            nodes = [row for row in rows if isinstance(row, bytes) and len(row) == _ID_BYTES]
            is_sorted = 0 < len(nodes) <= NODES_MAX and nodes == sorted(set(nodes))
            if is_sorted and len(nodes) == len(rows) and isinstance(part, int):
                return Head(name, sender, tuple(nodes), part)
    raise DamagedBundle(reason="it does not begin as a bundle of version 1")


def _entry(content: bytes) -> Entry:
    match _decoded(content):
        case [None | bytes() as receiver, bytes() as envelope] if (
            len(envelope) <= ENVELOPE_BYTES_MAX
        ):
            if receiver is None or len(receiver) == _ID_BYTES:
                return Entry(receiver, envelope)
    raise DamagedBundle(reason="an entry is not a node and an envelope")


def _trailer(content: bytes) -> tuple[Trailer, Signed]:
    try:
        signed = cose.decode(content, KIND)
    except MalformedSignature as fault:
        raise DamagedBundle(reason=fault) from None
    match _decoded(signed.payload):
        case [int() as count, bytes() as digest, bool() as has_more] if (
            is_number(count) and len(digest) == HASH_BYTES
        ):
            return Trailer(count, digest, has_more), signed
    raise DamagedBundle(reason="its trailer is not a count, a digest and whether more follows")


def _decoded(content: bytes) -> object:
    try:
        return cbor.decode(content, ELEMENT_BYTES_MAX)
    except MalformedCbor as fault:
        raise DamagedBundle(reason=fault) from None
