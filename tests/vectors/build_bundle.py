"""The vectors of files carried by hand: docs/protocol/bundle.md."""

from collections.abc import Sequence
from hashlib import sha256
from io import BytesIO

from gateway.records import cbor, cose
from gateway.sync import bundle
from gateway.sync.bundle import Binding, Entry, Head, Trailer
from tests.damage import refusal
from tests.people import run_of, seed
from tests.vectors.build_message import BUYER, MAKER

MAKERS = run_of(MAKER)
NAME = seed("a bundle")[:16]
HEAD = Head(NAME, MAKER.node.id, (BUYER.node.id,))
BOTH = Head(NAME, MAKER.node.id, tuple(sorted((BUYER.node.id, seed("another")[:16]))), 2)
# What is in an envelope is no matter of the file: these bytes are none.
SHORT, LONG = seed("an envelope"), seed("a longer envelope") * 64


def write(head: Head, entries: Sequence[Entry], has_more: bool = False) -> bytes:
    """Write a whole file as its maker would."""
    binding = Binding()
    parts = [binding.head(head), *(binding.entry(each) for each in entries)]
    signed = bundle.sign(MAKERS.key, binding.close(has_more))
    return b"".join(parts) + bundle.enclose(signed)


def read(encoded: bytes) -> dict[str, object]:
    """Read a whole file and verify it; raise DamagedBundle, or BadSignature."""
    found = bundle.survey(BytesIO(encoded).read)
    found.signed.verify(MAKERS.key.public)
    entries = bundle.entries(BytesIO(encoded).read)
    return {
        "name": found.head.name.hex(),
        "from": found.head.sender.hex(),
        "for": [each.hex() for each in found.head.receivers],
        "part": found.head.part,
        "more": found.trailer.has_more,
        "entries": [
            [each.receiver.hex() if each.receiver else None, sha256(each.envelope).hexdigest()]
            for each in entries
        ],
    }


def build() -> dict[str, object]:
    """Give the vectors as the JSON says them."""
    key = MAKERS.key.public.hex()
    good = [{"name": name, "hex": each.hex(), "run_key": key} for name, each in _good().items()]
    bad = [{"name": name, "hex": each.hex(), "run_key": key} for name, each in _bad().items()]
    return {
        "noun": "bundle",
        "chapter": "docs/protocol/bundle.md",
        "good": [{**each, "expect": read(bytes.fromhex(each["hex"]))} for each in good],
        "bad": [{**each, "error": _error(bytes.fromhex(each["hex"]))} for each in bad],
    }


def _error(encoded: bytes) -> str:
    return refusal(lambda: read(encoded))


def _good() -> dict[str, bytes]:
    one = Entry(BUYER.node.id, SHORT)
    return {
        "one entry": write(HEAD, [one]),
        "none": write(HEAD, []),
        "for all members": write(HEAD, [one, Entry(None, LONG)]),
        "the second part, another follows": write(BOTH, [one], has_more=True),
        "an empty envelope": write(HEAD, [Entry(None, b"")]),
    }


def _bad() -> dict[str, bytes]:
    one = Entry(BUYER.node.id, SHORT)
    whole = write(HEAD, [one, Entry(None, LONG)])
    first = Binding().head(HEAD)
    entry = Binding().entry(one)
    return {
        "nothing": b"",
        "zeros": bytes(64),
        "text": b"hulian/1/bundle",
        "a head alone": first,
        "without its trailer": first + entry,
        "cut in its trailer": whole[:-1],
        "cut in an entry": whole[: len(first) + 9],
        "a bit of an envelope flipped": _flipped(whole, len(first) + 30),
        "a bit of its head flipped": _flipped(whole, 25),
        "a bit of its signature flipped": _flipped(whole, len(whole) - 1),
        "an entry twice": _signed(
            Trailer(1, sha256(first + entry).digest(), False), [entry, entry]
        ),
        "an entry left out": _signed(Trailer(1, sha256(first + entry).digest(), False), []),
        "a count that is none": _signed_as([-1, sha256(first + entry).digest(), False], [entry]),
        "another digest": _signed(Trailer(1, bytes(32), False), [entry]),
        "something after the trailer": whole + entry,
        "a second trailer": whole + _of_kind("bundle", [2, bytes(32), False]),
        "signed by another run": _by_another([entry]),
        "a trailer of another kind": first + entry + _of_kind("ack", [1, bytes(32), False]),
        "for nobody": _headed([bundle.MARK, NAME, MAKER.node.id, [], 1]),
        "for one twice": _headed([bundle.MARK, NAME, MAKER.node.id, [BUYER.node.id] * 2, 1]),
        "of part 0": _headed([bundle.MARK, NAME, MAKER.node.id, [BUYER.node.id], 0]),
        "of another version": _headed(["hulian/2/bundle", NAME, MAKER.node.id, [BUYER.node.id], 1]),
        "a length of two gigabytes": first + b"\x5a\x7f\xff\xff\xff",
        "a length in eight bytes": first + b"\x5b" + bytes(7) + b"\x20" + SHORT,
        "a length not in its shortest form": first + b"\x59\x00\x20" + SHORT,
        "an envelope beyond 64 KiB": first + b"\x5a\x00\x01\x00\x21",
        "an entry that is no list": first + bundle.enclose(cbor.encode(SHORT)) + entry,
        "an entry to no node": first + bundle.enclose(cbor.encode([b"x", SHORT])) + entry,
    }


def _flipped(whole: bytes, at: int) -> bytes:
    return whole[:at] + bytes((whole[at] ^ 1,)) + whole[at + 1 :]


def _signed(trailer: Trailer, entries: Sequence[bytes]) -> bytes:
    head = Binding().head(HEAD)
    return head + b"".join(entries) + bundle.enclose(bundle.sign(MAKERS.key, trailer))


def _signed_as(fields: list[object], entries: Sequence[bytes]) -> bytes:
    return Binding().head(HEAD) + b"".join(entries) + _of_kind("bundle", fields)


def _of_kind(kind: str, fields: list[object]) -> bytes:
    return bundle.enclose(cose.sign(MAKERS.key, kind, cbor.encode(fields)))


def _by_another(entries: Sequence[bytes]) -> bytes:
    before = Binding().head(HEAD) + b"".join(entries)
    trailer = Trailer(len(entries), sha256(before).digest(), False)
    return before + bundle.enclose(bundle.sign(run_of(BUYER).key, trailer))


def _headed(fields: list[object]) -> bytes:
    head = bundle.enclose(cbor.encode(fields))
    trailer = Trailer(0, sha256(head).digest(), False)
    return head + bundle.enclose(bundle.sign(MAKERS.key, trailer))
