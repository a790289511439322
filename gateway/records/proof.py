"""A proof: a record with all that is needed to check it offline. Protocol: docs/protocol/proof.md.

In: the parts, or bytes from anywhere. Out: bytes, or the parts. Nothing is verified here: what a
proof shows is for the verdict to say. A part that no verdict could check is refused, so that a
proof holds as a whole or not at all.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gateway.errors import MalformedCbor, MalformedGenesis, MalformedProof
from gateway.records import cbor
from gateway.records.feed import Head, decode_head
from gateway.records.identity import CERTIFICATE_BYTES_MAX
from gateway.records.record import (
    BODY_BYTES_MAX,
    FIXED_BODY_BYTES_MAX,
    RECORD_BYTES_MAX,
    SALT_BYTES,
)
from gateway.records.roster import ROSTER_BYTES_MAX

PROOF_BYTES_MAX: Final = 24 * 1024 * 1024
PROOF_ITEMS_MAX: Final = 1 << 18
PATH_MAX: Final = 53  # as deep as a tree of 2^53 leaves
ROSTERS_MAX: Final = 256
RECEIPTS_MAX: Final = 64  # as many as a group has members
ITEM_BYTES_MAX: Final = 64 * 1024  # an ACK, a founding; what reads them has its own limits
CHECKPOINT_BYTES_MAX: Final = 1024  # three lines and one signature
COSIGNATURES_MAX: Final = 64  # as many as a consortium has organisations
LINE_CHARS_MAX: Final = 256
MEMBERSHIP_MAX: Final = 1024
_MEMBERS: Final = frozenset(range(13))
_JOURNAL: Final = frozenset({3, 4, 6, 7})  # one way: together, or not at all

Parts = Mapping[object, object]
Certificates = tuple[bytes, bytes, bytes]  # of a node, its run, its encryption key
Pair = tuple[bytes, bytes]  # a record and its body, which always travels


@dataclass(frozen=True, slots=True)
class Opening:
    """What a body's commitment commits to."""

    salt: bytes
    content: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a run signed that it holds, its certificates, and the record's path to that head.

    It is an ACK; or a receipt record, and then it has a body.
    """

    signed: bytes
    certificates: Certificates
    path: tuple[bytes, ...]
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Founded:
    """A group's founding and the certificates of the run that signed it."""

    founding: bytes
    certificates: Certificates


@dataclass(frozen=True, slots=True)
class Journaled:
    """The way from a record to a checkpoint of its node's journal, and the cosignatures of it.

    `path` leads to `head`, and `way` from it, leaf number `index`, to the checkpoint of the run
    whose certificates these are.
    """

    path: tuple[bytes, ...]
    head: Head
    index: int
    way: tuple[bytes, ...]
    checkpoint: bytes
    certificates: Certificates
    cosignatures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Proof:
    """The parts of a proof; None and empty where they are absent."""

    record: bytes | None = None
    opening: Opening | None = None
    receipts: tuple[Receipt, ...] = ()
    certificates: Certificates | None = None
    roster: bytes | None = None
    founded: Founded | None = None
    earlier: tuple[bytes, ...] = ()  # the rosters before `roster`, from number 0 on
    journaled: Journaled | None = None
    membership: tuple[Pair, ...] = ()


def encode(proof: Proof) -> bytes:
    """Write a proof; absent parts take no room."""
    opening, founded = proof.opening, proof.founded
    parts: dict[int, object] = {
        1: proof.record,
        2: None if opening is None else [opening.salt, opening.content],
        5: [_receipt_row(each) for each in proof.receipts] or None,
        9: None if proof.certificates is None else list(proof.certificates),
        10: None if proof.roster is None else [*proof.earlier, proof.roster],
        11: None if founded is None else [founded.founding, list(founded.certificates)],
        12: [list(pair) for pair in proof.membership] or None,
    }
    if proof.journaled is not None:
        parts |= _journal_parts(proof.journaled)
    return cbor.encode({0: 1} | {key: part for key, part in parts.items() if part is not None})


def decode(encoded: bytes) -> Proof:
    """Read a proof, of which nothing is verified yet; raise MalformedProof."""
    try:
        said = cbor.decode(encoded, PROOF_BYTES_MAX, PROOF_ITEMS_MAX)
    except MalformedCbor as fault:
        raise MalformedProof(reason=fault) from None
    if not isinstance(said, dict) or type(said.get(0)) is not int or said[0] != 1:
        raise MalformedProof(reason="not a map of version 1")
    if not said.keys() <= _MEMBERS:
        raise MalformedProof(reason="an unknown member")
    if 12 in said and 11 not in said:
        raise MalformedProof(reason="records of members without the founding")
    *earlier, newest = _rosters(said[10]) if 10 in said else (None,)
    return Proof(
        _bytes(said[1], "record", RECORD_BYTES_MAX) if 1 in said else None,
        _opening(said[2]) if 2 in said else None,
        _receipts(said[5]) if 5 in said else (),
        _certificates(said[9]) if 9 in said else None,
        newest,
        _founded(said[11]) if 11 in said else None,
        tuple(each for each in earlier if each is not None),
        _journaled(said),
        _membership(said[12]) if 12 in said else (),
    )


