"""A proof: a record with all that is needed to check it offline. Protocol: docs/protocol/proof.md.

In: the parts, or bytes from anywhere. Out: bytes, or the parts. Nothing is verified here: what a
proof shows is for the verdict to say. A part that no verdict could check is refused, so that a
proof holds as a whole or not at all.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gateway.errors import MalformedCbor, MalformedProof
from gateway.records import cbor
from gateway.records.identity import CERTIFICATE_BYTES_MAX
from gateway.records.record import BODY_BYTES_MAX, RECORD_BYTES_MAX, SALT_BYTES
from gateway.records.roster import ROSTER_BYTES_MAX

PROOF_BYTES_MAX: Final = 24 * 1024 * 1024
PATH_MAX: Final = 53  # as deep as a tree of 2^53 leaves
ROSTERS_MAX: Final = 256
RECEIPTS_MAX: Final = 64  # as many as a group has members
ITEM_BYTES_MAX: Final = 64 * 1024  # an ACK, a founding; what reads them has its own limits
_MEMBERS: Final = frozenset({0, 1, 2, 5, 9, 10, 11})
_JOURNAL: Final = frozenset({3, 4, 6, 7, 8})

Parts = Mapping[object, object]
Certificates = tuple[bytes, bytes, bytes]  # of a node, its run, its encryption key


@dataclass(frozen=True, slots=True)
class Opening:
    """What a body's commitment commits to."""

    salt: bytes
    content: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """An ACK, the certificates of the run that signed it, and the record's path to its head."""

    ack: bytes
    certificates: Certificates
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Founded:
    """A group's founding and the certificates of the run that signed it."""

    founding: bytes
    certificates: Certificates


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


def encode(proof: Proof) -> bytes:
    """Write a proof; absent parts take no room."""
    opening, founded = proof.opening, proof.founded
    receipts = [[each.ack, list(each.certificates), list(each.path)] for each in proof.receipts]
    parts: dict[int, object] = {
        1: proof.record,
        2: None if opening is None else [opening.salt, opening.content],
        5: receipts or None,
        9: None if proof.certificates is None else list(proof.certificates),
        10: None if proof.roster is None else [*proof.earlier, proof.roster],
        11: None if founded is None else [founded.founding, list(founded.certificates)],
    }
    return cbor.encode({0: 1} | {key: part for key, part in parts.items() if part is not None})


def decode(encoded: bytes) -> Proof:
    """Read a proof, of which nothing is verified yet; raise MalformedProof."""
    try:
        said = cbor.decode(encoded, PROOF_BYTES_MAX)
    except MalformedCbor as fault:
        raise MalformedProof(reason=fault) from None
    if not isinstance(said, dict) or type(said.get(0)) is not int or said[0] != 1:
        raise MalformedProof(reason="not a map of version 1")
    if said.keys() & _JOURNAL:
        raise MalformedProof(reason="it speaks of a journal, which this version cannot check")
    if not said.keys() <= _MEMBERS:
        raise MalformedProof(reason="an unknown member")
    *earlier, newest = _rosters(said[10]) if 10 in said else (None,)
    return Proof(
        _bytes(said[1], "record", RECORD_BYTES_MAX) if 1 in said else None,
        _opening(said[2]) if 2 in said else None,
        _receipts(said[5]) if 5 in said else (),
        _certificates(said[9]) if 9 in said else None,
        newest,
        _founded(said[11]) if 11 in said else None,
        tuple(each for each in earlier if each is not None),
    )


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
        case [ack, certificates, list() as path] if len(path) <= PATH_MAX:
            hashes = tuple(each for each in path if isinstance(each, bytes) and len(each) == 32)
            if len(hashes) == len(path):
                signed = _bytes(ack, "ACK", ITEM_BYTES_MAX)
                return Receipt(signed, _certificates(certificates), hashes)
    raise MalformedProof(reason="a receipt is no ACK with certificates and a path")


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