def _receipt_row(receipt: Receipt) -> list[object]:
    signed = [receipt.signed] if receipt.body is None else [receipt.signed, receipt.body]
    return [*signed, list(receipt.certificates), list(receipt.path)]


def _journal_parts(journaled: Journaled) -> dict[int, object]:
    head = journaled.head
    return {
        3: list(journaled.path),
        4: [head.feed, head.size, head.root],
        6: [journaled.index, list(journaled.way)],
        7: [journaled.checkpoint, list(journaled.certificates)],
        8: list(journaled.cosignatures) or None,
    }


def _bytes(part: object, name: str, size_max: int) -> bytes:
    if isinstance(part, bytes) and len(part) <= size_max:
        return part
    raise MalformedProof(reason=f"its {name} is no byte string, or too long")


def _opening(part: object) -> Opening:
    match part:
        case [bytes() as salt, bytes() as content] if (
            len(salt) == SALT_BYTES and len(salt) + len(content) <= BODY_BYTES_MAX
        ):
            return Opening(salt, content)
    raise MalformedProof(reason="its opening is no salt and content")


def _receipts(part: object) -> tuple[Receipt, ...]:
    if isinstance(part, list) and 0 < len(part) <= RECEIPTS_MAX:
        return tuple(_receipt(row) for row in part)
    raise MalformedProof(reason=f"its receipts are not 1 to {RECEIPTS_MAX}")


def _receipt(row: object) -> Receipt:
    match row:
        case [signed, certificates, path]:
            ack = _bytes(signed, "ACK", ITEM_BYTES_MAX)
            return Receipt(ack, _certificates(certificates), _path(path))
        case [signed, body, certificates, path]:
            record = _bytes(signed, "receipt", RECORD_BYTES_MAX)
            content = _bytes(body, "receipt's body", FIXED_BODY_BYTES_MAX)
            return Receipt(record, _certificates(certificates), _path(path), content)
    raise MalformedProof(reason="a receipt is not signed, with certificates and a path")


def _path(part: object) -> tuple[bytes, ...]:
    if isinstance(part, list) and len(part) <= PATH_MAX:
        hashes = tuple(each for each in part if isinstance(each, bytes) and len(each) == 32)
        if len(hashes) == len(part):
            return hashes
    raise MalformedProof(reason="a path is no list of hashes, or too long")


def _journaled(said: Parts) -> Journaled | None:
    if not said.keys() & (_JOURNAL | {8}):
        return None
    match [said.get(key) for key in (3, 4, 6, 7)]:
        case [path, head, [int() as index, way], [checkpoint, certificates]] if (
            type(index) is int and 0 <= index < 1 << 53
        ):
            return Journaled(
                _path(path),
                _head(head),
                index,
                _path(way),
                _bytes(checkpoint, "checkpoint", CHECKPOINT_BYTES_MAX),
                _certificates(certificates),
                _lines(said[8]) if 8 in said else (),
            )
    raise MalformedProof(reason="its way to a checkpoint is not whole")


def _head(part: object) -> Head:
    try:
        return decode_head(part)
    except MalformedGenesis as fault:
        raise MalformedProof(reason=fault.facts["reason"]) from None


def _lines(part: object) -> tuple[str, ...]:
    rows = part if isinstance(part, list) and 0 < len(part) <= COSIGNATURES_MAX else [None]
    lines = tuple(each for each in rows if isinstance(each, str) and len(each) <= LINE_CHARS_MAX)
    if len(lines) == len(rows):
        return lines
    raise MalformedProof(reason="its cosignatures are not lines of text")


def _membership(part: object) -> tuple[Pair, ...]:
    if isinstance(part, list) and 0 < len(part) <= MEMBERSHIP_MAX:
        return tuple(_pair(row) for row in part)
    raise MalformedProof(reason=f"its records of members are not 1 to {MEMBERSHIP_MAX}")


def _pair(row: object) -> Pair:
    match row:
        case [record, body]:
            read = _bytes(record, "record of members", RECORD_BYTES_MAX)
            return read, _bytes(body, "record of members", FIXED_BODY_BYTES_MAX)
    raise MalformedProof(reason="a record of members is not there with its body")


def _certificates(part: object) -> Certificates:
    match part:
        case [node, run, encryption]:
            return (
                _bytes(node, "certificate", CERTIFICATE_BYTES_MAX),
                _bytes(run, "certificate", CERTIFICATE_BYTES_MAX),
                _bytes(encryption, "certificate", CERTIFICATE_BYTES_MAX),
            )
    raise MalformedProof(reason="its certificates are not three")


def _rosters(part: object) -> tuple[bytes, ...]:
    rows = part if isinstance(part, list) and 0 < len(part) <= ROSTERS_MAX else [None]
    return tuple(_bytes(each, "roster", ROSTER_BYTES_MAX) for each in rows)


def _founded(part: object) -> Founded:
    match part:
        case [founding, certificates]:
            signed = _bytes(founding, "founding", ITEM_BYTES_MAX)
            return Founded(signed, _certificates(certificates))
    raise MalformedProof(reason="its founding is not there with its founder's certificates")
